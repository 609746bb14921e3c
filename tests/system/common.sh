# Shared by the system tests: sourced as `. common.sh AQUAMVS`, sets $aquamvs, $work (a folder of its own, removed at the end), and helps to
# say what is wrong. A test ends with `finish`: 0, 1 with failures, 77 where nothing could be checked.
# shellcheck shell=bash
set -u
export LC_ALL=C

aquamvs=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
failures=0
checks=0

cleanup() {
    local code=$?
    chmod -R u+rwx "$work" 2>/dev/null
    rm -rf "$work"
    exit "$code"
}
trap cleanup EXIT

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# pass_if CONDITION... -- what is checked
pass_if() {
    local what=${*: -1}
    checks=$((checks + 1))
    "${@:1:$#-1}" || fail "$what"
}

# ends STATUS PATTERN ARGUMENTS...: the exit status of aquamvs; stdout or stderr has a line with PATTERN
ends() {
    local expected=$1 pattern=$2 code=0
    shift 2
    "$aquamvs" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    pass_if test $code -eq "$expected" "aquamvs $*: exit status $expected, not $code"
    pass_if grep -qE -- "$pattern" "$work/out" "$work/err" "aquamvs $*: '$pattern' in: $(cat "$work/out" "$work/err" | head -n 5)"
    # Wrong use is told on stderr and leaves stdout alone.
    [ "$expected" -ne 2 ] || pass_if test ! -s "$work/out" "aquamvs $*: nothing on stdout"
}

skip_all() {
    echo "SKIPPED: $*"
    exit 77
}

finish() {
    echo "$checks checks, $failures failures"
    [ "$checks" -gt 0 ] || failures=1
    exit $((failures > 0))
}

# scene DIRECTORY OPTIONS...: a small scene of our own renderer
scene() {
    local directory=$1
    shift
    "$aquamvs" synth undulating --rig ring5 --size 240x180 --output-dir "$directory" "$@" >"$work/synth.log" 2>&1 && return
    cat "$work/synth.log"
    echo "the scene could not be rendered"
    exit 1
}

# Few planes, coarse, and the depths given: these tests are about files, not about accuracy.
quick=(--set reconstruction.num_depths=24 --set reconstruction.window_size=7 --set reconstruction.voxel_size=0.003
    --set reconstruction.grid_resolution=0.006 --set "reconstruction.depth_range=[0.14, 0.29]")

# reconstruct CONFIG OUTPUT OPTIONS...: runs it; the messages are in $work/run.log, their end is shown where it fails
reconstruct() {
    local config=$1 output=$2 code
    shift 2
    "$aquamvs" run "$config" --set output_dir="$output" "${quick[@]}" "$@" >"$work/run.log" 2>&1 && return
    code=$?
    tail -n 5 "$work/run.log"
    return $code
}

# The files of a folder with a digest of each, but for run.json (which holds times)
fingerprint() { # DIRECTORY
    [ -d "$1" ] || { echo "no folder"; return; }
    (cd "$1" && find . -mindepth 1 ! -path ./run.json \( -type f -exec sha256sum {} + -o -print \) | sort)
}

# same_tree A B: the same files with the same bytes, run.json left out
same_tree() {
    diff -r --exclude=run.json "$1" "$2" >"$work/diff.log" 2>&1 && return
    head -n 20 "$work/diff.log"
    return 1
}
