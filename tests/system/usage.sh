#!/bin/bash
# The command's manners: every verb explains itself on stdout, what is wrong is said on stderr with exit status 2.
# usage: usage.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"

# outcome STATUS ARGUMENTS...: runs; the exit status must be STATUS, and only one of stdout and stderr be written
outcome() {
    local wanted=$1 code=0
    shift
    "$aquamvs" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    pass_if test $code -eq "$wanted" "aquamvs $*: exit status $wanted, not $code"
    if [ "$wanted" -eq 0 ]; then
        pass_if test -s "$work/out" -a ! -s "$work/err" "aquamvs $*: speaks on stdout only"
    else
        pass_if test ! -s "$work/out" -a -s "$work/err" "aquamvs $*: speaks on stderr only"
    fi
}

outcome 0 --help
mapfile -t verbs < <(sed -n '/^verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' "$work/out")
pass_if test ${#verbs[@]} -gt 0 "the help lists the verbs"
for source in "$(dirname "$0")"/../../apps/aquamvs/cmd_*.c; do
    verb=$(basename "$source" .c | sed 's/^cmd_//; s/_/-/g')
    pass_if grep -qx "$verb" <(printf '%s\n' "${verbs[@]}") "$(basename "$source") has its verb in the help"
done
outcome 0 --version
pass_if grep -qE '[0-9]+\.[0-9]+\.[0-9]+' "$work/out" "the version is a version"
outcome 0 info
outcome 2
outcome 2 frobnicate
pass_if grep -q frobnicate "$work/err" "an unknown verb is named"
for verb in "${verbs[@]}"; do
    outcome 0 "$verb" --help
    pass_if grep -q "^usage: aquamvs $verb" "$work/out" "aquamvs $verb --help begins with its usage"
    # Every option that takes a value has a default, or says that it must be given.
    while read -r option; do
        pass_if grep -qE -- 'default|must be given|replaces' <<<"$(grep -A 3 -- "--$option " "$work/out")" "aquamvs $verb --$option tells its default"
    done < <(sed -n 's/^ .*--\([a-z-]*\) [A-Z].*/\1/p' "$work/out")
    outcome 2 "$verb" --frobnicate
    pass_if grep -q -- '--frobnicate' "$work/err" "aquamvs $verb: an unknown option is named"
done
finish
