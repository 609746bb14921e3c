/* A verification as files: verify.json for programs, verify.csv for tables. One list names the
 * numbers of a pose, so that both hold the same ones. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "config/numbers.h"
#include "config/text_buffer.h"
#include "pipeline/verify_work.h"

typedef enum Kind { COUNT, REAL } Kind;

typedef struct Number {
    const char *name;
    Kind kind;
    size_t offset; /* in AqmBoardMeasures */
} Number;

#define REAL_OF(name)                                                                              \
    { #name, REAL, offsetof(AqmBoardMeasures, name) }
#define COUNT_OF(name)                                                                             \
    { #name, COUNT, offsetof(AqmBoardMeasures, name) }

static const Number numbers[] = {
    COUNT_OF(cameras),           COUNT_OF(corners),           COUNT_OF(sightings),
    COUNT_OF(dropped),           REAL_OF(tilt_deg),           REAL_OF(depth_m),
    REAL_OF(reprojection_px),    REAL_OF(grid_rms_mm),        REAL_OF(range_rms_mm),
    REAL_OF(lateral_rms_mm),     REAL_OF(corner_flatness_mm), COUNT_OF(squares),
    REAL_OF(square_mm),          REAL_OF(square_error_pct),   REAL_OF(square_cv_pct),
    REAL_OF(scale_error_pct),    COUNT_OF(map_corners),       REAL_OF(cross_camera_mm),
    REAL_OF(cross_sigma_mm),     REAL_OF(map_range_rms_mm),   REAL_OF(map_range_bias_mm),
    REAL_OF(map_lateral_rms_mm), REAL_OF(map_grid_rms_mm),    COUNT_OF(cloud_points),
    REAL_OF(cloud_outside_pct),  REAL_OF(flatness_mm),        REAL_OF(flatness_p95_mm),
    REAL_OF(plane_offset_mm),    REAL_OF(plane_turn_deg),     REAL_OF(cloud_coverage_pct),
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static double real_of(const AqmBoardMeasures *m, const Number *n) {
    return *(const double *)(const void *)((const char *)m + n->offset);
}

static size_t count_of(const AqmBoardMeasures *m, const Number *n) {
    return *(const size_t *)(const void *)((const char *)m + n->offset);
}

/* ---- verify.json ----------------------------------------------------------------------------- */

/* What is not finite is null: JSON has no word for it. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *vector(const double *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, number(values[i]));
    return list;
}

static json_t *corners_to_json(const AqmVerification *v, const AqmVerifyPose *pose) {
    json_t *list = json_array();
    for (size_t i = 0; i < aqm_board_corner_count(&v->board); i++) {
        const AqmBoardPoint *p = &pose->points[i];
        if (p->views == 0)
            continue;
        (void)json_array_append_new(
            list, json_pack("{s:I, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:i}", "index", (json_int_t)i,
                            "views", p->views, "dropped", p->dropped, "position",
                            vector(p->position, 3), "error_px", number(p->error_px), "residual_m",
                            vector(p->residual_m, 3), "range_m", number(p->range_m), "lateral_m",
                            number(p->lateral_m), "map_views", p->map_views));
    }
    return list;
}

static json_t *pose_to_json(const AqmVerification *v, const AqmVerifyPose *pose) {
    const AqmBoardMeasures *m = &pose->measures;
    json_t *json = json_pack("{s:i}", "frame", pose->frame);
    if (pose->reason[0]) {
        (void)json_object_set_new(json, "reason", json_string(pose->reason));
        return json;
    }
    for (size_t k = 0; k < NUMBERS; k++)
        (void)json_object_set_new(json, numbers[k].name,
                                  numbers[k].kind == REAL
                                      ? number(real_of(m, &numbers[k]))
                                      : json_integer((json_int_t)count_of(m, &numbers[k])));
    (void)json_object_set_new(json, "board_to_rig", vector(m->board_to_rig, 9));
    (void)json_object_set_new(json, "origin", vector(m->origin, 3));
    (void)json_object_set_new(json, "corner_points", corners_to_json(v, pose));
    return json;
}

static json_t *summary_to_json(const AqmBoardSummary *s) {
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "poses", (json_int_t)s->poses, "flatness_mm", number(s->flatness_mm),
                     "cross_camera_mm", number(s->cross_camera_mm), "square_error_pct",
                     number(s->square_error_pct), "square_cv_pct", number(s->square_cv_pct),
                     "square_per_10deg_pct", number(s->square_per_10deg_pct),
                     "square_per_100mm_pct", number(s->square_per_100mm_pct), "grid_rms_mm",
                     number(s->grid_rms_mm), "range_rms_mm", number(s->range_rms_mm),
                     "lateral_rms_mm", number(s->lateral_rms_mm), "map_range_rms_mm",
                     number(s->map_range_rms_mm), "map_lateral_rms_mm",
                     number(s->map_lateral_rms_mm), "reprojection_px", number(s->reprojection_px),
                     "plane_offset_mm", number(s->plane_offset_mm));
}

static json_t *verification_to_json(const AqmVerification *v) {
    const AqmBoard *b = &v->board;
    const AqmBoardSummary *s = &v->summary;
    json_t *poses = json_array();
    for (size_t k = 0; k < v->count; k++)
        (void)json_array_append_new(poses, pose_to_json(v, &v->poses[k]));
    json_t *board =
        json_pack("{s:[i, i], s:f, s:f, s:s, s:b}", "squares", b->squares_x, b->squares_y,
                  "square_m", b->square_m, "marker_m", b->marker_m, "dictionary",
                  aqm_dictionary_name(b->dictionary), "legacy_pattern", (int)b->is_white_first);
    json_t *summary = summary_to_json(s);
    (void)json_object_set_new(summary, "tilt_deg",
                              vector((const double[2]){s->tilt_min_deg, s->tilt_max_deg}, 2));
    (void)json_object_set_new(summary, "depth_m",
                              vector((const double[2]){s->depth_min_m, s->depth_max_m}, 2));
    return json_pack("{s:o, s:b, s:o, s:o}", "board", board, "has_surfaces", (int)v->has_surfaces,
                     "summary", summary, "poses", poses);
}

AqmStatus aqm_verification_to_json(const AqmVerification *verification, char **text,
                                   AqmDiag *diag) {
    json_t *root = verification_to_json(verification);
    char *dumped = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    char *copy = dumped ? aqm_strdup(dumped) : NULL;
    free(dumped);
    if (!copy)
        return aqm_fail_memory(diag, "a verification as JSON", 1, 8192);
    *text = copy;
    return AQM_OK;
}

/* ---- verify.csv ------------------------------------------------------------------------------ */

static AqmStatus write_csv(const AqmVerification *v, const char *path, AqmDiag *diag) {
    AqmTextBuffer csv = {0};
    aqm_text_add(&csv, "frame");
    for (size_t k = 0; k < NUMBERS; k++)
        aqm_text_addf(&csv, ",%s", numbers[k].name);
    aqm_text_add(&csv, "\n");
    for (size_t i = 0; i < v->count; i++) {
        const AqmVerifyPose *pose = &v->poses[i];
        aqm_text_addf(&csv, "%d", pose->frame);
        for (size_t k = 0; k < NUMBERS; k++) {
            char text[AQM_REAL_TEXT_MAX] = "";
            const double value =
                numbers[k].kind == REAL ? real_of(&pose->measures, &numbers[k]) : 0.0;
            if (!pose->reason[0] && numbers[k].kind == COUNT)
                snprintf(text, sizeof text, "%zu", count_of(&pose->measures, &numbers[k]));
            else if (!pose->reason[0] && isfinite(value))
                aqm_format_real(value, text);
            aqm_text_addf(&csv, ",%s", text);
        }
        aqm_text_add(&csv, "\n");
    }
    const AqmStatus status = csv.failed ? aqm_fail_memory(diag, "a table of poses", v->count, 512)
                                        : aqm_text_write(path, csv.text, diag);
    aqm_free(csv.text);
    return status;
}

AqmStatus aqm_verify_write(const AqmVerification *verification, const char *folder, AqmDiag *diag) {
    char path[PATH_MAX], *text = NULL;
    AQM_TRY(aqm_verification_to_json(verification, &text, diag));
    snprintf(path, sizeof path, "%s/verify.json", folder);
    AqmStatus status = aqm_text_write(path, text, diag);
    aqm_free(text);
    snprintf(path, sizeof path, "%s/verify.csv", folder);
    return status == AQM_OK ? write_csv(verification, path, diag) : status;
}
