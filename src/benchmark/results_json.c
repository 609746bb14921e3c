/* summary.json (docs/benchmarks.md has the schema) and results.csv. Figures that are not known are
 * left out of the one and empty in the other: nothing stands for a run that was not made. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/info.h"
#include "base/alloc.h"
#include "benchmark/results.h"
#include "config/numbers.h"
#include "config/utf8.h"

/* ---- measures of runs ------------------------------------------------------------------------ */

static void add_metric(AqmRunMetric *metrics, size_t *count, const double *values, const char *name,
                       const char *leaf) {
    metrics[*count].values = values;
    snprintf(metrics[(*count)++].name, sizeof metrics->name, "%s%s", name, leaf);
}

size_t aqm_run_metrics(const AqmCell *cell, AqmRunMetric metrics[AQM_RUN_METRICS_MAX]) {
    const AqmCellRuns *runs = &cell->runs;
    size_t count = 0;
    add_metric(metrics, &count, runs->wall_s, "seconds.wall", "");
    add_metric(metrics, &count, runs->cpu_s, "seconds.cpu", "");
    add_metric(metrics, &count, runs->resident_mb, "memory_mb.resident", "");
    add_metric(metrics, &count, runs->allocated_mb, "memory_mb.allocated", "");
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        char name[64];
        if (aqm_spread_of(runs->stage_wall_s[s], runs->count).count == 0)
            continue;
        snprintf(name, sizeof name, "stages.%s", aqm_stage_name((AqmStage)s));
        add_metric(metrics, &count, runs->stage_wall_s[s], name, ".wall");
        add_metric(metrics, &count, runs->stage_cpu_s[s], name, ".cpu");
    }
    return count;
}

/* ---- summary.json ---------------------------------------------------------------------------- */

/* Six digits say all that is known of a millimetre or a second, and keep files comparable. */
static json_t *rounded(double value) {
    char text[64];
    snprintf(text, sizeof text, "%.6g", value);
    return json_real(strtod(text, NULL));
}

static json_t *spread_to_json(const double *values, size_t count) {
    const AqmSpread spread = aqm_spread_of(values, count);
    json_t *runs = json_array();
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            (void)json_array_append_new(runs, rounded(values[i]));
    return json_pack("{s:o, s:o, s:o, s:o}", "median", rounded(spread.median), "min",
                     rounded(spread.least), "max", rounded(spread.most), "runs", runs);
}

static json_t *surface_to_json(const AqmEvaluation *e) {
    json_t *object = json_object();
    for (int k = 0; k < AQM_SURFACE_METRICS; k++) {
        const AqmSurfaceMetric *metric = &aqm_surface_metrics[k];
        const double value = metric->value(e);
        if (isnan(value))
            continue;
        json_t *number =
            strcmp(metric->name, "points") == 0 ? json_integer((json_int_t)value) : rounded(value);
        (void)json_object_set_new(object, metric->name, number);
    }
    return object;
}

/* "stages.stereo.wall" becomes {"stages": {"stereo": {"wall": ...}}}. */
static void set_nested(json_t *root, const char *name, json_t *value) {
    const char *dot;
    while ((dot = strchr(name, '.'))) {
        char key[96];
        snprintf(key, sizeof key, "%.*s", (int)(dot - name), name);
        json_t *next = json_object_get(root, key);
        if (!next) {
            next = json_object();
            (void)json_object_set_new(root, key, next);
        }
        root = next;
        name = dot + 1;
    }
    (void)json_object_set_new(root, name, value);
}

/* Reasons hold file names, which may be any bytes. */
static json_t *text_to_json(const char *text) {
    char copy[AQM_DIAG_MAX];
    snprintf(copy, sizeof copy, "%s", text);
    const size_t length = strlen(copy);
    for (size_t at = aqm_utf8_valid_length(copy, length); at < length;
         at += aqm_utf8_valid_length(copy + at, length - at))
        copy[at] = '?';
    return json_string(copy);
}

