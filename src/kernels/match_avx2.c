/* AVX2 variants; contracts in kernels.h. Projection is the loop of match_loops.h compiled for AVX2,
 * the rest is written by hand and does the same operations in the same order, so that the bits are
 * the same too. */
#include <immintrin.h>
#include <stdbool.h>

#include "kernels/boxes_avx2.h"
#include "kernels/match_loops.h"
#include "kernels/search_avx2.h"
#include "kernels/shift_avx2.h"
#include "kernels/strips.h"

/* ---- positions and samples ------------------------------------------------------------------- */

static inline __m256 lerp(const float *top, const float *bottom, __m256 down) {
    const __m256 from = _mm256_loadu_ps(top);
    return _mm256_add_ps(from, _mm256_mul_ps(down, _mm256_sub_ps(_mm256_loadu_ps(bottom), from)));
}

static inline void store_cell(float left, float step, float *out) {
    const __m256 lanes = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_storeu_ps(
        out, _mm256_add_ps(_mm256_set1_ps(left), _mm256_mul_ps(lanes, _mm256_set1_ps(step))));
}

static void spread_avx2(const float *top, const float *bottom, float down, size_t cells,
                        float *out) {
    const __m256 weight = _mm256_set1_ps(down), eighth = _mm256_set1_ps(0.125f);
    float left[8], step[8];
    size_t c = 0;
    for (; c + 8 <= cells; c += 8) {
        const __m256 from = lerp(top + c, bottom + c, weight);
        const __m256 to = lerp(top + c + 1, bottom + c + 1, weight);
        _mm256_storeu_ps(left, from);
        _mm256_storeu_ps(step, _mm256_mul_ps(_mm256_sub_ps(to, from), eighth));
        for (size_t k = 0; k < 8; k++)
            store_cell(left[k], step[k], out + 8 * (c + k));
    }
    for (; c < cells; c++) {
        const float from = top[c] + down * (bottom[c] - top[c]);
        const float to = top[c + 1] + down * (bottom[c + 1] - top[c + 1]);
        store_cell(from, (to - from) * 0.125f, out + 8 * c);
    }
}

/* The texels of two positions, eight bytes each; `at` holds both offsets. */
static inline __m128i load_texels(const uint32_t *pairs, uint64_t at) {
    const uint32_t *first = pairs + (uint32_t)at, *second = pairs + (at >> 32);
    const __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)first);
    return _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(low), (const double *)(const void *)second));
}

/* The texels of eight positions, four 16-bit values each: 0 1 4 5 and 2 3 6 7. Loads beat a gather
 * on every processor tried. */
typedef struct Texels {
    __m256i outer, inner;
} Texels;

/* `step`: 1 in the low and the stride in the high half of each 32 bits. */
static inline Texels gather_texels(const uint32_t *pairs, __m256i step, __m256i x, __m256i y) {
    const __m256i whole =
        _mm256_blend_epi16(_mm256_srli_epi32(x, 8), _mm256_slli_epi32(y, 8), 0xaa);
    const __m256i at = _mm256_madd_epi16(whole, step);
    const __m128i low = _mm256_castsi256_si128(at), high = _mm256_extracti128_si256(at, 1);
    const __m128i t01 = load_texels(pairs, (uint64_t)_mm_cvtsi128_si64(low));
    const __m128i t23 = load_texels(pairs, (uint64_t)_mm_extract_epi64(low, 1));
    const __m128i t45 = load_texels(pairs, (uint64_t)_mm_cvtsi128_si64(high));
    const __m128i t67 = load_texels(pairs, (uint64_t)_mm_extract_epi64(high, 1));
    return (Texels){_mm256_set_m128i(t45, t01), _mm256_set_m128i(t67, t23)};
}

static inline __m256i texel_step(const AqmGray *image) {
    return _mm256_set1_epi32((int)((uint32_t)image->stride << 16 | 1u));
}

