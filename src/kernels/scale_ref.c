/* The reference of the kernels of a scale space; contracts in scale_kernels.h. */
#include "base/cpu.h"
#include "kernels/scale_kernels.h"

static void blur_down(const float *const *rows, const float *weights, int radius, size_t n,
                      float *restrict out) {
    for (size_t x = 0; x < n; x++)
        out[x] = weights[0] * rows[radius][x];
    for (int i = 1; i <= radius; i++) {
        const float *above = rows[radius - i], *below = rows[radius + i];
        for (size_t x = 0; x < n; x++)
            out[x] += weights[i] * (above[x] + below[x]);
    }
}

static void blur_along(const float *row, const float *weights, int radius, size_t n,
                       float *restrict out) {
    for (size_t x = 0; x < n; x++)
        out[x] = weights[0] * row[x];
    for (int i = 1; i <= radius; i++) {
        const float *left = row - i, *right = row + i;
        for (size_t x = 0; x < n; x++)
            out[x] += weights[i] * (left[x] + right[x]);
    }
}

static void extrema(const float *const lines[9], float threshold, size_t n, uint8_t *hits) {
    for (size_t x = 0; x < n; x++) {
        const float value = lines[4][x];
        int is_most = value > threshold, is_least = value < -threshold;
        for (int line = 0; line < 9 && (is_most || is_least); line++)
            for (int k = -1; k <= 1; k++) {
                const float other = lines[line][(ptrdiff_t)x + k];
                is_most &= value >= other;
                is_least &= value <= other;
            }
        if (x % 8 == 0)
            hits[x / 8] = 0;
        hits[x / 8] |= (uint8_t)((is_most | is_least) << x % 8);
    }
}

const AqmScaleKernels aqm_scale_kernels_reference = {
    .name = "reference",
    .blur_down = blur_down,
    .blur_along = blur_along,
    .extrema = extrema,
};

const AqmScaleKernels *aqm_scale_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_scale_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_scale_kernels_reference;
}
