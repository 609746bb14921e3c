#!/bin/bash
# export-mesh: one file and whole folders, every format, the format from the name of the output; fewer triangles; the
# input is never written over; a cloud is no mesh; what fails in a folder is named and the others go on (exit status 1).
# usage: export_mesh.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
cd "$work" || exit 1

sheet() { # FILE: a 3 x 3 grid of vertices, 8 triangles, as text
    {
        printf 'ply\nformat ascii 1.0\nelement vertex 9\nproperty double x\nproperty double y\nproperty double z\n'
        printf 'property uchar red\nproperty uchar green\nproperty uchar blue\nelement face 4\n'
        printf 'property list uchar int vertex_indices\nend_header\n'
        for y in 0 1 2; do for x in 0 1 2; do echo "0.$x 0.$y 1 200 100 50"; done; done
        for corner in 0 1 3 4; do echo "4 $corner $((corner + 3)) $((corner + 4)) $((corner + 1))"; done
    } >"$1"
}

magic() { # FILE: its first bytes
    head -c "$2" "$1" | tr -d '\0'
}

sheet mesh.ply
cp mesh.ply mesh.before
ends 0 '^mesh.obj: 9 vertices, 8 triangles$' export-mesh mesh.ply --format obj
pass_if test "$(grep -c '^v 0\.. 0\.. 1 \|^v 0 0 1 \|^v 0\.. 0 1 \|^v 0 0\.. 1 ' mesh.obj)" -eq 9 "mesh.obj has its vertices: $(head -n 4 mesh.obj)"
pass_if test "$(grep -c '^f ' mesh.obj)" -eq 8 "mesh.obj has 8 faces"
ends 0 'STL holds triangles alone; colours' export-mesh mesh.ply --format stl
pass_if test "$(stat -c %s mesh.stl)" -eq $((84 + 8 * 50)) "mesh.stl has 8 triangles"
ends 0 '^mesh.glb: ' export-mesh mesh.ply --format GLB
pass_if test "$(magic mesh.glb 4)" = glTF "mesh.glb is a GLB"
ends 0 '^other.gltf: ' export-mesh mesh.ply --output other.gltf
pass_if test "$(magic other.gltf 9)" = '{"asset":' "other.gltf is a glTF"
ends 0 '^other.PLY: ' export-mesh mesh.ply --output other.PLY
pass_if test "$(magic other.PLY 3)" = ply "other.PLY is a PLY"
ends 0 '^odd.name: ' export-mesh mesh.ply --output odd.name --format obj
mkdir a.b && cp mesh.ply a.b/plain
ends 0 '^a.b/plain.obj: ' export-mesh a.b/plain --format obj
code=0
"$aquamvs" export-mesh mesh.ply --format stl --output quiet.stl -q >out 2>err || code=$?
pass_if test $code -eq 0 -a ! -s out -a ! -s err "-q says nothing: $(cat out err)"
pass_if cmp -s mesh.ply mesh.before "the input is as it was"

# Wrong use
ends 2 'INPUT.ply or --input-dir is missing' export-mesh --format obj
ends 2 'do not go together' export-mesh mesh.ply --input-dir . --format obj
ends 2 '--format is missing' export-mesh mesh.ply
ends 2 "--format is missing.*'x.xyz' does not end" export-mesh mesh.ply --output x.xyz
ends 2 "'fbx' is none of obj, stl, gltf, glb, ply" export-mesh mesh.ply --format fbx
ends 2 '--format glb, but --output x.obj' export-mesh mesh.ply --format glb --output x.obj
ends 2 '--output-dir goes with --input-dir' export-mesh mesh.ply --format obj --output-dir .
ends 2 '--output goes with INPUT.ply' export-mesh --input-dir . --format obj --output x.obj
ends 2 'not an integer in 1' export-mesh mesh.ply --format obj --simplify 0
ends 2 'missing.ply' export-mesh missing.ply --format obj
ends 2 'nowhere/x.obj' export-mesh mesh.ply --output nowhere/x.obj
pass_if test ! -e x.obj -a ! -e x.xyz "nothing was written"

# Never over the input, whatever it is called
for name in mesh.ply ./mesh.ply "$work/mesh.ply"; do
    ends 2 'would be written over itself' export-mesh mesh.ply --output "$name"
