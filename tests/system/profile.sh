#!/bin/bash
# aquamvs profile: stages that sum to the frame, a trace that nests, an output folder that is not touched, nothing left behind; and what is
# wrong is told on stderr with exit status 2.
# usage: profile.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

scene "$work/scene" --frames 2
config=$work/scene/config.yaml
pass_if reconstruct "$config" "$work/results" "a run, whose results are to stay"
before=$(fingerprint "$work/results"; stat -c '%n %Y %i' "$work/results" "$work/results/run.json")
mkdir "$work/files"

# Other programs may take a core between two scopes; three times in a row they hardly do.
for attempt in 1 2 3; do
    ends 0 '^sum of the stages: [0-9.]+ s, [0-9.]+ % of the frame' profile "$config" --set output_dir="$work/results" "${quick[@]}" \
        --frame 1 --threads 2 --trace "$work/files/trace.json" --json "$work/files/profile.json"
    share=$(sed -n 's/^sum of the stages: .* s, \([0-9.]*\) % of the frame.*/\1/p' "$work/out")
    awk "BEGIN { exit !($share >= 98 && $share <= 100.0001) }" && break
done
pass_if awk "BEGIN { exit !($share >= 98 && $share <= 100.0001) }" "the stages sum to the frame within 2 %, not to $share %"
pass_if grep -q '^frame 1: [0-9.]* s on 2 threads' "$work/out" "the frame and its threads are named"
for stage in read undistort features matching stereo fusion outliers surface write frame.json 'the frame'; do
    pass_if grep -q "^$stage  *1 " "$work/out" "the stage $stage has a row"
done
for part in '    search' '    refine' '  camera \*' '  vote' '  colors'; do
    pass_if grep -q "^$part  *[0-9]" "$work/out" "the part $part has a row"
done
pass_if test "$(grep -cE '^[123]\. .*: [0-9.]+ s, [0-9.]+ % of the frame, in [0-9]+ call' "$work/out")" -eq 3 "three bottlenecks"
pass_if test "$(grep -cE '^   [0-9.]+ of 2 threads busy \([0-9]+ %\).*: ' "$work/out")" -eq 3 "each with what was measured"
pass_if test "$before" = "$(fingerprint "$work/results"; stat -c '%n %Y %i' "$work/results" "$work/results/run.json")" "output_dir is as it was"
pass_if test -z "$(find "$work" -name '.aquamvs_profile_*')" "the files of the frame are gone"
pass_if test "$(ls -A "$work/files")" = "profile.json
trace.json" "the two files that were asked for, and no others"

if command -v python3 >/dev/null; then
    pass_if python3 - "$work/files/trace.json" "trace.json is JSON whose scopes begin in order and nest in every thread" <<'PYTHON'
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
scopes = [e for e in events if e["ph"] == "X"]
assert {e["ph"] for e in events} == {"X", "M", "C"}
assert {"frame", "stereo", "view", "search", "camera"} <= {e["name"] for e in scopes}
assert {e["cat"] for e in scopes} == {"stage", "part", "task"}
assert len({e["tid"] for e in scopes}) >= 2 and len({e["pid"] for e in events}) == 1
for tid in {e["tid"] for e in scopes}:
    ends, last = [], 0
    for e in (e for e in scopes if e["tid"] == tid):
        start, end = e["ts"], e["ts"] + e["dur"]
        assert start >= last and e["dur"] >= 0
        while ends and ends[-1] <= start + 0.002:
            ends.pop()
        assert not ends or end <= ends[-1] + 0.002
        ends.append(end)
        last = start
memory = [e["ts"] for e in events if e["ph"] == "C"]
assert memory == sorted(memory) and len(memory) == 2 * len(scopes)
PYTHON
    pass_if python3 - "$work/files/profile.json" "profile.json has the same numbers" <<'PYTHON'
import json, sys
p = json.load(open(sys.argv[1]))
stages = [s for s in p["stages"] if not s["task"]]
assert abs(sum(s["wall_s"] for s in stages) - p["stages_s"]) < 1e-6
assert abs(p["stages_s"] + p["rest_s"] - p["total"]["wall_s"]) < 1e-6
assert p["frame"] == 1 and p["threads"] == 2 and p["dropped"] == 0 and len(p["bottlenecks"]) == 3
assert p["total"]["written_bytes"] is None or p["total"]["written_bytes"] > 100000
PYTHON
fi

# Where the frame's files go, and that they go whatever happens.
ends 0 '^sum of the stages' profile "$config" --set output_dir="$work/nowhere/yet" "${quick[@]}" -q --work-dir "$work/files"
pass_if test ! -s "$work/err" "nothing on stderr with -q: $(cat "$work/err")"
pass_if test ! -e "$work/nowhere" "output_dir is not made"
pass_if test "$(find "$work/files" -mindepth 1 | wc -l)" -eq 2 "nothing is left in --work-dir"
"$aquamvs" profile "$config" --set output_dir="$work/results" --trace "$work/files/stopped.json" >"$work/out" 2>"$work/err" &
sleep 0.3
kill -INT $!
wait $!
code=$?
pass_if test $code -eq 130 -o $code -eq 0 "interrupted: exit status $code"
pass_if test $code -eq 0 -o ! -e "$work/files/stopped.json" "no trace of a frame that was stopped"
pass_if test -z "$(find "$work" -name '.aquamvs_profile_*')" "an interrupted profile leaves nothing"

ends 2 'CONFIG is missing' profile
ends 2 'nowhere.yaml: cannot be opened' profile "$work/nowhere.yaml"
ends 2 'no frame 2: the input has frames 0\.\.1' profile "$config" --frame 2
ends 2 "frame: '-1' is not an integer" profile "$config" --frame=-1
ends 2 'nowhere/t.json' profile "$config" --trace "$work/nowhere/t.json"
ends 2 'nowhere/p.json' profile "$config" --json "$work/nowhere/p.json"
ends 2 'a folder in /nowhere' profile "$config" --work-dir /nowhere
ends 2 'num_depths=abc' profile "$config" --set reconstruction.num_depths=abc
printf 'no image' >"$work/scene/images/cam00/frame_000001.png"
ends 0 'warning: frame 1: camera cam00 is left out' profile "$config" --frame 1 "${quick[@]}"
for camera in "$work"/scene/images/*; do printf 'no image' >"$camera/frame_000001.png"; done
ends 2 'frame 1: 0 of 5 cameras have a usable image' profile "$config" --frame 1
pass_if test -z "$(find "$work" -name '.aquamvs_profile_*')" "a frame that fails leaves nothing"
finish
