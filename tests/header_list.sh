#!/bin/bash
# Every header in include/aquamvs is in the list that is installed and checked, and aquamvs.h includes every other.
# usage: header_list.sh INCLUDE_DIRECTORY LISTED-HEADER...
set -u
include=$1
shift
bad=0
listed=$(printf '%s\n' "${@##*/}" | LC_ALL=C sort)
present=$(cd "$include/aquamvs" && printf '%s\n' *.h | LC_ALL=C sort)
if [ "$listed" != "$present" ]; then
    echo "include/meson.build and include/aquamvs differ (left: listed, right: present):"
    diff <(echo "$listed") <(echo "$present")
    bad=1
fi
for header in $present; do
    [ "$header" = aquamvs.h ] && continue
    grep -q "^#include \"aquamvs/$header\"" "$include/aquamvs/aquamvs.h" ||
        { echo "aquamvs.h does not include aquamvs/$header"; bad=1; }
done
exit $bad
