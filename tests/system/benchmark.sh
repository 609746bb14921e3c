#!/bin/bash
# A tiny suite from end to end: every file it promises, the same results twice, no figure for a run that was not made, pictures, and
# --compare, which exits with 3 for a summary that was doctored for the worse and with 0 for one for the better.
# usage: benchmark.sh AQUAMVS
. "$(dirname "$0")/common.sh" "$1"
export XDG_DATA_HOME=$work/no-models

cat >"$work/suite.yaml" <<'END'
name: tiny
seed: 3
repeats: 2
ground_truth_tolerance_mm: 2
thresholds: {time: null, memory: 20, memory_mb.resident: null}
common:
  preset: fast
  set: {reconstruction.num_depths: 24, reconstruction.window_size: 7, reconstruction.voxel_size: 0.003, reconstruction.grid_resolution: 0.006, runtime.threads: 2}
datasets:
  - {name: flat, scene: synthetic_plane, rig: ring5, size: 200x150}
  - {name: tilted, scene: charuco, rig: ring5, size: 200x150}
configurations:
  - {name: full, matcher: sift, mode: full, set: {reconstruction.depth_range: [0.14, 0.45]}}
  - {name: sparse, matcher: sift, mode: sparse, clahe: true}
  - {name: learned, matcher: lightglue, extractor: aliked}
END

ends 0 'a/report.md' benchmark "$work/suite.yaml" --output-dir "$work/a" --visualize --write-baseline "$work/baseline.json"
pass_if grep -q '6 cells: 4 done, 2 without models, 0 failed' "$work/err" "the cells are counted"
for file in config.yaml summary.json results.csv report.md accuracy.png times.png configurations/flat/sparse.yaml \
    pictures/flat__full_error.png pictures/flat__full_depth.png pictures/tilted__sparse_error.png; do
    pass_if test -s "$work/a/$file" "$file is written"
done
pass_if test ! -e "$work/a/pictures/flat__sparse_depth.png" "sparse mode has no depth maps to draw"
pass_if test ! -e "$work/a/work" "data sets and results are removed"
pass_if grep -q 'seed: 3' "$work/a/config.yaml" "the suite is kept with its seed"

# column NAME ROW... : of results.csv, where dataset,configuration begin the row
column() {
    awk -F, -v name="$1" -v row="$2" 'NR == 1 { for (k = 1; k <= NF; k++) if ($k == name) c = k; next } index($0, row) == 1 { print $c }' "$work/a/results.csv"
}
holds() {
    awk "BEGIN { exit !($1) }"
}
for cell in flat,full flat,sparse tilted,full; do
    pass_if holds "$(column cloud_rms_mm $cell) > 0.05 && $(column cloud_rms_mm $cell) < 4" "$cell: the cloud lies near the truth"
    pass_if holds "$(column cloud_median_mm $cell) < $(column cloud_rms_mm $cell)" "$cell: median below RMS"
    pass_if holds "$(column cloud_p90_mm $cell) < $(column cloud_p95_mm $cell)" "$cell: p90 below p95"
    pass_if holds "$(column cloud_plane_fit_rmse_mm $cell) <= 1.01 * $(column cloud_rms_mm $cell)" "$cell: the best plane fits at least as well as the true one"
    pass_if holds "$(column wall_s_min $cell) <= $(column wall_s $cell) && $(column wall_s $cell) <= $(column wall_s_max $cell)" "$cell: a median lies within"
    pass_if test "$(column runs $cell)" = 2 "$cell: two runs"
    pass_if holds "$(column allocated_mb $cell) > 1" "$cell: memory is told"
done
pass_if holds "$(column cloud_raw_completeness_pct flat,full) > 60 && $(column cloud_completeness_pct flat,full) > 30" "the full cloud covers the surface"
pass_if test "$(column status flat,learned)" = 'models not given' "a learned matcher without models is listed"
pass_if test -z "$(column cloud_rms_mm flat,learned)$(column wall_s flat,learned)$(column mesh_points flat,learned)" "and has no figures"
pass_if grep -q '^| learned | models not given |' "$work/a/report.md" "nor in the report"

# Again, from the suite as the first run wrote it.
ends 0 'b/report.md' benchmark "$work/a/config.yaml" --output-dir "$work/b" --keep -q
pass_if test -s "$work/b/work/runs/flat/full/frame_000000/point_cloud/fused.ply" "--keep keeps the results"
ends 0 '0 regressions' benchmark --compare "$work/a" "$work/b"
ends 0 'cloud.rms_mm +[0-9.]+ +[0-9.]+ +0 +\+0.00%  same' benchmark --compare "$work/a" "$work/b" --all
ends 0 '0 regressions' benchmark --compare "$work/baseline.json" "$work/b/summary.json"
pass_if test "$(grep -c rms_mm "$work/baseline.json")" = 8 "the baseline has every cloud and mesh"

# The first RMS of the file, ten percent larger: worse the one way, better the other.
mkdir "$work/doctored"
awk '/"rms_mm"/ && !done { value = $2 + 0; sub(/[0-9.]+(e-?[0-9]+)?/, value * 1.1); done = 1 } { print }' "$work/b/summary.json" >"$work/doctored/summary.json"
ends 3 'cloud.rms_mm .*\+10.0[0-9]%  REGRESSION' benchmark --compare "$work/a" "$work/doctored" --json "$work/deltas.json"
pass_if grep -q '"regressions": 1' "$work/deltas.json" "--json tells it"
ends 0 'cloud.rms_mm .*-9\...%  better' benchmark --compare "$work/doctored" "$work/a"
sed 's/"status": "done"/"status": "failed"/' "$work/b/summary.json" >"$work/doctored/summary.json"
ends 3 'only in A|REGRESSION' benchmark --compare "$work/a" "$work/doctored"

# What cannot be run or compared.
printf 'name: x\ndatasets: [{scene: lake}]\nconfigurations: [{name: a}]\n' >"$work/wrong.yaml"
ends 2 'wrong.yaml:2:20: scene' benchmark "$work/wrong.yaml" --output-dir "$work/c"
pass_if test ! -e "$work/c" "nothing was started"
mkdir "$work/other" && : >"$work/other/file"
ends 2 'not an earlier benchmark' benchmark "$work/suite.yaml" --output-dir "$work/other"
ends 2 'summary.json: cannot be opened' benchmark --compare "$work/a" "$work/other"
ends 2 'wants two runs' benchmark --compare "$work/a"
ends 2 'no meaning without --compare' benchmark "$work/suite.yaml" --all
ends 2 'no meaning with --compare' benchmark --compare "$work/a" "$work/b" --visualize
ends 2 'one argument too many' benchmark "$work/suite.yaml" "$work/suite.yaml"
printf 'name: x\ndatasets: [{name: q, folder: nowhere}]\nconfigurations: [{name: a}]\n' >"$work/wrong.yaml"
ends 2 'data set q: .*gt/scene.json' benchmark "$work/wrong.yaml" --output-dir "$work/c"

# A data set of its own folder, and a cell that fails while the others go on.
printf 'name: x\ndatasets: [{name: q, folder: b/work/datasets/flat}]\nconfigurations:\n  - {name: good, mode: sparse}\n  - {name: bad, set: {reconstruction.min_consistent_views: 9}}\n' >"$work/folder.yaml"
ends 1 'q, bad: failed: .' benchmark "$work/folder.yaml" --output-dir "$work/c"
pass_if grep -q '"status": "done"' "$work/c/summary.json" "the other cell is done"
pass_if grep -q 'q, bad: failed: ' "$work/c/report.md" "the report tells why"
finish
