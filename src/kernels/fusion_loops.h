/* Loops of fusion in plain C: the reference (fusion_ref.c), and compiled once more for AVX2
 * (fusion_avx2.c), which does by hand only the reading of maps. Contracts in fusion_kernels.h.
 * Included by those two files only. */
#ifndef AQM_KERNELS_FUSION_LOOPS_H
#define AQM_KERNELS_FUSION_LOOPS_H

#include <math.h>
#include <string.h>

#include "kernels/fusion_kernels.h"

enum { LANES = AQM_FUSION_LANES, CHUNK = AQM_FUSION_CHUNK };

static inline float least(float a, float b) {
    return a < b ? a : b;
}

static inline float most(float a, float b) {
    return a > b ? a : b;
}

/* ---- rays and normals ------------------------------------------------------------------------ */

/* With d = R^T ((u - cx) / fx, (v - cy) / fy, 1) the ray in air meets the water h_c / d_z times d
 * below the camera. In water its direction is (d_x, d_y, sqrt((n^2 - 1) d.d + d_z^2)) / (n |d|),
 * Snell's law in a form that loses no digits near the horizon or at n = 1. */
static void loops_rays(const AqmSightCamera *c, float u, float v, size_t n, const AqmRayRow *out) {
    float *restrict x = out->x, *restrict y = out->y;
    float *restrict dx = out->direction[0], *restrict dy = out->direction[1],
                    *restrict dz = out->direction[2];
    const float *R = c->R, b = (v - c->cy) / c->fy, m2 = c->n * c->n - 1.0f, h_c = c->h_c;
    const float row[3] = {R[3] * b + R[6], R[4] * b + R[7], R[5] * b + R[8]};
    const float first = u - c->cx, fx = c->fx, index = c->n;
    const float R0 = R[0], R1 = R[1], R2 = R[2];
    for (size_t k = 0; k < n; k++) {
        const float a = (first + (float)(int)k) / fx;
        const float p = R0 * a + row[0], q = R1 * a + row[1], down = R2 * a + row[2];
        const float length2 = p * p + q * q + down * down;
        const float unit = down > 0.0f ? 1.0f / (index * sqrtf(length2)) : NAN;
        const float reach = h_c / down;
        x[k] = down > 0.0f ? reach * p : NAN;
        y[k] = reach * q;
        dx[k] = unit * p;
        dy[k] = unit * q;
        dz[k] = unit * sqrtf(m2 * length2 + down * down);
    }
}

enum {
    SIDE = AQM_SLOPES_SIDE,
    LINES = 2, /* on each side that are averaged */
    RISES_PITCH = SIDE + 8
};

/* The rises between `from` and `to` px along `step`; NaN where they are not smooth. */
static inline void find_rises(const float *depth, ptrdiff_t step, int from, int to, float tolerance,
                              size_t n, float *restrict rises) {
    const float *before = depth + from * step, *after = depth + to * step;
    const float pixels = (float)(to - from), a = (float)to / pixels, b = (float)-from / pixels;
    const float steepest = 0.7f * tolerance * pixels, bend = 0.5f * tolerance;
    for (size_t k = 0; k < n; k++) {
        const float rise = after[k] - before[k], even = a * before[k] + b * after[k];
        const int smooth = (fabsf(depth[k] - even) < bend) & (fabsf(rise) < steepest);
        rises[k] = smooth ? rise : NAN; /* a NaN in any is not smooth */
    }
}

/* Means over five lines of rises `across` apart, of `pixels` each; NaN where none is smooth.
 * Returns how many are so. */
static inline int mean_rises(const float *rises, ptrdiff_t across, float pixels, size_t n,
                             float *restrict slope) {
    int unknown = 0;
    for (size_t k = 0; k < n; k++) {
        float sum = 0.0f, count = 0.0f;
        for (ptrdiff_t line = -LINES; line <= LINES; line++) {
            const float rise = rises[(ptrdiff_t)k + line * across];
            sum += rise == rise ? rise : 0.0f;
            count += rise == rise ? pixels : 0.0f;
        }
        slope[k] = sum / count; /* 0 / 0: NaN */
        unknown += count == 0.0f;
    }
    return unknown;
}

