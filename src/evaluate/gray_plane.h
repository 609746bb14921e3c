/* A gray image as floats, to look for a board in. */
#ifndef AQM_EVALUATE_GRAY_PLANE_H
#define AQM_EVALUATE_GRAY_PLANE_H

#include <math.h>

#include "aquamvs/types.h"

/* Owns its values, row-major without padding; luma (Rec. 601) of R G B. */
typedef struct AqmGrayPlane {
    int width, height;
    float *value;
    float range; /* of all values: largest - smallest */
} AqmGrayPlane;

AQM_NODISCARD AqmStatus aqm_gray_plane_create(AqmGrayPlane *out, const AqmImageView *image,
                                              AqmDiag *diag);
void aqm_gray_plane_free(AqmGrayPlane *plane);

/* Bilinear; NaN outside the image. */
static inline double aqm_gray_sample(const AqmGrayPlane *plane, double u, double v) {
    if (!(u >= 0.0 && v >= 0.0 && u <= plane->width - 1.0 && v <= plane->height - 1.0))
        return (double)NAN;
    int x = (int)u, y = (int)v;
    x -= x == plane->width - 1 && x > 0;
    y -= y == plane->height - 1 && y > 0;
    const double s = u - x, t = v - y;
    const float *at = plane->value + (size_t)y * (size_t)plane->width + (size_t)x;
    const size_t right = plane->width > 1 ? 1 : 0;
    const size_t below = plane->height > 1 ? (size_t)plane->width : 0;
    const double top = (1.0 - s) * (double)at[0] + s * (double)at[right];
    const double bottom = (1.0 - s) * (double)at[below] + s * (double)at[below + right];
    return (1.0 - t) * top + t * bottom;
}

#endif
