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

#include "base/cpu.h"
#include "kernels/patch_kernels.h"
#include "math/solve.h"

enum { HALF = 5, SIDE = 2 * HALF + 1, SAMPLES = SIDE * SIDE, UNKNOWNS = 6, STEPS = 12 };
/* A patch in memory: what lies behind its samples counts nothing in any sum. */
enum { ROOM = (SAMPLES + AQM_PATCH_BLOCK - 1) / AQM_PATCH_BLOCK * AQM_PATCH_BLOCK };
static const double settled_px = 0.01, shift_most_px = 1.5, slope_most = 1.0;
static const double correlation_least = 0.75;
static const double slope_damping = 200.0; /* 1e-3 of what a texture of 10 levels a pixel gives */

/* The first patch: its values, the columns of the equations, the normal matrix. */
typedef struct Patch {
    float value[ROOM];
    float right[ROOM], down[ROOM]; /* from the point, px */
    float column[UNKNOWNS][ROOM];
    double normal[UNKNOWNS * UNKNOWNS];
    double unit[2]; /* e, of unit length (0 where depth moves nothing) */
} Patch;

/* Sum of products, exact ones, in the order of four strands. */
static double product(const float *a, const float *b) {
    enum { STRANDS = 4 };
    double sums[STRANDS] = {0};
    for (int k = 0; k < ROOM; k += STRANDS)
        for (int i = 0; i < STRANDS; i++)
            sums[i] += (double)a[k + i] * (double)b[k + i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static inline const uint8_t *pixel_at(const AqmImageView *image, int x, int y) {
    return (const uint8_t *)image->data + (size_t)y * image->stride + (size_t)x;
}

static bool fill_patch(const AqmImageView *image, double u, double v, Patch *patch) {
    const int x = (int)floor(u + 0.5), y = (int)floor(v + 0.5), margin = HALF + 1;
    if (!(u > margin && v > margin && u < image->width - 1 - margin &&
          v < image->height - 1 - margin))
        return false;
    memset(patch, 0, sizeof *patch);
    for (int k = 0; k < SAMPLES; k++) {
        const int i = x + k % SIDE - HALF, j = y + k / SIDE - HALF;
        const uint8_t *p = pixel_at(image, i, j);
        patch->value[k] = p[0];
        patch->right[k] = (float)(i - u);
        patch->down[k] = (float)(j - v);
        patch->column[0][k] = 0.5f * (float)(p[1] - p[-1]);
        patch->column[1][k] = 0.5f * (float)(p[image->stride] - *(p - image->stride));
    }
    return true;
}

/* From gradients of the first image to the columns of the equations. */
static bool set_up(const AqmLevelWarp *warp, Patch *patch) {
    const double *A = warp->A, determinant = A[0] * A[3] - A[1] * A[2];
    if (!(fabs(determinant) > 1e-6))
        return false;
    const float inverse[4] = {(float)(A[3] / determinant), (float)(-A[1] / determinant),
                              (float)(-A[2] / determinant), (float)(A[0] / determinant)};
    const double length = hypot(warp->sink[0], warp->sink[1]);
    for (int k = 0; k < 2; k++)
        patch->unit[k] = length > 0.0 ? warp->sink[k] / length : 0.0;
    const float e[2] = {(float)patch->unit[0], (float)patch->unit[1]};
    float(*c)[ROOM] = patch->column;
    for (int k = 0; k < SAMPLES; k++) {
        const float x = c[0][k] * inverse[0] + c[1][k] * inverse[2];
        const float y = c[0][k] * inverse[1] + c[1][k] * inverse[3], along = x * e[0] + y * e[1];
        c[0][k] = x, c[1][k] = y;
        c[2][k] = along * patch->right[k], c[3][k] = along * patch->down[k];
        c[4][k] = patch->value[k], c[5][k] = 1.0f;
    }
    for (int i = 0; i < UNKNOWNS; i++)
        for (int j = 0; j <= i; j++)
            patch->normal[i * UNKNOWNS + j] = product(c[i], c[j]);
    /* without texture along e, or where depth moves nothing, the slope stays as it is */
    patch->normal[2 * UNKNOWNS + 2] += slope_damping;
    patch->normal[3 * UNKNOWNS + 3] += slope_damping;
    return true;
}

/* What is being solved for. */
typedef struct State {
    double at[2], slope[2];
} State;

/* Samples the second image where the patch's pixels lie in it; false where one lies outside. */
static bool sample_second(const AqmPatchKernels *kernels, const AqmImageView *image,
                          const AqmLevelWarp *warp, const Patch *patch, const State *state,
                          float *out) {
    double M[4];
    for (int k = 0; k < 4; k++)
        M[k] = warp->A[k] + patch->unit[k / 2] * state->slope[k % 2];
    const double reach_x = (fabs(M[0]) + fabs(M[1])) * (HALF + 0.5) + 2.0;
    const double reach_y = (fabs(M[2]) + fabs(M[3])) * (HALF + 0.5) + 2.0;
    if (!(state->at[0] > reach_x && state->at[1] > reach_y &&
          state->at[0] < image->width - 1 - reach_x && state->at[1] < image->height - 1 - reach_y))
        return false;
    const int x = (int)state->at[0], y = (int)state->at[1];
    const AqmPatchPlace place = {.x = (float)(state->at[0] - x),
                                 .y = (float)(state->at[1] - y),
                                 .M = {(float)M[0], (float)M[1], (float)M[2], (float)M[3]}};
    kernels->cubic(pixel_at(image, x, y), image->stride, &place, patch->right, patch->down, ROOM,
                   out);
    return true;
}

/* One step; `moved`: by how much the position changed, px. false where there is no solution. */
static bool step(const Patch *patch, const float *samples, State *state, double *moved) {
    double right[UNKNOWNS] = {0}, x[UNKNOWNS] = {0};
    for (int i = 0; i < UNKNOWNS; i++)
        right[i] = product(patch->column[i], samples);
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

static double correlation(const Patch *patch, const float *samples) {
    const float *ones = patch->column[5];
    const double a = product(patch->value, ones), b = product(samples, ones);
    float inner[ROOM]; /* samples behind the patch's are none of it */
    for (int k = 0; k < ROOM; k++)
        inner[k] = samples[k] * ones[k];
    const double var_a = product(patch->value, patch->value) - a * a / SAMPLES;
    const double var_b = product(inner, inner) - b * b / SAMPLES;
    return (product(patch->value, samples) - a * b / SAMPLES) / sqrt(var_a * var_b);
}

bool aqm_match_refine(const AqmImageView *from, const AqmImageView *to, double u, double v,
                      const AqmLevelWarp *warp, double second[2]) {
    const AqmPatchKernels *kernels = aqm_patch_kernels(aqm_cpu_features());
    Patch patch;
    float samples[ROOM];
    double moved = INFINITY;
    State state = {.at = {second[0], second[1]}};
    if (!fill_patch(from, u, v, &patch) || !set_up(warp, &patch))
        return false;
    for (int k = 0; k < STEPS && moved > settled_px; k++)
        if (!sample_second(kernels, to, warp, &patch, &state, samples) ||
            !step(&patch, samples, &state, &moved))
            return false;
    const double shift = hypot(state.at[0] - second[0], state.at[1] - second[1]);
    if (moved > settled_px || !(shift <= shift_most_px) ||
        !sample_second(kernels, to, warp, &patch, &state, samples) ||
        !(correlation(&patch, samples) >= correlation_least))
        return false;
    second[0] = state.at[0];
    second[1] = state.at[1];
    return true;
}
