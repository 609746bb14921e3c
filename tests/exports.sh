#!/bin/bash
# The shared library exports what the public headers declare, all of it and nothing else.
# usage: exports.sh NM LIBRARY HEADER...
set -u
nm=$1 library=$2
shift 2
export LC_ALL=C

# Names after AQM_API up to the first parenthesis, comments and preprocessor lines taken away.
declared=$(cat "$@" | grep -v '^#' | tr '\n' ' ' | sed 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g' |
    grep -o 'AQM_API[^;]*;' | grep -o 'aqm_[a-z0-9_]* *(' | tr -d ' (' | sort)
# The locks of `omp critical(name)` are the compiler's, and always visible.
exported=$("$nm" -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' | grep -v '^\.gomp_critical_user_aqm_' | sort)
bad=0
[ -n "$declared" ] || { echo "no declarations found in: $*"; bad=1; }
twice=$(uniq -d <<<"$declared")
[ -z "$twice" ] || { echo "declared twice: ${twice//$'\n'/ }"; bad=1; }
hidden=$(comm -23 <(echo "$declared") <(echo "$exported"))
[ -z "$hidden" ] || { echo "declared and not exported: ${hidden//$'\n'/ }"; bad=1; }
extra=$(comm -13 <(echo "$declared") <(echo "$exported"))
[ -z "$extra" ] || { echo "exported and not declared: ${extra//$'\n'/ }"; bad=1; }
[ $bad -ne 0 ] || echo "$(wc -l <<<"$exported") functions, all declared, all exported"
exit $bad
