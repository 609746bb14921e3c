/* The shifts of kernels.h by AVX2, for the tables of AVX2 and of AVX-512: a block is one register.
 */
#ifndef AQM_KERNELS_SHIFT_AVX2_H
#define AQM_KERNELS_SHIFT_AVX2_H

#include <immintrin.h>
#include <stdbool.h>

#include "kernels/kernels.h"

static inline __m256i shift_load(const int16_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* from + (to - from) weight / 2^15, rounded. */
static inline __m256i shift_between(__m256i from, __m256i to, __m256i weight) {
    return _mm256_add_epi16(from, _mm256_mulhrs_epi16(_mm256_sub_epi16(to, from), weight));
}

/* A row of a block, moved across; least: of its neighbours, less than any gray where one is
 * missing. */
typedef struct ShiftRow {
    __m256i across, least;
} ShiftRow;

static inline ShiftRow shift_across(const int16_t *p, __m256i weight) {
    const __m256i left = shift_load(p), right = shift_load(p + 1);
    return (ShiftRow){shift_between(left, right, weight), _mm256_min_epi16(left, right)};
}

/* Every row of a block is the lower one of one sample and the upper one of the next. */
static inline void shift_block(const int16_t *p, ptrdiff_t stride, const AqmShift *shift, int rows,
                               bool is_masked, int16_t *out, size_t pitch) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256i across = _mm256_set1_epi16(shift->across), down = _mm256_set1_epi16(shift->down);
    ShiftRow upper = shift_across(p, across);
    for (int r = 0; r < rows; r++, out += pitch) {
        p += stride;
        const ShiftRow lower = shift_across(p, across);
        __m256i value = shift_between(upper.across, lower.across, down);
        if (is_masked) {
            const __m256i least = _mm256_min_epi16(upper.least, lower.least);
            value = _mm256_blendv_epi8(value, missing, _mm256_cmpeq_epi16(least, missing));
        }
        _mm256_storeu_si256((__m256i *)(void *)out, value);
        upper = lower;
    }
}

static inline void shift_avx2(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts,
                              size_t n, int rows, int16_t *out, size_t pitch) {
    for (size_t k = 0; k < n; k += AQM_ROW_MULTIPLE, shifts++)
        shift_block(from + k + shifts->offset, stride, shifts, rows, false, out + k, pitch);
}

static inline void shift_masked_avx2(const int16_t *from, ptrdiff_t stride, const AqmShift *shifts,
                                     size_t n, int rows, int16_t *out, size_t pitch) {
    for (size_t k = 0; k < n; k += AQM_ROW_MULTIPLE, shifts++)
        shift_block(from + k + shifts->offset, stride, shifts, rows, true, out + k, pitch);
}

#endif
