/* The reference of the kernels of tones; contracts in tone_kernels.h. Luminance is summed up in
 * thousandths, which are whole numbers. */
#include <math.h>

#include "base/cpu.h"
#include "kernels/kernels.h"
#include "kernels/tone_kernels.h"

static void gray(const uint8_t *rgb, size_t n, float scale, int16_t *gray) {
    const float per_thousandth = 0.001f * scale;
    for (size_t k = 0; k < n; k++, rgb += 3) {
        const float thousandths = (float)(299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]);
        const int value = (int)floorf(thousandths * per_thousandth + 0.5f) - AQM_GRAY_CENTER;
        gray[k] = (int16_t)(value < AQM_GRAY_MAX ? value : AQM_GRAY_MAX);
    }
}

static float cut(float value) {
    return value < -128.0f ? -128.0f : value > 127.0f ? 127.0f : value;
}

static void tint(const uint8_t *rgb, const int16_t *gray, size_t n, float scale, float per_gray,
                 int8_t *tint) {
    for (size_t k = 0; k < n; k++, rgb += 3) {
        const float level = (float)(gray[k] + AQM_GRAY_CENTER) * per_gray;
        tint[2 * k] = (int8_t)cut((float)rgb[2] * scale - level);
        tint[2 * k + 1] = (int8_t)cut((float)rgb[0] * scale - level);
    }
}

static void halve_gray(const int16_t *top, const int16_t *bottom, size_t n, int16_t *out) {
    for (size_t x = 0; x < n; x++) {
        const int a = top[2 * x], b = top[2 * x + 1], c = bottom[2 * x], d = bottom[2 * x + 1];
        const int is_hole = (a == AQM_GRAY_MISSING) | (b == AQM_GRAY_MISSING) |
                            (c == AQM_GRAY_MISSING) | (d == AQM_GRAY_MISSING);
        out[x] = (int16_t)(is_hole ? AQM_GRAY_MISSING : (a + b + c + d + 2) >> 2);
    }
}

static void halve_tint(const int8_t *top, const int8_t *bottom, size_t n, int8_t *out) {
    for (size_t x = 0; x < n; x++)
        for (size_t k = 0; k < 2; k++) {
            const int8_t *a = top + 4 * x + k, *b = bottom + 4 * x + k;
            out[2 * x + k] = (int8_t)((a[0] + a[2] + b[0] + b[2]) / 4);
        }
}

const AqmToneKernels aqm_tone_kernels_reference = {
    .name = "reference",
    .gray = gray,
    .tint = tint,
    .halve_gray = halve_gray,
    .halve_tint = halve_tint,
};

const AqmToneKernels *aqm_tone_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_tone_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_tone_kernels_reference;
}
