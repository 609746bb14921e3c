/* A comparison as files: numbers for programs (JSON) and tables (CSV), maps for numpy and GIS, a
 * picture for people. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/compare.h"
#include "aquamvs/io.h"
#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "config/numbers.h"
#include "config/text_buffer.h"
#include "config/utf8.h"

/* ---- comparison.json ------------------------------------------------------------------------- */

/* What is not finite is null: JSON has no word for it. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *numbers(const double *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, number(values[i]));
    return list;
}

/* File names may be any bytes, JSON is UTF-8: what is not becomes a question mark. */
static json_t *name_to_json(const char *name) {
    char text[AQM_COMPARED_MAX];
    const size_t length = (size_t)snprintf(text, sizeof text, "%s", name);
    const size_t used = length < sizeof text ? length : sizeof text - 1;
    for (size_t at = aqm_utf8_valid_length(text, used); at < used;
         at += aqm_utf8_valid_length(text + at, used - at))
        text[at] = '?';
    return json_stringn(text, used);
}

static json_t *alignment_to_json(const AqmComparison *c) {
    const AqmAlignment *a = &c->alignment;
    if (!c->is_aligned)
        return json_null();
    const double matrix[16] = {a->R[0], a->R[1], a->R[2], a->t[0], a->R[3], a->R[4],
                               a->R[5], a->t[1], a->R[6], a->R[7], a->R[8], a->t[2],
                               0.0,     0.0,     0.0,     1.0};
    json_t *rows = json_array();
    for (int i = 0; i < 4; i++)
        (void)json_array_append_new(rows, numbers(matrix + 4 * i, 4));
    return json_pack("{s:o, s:i, s:b, s:I, s:I, s:f, s:f, s:f, s:f, s:i, s:o, s:o, s:o, s:o}",
                     "a_from_b", rows, "iterations", a->iterations, "converged", (int)a->converged,
                     "points", (json_int_t)a->points, "pairs", (json_int_t)a->pairs, "inlier_share",
                     a->inlier_share, "rms_before_mm", 1000.0 * a->rms_before_m, "rms_after_mm",
                     1000.0 * a->rms_after_m, "inlier_rms_mm", 1000.0 * a->inlier_rms_m,
                     "free_directions", a->free_directions, "center", numbers(a->center, 3),
                     "sigma_turn_rad", numbers(a->sigma_turn_rad, 3), "sigma_shift_m",
                     numbers(a->sigma_shift_m, 3), "covariance",
                     numbers(a->covariance, (size_t)AQM_RIGID * AQM_RIGID));
}

static json_t *distances_to_json(const AqmCloudDistances *d) {
    return json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:I, s:o, s:o, s:o}", "points",
        (json_int_t)d->count, "mean_mm", d->mean_mm, "median_mm", d->median_mm, "rms_mm", d->rms_mm,
        "p95_mm", d->p95_mm, "max_mm", d->max_mm, "limit_mm", numbers(d->limit_mm, AQM_EVAL_LIMITS),
        "within_pct", numbers(d->within_pct, AQM_EVAL_LIMITS), "signed_points",
        (json_int_t)d->signed_count, "signed_mean_mm", number(d->signed_mean_mm),
        "signed_median_mm", number(d->signed_median_mm), "signed_rms_mm", number(d->signed_rms_mm));
}

static json_t *volumes_to_json(const AqmVolumes *v) {
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "cells",
                     (json_int_t)v->cells, "area_m2", v->area_m2, "deposition_area_m2",
                     v->deposition_area_m2, "erosion_area_m2", v->erosion_area_m2, "net_m3",
                     v->net_m3, "net_95_m3", v->net_95_m3, "deposition_m3", v->deposition_m3,
                     "deposition_95_m3", v->deposition_95_m3, "erosion_m3", v->erosion_m3,
                     "erosion_95_m3", v->erosion_95_m3, "noise_m3", v->noise_m3);
}

