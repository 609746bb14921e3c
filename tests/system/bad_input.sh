#!/bin/bash
# Bad input: each case has its exit status, a sentence on stderr that names the thing, and costs nothing that is already on disk.
#
# `refused`: exit 2, nothing started: a finished output folder (with --force even) stays as it is to the byte, and a new one is not
# made. `dropped`: the run goes on without the broken camera, says which and why, and ends with 0. `frame_failed`: exit 1, the
# frame is named with its reason in run.json, and the others are done.
# usage: bad_input.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

good=$work/good
scene "$good" --frames 2
reconstruct "$good/config.yaml" "$work/finished" || { fail "the run with good input"; finish; }
# Frames and calibration shortened: names of the cameras in the file, and the first of them.
mapfile -t cameras < <(sed -n '/^camera_input_map:/,/^[^ ]/s/^  *\([^ :]*\): .*/\1/p' "$good/config.yaml")
first=${cameras[0]}
[ ${#cameras[@]} -ge 5 ] || { fail "config.yaml of the scene names ${#cameras[@]} cameras"; finish; }

# A fresh copy of the scene to break, at $scene
begin() {
    rm -rf "$work/case"
    cp -r "$good" "$work/case"
    scene=$work/case
    config=$scene/config.yaml
}

# says PATTERN: stderr holds a sentence with it, and nothing that a crash would leave
says() {
    grep -qE -- "$1" "$work/err" && ! grep -qiE 'segmentation|assertion|sanitizer|core dumped' "$work/err"
}

launch() { # OPTIONS...: output and messages to $work/out, $work/err
    "$aquamvs" run "$config" "${quick[@]}" "$@" >"$work/out" 2>"$work/err"
}

refused() { # NAME PATTERN OPTIONS...
    local name=$1 pattern=$2 code=0 before
    shift 2
    before=$(fingerprint "$work/finished"; stat -c '%Y %i' "$work/finished/run.json")
    launch --set output_dir="$work/finished" --force "$@" || code=$?
    pass_if test $code -eq 2 "$name: exit status 2, not $code"
    pass_if says "$pattern" "$name: a sentence with '$pattern': $(tail -n 3 "$work/err")"
    pass_if test "$before" = "$(fingerprint "$work/finished"; stat -c '%Y %i' "$work/finished/run.json")" "$name: finished output is untouched"
    code=0
    launch --set output_dir="$work/new" "$@" || code=$?
    pass_if test $code -eq 2 "$name: exit status 2 with a new output folder, not $code"
    pass_if test ! -e "$work/new" "$name: nothing is written: $(find "$work/new" 2>/dev/null | tr '\n' ' ')"
    rm -rf "$work/new"
}

frames=0:1:1 # of the cases of `dropped`: one frame is enough for most

dropped() { # NAME PATTERN OPTIONS...
    local name=$1 pattern=$2 code=0
    shift 2
    launch --frames $frames --set output_dir="$work/new" "$@" || code=$?
    pass_if test $code -eq 0 "$name: the run goes on and ends with 0, not $code: $(tail -n 3 "$work/err")"
    pass_if says "$pattern" "$name: a warning with '$pattern': $(tail -n 3 "$work/err")"
    pass_if test -s "$work/new/frame_000000/point_cloud/fused.ply" "$name: the other cameras give a cloud"
    rm -rf "$work/new"
}

frame_failed() { # NAME PATTERN FAILED-FRAME GOOD-FRAME OPTIONS...
    local name=$1 pattern=$2 broken=$3 whole=$4 code=0
    shift 4
    launch --set output_dir="$work/new" "$@" || code=$?
    pass_if test $code -eq 1 "$name: exit status 1, not $code: $(tail -n 3 "$work/err")"
    pass_if says "$pattern" "$name: a sentence with '$pattern': $(tail -n 3 "$work/err")"
    pass_if grep -qE -- "$pattern" "$work/new/run.json" "$name: run.json says why"
    pass_if test ! -e "$work/new/$broken/frame.json" "$name: $broken is not marked as done"
    pass_if test -s "$work/new/$whole/frame.json" "$name: $whole is done"
    rm -rf "$work/new"
}

# edit_json SED-EXPRESSION: on calibration.json, taken to one line without spaces around it
edit_json() {
    tr -d '\n' <"$good/calibration.json" | sed -E "s/ +/ /g; $1" >"$scene/calibration.json"
    pass_if test "$(tr -d ' \n' <"$good/calibration.json" | wc -c)" -ne 0 "the calibration of the scene is there"
    cmp -s <(tr -d ' \n' <"$good/calibration.json") <(tr -d ' \n' <"$scene/calibration.json") && fail "nothing was edited by: $1"
}
number='-?[0-9.]+([eE][-+]?[0-9]+)?'

# ---- calibration
begin; rm "$scene/calibration.json"
refused "missing calibration" 'calibration\.json'
begin; : >"$scene/calibration.json"
refused "empty calibration" 'calibration\.json'
begin; head -c "$(($(stat -c %s "$good/calibration.json") / 2))" "$good/calibration.json" >"$scene/calibration.json"
refused "truncated calibration" 'calibration\.json'
begin; edit_json 's/("K": ?\[ ?)\[/\1[1, 2, 3], [/'
refused "K with four rows" "calibration\.json.*$first.*K"
begin; edit_json "s/(\"K\": ?\[ ?\[ ?)$number ?, ?/\1/"
refused "K with a short row" "calibration\.json.*$first.*K"
begin; edit_json "s/(\"K\": ?\[ ?\[ ?)$number/\1\"wide\"/"
refused "K with a word in it" "calibration\.json.*$first.*K"
begin; edit_json "s/(\"R\": ?\[ ?\[ ?)$number/\1NaN/"
refused "NaN in R" 'calibration\.json.*NaN'
begin; edit_json "s/(\"R\": ?\[ ?\[ ?)$number/\1null/"
refused "null in R" "calibration\.json.*$first.*R"
begin; edit_json "s/(\"R\": ?\[ ?\[ ?)$number/\15.0/"
refused "R that is no rotation" "calibration\.json.*$first.*R"
begin; edit_json "s/(\"water_z\": ?)$number/\1-50.0/g"
refused "cameras under water" "($first|calibration\.json).*water"
begin; edit_json 's/"image_size": ?\[[^]]*\]/"image_size": [0, -3]/'
refused "an image size of nothing" "calibration\.json.*$first.*image_size"

# ---- configuration
begin; mv "$config" "$scene/other.yaml"
refused "missing configuration" 'config\.yaml'
begin; : >"$config"
refused "empty configuration" 'config\.yaml|calibration_path'
begin; printf 'reconstruction: [1, 2\n' >>"$config"
refused "broken YAML" 'config\.yaml:[0-9]+:[0-9]+'
begin; sed -i '/^ *frame_step:/d; /^preprocessing:/d; /^ *frame_start:/d; /^ *frame_stop:/d' "$config"
printf 'preprocessing:\n  frame_step: often\n' >>"$config"
refused "a word for a number" "config\.yaml:$(wc -l <"$config"):[0-9]+: .*frame_step.*often"
begin; sed -i '/^ *cost_function:/d; s/^reconstruction:.*/&\n  cost_function: guess/' "$config"
grep -q guess "$config" || printf 'reconstruction:\n  cost_function: guess\n' >>"$config"
refused "a choice that does not exist" 'config\.yaml:[0-9]+:[0-9]+: .*guess.*ncc'
begin
refused "an override of the wrong type" 'window_size.*many' --set reconstruction.window_size=many
refused "a value out of range" 'window_size.*-3' --set reconstruction.window_size=-3
begin; printf 'pipline_mode: full\n' >>"$config"
dropped "an unknown key" "config\.yaml:$(wc -l <"$config").*pipline_mode.*pipeline_mode"
begin; sed -i '/^camera_input_map:/,/^[^ ]/{/^  /d}' "$config"
sed -i "s|^camera_input_map:.*|camera_input_map:\n  $first: images/$first|" "$config"
refused "one camera only" '(two|2) cameras|one camera|1 camera'
begin; sed -i "s|^camera_input_map:.*|&\n  nobody: images/$first|" "$config"
dropped "a camera that the calibration does not know" 'nobody'

# ---- images. camera_input_map of a scene of stills holds folders below the scene.
input=$(sed -n "s/^  *$first: *//p" "$good/config.yaml")
[ -d "$good/$input" ] || { fail "the input of $first, '$input', is no folder of the scene"; finish; }
begin; rm -r "${scene:?}/$input"
dropped "a missing folder" "$first.*$input|$input.*$first"
begin; rm "$scene/$input"/*
dropped "an empty folder" "$first.*$input|$input.*$first"
begin; for camera in "${cameras[@]}"; do rm "$scene/${input%"$first"}$camera"/*; done
refused "only empty folders" "$first"
begin; frame=$(find "$scene/$input" -type f | sort | head -n 1)
head -c "$(($(stat -c %s "$frame") / 2))" "$frame" >"$work/half" && cp "$work/half" "$frame"
dropped "a PNG cut in half" "$first.*$(basename "$frame")|$(basename "$frame").*$first|$input/$(basename "$frame")"
for camera in "${cameras[@]:1}"; do # in every camera: the frame has nothing to be made of
    cp "$work/half" "$scene/${input%"$first"}$camera/$(basename "$frame")"
done
frame_failed "a PNG cut in half for every camera" "$(basename "$frame")|two cameras|2 cameras" frame_000000 frame_000001
begin; scene "$work/large" --size 300x225 --frames 2
rm -r "${scene:?}/$input"; cp -r "$work/large/$input" "$scene/$input"
dropped "images of the wrong size" "$first.*300 ?x ?225.*240 ?x ?180|$first.*240 ?x ?180.*300 ?x ?225"

# ---- video
video_scene() { # DIRECTORY OPTIONS...
    scene "$@" --format video
}
video_scene "$work/long" --frames 3
video_scene "$work/short" --frames 1
video=$(sed -n "s/^  *$first: *//p" "$work/long/config.yaml")
rm -rf "$work/case"; cp -r "$work/long" "$work/case"; scene=$work/case; config=$scene/config.yaml
cp "$work/short/$video" "$scene/$video"
frames=0:3:1
dropped "a video that ends early" "$first.*frame|frame.*$first"
frames=0:1:1
rm -rf "$work/case"; cp -r "$work/long" "$work/case"
head -c 300 "$work/long/$video" >"$scene/$video"
dropped "a video cut to its first bytes" "$first.*$video|$video"
for camera in "${cameras[@]}"; do
    cp "$work/short/${video/$first/$camera}" "$scene/${video/$first/$camera}"
done
# frames beyond the end of every video are not there to be asked for
refused "frames beyond the end of every video" 'frame' --frames 5:9:1

# ---- output
begin; : >"$work/a_file"
code=0
launch --set output_dir="$work/a_file/below" || code=$?
pass_if test $code -eq 2 "an output folder below a file: exit status 2, not $code"
pass_if says 'a_file' "an output folder below a file: a sentence that names it: $(tail -n 2 "$work/err")"
code=0
launch --set output_dir=/proc/nowhere/output || code=$?
pass_if test $code -eq 2 "an output folder that cannot be made: exit status 2, not $code"
pass_if says '/proc/nowhere' "an output folder that cannot be made: a sentence that names it: $(tail -n 2 "$work/err")"
mkdir "$work/locked" && chmod 555 "$work/locked"
if touch "$work/locked/probe" 2>/dev/null; then
    rm "$work/locked/probe"
    echo "skipped: a folder without the right to write (this user may write everywhere)"
else
    code=0
    launch --set output_dir="$work/locked" || code=$?
    pass_if test $code -eq 2 "a folder without the right to write: exit status 2, not $code"
    pass_if says 'locked' "a folder without the right to write: a sentence that names it: $(tail -n 2 "$work/err")"
fi
finish
