/* Loops over patches in plain C: the reference (patch_ref.c), and gradients compiled once more for
 * AVX2 (patch_avx2.c), which samples by hand. Contracts in patch_kernels.h. Included by those two
 * files only. */
#ifndef AQM_KERNELS_PATCH_LOOPS_H
#define AQM_KERNELS_PATCH_LOOPS_H

#include <math.h>

#include "kernels/patch_kernels.h"

/* The angle of (x, y) in turns, by the tangent of the angle to the nearer axis (Hastings 1955, arc
 * tangent to degree 5). */
static inline float turn_of(float x, float y) {
    const float a = fabsf(x), b = fabsf(y);
    const float low = a < b ? a : b, high = a < b ? b : a;
    const float t = low / (high + 1e-30f), t2 = t * t;
    const float octant = t * (0.158416f + t2 * (-0.045945f + t2 * 0.012626f));
    const float quadrant = a < b ? 0.25f - octant : octant;
    const float half = x < 0.0f ? 0.5f - quadrant : quadrant;
    return y < 0.0f ? 1.0f - half : half;
}

static void loops_gradients(const float *patch, size_t pitch, size_t n, float *restrict size,
                            float *restrict turn) {
    const float *left = patch - 1, *right = patch + 1;
    const float *above = patch - pitch, *below = patch + pitch;
    for (size_t k = 0; k < n; k++) {
        const float x = right[k] - left[k], y = below[k] - above[k];
        size[k] = sqrtf(x * x + y * y);
        turn[k] = turn_of(x, y);
    }
}

#endif
