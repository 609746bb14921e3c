/* A PLY file against the truth of its scene; the measures are defined in score.c. */
#include "aquamvs/evaluate.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "evaluate/mesh_samples.h"
#include "evaluate/score.h"
#include "evaluate/truth.h"

AqmEvaluateOptions aqm_evaluate_options_default(void) {
    return (AqmEvaluateOptions){.frame = 0,
                                .min_views = 3,
                                .region_step_m = 0.002,
                                .mesh_spacing_m = 0.0008,
                                .tolerance_m = 0.001};
}

static AqmStatus check(const AqmEvaluateOptions *o, AqmDiag *diag) {
    if (o->frame < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "frame %d: must not be negative", o->frame);
    if (o->min_views < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_views of %d: must be at least 1",
                        o->min_views);
    if (!(o->region_step_m > 0.0) || !(o->mesh_spacing_m > 0.0) || !isfinite(o->region_step_m) ||
        !isfinite(o->mesh_spacing_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "region step of %g m, mesh spacing of %g m: must be positive",
                        o->region_step_m, o->mesh_spacing_m);
    if (!(o->tolerance_m > 0.0) || o->tolerance_m > 0.1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "tolerance of %g m: must be above 0 and at most 0.1", o->tolerance_m);
    return AQM_OK;
}

static AqmStatus score_mesh(const AqmTruth *truth, const AqmMesh *mesh,
                            const AqmEvaluateOptions *options, AqmEvaluation *out, AqmDiag *diag) {
    float *points = NULL;
    size_t count = 0;
    AQM_TRY(aqm_mesh_samples(mesh, options->mesh_spacing_m, &points, &count, diag));
    const AqmStatus status = aqm_score_points(truth, points, count, options, out, diag);
    aqm_free(points);
    out->is_mesh = status == AQM_OK;
    return status;
}

AqmStatus aqm_evaluate_ply(const char *ply_path, const char *truth_dir,
                           const AqmEvaluateOptions *options, AqmEvaluation *out, AqmDiag *diag) {
    AqmTruth *truth = NULL;
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    AqmEvaluation result = {0};
    AqmStatus status;
    AQM_TRY_GOTO(status, done, check(options, diag));
    AQM_TRY_GOTO(status, done, aqm_truth_read(&truth, truth_dir, options->frame, diag));
    AQM_TRY_GOTO(status, done, aqm_ply_read(ply_path, &cloud, &mesh, diag));
    if (mesh)
        status = score_mesh(truth, mesh, options, &result, diag);
    else
        status = aqm_score_points(truth, cloud->position, cloud->count, options, &result, diag);
    if (status != AQM_OK)
        aqm_diag_prefix(diag, "%s: ", ply_path);
    else
        *out = result;
done:
    aqm_truth_destroy(&truth);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    return status;
}

static json_t *stats_to_json(const AqmErrorStats *s) {
    if (s->count == 0)
        return json_pack("{s:i}", "count", 0);
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "count",
                     (json_int_t)s->count, "bias_mm", s->bias_mm, "std_mm", s->std_mm, "mean_mm",
                     s->mean_mm, "median_mm", s->median_mm, "rms_mm", s->rms_mm, "p90_mm",
                     s->p90_mm, "p95_mm", s->p95_mm, "p99_mm", s->p99_mm, "max_mm", s->max_mm);
}

static json_t *list(const double values[AQM_EVAL_LIMITS]) {
    return json_pack("[f, f, f, f]", values[0], values[1], values[2], values[3]);
}

static json_t *tolerance_to_json(const AqmEvaluation *e) {
    return json_pack("{s:f, s:f, s:f, s:f}", "limit_mm", e->tolerance_mm, "precision_pct",
                     e->tolerance_precision_pct, "completeness_pct", e->tolerance_completeness_pct,
                     "coverage_pct", e->tolerance_coverage_pct);
}

AqmStatus aqm_evaluation_to_json(const AqmEvaluation *e, char **text, AqmDiag *diag) {
    json_t *root =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:o, s:o}", "kind",
                  e->is_mesh ? "mesh" : "cloud", "points", (json_int_t)e->points, "non_finite",
                  (json_int_t)e->non_finite, "all", stats_to_json(&e->all), "in_region",
                  stats_to_json(&e->in_region), "limit_mm", list(e->limit_mm), "precision_pct",
                  list(e->precision_pct), "completeness_pct", list(e->completeness_pct),
                  "coverage_pct", list(e->coverage_pct), "fscore_pct", list(e->fscore_pct),
                  "off_by_5mm_pct", e->off_by_5mm_pct, "raw_completeness_pct",
                  e->raw_completeness_pct, "tolerance", tolerance_to_json(e), "plane_fit_rmse_mm",
                  isnan(e->plane_fit_rmse_mm) ? json_null() : json_real(e->plane_fit_rmse_mm));
    char *dumped = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    char *copy = dumped ? aqm_strdup(dumped) : NULL;
    free(dumped);
    if (!copy)
        return aqm_fail_memory(diag, "an evaluation as JSON", 1, 4096);
    *text = copy;
    return AQM_OK;
}
