/* report.md: the results as tables for people. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "aquamvs/info.h"
#include "base/alloc.h"
#include "benchmark/results.h"

void aqm_error_map_name(const AqmCell *cell, char name[2 * AQM_SUITE_NAME_MAX + 32]) {
    snprintf(name, 2 * AQM_SUITE_NAME_MAX + 32, "%s__%s_error.png", cell->dataset->name,
             cell->configuration->name);
}

void aqm_depth_picture_name(const AqmCell *cell, char name[2 * AQM_SUITE_NAME_MAX + 32]) {
    snprintf(name, 2 * AQM_SUITE_NAME_MAX + 32, "%s__%s_depth.png", cell->dataset->name,
             cell->configuration->name);
}

bool aqm_cell_has_depth_maps(const AqmCell *cell) {
    const AqmCellRuns *runs = &cell->runs;
    return cell->status == AQM_CELL_DONE &&
           aqm_spread_of(runs->stage_wall_s[AQM_STAGE_FUSION], runs->count).count > 0;
}

static void add_number(AqmTextBuffer *text, double value, int digits) {
    if (isnan(value))
        aqm_text_add(text, " |");
    else
        aqm_text_addf(text, " %.*f |", digits, value);
}

static void add_cells_of(AqmTextBuffer *text, const AqmResults *results,
                         const AqmSuiteDataset *dataset,
                         void (*add)(AqmTextBuffer *text, const AqmCell *cell)) {
    for (size_t i = 0; i < results->cell_count; i++)
        if (results->cells[i].dataset == dataset)
            add(text, &results->cells[i]);
    aqm_text_add(text, "\n");
}

/* A row without figures for a run that was not made. */
static bool add_name(AqmTextBuffer *text, const AqmCell *cell, int columns) {
    aqm_text_addf(text, "| %s |", cell->configuration->name);
    if (cell->status == AQM_CELL_DONE)
        return true;
    aqm_text_addf(text, " %s |", aqm_cell_status_name(cell->status));
    for (int k = 1; k < columns; k++)
        aqm_text_add(text, " |");
    aqm_text_add(text, "\n");
    return false;
}

/* ---- accuracy -------------------------------------------------------------------------------- */

static const char *const short_names[AQM_SURFACE_METRICS] = {
    "points", "mean",  "median",         "std",         "RMS",           "p90",
    "p95",    "raw %", "completeness %", "precision %", "plane fit RMSE"};

static void add_surface_header(AqmTextBuffer *text, const char *what) {
    aqm_text_addf(text, "%s\n\n| configuration |", what);
    for (int k = 0; k < AQM_SURFACE_METRICS; k++)
        aqm_text_addf(text, " %s |", short_names[k]);
    aqm_text_add(text, "\n|---|");
    for (int k = 0; k < AQM_SURFACE_METRICS; k++)
        aqm_text_add(text, "--:|");
    aqm_text_add(text, "\n");
}

static void add_surface(AqmTextBuffer *text, const AqmEvaluation *e) {
    for (int k = 0; k < AQM_SURFACE_METRICS; k++) {
        const AqmMetricGroup group = aqm_surface_metrics[k].group;
        add_number(text, aqm_surface_metrics[k].value(e),
                   group == AQM_GROUP_ACCURACY       ? 3
                   : group == AQM_GROUP_COMPLETENESS ? 2
                                                     : 0);
    }
    aqm_text_add(text, "\n");
}

static void add_cloud_row(AqmTextBuffer *text, const AqmCell *cell) {
    if (add_name(text, cell, AQM_SURFACE_METRICS))
        add_surface(text, &cell->cloud);
}

static void add_mesh_row(AqmTextBuffer *text, const AqmCell *cell) {
    if (cell->status == AQM_CELL_DONE && !cell->has_mesh)
        aqm_text_addf(text, "| %s | no surface | | | | | | | | | | |\n", cell->configuration->name);
    else if (add_name(text, cell, AQM_SURFACE_METRICS))
        add_surface(text, &cell->mesh);
}

/* ---- times ----------------------------------------------------------------------------------- */

static double median(const double *values, const AqmCell *cell) {
    return aqm_spread_of(values, cell->runs.count).median;
}

static void add_spread(AqmTextBuffer *text, const double *values, const AqmCell *cell) {
    const AqmSpread spread = aqm_spread_of(values, cell->runs.count);
    if (spread.count == 0)
        aqm_text_add(text, " |");
    else if (spread.count == 1)
        aqm_text_addf(text, " %.2f |", spread.median);
    else
        aqm_text_addf(text, " %.2f (%.2f..%.2f) |", spread.median, spread.least, spread.most);
}

