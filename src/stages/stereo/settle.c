/* A measurement d with standard deviation s is drawn to the mean m of its neighbourhood, weighted
 * by 1 / s^2, as if the surface were known to depart from m by about `roughness_px`:
 *
 *     d' = m + k (d - m),   s'^2 = k s^2,   k = r^2 / (r^2 + s^2)
 *
 * (the linear least squares estimate; Lee 1980 estimates r from the data, which noise that is
 * correlated over a window misleads). Where matching is good (s of 0.05 px) this does next to
 * nothing; where a corner of the image is seen by one distant source it averages.
 *
 * The mean goes over 7 columns, then over 7 rows, of what lies within reach of the pixel's own.
 *
 * Noise of matching is correlated over the window, so where a view is much noisier than it is
 * elsewhere that mean is noisy too. (Where all of a view is noisy, s does not tell noise from
 * relief as short as the quadric.) There a quadric is fitted to 7 x 7 pixels three apart, and the
 * measurement is drawn to its value q in the same way, with the roughness that shows in the fit:
 * what the pixels are off it beyond their own noise. A smooth bed is averaged over 19 pixels, a
 * rough one is not:
 *
 *     d' = d + g (q - d),   g = (s^2 - s_0^2) / (r^2 + s^2),
 *
 * with s > s_0, the larger of `noisy_px` and `noisy_times` the median of the view. */
#include "stages/stereo/settle.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernels/near_kernels.h"
#include "math/stats.h"

enum { RADIUS = 3, TAPS = 2 * RADIUS + 1 };
static const float roughness_px = 0.25f, reach_px = 0.3f, reach_sigmas = 3.0f;

typedef struct Maps {
    const AqmNearKernels *kernels;
    int width, height, threads;
    float *weight, *reach, *mean, *mean_weight; /* one block */
} Maps;

static inline float weight_of(float sigma) {
    return sigma > 0.0f ? 1.0f / (sigma * sigma) : 0.0f;
}

/* Weighs every pixel and takes the means along the rows. */
static void mean_of_rows(const Maps *maps, const AqmRefined *refined) {
    const size_t w = (size_t)maps->width;
#pragma omp parallel for num_threads(maps->threads) schedule(static)
    for (int y = 0; y < maps->height; y++) {
        const size_t at = (size_t)y * w;
        const float *rows[TAPS], *weights[TAPS];
        int shift[TAPS];
        for (size_t k = at; k < at + w; k++) {
            maps->weight[k] = weight_of(refined->sigma_px[k]);
            maps->reach[k] = reach_px + reach_sigmas * refined->sigma_px[k];
        }
        for (int k = 0; k < TAPS; k++) {
            rows[k] = refined->disparity + at;
            weights[k] = maps->weight + at;
            shift[k] = k - RADIUS;
        }
        const AqmMeanLine line = {rows, weights, shift, TAPS, maps->reach + at};
        maps->kernels->mean_row(&line, w, maps->mean + at, maps->mean_weight + at);
    }
}

/* The means down the columns, and the answer. `weight` is done with: it takes the means. */
static void settle_rows(const Maps *maps, const AqmRefined *refined) {
    const size_t w = (size_t)maps->width;
    const float r2 = roughness_px * roughness_px;
#pragma omp parallel for num_threads(maps->threads) schedule(static)
    for (int y = 0; y < maps->height; y++) {
        const size_t at = (size_t)y * w;
        const float *rows[TAPS], *weights[TAPS];
        const int shift[TAPS] = {0};
        for (int k = -RADIUS; k <= RADIUS; k++) {
            const bool is_inside = y + k >= 0 && y + k < maps->height;
            const size_t from = is_inside ? (size_t)(y + k) * w : at;
            rows[k + RADIUS] = is_inside ? maps->mean + from : NULL;
            weights[k + RADIUS] = maps->mean_weight + from;
        }
        const AqmMeanLine line = {rows, weights, shift, TAPS, maps->reach + at};
        maps->kernels->mean_row(&line, w, maps->weight + at, NULL);
        for (size_t p = at; p < at + w; p++) {
            const float s = refined->sigma_px[p], k = r2 / (r2 + s * s), m = maps->weight[p];
            refined->disparity[p] = m + k * (refined->disparity[p] - m);
            refined->sigma_px[p] = s * sqrtf(k);
        }
    }
}

/* ---- where much noise is left ---------------------------------------------------------------- */

enum { BLOCK = AQM_QUADRIC_BLOCK, SPACING = 3, MIDDLE = AQM_QUADRIC_TAPS / 2 };
static const float noisy_px = 0.1f, noisy_times = 1.7f; /* of what is typical */
static const float quadric_reach_px = 1.0f;
/* Excess of a fit to noise alone, and the least of it: what goes beyond is roughness, or may be. */
static const float own_excess = 0.8f, least_excess = 0.2f;
/* of the noise of a fit's taps: how much more it leaves in the fit than independent noise */
static const float correlation = 2.0f;

/* A pixel alone among good ones has had its mean of them. */
static bool is_noisy(const float *sigma, float noisy, size_t n) {
    size_t count = 0;
    for (size_t k = 0; k < n; k++)
        count += sigma[k] > noisy;
    return 4 * count >= n;
}

