/* AVX2 variants of the kernels of a scale space. By hand: sums stay in registers over all rows,
 * several at a time so that none waits for the one before, and an extremum's columns are reduced
 * once for all three pixels that share them. Products and sums are not fused, to the reference's
 * bits. */
#include <immintrin.h>

#include "kernels/scale_kernels.h"

enum { LANES = 8, WIDE = 4 }; /* registers a block */

/* sum += weight (a + b), LANES values each. */
static inline __m256 add_pair(__m256 sum, __m256 weight, const float *a, const float *b) {
    const __m256 both = _mm256_add_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b));
    return _mm256_add_ps(sum, _mm256_mul_ps(weight, both));
}

/* `count` registers from x on, a constant where it is called; offset: of row i to the left and
 * right for a blur along, none for one down. */
static inline __attribute__((always_inline)) void blur_block(const float *const *rows,
                                                             const float *row, const float *weights,
                                                             int radius, size_t x, int count,
                                                             float *out) {
    __m256 sums[WIDE];
    const float *middle = rows ? rows[radius] : row;
    for (int k = 0; k < count; k++)
        sums[k] =
            _mm256_mul_ps(_mm256_set1_ps(weights[0]), _mm256_loadu_ps(middle + x + LANES * k));
    for (int i = 1; i <= radius; i++) {
        const float *before = rows ? rows[radius - i] + x : row + x - i;
        const float *after = rows ? rows[radius + i] + x : row + x + i;
        const __m256 weight = _mm256_set1_ps(weights[i]);
        for (int k = 0; k < count; k++)
            sums[k] = add_pair(sums[k], weight, before + LANES * k, after + LANES * k);
    }
    for (int k = 0; k < count; k++)
        _mm256_storeu_ps(out + x + LANES * k, sums[k]);
}

static inline __attribute__((always_inline)) void blur(const float *const *rows, const float *row,
                                                       const float *weights, int radius, size_t n,
                                                       float *out) {
    size_t x = 0;
    for (; x + WIDE * LANES <= n; x += WIDE * LANES)
        blur_block(rows, row, weights, radius, x, WIDE, out);
    for (; x < n; x += LANES)
        blur_block(rows, row, weights, radius, x, 1, out);
}

static void blur_down(const float *const *rows, const float *weights, int radius, size_t n,
                      float *out) {
    blur(rows, NULL, weights, radius, n, out);
}

static void blur_along(const float *row, const float *weights, int radius, size_t n, float *out) {
    blur(NULL, row, weights, radius, n, out);
}

/* The largest and smallest of each of LANES columns of nine values. */
typedef struct Range {
    __m256 most, least;
} Range;

static inline Range range_of(const float *const lines[9], ptrdiff_t x) {
    Range range = {_mm256_loadu_ps(lines[0] + x), _mm256_loadu_ps(lines[0] + x)};
    for (int line = 1; line < 9; line++) {
        const __m256 value = _mm256_loadu_ps(lines[line] + x);
        range.most = _mm256_max_ps(range.most, value);
        range.least = _mm256_min_ps(range.least, value);
    }
    return range;
}

/* The lanes one to the left: the last of `before` and all but the last of `here`. */
static inline __m256 from_left(__m256 before, __m256 here) {
    const __m256i across = _mm256_castps_si256(_mm256_permute2f128_ps(before, here, 0x21));
    return _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(here), across, 12));
}

static inline __m256 from_right(__m256 here, __m256 after) {
    const __m256i across = _mm256_castps_si256(_mm256_permute2f128_ps(here, after, 0x21));
    return _mm256_castsi256_ps(_mm256_alignr_epi8(across, _mm256_castps_si256(here), 4));
}

static void extrema(const float *const lines[9], float threshold, size_t n, uint8_t *hits) {
    const __m256 high = _mm256_set1_ps(threshold), low = _mm256_set1_ps(-threshold);
    Range before = range_of(lines, -LANES), here = range_of(lines, 0);
    for (size_t x = 0; x < n; x += LANES) {
        const Range after = range_of(lines, (ptrdiff_t)x + LANES);
        const __m256 most = _mm256_max_ps(
            _mm256_max_ps(from_left(before.most, here.most), from_right(here.most, after.most)),
            here.most);
        const __m256 least = _mm256_min_ps(
            _mm256_min_ps(from_left(before.least, here.least), from_right(here.least, after.least)),
            here.least);
        const __m256 value = _mm256_loadu_ps(lines[4] + x);
        const __m256 top = _mm256_and_ps(_mm256_cmp_ps(value, most, _CMP_GE_OQ),
                                         _mm256_cmp_ps(value, high, _CMP_GT_OQ));
        const __m256 bottom = _mm256_and_ps(_mm256_cmp_ps(value, least, _CMP_LE_OQ),
                                            _mm256_cmp_ps(value, low, _CMP_LT_OQ));
        hits[x / LANES] = (uint8_t)_mm256_movemask_ps(_mm256_or_ps(top, bottom));
        before = here;
        here = after;
    }
}

const AqmScaleKernels aqm_scale_kernels_avx2 = {
    .name = "avx2",
    .blur_down = blur_down,
    .blur_along = blur_along,
    .extrema = extrema,
};
