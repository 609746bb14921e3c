/* AVX-512 variants (F, BW, DQ, VL); contracts in kernels.h. Projection is the loop of match_loops.h
 * compiled for AVX-512, the rest is written by hand and does the operations of the reference in the
 * same order, so that the bits are the same too. */
#include <immintrin.h>
#include <stdbool.h>

#include "kernels/match_loops.h"
#include "kernels/search_avx2.h"
#include "kernels/shift_avx2.h"
#include "kernels/strips.h"

static const __mmask32 odd_halves = 0xaaaaaaaau; /* the high 16 bits of each 32 */

static inline __m512i load_ints(const int32_t *p) {
    return _mm512_loadu_si512((const void *)p);
}

/* ---- positions and samples ------------------------------------------------------------------- */

/* The lanes of a block of 16 at k that are left of n. */
static inline __mmask16 lanes_left(size_t k, size_t n) {
    return (__mmask16)(n - k >= 16 ? 0xffffu : (1u << (n - k)) - 1u);
}

static inline __m512 lerp(const float *top, const float *bottom, __m512 down, __mmask16 lanes) {
    const __m512 from = _mm512_maskz_loadu_ps(lanes, top);
    const __m512 way = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, bottom), from);
    return _mm512_add_ps(from, _mm512_mul_ps(down, way));
}

/* Two cells at a time: their first positions and steps go to eight lanes each. */
static void spread_avx512(const float *top, const float *bottom, float down, size_t cells,
                          float *out) {
    const __m512 weight = _mm512_set1_ps(down), eighth = _mm512_set1_ps(0.125f);
    const __m512 lanes = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
    for (size_t c = 0; c < cells; c += 16) {
        const __mmask16 present_cells = lanes_left(c, cells);
        const __m512 left = lerp(top + c, bottom + c, weight, present_cells);
        const __m512 right = lerp(top + c + 1, bottom + c + 1, weight, present_cells);
        const __m512 step = _mm512_mul_ps(_mm512_sub_ps(right, left), eighth);
        __m512i cell = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        for (size_t k = c; k < c + 16 && k < cells; k += 2) {
            const __m512 at =
                _mm512_add_ps(_mm512_permutexvar_ps(cell, left),
                              _mm512_mul_ps(lanes, _mm512_permutexvar_ps(cell, step)));
            _mm512_mask_storeu_ps(out + 8 * k, lanes_left(8 * k, 8 * cells), at);
            cell = _mm512_add_epi32(cell, _mm512_set1_epi32(2));
        }
    }
}

/* The texels of two positions, eight bytes each; `at` holds both offsets. */
static inline __m128i load_texels(const uint32_t *pairs, uint64_t at) {
    const uint32_t *first = pairs + (uint32_t)at, *second = pairs + (at >> 32);
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)first),
                              _mm_loadl_epi64((const __m128i *)(const void *)second));
}

/* The texels of sixteen positions, four 16-bit values each: of every four positions, the first two
 * in `outer` and the last two in `inner`. */
typedef struct Texels {
    __m512i outer, inner;
} Texels;

static inline __m512i join_four(__m128i a, __m128i b, __m128i c, __m128i d) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_set_m128i(b, a)),
                              _mm256_set_m128i(d, c), 1);
}

/* `step`: 1 in the low and the stride in the high half of each 32 bits. */
static inline Texels gather_texels(const uint32_t *pairs, __m512i step, __m512i x, __m512i y) {
    const __m512i whole =
        _mm512_mask_blend_epi16(odd_halves, _mm512_srli_epi32(x, 8), _mm512_slli_epi32(y, 8));
    const __m512i at = _mm512_madd_epi16(whole, step);
    __m128i t[8];
    const __m128i quarters[4] = {_mm512_castsi512_si128(at), _mm512_extracti64x2_epi64(at, 1),
                                 _mm512_extracti64x2_epi64(at, 2),
                                 _mm512_extracti64x2_epi64(at, 3)};
    for (int k = 0; k < 4; k++) {
        t[2 * k] = load_texels(pairs, (uint64_t)_mm_cvtsi128_si64(quarters[k]));
        t[2 * k + 1] = load_texels(pairs, (uint64_t)_mm_extract_epi64(quarters[k], 1));
    }
    return (Texels){join_four(t[0], t[2], t[4], t[6]), join_four(t[1], t[3], t[5], t[7])};
}