static json_t *errors_to_json(const AqmVolumeChange *v) {
    json_t *components = json_array(), *blocks = json_array();
    for (size_t k = 0; k < v->component_count; k++)
        (void)json_array_append_new(components, json_pack("{s:o, s:f}", "range_m",
                                                          number(v->component_range_m[k]), "share",
                                                          v->component_share[k]));
    for (size_t k = 0; k < v->block_count; k++)
        (void)json_array_append_new(blocks, json_pack("{s:f, s:f, s:f}", "side_m", v->block_m[k],
                                                      "sigma_mm", 1000.0 * v->block_sigma_m[k],
                                                      "model_mm", 1000.0 * v->block_model_m[k]));
    return json_pack("{s:b, s:b, s:f, s:f, s:f, s:o, s:o, s:f, s:o, s:o}", "measured",
                     (int)v->is_measured, "sigma_known", (int)v->sigma_known, "sigma_scale",
                     v->sigma_scale, "changed_scale", v->changed_scale, "stable_area_m2",
                     v->stable_area_m2, "stable_mean_mm", number(1000.0 * v->stable_mean_m),
                     "stable_rms_mm", number(1000.0 * v->stable_rms_m), "coverage_factor",
                     v->coverage_factor, "correlation", components, "blocks", blocks);
}

static json_t *comparison_to_json(const AqmComparison *c) {
    json_t *change =
        json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean_mm", 1000.0 * c->mean_m, "median_mm",
                  1000.0 * c->median_m, "rms_mm", 1000.0 * c->rms_m, "p95_abs_mm",
                  1000.0 * c->p95_abs_m, "max_abs_mm", 1000.0 * c->max_abs_m);
    json_t *volume = json_pack("{s:o, s:o}", "all", volumes_to_json(&c->volume.all), "significant",
                               volumes_to_json(&c->volume.significant));
    json_t *distances = c->has_distances
                            ? json_pack("{s:o, s:o}", "a_to_b", distances_to_json(&c->a_to_b),
                                        "b_to_a", distances_to_json(&c->b_to_a))
                            : json_null();
    return json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "a", name_to_json(c->name_a),
                     "b", name_to_json(c->name_b), "grid_step_m", c->difference->step_m, "region",
                     c->has_region ? numbers(c->region, 4) : json_null(), "alignment",
                     alignment_to_json(c), "height_change", change, "volume", volume, "errors",
                     errors_to_json(&c->volume), "distances", distances);
}

AqmStatus aqm_comparison_to_json(const AqmComparison *comparison, char **text, AqmDiag *diag) {
    json_t *root = comparison_to_json(comparison);
    char *dumped = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    char *copy = dumped ? aqm_strdup(dumped) : NULL;
    free(dumped);
    if (!copy)
        return aqm_fail_memory(diag, "a comparison as JSON", 1, 8192);
    *text = copy;
    return AQM_OK;
}

/* ---- comparison.csv -------------------------------------------------------------------------- */

static void add_row(AqmTextBuffer *csv, const char *group, const char *measure, double value,
                    const char *unit) {
    char text[AQM_REAL_TEXT_MAX] = "";
    if (isfinite(value))
        aqm_format_real(value, text);
    aqm_text_addf(csv, "%s,%s,%s,%s\n", group, measure, text, unit);
}

static void add_volumes(AqmTextBuffer *csv, const char *group, const AqmVolumes *v) {
    add_row(csv, group, "area", v->area_m2, "m2");
    add_row(csv, group, "deposition_area", v->deposition_area_m2, "m2");
    add_row(csv, group, "erosion_area", v->erosion_area_m2, "m2");
    add_row(csv, group, "net", v->net_m3, "m3");
    add_row(csv, group, "net_95", v->net_95_m3, "m3");
    add_row(csv, group, "deposition", v->deposition_m3, "m3");
    add_row(csv, group, "deposition_95", v->deposition_95_m3, "m3");
    add_row(csv, group, "erosion", v->erosion_m3, "m3");
    add_row(csv, group, "erosion_95", v->erosion_95_m3, "m3");
    add_row(csv, group, "noise", v->noise_m3, "m3");
}

