#!/bin/bash
# What `meson install` installs is enough to build and run a program of somebody else's, found through pkg-config.
# usage: install_test.sh BUILD_DIRECTORY SOURCE_DIRECTORY COMPILER...
set -eu
build=$1 source=$2
shift 2
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

DESTDIR=$stage/root meson install -C "$build" --no-rebuild >"$stage/install.log" 2>&1 || { cat "$stage/install.log"; exit 1; }
pc=$(find "$stage/root" -name aquamvs.pc)
[ -n "$pc" ] || { echo "no aquamvs.pc was installed"; exit 1; }
library=$(find "$stage/root" -name 'libaquamvs.so')
[ -n "$library" ] || { echo "no libaquamvs.so was installed"; exit 1; }
header=$(find "$stage/root" -path '*/aquamvs/aquamvs.h')
[ -n "$header" ] || { echo "no aquamvs/aquamvs.h was installed"; exit 1; }

PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$stage/root pkg-config --cflags --libs aquamvs >"$stage/flags"
grep -q -- "-I$stage/root" "$stage/flags" || { echo "pkg-config does not point into the installed tree: $(cat "$stage/flags")"; exit 1; }
for example in "$source"/examples/*.c; do
    name=$(basename "$example" .c)
    # shellcheck disable=SC2046 # the flags are words
    "$@" -std=c17 -Wall -Wextra -Werror -o "$stage/$name" "$example" $(cat "$stage/flags") -lm
    LD_LIBRARY_PATH=$(dirname "$library") "$stage/$name" || { echo "$name failed"; exit 1; }
done