/* Of the left and right halves of eight texel groups, which lie in 32-bit pairs. */
static inline __m256i left_of(__m256i outer, __m256i inner) {
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(outer), _mm256_castsi256_ps(inner), 0x88));
}

static inline __m256i right_of(__m256i outer, __m256i inner) {
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(outer), _mm256_castsi256_ps(inner), 0xdd));
}

/* Eight samples from their texels; the weights are the last eight bits of x and y. Down first, then
 * across: 256 left + (right - left) wu. */
static inline __m256i blend(Texels t, __m256i x, __m256i y) {
    const __m256i fraction = _mm256_set1_epi32(255);
    const __m256i wu = _mm256_and_si256(x, fraction), wv = _mm256_and_si256(y, fraction);
    /* weights as pairs: 256 - wv in the low half, wv in the high half */
    const __m256i pair =
        _mm256_sub_epi32(_mm256_add_epi32(_mm256_slli_epi32(wv, 16), _mm256_set1_epi32(256)), wv);
    const __m256i outer = _mm256_madd_epi16(t.outer, _mm256_unpacklo_epi32(pair, pair));
    const __m256i inner = _mm256_madd_epi16(t.inner, _mm256_unpackhi_epi32(pair, pair));
    const __m256i left = left_of(outer, inner), right = right_of(outer, inner);
    const __m256i across = _mm256_mullo_epi32(_mm256_sub_epi32(right, left), wu);
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(left, 8), across);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(32768)), 16);
}

/* Positions in 1/256 px, below an exponent that does no harm (match_ref.c, fixed_position). */
static inline __m256i fixed_positions(__m256 x) {
    return _mm256_castps_si256(_mm256_add_ps(x, _mm256_set1_ps(32768.0f)));
}

static inline __m256i sample_8(const uint32_t *pairs, __m256i step, const float *u,
                               const float *v) {
    const __m256i x = fixed_positions(_mm256_loadu_ps(u)), y = fixed_positions(_mm256_loadu_ps(v));
    return blend(gather_texels(pairs, step, x, y), x, y);
}

/* Eight or sixteen 32-bit values of 16-bit range to 16-bit ones. */
static inline void store_narrow_8(int16_t *out, __m256i values) {
    const __m256i packed = _mm256_packs_epi32(values, values);
    const __m256i low = _mm256_permute4x64_epi64(packed, 0x08);
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(low));
}

static inline void store_narrow_16(int16_t *out, __m256i first, __m256i second) {
    const __m256i packed = _mm256_packs_epi32(first, second);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute4x64_epi64(packed, 0xd8));
}

static void sample_avx2(const AqmGray *image, const float *u, const float *v, size_t n,
                        int16_t *out) {
    const uint32_t *pairs = image->pairs;
    const __m256i step = texel_step(image);
    size_t k = 0;
    for (; k + 16 <= n; k += 16)
        store_narrow_16(out + k, sample_8(pairs, step, u + k, v + k),
                        sample_8(pairs, step, u + k + 8, v + k + 8));
    if (k < n)
        store_narrow_8(out + k, sample_8(pairs, step, u + k, v + k));
}

/* What sampling near the border and holes needs of an image, in registers. */
typedef struct Bounds {
    const uint32_t *pairs;
    __m256i step;
    __m256 right, last;
} Bounds;

