/* The inner loops of a scale space. Raw pointers, no allocation, cannot fail; the variants give the
 * same bits as the reference. Rows are n floats, n a multiple of AQM_SCALE_BLOCK. */
#ifndef AQM_KERNELS_SCALE_KERNELS_H
#define AQM_KERNELS_SCALE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { AQM_SCALE_BLOCK = 16, AQM_SCALE_RADIUS = 16 };

typedef struct AqmScaleKernels {
    const char *name;

    /* out[x] = sum of weights[|i|] rows[radius + i][x], i in -radius..radius, radius <=
     * AQM_SCALE_RADIUS: the middle first, then pairs outwards. */
    void (*blur_down)(const float *const *rows, const float *weights, int radius, size_t n,
                      float *out);

    /* The same along a row, which can be read `radius` values before and after its n. */
    void (*blur_along)(const float *row, const float *weights, int radius, size_t n, float *out);

    /* Bit x % 8 of hits[x / 8] = 1 where lines[4][x] exceeds `threshold` in size and is the largest
     * or smallest (others may be equal) of the 27 values lines[3 * level + line][x - 1 .. x + 1];
     * else 0. Lines can be read from -AQM_SCALE_BLOCK to n + AQM_SCALE_BLOCK - 1. */
    void (*extrema)(const float *const lines[9], float threshold, size_t n, uint8_t *hits);
} AqmScaleKernels;

/* The fastest table this processor can run (features as aqm_cpu_features gives them). */
const AqmScaleKernels *aqm_scale_kernels(unsigned cpu_features);

extern const AqmScaleKernels aqm_scale_kernels_reference;
#if defined(__x86_64__)
extern const AqmScaleKernels aqm_scale_kernels_avx2;
#endif

#endif
