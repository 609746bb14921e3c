/* Loops of the heightfield's fits in plain C: the reference (height_ref.c), and compiled once more
 * for AVX2 (height_avx2.c), which does the rest by hand. Contracts in height_kernels.h. */
#ifndef AQM_KERNELS_HEIGHT_LOOPS_H
#define AQM_KERNELS_HEIGHT_LOOPS_H

#include <math.h>
#include <string.h>

#include "kernels/deviation_code.h"
#include "kernels/height_kernels.h"

enum { LANES = AQM_HEIGHT_LANES };

typedef float Lanes[LANES];

/* Points at the very rim of the window would have no weight. */
static const float RIM = 0.999f;

static inline size_t padded(size_t count) {
    return (count + LANES - 1) / LANES * LANES;
}

static inline float sum_lanes(const Lanes v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

static inline float surface_at(const float c[AQM_HEIGHT_TERMS], float x, float y) {
    return c[0] + (x * (c[1] + (c[3] * x + c[4] * y)) + y * (c[2] + c[5] * y));
}

static void loops_errors(AqmHeightWindow *window, const float c[AQM_HEIGHT_TERMS]) {
    const float *x = window->x, *y = window->y, *z = window->z, *robust = window->robust;
    float *restrict error = window->error;
    const float copy[AQM_HEIGHT_TERMS] = {c[0], c[1], c[2], c[3], c[4], c[5]};
    for (size_t i = 0; i < padded(window->count); i++)
        error[i] = robust[i] > 0.0f ? fabsf(z[i] - surface_at(copy, x[i], y[i])) : INFINITY;
}

static void loops_colors(const AqmHeightWindow *window, float sums[AQM_HEIGHT_COLOR_SUMS]) {
    Lanes lanes[AQM_HEIGHT_COLOR_SUMS] = {{0}};
    for (size_t i = 0; i < window->count; i += LANES) {
        const float *robust = window->robust + i;
        const uint32_t *color = window->color + i;
        for (int k = 0; k < LANES; k++) {
            const float w = robust[k] * robust[k];
            lanes[0][k] += w * (float)(int)(color[k] & 255);
            lanes[1][k] += w * (float)(int)(color[k] >> 8 & 255);
            lanes[2][k] += w * (float)(int)(color[k] >> 16 & 255);
            const float known = color[k] >> 24 ? w : 0.0f;
            lanes[3][k] += w;
            lanes[4][k] += known * aqm_deviation_of(color[k] >> 24);
            lanes[5][k] += known;
        }
    }
    for (int i = 0; i < AQM_HEIGHT_COLOR_SUMS; i++)
        sums[i] = sum_lanes(lanes[i]);
}

#endif
