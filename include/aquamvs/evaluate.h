/* How far a cloud or mesh is from the truth of a scene with a known surface. */
#ifndef AQUAMVS_EVALUATE_H
#define AQUAMVS_EVALUATE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of |distance to the true surface|, millimetres; bias is the mean of the signed distance, positive
 * = deeper than the truth. */
typedef struct AqmErrorStats {
    size_t count;
    double bias_mm, mean_mm, median_mm, rms_mm, p90_mm, p95_mm, p99_mm, max_mm;
} AqmErrorStats;

enum { AQM_EVAL_LIMITS = 4 }; /* 0.5, 1, 2, 5 mm */

typedef struct AqmEvaluation {
    bool is_mesh;
    size_t points, non_finite;
    AqmErrorStats all, in_region; /* region: where at least min_views cameras see the surface */
    double limit_mm[AQM_EVAL_LIMITS];
    double precision_pct[AQM_EVAL_LIMITS];    /* points closer to the surface than the limit */
    double completeness_pct[AQM_EVAL_LIMITS]; /* true surface with a point closer than the limit */
    double coverage_pct[AQM_EVAL_LIMITS]; /* true surface with a point of error < limit within 2 mm
                                             in X, Y */
    double fscore_pct[AQM_EVAL_LIMITS];
    double off_by_5mm_pct; /* share of the points off by more than 5 mm */
} AqmEvaluation;

typedef struct AqmEvaluateOptions {
    int frame;             /* default 0 */
    int min_views;         /* default 3 */
    double region_step_m;  /* spacing of the samples of the true surface; default 0.002 */
    double mesh_spacing_m; /* spacing of the samples of a mesh; default 0.0008 */
    int threads;
} AqmEvaluateOptions;

AQM_API AqmEvaluateOptions aqm_evaluate_options_default(void);

/* `truth_dir` is a data set as `aquamvs synth` writes it: calibration.json and gt/scene.json. */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluate_ply(const char *ply_path, const char *truth_dir,
                                                 const AqmEvaluateOptions *options,
                                                 AqmEvaluation *out, AqmDiag *diag);

/* As a JSON object (text, freed with aqm_free_buffer). */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluation_to_json(const AqmEvaluation *evaluation, char **text,
                                                       AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