static json_t *cell_to_json(const AqmCell *cell) {
    json_t *object =
        json_pack("{s:s, s:s, s:s}", "dataset", cell->dataset->name, "configuration",
                  cell->configuration->name, "status", aqm_cell_status_name(cell->status));
    if (cell->status != AQM_CELL_DONE) {
        (void)json_object_set_new(object, "reason", text_to_json(cell->reason));
        return object;
    }
    if (cell->has_cloud)
        (void)json_object_set_new(object, "cloud", surface_to_json(&cell->cloud));
    if (cell->has_mesh)
        (void)json_object_set_new(object, "mesh", surface_to_json(&cell->mesh));
    AqmRunMetric metrics[AQM_RUN_METRICS_MAX];
    const size_t count = aqm_run_metrics(cell, metrics);
    for (size_t k = 0; k < count; k++)
        if (aqm_spread_of(metrics[k].values, cell->runs.count).count > 0)
            set_nested(object, metrics[k].name,
                       spread_to_json(metrics[k].values, cell->runs.count));
    if (aqm_spread_of(cell->runs.others_pct, cell->runs.count).count > 0)
        (void)json_object_set_new(object, "others_pct",
                                  spread_to_json(cell->runs.others_pct, cell->runs.count));
    return object;
}

static json_t *dataset_to_json(const AqmSuiteDataset *d) {
    json_t *object =
        json_pack("{s:s, s:i, s:i}", "name", d->name, "frame", d->frame, "min_views", d->min_views);
    if (d->folder)
        (void)json_object_set_new(object, "folder", text_to_json(d->folder));
    else
        (void)json_object_update_new(object, json_pack("{s:s, s:I}", "scene",
                                                       aqm_suite_scene_name(d->synth.scene), "seed",
                                                       (json_int_t)d->synth.seed));
    return object;
}

static json_t *thresholds_to_json(const AqmThresholds *t) {
    json_t *object = json_object();
    for (int k = 0; k < AQM_GROUP_COUNT; k++)
        (void)json_object_set_new(object, aqm_group_name((AqmMetricGroup)k),
                                  isnan(t->group_percent[k]) ? json_null()
                                                             : json_real(t->group_percent[k]));
    for (size_t k = 0; k < t->own_count; k++)
        (void)json_object_set_new(object, t->own[k].name,
                                  isnan(t->own[k].percent) ? json_null()
                                                           : json_real(t->own[k].percent));
    (void)json_object_set_new(object, "least_seconds", json_real(t->least_s));
    (void)json_object_set_new(object, "least_mb", json_real(t->least_mb));
    return object;
}

static json_t *host_to_json(void) {
    AqmInfo info;
    aqm_info(&info);
    return json_pack("{s:s, s:s, s:s, s:i}", "cpu", info.cpu, "cpu_features", info.cpu_features,
                     "kernels", info.kernels, "cores", info.cores);
}

static json_t *results_to_json(const AqmResults *results) {
    const AqmSuite *suite = results->suite;
    AqmInfo info;
    aqm_info(&info);
    json_t *datasets = json_array(), *cells = json_array();
    for (size_t i = 0; i < suite->dataset_count; i++)
        (void)json_array_append_new(datasets, dataset_to_json(&suite->datasets[i]));
    for (size_t i = 0; i < results->cell_count; i++)
        (void)json_array_append_new(cells, cell_to_json(&results->cells[i]));
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:o, s:I, s:i, s:f, s:o, s:o, s:o}", "kind",
                     "aquamvs benchmark", "schema", 1, "suite", suite->name, "version",
                     info.version, "commit", info.commit, "date", results->date, "host",
                     host_to_json(), "seed", (json_int_t)suite->seed, "repeats", suite->repeats,
                     "ground_truth_tolerance_mm", suite->tolerance_mm, "thresholds",
                     thresholds_to_json(&suite->thresholds), "datasets", datasets, "cells", cells);
}

