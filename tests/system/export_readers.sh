#!/bin/bash
# What export-mesh and the height map writers write is what an independent reader reads: meshio (OBJ, STL, PLY), assimp
# (OBJ, STL, glTF, GLB), the Khronos validator (glTF, GLB: not one complaint) and GDAL (GeoTIFF; numpy the .npz beside
# it). Counts, bounds, positions, normals and colours are compared with a shape of closed form. Skipped, with a word,
# where the reader is not there: tools/install-packages check and tools/get-gltf-validator install them.
# usage: export_readers.sh AQUAMVS MAKE_EXPORT_FILES meshio|assimp|gdal|validator
. "$(dirname "$0")/common.sh" "$1"
make=$2 reader=$3
here=$(cd "$(dirname "$0")" && pwd)

# The first Python that has the modules; Debian's modules are Debian's Python's.
python_with() { # MODULE...
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c "import ${1}${2:+, $2}" >/dev/null 2>&1 && { echo "$python"; return; }
    done
    return 1
}

case $reader in
meshio) python=$(python_with numpy meshio) || skip_all "no Python has numpy and meshio (Debian: python3-meshio)" ;;
gdal) python=$(python_with numpy osgeo.gdal) || skip_all "no Python has numpy and osgeo (Debian: python3-gdal)" ;;
assimp)
    command -v assimp >/dev/null || skip_all "assimp is not installed (Debian: assimp-utils)"
    python=$(python_with numpy) || skip_all "no Python has numpy (Debian: python3-numpy)"
    ;;
validator)
    package=${AQUAMVS_GLTF_VALIDATOR:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/aquamvs/gltf-validator}
    command -v node >/dev/null || skip_all "node is not installed (Debian: nodejs)"
    [ -f "$package/index.js" ] || skip_all "the glTF validator is not in $package (tools/get-gltf-validator)"
    ;;
*) fail "no such reader: $reader"; finish ;;
esac

"$make" "$work" || { fail "the files could not be made"; finish; }
for format in obj stl gltf glb; do
    pass_if "$aquamvs" export-mesh "$work/mesh.ply" --format $format -q "export-mesh --format $format"
done
pass_if "$aquamvs" export-mesh "$work/mesh.ply" --output "$work/again.ply" -q "export-mesh --output again.ply"

if [ "$reader" != validator ]; then
    pass_if "$python" "$here/export_readers.py" "$reader" "$work" "what $reader reads is what was written"
    finish
fi

validate() { # FILE
    node "$here/gltf_validator.js" "$package" "$1"
}
for format in gltf glb; do
    answer=$(validate "$work/mesh.$format")
    pass_if test "$answer" = "0 0 0 0 2400 4602 4" "mesh.$format: no complaint, 2400 vertices, 4602 triangles, 4 attributes: $answer"
done
# It would have complained.
head -c -4 "$work/mesh.glb" >"$work/short.glb"
pass_if grep -q '^[1-9]' <(validate "$work/short.glb") "a file that is cut off is complained of"
finish
