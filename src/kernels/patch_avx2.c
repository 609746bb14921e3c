/* AVX2 variants of the kernels of patches. Eight samples at a time, by the same operations as the
 * reference, without fused products.
 *
 * A bilinear sample needs two pairs of neighbours, each fetched as one word of 64 bits; a cubic one
 * four rows of four bytes, each one word of 32. */
#include <immintrin.h>

#include "kernels/patch_loops.h"

enum { LANES = AQM_PATCH_BLOCK };

/* ---- bilinear -------------------------------------------------------------------------------- */

/* a + t (b - a) */
static inline __m256 between(__m256 a, __m256 b, __m256 t) {
    return _mm256_add_ps(a, _mm256_mul_ps(t, _mm256_sub_ps(b, a)));
}

/* The values at eight places and those after them: low halves of both in two registers of pairs,
 * in the order 0 1 4 5 and 2 3 6 7 of the lanes, so that shuffles within 128 bits part them. */
static inline void fetch_pairs(const float *level, const int32_t at[LANES], __m256 *here,
                               __m256 *next) {
    __m256 pairs[2];
    for (int k = 0; k < 2; k++) {
        const float *p[4] = {level + at[2 * k], level + at[2 * k + 1], level + at[2 * k + 4],
                             level + at[2 * k + 5]};
        __m128 low = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)p[0]);
        __m128 high = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)p[2]);
        low = _mm_loadh_pi(low, (const __m64 *)(const void *)p[1]);
        high = _mm_loadh_pi(high, (const __m64 *)(const void *)p[3]);
        pairs[k] = _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
    }
    *here = _mm256_shuffle_ps(pairs[0], pairs[1], _MM_SHUFFLE(2, 0, 2, 0));
    *next = _mm256_shuffle_ps(pairs[0], pairs[1], _MM_SHUFFLE(3, 1, 3, 1));
}

static inline __m256 bilinear(const float *level, size_t stride, __m256 x, __m256 y) {
    const __m256i column = _mm256_cvttps_epi32(x), row = _mm256_cvttps_epi32(y);
    const __m256 a = _mm256_sub_ps(x, _mm256_cvtepi32_ps(column));
    const __m256 b = _mm256_sub_ps(y, _mm256_cvtepi32_ps(row));
    int32_t at[LANES];
    _mm256_storeu_si256(
        (__m256i *)at,
        _mm256_add_epi32(_mm256_mullo_epi32(row, _mm256_set1_epi32((int32_t)stride)), column));
    __m256 here, next, under, last;
    fetch_pairs(level, at, &here, &next);
    fetch_pairs(level + stride, at, &under, &last);
    return between(between(here, next, a), between(under, last, a), b);
}

/* The last block of a row ends with it; a row shorter than a block is the reference's. */
static void grid(const float *level, size_t stride, const AqmPatchGrid *grid, float *out) {
    if (grid->side < LANES) {
        aqm_patch_kernels_reference.grid(level, stride, grid, out);
        return;
    }
    const __m256 ramp = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256 dx = _mm256_set1_ps(grid->dx), dy = _mm256_set1_ps(grid->dy);
    for (int j = 0; j < grid->side; j++, out += grid->side) {
        const __m256 x_first = _mm256_set1_ps(grid->x - (float)j * grid->dy);
        const __m256 y_first = _mm256_set1_ps(grid->y + (float)j * grid->dx);
        for (int first = 0; first < grid->side; first += LANES) {
            const int i = first + LANES <= grid->side ? first : grid->side - LANES;
            const __m256 lane = _mm256_add_ps(_mm256_set1_ps((float)i), ramp);
            const __m256 x = _mm256_add_ps(x_first, _mm256_mul_ps(lane, dx));
            const __m256 y = _mm256_add_ps(y_first, _mm256_mul_ps(lane, dy));
            _mm256_storeu_ps(out + i, bilinear(level, stride, x, y));
        }
    }
}

/* ---- cubic ----------------------------------------------------------------------------------- */

static inline __m256 times(float a, __m256 b) {
    return _mm256_mul_ps(_mm256_set1_ps(a), b);
}

static inline __m256 plus(float a, __m256 b) {
    return _mm256_add_ps(_mm256_set1_ps(a), b);
}

/* The reference's polynomials, term by term. */
static inline void cubic_weights(__m256 t, __m256 w[4]) {
    const __m256 t2 = _mm256_mul_ps(t, t);
    w[0] = _mm256_mul_ps(
        t, plus(-0.5f, _mm256_mul_ps(t, _mm256_sub_ps(_mm256_set1_ps(1.0f), times(0.5f, t)))));
    w[1] = plus(1.0f, _mm256_mul_ps(t2, plus(-2.5f, times(1.5f, t))));
    w[2] = _mm256_mul_ps(
        t, plus(0.5f, _mm256_mul_ps(t, _mm256_sub_ps(_mm256_set1_ps(2.0f), times(1.5f, t)))));
    w[3] = _mm256_mul_ps(t2, plus(-0.5f, times(0.5f, t)));
}

/* Byte `k` of each word, as a number. */
static inline __m256 byte_of(__m256i words, int k) {
    const __m256i low = _mm256_set1_epi32(255);
    return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(words, 8 * k), low));
}

static inline __m256 row_sum(const uint8_t *row, __m256i at, const __m256 across[4]) {
    const __m256i words = _mm256_i32gather_epi32((const int *)(const void *)row, at, 1);
    __m256 sum = _mm256_mul_ps(across[0], byte_of(words, 0));
    for (int k = 1; k < 4; k++)
        sum = _mm256_add_ps(sum, _mm256_mul_ps(across[k], byte_of(words, k)));
    return sum;
}

static inline __m256 coordinate(float from, const float m[2], __m256 right, __m256 down) {
    return plus(from, _mm256_add_ps(times(m[0], right), times(m[1], down)));
}

static void cubic(const uint8_t *pixel, size_t stride, const AqmPatchPlace *place,
                  const float *right, const float *down, size_t n, float *out) {
    const __m256i pitch = _mm256_set1_epi32((int32_t)stride);
    const uint8_t *first = pixel - stride - 1;
    for (size_t k = 0; k < n; k += LANES) {
        const __m256 r = _mm256_loadu_ps(right + k), d = _mm256_loadu_ps(down + k);
        const __m256 x = coordinate(place->x, place->M, r, d);
        const __m256 y = coordinate(place->y, place->M + 2, r, d);
        const __m256 column = _mm256_floor_ps(x), row = _mm256_floor_ps(y);
        __m256 across[4], along[4], sum = _mm256_setzero_ps();
        cubic_weights(_mm256_sub_ps(x, column), across);
        cubic_weights(_mm256_sub_ps(y, row), along);
        const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_cvttps_epi32(row), pitch),
                                            _mm256_cvttps_epi32(column));
        for (size_t j = 0; j < 4; j++)
            sum = _mm256_add_ps(sum,
                                _mm256_mul_ps(along[j], row_sum(first + j * stride, at, across)));
        _mm256_storeu_ps(out + k, sum);
    }
}

const AqmPatchKernels aqm_patch_kernels_avx2 = {
    .name = "avx2",
    .grid = grid,
    .gradients = loops_gradients,
    .cubic = cubic,
};
