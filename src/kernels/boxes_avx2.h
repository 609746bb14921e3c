/* Sums over windows of a row by AVX2, from running sums. Included by files compiled for AVX2. */
#ifndef AQM_KERNELS_BOXES_AVX2_H
#define AQM_KERNELS_BOXES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* Room before a row of running sums, of which the last entry is zero: so rows can be written in
 * aligned vectors. */
enum { LEAD = 8 };

/* Running sums of columns: prefix[k] = c[0] + ... + c[k] modulo 2^32, for k up to `length` rounded
 * up to 8, and prefix[-1] = 0. The difference of two is exact wherever the true sum fits 32 bits,
 * so a window costs one subtraction, however wide it is. */
static inline void prefix_sums(const int32_t *c, size_t length, int32_t *prefix) {
    const __m256i last = _mm256_set1_epi32(7);
    __m256i carry = _mm256_setzero_si256();
    prefix[-1] = 0;
    for (size_t k = 0; k < length; k += 8) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(c + k));
        x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
        x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
        /* the lower half's total goes to all of the upper half */
        const __m256i low = _mm256_permute2x128_si256(x, x, 0x08);
        x = _mm256_add_epi32(x, _mm256_shuffle_epi32(low, 0xff));
        _mm256_storeu_si256((__m256i *)(void *)(prefix + k), _mm256_add_epi32(x, carry));
        carry = _mm256_add_epi32(carry, _mm256_permutevar8x32_epi32(x, last));
    }
}

/* The sums of eight windows from x on. */
static inline __m256i window_sums(const int32_t *prefix, size_t x, int window) {
    const int32_t *from = prefix + x - 1;
    return _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(from + window)),
                            _mm256_loadu_si256((const __m256i *)(const void *)from));
}

/* Entries a row of running sums takes. */
static inline size_t prefix_pitch(size_t n, int window) {
    return LEAD + (n + (size_t)window + 6) / 8 * 8;
}

/* The first window of the block after x: the last block ends with the row, over the one before. */
static inline size_t next_block(size_t x, size_t n) {
    return x + 8 < n && x + 16 > n ? n - 8 : x + 8;
}

/* Blocks of windows from `first` on, before `end`, and the columns from `first` on that they and
 * the block after them take. */
typedef struct BoxRange {
    size_t first, end, columns;
} BoxRange;

/* The blocks between the first and the last window that has `min_count` pixels; none where none
 * has. counts: running sums of a row of n windows. */
static inline BoxRange boxes_with(const int32_t *counts, int window, int min_count, size_t n) {
    const __m256i least = _mm256_set1_epi32(min_count - 1);
    BoxRange range = {n, 0, 0};
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const __m256i enough = _mm256_cmpgt_epi32(window_sums(counts, x, window), least);
        if (_mm256_testz_si256(enough, enough))
            continue;
        range.first = x < range.first ? x : range.first;
        range.end = x + 8;
    }
    const size_t last = range.end + 8 < n ? range.end + 8 : n;
    range.columns = range.first < range.end ? last - range.first + (size_t)window - 1 : 0;
    return range;
}

#endif
