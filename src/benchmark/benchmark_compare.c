/* Run B against run A, measure by measure.
 *
 * Results of a run are the same bytes whenever it is done again, so accuracy and completeness are
 * judged by their threshold alone. Memory varies with how threads meet: there a change counts only
 * where the ranges of the two, least to most of the repeats, do not touch.
 *
 * Frames of a second vary by 8 % even on a machine that nothing else uses (measured), in part more
 * slowly than a cell is repeated, so the repeats of one run do not tell all of it. A time has
 * changed where its median lies beyond all runs of the other side, and has moved by the threshold
 * and NOISE_SHARE of both ranges on top of it: of five equal draws a range is 2.3 standard
 * deviations, so that is 1.8 standard errors of the difference of two medians.
 *
 * Seconds by the clock tell nothing where other programs took part of the machine. CPU seconds
 * suffer less, from caches and cores that are shared: of eleven runs of one commit with 85 % of the
 * machine taken by others, one took 30 % less than the rest in all three repeats of a cell of 0.3
 * s, while cells of 3 s stayed within a tenth. So the ranges must then be the threshold apart, and
 * small differences count for nothing. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aquamvs/benchmark.h"
#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "benchmark/metrics.h"

static const double disturbed_pct = 10.0;    /* of the machine, taken by others */
static const double disturbed_factor = 10.0; /* of least_seconds then */
static const double NOISE_SHARE = 0.3;
enum { RUNS_NEEDED = 5 };

const char *aqm_verdict_name(AqmVerdict verdict) {
    static const char *const names[] = {"same",       "better",    "WORSE",
                                        "not judged", "only in B", "only in A"};
    return names[verdict];
}

/* ---- reading --------------------------------------------------------------------------------- */

/* `run` is a run folder or a file. */
static AqmStatus read_summary(const char *run, json_t **out, AqmDiag *diag) {
    char path[PATH_MAX];
    struct stat status;
    const bool is_folder = stat(run, &status) == 0 && S_ISDIR(status.st_mode);
    const int length = snprintf(path, sizeof path, "%s%s", run, is_folder ? "/summary.json" : "");
    if (length < 0 || length >= PATH_MAX)
        return aqm_fail(diag, AQM_ERROR_IO, "%.100s...: the name is too long", run);
    FILE *file = fopen(path, "rb");
    if (!file)
        return aqm_fail(diag, AQM_ERROR_IO,
                        "%s: cannot be opened: the folder of a benchmark that ran to its end, or "
                        "its summary.json, is expected",
                        path);
    json_error_t error;
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(file);
    if (!root)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column,
                        error.text);
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *schema = json_object_get(root, "schema");
    if (!kind || strcmp(kind, "aquamvs benchmark") != 0 || json_integer_value(schema) != 1 ||
        !json_is_array(json_object_get(root, "cells"))) {
        json_decref(root);
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s: not the summary of a benchmark (schema 1)",
                        path);
    }
    *out = root;
    return AQM_OK;
}

static AqmThresholds read_thresholds(const json_t *root) {
    AqmThresholds thresholds = aqm_thresholds_default();
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(root, "thresholds"), name, value) {
        const double percent = json_is_number(value) ? json_number_value(value) : (double)NAN;
        int group = 0;
        while (group < AQM_GROUP_COUNT && strcmp(name, aqm_group_name((AqmMetricGroup)group)) != 0)
            group++;
        if (group < AQM_GROUP_COUNT) {
            thresholds.group_percent[group] = percent;
        } else if (strcmp(name, "least_seconds") == 0) {
            thresholds.least_s = percent;
        } else if (strcmp(name, "least_mb") == 0) {
            thresholds.least_mb = percent;
        } else if (thresholds.own_count < AQM_THRESHOLDS_MAX) {
            AqmThreshold *own = &thresholds.own[thresholds.own_count++];
            snprintf(own->name, sizeof own->name, "%s", name);
            own->percent = percent;
        }
    }
    return thresholds;
}