static inline __m256i sample_masked_8(Bounds b, const float *u, const float *v) {
    const __m256 zero = _mm256_setzero_ps(), pu = _mm256_loadu_ps(u), pv = _mm256_loadu_ps(v);
    /* max gives the second where one is NaN */
    const __m256 near_u = _mm256_min_ps(_mm256_max_ps(pu, zero), b.right);
    const __m256 near_v = _mm256_min_ps(_mm256_max_ps(pv, zero), b.last);
    const __m256 inside =
        _mm256_and_ps(_mm256_cmp_ps(pu, near_u, _CMP_EQ_OQ), _mm256_cmp_ps(pv, near_v, _CMP_EQ_OQ));
    if (_mm256_testz_ps(inside, inside))
        return _mm256_set1_epi32(AQM_GRAY_MISSING);
    /* outside and NaN: read the nearest pixel, then drop it */
    const __m256i x = fixed_positions(near_u), y = fixed_positions(near_v);
    const Texels t = gather_texels(b.pairs, b.step, x, y);
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256i outer = _mm256_cmpeq_epi16(t.outer, missing);
    const __m256i inner = _mm256_cmpeq_epi16(t.inner, missing);
    const __m256i hole = _mm256_or_si256(left_of(outer, inner), right_of(outer, inner));
    const __m256i whole = _mm256_cmpeq_epi32(hole, _mm256_setzero_si256());
    const __m256i keep = _mm256_and_si256(whole, _mm256_castps_si256(inside));
    return _mm256_blendv_epi8(_mm256_set1_epi32(AQM_GRAY_MISSING), blend(t, x, y), keep);
}

static void sample_masked_avx2(const AqmGray *image, const float *u, const float *v, size_t n,
                               int16_t *out) {
    const Bounds b = {image->pairs, texel_step(image), _mm256_set1_ps((float)(image->width - 1)),
                      _mm256_set1_ps((float)(image->height - 1))};
    size_t k = 0;
    for (; k + 16 <= n; k += 16)
        store_narrow_16(out + k, sample_masked_8(b, u + k, v + k),
                        sample_masked_8(b, u + k + 8, v + k + 8));
    if (k < n)
        store_narrow_8(out + k, sample_masked_8(b, u + k, v + k));
}

static uint32_t gaps_avx2(const int16_t *row, size_t n) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    uint32_t gaps = 0;
    for (size_t k = 0; k < n; k += 16) {
        const __m256i pixels = _mm256_loadu_si256((const __m256i *)(const void *)(row + k));
        const __m256i gap = _mm256_cmpeq_epi16(pixels, missing);
        gaps |= (uint32_t)!_mm256_testz_si256(gap, gap) << k / 16;
    }
    return gaps;
}

/* ---- column sums ----------------------------------------------------------------------------- */

/* a*a' - b*b' of sixteen 16-bit pairs as two vectors of 32-bit sums in column order. */
static inline void accumulate(int32_t *sums, __m256i pair_low, __m256i weight_low,
                              __m256i pair_high, __m256i weight_high) {
    const __m256i low = _mm256_madd_epi16(pair_low, weight_low);
    const __m256i high = _mm256_madd_epi16(pair_high, weight_high);
    const __m256i first = _mm256_permute2x128_si256(low, high, 0x20);
    const __m256i second = _mm256_permute2x128_si256(low, high, 0x31);
    __m256i *out = (__m256i *)(void *)sums;
    _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), first));
    _mm256_storeu_si256(out + 1, _mm256_add_epi32(_mm256_loadu_si256(out + 1), second));
}

static void columns_avx2(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                         const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    const __m256i one = _mm256_set1_epi16(1), zero = _mm256_setzero_si256();
    const __m256i plus_minus = _mm256_unpacklo_epi16(one, _mm256_sub_epi16(zero, one));
    for (size_t k = 0; k < n; k += 16) {
        const __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(i_new + k));
        const __m256i jn = _mm256_loadu_si256((const __m256i *)(const void *)(j_new + k));
        const __m256i io = _mm256_loadu_si256((const __m256i *)(const void *)(i_old + k));
        const __m256i jo = _mm256_loadu_si256((const __m256i *)(const void *)(j_old + k));
        const __m256i minus_io = _mm256_sub_epi16(zero, io), minus_jo = _mm256_sub_epi16(zero, jo);
        const __m256i low = _mm256_unpacklo_epi16(jn, jo), high = _mm256_unpackhi_epi16(jn, jo);
        accumulate(sums->j + k, low, plus_minus, high, plus_minus);
        accumulate(sums->jj + k, low, _mm256_unpacklo_epi16(jn, minus_jo), high,
                   _mm256_unpackhi_epi16(jn, minus_jo));
        accumulate(sums->ij + k, low, _mm256_unpacklo_epi16(in, minus_io), high,
                   _mm256_unpackhi_epi16(in, minus_io));
    }
}

