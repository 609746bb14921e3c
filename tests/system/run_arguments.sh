#!/bin/bash
# aquamvs run and export-refs: arguments and keys that are wrong, before anything is read or written.
# usage: run_arguments.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
cd "$work" || exit 1

printf 'calibration_path: c.json\noutput_dir: results\ncamera_input_map: {a: b}\n' >c.yaml
for verb in run export-refs; do
    ends 2 'CONFIG is missing' "$verb"
    ends 2 'nowhere.yaml: cannot be opened: No such file' "$verb" nowhere.yaml
    ends 2 "'more' is one argument too many" "$verb" c.yaml more
    ends 2 'num_depths=abc: .abc. is not an integer; allowed: 8\.\.4096' "$verb" --set reconstruction.num_depths=abc c.yaml
    ends 2 'no such key; did you mean reconstruction.num_depths\?' "$verb" c.yaml --set num_depths=64
    ends 2 'set wants a value: KEY=VALUE' "$verb" c.yaml --set
    ends 2 'c.json' "$verb" c.yaml
done
for frames in '' a 5:2 1:2:3:4 ::0 :-1 1,2; do
    ends 2 "frames: '$frames' is no slice" run c.yaml "--frames=$frames"
done
for shard in 0/2 3/2 1 1/2/3 a/b; do
    ends 2 "shard: '$shard' is not K/N" run c.yaml --shard "$shard"
done
ends 2 "device: 'gpu' is none of" run c.yaml --device gpu
ends 2 "threads: 'x' is not an integer in 0..1024" run c.yaml --threads x
ends 2 "threads: '-1' is not an integer" run c.yaml --threads=-1
ends 2 'superpoint.onnx and lightglue_superpoint.onnx, .*looked for in .*--set matcher_type=sift' run c.yaml --set matcher_type=lightglue
ends 2 'roma.onnx.*looked for in models ' run c.yaml --set matcher_type=roma --set runtime.models_dir=models
pass_if test ! -e results "nothing is written"
finish
