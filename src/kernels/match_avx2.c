/* AVX2 variants; contracts in kernels.h. Sampling and column sums are written by hand, the rest are
 * the loops of match_loops.h compiled for AVX2. */
#include <immintrin.h>

#include "kernels/match_loops.h"

/* Eight bilinear samples from texel pairs (low half: left): the two roundings of the reference. */
static inline __m256i blend(__m256i top_pair, __m256i bottom_pair, __m256 fu, __m256 fv) {
    const __m256 scale = _mm256_set1_ps(256.0f), half = _mm256_set1_ps(0.5f);
    const __m256i wu = _mm256_cvttps_epi32(_mm256_add_ps(_mm256_mul_ps(fu, scale), half));
    const __m256i wv = _mm256_cvttps_epi32(_mm256_add_ps(_mm256_mul_ps(fv, scale), half));
    const __m256i one = _mm256_set1_epi32(256);
    /* weights as pairs: left in the low half, right in the high half */
    const __m256i pair = _mm256_or_si256(_mm256_sub_epi32(one, wu), _mm256_slli_epi32(wu, 16));
    const __m256i top = _mm256_madd_epi16(top_pair, pair);
    const __m256i bottom = _mm256_madd_epi16(bottom_pair, pair);
    const __m256i sum = _mm256_add_epi32(_mm256_mullo_epi32(top, _mm256_sub_epi32(one, wv)),
                                         _mm256_mullo_epi32(bottom, wv));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(32768)), 16);
}

/* Eight 32-bit values of 16-bit range to eight 16-bit ones. */
static inline void store_narrow(int16_t *out, __m256i values) {
    const __m256i packed = _mm256_packs_epi32(values, values);
    const __m256i low = _mm256_permute4x64_epi64(packed, 0x08);
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(low));
}

static void sample_avx2(const AqmGray *image, const float *u, const float *v, size_t n,
                        int16_t *out) {
    const __m256i stride = _mm256_set1_epi32((int)image->stride);
    const int *base = (const int *)(const void *)image->data;
    const int *below = (const int *)(const void *)(image->data + image->stride);
    for (size_t k = 0; k < n; k += 8) {
        const __m256 x = _mm256_loadu_ps(u + k), y = _mm256_loadu_ps(v + k);
        const __m256i ix = _mm256_cvttps_epi32(x), iy = _mm256_cvttps_epi32(y);
        const __m256i index = _mm256_add_epi32(_mm256_mullo_epi32(iy, stride), ix);
        const __m256i top = _mm256_i32gather_epi32(base, index, 2);
        const __m256i bottom = _mm256_i32gather_epi32(below, index, 2);
        store_narrow(out + k, blend(top, bottom, _mm256_sub_ps(x, _mm256_cvtepi32_ps(ix)),
                                    _mm256_sub_ps(y, _mm256_cvtepi32_ps(iy))));
    }
}

static void sample_masked_avx2(const AqmGray *image, const float *u, const float *v, size_t n,
                               int16_t *out) {
    const __m256i stride = _mm256_set1_epi32((int)image->stride);
    const __m256i missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256 zero = _mm256_setzero_ps(), right = _mm256_set1_ps((float)(image->width - 1)),
                 last = _mm256_set1_ps((float)(image->height - 1));
    const int *base = (const int *)(const void *)image->data;
    const int *below = (const int *)(const void *)(image->data + image->stride);
    for (size_t k = 0; k < n; k += 8) {
        __m256 x = _mm256_loadu_ps(u + k), y = _mm256_loadu_ps(v + k);
        const __m256 inside = _mm256_and_ps(
            _mm256_and_ps(_mm256_cmp_ps(x, zero, _CMP_GE_OQ), _mm256_cmp_ps(y, zero, _CMP_GE_OQ)),
            _mm256_and_ps(_mm256_cmp_ps(x, right, _CMP_LE_OQ), _mm256_cmp_ps(y, last, _CMP_LE_OQ)));
        x = _mm256_and_ps(x, inside); /* outside and NaN: read pixel (0, 0), then drop it */
        y = _mm256_and_ps(y, inside);
        const __m256i ix = _mm256_cvttps_epi32(x), iy = _mm256_cvttps_epi32(y);
        const __m256i index = _mm256_add_epi32(_mm256_mullo_epi32(iy, stride), ix);
        const __m256i top = _mm256_i32gather_epi32(base, index, 2);
        const __m256i bottom = _mm256_i32gather_epi32(below, index, 2);
        const __m256i hole =
            _mm256_or_si256(_mm256_cmpeq_epi16(top, missing), _mm256_cmpeq_epi16(bottom, missing));
        const __m256i whole = _mm256_cmpeq_epi32(hole, _mm256_setzero_si256());
        const __m256i keep = _mm256_and_si256(whole, _mm256_castps_si256(inside));
        const __m256i value = blend(top, bottom, _mm256_sub_ps(x, _mm256_cvtepi32_ps(ix)),
                                    _mm256_sub_ps(y, _mm256_cvtepi32_ps(iy)));
        store_narrow(out + k, _mm256_blendv_epi8(_mm256_set1_epi32(AQM_GRAY_MISSING), value, keep));
    }
}

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

const AqmKernels aqm_kernels_avx2 = {
    .name = "avx2",
    .project = loops_project,
    .spread = loops_spread,
    .sample = sample_avx2,
    .sample_masked = sample_masked_avx2,
    .columns = columns_avx2,
    .columns_masked = loops_columns_masked,
    .ncc = loops_ncc,
    .ncc_masked = loops_ncc_masked,
    .ssim = loops_ssim,
    .ssim_masked = loops_ssim_masked,
    .join = loops_join,
    .track = loops_track,
};