static inline __m512i texel_step(const AqmGray *image) {
    return _mm512_set1_epi32((int)((uint32_t)image->stride << 16 | 1u));
}

/* Of the left and right halves of sixteen texel groups, which lie in 32-bit pairs. */
static inline __m512i left_of(__m512i outer, __m512i inner) {
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(outer), _mm512_castsi512_ps(inner), 0x88));
}

static inline __m512i right_of(__m512i outer, __m512i inner) {
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(outer), _mm512_castsi512_ps(inner), 0xdd));
}

/* Sixteen samples from their texels; the weights are the last eight bits of x and y. Down first,
 * then across: 256 left + (right - left) wu. */
static inline __m512i blend(Texels t, __m512i x, __m512i y) {
    const __m512i fraction = _mm512_set1_epi32(255);
    const __m512i wu = _mm512_and_si512(x, fraction), wv = _mm512_and_si512(y, fraction);
    /* weights as pairs: 256 - wv in the low half, wv in the high half */
    const __m512i pair =
        _mm512_sub_epi32(_mm512_add_epi32(_mm512_slli_epi32(wv, 16), _mm512_set1_epi32(256)), wv);
    const __m512i outer = _mm512_madd_epi16(t.outer, _mm512_unpacklo_epi32(pair, pair));
    const __m512i inner = _mm512_madd_epi16(t.inner, _mm512_unpackhi_epi32(pair, pair));
    const __m512i left = left_of(outer, inner), right = right_of(outer, inner);
    const __m512i across = _mm512_mullo_epi32(_mm512_sub_epi32(right, left), wu);
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(left, 8), across);
    return _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(32768)), 16);
}

/* Positions in 1/256 px, below an exponent that does no harm (match_ref.c, fixed_position). */
static inline __m512i fixed_positions(__m512 x) {
    return _mm512_castps_si512(_mm512_add_ps(x, _mm512_set1_ps(32768.0f)));
}

static void sample_avx512(const AqmGray *image, const float *u, const float *v, size_t n,
                          int16_t *out) {
    const uint32_t *pairs = image->pairs;
    const __m512i step = texel_step(image);
    for (size_t k = 0; k < n; k += 16) {
        const __mmask16 lanes = lanes_left(k, n); /* the others read pixel (0, 0) */
        const __m512i x = fixed_positions(_mm512_maskz_loadu_ps(lanes, u + k));
        const __m512i y = fixed_positions(_mm512_maskz_loadu_ps(lanes, v + k));
        const __m512i value = blend(gather_texels(pairs, step, x, y), x, y);
        _mm256_mask_storeu_epi16(out + k, lanes, _mm512_cvtepi32_epi16(value));
    }
}

/* The positions of whole texel groups: nothing missing in left or right. */
static inline __mmask16 whole_texels(Texels t) {
    /* AQM_GRAY_MISSING is the smallest value there is */
    const __m512i lesser = _mm512_min_epi16(left_of(t.outer, t.inner), right_of(t.outer, t.inner));
    const __m512i least = _mm512_min_epi16(lesser, _mm512_rol_epi32(lesser, 16));
    return _mm512_cmpneq_epi32_mask(least, _mm512_set1_epi16(AQM_GRAY_MISSING));
}

