/* Loops over chunks of rays and points in plain C: the reference (dense_ref.c), and compiled once
 * more for AVX2 (dense_avx2.c). Contracts in dense_kernels.h; the refraction is that of
 * geometry/refraction.h. Included by those two files only.
 *
 * Meeting of two rays. With e(s) = pixel of (O + s d) in the second view less the target, the least
 * |e|^2 along the ray is found by Gauss-Newton, s -= e . g / g . g with g = e', from the midpoint
 * of the two rays (the s where the first is nearest to the second):
 *
 *     s = -w . (d - c d') / |d x d'|^2,     w = O - O', c = d . d'.
 *
 * Rays that pass each other by a few pixels leave the midpoint within 1e-2 px of the least squares;
 * one step makes it 1e-4, the second measures how far they pass: e - g (e . g / g . g). In float
 * all is within 1e-3 px (tested), which is 4 um of depth at 1.3 m and 15 degrees between the rays.
 * Cost: about 60 cycles a cell with SSE2, half of that with AVX2. */
#ifndef AQM_KERNELS_DENSE_LOOPS_H
#define AQM_KERNELS_DENSE_LOOPS_H

#include <math.h>

#include "kernels/dense_kernels.h"

/* Rays at less than 1e-4 rad say nothing about depth (see aqm_triangulate). */
static const float LEAST_SIN2 = 1e-8f;

static void loops_rays(const AqmDenseCamera *c, const AqmDensePixels *pixels, size_t n,
                       AqmDenseRays *restrict rays) {
    const float *R = c->R, m2 = c->n * c->n - 1.0f, h_c = c->h_c, index = c->n;
    const float R0 = R[0], R1 = R[1], R2 = R[2], R3 = R[3], R4 = R[4], R5 = R[5], R6 = R[6],
                R7 = R[7], R8 = R[8], fx = c->fx, fy = c->fy, cx = c->cx, cy = c->cy;
    for (size_t k = 0; k < n; k++) {
        const float a = (pixels->u[k] - cx) / fx, b = (pixels->v[k] - cy) / fy;
        const float p = R0 * a + R3 * b + R6, q = R1 * a + R4 * b + R7;
        const float down = R2 * a + R5 * b + R8, length2 = p * p + q * q + down * down;
        const float unit = down > 0.0f ? 1.0f / (index * sqrtf(length2)) : NAN;
        const float reach = h_c / down;
        rays->x[k] = c->x + reach * p;
        rays->y[k] = c->y + reach * q;
        rays->dx[k] = unit * p;
        rays->dy[k] = unit * q;
        rays->dh[k] = unit * sqrtf(m2 * length2 + down * down);
    }
}

static void loops_points(const AqmDenseRays *rays, const float *depth, size_t n,
                         AqmDensePoints *restrict points) {
    for (size_t k = 0; k < n; k++) {
        points->x[k] = rays->x[k] + depth[k] * rays->dx[k];
        points->y[k] = rays->y[k] + depth[k] * rays->dy[k];
        points->h[k] = depth[k] * rays->dh[k];
    }
}

/* One Newton step of z (refraction.h), numerator and denominator times q^(3/2), q = n^2 z^2 + bend,
 * so that one root and one quotient do. */
static inline float newton(float z, float h_c, float h, float n2, float bend) {
    const float q = n2 * z * z + bend, s = sqrtf(q);
    return z - q * ((z - h_c) * s - h * z) / (q * s - h * bend);
}

/* Three steps: two are enough in the working volume, cameras close to the water need one more. */
static inline float apparent_z(float h_c, float h, float n, float bend) {
    float z = newton(h_c + h / n, h_c, h, n * n, bend);
    z = newton(z, h_c, h, n * n, bend);
    return newton(z, h_c, h, n * n, bend);
}

static void loops_project(const AqmDenseCamera *c, const AqmDensePoints *points, size_t n,
                          AqmDensePixels *restrict pixels) {
    const float *R = c->R, m2 = c->n * c->n - 1.0f, h_c = c->h_c, index = c->n;
    const float R0 = R[0], R1 = R[1], R2 = R[2], R3 = R[3], R4 = R[4], R5 = R[5], R6 = R[6],
                R7 = R[7], R8 = R[8], fx = c->fx, fy = c->fy, cx = c->cx, cy = c->cy;
    for (size_t k = 0; k < n; k++) {
        const float x = points->x[k] - c->x, y = points->y[k] - c->y, h = points->h[k];
        const float z = apparent_z(h_c, h, index, m2 * (x * x + y * y));
        const float away = R6 * x + R7 * y + R8 * z;
        const float inverse = ((away > 0.0f) & (h > 0.0f)) ? 1.0f / away : NAN;
        pixels->u[k] = fx * (R0 * x + R1 * y + R2 * z) * inverse + cx;
        pixels->v[k] = fy * (R3 * x + R4 * y + R5 * z) * inverse + cy;
    }
}

