/* What a pixel's measurement and its neighbourhood say together. */
#ifndef AQM_STEREO_SETTLE_H
#define AQM_STEREO_SETTLE_H

#include "stages/stereo/refine.h"

/* Moves the disparities towards what is around them (the mean; where a view is noisier than it is
 * elsewhere a quadric), the more the less they are known, and lowers their sigma accordingly. */
AqmStatus aqm_settle(const AqmRefined *refined, int width, int height, int threads, AqmDiag *diag);

#endif