static void sample_masked_avx512(const AqmGray *image, const float *u, const float *v, size_t n,
                                 int16_t *out) {
    const uint32_t *pairs = image->pairs;
    const __m512i step = texel_step(image), missing = _mm512_set1_epi32(AQM_GRAY_MISSING);
    const __m512 zero = _mm512_setzero_ps(), right = _mm512_set1_ps((float)(image->width - 1)),
                 last = _mm512_set1_ps((float)(image->height - 1));
    for (size_t k = 0; k < n; k += 16) {
        const __mmask16 lanes = lanes_left(k, n);
        const __m512 pu = _mm512_maskz_loadu_ps(lanes, u + k);
        const __m512 pv = _mm512_maskz_loadu_ps(lanes, v + k);
        /* max gives the second where one is NaN */
        const __m512 near_u = _mm512_min_ps(_mm512_max_ps(pu, zero), right);
        const __m512 near_v = _mm512_min_ps(_mm512_max_ps(pv, zero), last);
        const __mmask16 inside =
            _mm512_cmp_ps_mask(pu, near_u, _CMP_EQ_OQ) & _mm512_cmp_ps_mask(pv, near_v, _CMP_EQ_OQ);
        __m512i value = missing;
        if (inside) { /* outside and NaN: read the nearest pixel, then drop it */
            const __m512i x = fixed_positions(near_u), y = fixed_positions(near_v);
            const Texels t = gather_texels(pairs, step, x, y);
            value = _mm512_mask_mov_epi32(missing, inside & whole_texels(t), blend(t, x, y));
        }
        _mm256_mask_storeu_epi16(out + k, lanes, _mm512_cvtepi32_epi16(value));
    }
}

static uint32_t gaps_avx512(const int16_t *row, size_t n) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    uint32_t gaps = 0;
    for (size_t k = 0; k < n; k += 16) {
        const __m256i pixels = _mm256_loadu_si256((const __m256i *)(const void *)(row + k));
        gaps |= (uint32_t)(_mm256_cmpeq_epi16_mask(pixels, missing) != 0) << k / 16;
    }
    return gaps;
}

/* ---- column sums ----------------------------------------------------------------------------- */

static inline void add_to(int32_t *sums, __m512i values) {
    _mm512_storeu_si512((void *)sums, _mm512_add_epi32(load_ints(sums), values));
}

/* Sixteen 16-bit values of two rows as pairs: that of the first in the low half. */
static inline __m512i pair_up(__m256i first, __m256i second) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
}

static inline __m512i negate_second(__m512i pairs) {
    return _mm512_mask_sub_epi16(pairs, odd_halves, _mm512_setzero_si512(), pairs);
}

static inline __m256i load_row(const int16_t *row) {
    return _mm256_loadu_si256((const __m256i *)(const void *)row);
}

/* Pairs of (new, old) of either image: a a' - b b' is the product with (new, -old). */
static inline void add_products(const AqmColumnSums *sums, size_t k, __m512i i, __m512i j) {
    const __m512i weight = negate_second(j);
    add_to(sums->j + k, _mm512_madd_epi16(weight, _mm512_set1_epi16(1)));
    add_to(sums->jj + k, _mm512_madd_epi16(j, weight));
    add_to(sums->ij + k, _mm512_madd_epi16(i, weight));
}

static void columns_avx512(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                           const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    for (size_t k = 0; k < n; k += 16)
        add_products(sums, k, pair_up(load_row(i_new + k), load_row(i_old + k)),
                     pair_up(load_row(j_new + k), load_row(j_old + k)));
}

static inline __mmask16 present(__m256i i, __m256i j) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    return _mm256_mask_cmpneq_epi16_mask(_mm256_cmpneq_epi16_mask(i, missing), j, missing);
}

