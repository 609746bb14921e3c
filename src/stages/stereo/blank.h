/* Blank patches of the image take the plane that their surroundings lie in. */
#ifndef AQM_STEREO_BLANK_H
#define AQM_STEREO_BLANK_H

#include "stages/stereo/refine.h"

/* Fills patches of the map where the windows of `window` pixels hold little but noise, if what
 * surrounds a patch is known nearly all round and lies in one plane. `unit_px`: what counts as a
 * pixel, in units of the map. `refined` and `confidence`: the image's size; disparity, sigma and
 * confidence of filled pixels are replaced, all others stay. Same bytes for any number of threads.
 * MEMORY; the map is as before then. */
AqmStatus aqm_fill_blanks(const AqmStereoImage *image, int window, float unit_px,
                          const AqmRefined *refined, float *confidence, int threads, AqmDiag *diag);

#endif
