/* Rows of matching images from colours, and of half their size. Raw pointers, no allocation, cannot
 * fail; the variants give the same bits as the reference. */
#ifndef AQM_KERNELS_TONE_KERNELS_H
#define AQM_KERNELS_TONE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct AqmToneKernels {
    const char *name;

    /* The gray values (kernels.h) of n pixels R G B of 8 bits: luminance (ITU-R BT.601) times
     * `scale`, to the nearest whole number within 3e-4, less AQM_GRAY_CENTER, at most
     * AQM_GRAY_MAX. */
    void (*gray)(const uint8_t *rgb, size_t n, float scale, int16_t *gray);

    /* Blue and red of n pixels, times `scale`, less the luminance that `gray` shows; pairs, rounded
     * towards 0, cut at -128 and 127. */
    void (*tint)(const uint8_t *rgb, const int16_t *gray, size_t n, float scale, float per_gray,
                 int8_t *tint);

    /* Of two rows one of half the resolution, n pixels: the means of 2 x 2 gray values, halves
     * rounded up, AQM_GRAY_MISSING where one of them is; of tints rounded towards 0. */
    void (*halve_gray)(const int16_t *top, const int16_t *bottom, size_t n, int16_t *out);
    void (*halve_tint)(const int8_t *top, const int8_t *bottom, size_t n, int8_t *out);
} AqmToneKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmToneKernels *aqm_tone_kernels(unsigned cpu_features);

extern const AqmToneKernels aqm_tone_kernels_reference;
#if defined(__x86_64__)
extern const AqmToneKernels aqm_tone_kernels_avx2;
#endif

#endif
