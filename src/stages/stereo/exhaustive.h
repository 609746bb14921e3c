/* The search of every plane at every pixel, at several resolutions. */
#ifndef AQM_STEREO_EXHAUSTIVE_H
#define AQM_STEREO_EXHAUSTIVE_H

#include "stages/stereo/sweep.h"

/* The answer of the exhaustive sweep between h_min and h_max (metres below the surface), with what
 * the sweep at lower resolutions says where the finer one does not know. h (NaN = none) and
 * confidence: height x width of the reference view. */
AqmStatus aqm_exhaustive(const AqmStereoView *views, size_t view_count, size_t reference,
                         const size_t *sources, size_t source_count, size_t spare_count,
                         double h_min_m, double h_max_m, const AqmStereoOptions *options, float *h,
                         float *confidence, AqmDiag *diag);

#endif
