/* The last step: least squares along the ray. */
#ifndef AQM_STEREO_REFINE_H
#define AQM_STEREO_REFINE_H

#include "stages/stereo/sweep.h"

/* What matching says of each pixel: disparity (near_warp.h), its standard deviation in px, and the
 * correlation; NaN, NaN and 0 where no source sees the surface. */
typedef struct AqmRefined {
    float *disparity, *sigma_px, *score;
} AqmRefined;

/* One step of least squares matching from `base` (disparities, NaN = none): height x width each. */
AqmStatus aqm_refine(const AqmSweep *sweep, const float *base, const AqmRefined *refined,
                     AqmDiag *diag);

#endif
