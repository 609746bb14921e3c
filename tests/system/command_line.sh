#!/bin/bash
# Verbs, options, help and exit statuses: what needs no scene.
# usage: command_line.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

# ends STATUS PATTERN ARGUMENTS...: the exit status; a line of stdout and stderr together matches
ends() {
    local expected=$1 pattern=$2 code=0
    shift 2
    "$aquamvs" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    pass_if test $code -eq "$expected" "aquamvs $*: exit status $expected, not $code"
    pass_if grep -qE -- "$pattern" "$work/out" "$work/err" "aquamvs $*: '$pattern' in: $(cat "$work/out" "$work/err" | head -n 5)"
    # Wrong use says so on stderr in one sentence and leaves stdout alone.
    [ "$expected" -ne 2 ] || pass_if test ! -s "$work/out" "aquamvs $*: nothing on stdout"
}

ends 2 '^usage: aquamvs VERB'
ends 0 '^usage: aquamvs VERB' --help
ends 0 '^aquamvs [0-9]+\.[0-9]+\.[0-9]+$' --version
ends 2 "no verb 'inof'; did you mean info\?" inof
ends 2 "no verb 'qqqqqqqq'; see" qqqqqqqq
mapfile -t verbs < <("$aquamvs" --help | sed -n '/^verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
pass_if test ${#verbs[@]} -ge 1 "the help names verbs"
for verb in "${verbs[@]}"; do
    ends 0 "^usage: aquamvs $verb" "$verb" --help
    ends 2 "no option --nosuch" "$verb" --nosuch
done
ends 0 '^kernels ' info
ends 0 '"cpu_features": ' info --json
ends 2 '--json takes no value' info --json=yes
ends 2 "no option --jsno; did you mean --json\?" info --jsno
ends 2 "no option -z" info -z
ends 2 'one argument too many' info more
if command -v python3 >/dev/null; then
    pass_if python3 -c 'import json, sys; json.loads(sys.argv[1])' "$("$aquamvs" info --json)" "info --json is JSON"
fi
finish