static void loops_sight(const AqmDenseCamera *c, const AqmDensePoints *points, size_t n,
                        float *restrict depth, AqmDenseRays *restrict directions) {
    const float m2 = c->n * c->n - 1.0f, h_c = c->h_c, index = c->n;
    for (size_t k = 0; k < n; k++) {
        const float x = points->x[k] - c->x, y = points->y[k] - c->y, h = points->h[k];
        const float z = apparent_z(h_c, h, index, m2 * (x * x + y * y));
        const float in_water = (z - h_c) / z; /* the share of the way that lies under water */
        const float wx = x * in_water, wy = y * in_water;
        const float s = sqrtf(wx * wx + wy * wy + h * h), inverse = 1.0f / s;
        depth[k] = s;
        directions->dx[k] = wx * inverse;
        directions->dy[k] = wy * inverse;
        directions->dh[k] = h * inverse;
    }
}

/* The depths at which the first rays are nearest to the second; NaN for parallel rays and for
 * points above the water. */
static void midpoints(const AqmDenseRays *a, const AqmDenseRays *b, size_t n,
                      float *restrict depth) {
    for (size_t k = 0; k < n; k++) {
        const float ax = a->dx[k], ay = a->dy[k], ah = a->dh[k];
        const float bx = b->dx[k], by = b->dy[k], bh = b->dh[k];
        const float px = ay * bh - ah * by, py = ah * bx - ax * bh, ph = ax * by - ay * bx;
        const float sin2 = px * px + py * py + ph * ph, c = ax * bx + ay * by + ah * bh;
        const float wx = a->x[k] - b->x[k], wy = a->y[k] - b->y[k];
        const float s = -(wx * (ax - c * bx) + wy * (ay - c * by)) / sin2;
        depth[k] = ((sin2 > LEAST_SIN2) & (s > 0.0f)) ? s : NAN;
    }
}

/* With D = q^(3/2) - h (n^2 - 1) r^2 and q = n^2 z^2 + (n^2 - 1) r^2 the derivatives of
 * refraction.h are dz/dh = z q / D and dz/d(r^2) = -h z (n^2 - 1) / (2 D). */
static void loops_offsets(const AqmDenseCamera *c, const AqmDenseRays *rays, const float *depth,
                          const AqmDensePixels *targets, size_t n, AqmDenseOffsets *restrict out) {
    const float *R = c->R, n2 = c->n * c->n, m2 = n2 - 1.0f, h_c = c->h_c, index = c->n;
    const float R0 = R[0], R1 = R[1], R2 = R[2], R3 = R[3], R4 = R[4], R5 = R[5], R6 = R[6],
                R7 = R[7], R8 = R[8], fx = c->fx, fy = c->fy, cx = c->cx, cy = c->cy;
    for (size_t k = 0; k < n; k++) {
        const float dx = rays->dx[k], dy = rays->dy[k], dh = rays->dh[k], s = depth[k];
        const float x = rays->x[k] + s * dx - c->x, y = rays->y[k] + s * dy - c->y, h = s * dh;
        const float bend = m2 * (x * x + y * y), z = apparent_z(h_c, h, index, bend);
        const float q = n2 * z * z + bend, D = q * sqrtf(q) - h * bend;
        const float dz = z * (q * dh - h * m2 * (x * dx + y * dy)) / D;
        const float away = R6 * x + R7 * y + R8 * z;
        const float inverse = ((away > 0.0f) & (h > 0.0f)) ? 1.0f / away : NAN;
        const float a = (R0 * x + R1 * y + R2 * z) * inverse;
        const float b = (R3 * x + R4 * y + R5 * z) * inverse;
        const float leave = R6 * dx + R7 * dy + R8 * dz;
        out->eu[k] = fx * a + cx - targets->u[k];
        out->ev[k] = fy * b + cy - targets->v[k];
        out->gu[k] = fx * (R0 * dx + R1 * dy + R2 * dz - a * leave) * inverse;
        out->gv[k] = fy * (R3 * dx + R4 * dy + R5 * dz - b * leave) * inverse;
        out->away[k] = away;
    }
}

static void loops_meet(const AqmDenseCamera *first, const AqmDenseRays *rays,
                       const AqmDenseCamera *second, const AqmDensePixels *targets, size_t n,
                       AqmDenseMeetings *restrict out) {
    AqmDenseRays back;
    AqmDenseOffsets offset;
    const float *F = first->R, fx = first->fx, h_c = first->h_c, index = first->n;
    const float gain = fx / second->fx;
    loops_rays(second, targets, n, &back);
    midpoints(rays, &back, n, out->depth);
    for (int step = 0; step < 2; step++) {
        loops_offsets(second, rays, out->depth, targets, n, &offset);
        for (size_t k = 0; k < n; k++) {
            const float gu = offset.gu[k], gv = offset.gv[k], g2 = gu * gu + gv * gv;
            out->depth[k] -= (offset.eu[k] * gu + offset.ev[k] * gv) / g2;
            out->px_per_m[k] = sqrtf(g2);
        }
    }
    for (size_t k = 0; k < n; k++) {
        const float gu = offset.gu[k], gv = offset.gv[k];
        const float across = fabsf(offset.eu[k] * gv - offset.ev[k] * gu) / out->px_per_m[k];
        /* the same length seen by the first camera, about f / distance times as large */
        const float s = out->depth[k], h = s * rays->dh[k];
        const float x = rays->x[k] + s * rays->dx[k], y = rays->y[k] + s * rays->dy[k];
        const float here = F[6] * x + F[7] * y + F[8] * (h_c + h / index);
        const float ratio = gain * offset.away[k] / here;
        out->miss_px[k] = ratio > 1.0f ? across * ratio : across;
        out->down[k] = h;
    }
}

#endif