/* The slope at one pixel from the rises to its two sides. */
static float slope_to_sides(const float *depth, ptrdiff_t step, ptrdiff_t across, float tolerance) {
    float sum = 0.0f, count = 0.0f;
    for (int line = -LINES; line <= LINES; line++)
        for (int side = -3; side <= 0; side += 3) {
            float rise;
            find_rises(depth + line * across, step, side, side + 3, tolerance, 1, &rise);
            sum += rise == rise ? rise : 0.0f;
            count += rise == rise ? 3.0f : 0.0f;
        }
    return sum / count;
}

static inline void fill_slopes(const float *depth, ptrdiff_t step, ptrdiff_t across,
                               float tolerance, size_t n, float *slope) {
    for (size_t k = 0; k < n; k++)
        if (!(slope[k] == slope[k]) && depth[k] == depth[k])
            slope[k] = slope_to_sides(depth + k, step, across, tolerance);
}

static void loops_slopes(const float *depth, ptrdiff_t pitch, float tolerance, size_t width,
                         size_t height, float *slope_u, float *slope_v) {
    float rises[(SIDE + 2 * LINES) * RISES_PITCH];
    for (ptrdiff_t y = -LINES; y < (ptrdiff_t)height + LINES; y++)
        find_rises(depth + y * pitch, 1, -3, 3, tolerance, width,
                   rises + (y + LINES) * RISES_PITCH);
    for (size_t y = 0; y < height; y++) {
        const float *center = rises + (y + LINES) * RISES_PITCH, *at = depth + (ptrdiff_t)y * pitch;
        if (mean_rises(center, RISES_PITCH, 6.0f, width, slope_u + y * width))
            fill_slopes(at, 1, pitch, tolerance, width, slope_u + y * width);
    }
    for (size_t y = 0; y < height; y++) {
        const float *at = depth + (ptrdiff_t)y * pitch;
        find_rises(at - LINES, pitch, -3, 3, tolerance, width + 2 * LINES, rises);
        if (mean_rises(rises + LINES, 1, 6.0f, width, slope_v + y * width))
            fill_slopes(at, pitch, 1, tolerance, width, slope_v + y * width);
    }
}

/* The step between two points of the surface on neighbouring rays, for one coordinate: `a` and `b`
 * their starts, `da` and `db` their directions, `s` the depth on the first, `rise` what it grows.
 */
static inline float tangent(float a, float b, float da, float db, float s, float rise) {
    return b - a + s * (db - da) + rise * db;
}

