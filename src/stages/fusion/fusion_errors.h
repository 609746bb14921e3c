/* Fusion, internal: how certain the mean of several views is. */
#ifndef AQM_STAGES_FUSION_ERRORS_H
#define AQM_STAGES_FUSION_ERRORS_H

#include "aquamvs/fusion.h"
#include "kernels/fusion_kernels.h"

/* For 0 .. 255 agreeing views, the reference counted: see aqm_fused_variance. */
typedef struct AqmFusionErrors {
    float share[AQM_FUSION_VIEWS_MAX + 1]; /* the variance of their mean, in that of one of them */
    float doubt[AQM_FUSION_VIEWS_MAX + 1]; /* 1 / the largest misfit that chance explains */
} AqmFusionErrors;

/* matched_views: the other views that each was matched with, the nearest ones; 0 = all. */
void aqm_fusion_errors_init(AqmFusionErrors *errors, const AqmFusionView *views, size_t view_count,
                            int matched_views);

#endif
