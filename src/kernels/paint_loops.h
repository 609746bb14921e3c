/* Loops of painting in plain C: the reference (paint_ref.c), and compiled once more for AVX2
 * (paint_avx2.c), which does by hand what reads images. Contracts in paint_kernels.h. Included by
 * those two files only.
 *
 * With z the apparent depth of a vertex (geometry/refraction.h) and r its horizontal distance from
 * the camera, tan a = r / z is the angle in air, sin w = sin a / n that in water: the ray falls by
 * cos w a metre, so that the vertex lies h / cos w along it, and its direction is (sin w along the
 * horizontal, cos w down). */
#ifndef AQM_KERNELS_PAINT_LOOPS_H
#define AQM_KERNELS_PAINT_LOOPS_H

#include <math.h>
#include <string.h>

#include "kernels/paint_kernels.h"

enum { LANES = AQM_PAINT_LANES };

static inline float least(float a, float b) {
    return a < b ? a : b;
}

static inline float most(float a, float b) {
    return a > b ? a : b;
}

/* A Newton step of z with numerator and denominator times q^(3/2), q = n^2 z^2 + bend, so that one
 * quotient is enough. bend = (n^2 - 1) r^2. */
static inline float newton(float z, float h_c, float h, float n2, float bend) {
    const float q = n2 * (z * z) + bend, q3 = q * sqrtf(q);
    return z - ((z - h_c) * q3 - h * z * q) / (q3 - h * bend);
}

/* A camera in single values: loops over arrays of them do not vectorise. */
typedef struct Eye {
    float x, y, water_z, h_c, n2, m2, inverse_n;
    float R0, R1, R2, R3, R4, R5, R6, R7, R8;
    float fx, fy, cx, cy;
} Eye;

static inline Eye eye_of(const AqmSightCamera *c) {
    const float *R = c->R;
    return (Eye){c->C[0],     c->C[1], c->water_z, c->h_c, c->n * c->n, c->n * c->n - 1.0f,
                 1.0f / c->n, R[0],    R[1],       R[2],   R[3],        R[4],
                 R[5],        R[6],    R[7],       R[8],   c->fx,       c->fy,
                 c->cx,       c->cy};
}

/* A vertex relative to the camera, as a pinhole camera would see it. */
typedef struct Apparent {
    float x, y, h, z, r2;
    float u, v; /* NaN where it is not seen */
} Apparent;

static inline Apparent apparent(const Eye *c, float X, float Y, float Z) {
    const float x = X - c->x, y = Y - c->y, h = Z - c->water_z, h_c = c->h_c;
    const float r2 = x * x + y * y, bend = c->m2 * r2;
    float z = newton(h_c + h * c->inverse_n, h_c, h, c->n2, bend);
    z = newton(z, h_c, h, c->n2, bend);
    z = newton(z, h_c, h, c->n2, bend);
    const float px = c->R0 * x + c->R1 * y + c->R2 * z, py = c->R3 * x + c->R4 * y + c->R5 * z;
    const float pz = c->R6 * x + c->R7 * y + c->R8 * z, inverse = 1.0f / pz;
    const float before = ((pz > 0.0f) & (h > 0.0f)) ? inverse : NAN;
    return (Apparent){x, y, h, z, r2, c->fx * (px * before) + c->cx, c->fy * (py * before) + c->cy};
}

/* What the loops make stands apart from all that they read, else they do not vectorise. */
typedef float Lanes[LANES];

static inline void put(float *to, const Lanes lanes) {
    memcpy(to, lanes, sizeof(Lanes));
}

static void loops_sights(const AqmSightCamera *camera, const AqmPaintPoints *points, size_t n,
                         const AqmPaintSights *sights) {
    const Eye c = eye_of(camera);
    for (size_t first = 0; first < n; first += LANES) {
        const float *X = points->position[0] + first, *Y = points->position[1] + first,
                    *Z = points->position[2] + first;
        const float *nx = points->normal[0] + first, *ny = points->normal[1] + first,
                    *nz = points->normal[2] + first;
        Lanes u, v, depth, facing, density;
        for (int k = 0; k < LANES; k++) {
            const Apparent a = apparent(&c, X[k], Y[k], Z[k]);
            const float inverse_air = 1.0f / sqrtf(a.r2 + a.z * a.z);
            const float across = inverse_air * c.inverse_n; /* sin w / r */
            const float cos_water = sqrtf(1.0f - a.r2 * (across * across));
            u[k] = a.u, v[k] = a.v;
            depth[k] = a.h / cos_water;
            facing[k] = -(across * (a.x * nx[k] + a.y * ny[k]) + cos_water * nz[k]);
            density[k] = c.fx * inverse_air;
        }
        put(sights->u + first, u), put(sights->v + first, v);
        put(sights->depth + first, depth);
        put(sights->facing + first, facing);
        put(sights->density + first, density);
    }
}