static void columns_masked_avx512(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                                  const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    const __m512i one = _mm512_set1_epi32(1);
    for (size_t k = 0; k < n; k += 16) {
        const __m256i in = load_row(i_new + k), jn = load_row(j_new + k);
        const __m256i io = load_row(i_old + k), jo = load_row(j_old + k);
        const __mmask16 has_new = present(in, jn), has_old = present(io, jo);
        const __m512i i =
            pair_up(_mm256_maskz_mov_epi16(has_new, in), _mm256_maskz_mov_epi16(has_old, io));
        const __m512i j =
            pair_up(_mm256_maskz_mov_epi16(has_new, jn), _mm256_maskz_mov_epi16(has_old, jo));
        const __m512i weight = negate_second(i);
        add_to(sums->count + k, _mm512_sub_epi32(_mm512_maskz_mov_epi32(has_new, one),
                                                 _mm512_maskz_mov_epi32(has_old, one)));
        add_to(sums->i + k, _mm512_madd_epi16(weight, _mm512_set1_epi16(1)));
        add_to(sums->ii + k, _mm512_madd_epi16(i, weight));
        add_products(sums, k, i, j);
    }
}

/* ---- horizontal sums ------------------------------------------------------------------------- */

/* x with each lane's sum over itself and the lanes below it. */
static inline __m512i scan(__m512i x) {
    const __m512i zero = _mm512_setzero_si512();
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
    return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

/* Room before a row of running sums, of which the last entry is zero: so rows can be written in
 * aligned vectors. */
enum { LEAD = 16 };

/* Running sums of columns: prefix[k] = c[0] + ... + c[k] modulo 2^32, for k below `length`, and
 * prefix[-1] = 0. The difference of two is exact wherever the true sum fits 32 bits, so a window
 * costs one subtraction, however wide it is. */
static inline void prefix_sums(const int32_t *c, size_t length, int32_t *prefix) {
    const __m512i last = _mm512_set1_epi32(15);
    __m512i carry = _mm512_setzero_si512();
    prefix[-1] = 0;
    for (size_t k = 0; k < length; k += 16) {
        const __mmask16 lanes = lanes_left(k, length);
        const __m512i x = scan(_mm512_maskz_loadu_epi32(lanes, c + k));
        _mm512_mask_storeu_epi32(prefix + k, lanes, _mm512_add_epi32(x, carry));
        carry = _mm512_add_epi32(carry, _mm512_permutexvar_epi32(last, x));
    }
}

/* The sums of sixteen windows from x on. */
static inline __m512i window_sums(const int32_t *prefix, size_t x, int window) {
    const int32_t *from = prefix + x - 1;
    return _mm512_sub_epi32(load_ints(from + window), load_ints(from));
}

/* Entries a row of running sums takes: a sixth of the scratch. */
static inline size_t prefix_pitch(size_t n, int window) {
    return LEAD + n + (size_t)window - 1;
}

/* ---- scores ---------------------------------------------------------------------------------- */

static inline __m512i load_shorts(const int16_t *p) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* Statistics of sixteen windows; window_stats.h. */
typedef struct Stats {
    __m512i mean, rest;
    __m512 variance;
} Stats;

static inline Stats stats_of(__m512i sum, __m512i squares, __m512i count, __m512 inverse) {
    const __m512i mean = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), inverse));
    const __m512i rest = _mm512_sub_epi32(sum, _mm512_mullo_epi32(count, mean));
    const __m512 r = _mm512_cvtepi32_ps(rest);
    const __m512i whole =
        _mm512_sub_epi32(squares, _mm512_mullo_epi32(mean, _mm512_add_epi32(sum, rest)));
    const __m512 correction = _mm512_mul_ps(r, _mm512_mul_ps(r, inverse));
    return (Stats){mean, rest, _mm512_sub_ps(_mm512_cvtepi32_ps(whole), correction)};
}

/* The mean as one number, and that of a source. */
static inline __m512 mean_value(__m512i mean, __m512i rest, __m512 inverse) {
    return _mm512_add_ps(_mm512_cvtepi32_ps(mean),
                         _mm512_mul_ps(_mm512_cvtepi32_ps(rest), inverse));
}

/* The moments of a source's windows, and with the reference's, as scores take them. */
typedef struct Moments {
    __m512 mean, variance, covariance;
} Moments;

