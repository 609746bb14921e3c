#!/bin/bash
# runtime.viz_enabled draws depth maps, features, matches, the surface and the rig: whole PNG files of the right sizes, the same bytes for any
# number of threads, only those that viz_stages names, and none of an earlier run that it no longer names.
# usage: pictures.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

# size FILE: width and height of a PNG, whose last chunk must be there too
size() {
    [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || { echo "no PNG"; return; }
    [ "$(tail -c 8 "$1" | head -c 4)" = IEND ] || { echo "cut short"; return; }
    od -An -tu1 -j16 -N8 "$1" | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4, $5 * 16777216 + $6 * 65536 + $7 * 256 + $8 }'
}

pictures() { # OUTPUT: the names of the pictures of frame 0
    (cd "$1/frame_000000" && find . -path './viz/*' -printf '%f ' | tr ' ' '\n' | sort | tr '\n' ' ')
}

scene "$work/scene"
for threads in 1 3; do
    pass_if reconstruct "$work/scene/config.yaml" "$work/output" --threads $threads --set runtime.viz_enabled=true \
        "a run with pictures and $threads threads"
    pass_if test "$(grep -c '^warning' "$work/run.log")" -eq 0 "all pictures that exist are drawn without a warning"
    mv "$work/output" "$work/$threads" || finish
    sed -i '/^ *threads:/d' "$work/$threads/config.yaml"
done
pass_if same_tree "$work/1" "$work/3" "1 and 3 threads draw the same bytes"

viz=$work/1/frame_000000/viz
expected=
for kind in depth features; do
    for camera in cam00 cam01 cam02 cam03 cam04; do expected+="${kind}_$camera.png "; done
done
for a in 0 1 2 3; do
    for ((b = a + 1; b < 5; b++)); do expected+="matches_cam0${a}_cam0$b.png "; done
done
expected+="rig.png scene.png "
pass_if test "$(pictures "$work/1")" = "$expected" "the pictures are: $(pictures "$work/1")"
# 240 x 180, magnified by 2, twice, each with 116 pixels of bar, in a margin of 20; 98 pixels above and below
for camera in cam00 cam01 cam02 cam03 cam04; do
    pass_if test "$(size "$viz/depth_$camera.png")" = "1212 458" "depth_$camera.png: $(size "$viz/depth_$camera.png")"
done
# The longer side of a panel is 760 (scene) and 820 (rig) pixels.
read -r width height <<<"$(size "$viz/scene.png")"
pass_if test "$width" -gt 1000 -a "$width" -le 1816 -a "$height" -gt 500 -a "$height" -le 909 "scene.png: $width x $height"
pass_if test "$width" -ge 1813 -o "$height" -ge 906 "scene.png: the longer side is 760 pixels: $width x $height"
read -r width height <<<"$(size "$viz/rig.png")"
pass_if test "$width" -gt 1000 -a "$width" -le 1868 -a "$height" -gt 500 -a "$height" -le 956 "rig.png: $width x $height"

# Fewer pictures, over the frame that has all
sed 's/^runtime:.*//' "$work/scene/config.yaml" >"$work/scene/few.yaml"
printf 'runtime:\n  viz_enabled: true\n  viz_stages: [rig, summary]\n' >>"$work/scene/few.yaml"
pass_if reconstruct "$work/scene/few.yaml" "$work/1" --force "a run with one picture"
pass_if grep -q '^warning: runtime.viz_stages: summary is not in this version' "$work/run.log" "the summary, asked for by name, warn"
pass_if test "$(pictures "$work/1")" = "rig.png " "only the rig is there: $(pictures "$work/1")"
pass_if reconstruct "$work/scene/config.yaml" "$work/1" --force "a run without pictures"
pass_if test ! -e "$work/1/frame_000000/viz" "no folder without pictures"
finish
