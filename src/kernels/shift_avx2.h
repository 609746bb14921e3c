/* The shifts of kernels.h by AVX2, for the tables of AVX2 and of AVX-512: a block is one register.
 */
#ifndef AQM_KERNELS_SHIFT_AVX2_H
#define AQM_KERNELS_SHIFT_AVX2_H

#include <immintrin.h>

#include "kernels/kernels.h"

/* The four neighbours of a block, above and below. */
typedef struct ShiftBlock {
    __m256i left, right, lower_left, lower_right;
} ShiftBlock;

static inline __m256i shift_load(const int16_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void shift_store(int16_t *p, __m256i block) {
    _mm256_storeu_si256((__m256i *)(void *)p, block);
}

static inline ShiftBlock shift_neighbors(const int16_t *row, ptrdiff_t stride, int32_t offset) {
    const int16_t *p = row + offset, *q = p + stride;
    return (ShiftBlock){shift_load(p), shift_load(p + 1), shift_load(q), shift_load(q + 1)};
}

/* from + (to - from) weight / 2^15, rounded. */
static inline __m256i shift_between(__m256i from, __m256i to, __m256i weight) {
    return _mm256_add_epi16(from, _mm256_mulhrs_epi16(_mm256_sub_epi16(to, from), weight));
}

static inline __m256i shift_blend(ShiftBlock b, const AqmShift *shift) {
    const __m256i across = _mm256_set1_epi16(shift->across);
    return shift_between(shift_between(b.left, b.right, across),
                         shift_between(b.lower_left, b.lower_right, across),
                         _mm256_set1_epi16(shift->down));
}

static inline void shift_avx2(const int16_t *row, ptrdiff_t stride, const AqmShift *shifts,
                              size_t n, int16_t *out) {
    for (size_t k = 0; k < n; k += AQM_ROW_MULTIPLE, shifts++)
        shift_store(out + k, shift_blend(shift_neighbors(row + k, stride, shifts->offset), shifts));
}

static inline void shift_masked_avx2(const int16_t *row, ptrdiff_t stride, const AqmShift *shifts,
                                     size_t n, int16_t *out) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    for (size_t k = 0; k < n; k += AQM_ROW_MULTIPLE, shifts++) {
        const ShiftBlock b = shift_neighbors(row + k, stride, shifts->offset);
        /* no gray is as small as the mark */
        const __m256i least = _mm256_min_epi16(_mm256_min_epi16(b.left, b.right),
                                               _mm256_min_epi16(b.lower_left, b.lower_right));
        const __m256i hole = _mm256_cmpeq_epi16(least, missing);
        shift_store(out + k, _mm256_blendv_epi8(shift_blend(b, shifts), missing, hole));
    }
}

#endif