static const char *text_of(const json_t *cell, const char *key) {
    const char *text = json_string_value(json_object_get(cell, key));
    return text ? text : "";
}

static bool is_done(const json_t *cell) {
    return strcmp(text_of(cell, "status"), "done") == 0;
}

static json_t *find_cell(const json_t *root, const json_t *like) {
    json_t *cell;
    size_t index;
    json_array_foreach(json_object_get(root, "cells"), index, cell) {
        if (strcmp(text_of(cell, "dataset"), text_of(like, "dataset")) == 0 &&
            strcmp(text_of(cell, "configuration"), text_of(like, "configuration")) == 0)
            return cell;
    }
    return NULL;
}

/* A number, or what came out of several runs; count 0 where it is neither. */
static AqmSpread spread_from_json(const json_t *value) {
    AqmSpread spread = {0, (double)NAN, (double)NAN, (double)NAN};
    if (json_is_number(value)) {
        spread.count = 1;
        spread.median = spread.least = spread.most = json_number_value(value);
        return spread;
    }
    const json_t *median = json_object_get(value, "median"), *least = json_object_get(value, "min"),
                 *most = json_object_get(value, "max");
    if (!json_is_number(median) || !json_is_number(least) || !json_is_number(most))
        return spread;
    const size_t runs = json_array_size(json_object_get(value, "runs"));
    spread.count = runs > 0 ? runs : 1;
    spread.median = json_number_value(median);
    spread.least = json_number_value(least);
    spread.most = json_number_value(most);
    return spread;
}

/* "stages.stereo.wall" of a cell. */
static AqmSpread find_spread(const json_t *cell, const char *name) {
    const json_t *value = cell;
    char key[96];
    while (value && *name) {
        const size_t length = strcspn(name, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, name);
        value = json_object_get(value, key);
        name += length + (name[length] == '.');
    }
    return spread_from_json(value);
}

/* ---- judging --------------------------------------------------------------------------------- */

typedef struct Compare {
    AqmThresholds thresholds;
    AqmBenchmarkComparison *out;
    size_t capacity;
    AqmDiag *diag;
} Compare;

static AqmStatus add_delta(Compare *compare, const json_t *cell, const char *metric,
                           AqmBenchmarkDelta **out) {
    AqmBenchmarkComparison *c = compare->out;
    if (c->count == compare->capacity) {
        const size_t capacity = 2 * compare->capacity + 64;
        AqmBenchmarkDelta *grown = aqm_realloc(c->deltas, capacity, sizeof *grown);
        if (!grown)
            return aqm_fail_memory(compare->diag, "a comparison", capacity, sizeof *grown);
        c->deltas = grown;
        compare->capacity = capacity;
    }
    AqmBenchmarkDelta *d = &c->deltas[c->count++];
    *d = (AqmBenchmarkDelta){.a = (double)NAN,
                             .b = (double)NAN,
                             .difference = (double)NAN,
                             .percent = (double)NAN,
                             .threshold_pct = (double)NAN};
    snprintf(d->dataset, sizeof d->dataset, "%s", text_of(cell, "dataset"));
    snprintf(d->configuration, sizeof d->configuration, "%s", text_of(cell, "configuration"));
    snprintf(d->metric, sizeof d->metric, "%s", metric);
    *out = d;
    return AQM_OK;
}

/* Why a measure cannot be judged; "" where it can. */
static void find_doubt(const AqmBenchmarkDelta *d, const AqmSpread *a, const AqmSpread *b,
                       double others_pct, char note[96]) {
    const size_t length = strlen(d->metric);
    const bool is_time = aqm_metric_group(d->metric) == AQM_GROUP_TIME;
    const bool is_wall = length > 5 && strcmp(d->metric + length - 5, ".wall") == 0;
    *note = '\0';
    if (isnan(d->threshold_pct))
        snprintf(note, 96, "no threshold");
    else if (is_time && (a->count < RUNS_NEEDED || b->count < RUNS_NEEDED))
        snprintf(note, 96, "fewer than %d runs", RUNS_NEEDED);
    else if (is_wall && others_pct > disturbed_pct)
        snprintf(note, 96, "other programs took %.0f %% of the machine", others_pct);
}