/* Sixteen pixels at k: those that are missing in either image become 0 in both. Returns the mask of
 * those present, -1 each. */
static inline __m256i load_present(const int16_t *i, const int16_t *j, size_t k, __m256i *in,
                                   __m256i *jn) {
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(i + k));
    const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(j + k));
    const __m256i hole =
        _mm256_or_si256(_mm256_cmpeq_epi16(a, missing), _mm256_cmpeq_epi16(b, missing));
    *in = _mm256_andnot_si256(hole, a);
    *jn = _mm256_andnot_si256(hole, b);
    return _mm256_xor_si256(hole, _mm256_set1_epi16(-1));
}

/* Adds sixteen 16-bit values to 32-bit sums. */
static inline void add_wide(int32_t *sums, __m256i values) {
    __m256i *out = (__m256i *)(void *)sums;
    const __m256i first = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(values));
    const __m256i second = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(values, 1));
    _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), first));
    _mm256_storeu_si256(out + 1, _mm256_add_epi32(_mm256_loadu_si256(out + 1), second));
}

static void columns_masked_avx2(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                                const int16_t *j_old, size_t n, const AqmColumnSums *sums) {
    const __m256i zero = _mm256_setzero_si256();
    for (size_t k = 0; k < n; k += 16) {
        __m256i in, jn, io, jo;
        const __m256i has_new = load_present(i_new, j_new, k, &in, &jn);
        const __m256i has_old = load_present(i_old, j_old, k, &io, &jo);
        if (_mm256_testz_si256(_mm256_or_si256(has_new, has_old), _mm256_set1_epi16(-1)))
            continue; /* outside the image, as far as a tile may lie, nothing ever comes */
        const __m256i minus_io = _mm256_sub_epi16(zero, io), minus_jo = _mm256_sub_epi16(zero, jo);
        const __m256i i_low = _mm256_unpacklo_epi16(in, io), i_high = _mm256_unpackhi_epi16(in, io);
        const __m256i j_low = _mm256_unpacklo_epi16(jn, jo), j_high = _mm256_unpackhi_epi16(jn, jo);
        const __m256i wj_low = _mm256_unpacklo_epi16(jn, minus_jo);
        const __m256i wj_high = _mm256_unpackhi_epi16(jn, minus_jo);
        /* differences of two grays fit 16 bits; masks are -1 */
        add_wide(sums->count + k, _mm256_sub_epi16(has_old, has_new));
        add_wide(sums->i + k, _mm256_sub_epi16(in, io));
        add_wide(sums->j + k, _mm256_sub_epi16(jn, jo));
        accumulate(sums->ii + k, i_low, _mm256_unpacklo_epi16(in, minus_io), i_high,
                   _mm256_unpackhi_epi16(in, minus_io));
        accumulate(sums->jj + k, j_low, wj_low, j_high, wj_high);
        accumulate(sums->ij + k, i_low, wj_low, i_high, wj_high);
    }
}

/* ---- scores ---------------------------------------------------------------------------------- */

