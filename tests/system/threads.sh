#!/bin/bash
# The same bytes for 1, 2 and 4 threads. config.yaml records the number of threads and run.json the times: these two aside.
# usage: threads.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

unset 'quick[-1]' 'quick[-1]' # depths are found, not given
scene "$work/scene"
for threads in 1 2 4; do
    pass_if reconstruct "$work/scene/config.yaml" "$work/output" --threads $threads "a run with $threads threads"
    mv "$work/output" "$work/$threads" || finish
    sed -i '/^ *threads:/d' "$work/$threads/config.yaml"
done
pass_if test -s "$work/1/frame_000000/point_cloud/fused.ply" "a fused cloud was written"
pass_if same_tree "$work/1" "$work/2" "1 and 2 threads give the same bytes"
pass_if same_tree "$work/1" "$work/4" "1 and 4 threads give the same bytes"
finish
