#!/bin/bash
# A run that is killed at any instant and started again ends with the same bytes as one that never was: five kills by SIGKILL at
# random (seeded) moments. After each kill, every file that has its final name is whole.
# usage: kill_resume.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
kills_wanted=5
RANDOM=20260 # the moments are the same in every run of this test, as far as a clock allows

scene "$work/scene" --frames 3
config=$work/scene/config.yaml
output=$work/output
begin=$(date +%s%N)
reconstruct "$config" "$output" || { fail "the run that is not killed"; finish; }
duration_ms=$((($(date +%s%N) - begin) / 1000000))
mv "$output" "$work/clean"

# Files with their final names must be those of the clean run; a temporary one may lie about.
whole_files() {
    local file bad=0
    while read -r file; do
        case $file in ./run.json | *.tmp) continue ;; esac
        cmp -s "$output/$file" "$work/clean/$file" || { echo "half a file, or another: $file"; bad=1; }
    done < <(cd "$output" 2>/dev/null && find . -type f)
    return $bad
}

kills=0
for ((attempt = 0; attempt < 10 * kills_wanted && kills < kills_wanted; attempt++)); do
    delay_ms=$((RANDOM % (duration_ms * 2 / 5 + 1)))
    "$aquamvs" run "$config" --set output_dir="$output" "${quick[@]}" >"$work/run.log" 2>&1 &
    pid=$!
    sleep "$(printf '%d.%03d' $((delay_ms / 1000)) $((delay_ms % 1000)))"
    kill -9 $pid 2>/dev/null
    code=0
    wait $pid 2>/dev/null || code=$?
    if [ $code -eq 137 ]; then
        kills=$((kills + 1))
        pass_if whole_files "every file with its final name is whole after kill $kills"
    else # it was faster than the kill: it must be right, and the kills go on with a new one
        pass_if test $code -eq 0 "a resumed run ends with 0, not $code: $(tail -n 2 "$work/run.log")"
        pass_if same_tree "$work/clean" "$output" "the same bytes when resumed after $kills kills"
        rm -rf "$output"
    fi
done
pass_if test $kills -eq $kills_wanted "only $kills of $kills_wanted kills hit a run"
pass_if reconstruct "$config" "$output" "the last resumed run"
pass_if same_tree "$work/clean" "$output" "the same bytes after $kills kills"
finish