static AqmVerdict judge(const AqmThresholds *thresholds, AqmBenchmarkDelta *d, const AqmSpread *a,
                        const AqmSpread *b, double others_pct) {
    const AqmMetricGroup group = aqm_metric_group(d->metric);
    const bool varies = group == AQM_GROUP_TIME || group == AQM_GROUP_MEMORY;
    const double worse = d->direction > 0 ? -d->difference : d->difference;
    const double allowed = d->threshold_pct / 100.0 * fabs(d->a);
    if (!(fabs(worse) > allowed))
        return AQM_VERDICT_SAME;
    const bool is_disturbed = group == AQM_GROUP_TIME && others_pct > disturbed_pct;
    const double least_s =
        is_disturbed ? disturbed_factor * thresholds->least_s : thresholds->least_s;
    if (group == AQM_GROUP_MEMORY && fabs(worse) < thresholds->least_mb) {
        snprintf(d->note, sizeof d->note, "below %g MB", thresholds->least_mb);
        return AQM_VERDICT_SAME;
    }
    if (group == AQM_GROUP_TIME && fabs(worse) < least_s) {
        snprintf(d->note, sizeof d->note, "below %g s", least_s);
        return AQM_VERDICT_SAME;
    }
    if (group == AQM_GROUP_TIME && !is_disturbed) {
        const double noise = NOISE_SHARE * (a->most - a->least + b->most - b->least);
        const double beyond = worse > 0.0 ? b->median - a->most : a->least - b->median;
        if (beyond > 0.0 && fabs(worse) > allowed + noise)
            return worse > 0.0 ? AQM_VERDICT_WORSE : AQM_VERDICT_BETTER;
        snprintf(d->note, sizeof d->note, "within the noise");
        return AQM_VERDICT_SAME;
    }
    const double margin = is_disturbed ? allowed : 0.0;
    const double gap = worse > 0.0 ? b->least - a->most : a->least - b->most;
    if (varies && !(gap > margin)) {
        snprintf(d->note, sizeof d->note, "within the spread");
        return AQM_VERDICT_SAME;
    }
    return worse > 0.0 ? AQM_VERDICT_WORSE : AQM_VERDICT_BETTER;
}

static AqmStatus compare_metric(Compare *compare, const json_t *a_cell, const json_t *b_cell,
                                const char *name) {
    const AqmSpread a = find_spread(a_cell, name), b = find_spread(b_cell, name);
    const AqmMetricGroup group = aqm_metric_group(name);
    const double others_pct =
        fmax(find_spread(a_cell, "others_pct").most, find_spread(b_cell, "others_pct").most);
    AqmBenchmarkDelta *d;
    AQM_TRY(add_delta(compare, a_cell, name, &d));
    d->a = a.median, d->b = b.median;
    d->difference = b.median - a.median;
    d->percent = a.median != 0.0 ? 100.0 * d->difference / fabs(a.median) : (double)NAN;
    d->threshold_pct = aqm_threshold_of(&compare->thresholds, name);
    d->direction = aqm_group_direction(group);
    find_doubt(d, &a, &b, others_pct, d->note);
    if (a.count == 0) {
        d->verdict = AQM_VERDICT_MISSING_A;
    } else if (b.count == 0) { /* what is left out where it cannot be measured is no regression */
        d->verdict = AQM_VERDICT_MISSING_B;
        d->is_regression =
            !isnan(d->threshold_pct) && group != AQM_GROUP_TIME && group != AQM_GROUP_MEMORY;
    } else if (*d->note) {
        d->verdict = AQM_VERDICT_UNJUDGED;
    } else {
        d->verdict = judge(&compare->thresholds, d, &a, &b, others_pct);
        d->is_regression = d->verdict == AQM_VERDICT_WORSE;
    }
    return AQM_OK;
}

