/* Loops of undistortion in plain C: the reference (remap_ref.c), and compiled once more for AVX2
 * (remap_avx2.c), which samples by hand. Contracts in remap_kernels.h. */
#ifndef AQM_KERNELS_REMAP_LOOPS_H
#define AQM_KERNELS_REMAP_LOOPS_H

#include <math.h>
#include <stdbool.h>

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
    int32_t *restrict to_u = out->u, *restrict to_v = out->v;
    const int32_t last_u = (width - 1) * ONE, last_v = (height - 1) * ONE;
    for (size_t i = 0; i < n; i++) {
        const double u = ((raw_u[i] > -1.0) & (raw_u[i] < 65536.0)) ? raw_u[i] : -1.0;
        const double v = ((raw_v[i] > -1.0) & (raw_v[i] < 65536.0)) ? raw_v[i] : -1.0;
        const int32_t fine_u = (int32_t)(u * ONE + (ONE + 0.5)) - ONE;
        const int32_t fine_v = (int32_t)(v * ONE + (ONE + 0.5)) - ONE;
        const int32_t outside = fine_u | fine_v | (last_u - fine_u) | (last_v - fine_v);
        to_u[i] = fine_u | -(int32_t)(outside < 0);
        to_v[i] = fine_v;
    }
}

/* ---- between knots --------------------------------------------------------------------------- */

/* Cubics over cells, in units of footprints: whole[c] + c0 + t (c1 + t (c2 + t c3)), t 0..1. */
typedef struct Cubics {
    int32_t whole[AQM_REMAP_CELLS_MAX];
    float c0[AQM_REMAP_CELLS_MAX], c1[AQM_REMAP_CELLS_MAX], c2[AQM_REMAP_CELLS_MAX],
        c3[AQM_REMAP_CELLS_MAX];
} Cubics;

/* False where a fourth difference is too large, or knots so far apart or away that numbers of 32
 * bits would not do; a NaN is neither large nor small. */
static inline bool knots_are_even(const double *p, size_t cells) {
    int64_t even = -1;
    for (size_t k = 0; k <= cells; k++) {
        const double bend = (p[k] + p[k + 4]) - 4.0 * (p[k + 1] + p[k + 3]) + 6.0 * p[k + 2];
        even &= fabs(bend) <= AQM_REMAP_BEND ? -1 : 0;
        even &= fabs(p[k + 3] - p[k + 2]) < 4.0 * AQM_REMAP_CELL ? -1 : 0;
        even &= fabs(p[k + 2]) < 1e5 ? -1 : 0;
    }
    return even != 0;
}

static inline void fit_cubics(const double *p, size_t cells, Cubics *restrict out) {
    for (size_t k = 0; k < cells; k++) {
        const double a = ONE * p[k + 1], b = ONE * p[k + 2], c = ONE * p[k + 3];
        const double d = ONE * p[k + 4], middle = 0.5 * (a + c) - b;
        const double third = (1.0 / 6.0) * ((d - a) - 3.0 * (c - b));
        const double whole = floor(b);
        out->whole[k] = (int32_t)whole;
        out->c0[k] = (float)(b - whole);
        out->c1[k] = (float)((c - b) - middle - third);
        out->c2[k] = (float)middle;
        out->c3[k] = (float)third;
    }
}

/* A neighbour without weight need not be there, and is not read. */
static inline void sample_one(const AqmRemapImage *image, int32_t u, int32_t v, uint8_t *out) {
    const uint32_t right = (uint32_t)u % ONE, low = (uint32_t)v % ONE;
    const uint8_t *p = image->data + (size_t)(v >> AQM_REMAP_BITS) * image->stride +
                       3 * (size_t)(u >> AQM_REMAP_BITS);
    const uint8_t *q = p + (low ? image->stride : 0);
    const size_t next = right ? 3 : 0;
    for (size_t c = 0; c < 3; c++) {
        const uint32_t top = p[c] * (ONE - right) + p[c + next] * right;
        const uint32_t bottom = q[c] * (ONE - right) + q[c + next] * right;
        out[c] = (uint8_t)((top * (ONE - low) + bottom * low + HALF) >> (2 * AQM_REMAP_BITS));
    }
}

#endif
