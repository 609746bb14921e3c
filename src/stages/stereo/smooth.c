/* A smooth surface through a noisy depth map that keeps its steps: the base of the second sweep. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/stereo/sweep.h"

static void order(float *a, float *b) {
    const float low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;
    *a = low;
    *b = high;
}

/* Median of nine by Smith's network of 19 exchanges (Smith 1996, "Implementing median filters in
 * XC4000E FPGAs"). */
static float median9(float p[9]) {
    order(p + 1, p + 2), order(p + 4, p + 5), order(p + 7, p + 8);
    order(p + 0, p + 1), order(p + 3, p + 4), order(p + 6, p + 7);
    order(p + 1, p + 2), order(p + 4, p + 5), order(p + 7, p + 8);
    order(p + 0, p + 3), order(p + 5, p + 8), order(p + 4, p + 7);
    order(p + 3, p + 6), order(p + 1, p + 4), order(p + 2, p + 5);
    order(p + 4, p + 7), order(p + 4, p + 2), order(p + 6, p + 4);
    order(p + 4, p + 2);
    return p[4];
}

/* 3 x 3 medians; a pixel without nine known neighbours keeps its own value. */
static void median_map(const float *in, int width, int height, int threads, float *out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            out[at] = in[at];
            if (x < 1 || y < 1 || x + 1 >= width || y + 1 >= height)
                continue;
            float p[9], sum = 0.0f;
            for (int k = 0; k < 9; k++) {
                p[k] = in[(size_t)(y + k / 3 - 1) * (size_t)width + (size_t)(x + k % 3 - 1)];
                sum += p[k];
            }
            if (!isnan(sum))
                out[at] = median9(p);
        }
}

enum { RADIUS = 3 };

/* One row of the mean over the window of what lies within `tolerance` of the pixel's own value.
 * Shifts that leave the image at either side are left out on both, so a slope stays where it is. */
static void mean_row(const float *in, const float *tolerance, int width, int height, int y,
                     float *restrict sum, float *restrict count, float *out) {
    const float *center = in + (size_t)y * (size_t)width;
    const int rows = y < height - 1 - y ? y : height - 1 - y, reach = rows < RADIUS ? rows : RADIUS;
    memset(sum, 0, (size_t)width * sizeof *sum);
    memset(count, 0, (size_t)width * sizeof *count);
    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -RADIUS; dx <= RADIUS; dx++) {
            const float *row = in + (size_t)(y + dy) * (size_t)width;
            const int margin = dx < 0 ? -dx : dx;
            for (int x = margin; x < width - margin; x++) {
                const float d = row[x + dx] - center[x], t = tolerance[x];
                const float in_reach = ((d < t) & (d > -t)) ? 1.0f : 0.0f;
                sum[x] += in_reach != 0.0f ? d : 0.0f;
                count[x] += in_reach;
            }
        }
    for (int x = 0; x < width; x++)
        out[(size_t)y * (size_t)width + (size_t)x] =
            center[x] + (count[x] > 0.0f ? sum[x] / count[x] : 0.0f);
}

static AqmStatus mean_map(const AqmSweep *sweep, const float *in, double tolerance_px, float *out,
                          AqmDiag *diag) {
    const int width = sweep->view->width, height = sweep->view->height, threads = sweep->threads;
    const size_t w = (size_t)width;
    float *rows = aqm_alloc(3 * w * (size_t)threads, sizeof *rows);
    if (!rows)
        return aqm_fail_memory(diag, "smoothing a depth map", 3 * w * (size_t)threads,
                               sizeof *rows);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int band = 0; band < threads; band++) {
        float *tolerance = rows + 3 * w * (size_t)band;
        for (int y = band; y < height; y += threads) {
            for (int x = 0; x < width; x++) {
                const double h = (double)in[(size_t)y * w + (size_t)x];
                tolerance[x] = (float)(tolerance_px * aqm_sweep_metres_per_px(sweep, h));
            }
            mean_row(in, tolerance, width, height, y, tolerance + w, tolerance + 2 * w, out);
        }
    }
    aqm_free(rows);
    return AQM_OK;
}

AqmStatus aqm_smooth_surface(const AqmSweep *sweep, const float *h, double tolerance_px,
                             float *base, AqmDiag *diag) {
    const int width = sweep->view->width, height = sweep->view->height;
    float *other = aqm_alloc((size_t)width * (size_t)height, sizeof *other);
    if (!other)
        return aqm_fail_memory(diag, "smoothing a depth map", (size_t)width * (size_t)height,
                               sizeof *other);
    median_map(h, width, height, sweep->threads, base);
    AqmStatus status = mean_map(sweep, base, tolerance_px, other, diag);
    if (status == AQM_OK)
        status = mean_map(sweep, other, tolerance_px, base, diag);
    aqm_free(other);
    return status;
}