static void loops_normals(const AqmRayRow *here, const AqmRayRow *below, const float *depth,
                          const float *slope_u, const float *slope_v, size_t n,
                          float *const normal[3]) {
    for (size_t first = 0; first < n; first += LANES) {
        const float *x = here->x + first, *y = here->y + first;
        const float *x_low = below->x + first, *y_low = below->y + first;
        const float *dx = here->direction[0] + first, *dy = here->direction[1] + first,
                    *dz = here->direction[2] + first;
        const float *dx_low = below->direction[0] + first, *dy_low = below->direction[1] + first,
                    *dz_low = below->direction[2] + first;
        const float *s = depth + first, *su = slope_u + first, *sv = slope_v + first;
        float out[3][LANES]; /* apart from all that is read: the loop vectorises */
        for (int k = 0; k < LANES; k++) {
            const float ux = tangent(x[k], x[k + 1], dx[k], dx[k + 1], s[k], su[k]);
            const float uy = tangent(y[k], y[k + 1], dy[k], dy[k + 1], s[k], su[k]);
            const float uz = tangent(0.0f, 0.0f, dz[k], dz[k + 1], s[k], su[k]);
            const float vx = tangent(x[k], x_low[k], dx[k], dx_low[k], s[k], sv[k]);
            const float vy = tangent(y[k], y_low[k], dy[k], dy_low[k], s[k], sv[k]);
            const float vz = tangent(0.0f, 0.0f, dz[k], dz_low[k], s[k], sv[k]);
            const float a = vy * uz - vz * uy, b = vz * ux - vx * uz, c = vx * uy - vy * ux;
            const float length = sqrtf(a * a + b * b + c * c);
            const float away = a * dx[k] + b * dy[k] + c * dz[k];
            const float scale = (away > 0.0f ? -1.0f : 1.0f) / length; /* times 0 where 0: NaN */
            out[0][k] = scale * a;
            out[1][k] = scale * b;
            out[2][k] = scale * c;
        }
        for (int i = 0; i < 3; i++)
            memcpy(normal[i] + first, out[i], sizeof out[i]);
    }
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* A confidence of 0, which may be allowed, still counts for something. */
static const float LEAST_CONFIDENCE = 1e-3f;

/* Depths are rounded to 19 bits of mantissa; one that rounds up to 4096 m is unusable. */
static void loops_pack(const AqmDepthRow *row, const AqmPackRules *rules, size_t n,
                       uint32_t *restrict texels) {
    const float *depth = row->depth, *confidence = row->confidence, *deviation = row->deviation;
    const float least_confidence = rules->least_confidence, stand_in = rules->stand_in;
    for (size_t k = 0; k < n; k++) {
        const int usable =
            (depth[k] >= 0x1p-20f) & (depth[k] < 4095.99f) & (confidence[k] >= least_confidence);
        const int known = (deviation[k] > 0.0f) & (deviation[k] < INFINITY);
        const float held = usable ? depth[k] : 1.0f, c = usable ? confidence[k] : 1.0f;
        const float guess = stand_in / sqrtf(least(most(c, LEAST_CONFIDENCE), 1.0f));
        uint32_t bits;
        memcpy(&bits, &held, sizeof bits);
        const uint32_t code =
            (bits + (1u << (AQM_TEXEL_SHIFT - 1)) - AQM_TEXEL_BIAS) >> AQM_TEXEL_SHIFT;
        const uint32_t spread = aqm_deviation_code(known ? deviation[k] : guess);
        texels[k] = usable ? code << 8 | spread : 0;
    }
}

/* ---- what another view says ------------------------------------------------------------------ */

/* One Newton step of z = h_c + h / sqrt(n^2 + (n^2 - 1) r^2 / z^2), see geometry/refraction.h, with
 * bend = (n^2 - 1) r^2: numerator and denominator times q^(3/2), q = n^2 z^2 + bend, so that one
 * root and one quotient do. */
static inline float newton(float z, float h_c, float h, float n2, float bend) {
    const float q = n2 * z * z + bend, s = sqrtf(q);
    return z - q * ((z - h_c) * s - h * z) / (q * s - h * bend);
}

/* What is found of a point at depth h and squared distance r2: how far below the water it seems to
 * be, z - h_c, and its ray depth. */
typedef struct Seeming {
    float below, depth;
} Seeming;

static inline Seeming seem_by_newton(const AqmSightCamera *c, float r2, float h) {
    const float h_c = c->h_c, n2 = c->n * c->n, bend = (n2 - 1.0f) * r2;
    float z = newton(h_c + h * (1.0f / c->n), h_c, h, n2, bend);
    z = newton(z, h_c, h, n2, bend);
    const float in_water = (z - h_c) / z; /* the share of the way that lies under water */
    return (Seeming){z - h_c, sqrtf(r2 * in_water * in_water + h * h)};
}

static inline float quadratic(const float a[6], float x, float y) {
    return (a[0] + y * (a[2] + y * a[5])) + x * (a[1] + y * a[4] + x * a[3]);
}

static inline Seeming seem_by_bend(const AqmSightBend *b, float r2, float h) {
    const float x = (r2 - b->middle[0]) * b->per_half[0];
    const float y = (h - b->middle[1]) * b->per_half[1];
    return (Seeming){h * quadratic(b->apparent, x, y), h * quadratic(b->slant, x, y)};
}

enum { FITTED = 9, NODES = 24 };

/* In half widths of the region: nine to fit to, at the zeros of the third Chebyshev polynomial, and
 * the rest on the border, where what is left is largest. */
static const float NODE_X[NODES] = {-0.8660254f, 0.0f,  0.8660254f, -0.8660254f, 0.0f,  0.8660254f,
                                    -0.8660254f, 0.0f,  0.8660254f, -1.0f,       -0.5f, 0.0f,
                                    0.5f,        1.0f,  -1.0f,      -0.5f,       0.0f,  0.5f,
                                    1.0f,        -1.0f, -1.0f,      -1.0f,       1.0f,  1.0f};
static const float NODE_Y[NODES] = {-0.8660254f, -0.8660254f, -0.8660254f, 0.0f,  0.0f,  0.0f,
                                    0.8660254f,  0.8660254f,  0.8660254f,  -1.0f, -1.0f, -1.0f,
                                    -1.0f,       -1.0f,       1.0f,        1.0f,  1.0f,  1.0f,
                                    1.0f,        -0.5f,       0.0f,        0.5f,  0.0f,  0.5f};

/* The quadratic through values at the first nine nodes, by least squares: 1, x, y, x y, x^2 - 0.5
 * and y^2 - 0.5 are orthogonal over them. */
static inline void fit_quadratic(const float *values, float a[6]) {
    float sums[6] = {0};
    for (int k = 0; k < FITTED; k++) {
        const float x = NODE_X[k], y = NODE_Y[k], f = values[k];
        const float terms[6] = {f, x * f, y * f, (x * x - 0.5f) * f, x * y * f, (y * y - 0.5f) * f};
        for (int i = 0; i < 6; i++)
            sums[i] += terms[i];
    }
    a[1] = sums[1] / 4.5f, a[2] = sums[2] / 4.5f, a[4] = sums[4] / 2.25f;
    a[3] = sums[3] / 1.125f, a[5] = sums[5] / 1.125f;
    a[0] = sums[0] / 9.0f - 0.5f * (a[3] + a[5]);
}

/* Relative to the seeming height z and the ray depth. At f = 1400 px and 27 degrees from the
 * vertical 1e-5 of z is 0.007 px. */
static const float BEND_OFF_HEIGHT = 1e-5f, BEND_OFF_DEPTH = 2e-5f;

/* z = h_c + h g with g = 1 / sqrt(n^2 + (n^2 - 1) t), t = r^2 / z^2; the ray depth is h sqrt(1 +
 * g^2 t). Both are smooth, and next to even over the region that a tile takes in. */
static int loops_bend(const AqmSightCamera *c, const float r2[2], const float h[2],
                      AqmSightBend *out) {
    float z[NODES], apparent[NODES], slant[NODES];
    const float n2 = c->n * c->n, m2 = n2 - 1.0f;
    const float half[2] = {most(0.5f * (r2[1] - r2[0]), 1e-6f), most(0.5f * (h[1] - h[0]), 1e-6f)};
    const float middle[2] = {0.5f * (r2[0] + r2[1]), 0.5f * (h[0] + h[1])};
    for (int k = 0; k < NODES; k++) {
        const float far2 = most(0.0f, middle[0] + half[0] * NODE_X[k]); /* NaN stays */
        const float down = middle[1] + half[1] * NODE_Y[k];
        float height = newton(c->h_c + down * (1.0f / c->n), c->h_c, down, n2, m2 * far2);
        height = newton(height, c->h_c, down, n2, m2 * far2);
        height = newton(height, c->h_c, down, n2, m2 * far2);
        const float t = far2 / (height * height), g = 1.0f / sqrtf(n2 + m2 * t);
        z[k] = height;
        apparent[k] = g;
        slant[k] = sqrtf(1.0f + g * g * t);
    }
    *out = (AqmSightBend){.middle = {middle[0], middle[1]},
                          .per_half = {1.0f / half[0], 1.0f / half[1]}};
    fit_quadratic(apparent, out->apparent);
    fit_quadratic(slant, out->slant);
    int close = 0;
    for (int k = 0; k < NODES; k++) {
        const float down = middle[1] + half[1] * NODE_Y[k];
        const float off = quadratic(out->apparent, NODE_X[k], NODE_Y[k]) - apparent[k];
        const float off_slant = quadratic(out->slant, NODE_X[k], NODE_Y[k]) - slant[k];
        close += (fabsf(down * off) <= BEND_OFF_HEIGHT * z[k]) &
                 (fabsf(off_slant) <= BEND_OFF_DEPTH * slant[k]); /* NaN is not */
    }
    return close == NODES;
}

/* Where the view sees points: the pixel (NaN where it does not), the ray depth, and the factor from
 * a difference in its ray depths to one along the points' own rays: with d' its ray and n the
 * normal (d' . n) / (d . n), or of the Z components where the surface does not face both, held in
 * 0.5..2.
 */
typedef struct Seen {
    float u[CHUNK], v[CHUNK], depth[CHUNK], ratio[CHUNK];
} Seen;

/* One quotient serves all: 1 / pz, 1 / z and 1 / (ray depth * facing) are parts of it. */
static inline void locate_by(const AqmSightCamera *c, const AqmSightBend *bend,
                             const AqmSightPoints *points, size_t first, size_t n,
                             Seen *restrict seen) {
    const float *X = points->position[0] + first, *Y = points->position[1] + first,
                *Z = points->position[2] + first;
    const float *nx = points->normal[0] + first, *ny = points->normal[1] + first,
                *nz = points->normal[2] + first;
    const float *facing = points->facing + first, *descent = points->descent + first;
    const float *R = c->R, h_c = c->h_c, water_z = c->water_z, Cx = c->C[0], Cy = c->C[1];
    const float R0 = R[0], R1 = R[1], R2 = R[2], R3 = R[3], R4 = R[4], R5 = R[5], R6 = R[6],
                R7 = R[7], R8 = R[8], fx = c->fx, fy = c->fy, cx = c->cx, cy = c->cy;
    const AqmSightCamera camera = *c;
    const AqmSightBend by = bend ? *bend : (AqmSightBend){0};
    for (size_t k = 0; k < n; k++) {
        const float x = X[k] - Cx, y = Y[k] - Cy, h = Z[k] - water_z, r2 = x * x + y * y;
        const Seeming at = bend ? seem_by_bend(&by, r2, h) : seem_by_newton(&camera, r2, h);
        const float z = h_c + at.below;
        const float px = R0 * x + R1 * y + R2 * z, py = R3 * x + R4 * y + R5 * z;
        const float pz = R6 * x + R7 * y + R8 * z;
        /* their ray and ours, theirs times z: along the normal, or the vertical */
        const float facing_them = (nx[k] * x + ny[k] * y) * at.below + nz[k] * h * z;
        const int both = (facing_them < 0.0f) & (facing[k] < 0.0f);
        const float theirs = both ? facing_them : h * z, ours = both ? facing[k] : descent[k];
        const float forward = pz * z, slanted = at.depth * ours;
        const float inverse = 1.0f / (forward * slanted);
        const float scale = ((pz > 0.0f) & (h > 0.0f)) ? inverse * (z * slanted) : NAN;
        const float along = theirs * (inverse * pz);
        seen->u[k] = fx * px * scale + cx;
        seen->v[k] = fy * py * scale + cy;
        seen->depth[k] = at.depth;
        seen->ratio[k] = least(most(along, 0.5f), 2.0f);
    }
}

static inline void locate(const AqmSightCamera *c, const AqmSightBend *bend,
                          const AqmSightPoints *points, size_t first, size_t n, Seen *seen) {
    if (bend)
        locate_by(c, bend, points, first, n, seen);
    else
        locate_by(c, NULL, points, first, n, seen);
}

/* ---- the mean of what all say ---------------------------------------------------------------- */

/* Values within this share of the tolerance of each other need no weighing: none would get less
 * than 0.7. */
static const float WIDTH_OF_ONE = 0.2f;
/* 5 standard deviations: weights of Gaussian errors stay above 0.9 up to 1.1 of them; the
 * efficiency is 96 %. */
static const float TUKEY_CUT = 5.0f;
static const float MAD_TO_SIGMA = 1.4826f;

typedef float Lanes[LANES];

/* Sorts each lane: insertion with exchanges that do not depend on the values. */
static inline void sort_lanes(Lanes *values, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0; j--)
            for (int k = 0; k < LANES; k++) {
                const float a = values[j - 1][k], b = values[j][k];
                values[j - 1][k] = least(a, b);
                values[j][k] = most(a, b);
            }
}

