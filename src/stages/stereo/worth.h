/* How much the scores of a pixel's window are worth. */
#ifndef AQM_STEREO_WORTH_H
#define AQM_STEREO_WORTH_H

#include "stages/stereo/stereo_image.h"

/* worth: height x width, 0 (nothing but noise in the window of 2 radius + 1 pixels) to nearly 1. */
AqmStatus aqm_window_worth(const AqmStereoImage *image, int radius, float *worth, AqmDiag *diag);

/* The standard deviation of the image's noise, in units of its samples (kernels.h). */
AqmStatus aqm_image_noise(const AqmStereoImage *image, float *noise, AqmDiag *diag);

#endif
