/* The counterpart of a point by least squares between images (Lucas & Kanade 1981, in the inverse
 * form of Baker & Matthews 2004).
 *
 * A patch of the first image, SIDE x SIDE whole pixels about the point p, is compared with the
 * second image I2 at
 *
 *     q(x) = p2 + A (x - p) + e (g . (x - p)),
 *
 * A the warp of a level surface, e the direction in which the counterpart moves with depth, g how
 * the surface slopes. Unknown are p2 and g, and gain and offset: I2(q(x)) = a I1(x) + b. Gradients
 * are those of the first patch, carried over by the inverse of A, so that the normal equations (6
 * unknowns) are set up once and every step needs only the samples of I2, cubic (Keys 1981), and a
 * right side. The first patch is not interpolated at all. Cost: about 10 us, 3 to 5 steps. */
#include "stages/matching/match_refine.h"

#include <math.h>
#include <string.h>

#include "math/solve.h"

enum { HALF = 5, SIDE = 2 * HALF + 1, SAMPLES = SIDE * SIDE, UNKNOWNS = 6, STEPS = 12 };
static const double settled_px = 0.01, shift_most_px = 1.5, slope_most = 1.0;
static const double correlation_least = 0.75;
static const double slope_damping = 200.0; /* 1e-3 of what a texture of 10 levels a pixel gives */

/* The first patch: its values, the columns of the equations, the normal matrix. */
typedef struct Patch {
    double value[SAMPLES];
    double offset[SAMPLES][2]; /* from the point, px */
    double column[SAMPLES][UNKNOWNS];
    double normal[UNKNOWNS * UNKNOWNS];
    double unit[2]; /* e, of unit length (0 where depth moves nothing) */
} Patch;

static inline const uint8_t *pixel_at(const AqmImageView *image, int x, int y) {
    return (const uint8_t *)image->data + (size_t)y * image->stride + (size_t)x;
}

static bool fill_patch(const AqmImageView *image, double u, double v, Patch *patch) {
    const int x = (int)floor(u + 0.5), y = (int)floor(v + 0.5), margin = HALF + 1;
    if (!(u > margin && v > margin && u < image->width - 1 - margin &&
          v < image->height - 1 - margin))
        return false;
    for (int k = 0; k < SAMPLES; k++) {
        const int i = x + k % SIDE - HALF, j = y + k / SIDE - HALF;
        const uint8_t *p = pixel_at(image, i, j);
        patch->value[k] = p[0];
        patch->offset[k][0] = i - u;
        patch->offset[k][1] = j - v;
        patch->column[k][0] = 0.5 * (p[1] - p[-1]);
        patch->column[k][1] = 0.5 * (p[image->stride] - *(p - image->stride));
    }
    return true;
}

/* From gradients of the first image to the columns of the equations. */
static bool set_up(const AqmLevelWarp *warp, Patch *patch) {
    const double *A = warp->A, determinant = A[0] * A[3] - A[1] * A[2];
    if (!(fabs(determinant) > 1e-6))
        return false;
    const double inverse[4] = {A[3] / determinant, -A[1] / determinant, -A[2] / determinant,
                               A[0] / determinant};
    const double length = hypot(warp->sink[0], warp->sink[1]);
    for (int k = 0; k < 2; k++)
        patch->unit[k] = length > 0.0 ? warp->sink[k] / length : 0.0;
    memset(patch->normal, 0, sizeof patch->normal);
    for (int k = 0; k < SAMPLES; k++) {
        double *c = patch->column[k], *o = patch->offset[k];
        const double x = c[0] * inverse[0] + c[1] * inverse[2];
        const double y = c[0] * inverse[1] + c[1] * inverse[3];
        const double along = x * patch->unit[0] + y * patch->unit[1];
        c[0] = x, c[1] = y, c[2] = along * o[0], c[3] = along * o[1];
        c[4] = patch->value[k], c[5] = 1.0;
        for (int i = 0; i < UNKNOWNS; i++)
            for (int j = 0; j <= i; j++)
                patch->normal[i * UNKNOWNS + j] += c[i] * c[j];
    }
    /* without texture along e, or where depth moves nothing, the slope stays as it is */
    patch->normal[2 * UNKNOWNS + 2] += slope_damping;
    patch->normal[3 * UNKNOWNS + 3] += slope_damping;
    return true;
}