/* The median of the first `found` (1 or more) of `count` sorted values. */
static inline void median_lanes(Lanes *sorted, size_t count, const int *found,
                                float *restrict out) {
    float low[LANES] = {0}, high[LANES] = {0};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < LANES; k++) {
            low[k] = (int)i == (found[k] - 1) / 2 ? sorted[i][k] : low[k];
            high[k] = (int)i == found[k] / 2 ? sorted[i][k] : high[k];
        }
    for (int k = 0; k < LANES; k++)
        out[k] = 0.5f * (low[k] + high[k]);
}

/* Tukey's biweight of the distance from the median, with the median absolute deviation as scale,
 * at least a tenth of the tolerance: within noise of that size every view counts almost fully. */
static inline void robust_lanes(Lanes *values, Lanes *weights, size_t count, const int *found,
                                float tolerance, float *restrict mean, float *restrict misfit) {
    Lanes sorted[AQM_FUSION_VIEWS_MAX + 1];
    float middle[LANES], deviation[LANES], sum[LANES] = {0}, total[LANES] = {0};
    float squares[LANES] = {0};
    memcpy(sorted, values, count * sizeof *sorted);
    sort_lanes(sorted, count);
    median_lanes(sorted, count, found, middle);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < LANES; k++)
            sorted[i][k] = fabsf(values[i][k] - middle[k]);
    sort_lanes(sorted, count);
    median_lanes(sorted, count, found, deviation);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < LANES; k++) {
            const float scale = most(MAD_TO_SIGMA * deviation[k], 0.1f * tolerance);
            const int is_there = values[i][k] < INFINITY;
            const float value = is_there ? values[i][k] : 0.0f;
            const float t = (value - middle[k]) / (TUKEY_CUT * scale), t2 = t * t;
            const float fall = (is_there & (t2 < 1.0f)) ? 1.0f - t2 : 0.0f;
            const float weight = fall * fall * weights[i][k];
            sum[k] += weight * value;
            squares[k] += weight * value * value;
            total[k] += weight;
        }
    for (int k = 0; k < LANES; k++) {
        mean[k] = total[k] > 0.0f ? sum[k] / total[k] : middle[k];
        misfit[k] = most(squares[k] - mean[k] * sum[k], 0.0f);
    }
}

