#include "stages/stereo/smooth.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernels/near_kernels.h"

enum { RADIUS = 3, TAPS = 2 * RADIUS + 1 };

typedef struct Smoothing {
    const AqmNearKernels *kernels;
    int width, height, threads;
    float *reach; /* a row, all the same */
} Smoothing;

static const float *row_at(const Smoothing *smoothing, const float *map, int y) {
    return map + (ptrdiff_t)y * smoothing->width;
}

static void median_map(const Smoothing *smoothing, const float *in, float *out) {
    const int height = smoothing->height;
#pragma omp parallel for num_threads(smoothing->threads) schedule(static)
    for (int y = 0; y < height; y++) {
        const float *row = row_at(smoothing, in, y);
        float *to = out + (ptrdiff_t)y * smoothing->width;
        const bool is_inside = y > 0 && y + 1 < height && smoothing->width > 2;
        for (int x = 0; x < smoothing->width && !is_inside; x++)
            to[x] = row[x];
        if (is_inside)
            smoothing->kernels->median_row(row - smoothing->width, row, row + smoothing->width,
                                           (size_t)smoothing->width, to);
    }
}

/* Means along the rows, or down the columns. */
static void mean_map(const Smoothing *smoothing, bool is_down, const float *in, float *out) {
#pragma omp parallel for num_threads(smoothing->threads) schedule(static)
    for (int y = 0; y < smoothing->height; y++) {
        const float *rows[TAPS];
        int shift[TAPS];
        for (int k = -RADIUS; k <= RADIUS; k++) {
            /* a tap counts with its opposite, or a slope would move at the border */
            const bool is_there = y - abs(k) >= 0 && y + abs(k) < smoothing->height;
            const float *row = row_at(smoothing, in, is_down && is_there ? y + k : y);
            rows[k + RADIUS] = is_down && !is_there ? NULL : row;
            shift[k + RADIUS] = is_down ? 0 : k;
        }
        const AqmMeanLine line = {rows, NULL, shift, TAPS, smoothing->reach};
        smoothing->kernels->mean_row(&line, (size_t)smoothing->width,
                                     out + (ptrdiff_t)y * smoothing->width, NULL);
    }
}

AqmStatus aqm_smooth_surface(const float *disparity, int width, int height, float tolerance_px,
                             int passes, int threads, float *base, AqmDiag *diag) {
    const size_t pixels = (size_t)width * (size_t)height;
    float *other = aqm_alloc(pixels + (size_t)width, sizeof *other);
    if (!other)
        return aqm_fail_memory(diag, "smoothing a depth map", pixels, sizeof *other);
    const Smoothing smoothing = {aqm_near_kernels(aqm_cpu_features()), width, height, threads,
                                 other + pixels};
    for (int x = 0; x < width; x++)
        smoothing.reach[x] = tolerance_px;
    median_map(&smoothing, disparity, base);
    for (int pass = 0; pass < passes; pass++) {
        mean_map(&smoothing, false, base, other);
        mean_map(&smoothing, true, other, base);
    }
    aqm_free(other);
    return AQM_OK;
}

static void fill_row(float *row, int width) {
    int last = -1;
    for (int x = 0; x < width; x++) {
        if (isnan(row[x]))
            continue;
        for (int k = last + 1; k < x; k++)
            row[k] = last < 0 || x - k < k - last ? row[x] : row[last];
        last = x;
    }
    for (int k = last + 1; k < width && last >= 0; k++)
        row[k] = row[last];
}

void aqm_fill_holes(float *map, int width, int height) {
    const size_t w = (size_t)width;
    for (int y = 0; y < height; y++)
        fill_row(map + (size_t)y * w, width);
    for (int k = 1; k < 2 * height; k++) {
        const bool is_down = k < height;
        const int y = is_down ? k : 2 * height - 1 - k, from = is_down ? y - 1 : y + 1;
        float *row = map + (size_t)y * w;
        if (from < height && isnan(row[0]))
            for (size_t x = 0; x < w; x++)
                row[x] = map[(size_t)from * w + x];
    }
}