static inline __m256i load_ints(const int32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline __m256i load_shorts(const int16_t *p) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* Statistics of eight windows; window_stats.h. Means and counts fit 16 bits, so a product of pairs
 * (the upper half of a count is 0) does what the slower one of 32 bits would. */
typedef struct Stats {
    __m256i mean, rest;
    __m256 variance;
} Stats;

static inline Stats stats_of(__m256i sum, __m256i squares, __m256i count, __m256 inverse) {
    const __m256i mean = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), inverse));
    const __m256i rest = _mm256_sub_epi32(sum, _mm256_madd_epi16(count, mean));
    const __m256 r = _mm256_cvtepi32_ps(rest);
    const __m256i whole =
        _mm256_sub_epi32(squares, _mm256_mullo_epi32(mean, _mm256_add_epi32(sum, rest)));
    const __m256 correction = _mm256_mul_ps(r, _mm256_mul_ps(r, inverse));
    return (Stats){mean, rest, _mm256_sub_ps(_mm256_cvtepi32_ps(whole), correction)};
}

/* The mean as one number, and that of a source. */
static inline __m256 mean_value(__m256i mean, __m256i rest, __m256 inverse) {
    return _mm256_add_ps(_mm256_cvtepi32_ps(mean),
                         _mm256_mul_ps(_mm256_cvtepi32_ps(rest), inverse));
}

/* The moments of a source's windows, and with the reference's, as scores take them. */
typedef struct Moments {
    __m256 mean, variance, covariance;
} Moments;

static inline Moments moments_of(__m256i j, __m256i jj, __m256i ij, __m256 mean_i, __m256 inverse) {
    const __m256 sum = _mm256_cvtepi32_ps(j), mean = _mm256_mul_ps(sum, inverse);
    return (Moments){mean, _mm256_sub_ps(_mm256_cvtepi32_ps(jj), _mm256_mul_ps(sum, mean)),
                     _mm256_sub_ps(_mm256_cvtepi32_ps(ij), _mm256_mul_ps(sum, mean_i))};
}

/* What a variance that is not usable makes of the quotient is dropped at the end. */
static inline __m256 ncc_of(__m256 covariance, __m256 inverse_i, __m256 variance_j, __m256 flat) {
    const __m256 usable = _mm256_cmp_ps(variance_j, flat, _CMP_GT_OQ);
    const __m256 deviation = _mm256_sqrt_ps(variance_j);
    return _mm256_and_ps(_mm256_div_ps(_mm256_mul_ps(covariance, inverse_i), deviation), usable);
}

static inline __m256 inverse_deviation_of(__m256 variance, __m256 flat) {
    const __m256 usable = _mm256_cmp_ps(variance, flat, _CMP_GT_OQ), one = _mm256_set1_ps(1.0f);
    const __m256 deviation = _mm256_sqrt_ps(variance);
    return _mm256_and_ps(_mm256_div_ps(one, deviation), usable);
}

static inline __m256 level_of(__m256 mean) {
    return _mm256_add_ps(mean, _mm256_set1_ps((float)AQM_GRAY_CENTER));
}

static inline __m256 ssim_of(__m256 level_i, __m256 level_j, __m256 variances, __m256 covariance,
                             __m256 inverse) {
    const __m256 c1 = _mm256_set1_ps(AQM_SSIM_C1), c2 = _mm256_set1_ps(AQM_SSIM_C2);
    const __m256 product = _mm256_mul_ps(level_i, level_j);
    const __m256 squares =
        _mm256_add_ps(_mm256_mul_ps(level_i, level_i), _mm256_mul_ps(level_j, level_j));
    const __m256 twice = _mm256_mul_ps(_mm256_add_ps(covariance, covariance), inverse);
    const __m256 above =
        _mm256_mul_ps(_mm256_add_ps(_mm256_add_ps(product, product), c1), _mm256_add_ps(twice, c2));
    const __m256 below = _mm256_mul_ps(_mm256_add_ps(squares, c1),
                                       _mm256_add_ps(_mm256_mul_ps(variances, inverse), c2));
    return _mm256_div_ps(above, below);
}

static inline __m256i score_of(__m256 value) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(value, _mm256_set1_ps(AQM_SCORE_ONE)));
}

