#!/bin/bash
# make_test_models writes models that are as large as their tables, and refuses tables that do not fit.
# usage: make_test_models.sh MAKE_TEST_MODELS
set -eu
make=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "FAIL: $1" >&2
    exit 1
}

floats() { # COUNT: that many zeros
    head -c $((4 * $1)) /dev/zero
}

floats $((2 * (6 + 2 * 8 * 4))) >"$folder/warps"
"$make" dense "$folder/roma.onnx" 8 4 "$folder/warps"
[ "$(wc -c <"$folder/roma.onnx")" -gt $((4 * 2 * 2 * 8 * 4)) ] || fail "the dense model is too small"
! "$make" dense "$folder/no.onnx" 9 4 "$folder/warps" 2>/dev/null || fail "a table of another size was taken"
floats $((3 * (1 + 5 * (3 + 16)))) >"$folder/keypoints"
"$make" extractor "$folder/superpoint.onnx" 1 5 16 "$folder/keypoints"
"$make" matcher "$folder/lightglue_superpoint.onnx" 16
[ -s "$folder/superpoint.onnx" ] && [ -s "$folder/lightglue_superpoint.onnx" ] || fail "no extractor or no matcher"
! "$make" nothing 2>/dev/null || fail "an unknown kind was taken"
