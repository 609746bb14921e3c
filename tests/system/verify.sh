#!/bin/bash
# A ChArUco board in two poses, rendered, found, reconstructed and measured: the numbers within their bounds, the files that are written, the
# same ones for any number of threads; OpenCV finds the same corners (skipped without it); and what cannot be measured is told with exit status 2.
# usage: verify.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

board=(--board 6x5 --square 0.06 --marker 0.045 --dictionary 4x4_50)
"$aquamvs" synth charuco "${board[@]}" --rig ring5 --size 320x240 --frames 2 --output-dir "$work/scene" -q >/dev/null 2>"$work/synth.log" ||
    { cat "$work/synth.log"; exit 1; }
pass_if grep -q '"corners"' "$work/scene/gt/scene.json" "the truth holds the corners"

# number FRAME NAME: from verify.csv
number() {
    awk -F, -v f="$1" -v n="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == n) c = i } $1 == f { print $c }' "$work/v/verify.csv"
}
# holds EXPRESSION: true for awk
holds() {
    awk "BEGIN { exit !($1) }"
}

ends 0 'flatness of the surface' verify "$work/scene/config.yaml" "${board[@]}" --output-dir "$work/v" --json "$work/also.json" -q
for name in verify.json verify.csv run.json boards/frame_000000.png boards/frame_000001.png corners/frame_000001_cam03.png frame_000001/point_cloud/fused.ply; do
    pass_if test -s "$work/v/$name" "$name is written"
done
pass_if cmp -s "$work/also.json" "$work/v/verify.json" "--json has the same numbers"
for frame in 0 1; do
    pass_if holds "$(number $frame corners) >= 18" "frame $frame: nearly all of 20 corners are seen"
    pass_if holds "$(number $frame grid_rms_mm) < 0.35" "frame $frame: grid $(number $frame grid_rms_mm) mm"
    pass_if holds "($(number $frame square_error_pct)) ^ 2 < 0.1 ^ 2" "frame $frame: square $(number $frame square_error_pct) %"
    pass_if holds "($(number $frame plane_offset_mm)) ^ 2 < 1" "frame $frame: the surface lies at the corners"
done
pass_if holds "$(number 0 flatness_mm) < 0.8 && $(number 0 flatness_mm) > 0.001" "flatness $(number 0 flatness_mm) mm"
pass_if holds "$(number 0 cross_camera_mm) < 1.2 && $(number 0 cross_camera_mm) > 0.001" "cross-camera $(number 0 cross_camera_mm) mm"

# Finished frames are kept; the corners alone need no reconstruction; threads change nothing.
ends 0 'finished before' verify "$work/scene/config.yaml" "${board[@]}" --output-dir "$work/v" --no-pictures
for threads in 1 3; do
    ends 0 'rigid grid' verify "$work/scene/config.yaml" "${board[@]}" --output-dir "$work/t$threads" --corners-only --threads $threads -q
done
pass_if same_tree "$work/t1" "$work/t3" "1 and 3 threads write the same bytes"
pass_if test ! -e "$work/t1/run.json" "nothing is reconstructed for --corners-only"

# A wrong length of a square is seen: 1 % too large a square, 1 % too small a result.
ends 0 'square size, mean error +-0\.[89]|-1\.[01]' verify "$work/scene/config.yaml" --board 6x5 --square 0.0606 --marker 0.04545 --dictionary 4x4_50 \
    --output-dir "$work/wrong" --corners-only --no-pictures -q

if /usr/bin/python3 -c 'import cv2; cv2.aruco.CharucoBoard_create' 2>/dev/null; then
    pass_if /usr/bin/python3 "$(dirname "$0")/verify_opencv.py" "$work/scene" "OpenCV finds the board and its corners where the truth has them"
else
    echo "not checked: python3-opencv is not there"
fi

config=$work/scene/config.yaml
ends 2 'board is missing' verify "$config" --square 0.06 --marker 0.045
ends 2 'square is missing' verify "$config" --board 6x5 --marker 0.045
ends 2 'is not like 12x9' verify "$config" --board six --square 0.06 --marker 0.045
ends 2 'did you mean 4x4_50' verify "$config" --board 6x5 --square 0.06 --marker 0.045 --dictionary 4x4_5O
ends 2 'has 54 markers' verify "$config" --board 12x9 --square 0.06 --marker 0.045
ends 2 'must be 0.3..0.95' verify "$config" --board 6x5 --square 0.06 --marker 0.06
ends 2 'is no slice' verify "$config" "${board[@]}" --frames x
ends 2 'no frame to verify' verify "$config" "${board[@]}" --frames 7
ends 2 'no camera sees the board' verify "$config" --board 6x5 --square 0.06 --marker 0.045 --dictionary 6x6_250 --output-dir "$work/none"
pass_if test ! -e "$work/none" "nothing is written where there is no board"
: >"$work/file"
ends 2 'file' verify "$config" "${board[@]}" --output-dir "$work/file/x" --corners-only
finish
