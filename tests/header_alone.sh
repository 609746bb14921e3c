#!/bin/sh
# A public header must compile alone, and twice in a row, as the given language standard.
# usage: header_alone.sh INCLUDE_DIRECTORY HEADER LANGUAGE STANDARD COMPILER...
set -eu
include=$1 header=$2 language=$3 standard=$4
shift 4
printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
    "$@" -std="$standard" -x "$language" -Wall -Wextra -Werror -pedantic -fsyntax-only -I "$include" -