done
ends 2 'would be written over itself' export-mesh mesh.ply --format ply
ln -s mesh.ply link.ply
ends 2 'would be written over itself' export-mesh link.ply --output mesh.ply
pass_if cmp -s mesh.ply mesh.before "the input is as it was"

# A cloud is no mesh
sed '/^element face/,/^property list/d' mesh.ply | grep -v '^4 ' >cloud.ply
for format in obj stl gltf glb; do
    ends 2 'cloud.ply is a cloud of 9 points without faces' export-mesh cloud.ply --format $format
    pass_if test ! -e cloud.$format "no cloud.$format"
done
ends 0 '^points.ply: 9 points' export-mesh cloud.ply --output points.ply
ends 2 'without faces' export-mesh cloud.ply --output fewer.ply --simplify 3

# Folders: loose files, and the frames of a run
mkdir loose
for name in b10 b9; do sheet loose/$name.ply; done
ends 0 '^2 of 2 written$' export-mesh --input-dir loose --format glb
pass_if test "$(ls loose | tr '\n' ' ')" = "b10.glb b10.ply b9.glb b9.ply " "beside the inputs: $(ls loose | tr '\n' ' ')"
pass_if test "$(sed -n 1p err)" = "loose/b9.glb: 9 vertices, 8 triangles" "in the order of numbers: $(head -n 1 err)"
ends 1 '^0 of 2 written$' export-mesh --input-dir loose --format ply
ends 0 '^2 of 2 written$' export-mesh --input-dir loose --output-dir new/folder --format ply
pass_if test "$(ls new/folder | tr '\n' ' ')" = "b10.ply b9.ply " "in a new folder: $(ls new/folder | tr '\n' ' ')"
for frame in 000000 000001 000002 000003; do mkdir -p run/frame_$frame/mesh; done
sheet run/frame_000000/mesh/surface.ply
head -n 12 mesh.ply >run/frame_000001/mesh/surface.ply # cut off
sheet run/frame_000002/mesh/surface.ply
sheet run/loose.ply # passed over
ends 1 'frame_000001/mesh/surface.ply' export-mesh --input-dir run --output-dir exported --format obj
pass_if grep -q 'frame_000003/mesh/surface.ply' "$work/err" "the frame without a mesh is named"
pass_if grep -qx '2 of 4 written' "$work/err" "two of four: $(tail -n 1 "$work/err")"
pass_if test "$(ls exported | tr '\n' ' ')" = "frame_000000.obj frame_000002.obj " "what could be written is there: $(ls exported | tr '\n' ' ')"
ends 1 '2 of 4 written' export-mesh --input-dir run --format glb
pass_if test -s run/frame_000002/mesh/surface.glb "beside the mesh of the frame"
mkdir empty
ends 2 'neither frames of a run' export-mesh --input-dir empty --format obj
ends 2 'nowhere' export-mesh --input-dir nowhere --format obj
ends 2 'mesh.ply' export-mesh --input-dir loose --output-dir mesh.ply/x --format obj

# Fewer triangles: of a flat sheet two are enough
triangles() { grep -c '^f ' "$1"; }
ends 0 '^all.obj: 9 vertices, 8 triangles of 8, off by at most' export-mesh mesh.ply --output all.obj --simplify 100
pass_if test "$(triangles all.obj)" -eq 8 "no more triangles than there are"
ends 0 '^few.obj: .* triangles of 8, off by at most' export-mesh mesh.ply --output few.obj --simplify 4
pass_if test "$(triangles few.obj)" -le 6 -a "$(triangles few.obj)" -ge 2 "about 4 triangles: $(triangles few.obj)"
# and of a real one about as many as asked for, over the same area
scene "$work/scene"
pass_if reconstruct "$work/scene/config.yaml" "$work/output" "a run"
ends 0 '^1 of 1 written$' export-mesh --input-dir output --output-dir whole --format obj
half=$(($(triangles whole/frame_000000.obj) / 2))
ends 0 '^1 of 1 written$' export-mesh --input-dir output --output-dir half --format obj --simplify $half
got=$(triangles half/frame_000000.obj)
pass_if test "$got" -le $((half * 11 / 10)) -a "$got" -ge $((half * 8 / 10)) "about $half triangles: $got"
finish