static void statistics_avx2(const AqmColumnSums *sums, int window, size_t n, int32_t *scratch,
                            const AqmWindowRow *row) {
    if (n < 8) {
        loops_statistics(sums, window, n, scratch, row);
        return;
    }
    int32_t *j = scratch + LEAD, *jj = j + prefix_pitch(n, window);
    prefix_sums(sums->j, n + (size_t)window - 1, j);
    prefix_sums(sums->jj, n + (size_t)window - 1, jj);
    const float number = (float)(window * window);
    const __m256 inverse = _mm256_set1_ps(1.0f / number);
    const __m256 flat = _mm256_set1_ps(aqm_flat_variance(number));
    const __m256i count = _mm256_set1_epi32(window * window);
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const Stats s =
            stats_of(window_sums(j, x, window), window_sums(jj, x, window), count, inverse);
        store_narrow_8(row->mean + x, s.mean);
        store_narrow_8(row->rest + x, s.rest);
        _mm256_storeu_ps(row->variance + x, s.variance);
        _mm256_storeu_ps(row->inverse_deviation + x, inverse_deviation_of(s.variance, flat));
    }
}

/* Scores of at least eight whole windows. */
static inline void score_whole(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                               int window, size_t n, int32_t *scratch, bool is_ssim,
                               int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    int32_t *j = scratch + LEAD, *jj = j + pitch, *ij = jj + pitch;
    prefix_sums(sums->j, length, j);
    prefix_sums(sums->jj, length, jj);
    prefix_sums(sums->ij, length, ij);
    const float number = (float)(window * window);
    const __m256 inverse = _mm256_set1_ps(1.0f / number);
    const __m256 flat = _mm256_set1_ps(aqm_flat_variance(number));
    for (size_t x = 0; x < n; x = next_block(x, n)) {
        const __m256 mean_i =
            mean_value(load_shorts(reference->mean + x), load_shorts(reference->rest + x), inverse);
        const Moments m = moments_of(window_sums(j, x, window), window_sums(jj, x, window),
                                     window_sums(ij, x, window), mean_i, inverse);
        __m256 value;
        if (is_ssim)
            value = ssim_of(level_of(mean_i), level_of(m.mean),
                            _mm256_add_ps(_mm256_loadu_ps(reference->variance + x), m.variance),
                            m.covariance, inverse);
        else
            value = ncc_of(m.covariance, _mm256_loadu_ps(reference->inverse_deviation + x),
                           m.variance, flat);
        store_narrow_8(score + x, score_of(value));
    }
}

static void ncc_avx2(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                     size_t n, int32_t *scratch, int16_t *score) {
    if (n < 8)
        loops_ncc(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, false, score);
}

static void ssim_avx2(const AqmColumnSums *sums, const AqmReferenceStats *reference, int window,
                      size_t n, int32_t *scratch, int16_t *score) {
    if (n < 8)
        loops_ssim(sums, reference, window, n, scratch, score);
    else
        score_whole(sums, reference, window, n, scratch, true, score);
}

/* The sums of windows over six kinds of columns: from running sums, or, where few are wanted, added
 * up one by one. Both are exact. */
typedef struct Boxes {
    const int32_t *sums[6];
    int window;
    bool is_running;
} Boxes;

static inline __m256i box_of(const Boxes *boxes, int kind, size_t x) {
    if (boxes->is_running)
        return window_sums(boxes->sums[kind], x, boxes->window);
    const int32_t *from = boxes->sums[kind] + x;
    __m256i sum = load_ints(from);
    for (int k = 1; k < boxes->window; k++)
        sum = _mm256_add_epi32(sum, load_ints(from + k));
    return sum;
}

