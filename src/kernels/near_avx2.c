/* AVX2 variants of near_kernels.h. Column sums and fits are written by hand and do the operations
 * of near_loops.h in the same order, so that the bits are the same; the rest is those loops,
 * compiled for AVX2. */
#include <immintrin.h>

#include "kernels/near_loops.h"

static inline __m256i load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

/* ---- column sums ----------------------------------------------------------------------------- */

/* Sixteen values of a row that comes in and one that leaves, interleaved; and with the leaving ones
 * negated. */
typedef struct Pairs {
    __m256i low, high, signed_low, signed_high;
} Pairs;

static inline Pairs interleave(const int16_t *in, const int16_t *out, size_t k) {
    const __m256i a = load(in + k), b = load(out + k);
    const __m256i minus_b = _mm256_sub_epi16(_mm256_setzero_si256(), b);
    return (Pairs){_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b),
                   _mm256_unpacklo_epi16(a, minus_b), _mm256_unpackhi_epi16(a, minus_b)};
}

/* Adds in x in' - out x out' of sixteen columns. */
static inline void accumulate(int32_t *sums, const Pairs *x, __m256i low, __m256i high) {
    const __m256i l = _mm256_madd_epi16(x->low, low), h = _mm256_madd_epi16(x->high, high);
    __m256i *to = (__m256i *)(void *)sums;
    _mm256_storeu_si256(to, _mm256_add_epi32(load(to), _mm256_permute2x128_si256(l, h, 0x20)));
    _mm256_storeu_si256(to + 1,
                        _mm256_add_epi32(load(to + 1), _mm256_permute2x128_si256(l, h, 0x31)));
}

static void pair_columns_avx2(const AqmPairRow *in, const AqmPairRow *out, size_t n,
                              const AqmPairSums *sums) {
    const __m256i one = _mm256_set1_epi16(1), minus = _mm256_set1_epi16(-1);
    const __m256i plus_minus = _mm256_unpacklo_epi16(one, minus);
    for (size_t k = 0; k < n; k += 16) {
        const Pairs i = interleave(in->i, out->i, k), a = interleave(in->a, out->a, k);
        const Pairs b = interleave(in->b, out->b, k);
        accumulate(sums->a + k, &a, plus_minus, plus_minus);
        accumulate(sums->b + k, &b, plus_minus, plus_minus);
        accumulate(sums->aa + k, &a, a.signed_low, a.signed_high);
        accumulate(sums->ab + k, &a, b.signed_low, b.signed_high);
        accumulate(sums->bb + k, &b, b.signed_low, b.signed_high);
        accumulate(sums->ia + k, &a, i.signed_low, i.signed_high);
        accumulate(sums->ib + k, &b, i.signed_low, i.signed_high);
    }
}

/* ---- fits ------------------------------------------------------------------------------------ */

typedef struct Stats {
    __m256i mean, rest;
    __m256 variance;
} Stats;

static inline Stats stats_of(__m256i sum, __m256i squares, __m256i count, __m256 inverse) {
    const __m256i mean = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), inverse));
    const __m256i rest = _mm256_sub_epi32(sum, _mm256_mullo_epi32(count, mean));
    const __m256 r = _mm256_cvtepi32_ps(rest);
    const __m256 correction = _mm256_mul_ps(r, _mm256_mul_ps(r, inverse));
    const __m256i whole =
        _mm256_sub_epi32(squares, _mm256_mullo_epi32(mean, _mm256_add_epi32(sum, rest)));
    return (Stats){mean, rest, _mm256_sub_ps(_mm256_cvtepi32_ps(whole), correction)};
}

static inline __m256 covariance_of(__m256i ij, __m256i sum_j, __m256i mean_i, __m256i rest_i,
                                   const Stats *j, __m256 inverse) {
    const __m256 correction = _mm256_mul_ps(_mm256_cvtepi32_ps(j->rest),
                                            _mm256_mul_ps(_mm256_cvtepi32_ps(rest_i), inverse));
    const __m256i first = _mm256_sub_epi32(ij, _mm256_mullo_epi32(mean_i, sum_j));
    const __m256i whole = _mm256_sub_epi32(first, _mm256_mullo_epi32(j->mean, rest_i));
    return _mm256_sub_ps(_mm256_cvtepi32_ps(whole), correction);
}

