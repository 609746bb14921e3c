/* The search from coarse to fine. */
#ifndef AQM_STEREO_CASCADE_H
#define AQM_STEREO_CASCADE_H

#include "stages/stereo/sweep.h"

/* Semi-global search at a low resolution, then the best match near its answer at every finer one.
 * disparity (near_warp.h, at full resolution) and confidence (0 = nothing known; the disparity
 * there is a neighbour's): height x width of the reference view. `halvings`: how often the
 * resolution was halved where the search began. */
AqmStatus aqm_cascade(const AqmStereoView *views, size_t view_count, size_t reference,
                      const size_t *sources, size_t source_count, size_t spare_count,
                      double h_min_m, double h_max_m, const AqmStereoOptions *options,
                      float *disparity, float *confidence, int *halvings, AqmDiag *diag);

#endif
