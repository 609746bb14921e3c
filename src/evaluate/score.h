/* Points against a true surface. */
#ifndef AQM_EVALUATE_SCORE_H
#define AQM_EVALUATE_SCORE_H

#include "aquamvs/evaluate.h"
#include "evaluate/truth.h"

/* Fills everything of *out but is_mesh. `points`: x y z each, metres; those that are not finite are
 * counted and left out. */
AQM_NODISCARD AqmStatus aqm_score_points(const AqmTruth *truth, const float *points, size_t count,
                                         const AqmEvaluateOptions *options, AqmEvaluation *out,
                                         AqmDiag *diag);

#endif
