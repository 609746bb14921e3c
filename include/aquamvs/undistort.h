/* Stage: from the image as filmed to the undistorted image every later stage works on. */
#ifndef AQUAMVS_UNDISTORT_H
#define AQUAMVS_UNDISTORT_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bilinear remap of `raw` (the camera's size) to the undistorted image of the same size, channels
 * and sample type: rounded to the nearest level, positions to 1/2048 px, 0 where the pixel's
 * footprint does not lie inside the raw image. All-zero distortion with K_new = K copies. threads:
 * 0 = all cores; the result does not depend on it. The caller destroys *out, which is untouched on
 * an error. ARGUMENT on a size mismatch; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_undistort_image(const AqmCamera *camera, const double K_new[9],
                                                    const AqmImageView *raw, int threads,
                                                    AqmImage **out, AqmDiag *diag);

/* The pixels of the undistorted image to be used: 255 where the pixel's footprint lies inside the
 * raw image and `keep` is not 0 there (any sample of the pixel; NULL = keep all), else 0. `keep` is
 * a mask of the undistorted image, of its size. U8, one channel. Otherwise as aqm_undistort_image.
 */
AQM_API AQM_NODISCARD AqmStatus aqm_undistort_mask(const AqmCamera *camera, const double K_new[9],
                                                   const AqmImageView *keep, int threads,
                                                   AqmImage **out, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
