/* The last step: least squares along the ray. */
#ifndef AQM_STEREO_REFINE_H
#define AQM_STEREO_REFINE_H

#include "stages/stereo/sweep.h"

/* What matching says of each pixel: disparity (near_warp.h), its standard deviation in px, and the
 * correlation; NaN, NaN and 0 where no source sees the surface. */
typedef struct AqmRefined {
    float *disparity, *sigma_px, *score;
} AqmRefined;

/* One step of least squares matching from `base` (disparities, NaN = none): height x width each.
 * `moves`, aqm_sweep_tile_count of the view: in, which tiles to do: those of at least `least_px`,
 * the others keep what `refined` holds; out, for those done, the root of the mean squared step in
 * px.
 */
AqmStatus aqm_refine(const AqmSweep *sweep, const float *base, const AqmRefined *refined,
                     float least_px, float *moves, AqmDiag *diag);

#endif
