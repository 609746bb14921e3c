#!/bin/bash
# aquamvs init: finds the cameras by name, compares them with the calibration, writes a configuration that reads back.
# usage: init.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
cd "$work" || exit 1

camera() { # NAME X
    printf '"%s": {"name": "%s", "intrinsics": {"K": [[700,0,320],[0,700,240],[0,0,1]], "dist_coeffs": [0,0,0,0,0], "image_size": [640,480]},
      "extrinsics": {"R": [[1,0,0],[0,1,0],[0,0,1]], "t": [%s,0,0]}, "water_z": 1.0}' "$1" "$1" "$2"
}
{
    printf '{"version": "1.0", "cameras": {'
    camera cam0 0; printf ','; camera cam1 0.2; printf ','; camera cam2 0.4
    printf '}, "interface": {"normal": [0,0,-1], "n_air": 1.0, "n_water": 1.333}}'
} >calibration.json
mkdir -p in/cam0_day1 in/cam1_day1 in/cam9_day1 in/cam1_day2
: >in/cam2_day1.txt
usual=(init --input-dir in --calibration calibration.json --output-dir results --pattern)

ends 0 '^2 cameras; wrote config.yaml' "${usual[@]}" '^(cam[0-9])_day1'
pass_if grep -q 'warning: camera cam2 of the calibration has no input in in' err "a camera without input is named"
pass_if grep -q 'cam9_day1: the calibration has no camera cam9; left out' err "an input without camera is named"
pass_if grep -q 'cam2_day1.txt matches but is neither a folder nor a video' err "a text file is no input"
pass_if grep -qx '  cam1: in/cam1_day1' config.yaml "paths are relative to the configuration"
pass_if grep -qx 'output_dir: results' config.yaml "the output folder is relative too"
pass_if grep -qx '  num_depths: 128' config.yaml "balanced is the default preset"
pass_if test ! -e results "nothing but the configuration is made"

cp config.yaml before.yaml
ends 2 'config.yaml is there already; --force' "${usual[@]}" '^(cam[0-9])_day1' --preset fast
pass_if cmp -s config.yaml before.yaml "a configuration is not written over"
ends 0 '^2 cameras' "${usual[@]}" '^(cam[0-9])_day1' --preset fast --force
pass_if grep -qx '  num_depths: 64' config.yaml "--force writes over, --preset writes the numbers"
pass_if grep -qx 'quality_preset: null' config.yaml "the numbers stand for themselves"

ends 0 'wrote deep/er/c.yaml' "${usual[@]}" '^(cam[0-9])_day1' --config deep/er/c.yaml
pass_if grep -qx "  cam1: $work/in/cam1_day1" deep/er/c.yaml "paths that do not lie below the configuration are absolute"

refuse() { # PATTERN-FOR-MESSAGE REGEX OPTIONS...
    local message=$1
    shift
    ends 2 "$message" "${usual[@]}" "$@" --config new.yaml
    pass_if test ! -e new.yaml "$message: nothing is written"
}
refuse 'both cam1_day1 and cam1_day2 match as camera cam1' '^(cam[0-9])'
refuse 'has no group' '^cam[0-9]'
refuse 'not POSIX; write \[0-9\]' '(cam\d)'
refuse "pattern '\(cam'" '(cam'
refuse 'no input of a camera of calibration.json' '(nobody)'
refuse "none of fast, balanced, quality" '(cam0)' --preset slow
ends 2 'nowhere' init --input-dir nowhere --calibration calibration.json --output-dir results --pattern '(a)' --config new.yaml
ends 2 'nowhere.json' init --input-dir in --calibration nowhere.json --output-dir results --pattern '(a)' --config new.yaml
ends 2 'pattern is missing' init --input-dir in
finish