/* The robust means of `count` points (at most LANES) of the n, whose numbers are in `which`. */
static inline void settle_spread(const float *beyond, const float *weight, size_t views,
                                 const float *own, float tolerance, size_t n, const size_t *which,
                                 size_t count, const AqmSettled *settled) {
    Lanes values[AQM_FUSION_VIEWS_MAX + 1], weights[AQM_FUSION_VIEWS_MAX + 1];
    float mean[LANES], misfit[LANES];
    int found[LANES];
    for (size_t k = 0; k < LANES; k++) {
        const size_t at = which[k < count ? k : 0];
        values[0][k] = 0.0f;
        weights[0][k] = own[at];
        found[k] = 1;
        for (size_t i = 0; i < views; i++) {
            const float value = beyond[i * n + at];
            const int is_there = value == value;
            values[i + 1][k] = is_there ? value : INFINITY;
            weights[i + 1][k] = weight[i * n + at];
            found[k] += is_there;
        }
    }
    robust_lanes(values, weights, views + 1, found, tolerance, mean, misfit);
    for (size_t k = 0; k < count; k++) {
        settled->mean[which[k]] = mean[k];
        settled->misfit[which[k]] = misfit[k];
    }
}

/* The plain weighted means of a chunk, their misfits, how many agree, and how far they are apart.
 */