/* Every measure below `value` that `skip` (the other run's cell, or NULL) does not have. */
static AqmStatus compare_below(Compare *compare, const json_t *a_cell, const json_t *b_cell,
                               json_t *value, const char *prefix, const json_t *skip) {
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item) {
        char name[96];
        const int length = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (length < 0 || length >= (int)sizeof name || json_is_string(item))
            continue;
        if (spread_from_json(item).count == 0)
            AQM_TRY(compare_below(compare, a_cell, b_cell, item, name, skip));
        else if (!skip || find_spread(skip, name).count == 0)
            AQM_TRY(compare_metric(compare, a_cell, b_cell, name));
    }
    return AQM_OK;
}

/* One of the two (may be NULL) has no figures. */
static AqmStatus compare_status(Compare *compare, const json_t *a_cell, const json_t *b_cell) {
    AqmBenchmarkDelta *d;
    const char *a = a_cell ? text_of(a_cell, "status") : "not in the suite";
    const char *b = b_cell ? text_of(b_cell, "status") : "not in the suite";
    const bool was_done = a_cell && is_done(a_cell);
    if (!was_done && !(b_cell && is_done(b_cell)))
        return AQM_OK;
    AQM_TRY(add_delta(compare, a_cell ? a_cell : b_cell, "status", &d));
    d->verdict = was_done ? AQM_VERDICT_MISSING_B : AQM_VERDICT_MISSING_A;
    d->is_regression = was_done;
    snprintf(d->note, sizeof d->note, "A: %.40s; B: %.40s", a, b);
    return AQM_OK;
}

static AqmStatus compare_cells(Compare *compare, json_t *a, json_t *b) {
    json_t *cell;
    size_t index;
    json_array_foreach(json_object_get(a, "cells"), index, cell) {
        json_t *other = find_cell(b, cell);
        if (!is_done(cell) || !other || !is_done(other)) {
            AQM_TRY(compare_status(compare, cell, other));
            continue;
        }
        AQM_TRY(compare_below(compare, cell, other, cell, "", NULL));
        AQM_TRY(compare_below(compare, cell, other, other, "", cell));
    }
    json_array_foreach(json_object_get(b, "cells"), index, cell) {
        if (!find_cell(a, cell))
            AQM_TRY(compare_status(compare, NULL, cell));
    }
    return AQM_OK;
}

/* Figures with another meaning are not held beside each other. */
static AqmStatus check_alike(const json_t *a, const json_t *b, AqmDiag *diag) {
    static const char *const keys[] = {"ground_truth_tolerance_mm", "seed"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const double of_a = json_number_value(json_object_get(a, keys[k]));
        const double of_b = json_number_value(json_object_get(b, keys[k]));
        if (of_a != of_b)
            return aqm_fail(diag, AQM_ERROR_CONFIG,
                            "the two cannot be compared: %s is %g in A and %g in B", keys[k], of_a,
                            of_b);
    }
    return AQM_OK;
}

static AqmStatus compare_all(json_t *a, json_t *b, AqmBenchmarkComparison *out, AqmDiag *diag) {
    Compare compare = {.thresholds = read_thresholds(b), .out = out, .diag = diag};
    AQM_TRY(check_alike(a, b, diag));
    AQM_TRY(compare_cells(&compare, a, b));
    for (size_t i = 0; i < out->count; i++) {
        out->regressions += out->deltas[i].is_regression;
        out->improvements += out->deltas[i].verdict == AQM_VERDICT_BETTER;
    }
    return AQM_OK;
}

