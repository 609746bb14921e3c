#!/bin/bash
# SIGINT ends a run with 130 and keeps the finished frames; the next run skips them and says so; --force redoes them.
# usage: interrupt.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
set -m # children of their own process group, with SIGINT as a terminal gives it

scene "$work/scene" --frames 3
config=$work/scene/config.yaml
output=$work/output
reconstruct "$config" "$output" || { fail "a run that is left alone"; finish; }
mv "$output" "$work/clean"

"$aquamvs" run "$config" --set output_dir="$output" "${quick[@]}" >"$work/run.log" 2>&1 &
pid=$!
until [ -e "$output/frame_000000/frame.json" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -INT $pid
code=0
wait $pid || code=$?
pass_if test $code -eq 130 "SIGINT gives exit status 130, not $code: $(tail -n 2 "$work/run.log")"
done_frames=$(find "$output" -name frame.json | wc -l)
pass_if test "$done_frames" -ge 1 "the frame that was finished is kept"
pass_if test "$done_frames" -lt 3 "the run was stopped before its end"
first=$(stat -c '%i %y' "$output/frame_000000/point_cloud/fused.ply")

pass_if reconstruct "$config" "$output" "the interrupted run goes on"
pass_if grep -qE '[1-9][0-9]* (finished before|skipped)' "$work/run.log" "the second run says that it skips what is finished"
pass_if test "$first" = "$(stat -c '%i %y' "$output/frame_000000/point_cloud/fused.ply")" "a finished frame is not written again"
pass_if same_tree "$work/clean" "$output" "the same bytes as without the interruption"

written() { stat -c '%n %i %y' "$output"/frame_*/frame.json; }
before=$(written)
pass_if reconstruct "$config" "$output" "a run with nothing to do"
pass_if test "$before" = "$(written)" "a run with nothing to do writes no frame"
pass_if reconstruct "$config" "$output" --force "a run with --force"
redone=$(comm -13 <(echo "$before") <(written) | wc -l)
pass_if test $redone -eq 3 "--force redoes every frame, not $redone of 3"
pass_if same_tree "$work/clean" "$output" "the same bytes again with --force"
finish