static void add_distances(AqmTextBuffer *csv, const char *group, const AqmCloudDistances *d) {
    add_row(csv, group, "mean", d->mean_mm, "mm");
    add_row(csv, group, "median", d->median_mm, "mm");
    add_row(csv, group, "rms", d->rms_mm, "mm");
    add_row(csv, group, "p95", d->p95_mm, "mm");
    add_row(csv, group, "max", d->max_mm, "mm");
    for (int l = 0; l < AQM_EVAL_LIMITS; l++) {
        char name[32];
        snprintf(name, sizeof name, "within_%d_um", (int)lround(1000.0 * d->limit_mm[l]));
        add_row(csv, group, name, d->within_pct[l], "%");
    }
    add_row(csv, group, "signed_mean", d->signed_mean_mm, "mm");
    add_row(csv, group, "signed_median", d->signed_median_mm, "mm");
    add_row(csv, group, "signed_rms", d->signed_rms_mm, "mm");
}

static void add_alignment(AqmTextBuffer *csv, const AqmAlignment *a) {
    static const char axes[3] = {'x', 'y', 'z'};
    add_row(csv, "alignment", "rms_before", 1000.0 * a->rms_before_m, "mm");
    add_row(csv, "alignment", "rms_after", 1000.0 * a->rms_after_m, "mm");
    add_row(csv, "alignment", "inlier_share", a->inlier_share, "1");
    for (int k = 0; k < 3; k++) {
        char name[32];
        snprintf(name, sizeof name, "sigma_shift_%c", axes[k]);
        add_row(csv, "alignment", name, 1000.0 * a->sigma_shift_m[k], "mm");
        snprintf(name, sizeof name, "sigma_turn_%c", axes[k]);
        add_row(csv, "alignment", name, 1000.0 * a->sigma_turn_rad[k], "mrad");
    }
}

static AqmStatus write_csv(const AqmComparison *c, const char *path, AqmDiag *diag) {
    AqmTextBuffer csv = {0};
    aqm_text_add(&csv, "group,measure,value,unit\n");
    add_volumes(&csv, "volume_all", &c->volume.all);
    add_volumes(&csv, "volume_significant", &c->volume.significant);
    add_row(&csv, "height_change", "mean", 1000.0 * c->mean_m, "mm");
    add_row(&csv, "height_change", "median", 1000.0 * c->median_m, "mm");
    add_row(&csv, "height_change", "rms", 1000.0 * c->rms_m, "mm");
    add_row(&csv, "height_change", "p95_abs", 1000.0 * c->p95_abs_m, "mm");
    add_row(&csv, "height_change", "max_abs", 1000.0 * c->max_abs_m, "mm");
    add_row(&csv, "errors", "sigma_scale", c->volume.sigma_scale, "1");
    add_row(&csv, "errors", "changed_scale", c->volume.changed_scale, "1");
    add_row(&csv, "errors", "stable_area", c->volume.stable_area_m2, "m2");
    add_row(&csv, "errors", "stable_mean", 1000.0 * c->volume.stable_mean_m, "mm");
    add_row(&csv, "errors", "stable_rms", 1000.0 * c->volume.stable_rms_m, "mm");
    if (c->has_distances) {
        add_distances(&csv, "distance_a_to_b", &c->a_to_b);
        add_distances(&csv, "distance_b_to_a", &c->b_to_a);
    }
    if (c->is_aligned)
        add_alignment(&csv, &c->alignment);
    const AqmStatus status = csv.failed ? aqm_fail_memory(diag, path, 1, csv.capacity)
                                        : aqm_text_write(path, csv.text, diag);
    aqm_free(csv.text);
    return status;
}

/* ---- maps and picture ------------------------------------------------------------------------ */

static AqmStatus write_npz(const AqmComparison *c, const char *path, AqmDiag *diag) {
    const AqmHeightMap *map = c->difference;
    const size_t rows = (size_t)map->rows, columns = (size_t)map->columns;
    double *x = aqm_alloc(columns, sizeof *x), *y = aqm_alloc(rows, sizeof *y);
    for (size_t i = 0; x && i < columns; i++)
        x[i] = (map->first_column + (double)i) * map->step_m;
    for (size_t j = 0; y && j < rows; j++)
        y[j] = (map->first_row + (double)j) * map->step_m;
    const AqmNpyArray arrays[] = {
        {"dz", AQM_NPY_F32, 2, {rows, columns, 0}, map->z_m},
        {"sigma", AQM_NPY_F32, 2, {rows, columns, 0}, map->sigma_m},
        {"significant", AQM_NPY_U8, 2, {rows, columns, 0}, c->significant},
        {"x", AQM_NPY_F64, 1, {columns, 0, 0}, x},
        {"y", AQM_NPY_F64, 1, {rows, 0, 0}, y},
        {"world_from_rig", AQM_NPY_F64, 2, {3, 3, 0}, c->world_from_rig},
    };
    const AqmStatus status =
        x && y ? aqm_npz_write(path, arrays, sizeof arrays / sizeof arrays[0], diag)
               : aqm_fail_memory(diag, "the nodes of a map", rows + columns, sizeof *x);
    aqm_free(x);
    aqm_free(y);
    return status;
}