static inline Moments moments_of(__m512i j, __m512i jj, __m512i ij, __m512 mean_i, __m512 inverse) {
    const __m512 sum = _mm512_cvtepi32_ps(j), mean = _mm512_mul_ps(sum, inverse);
    return (Moments){mean, _mm512_sub_ps(_mm512_cvtepi32_ps(jj), _mm512_mul_ps(sum, mean)),
                     _mm512_sub_ps(_mm512_cvtepi32_ps(ij), _mm512_mul_ps(sum, mean_i))};
}

static inline __m512 ncc_of(__m512 covariance, __m512 inverse_i, __m512 variance_j, __m512 flat) {
    const __mmask16 usable = _mm512_cmp_ps_mask(variance_j, flat, _CMP_GT_OQ);
    const __m512 deviation =
        _mm512_sqrt_ps(_mm512_mask_mov_ps(_mm512_set1_ps(1.0f), usable, variance_j));
    return _mm512_maskz_div_ps(usable, _mm512_mul_ps(covariance, inverse_i), deviation);
}

static inline __m512 inverse_deviation_of(__m512 variance, __m512 flat) {
    const __mmask16 usable = _mm512_cmp_ps_mask(variance, flat, _CMP_GT_OQ);
    const __m512 one = _mm512_set1_ps(1.0f);
    return _mm512_maskz_div_ps(usable, one,
                               _mm512_sqrt_ps(_mm512_mask_mov_ps(one, usable, variance)));
}

static inline __m512 level_of(__m512 mean) {
    return _mm512_add_ps(mean, _mm512_set1_ps((float)AQM_GRAY_CENTER));
}

static inline __m512 ssim_of(__m512 level_i, __m512 level_j, __m512 variances, __m512 covariance,
                             __m512 inverse) {
    const __m512 c1 = _mm512_set1_ps(AQM_SSIM_C1), c2 = _mm512_set1_ps(AQM_SSIM_C2);
    const __m512 product = _mm512_mul_ps(level_i, level_j);
    const __m512 squares =
        _mm512_add_ps(_mm512_mul_ps(level_i, level_i), _mm512_mul_ps(level_j, level_j));
    const __m512 twice = _mm512_mul_ps(_mm512_add_ps(covariance, covariance), inverse);
    const __m512 above =
        _mm512_mul_ps(_mm512_add_ps(_mm512_add_ps(product, product), c1), _mm512_add_ps(twice, c2));
    const __m512 below = _mm512_mul_ps(_mm512_add_ps(squares, c1),
                                       _mm512_add_ps(_mm512_mul_ps(variances, inverse), c2));
    return _mm512_div_ps(above, below);
}

static inline __m512i score_of(__m512 value) {
    return _mm512_cvtps_epi32(_mm512_mul_ps(value, _mm512_set1_ps(AQM_SCORE_ONE)));
}

static inline void store_scores_16(int16_t *p, __m512i scores) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(scores));
}

/* The first window of the block after x: the last block ends with the row, over the one before. */
static inline size_t next_block(size_t x, size_t n) {
    return x + 16 < n && x + 32 > n ? n - 16 : x + 16;
}

/* Scores of at least sixteen whole windows. */
static inline void score_whole(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                               int window, size_t n, int32_t *scratch, bool is_ssim,
                               int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    int32_t *j = scratch + LEAD, *jj = j + pitch, *ij = jj + pitch;
    prefix_sums(sums->j, length, j);
    prefix_sums(sums->jj, length, jj);
    prefix_sums(sums->ij, length, ij);
    const float number = (float)(window * window);
    const __m512 inverse = _mm512_set1_ps(1.0f / number);
    const __m512 flat = _mm512_set1_ps(aqm_flat_variance(number));
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const __m512 mean_i =
            mean_value(load_shorts(reference->mean + x), load_shorts(reference->rest + x), inverse);
        const Moments m = moments_of(window_sums(j, x, window), window_sums(jj, x, window),
                                     window_sums(ij, x, window), mean_i, inverse);
        __m512 value;
        if (is_ssim)
            value = ssim_of(level_of(mean_i), level_of(m.mean),
                            _mm512_add_ps(_mm512_loadu_ps(reference->variance + x), m.variance),
                            m.covariance, inverse);
        else
            value = ncc_of(m.covariance, _mm512_loadu_ps(reference->inverse_deviation + x),
                           m.variance, flat);
        store_scores_16(score + x, score_of(value));
    }
}

