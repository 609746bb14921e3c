/* Stage: make the cameras of a frame agree in brightness and colour. */
#ifndef AQUAMVS_COLOR_H
#define AQUAMVS_COLOR_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum AqmColorNorm { AQM_COLOR_GAIN, AQM_COLOR_HISTOGRAM } AqmColorNorm;

/* Changes the images in place (all the same type and channel count): `gain` scales each channel of
 * each image so that its mean equals the mean over all images (pixels with a channel at 0 or at the
 * top of the range are not counted in the means; an image of nothing else stays as it is);
 * `histogram` maps each channel's distribution onto the mean distribution (by quantiles; Delon
 * 2004). Sizes may differ. `full_scale` is the top of the range, the value taken as white (255; for
 * U16 that of the bit depth in use, such as 4095): nothing comes out above it. Fewer than two
 * images: nothing to do. On an error no image is changed: ARGUMENT for images of different types or
 * channel counts, or a full_scale that is not in 1..255 (U8), 1..65535 (U16); MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_color_normalize(AqmImage *const *images, size_t image_count,
                                                    AqmColorNorm method, double full_scale,
                                                    AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
