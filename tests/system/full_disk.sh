#!/bin/bash
# A disk that fills up: exit 1 or 2 with a sentence that names the file and the reason, no file with its final name is half
# written, what was there stays, and when there is room again the run goes on and ends with the same bytes.
# First with a limit on the size of a file, which needs no rights; then with a real small file system, where one can be mounted.
# usage: full_disk.sh AQUAMVS [inside DIRECTORY]
if [ "${2-}" != inside ]; then
    . "$(dirname "$0")/common.sh" "$1"
    scene "$work/scene" --frames 2
    config=$work/scene/config.yaml
else # in a mount namespace of our own; the folder was made by the call above
    . "$(dirname "$0")/common.sh" "$1"
    config=$3/scene/config.yaml
fi

# Every file in OUTPUT with a final name is the one in CLEAN.
whole_files() { # OUTPUT CLEAN
    local file bad=0
    while read -r file; do
        case $file in ./run.json | *.tmp) continue ;; esac
        cmp -s "$1/$file" "$2/$file" || { echo "half a file, or another: $file"; bad=1; }
    done < <(cd "$1" 2>/dev/null && find . -type f)
    return $bad
}

if [ "${2-}" != inside ]; then
    output=$work/output
    reconstruct "$config" "$output" || { fail "a run with room"; finish; }
    mv "$output" "$work/clean"
    code=0
    (trap '' XFSZ && ulimit -f 16 && exec "$aquamvs" run "$config" --set output_dir="$output" "${quick[@]}") >"$work/run.txt" 2>&1 || code=$?
    pass_if test $code -eq 1 "no file over 16 KiB can be written: exit status 1, not $code"
    pass_if grep -qiE 'File too large' "$work/run.txt" "the reason is given: $(tail -n 3 "$work/run.txt")"
    pass_if grep -qE "$output|frame_000000" "$work/run.txt" "the file is named: $(tail -n 3 "$work/run.txt")"
    pass_if test ! -e "$output/frame_000000/frame.json" "a frame that could not be written is not done"
    pass_if whole_files "$output" "$work/clean" "every file with its final name is whole"
    pass_if reconstruct "$config" "$output" "with room again the run goes on"
    pass_if same_tree "$work/clean" "$output" "the same bytes after a full disk"

    enter=(unshare -m)
    [ "$(id -u)" -eq 0 ] || enter=(unshare -r -m)
    mkdir "$work/disk"
    # shellcheck disable=SC2016
    if ! "${enter[@]}" bash -c 'mount -t tmpfs -o size=1m tmpfs "$1" && mount -o remount,size=2m "$1"' _ "$work/disk" 2>/dev/null; then
        echo "skipped: a file system that is full (none of a size of our own can be mounted here)"
        finish
    fi
    code=0
    "${enter[@]}" bash "$0" "$aquamvs" inside "$work" || code=$?
    pass_if test $code -eq 0 "a file system that is full"
    finish
fi

outside=$3
disk=$outside/disk
mount -t tmpfs -o size=64m tmpfs "$disk"
echo "precious" >"$disk/precious"
size=$(du -sk "$outside/clean" | cut -f 1)
mount -o remount,size=$((size * 2 / 3 + 8))k "$disk" # one frame fits, two do not
code=0
"$aquamvs" run "$config" --set output_dir="$disk/output" "${quick[@]}" >"$work/run.txt" 2>&1 || code=$?
pass_if test $code -eq 1 "a full disk: exit status 1, not $code: $(tail -n 3 "$work/run.txt")"
pass_if grep -qi 'No space left' "$work/run.txt" "the reason is given: $(tail -n 3 "$work/run.txt")"
pass_if test -s "$disk/output/frame_000000/frame.json" "the frame that had room is done"
pass_if test ! -e "$disk/output/frame_000001/frame.json" "the one that had none is not"
pass_if grep -qx precious "$disk/precious" "what was on the disk is as it was"
# The configuration as run names its output folder; all else is the same.
rm -f "$disk/output/config.yaml"
pass_if whole_files "$disk/output" "$outside/clean" "every file with its final name is whole"
mount -o remount,size=64m "$disk"
pass_if reconstruct "$config" "$disk/output" "with room again the run goes on"
rm -f "$disk/output/config.yaml"
pass_if test "$(cd "$disk/output" && find . -type f ! -name run.json | sort)" = "$(cd "$outside/clean" && find . -type f ! -name run.json ! -path ./config.yaml | sort)" "the same files after a full disk"
pass_if whole_files "$disk/output" "$outside/clean" "the same bytes after a full disk"
cd / && umount "$disk"
finish
