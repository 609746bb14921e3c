/* A measurement d with standard deviation s is drawn to the mean m of its neighbourhood, weighted
 * by 1 / s^2, as if the surface were known to depart from m by about `roughness_px`:
 *
 *     d' = m + k (d - m),   s'^2 = k s^2,   k = r^2 / (r^2 + s^2)
 *
 * (the linear least squares estimate; Lee 1980 estimates r from the data, which noise that is
 * correlated over a window misleads). Where matching is good (s of 0.05 px) this does next to
 * nothing; where a corner of the image is seen by one distant source it averages.
 *
 * The mean goes over 7 columns, then over 7 rows, of what lies within reach of the pixel's own. */
#include "stages/stereo/settle.h"

#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernels/near_kernels.h"

enum { RADIUS = 3, TAPS = 2 * RADIUS + 1 };
static const float roughness_px = 0.25f, reach_px = 0.3f, reach_sigmas = 3.0f;

typedef struct Maps {
    const AqmNearKernels *kernels;
    int width, height, threads;
    float *weight, *reach, *mean, *mean_weight; /* one block */
} Maps;

/* Weighs every pixel and takes the means along the rows. */
static void mean_of_rows(const Maps *maps, const AqmRefined *refined) {
    const size_t w = (size_t)maps->width;
#pragma omp parallel for num_threads(maps->threads) schedule(static)
    for (int y = 0; y < maps->height; y++) {
        const size_t at = (size_t)y * w;
        const float *rows[TAPS], *weights[TAPS];
        int shift[TAPS];
        for (size_t k = at; k < at + w; k++) {
            const float s = refined->sigma_px[k];
            maps->weight[k] = s > 0.0f ? 1.0f / (s * s) : 0.0f;
            maps->reach[k] = reach_px + reach_sigmas * s;
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
    aqm_free(block);
    return AQM_OK;
}