static inline __m256i load_short(const int16_t *p) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* Eight windows from x on; the formulas are those of fit_window. */
static inline void fit_eight(int32_t *const box[7], const AqmReferenceStats *reference,
                             __m256i count, __m256 inverse, __m256 inverse_spacing, __m256 flat,
                             size_t x, const AqmPairFit *fit) {
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
    const __m256i sum_a = load(box[0] + x), sum_b = load(box[1] + x);
    const Stats a = stats_of(sum_a, load(box[2] + x), count, inverse);
    const Stats b = stats_of(sum_b, load(box[4] + x), count, inverse);
    const __m256i mean_i = load_short(reference->mean + x),
                  rest_i = load_short(reference->rest + x);
    const __m256 ab = covariance_of(load(box[3] + x), sum_b, a.mean, a.rest, &b, inverse);
    const __m256 ia = covariance_of(load(box[5] + x), sum_a, mean_i, rest_i, &a, inverse);
    const __m256 ib = covariance_of(load(box[6] + x), sum_b, mean_i, rest_i, &b, inverse);
    const __m256 vi = _mm256_loadu_ps(reference->variance + x);
    const __m256 both = _mm256_add_ps(a.variance, b.variance), twice = _mm256_add_ps(ab, ab);
    const __m256 vj = _mm256_mul_ps(_mm256_set1_ps(0.25f), _mm256_add_ps(both, twice));
    const __m256 vjg =
        _mm256_mul_ps(_mm256_mul_ps(half, _mm256_sub_ps(b.variance, a.variance)), inverse_spacing);
    const __m256 vg =
        _mm256_mul_ps(_mm256_mul_ps(_mm256_sub_ps(both, twice), inverse_spacing), inverse_spacing);
    const __m256 cij = _mm256_mul_ps(half, _mm256_add_ps(ia, ib));
    const __m256 cig = _mm256_mul_ps(_mm256_sub_ps(ib, ia), inverse_spacing);
    const __m256 usable =
        _mm256_and_ps(_mm256_cmp_ps(vj, flat, _CMP_GT_OQ), _mm256_cmp_ps(vi, flat, _CMP_GT_OQ));
    const __m256 safe_j = _mm256_blendv_ps(one, vj, usable);
    const __m256 safe_i = _mm256_blendv_ps(one, vi, usable);
    const __m256 norm =
        _mm256_div_ps(one, _mm256_mul_ps(_mm256_sqrt_ps(safe_j), _mm256_sqrt_ps(safe_i)));
    const __m256 share = _mm256_div_ps(vjg, safe_j);
    const __m256 information = _mm256_div_ps(_mm256_sub_ps(vg, _mm256_mul_ps(vjg, share)), safe_j);
    const __m256 slope = _mm256_mul_ps(_mm256_sub_ps(cig, _mm256_mul_ps(cij, share)), norm);
    const __m256 is_more = _mm256_cmp_ps(information, _mm256_setzero_ps(), _CMP_GT_OQ);
    _mm256_storeu_ps(fit->score + x, _mm256_and_ps(usable, _mm256_mul_ps(cij, norm)));
    _mm256_storeu_ps(fit->slope + x, _mm256_and_ps(usable, slope));
    _mm256_storeu_ps(fit->information + x,
                     _mm256_and_ps(_mm256_and_ps(usable, is_more), information));
}

static void pair_fit_avx2(const AqmPairSums *sums, const AqmReferenceStats *reference, int window,
                          float spacing, size_t n, int32_t *scratch, const AqmPairFit *fit) {
    if (n < 8) {
        loops_pair_fit(sums, reference, window, spacing, n, scratch, fit);
        return;
    }
    int32_t *box[7];
    pair_boxes(sums, window, n, scratch, box);
    const float count = (float)(window * window);
    for (size_t x = 0; x < n; x = x + 8 < n && x + 16 > n ? n - 8 : x + 8)
        fit_eight(box, reference, _mm256_set1_epi32(window * window), _mm256_set1_ps(1.0f / count),
                  _mm256_set1_ps(1.0f / spacing), _mm256_set1_ps(aqm_flat_variance(count)), x, fit);
}

const AqmNearKernels aqm_near_kernels_avx2 = {
    .name = "avx2",
    .bend = loops_bend,
    .pair_columns = pair_columns_avx2,
    .pair_columns_masked = loops_pair_columns_masked,
    .pair_fit = pair_fit_avx2,
    .pair_fit_masked = loops_pair_fit_masked,
    .pair_solve = loops_pair_solve,
    .curve_peak = loops_curve_peak,
    .median_row = loops_median_row,
    .mean_row = loops_mean_row,
};
