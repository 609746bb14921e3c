/* Loops of undistortion in plain C: the reference (remap_ref.c), and compiled once more for AVX2
 * (remap_avx2.c), which samples by hand. Contracts in remap_kernels.h. */
#ifndef AQM_KERNELS_REMAP_LOOPS_H
#define AQM_KERNELS_REMAP_LOOPS_H

#include <math.h>

#include "kernels/remap_kernels.h"

enum { ONE = AQM_REMAP_ONE, HALF = 1 << (2 * AQM_REMAP_BITS - 1) };

/* Brown's polynomial; see geometry/lens.c. */
static inline void pinhole(const AqmRemapLens *lens, int rational, double x_first, double step,
                           double y, size_t n, double *restrict raw_u, double *restrict raw_v) {
    const double k1 = lens->k[0], k2 = lens->k[1], p1 = lens->k[2], p2 = lens->k[3];
    const double k3 = lens->k[4], k4 = lens->k[5], k5 = lens->k[6], k6 = lens->k[7];
    const double fx = lens->fx, cx = lens->cx, fy = lens->fy, cy = lens->cy;
    const double reach2 = lens->reach2;
    for (size_t i = 0; i < n; i++) {
        const double x = x_first + step * (double)(int)i, q = x * x + y * y;
        const double above = 1.0 + q * (k1 + q * (k2 + q * k3));
        const double a = rational ? above / (1.0 + q * (k4 + q * (k5 + q * k6))) : above;
        const double xd = a * x + 2.0 * p1 * x * y + p2 * (q + 2.0 * x * x);
        raw_u[i] = q <= reach2 ? fx * xd + cx : (double)NAN;
        raw_v[i] = fy * (a * y + p1 * (q + 2.0 * y * y) + 2.0 * p2 * x * y) + cy;
    }
}

/* Most lenses have no denominator, and dividing is half of the work. */
static void loops_pinhole(const AqmRemapLens *lens, double x_first, double step, double y, size_t n,
                          double *restrict raw_u, double *restrict raw_v) {
    if (lens->k[5] != 0.0 || lens->k[6] != 0.0 || lens->k[7] != 0.0)
        pinhole(lens, 1, x_first, step, y, n, raw_u, raw_v);
    else
        pinhole(lens, 0, x_first, step, y, n, raw_u, raw_v);
}

/* Positions beyond any image, and NaN, become -1 before they are made integers; adding one pixel
 * makes truncation round down. */
static void loops_footprints(const double *raw_u, const double *raw_v, size_t n, int32_t width,
                             int32_t height, const AqmFootprints *out) {
    int32_t *restrict x = out->x, *restrict y = out->y;
    int32_t *restrict right = out->right, *restrict low = out->low;
    const int32_t last_u = (width - 1) * ONE, last_v = (height - 1) * ONE;
    for (size_t i = 0; i < n; i++) {
        const double u = ((raw_u[i] > -1.0) & (raw_u[i] < 65536.0)) ? raw_u[i] : -1.0;
        const double v = ((raw_v[i] > -1.0) & (raw_v[i] < 65536.0)) ? raw_v[i] : -1.0;
        const int32_t fine_u = (int32_t)(u * ONE + (ONE + 0.5)) - ONE;
        const int32_t fine_v = (int32_t)(v * ONE + (ONE + 0.5)) - ONE;
        const int whole = (fine_u >= 0) & (fine_v >= 0) & (fine_u <= last_u) & (fine_v <= last_v);
        x[i] = whole ? fine_u >> AQM_REMAP_BITS : -1;
        y[i] = fine_v >> AQM_REMAP_BITS;
        right[i] = fine_u & (ONE - 1);
        low[i] = fine_v & (ONE - 1);
    }
}

/* A neighbour without weight need not be there, and is not read. */
static inline void sample_one(const AqmRemapImage *image, int32_t x, int32_t y, uint32_t right,
                              uint32_t low, uint8_t *out) {
    const uint8_t *p = image->data + (size_t)y * image->stride + 3 * (size_t)x;
    const uint8_t *q = p + (low ? image->stride : 0);
    const size_t next = right ? 3 : 0;
    for (size_t c = 0; c < 3; c++) {
        const uint32_t top = p[c] * (ONE - right) + p[c + next] * right;
        const uint32_t bottom = q[c] * (ONE - right) + q[c + next] * right;
        out[c] = (uint8_t)((top * (ONE - low) + bottom * low + HALF) >> (2 * AQM_REMAP_BITS));
    }
}

#endif
