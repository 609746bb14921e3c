/* Fusion, internal: how certain the mean of several views is. */
#ifndef AQM_STAGES_FUSION_ERRORS_H
#define AQM_STAGES_FUSION_ERRORS_H

#include "aquamvs/fusion.h"
#include "kernels/fusion_kernels.h"

/* For 0 .. 255 agreeing views, the reference counted. */
typedef struct AqmFusionErrors {
    float share[AQM_FUSION_VIEWS_MAX + 1]; /* the variance of their mean, in that of one of them */
    float doubt[AQM_FUSION_VIEWS_MAX + 1]; /* 1 / the largest misfit that chance explains */
} AqmFusionErrors;

/* matched_views: the other views that each was matched with, the nearest ones; 0 = all. */
void aqm_fusion_errors_init(AqmFusionErrors *errors, const AqmFusionView *views, size_t view_count,
                            int matched_views);

/* The variance of the mean of `count` views of which one has `variance`; misfit: as AqmSettled, of
 * weights 1 / (variance of the view + variance of the reference). */
static inline float aqm_fused_variance(const AqmFusionErrors *errors, int count, float variance,
                                       float misfit) {
    const float excess = misfit * errors->doubt[count];
    return variance * errors->share[count] * (excess > 1.0f ? excess : 1.0f);
}

#endif
