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

/* Measures a PLY file (a mesh if it has faces, then on points drawn evenly from them by a fixed
 * seed; else a cloud) against the true surface. `truth_dir` is a data set as `aquamvs synth` writes
 * it: calibration.json, and gt/scene.json with the surface of each frame as a sum of terms.
 *
 * Distances are to the closest point of the surface, found exactly; points that are not finite are
 * counted and left out. The region is the part of the surface, and the points above or below it,
 * that at least min_views cameras (auxiliary ones do not count) have in their raw images; where no
 * camera does, in_region.count is 0 and completeness and coverage are 0. Precision is over all
 * points. The numbers are the same for any number of threads.
 *
 * *out is written on AQM_OK alone. ARGUMENT for options out of range, IO or FORMAT where a file
 * cannot be read or is not what it should be, NO_DATA for a mesh without area, UNSUPPORTED where
 * the water surface of the calibration is tilted, MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluate_ply(const char *ply_path, const char *truth_dir,
                                                 const AqmEvaluateOptions *options,
                                                 AqmEvaluation *out, AqmDiag *diag);

/* As a JSON object (*text, freed with aqm_free_buffer). MEMORY; *text is untouched then. */
AQM_API AQM_NODISCARD AqmStatus aqm_evaluation_to_json(const AqmEvaluation *evaluation, char **text,
                                                       AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
