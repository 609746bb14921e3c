/* The search that looks at more than one pixel at a time. */
#ifndef AQM_STEREO_SEMIGLOBAL_H
#define AQM_STEREO_SEMIGLOBAL_H

#include "stages/stereo/sweep.h"

/* Sweeps all planes and takes at every pixel the one that is best along eight paths to it: its
 * disparity (near_warp.h; NaN = none) and confidence (as aqm_sweep_planes). */
AqmStatus aqm_semiglobal(const AqmSweep *sweep, const AqmPlanes *planes, int batch,
                         float *disparity, float *confidence, AqmDiag *diag);

#endif