/* Eight scores over masked sums. */
static inline __m256i masked_scores(const Boxes *boxes, size_t x, int min_count, bool is_ssim) {
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256i count = box_of(boxes, 0, x);
    const __m256 number = _mm256_max_ps(_mm256_cvtepi32_ps(count), one);
    const __m256 inverse = _mm256_div_ps(one, number);
    const Stats i = stats_of(box_of(boxes, 1, x), box_of(boxes, 2, x), count, inverse);
    const __m256 mean_i = mean_value(i.mean, i.rest, inverse);
    const Moments m =
        moments_of(box_of(boxes, 3, x), box_of(boxes, 4, x), box_of(boxes, 5, x), mean_i, inverse);
    __m256 value;
    if (is_ssim) {
        value = ssim_of(level_of(mean_i), level_of(m.mean), _mm256_add_ps(i.variance, m.variance),
                        m.covariance, inverse);
    } else {
        const __m256 flat = _mm256_mul_ps(_mm256_set1_ps(aqm_flat_variance(1.0f)), number);
        value = ncc_of(m.covariance, inverse_deviation_of(i.variance, flat), m.variance, flat);
    }
    return choose(_mm256_set1_epi32(AQM_SCORE_MISSING), score_of(value),
                  _mm256_cmpgt_epi32(count, _mm256_set1_epi32(min_count - 1)));
}

enum { FEW = 24 }; /* windows up to which adding up is faster */

/* Scores of at least eight windows over masked sums. */
static inline void score_masked(const AqmColumnSums *sums, int window, int min_count, size_t n,
                                int32_t *scratch, bool is_ssim, int16_t *score) {
    const size_t pitch = prefix_pitch(n, window), length = n + (size_t)window - 1;
    const Boxes few = {
        {sums->count, sums->i, sums->ii, sums->j, sums->jj, sums->ij}, window, false};
    if (n <= FEW) {
        for (size_t x = 0; x < n; x = next_block(x, n))
            store_narrow_8(score + x, masked_scores(&few, x, min_count, is_ssim));
        return;
    }
    Boxes boxes = {.window = window, .is_running = true};
    int32_t *box = scratch + LEAD;
    prefix_sums(few.sums[0], length, box);
    /* most rows with gaps lie at an edge of the source, and much of the tile beyond it */
    const BoxRange range = boxes_with(box, window, min_count, n);
    boxes.sums[0] = box;
    for (size_t k = 1; k < 6; k++) {
        boxes.sums[k] = box + k * pitch;
        if (range.columns > 0)
            prefix_sums(few.sums[k] + range.first, range.columns, box + k * pitch + range.first);
    }
    for (size_t x = 0; x < n; x++)
        score[x] = AQM_SCORE_MISSING;
    for (size_t x = range.first; x < range.end; x = next_block(x, n))
        store_narrow_8(score + x, masked_scores(&boxes, x, min_count, is_ssim));
}

static void ncc_masked_avx2(const AqmColumnSums *sums, int window, int min_count, size_t n,
                            int32_t *scratch, int16_t *score) {
    if (n < 8)
        loops_ncc_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, false, score);
}

static void ssim_masked_avx2(const AqmColumnSums *sums, int window, int min_count, size_t n,
                             int32_t *scratch, int16_t *score) {
    if (n < 8)
        loops_ssim_masked(sums, window, min_count, n, scratch, score);
    else
        score_masked(sums, window, min_count, n, scratch, true, score);
}

const AqmKernels aqm_kernels_avx2 = {
    .name = "avx2",
    .project = loops_project,
    .spread = spread_avx2,
    .sample = sample_avx2,
    .sample_masked = sample_masked_avx2,
    .shift = shift_avx2,
    .shift_masked = shift_masked_avx2,
    .gaps = gaps_avx2,
    .columns = columns_avx2,
    .columns_masked = columns_masked_avx2,
    .statistics = statistics_avx2,
    .ncc = ncc_avx2,
    .ncc_masked = ncc_masked_avx2,
    .takes_border = true,
    .whole_load = aqm_whole_load_avx2,
    .whole_ncc = aqm_whole_ncc_avx2,
    .ssim = ssim_avx2,
    .ssim_masked = ssim_masked_avx2,
    .join = join_avx2,
    .track = track_avx2,
};
