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

const AqmToneKernels aqm_tone_kernels_reference = {
    .name = "reference",
    .gray = gray,
    .tint = tint,
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
