/* A sweep near a known surface. */
#ifndef AQM_STEREO_SWEEP_NEAR_H
#define AQM_STEREO_SWEEP_NEAR_H

#include "stages/stereo/sweep.h"

typedef struct AqmNearOptions {
    float step_px;   /* of disparity (near_warp.h) from one surface to the next */
    int steps;       /* to either side of the base; 1..16 */
    bool only_steps; /* what does not lie beside a step of the base keeps it */
} AqmNearOptions;

/* Moves every pixel of `base` (disparities, NaN = none) to the best match near by; pixels that no
 * source sees keep the base. disparity may not be base. */
AqmStatus aqm_sweep_near(const AqmSweep *sweep, const float *base, const AqmNearOptions *options,
                         float *disparity, AqmDiag *diag);

#endif
