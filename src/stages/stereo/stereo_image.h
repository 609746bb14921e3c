/* What a matching image holds, for the files of this stage. */
#ifndef AQM_STEREO_STEREO_IMAGE_H
#define AQM_STEREO_STEREO_IMAGE_H

#include "aquamvs/stereo.h"
#include "kernels/kernels.h"

/* Gray samples as kernels.h describes them, and a summed table over blocks of AQM_BLOCK x AQM_BLOCK
 * pixels that counts those with a missing pixel. */
struct AqmStereoImage {
    int width, height;
    ptrdiff_t stride; /* pixels */
    int16_t
        *gray; /* (height + 1) x stride; column `width` and row `height` repeat their neighbour */
    uint32_t *pairs; /* height x stride; each pixel with the one below it, as AqmGray has them */
    int8_t *tint;    /* height x width x 2: blue and red less luminance in AQM_TINT_UNITs; NULL for
                        a gray image */
    int blocks_x, blocks_y;
    int32_t *holes;       /* (blocks_y + 1) x (blocks_x + 1) */
    AqmStereoImage *half; /* the mean of 2 x 2 pixels, missing where one of them is; NULL where a
                             side of it would be below AQM_SMALLEST_SIDE */
};

enum { AQM_BLOCK = 16, AQM_SMALLEST_SIDE = 16, AQM_TINT_UNIT = 16 /* in units of gray */ };

AqmGray aqm_stereo_image_gray(const AqmStereoImage *image);

/* true if no pixel of the inclusive rectangle (inside the image) is missing; may say false where a
 * missing pixel is only near. */
bool aqm_stereo_image_is_whole(const AqmStereoImage *image, int x0, int y0, int x1, int y1);

/* The view of the halved image: its pixel (i, j) is centred on (2 i + 0.5, 2 j + 0.5). */
AqmView aqm_view_halve(const AqmView *view);

#endif