/* How far a measurement of deviation s is drawn to a fit of so much excess and weight. */
static float draw(float s, float noisy, float excess, float weight) {
    const float r2 = excess > 0.0f ? excess / weight : 0.0f;
    return s > noisy && weight > 0.0f ? (s * s - noisy * noisy) / (r2 + s * s) : 0.0f;
}

/* The answers of n pixels, from `first` on, of a row: to `out`, and their deviations to `sigma`.
 * noisy: what is more than that is. */
static void draw_to_quadrics(const Maps *maps, const AqmRefined *refined, float noisy, int y,
                             size_t first, size_t n, float *out, float *sigma) {
    float value[BLOCK], variance[BLOCK], excess[BLOCK], weight[BLOCK];
    const AqmQuadrics quadrics = {value, variance, excess, weight};
    AqmQuadricRows rows = {.spacing = SPACING,
                           .sigma = refined->sigma_px + (size_t)y * (size_t)maps->width,
                           .reach = quadric_reach_px,
                           .reach_sigmas = reach_sigmas,
                           .width = (size_t)maps->width};
    for (int k = 0; k < AQM_QUADRIC_TAPS; k++) {
        const int row = y + (k - MIDDLE) * SPACING;
        const bool is_inside = row >= 0 && row < maps->height;
        const size_t at = (size_t)row * (size_t)maps->width;
        rows.values[k] = is_inside ? refined->disparity + at : NULL;
        rows.weights[k] = is_inside ? maps->weight + at : NULL;
    }
    maps->kernels->quadric_row(&rows, first, n, &quadrics);
    const float *own = rows.values[MIDDLE] + first, *s = rows.sigma + first;
    for (size_t x = 0; x < n; x++) {
        const float w = weight[x];
        const float g = draw(s[x], noisy, excess[x] - own_excess, w);
        const float sure = draw(s[x], noisy, excess[x] - least_excess, w);
        out[x] = g > 0.0f ? own[x] + g * value[x] : own[x];
        sigma[x] =
            g > 0.0f ? sqrtf((1.0f - sure) * s[x] * s[x] + sure * correlation * variance[x]) : s[x];
    }
}

enum { SAMPLED_ROWS = 8, SAMPLED_COLUMNS = 8 }; /* one of so many */

/* The median deviation of a map. */
static float typical_sigma(const Maps *maps, const AqmRefined *refined) {
    double *room = (double *)(void *)maps->mean; /* it and mean_weight are done with */
    size_t count = 0;
    for (int y = 0; y < maps->height; y += SAMPLED_ROWS)
        for (int x = 0; x < maps->width; x += SAMPLED_COLUMNS) {
            const float s = refined->sigma_px[(size_t)y * (size_t)maps->width + (size_t)x];
            if (s > 0.0f)
                room[count++] = (double)s;
        }
    return count > 0 ? (float)aqm_percentile_f64(room, count, 50) : 0.0f;
}

/* Returns the answers in maps->mean and their deviations in maps->mean_weight. */
static void settle_noisy(const Maps *maps, const AqmRefined *refined) {
    const size_t w = (size_t)maps->width, pixels = w * (size_t)maps->height;
#pragma omp parallel for num_threads(maps->threads) schedule(static)
    for (size_t p = 0; p < pixels; p++)
        maps->weight[p] = weight_of(refined->sigma_px[p]);
    const float noisy = fmaxf(noisy_px, noisy_times * typical_sigma(maps, refined));
#pragma omp parallel for num_threads(maps->threads) schedule(dynamic, 8)
    for (int y = 0; y < maps->height; y++)
        for (size_t x = 0; x < w; x += BLOCK) {
            const size_t at = (size_t)y * w + x, n = w - x < BLOCK ? w - x : BLOCK;
            if (is_noisy(refined->sigma_px + at, noisy, n)) {
                draw_to_quadrics(maps, refined, noisy, y, x, n, maps->mean + at,
                                 maps->mean_weight + at);
                continue;
            }
            memcpy(maps->mean + at, refined->disparity + at, n * sizeof *maps->mean);
            memcpy(maps->mean_weight + at, refined->sigma_px + at, n * sizeof *maps->mean_weight);
        }
}

AqmStatus aqm_settle(const AqmRefined *refined, int width, int height, int threads, AqmDiag *diag) {
    const size_t pixels = (size_t)width * (size_t)height;
    float *block = aqm_alloc(4 * pixels, sizeof *block);
    if (!block)
        return aqm_fail_memory(diag, "smoothing a depth map", 4 * pixels, sizeof *block);
    const Maps maps = {aqm_near_kernels(aqm_cpu_features()),
                       width,
                       height,
                       threads,
                       block,
                       block + pixels,
                       block + 2 * pixels,
                       block + 3 * pixels};
    mean_of_rows(&maps, refined);
    settle_rows(&maps, refined);
    settle_noisy(&maps, refined);
    memcpy(refined->disparity, maps.mean, pixels * sizeof *maps.mean);
    memcpy(refined->sigma_px, maps.mean_weight, pixels * sizeof *maps.mean_weight);
    aqm_free(block);
    return AQM_OK;
}
