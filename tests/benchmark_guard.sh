#!/bin/bash
# The suite `ci` against the baseline that the tree holds: accuracy, completeness and memory, not seconds. A change of results must
# change the baseline, in a commit that shows by how much:
#     build/apps/aquamvs/aquamvs benchmark examples/benchmarks/ci.yaml --write-baseline bench/baselines/ci_baseline.json
# usage: benchmark_guard.sh AQUAMVS SUITE BASELINE
set -u
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" benchmark "$2" --output-dir "$work/run" || exit 1
"$1" benchmark --compare "$3" "$work/run"
code=$?
[ "$code" -eq 0 ] || echo "if that is meant: aquamvs benchmark $2 --write-baseline $3"
exit "$code"
