#!/bin/bash
# Every pathway through the command: its files; and models that are missing, broken or talk nonsense, each a sentence on stderr with exit
# status 2 before anything is written, or 1 where a frame failed by it. What needs ONNX Runtime is left out, and said, where it is not there.
# usage: pathways.sh AQUAMVS MAKE_TEST_MODELS
. "$(dirname "$0")/common.sh" "$1"
make=$2

"$aquamvs" synth undulating --rig ring5 --size 160x120 --output-dir "$work/scene" >"$work/synth.log" 2>&1 || fail "no scene"
models=$work/models
mkdir "$models"

launch() { # OPTIONS...: its exit status is in $code, its messages in $work/err
    code=0
    "$aquamvs" run "$work/scene/config.yaml" "${quick[@]}" --set output_dir="$work/output" --set runtime.models_dir="$models" "$@" \
        >"$work/out" 2>"$work/err" </dev/null || code=$?
}

says() { # PATTERN: stderr holds a sentence with it, and nothing that a crash would leave
    grep -qE -- "$1" "$work/err" && ! grep -qiE 'segmentation|assertion|sanitizer|core dumped' "$work/err"
}

refused() { # NAME MATCHER PATTERN...
    local name=$1 matcher=$2 mode
    shift 2
    for mode in sparse full; do
        launch --set matcher_type="$matcher" --set pipeline_mode=$mode
        pass_if test $code -eq 2 "$name, $mode: exit status 2, not $code: $(tail -n 3 "$work/err")"
        for pattern in "$@"; do
            pass_if says "$pattern" "$name, $mode: a sentence with '$pattern': $(tail -n 3 "$work/err")"
        done
        pass_if test ! -s "$work/out" "$name, $mode: nothing on stdout"
        pass_if test ! -e "$work/output" "$name, $mode: nothing is written"
        rm -rf "$work/output"
    done
}

# ---- built in
for mode in sparse full; do
    for matcher in sift dense; do
        launch --set matcher_type=$matcher --set pipeline_mode=$mode
        pass_if test $code -eq 0 "$matcher, $mode: exit status 0, not $code: $(tail -n 3 "$work/err")"
        cloud=fused
        [ $mode = full ] || cloud=sparse
        pass_if test -s "$work/output/frame_000000/point_cloud/$cloud.ply" "$matcher, $mode: there is a cloud"
        pass_if test "$(find "$work/output/frame_000000/point_cloud" -type f | wc -l)" -eq 1 "$matcher, $mode: there is one cloud"
        rm -rf "$work/output"
    done
done

# ---- models that are not there
refused "no model" roma 'roma\.onnx' "$models" 'docs/models\.md' '--set matcher_type=dense'
refused "no model" lightglue 'superpoint\.onnx and lightglue_superpoint\.onnx' "$models" 'docs/models\.md' '--set matcher_type=sift'
printf 'no model' >"$models/roma.onnx"
AQUAMVS_ONNXRUNTIME=/nonexistent/libonnxruntime.so refused "no ONNX Runtime" roma '/nonexistent/libonnxruntime\.so'

"$aquamvs" info 2>/dev/null | grep -qE '^ONNX Runtime +[0-9]' || { echo "without ONNX Runtime: the rest is left out"; finish; }

# ---- models that are refused
refused "a file of something else" roma "$models/roma\.onnx"
: >"$models/roma.onnx"
refused "an empty file" roma "$models/roma\.onnx"
"$make" matcher "$models/roma.onnx" 16
refused "a model of another kind" roma "$models/roma\.onnx is a model of another kind"
head -c "$(($(wc -c <"$models/roma.onnx") / 2))" "$models/roma.onnx" >"$models/half" && mv "$models/half" "$models/roma.onnx"
refused "half a file" roma "$models/roma\.onnx"

# ---- models that talk nonsense
numbers() { # COUNT OCTAL-BYTES: that many times
    for ((k = 0; k < $1; k++)); do printf '%b' "$2"; done
}
failing() { # NAME MATCHER PATTERN
    local name=$1 matcher=$2 pattern=$3 mode
    for mode in sparse full; do
        launch --set matcher_type="$matcher" --set pipeline_mode=$mode
        pass_if test $code -eq 1 "$name, $mode: exit status 1, not $code: $(tail -n 3 "$work/err")"
        pass_if says "frame 0 failed: .*$pattern" "$name, $mode: a sentence with '$pattern': $(tail -n 3 "$work/err")"
        pass_if grep -qE -- "$pattern" "$work/output/run.json" "$name, $mode: run.json says why"
        pass_if test ! -e "$work/output/frame_000000/frame.json" "$name, $mode: the frame is not marked as done"
        rm -rf "$work/output"
    done
}
{ numbers 6 '\0\0\0\0'; numbers 384 '\0\0\0300\0177'; } >"$work/nan"
"$make" dense "$models/roma.onnx" 16 12 "$work/nan"
failing "a warp of NaN" roma 'cameras cam00 and cam01: .*warp_AB holds -?nan'
{ numbers 6 '\0\0\0\0'; numbers 384 '\0\0\0100\0100'; } >"$work/outside"
"$make" dense "$models/roma.onnx" 16 12 "$work/outside"
failing "a warp to the outside" roma 'no point'
finish
