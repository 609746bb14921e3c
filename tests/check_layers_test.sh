#!/bin/bash
# The layer check must pass on a tree that keeps the layers and must name each include that breaks them.
# usage: check_layers_test.sh CHECK_LAYERS
set -u
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

put() { # FILE LINE...: a source file of these lines
    local file=$tree/$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$@" >"$file"
}

clean_tree() {
    rm -rf "${tree:?}"/*
    local name
    for name in status types geometry undistort color stereo fusion surface picture io config evaluate synth pipeline info aquamvs; do
        put "include/aquamvs/$name.h" '/* nothing */'
    done
    put src/base/alloc.h '#include "aquamvs/status.h"'
    put src/math/vec.h '#include <math.h>' '#include "base/alloc.h"'
    put src/kernels/sample.h '#include "base/alloc.h"'
    put src/geometry/project.h '#include "aquamvs/geometry.h"' '#include "kernels/sample.h"' '#include "math/vec.h"'
    put src/geometry/test_vectors.h '#include <jansson.h>'
    put src/geometry/project_test.c '#include "geometry/test_vectors.h"'
    put src/stages/stereo/sweep.h '#include "aquamvs/stereo.h"' '#include "geometry/project.h"'
    put src/stages/fusion/fuse.c '#include "aquamvs/fusion.h"' '#include "aquamvs/geometry.h"'
    put src/stages/picture/canvas.h '#include <cairo.h>' '#include "aquamvs/picture.h"'
    put src/io/ply.h '#include "aquamvs/io.h"' '#include <png.h>'
    put src/config/read.c '#include "aquamvs/config.h"' '#include "aquamvs/stereo.h"' '#include <libfyaml.h>'
    put src/evaluate/evaluate.c '#include "aquamvs/io.h"' '#include "geometry/project.h"'
    put src/synth/render.c '#include "aquamvs/io.h"' '#include "geometry/project.h"'
    put src/pipeline/run.c '#include "aquamvs/config.h"' '#include "stages/stereo/sweep.h"' '#include "io/ply.h"'
    put apps/aquamvs/cmd.h '#include "aquamvs/aquamvs.h"'
    put apps/aquamvs/main.c '#include "cmd.h"' '#include <stdio.h>'
}

expect_pass() {
    local out
    out=$("$check" "$tree" 2>&1) || { echo "a clean tree was refused: $out"; bad=1; }
}

expect_fail() { # FILE INCLUDE-LINE: the clean tree plus this file must fail and name the line
    clean_tree
    put "$1" '/* a line before */' "$2"
    local out code=0
    out=$("$check" "$tree" 2>&1) || code=$?
    if [ "$code" -ne 1 ] || ! grep -q "^$1:2: " <<<"$out"; then
        echo "not caught: $1: $2 (exit $code: $out)"
        bad=1
    fi
}

clean_tree
expect_pass
expect_fail src/base/x.c '#include "aquamvs/types.h"'
expect_fail src/math/x.c '#include "aquamvs/types.h"'
expect_fail src/types/x.c '#include "aquamvs/geometry.h"'
expect_fail src/kernels/x.c '#include "aquamvs/types.h"'
expect_fail src/kernels/x.c '#include "math/vec.h"'
expect_fail src/geometry/x.c '#include "aquamvs/io.h"'
expect_fail src/geometry/x.c '#include "stages/stereo/sweep.h"'
expect_fail src/stages/fusion/x.c '#include "stages/stereo/sweep.h"'
expect_fail src/stages/fusion/x.c '#include "aquamvs/stereo.h"'
expect_fail src/stages/fusion/x.c '  #  include "io/ply.h"'
expect_fail src/stages/fusion/x.c '#include <aquamvs/config.h>'
expect_fail src/stages/stereo/x.c '#include <png.h>'
expect_fail src/stages/stereo/x.c '#include <cairo.h>'
expect_fail src/pipeline/x.c '#include <cairo.h>'
expect_fail src/stages/picture/x.c '#include <png.h>'
expect_fail src/geometry/x.c '#include "geometry/test_vectors.h"'
expect_fail src/geometry/x_test.c '#include "aquamvs/io.h"'
expect_fail src/io/x.c '#include "aquamvs/geometry.h"'
expect_fail src/io/x.c '#include "geometry/project.h"'
expect_fail src/config/x.c '#include "aquamvs/io.h"'
expect_fail src/config/x.c '#include "stages/stereo/sweep.h"'
expect_fail src/evaluate/x.c '#include "aquamvs/fusion.h"'
expect_fail src/synth/x.c '#include "aquamvs/evaluate.h"'
expect_fail src/pipeline/x.c '#include "nowhere.h"'
expect_fail src/pipeline/x.c '#include "../io/ply.h"'
expect_fail apps/aquamvs/x.c '#include "io/ply.h"'
expect_fail include/aquamvs/types.h '#include "aquamvs/geometry.h"'
expect_fail include/aquamvs/types.h '#include "base/alloc.h"'

clean_tree
put src/extra/x.c '/* a folder that is no layer */'
"$check" "$tree" >/dev/null 2>&1 && { echo "a folder that is no layer was not caught"; bad=1; }
rm -rf "${tree:?}"/*
"$check" "$tree" >/dev/null 2>&1 && { echo "an empty tree passed"; bad=1; }
exit $bad
