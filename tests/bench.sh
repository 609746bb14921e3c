#!/bin/bash
# bench/stages on a tiny scene: a whole table with sane figures, which --compare and bench/tables read.
# usage: bench.sh STAGES TABLES
. "$(dirname "$0")/system/common.sh" "$1"
stages=$aquamvs tables=$2
export TMPDIR=$work/scratch
mkdir "$TMPDIR"

# field COLUMN -- of the rows, one a line
field() {
    awk -F, -v name="$1" '/^#/ { next } !column { for (k = 1; k <= NF; k++) if ($k == name) column = k; next } { print $column }' "$work/table.csv"
}
# in_range COLUMN LEAST MOST -- in every row, and there are two
in_range() {
    field "$1" | awk -v least="$2" -v most="$3" '$1 != "" && $1 >= least && $1 <= most { good++ } END { exit !(good == 2 && NR == 2) }'
}
# ratios -- of the comparison of two tables, each once
ratios() {
    "$stages" --compare "$1" "$2" | awk -F, 'NR > 1 { print $NF }' | sort -u | paste -sd' '
}

"$stages" --rig pair --size 320x240 --preset fast --threads 1,2 --repeats 1 > "$work/table.csv" || fail "a small case runs"
pass_if test -z "$(ls "$TMPDIR")" "the scratch folder is removed"
pass_if test "$(grep -v '^#' "$work/table.csv" | awk -F, '{ print NF }' | sort -u | wc -l)" = 1 "every row has all columns"
pass_if test "$(field threads | paste -sd' ')" = "1 2" "a row for each number of threads"
pass_if test "$(field num_depths | paste -sd' ')" = "64 64" "the depths are the preset's"
for column in depth_wall_s depth_cpu_s depth_ns_per_pixel depth_ns_per_sample depth_peak_mb frame_wall_s frame_cpu_s frame_ns_per_pixel; do
    pass_if in_range $column 1e-4 1e6 "$column is positive"
done
pass_if in_range depth_median_mm 0.02 3 "the depth maps are near the truth"
pass_if in_range depth_within_pct 5 100 "share of the depths that are good"
pass_if in_range depth_sigma1_pct 20 95 "errors within one standard deviation"
pass_if in_range depth_sigma2_pct 40 100 "errors within two standard deviations"
pass_if in_range others_pct 0 100 "what other programs took"
pass_if in_range cloud_rms_mm 0.05 3 "the cloud is near the truth"
pass_if in_range coverage_pct 25 100 "the cloud covers the surface"

pass_if test "$(ratios "$work/table.csv" "$work/table.csv")" = "1.000" "a table compared with itself"
sed 's/,fast,/,quality,/' "$work/table.csv" > "$work/other.csv"
pass_if test "$("$stages" --compare "$work/other.csv" "$work/table.csv" | grep -c '^# only before')" = 2 "other rows are not compared"
printf 'kernel,variant,ns_per_item,bound\na,b,1.0,x\nc,d,1.5,y\n' > "$work/before.csv"
printf '# remark\nkernel,variant,ns_per_item,bound\nc,d,3.0,y\na,b,1.0,x\n' > "$work/after.csv"
pass_if test "$(ratios "$work/before.csv" "$work/after.csv")" = "1.000 2.000" "rows are found by name"
for arguments in "$work/table.csv $work/after.csv" "$work/none.csv $work/table.csv"; do
    # shellcheck disable=SC2086
    "$stages" --compare $arguments > "$work/out" 2> "$work/err" && fail "tables that cannot be compared: $arguments"
    pass_if test -s "$work/err" "says why they cannot be compared"
done
for arguments in "--preset none" "--size 320" "--threads 0" "--retries x" "--quick --rig pair" "--repeats"; do
    # shellcheck disable=SC2086
    "$stages" $arguments > "$work/out" 2> "$work/err"
    pass_if test $? = 2 "refused: $arguments"
done

printf 'a\n<!-- table threads=2 | rig=cameras | threads=n -->\nold\n<!-- end -->\nz\n' > "$work/document.md"
"$tables" "$work/table.csv" "$work/document.md" > "$work/out" || fail "a document is made"
pass_if test "$(paste -sd' ' "$work/out")" = 'a <!-- table threads=2 | rig=cameras | threads=n -->  | cameras | n | |---|---| | pair | 2 |  <!-- end --> z' "the table stands in the document"
sed -i 's/threads=2/threads=7/' "$work/document.md"
"$tables" "$work/table.csv" "$work/document.md" > /dev/null 2>&1 && fail "a table without rows is refused"
finish
