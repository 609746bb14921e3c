/* Views at a lower resolution. */
#ifndef AQM_STEREO_LEVEL_H
#define AQM_STEREO_LEVEL_H

#include "stages/stereo/stereo_image.h"

typedef struct AqmLevel {
    size_t view_count;
    AqmStereoView *stereo; /* as the full-resolution views, in the same order */
    AqmView *views;
} AqmLevel;

/* Halves view k halvings[k] times. The images are those of the views, which must outlive the level.
 * NO_DATA where an image is too small for that. */
AqmStatus aqm_level_create(AqmLevel *level, const AqmStereoView *views, size_t view_count,
                           const int *halvings, AqmDiag *diag);
void aqm_level_free(AqmLevel *level); /* a zeroed level is fine */

#endif
