/* AVX2 variants of the kernels of undistortion: the loops of remap_loops.h compiled for AVX2, and
 * sampling by hand, two pixels with their three channels at once. */
#include <immintrin.h>
#include <string.h>

#include "kernels/remap_loops.h"

enum { LANES = 8 };

/* Eight footprints: byte offsets of their first pixels, and weights: of the left and right pixel in
 * the low and high half of a word, of the upper and the lower row. */
typedef struct Eight {
    __m256i across, upper, lower;
    int32_t offset[LANES];
} Eight;

static inline __m256i load_eight(const int32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* false where one of them is not whole or may not be read in eight bytes of both rows: `last` is
 * the last offset that may. */
static inline int aim_eight(const AqmFootprints *at, size_t i, int32_t stride, int32_t last,
                            Eight *eight) {
    const __m256i x = load_eight(at->x + i), right = load_eight(at->right + i),
                  low = load_eight(at->low + i), one = _mm256_set1_epi32(ONE);
    const __m256i rows = _mm256_mullo_epi32(load_eight(at->y + i), _mm256_set1_epi32(stride));
    const __m256i offset = _mm256_add_epi32(rows, _mm256_add_epi32(x, _mm256_slli_epi32(x, 1)));
    const __m256i bad = _mm256_or_si256(_mm256_srai_epi32(x, 31),
                                        _mm256_cmpgt_epi32(offset, _mm256_set1_epi32(last)));
    eight->across = _mm256_or_si256(_mm256_slli_epi32(right, 16), _mm256_sub_epi32(one, right));
    eight->upper = _mm256_sub_epi32(one, low);
    eight->lower = low;
    _mm256_storeu_si256((__m256i *)(void *)eight->offset, offset);
    return _mm256_testz_si256(bad, bad);
}

/* Of two pixels, one in each half: left and right of each channel times their weights. */
static inline __m256i blend_row(const uint8_t *p, const uint8_t *q, __m256i weights) {
    const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, 6, 7, 8, 11, 9, 12, 10, 13, 14, 15);
    const __m128 first = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)p);
    const __m128i bytes = _mm_castps_si128(_mm_loadh_pi(first, (const __m64 *)(const void *)q));
    return _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes, pairs)), weights);
}

/* Pixels k and k + 4: the three channels of each in 32 bits. */
static inline __m256i sample_two(const AqmRemapImage *image, const Eight *eight, int k) {
    const __m256i both = _mm256_setr_epi32(k, k, k, k, k + 4, k + 4, k + 4, k + 4);
    const __m256i across = _mm256_permutevar8x32_epi32(eight->across, both);
    const uint8_t *p = image->data + eight->offset[k], *q = image->data + eight->offset[k + 4];
    const __m256i top = blend_row(p, q, across);
    const __m256i bottom = blend_row(p + image->stride, q + image->stride, across);
    const __m256i sum = _mm256_add_epi32(
        _mm256_mullo_epi32(top, _mm256_permutevar8x32_epi32(eight->upper, both)),
        _mm256_mullo_epi32(bottom, _mm256_permutevar8x32_epi32(eight->lower, both)));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(HALF)), 2 * AQM_REMAP_BITS);
}

static inline void store_four(__m128i pixels, uint8_t *out) {
    const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m128i bytes = _mm_shuffle_epi8(pixels, three);
    const int end = _mm_extract_epi32(bytes, 2);
    _mm_storel_epi64((__m128i *)(void *)out, bytes);
    memcpy(out + 8, &end, sizeof end);
}

static inline void sample_eight(const AqmRemapImage *image, const Eight *eight, uint8_t *out) {
    const __m256i a = sample_two(image, eight, 0), b = sample_two(image, eight, 1);
    const __m256i c = sample_two(image, eight, 2), d = sample_two(image, eight, 3);
    const __m256i pixels =
        _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
    store_four(_mm256_castsi256_si128(pixels), out);
    store_four(_mm256_extracti128_si256(pixels, 1), out + 12);
}

static void sample3_avx2(const AqmRemapImage *image, const AqmFootprints *at, size_t n,
                         uint8_t *out) {
    /* eight bytes are read of a row, six of which count */
    const int is_small = image->size < INT32_MAX && image->size >= image->stride + 8;
    const int32_t last = is_small ? (int32_t)(image->size - image->stride - 8) : -1;
    size_t i = 0;
    while (i < n) {
        Eight eight;
        if (i + LANES <= n && last >= 0 && aim_eight(at, i, (int32_t)image->stride, last, &eight)) {
            sample_eight(image, &eight, out + 3 * i);
            i += LANES;
            continue;
        }
        const size_t end = i + LANES < n ? i + LANES : n;
        for (; i < end; i++)
            if (at->x[i] >= 0)
                sample_one(image, at->x[i], at->y[i], (uint32_t)at->right[i], (uint32_t)at->low[i],
                           out + 3 * i);
    }
}

const AqmRemapKernels aqm_remap_kernels_avx2 = {
    .name = "avx2",
    .pinhole = loops_pinhole,
    .footprints = loops_footprints,
    .sample3 = sample3_avx2,
};
