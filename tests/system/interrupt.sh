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
pass_if test "$(grep -cx '3 frames were finished before and are skipped' "$work/run.log")" -eq 1 "it says so once: $(cat "$work/run.log")"
pass_if reconstruct "$config" "$output" -v "a run with nothing to do that says more"
pass_if test "$(grep -c 'finished before and are skipped' "$work/run.log")" -eq 1 "it says so once too: $(cat "$work/run.log")"
pass_if reconstruct "$config" "$output" -q "a run with nothing to do that is quiet"
pass_if test ! -s "$work/run.log" "-q says nothing of it: $(cat "$work/run.log")"
pass_if reconstruct "$config" "$output" --force "a run with --force"
redone=$(comm -13 <(echo "$before") <(written) | wc -l)
pass_if test $redone -eq 3 "--force redoes every frame, not $redone of 3"
pass_if same_tree "$work/clean" "$output" "the same bytes again with --force"

# Two runs do not write to one folder; the one that is refused leaves the other alone.
"$aquamvs" run "$config" --set output_dir="$output" "${quick[@]}" --force >"$work/first.log" 2>&1 &
pid=$!
until [ ! -e "$output/frame_000000/frame.json" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -STOP $pid
ends 2 'another run is writing to' run "$config" --set output_dir="$output" "${quick[@]}"
ends 2 'another run is writing to' run "$config" --set output_dir="$output" "${quick[@]}" --shard 1/2
kill -CONT $pid
for ((tries = 0; tries < 600; tries++)); do # bash may still report the stop (147) of a child that goes on
    code=0
    wait $pid || code=$?
    [ $code -eq 147 ] || break
    sleep 0.1
done
pass_if test $code -eq 0 "the first run ends with 0, not $code: $(tail -n 2 "$work/first.log")"
pass_if same_tree "$work/clean" "$output" "the same bytes with another run that was refused"

# The user's configuration is not written over.
cp "$config" "$work/before.yaml"
ends 2 'would overwrite' run "$config" --set output_dir=.
pass_if cmp -s "$config" "$work/before.yaml" "the configuration is as it was"

# Other images in the same place: the finished frame stays, which is said; a shard that fails names its own record.
truncate -s 10 "$work"/scene/images/*/frame_000000.png
ends 0 '1 finished frame is skipped though made from other input' run "$config" --set output_dir="$output" "${quick[@]}"
ends 1 'is in .*/run_1_of_2.json$' run "$config" --set output_dir="$work/shards" "${quick[@]}" --shard 1/2
finish