static inline void settle_plain(const float *beyond, const float *weight, size_t views, size_t n,
                                const float *own, float *restrict mean, float *restrict misfit,
                                float *restrict width, float *restrict agreeing) {
    float sum[CHUNK] = {0}, total[CHUNK], low[CHUNK] = {0}, high[CHUNK] = {0};
    float squares[CHUNK] = {0};
    for (int k = 0; k < CHUNK; k++)
        total[k] = own[k], agreeing[k] = 1.0f;
    for (size_t i = 0; i < views; i++)
        for (int k = 0; k < CHUNK; k++) {
            const float said = beyond[i * n + (size_t)k], w = weight[i * n + (size_t)k];
            const float value = said == said ? said : 0.0f;
            agreeing[k] += said == said ? 1.0f : 0.0f;
            sum[k] += w * value;
            squares[k] += w * value * value;
            total[k] += w;
            low[k] = least(low[k], value);
            high[k] = most(high[k], value);
        }
    for (int k = 0; k < CHUNK; k++) {
        mean[k] = sum[k] / total[k];
        misfit[k] = most(squares[k] - mean[k] * sum[k], 0.0f);
        width[k] = high[k] - low[k];
    }
}

static void loops_settle(const float *beyond, const float *weight, size_t views, const float *own,
                         float tolerance, size_t n, const AqmSettled *settled) {
    size_t which[LANES], waiting = 0;
    for (size_t first = 0; first < n; first += CHUNK) {
        float width[CHUNK], agreeing[CHUNK];
        settle_plain(beyond + first, weight + first, views, n, own + first, settled->mean + first,
                     settled->misfit + first, width, agreeing);
        for (size_t k = 0; k < CHUNK; k++) {
            settled->count[first + k] = (uint8_t)agreeing[k];
            if (width[k] < WIDTH_OF_ONE * tolerance)
                continue;
            which[waiting++] = first + k;
            if (waiting < LANES)
                continue;
            settle_spread(beyond, weight, views, own, tolerance, n, which, waiting, settled);
            waiting = 0;
        }
    }
    if (waiting > 0)
        settle_spread(beyond, weight, views, own, tolerance, n, which, waiting, settled);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void loops_spread(const AqmVoted *voted, size_t n, uint8_t *restrict codes) {
    const uint8_t *count = voted->count;
    const float *variance = voted->variance, *misfit = voted->misfit, *facing = voted->facing;
    const float *smoothing = voted->smoothing, *share = voted->share, *doubt = voted->doubt;
    for (size_t k = 0; k < n; k++) {
        const float own =
            aqm_fused_variance(share[count[k]], doubt[count[k]], variance[k], misfit[k]);
        const float both = own + smoothing[k] * smoothing[k];
        codes[k] = (uint8_t)aqm_deviation_code(sqrtf(both) * fabsf(facing[k]));
    }
}

static uint32_t loops_keep(const AqmKeepRow *row, const AqmKeepRules *rules, size_t n,
                           int16_t *restrict shifts, float *restrict low, float *restrict high) {
    const float *depth = row->depth, *start = row->start, *direction = row->direction;
    const float *shift = row->shift, center = row->center;
    const float tolerance = rules->tolerance, step = rules->step;
    const uint8_t *count = row->count;
    const int needed = rules->needed;
    uint32_t found[LANES] = {0}, sum = 0;
    for (size_t first = 0; first < n; first += LANES)
        for (size_t j = 0; j < LANES; j++) {
            const size_t k = first + j;
            const float steps = shift[k] / tolerance * (float)AQM_SHIFT_STEPS;
            const int32_t rounded = (int32_t)(steps + (steps < 0.0f ? -0.5f : 0.5f));
            const float moved = depth[k] + (float)rounded * step; /* as aqm_shifted_depth */
            const int kept = (count[k] >= needed) & (moved > 0.0f);
            const float y = center + (start[k] + moved * direction[k]);
            shifts[k] = (int16_t)(kept ? rounded : AQM_SHIFT_NONE);
            found[j] += kept ? 1 : 0;
            low[j] = least(kept ? y : low[j], low[j]);
            high[j] = most(kept ? y : high[j], high[j]);
        }
    for (int j = 0; j < LANES; j++)
        sum += found[j];
    return sum;
}

/* ---- voxels ---------------------------------------------------------------------------------- */

/* Many points at once: a column is a point. */
typedef struct ArrivalBlock {
    int32_t index[3][AQM_ARRIVALS];
    uint32_t views[AQM_ARRIVALS];
    float sums[AQM_VOXEL_SUMS][AQM_ARRIVALS];
    uint32_t first[AQM_ARRIVALS], tag[AQM_ARRIVALS];
} ArrivalBlock;

static inline void find_voxels(double per_m, double corner, const float *coordinate,
                               const float *weight, int32_t *restrict index,
                               float *restrict inside) {
    for (int k = 0; k < AQM_ARRIVALS; k++) {
        const double cells = aqm_voxel_held((double)coordinate[k] * per_m - corner);
        const double low = floor(cells);
        index[k] = (int32_t)low;
        inside[k] = weight[k] * (float)(cells - low);
    }
}

static inline void weigh_points(const AqmPointRow *row, size_t at, ArrivalBlock *restrict block) {
    const float *x = row->position[0] + at, *confidence = row->confidence + at;
    const uint8_t *views = row->views + at, *deviation = row->deviation + at;
    for (int k = 0; k < AQM_ARRIVALS; k++) {
        const float weight = most(confidence[k], LEAST_CONFIDENCE) * (float)(int32_t)views[k];
        block->views[k] = x[k] == x[k] ? views[k] : 0;
        block->sums[AQM_SUM_WEIGHT][k] = weight;
        block->sums[AQM_SUM_CONFIDENCE][k] = weight * confidence[k];
        block->sums[AQM_SUM_DEVIATION][k] = weight * aqm_deviation_of(deviation[k]);
    }
}

static inline void arrive_block(const AqmVoxelGrid *grid, const AqmPointRow *row, size_t at,
                                ArrivalBlock *restrict block) {
    const float *weight = block->sums[AQM_SUM_WEIGHT];
    weigh_points(row, at, block);
    for (int i = 0; i < 3; i++) {
        const float *normal = row->normal[i] + at;
        const uint8_t *color = row->color + 3 * at + i;
        float *restrict normals = block->sums[AQM_SUM_NORMAL + i];
        float *restrict colors = block->sums[AQM_SUM_COLOR + i];
        find_voxels(grid->per_m, grid->corner[i], row->position[i] + at, weight, block->index[i],
                    block->sums[AQM_SUM_POSITION + i]);
        for (int k = 0; k < AQM_ARRIVALS; k++) {
            normals[k] = normal[k] == normal[k] ? weight[k] * normal[k] : 0.0f;
            colors[k] = weight[k] * (float)color[3 * k];
        }
    }
    for (int k = 0; k < AQM_ARRIVALS; k++) {
        const AqmVoxelPlace place =
            aqm_voxel_place(block->index[0][k], block->index[1][k], block->index[2][k]);
        block->first[k] = place.first;
        block->tag[k] = place.tag;
    }
}

#endif
