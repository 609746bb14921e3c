#!/bin/bash
# run.sh DIRECTORY: compiles the kernels and their test for 64-bit ARM with Debian's cross compiler and runs the test
# under qemu, both put into DIRECTORY. Only base/ and kernels/ are built: the kernels' test needs no more. The word
# `neon` in its output says that the table under test was there. 77: compiler or emulator is missing.
set -eu
cd "$(dirname "$0")/../.."
out=$1
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
    command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
mkdir -p "$out"
sources=(src/base/cpu.c)
for file in src/kernels/*.c; do
    case $file in
    *_avx2.c | *_avx512.c | *_test.c) ;;
    *) sources+=("$file") ;;
    esac
done
for test in src/kernels/*_test.c; do
    name=$(basename "$test" .c)
    "$cc" -std=c17 -O2 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno -fno-trapping-math -D_GNU_SOURCE -static \
        -Itests/aarch64 -Isrc -Iinclude "$test" "${sources[@]}" -lm -o "$out/$name"
    qemu-aarch64 "$out/$name" | tee "$out/$name.txt"
done
grep -q '^neon is compared' "$out/kernels_test.txt"
