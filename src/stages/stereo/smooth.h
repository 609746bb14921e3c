/* Smooth surfaces through noisy disparity maps. */
#ifndef AQM_STEREO_SMOOTH_H
#define AQM_STEREO_SMOOTH_H

#include "aquamvs/status.h"

/* A smooth surface through a noisy disparity map (near_warp.h; NaN = none) that keeps its steps:
 * medians of 3 x 3, then `passes` times the mean over 7 columns and 7 rows of what lies within
 * `tolerance_px` of the pixel's own. height x width each; base may not be disparity. */
AqmStatus aqm_smooth_surface(const float *disparity, int width, int height, float tolerance_px,
                             int passes, int threads, float *base, AqmDiag *diag);

/* Gives pixels that are NaN the value of the nearest known one of their row, and rows without any
 * that of the row above, or below at the top: windows of their neighbours reach over them. */
void aqm_fill_holes(float *map, int width, int height);

#endif