AqmStatus aqm_results_to_json(const AqmResults *results, char **text, AqmDiag *diag) {
    json_t *root = results_to_json(results);
    char *dumped = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    *text = dumped ? aqm_strdup(dumped) : NULL;
    free(dumped);
    return *text ? AQM_OK : aqm_fail_memory(diag, "summary.json", results->cell_count, 4096);
}

/* ---- results.csv ----------------------------------------------------------------------------- */

static void add_number(AqmTextBuffer *csv, double value) {
    char text[64] = "";
    if (!isnan(value))
        snprintf(text, sizeof text, "%.6g", value);
    for (char *at = text; *at; at++)
        *at = *at == ',' ? '.' : *at; /* the decimal point of the locale */
    aqm_text_addf(csv, ",%s", text);
}

static void add_surface(AqmTextBuffer *csv, const AqmCell *cell, bool is_there,
                        const AqmEvaluation *e) {
    for (int k = 0; k < AQM_SURFACE_METRICS; k++)
        add_number(csv, cell->status == AQM_CELL_DONE && is_there ? aqm_surface_metrics[k].value(e)
                                                                  : (double)NAN);
}

static void add_spread(AqmTextBuffer *csv, const double *values, size_t count) {
    const AqmSpread spread = aqm_spread_of(values, count);
    add_number(csv, spread.median);
    add_number(csv, spread.least);
    add_number(csv, spread.most);
}

static void add_header(AqmTextBuffer *csv) {
    static const char *const sides[] = {"cloud", "mesh"};
    static const char *const spreads[] = {"wall_s", "cpu_s", "resident_mb", "allocated_mb",
                                          "others_pct"};
    aqm_text_add(csv, "dataset,configuration,status,seed,runs");
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < AQM_SURFACE_METRICS; k++)
            aqm_text_addf(csv, ",%s_%s", sides[side], aqm_surface_metrics[k].name);
    for (size_t k = 0; k < sizeof spreads / sizeof spreads[0]; k++)
        aqm_text_addf(csv, ",%s,%s_min,%s_max", spreads[k], spreads[k], spreads[k]);
    for (int s = 0; s < AQM_STAGE_COUNT; s++)
        aqm_text_addf(csv, ",%s_wall_s,%s_cpu_s", aqm_stage_name((AqmStage)s),
                      aqm_stage_name((AqmStage)s));
    aqm_text_add(csv, "\n");
}

static void add_row(AqmTextBuffer *csv, const AqmCell *cell) {
    const AqmCellRuns *runs = &cell->runs;
    aqm_text_addf(csv, "%s,%s,%s,", cell->dataset->name, cell->configuration->name,
                  aqm_cell_status_name(cell->status));
    if (!cell->dataset->folder)
        aqm_text_addf(csv, "%llu", (unsigned long long)cell->dataset->synth.seed);
    aqm_text_addf(csv, ",%zu", runs->count);
    add_surface(csv, cell, cell->has_cloud, &cell->cloud);
    add_surface(csv, cell, cell->has_mesh, &cell->mesh);
    add_spread(csv, runs->wall_s, runs->count);
    add_spread(csv, runs->cpu_s, runs->count);
    add_spread(csv, runs->resident_mb, runs->count);
    add_spread(csv, runs->allocated_mb, runs->count);
    add_spread(csv, runs->others_pct, runs->count);
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        add_number(csv, aqm_spread_of(runs->stage_wall_s[s], runs->count).median);
        add_number(csv, aqm_spread_of(runs->stage_cpu_s[s], runs->count).median);
    }
    aqm_text_add(csv, "\n");
}

AqmStatus aqm_results_to_csv(const AqmResults *results, char **text, AqmDiag *diag) {
    AqmTextBuffer csv = {0};
    add_header(&csv);
    for (size_t i = 0; i < results->cell_count; i++)
        add_row(&csv, &results->cells[i]);
    *text = csv.failed ? NULL : csv.text;
    if (csv.failed)
        aqm_free(csv.text);
    return *text ? AQM_OK : aqm_fail_memory(diag, "results.csv", results->cell_count, 1024);
}
