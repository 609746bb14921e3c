#!/bin/bash
# Verbs, options, help and exit statuses: what needs no scene.
# usage: command_line.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

ends 2 '^usage: aquamvs VERB'
ends 0 '^usage: aquamvs VERB' --help
ends 0 '^aquamvs [0-9]+\.[0-9]+\.[0-9]+$' --version
ends 2 "no verb 'inffo'; did you mean info\?" inffo
ends 2 "no verb 'qqqqqqqq'; see" qqqqqqqq
mapfile -t verbs < <("$aquamvs" --help | sed -n '/^verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
pass_if test ${#verbs[@]} -ge 1 "the help names verbs"
for verb in "${verbs[@]}"; do
    ends 0 "^usage: aquamvs $verb" "$verb" --help
    ends 2 'nosuch' "$verb" --nosuch
done
ends 0 '^kernels ' info
ends 0 '^matchers +built in: sift, dense; with model files' info
ends 0 '"cpu_features": ' info --json
ends 0 '^ONNX Runtime +([0-9]+\.[0-9]+\.[0-9]+, /|none: .*tools/get-onnxruntime)' info
AQUAMVS_ONNXRUNTIME=/nonexistent ends 0 '^ONNX Runtime +none: .*/nonexistent' info
ends 2 '--json takes no value' info --json=yes
ends 2 "no option --jsno; did you mean --json\?" info --jsno
ends 2 "no option -z" info -z
ends 2 'one argument too many' info more
for verb in run export-refs; do # there is nothing more to say than -v does
    pass_if test -z "$("$aquamvs" "$verb" --help | grep -e '-vv')" "aquamvs $verb --help promises no -vv"
done
if command -v python3 >/dev/null; then
    pass_if python3 -c 'import json, sys; json.loads(sys.argv[1])' "$("$aquamvs" info --json)" "info --json is JSON"
fi
finish
