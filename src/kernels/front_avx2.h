/* Chosen lanes to the front, for AVX2 with BMI2. Included by files compiled for these only. */
#ifndef AQM_KERNELS_FRONT_AVX2_H
#define AQM_KERNELS_FRONT_AVX2_H

#include <immintrin.h>
#include <stdint.h>

/* The lanes chosen by a mask of eight bits to the front: each byte of `spread` is a set bit's 255,
 * which picks the lanes' numbers out of 0 .. 7. */
static inline __m256i front_order(unsigned mask) {
    const uint64_t spread = _pdep_u64(mask, 0x0101010101010101u) * 255;
    const uint64_t order = _pext_u64(0x0706050403020100u, spread);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)order));
}

static inline void store_front(float *out, __m256 values, __m256i order) {
    _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(values, order));
}

#endif