static void loops_places(const AqmSightCamera *camera, const AqmPaintCells *cells,
                         const float *const position[3], size_t n, const AqmPaintSights *sights,
                         int32_t *cell) {
    const Eye c = eye_of(camera);
    const float per_px = 1.0f / AQM_SIGHT_CELL;
    const float columns = (float)cells->columns, rows = (float)cells->rows;
    const int32_t pitch = cells->columns, none = cells->none;
    for (size_t first = 0; first < n; first += LANES) {
        const float *X = position[0] + first, *Y = position[1] + first, *Z = position[2] + first;
        Lanes u, v, depth;
        int32_t number[LANES];
        for (int k = 0; k < LANES; k++) {
            const Apparent a = apparent(&c, X[k], Y[k], Z[k]);
            const float across = c.inverse_n / sqrtf(a.r2 + a.z * a.z);
            const float i = a.u * per_px + 0.5f, j = a.v * per_px + 0.5f;
            const int inside = (i >= 0.0f) & (j >= 0.0f) & (i < columns) & (j < rows);
            const float held_i = inside ? i : 0.0f, held_j = inside ? j : 0.0f;
            const int32_t at = (int32_t)held_j * pitch + (int32_t)held_i;
            u[k] = a.u, v[k] = a.v;
            depth[k] = a.h / sqrtf(1.0f - a.r2 * (across * across));
            number[k] = inside ? at : none;
        }
        put(sights->u + first, u), put(sights->v + first, v);
        put(sights->depth + first, depth);
        memcpy(cell + first, number, sizeof number);
    }
}

/* ---- one vertex of a view, for images of any kind -------------------------------------------- */

static inline float sample_at(const AqmPaintView *view, int x, int y, int channel) {
    const char *row = (const char *)view->pixels + (size_t)y * view->stride;
    const size_t at = (size_t)x * (size_t)view->channels + (size_t)channel;
    return view->is_16_bit ? (float)((const uint16_t *)(const void *)row)[at]
                           : (float)((const uint8_t *)row)[at];
}

/* Gray gives r = g = b. */
static inline void blend_one(const AqmPaintView *view, float u, float v, float weight, size_t k,
                             const AqmPaintSums *sums) {
    const int x = (int)u, y = (int)v;
    const int x1 = x + 1 < view->width ? x + 1 : x, y1 = y + 1 < view->height ? y + 1 : y;
    const float p = u - (float)x, q = v - (float)y;
    for (int i = 0; i < 3; i++) {
        const int channel = view->channels == 3 ? i : 0;
        const float a = sample_at(view, x, y, channel), b = sample_at(view, x1, y, channel);
        const float c = sample_at(view, x, y1, channel), d = sample_at(view, x1, y1, channel);
        const float above = a + p * (b - a), below = c + p * (d - c);
        sums->color[i][k] += weight * (view->scale * (above + q * (below - above)));
    }
    sums->weight[k] += weight;
    sums->views[k]++;
}

static inline void loops_blend(const AqmPaintView *view, const float *u, const float *v,
                               const float *weight, size_t n, const AqmPaintSums *sums) {
    for (size_t k = 0; k < n; k++)
        if (weight[k] > 0.0f)
            blend_one(view, u[k], v[k], weight[k], k, sums);
}

/* Of a vertex that is in the image and faces the camera. */
static inline float weight_of(const AqmPaintView *view, const AqmPaintRules *rules, float u,
                              float v, float depth, float facing, float density) {
    const size_t x = (size_t)(u + 0.5f), y = (size_t)(v + 0.5f);
    const float right = (float)(view->width - 1), bottom = (float)(view->height - 1);
    const int32_t cell = (int32_t)v / AQM_SIGHT_CELL * view->columns + (int32_t)u / AQM_SIGHT_CELL;
    const float tolerance = most(rules->tolerance_px / density, rules->tolerance_m);
    if ((view->mask && !view->mask[y * view->mask_stride + x]) ||
        depth > view->nearest[cell] + tolerance)
        return 0.0f;
    const float inside = least(least(u, right - u), least(v, bottom - v));
    const float t = least(inside * view->inverse_border, 1.0f);
    const float step = least(facing, 1.0f) * (float)AQM_PAINT_POWERS;
    const int first = (int)least(step, (float)(AQM_PAINT_POWERS - 1));
    const float low = rules->powers[first], high = rules->powers[first + 1];
    const float power = low + (step - (float)first) * (high - low);
    return power * (density * density) * (t * t * (3.0f - 2.0f * t)) + rules->least_weight;
}

static inline size_t loops_weigh(const AqmPaintView *view, const AqmPaintRules *rules,
                                 const AqmPaintSights *sights, size_t n, float *weight) {
    const float right = (float)(view->width - 1), bottom = (float)(view->height - 1);
    size_t seen = 0;
    for (size_t k = 0; k < n; k++) {
        const float u = sights->u[k], v = sights->v[k], facing = sights->facing[k];
        const bool may = facing >= rules->least_facing && u >= 0.0f && v >= 0.0f && u <= right &&
                         v <= bottom; /* NaN may not */
        weight[k] =
            may ? weight_of(view, rules, u, v, sights->depth[k], facing, sights->density[k]) : 0.0f;
        seen += weight[k] > 0.0f;
    }
    return seen;
}

#endif