AqmStatus aqm_benchmark_compare(const char *a, const char *b, AqmBenchmarkComparison **out,
                                AqmDiag *diag) {
    json_t *roots[2] = {NULL, NULL};
    *out = NULL;
    AqmBenchmarkComparison *comparison = aqm_calloc(1, sizeof *comparison);
    if (!comparison)
        return aqm_fail_memory(diag, "a comparison", 1, sizeof *comparison);
    AqmStatus status = read_summary(a, &roots[0], diag);
    if (status == AQM_OK)
        status = read_summary(b, &roots[1], diag);
    if (status == AQM_OK)
        status = compare_all(roots[0], roots[1], comparison, diag);
    json_decref(roots[0]);
    json_decref(roots[1]);
    if (status == AQM_OK)
        *out = comparison;
    else
        aqm_benchmark_comparison_destroy(&comparison);
    return status;
}

void aqm_benchmark_comparison_destroy(AqmBenchmarkComparison **comparison) {
    if (!comparison || !*comparison)
        return;
    aqm_free((*comparison)->deltas);
    aqm_free(*comparison);
    *comparison = NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* What is not finite is null: JSON has no word for it. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *delta_to_json(const AqmBenchmarkDelta *d) {
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s, s:b, s:s}", "dataset",
                     d->dataset, "configuration", d->configuration, "metric", d->metric, "a",
                     number(d->a), "b", number(d->b), "difference", number(d->difference),
                     "percent", number(d->percent), "threshold_pct", number(d->threshold_pct),
                     "direction", d->direction, "verdict", aqm_verdict_name(d->verdict),
                     "regression", (int)d->is_regression, "note", d->note);
}

AqmStatus aqm_benchmark_comparison_to_json(const AqmBenchmarkComparison *c, char **text,
                                           AqmDiag *diag) {
    json_t *deltas = json_array();
    for (size_t i = 0; i < c->count; i++)
        (void)json_array_append_new(deltas, delta_to_json(&c->deltas[i]));
    json_t *root = json_pack("{s:I, s:I, s:o}", "regressions", (json_int_t)c->regressions,
                             "improvements", (json_int_t)c->improvements, "deltas", deltas);
    char *dumped = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    char *copy = dumped ? aqm_strdup(dumped) : NULL;
    free(dumped);
    if (!copy)
        return aqm_fail_memory(diag, "a comparison as JSON", c->count, 512);
    *text = copy;
    return AQM_OK;
}

/* A cell's results and the memory that the program itself asked for, to a tenth of a megabyte. */
static json_t *baseline_cell(const json_t *cell) {
    static const char *const kept[] = {"dataset", "configuration", "status", "cloud", "mesh"};
    json_t *object = json_object();
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
        json_t *value = json_object_get(cell, kept[k]);
        if (value)
            (void)json_object_set(object, kept[k], value);
    }
    const AqmSpread memory = find_spread(cell, "memory_mb.allocated");
    if (memory.count > 0)
        (void)json_object_set_new(
            object, "memory_mb",
            json_pack("{s:f}", "allocated", (double)lround(10.0 * memory.median) / 10.0));
    return object;
}

static json_t *baseline_of(const json_t *root) {
    static const char *const kept[] = {"kind", "schema", "suite", "seed",
                                       "ground_truth_tolerance_mm"};
    json_t *object = json_object(), *cells = json_array(), *cell;
    size_t index;
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
        json_t *value = json_object_get(root, kept[k]);
        if (value)
            (void)json_object_set(object, kept[k], value);
    }
    json_array_foreach(json_object_get(root, "cells"), index, cell) {
        (void)json_array_append_new(cells, baseline_cell(cell));
    }
    (void)json_object_set_new(object, "cells", cells);
    return object;
}

AqmStatus aqm_benchmark_write_baseline(const char *run, const char *path, AqmDiag *diag) {
    json_t *root = NULL;
    AQM_TRY(read_summary(run, &root, diag));
    json_t *baseline = baseline_of(root);
    char *text = json_dumps(baseline, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    json_decref(baseline);
    json_decref(root);
    const AqmStatus status =
        text ? aqm_text_write(path, text, diag) : aqm_fail_memory(diag, "a baseline", 1, 65536);
    free(text);
    return status;
}