/* "net -471.3 ± 0.8, deposited ..., eroded ... cm³ (95 %) on 0.130 m²" */
static void describe_volumes(const char *what, const AqmVolumes *v, char text[256]) {
    const bool in_cm3 = fmax(v->deposition_m3, v->erosion_m3) < 0.01;
    const double unit = in_cm3 ? 1e6 : 1e3;
    snprintf(text, 256,
             "%snet %s%.1f \u00b1 %.1f, deposited %.1f \u00b1 %.1f, eroded %.1f \u00b1 %.1f %s "
             "(95 %%) on %.3f m\u00b2",
             what, v->net_m3 < 0.0 ? "\u2212" : "+", unit * fabs(v->net_m3), unit * v->net_95_m3,
             unit * v->deposition_m3, unit * v->deposition_95_m3, unit * v->erosion_m3,
             unit * v->erosion_95_m3, in_cm3 ? "cm\u00b3" : "litres", v->area_m2);
}

/* The end of a name, which tells runs and frames apart. */
static void describe_side(char side, const char *name, char text[256]) {
    enum { LONGEST = 90 };
    const size_t length = strlen(name);
    snprintf(text, 256, "%c: %s%.*s", side, length > LONGEST ? "\u2026" : "", LONGEST,
             length > LONGEST ? name + length - LONGEST : name);
}

static AqmStatus write_picture(const AqmComparison *c, const char *path, AqmDiag *diag) {
    char lines[4][256];
    const char *const captions[4] = {lines[0], lines[1], lines[2], lines[3]};
    AqmImage *image = NULL;
    describe_volumes(c->has_region ? "region: " : "", &c->volume.all, lines[0]);
    describe_volumes("where significant: ", &c->volume.significant, lines[1]);
    describe_side('A', c->name_a, lines[2]);
    describe_side('B', c->name_b, lines[3]);
    if (c->is_aligned)
        snprintf(lines[3] + strlen(lines[3]), sizeof lines[3] - strlen(lines[3]), ", aligned to A");
    AQM_TRY(aqm_picture_difference(c->difference, c->significant, captions, 4, &image, diag));
    const AqmImageView view = aqm_image_view(image);
    const AqmStatus status = aqm_png_write(path, &view, diag);
    aqm_image_destroy(&image);
    return status;
}

static AqmStatus write_json(const AqmComparison *c, const char *path, AqmDiag *diag) {
    char *text = NULL;
    AQM_TRY(aqm_comparison_to_json(c, &text, diag));
    const AqmStatus status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    return status;
}

static AqmStatus write_tiff(const AqmComparison *c, const char *path, AqmDiag *diag) {
    return aqm_height_map_write_tiff(path, c->difference, diag);
}

AqmStatus aqm_comparison_write(const AqmComparison *comparison, const char *folder, AqmDiag *diag) {
    static const struct {
        const char *name;
        AqmStatus (*write)(const AqmComparison *c, const char *path, AqmDiag *diag);
    } files[] = {{"height_difference.npz", write_npz},
                 {"height_difference.tif", write_tiff},
                 {"height_difference.png", write_picture},
                 {"comparison.csv", write_csv},
                 {"comparison.json", write_json}}; /* last: by it the others are whole */
    AQM_TRY(aqm_make_folders(folder, diag));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_MAX];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        if (length < 0 || length >= PATH_MAX)
            return aqm_fail(diag, AQM_ERROR_IO, "%s: the name is too long", folder);
        AQM_TRY(files[i].write(comparison, path, diag));
    }
    return AQM_OK;
}
