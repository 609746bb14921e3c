#!/bin/bash
# Two frames of a rendered scene, one with a mound and one without: what `evaluate RUN --frame-b 1` says of the volume, the files it writes,
# the same bytes for any number of threads; and what cannot be compared is told on stderr with exit status 2.
# usage: compare.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

"$aquamvs" synth mound --rig ring5 --size 320x240 --frames 2 --output-dir "$work/scene" -q >/dev/null 2>"$work/synth.log" ||
    { cat "$work/synth.log"; exit 1; }
pass_if reconstruct "$work/scene/config.yaml" "$work/run" --set "reconstruction.depth_range=[0.2, 0.55]" "two frames are reconstructed"
pass_if grep -q '"mound_volume_m3": 0.00047123' "$work/scene/gt/scene.json" "the truth holds the volume of the mound"

# number GROUP MEASURE [FILE]: from comparison.csv
number() {
    awk -F, -v g="$1" -v m="$2" '$1 == g && $2 == m { print $3 }' "${3:-$work/files/comparison.csv}"
}
# holds EXPRESSION: true for awk
holds() {
    awk "BEGIN { exit !($1) }"
}

ends 0 'net \(\+ = gained\) +-4[0-9][0-9]\.' evaluate "$work/run" --frame-b 1 --output-dir "$work/files" --json "$work/also.json" -q
pass_if test ! -s "$work/err" "no warning: $(cat "$work/err")"
for name in comparison.json comparison.csv height_difference.npz height_difference.tif height_difference.png; do
    pass_if test -s "$work/files/$name" "$name is written"
done
pass_if cmp -s "$work/also.json" "$work/files/comparison.json" "--json has the same numbers"

# The mound, 471.24 cm3, is gone: eroded.
net=$(number volume_all net) half=$(number volume_all net_95)
pass_if holds "-($net) > 0.97 * 4.7124e-4 && -($net) < 1.03 * 4.7124e-4" "net $net m3 is within 3 % of the mound"
pass_if holds "(-($net) - 4.7124e-4) ^ 2 < (1.5 * $half) ^ 2" "net $net +- $half m3 is of the mound"
pass_if holds "$half < 0.1 * 4.7124e-4" "an interval of $half m3 is of use"
pass_if holds "$(number volume_significant erosion) > 0.9 * 4.7124e-4" "most of it is significant"
pass_if holds "$(number volume_significant deposition) < 0.1 * 4.7124e-4" "next to nothing was deposited"
pass_if holds "$(number distance_b_to_a signed_mean) > 0" "B lies deeper"

# The other way round it was deposited.
ends 0 'net' evaluate "$work/run/frame_000001" "$work/run/frame_000000" --output-dir "$work/back" -q
pass_if holds "$(number volume_all net "$work/back/comparison.csv") + ($net) == 0" "the other way round the sign changes, and nothing else"

# Half of it lies in half of its ground; the same bytes from any number of threads.
for threads in 1 3; do
    ends 0 'the region' evaluate "$work/run" --frame-b 1 --region 0.02,-0.2,0.2,0.2 --align --threads $threads -q --output-dir "$work/t$threads"
done
pass_if same_tree "$work/t1" "$work/t3" "1 and 3 threads write the same bytes"
pass_if holds "-($(number volume_all net "$work/t1/comparison.csv")) > 0.46 * 4.7124e-4" "half of the mound in half of its ground"
pass_if holds "-($(number volume_all net "$work/t1/comparison.csv")) < 0.54 * 4.7124e-4" "half of the mound in half of its ground, no more"
pass_if grep -q '"a_from_b"' "$work/t1/comparison.json" "the alignment is told"

if command -v python3 >/dev/null; then
    pass_if python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(d["alignment"] is not None or not d["errors"]["measured"])' \
        "$work/files/comparison.json" "comparison.json is JSON, nothing is aligned unless asked for"
fi

ends 2 'with what is .* to be compared' evaluate "$work/run"
ends 2 'has no frame 7; there are 2' evaluate "$work/run" --frame-b 7
ends 2 'align has no meaning with' evaluate "$work/run/frame_000000/mesh/surface.ply" --ground-truth "$work/scene" --align
ends 2 'min-views has no meaning without' evaluate "$work/run" --frame-b 1 --min-views 2
ends 2 'icp-max-distance has no meaning without --align' evaluate "$work/run" --frame-b 1 --icp-max-distance 0.1
ends 2 "is not like" evaluate "$work/run" --frame-b 1 --region 1,2,3
ends 2 'no cell .* in the region' evaluate "$work/run" --frame-b 1 --region 7,7,8,8
ends 2 'one file to measure' evaluate "$work/run" "$work/run" --ground-truth "$work/scene"
ends 2 'neither' evaluate "$work/run" "$work/scene/gt"
: >"$work/file"
ends 2 'file' evaluate "$work/run" --frame-b 1 --output-dir "$work/file/x"
finish