/* Keys' cubic, a = -1/2. */
static inline void cubic_weights(double t, double w[4]) {
    w[0] = t * (-0.5 + t * (1.0 - 0.5 * t));
    w[1] = 1.0 + t * t * (-2.5 + 1.5 * t);
    w[2] = t * (0.5 + t * (2.0 - 1.5 * t));
    w[3] = t * t * (-0.5 + 0.5 * t);
}

static inline double cubic(const AqmImageView *image, double x, double y) {
    const int left = (int)x, top = (int)y;
    const uint8_t *p = pixel_at(image, left - 1, top - 1);
    double across[4], down[4], sum = 0.0;
    cubic_weights(x - left, across);
    cubic_weights(y - top, down);
    for (int j = 0; j < 4; j++, p += image->stride)
        sum +=
            down[j] * (across[0] * p[0] + across[1] * p[1] + across[2] * p[2] + across[3] * p[3]);
    return sum;
}

/* What is being solved for. */
typedef struct State {
    double at[2], slope[2];
} State;

/* Samples the second image where the patch's pixels lie in it; false where one lies outside. */
static bool sample_second(const AqmImageView *image, const AqmLevelWarp *warp, const Patch *patch,
                          const State *state, double *out) {
    double M[4];
    for (int k = 0; k < 4; k++)
        M[k] = warp->A[k] + patch->unit[k / 2] * state->slope[k % 2];
    const double reach_x = (fabs(M[0]) + fabs(M[1])) * (HALF + 0.5) + 2.0;
    const double reach_y = (fabs(M[2]) + fabs(M[3])) * (HALF + 0.5) + 2.0;
    if (!(state->at[0] > reach_x && state->at[1] > reach_y &&
          state->at[0] < image->width - 1 - reach_x && state->at[1] < image->height - 1 - reach_y))
        return false;
    for (int k = 0; k < SAMPLES; k++) {
        const double *o = patch->offset[k];
        out[k] = cubic(image, state->at[0] + M[0] * o[0] + M[1] * o[1],
                       state->at[1] + M[2] * o[0] + M[3] * o[1]);
    }
    return true;
}

/* One step; `moved`: by how much the position changed, px. false where there is no solution. */
static bool step(const Patch *patch, const double *samples, State *state, double *moved) {
    double right[UNKNOWNS] = {0}, x[UNKNOWNS] = {0};
    for (int k = 0; k < SAMPLES; k++)
        for (int i = 0; i < UNKNOWNS; i++)
            right[i] += patch->column[k][i] * samples[k];
    if (!aqm_solve_spd(patch->normal, right, UNKNOWNS, x) || !(x[4] > 0.05))
        return false;
    /* the columns are gradients of the first image: of the second they are a times that */
    for (int k = 0; k < 2; k++) {
        state->at[k] -= x[k] / x[4];
        state->slope[k] -= x[2 + k] / x[4];
    }
    *moved = hypot(x[0], x[1]) / x[4];
    return fabs(state->slope[0]) < slope_most && fabs(state->slope[1]) < slope_most;
}

static double correlation(const double *a, const double *b) {
    double sums[5] = {0};
    for (int k = 0; k < SAMPLES; k++) {
        sums[0] += a[k], sums[1] += b[k];
        sums[2] += a[k] * a[k], sums[3] += b[k] * b[k], sums[4] += a[k] * b[k];
    }
    const double var_a = sums[2] - sums[0] * sums[0] / SAMPLES;
    const double var_b = sums[3] - sums[1] * sums[1] / SAMPLES;
    return (sums[4] - sums[0] * sums[1] / SAMPLES) / sqrt(var_a * var_b);
}

bool aqm_match_refine(const AqmImageView *from, const AqmImageView *to, double u, double v,
                      const AqmLevelWarp *warp, double second[2]) {
    Patch patch;
    double samples[SAMPLES], moved = INFINITY;
    State state = {.at = {second[0], second[1]}};
    if (!fill_patch(from, u, v, &patch) || !set_up(warp, &patch))
        return false;
    for (int k = 0; k < STEPS && moved > settled_px; k++)
        if (!sample_second(to, warp, &patch, &state, samples) ||
            !step(&patch, samples, &state, &moved))
            return false;
    const double shift = hypot(state.at[0] - second[0], state.at[1] - second[1]);
    if (moved > settled_px || !(shift <= shift_most_px) ||
        !sample_second(to, warp, &patch, &state, samples) ||
        !(correlation(patch.value, samples) >= correlation_least))
        return false;
    second[0] = state.at[0];
    second[1] = state.at[1];
    return true;
}