static void add_time_row(AqmTextBuffer *text, const AqmCell *cell) {
    const AqmCellRuns *runs = &cell->runs;
    if (!add_name(text, cell, 6))
        return;
    add_spread(text, runs->wall_s, cell);
    add_spread(text, runs->cpu_s, cell);
    add_number(text, median(runs->resident_mb, cell), 0);
    add_number(text, median(runs->allocated_mb, cell), 0);
    add_number(text, median(runs->others_pct, cell), 0);
    const char *comma = " ";
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        const double wall_s = median(runs->stage_wall_s[s], cell);
        if (isnan(wall_s) || wall_s < 0.0005)
            continue;
        aqm_text_addf(text, "%s%s %.3f", comma, aqm_stage_name((AqmStage)s), wall_s);
        comma = ", ";
    }
    aqm_text_add(text, " |\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

static void add_title(AqmTextBuffer *text, const AqmResults *results) {
    const AqmSuite *suite = results->suite;
    AqmInfo info;
    aqm_info(&info);
    aqm_text_addf(text, "# Benchmark `%s`\n\n", suite->name);
    aqm_text_addf(text,
                  "aquamvs %s, commit %s, %s; %s, %d cores, kernels %s; seed %llu, %d %s.\n\n",
                  info.version, info.commit, results->date, info.cpu, info.cores, info.kernels,
                  (unsigned long long)suite->seed, suite->repeats,
                  suite->repeats == 1 ? "run each" : "runs each");
    aqm_text_add(text,
                 "Errors are distances to the true surface in millimetres, of the points where as "
                 "many cameras as `min_views` says see it; std is that of the signed distance. ");
    aqm_text_addf(text,
                  "Raw: the share of the true surface that has any point within 2 mm on the map; "
                  "completeness: a point within %g mm; precision: the share of the points within "
                  "%g mm of the surface. ",
                  suite->tolerance_mm, suite->tolerance_mm);
    aqm_text_add(text, "Plane fit: RMS distance of the points to the plane that fits them best, "
                       "where the truth is a plane.\n\n");
    if (results->has_pictures)
        aqm_text_add(text, "![accuracy](accuracy.png)\n\n![times](times.png)\n\n");
}

static void add_pictures(AqmTextBuffer *text, const AqmResults *results,
                         const AqmSuiteDataset *dataset) {
    for (size_t i = 0; i < results->cell_count; i++) {
        const AqmCell *cell = &results->cells[i];
        char name[2 * AQM_SUITE_NAME_MAX + 32];
        if (cell->dataset != dataset || cell->status != AQM_CELL_DONE)
            continue;
        aqm_error_map_name(cell, name);
        aqm_text_addf(text, "%s: [errors from above](pictures/%s)", cell->configuration->name,
                      name);
        aqm_depth_picture_name(cell, name);
        if (aqm_cell_has_depth_maps(cell))
            aqm_text_addf(text, ", [a depth map and the truth](pictures/%s)", name);
        aqm_text_add(text, "\n\n");
    }
}

static void add_dataset(AqmTextBuffer *text, const AqmResults *results,
                        const AqmSuiteDataset *dataset) {
    aqm_text_addf(text, "## %s\n\n", dataset->name);
    if (!dataset->folder)
        aqm_text_addf(text, "Scene %s, seed %llu.\n\n", aqm_suite_scene_name(dataset->synth.scene),
                      (unsigned long long)dataset->synth.seed);
    add_surface_header(text, "Cloud:");
    add_cells_of(text, results, dataset, add_cloud_row);
    add_surface_header(text, "Surface mesh (points are samples of it):");
    add_cells_of(text, results, dataset, add_mesh_row);
    aqm_text_add(text, "Seconds of a frame (median, least..most), MB at most, share of the machine "
                       "that other programs took, seconds of the stages by the clock:\n\n"
                       "| configuration | wall | CPU | resident MB | allocated MB | others % | "
                       "stages |\n|---|--:|--:|--:|--:|--:|---|\n");
    add_cells_of(text, results, dataset, add_time_row);
    if (results->has_pictures)
        add_pictures(text, results, dataset);
}

static void add_reasons(AqmTextBuffer *text, const AqmResults *results) {
    bool is_first = true;
    for (size_t i = 0; i < results->cell_count; i++) {
        const AqmCell *cell = &results->cells[i];
        if (cell->status == AQM_CELL_DONE)
            continue;
        aqm_text_add(text, is_first ? "## Not run\n\n" : "");
        aqm_text_addf(text, "- %s, %s: %s: ", cell->dataset->name, cell->configuration->name,
                      aqm_cell_status_name(cell->status));
        aqm_text_add(text, cell->reason);
        aqm_text_add(text, "\n");
        is_first = false;
    }
}

AqmStatus aqm_results_to_report(const AqmResults *results, char **text, AqmDiag *diag) {
    AqmTextBuffer page = {0};
    add_title(&page, results);
    for (size_t i = 0; i < results->suite->dataset_count; i++)
        add_dataset(&page, results, &results->suite->datasets[i]);
    add_reasons(&page, results);
    *text = page.failed ? NULL : page.text;
    if (page.failed)
        aqm_free(page.text);
    return *text ? AQM_OK : aqm_fail_memory(diag, "report.md", results->cell_count, 1024);
}