static void ncc_avx512(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                       size_t n, int32_t *scratch, int16_t *score) {
    if (n < 16)
        loops_ncc(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, false, score);
}

static void ssim_avx512(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                        size_t n, int32_t *scratch, int16_t *score) {
    if (n < 16)
        loops_ssim(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, true, score);
}

/* The same over masked sums. */
static inline void score_masked(const AqmColumnSums *sums, int window, int min_count, size_t n,
                                int32_t *scratch, bool is_ssim, int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    const int32_t *columns[6] = {sums->count, sums->i, sums->ii, sums->j, sums->jj, sums->ij};
    const int32_t *box = scratch + LEAD;
    for (size_t k = 0; k < 6; k++)
        prefix_sums(columns[k], length, scratch + LEAD + k * pitch);
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512i missing = _mm512_set1_epi32(AQM_SCORE_MISSING);
    const __m512i least = _mm512_set1_epi32(min_count);
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const __m512i count = window_sums(box, x, window);
        const __m512 number = _mm512_max_ps(_mm512_cvtepi32_ps(count), one);
        const __m512 inverse = _mm512_div_ps(one, number);
        const Stats i = stats_of(window_sums(box + pitch, x, window),
                                 window_sums(box + 2 * pitch, x, window), count, inverse);
        const __m512 mean_i = mean_value(i.mean, i.rest, inverse);
        const Moments m = moments_of(window_sums(box + 3 * pitch, x, window),
                                     window_sums(box + 4 * pitch, x, window),
                                     window_sums(box + 5 * pitch, x, window), mean_i, inverse);
        __m512 value;
        if (is_ssim) {
            value = ssim_of(level_of(mean_i), level_of(m.mean),
                            _mm512_add_ps(i.variance, m.variance), m.covariance, inverse);
        } else {
            const __m512 flat = _mm512_mul_ps(_mm512_set1_ps(aqm_flat_variance(1.0f)), number);
            value = ncc_of(m.covariance, inverse_deviation_of(i.variance, flat), m.variance, flat);
        }
        const __mmask16 enough = _mm512_cmpge_epi32_mask(count, least);
        store_scores_16(score + x, _mm512_mask_mov_epi32(missing, enough, score_of(value)));
    }
}

static void ncc_masked_avx512(const AqmColumnSums *sums, int window, int min_count, size_t n,
                              int32_t *scratch, int16_t *score) {
    if (n < 16)
        loops_ncc_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, false, score);
}

static void ssim_masked_avx512(const AqmColumnSums *sums, int window, int min_count, size_t n,
                               int32_t *scratch, int16_t *score) {
    if (n < 16)
        loops_ssim_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, true, score);
}

/* A whole tile, row by row. */
static void whole_ncc_avx512(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                             int16_t *const score[2]) {
    whole_by_rows(columns_avx512, ncc_avx512, tile, j, scratch, score);
}

const AqmKernels aqm_kernels_avx512 = {
    .name = "avx512",
    .project = loops_project,
    .spread = spread_avx512,
    .sample = sample_avx512,
    .sample_masked = sample_masked_avx512,
    .shift = shift_avx2,
    .shift_masked = shift_masked_avx2,
    .gaps = gaps_avx512,
    .columns = columns_avx512,
    .columns_masked = columns_masked_avx512,
    .statistics = loops_statistics,
    .ncc = ncc_avx512,
    .ncc_masked = ncc_masked_avx512,
    .whole_load = whole_load_rows,
    .whole_ncc = whole_ncc_avx512,
    .ssim = ssim_avx512,
    .ssim_masked = ssim_masked_avx512,
    .join = join_avx2,
    .track = track_avx2,
};
