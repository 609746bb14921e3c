/* AVX2 variants of the kernels of undistortion: the loops of remap_loops.h compiled for AVX2, and
 * sampling by hand, a pixel's three channels at once. */
#include <immintrin.h>
#include <string.h>

#include "kernels/remap_loops.h"

/* Left and right of each channel, as pairs of 16 bits, times their weights. */
static inline __m128i blend_row(const uint8_t *p, __m128i weights) {
    const __m128i pairs = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm_madd_epi16(_mm_shuffle_epi8(bytes, pairs), weights);
}

static inline void sample_fast(const AqmRemapImage *image, const uint8_t *p, uint32_t right,
                               uint32_t low, uint8_t *out) {
    const __m128i weights = _mm_set1_epi32((int)(right << 16 | (ONE - right)));
    const __m128i top = blend_row(p, weights);
    const __m128i bottom = blend_row(p + (low ? image->stride : 0), weights);
    const __m128i sum = _mm_add_epi32(_mm_mullo_epi32(top, _mm_set1_epi32((int)(ONE - low))),
                                      _mm_mullo_epi32(bottom, _mm_set1_epi32((int)low)));
    const __m128i rounded =
        _mm_srli_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), 2 * AQM_REMAP_BITS);
    const __m128i narrow = _mm_packus_epi16(_mm_packus_epi32(rounded, rounded), rounded);
    const int three = _mm_cvtsi128_si32(narrow);
    memcpy(out, &three, 3);
}

static void sample3_avx2(const AqmRemapImage *image, const AqmFootprints *at, size_t n,
                         uint8_t *out) {
    /* eight bytes are read of a row, six of which count */
    const size_t last = image->size >= 8 ? image->size - 8 : 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t x = at->x[i], y = at->y[i];
        const uint32_t right = (uint32_t)at->right[i], low = (uint32_t)at->low[i];
        if (x < 0)
            continue;
        const size_t first = (size_t)y * image->stride + 3 * (size_t)x;
        if (first + image->stride <= last)
            sample_fast(image, image->data + first, right, low, out + 3 * i);
        else
            sample_one(image, x, y, right, low, out + 3 * i);
    }
}

const AqmRemapKernels aqm_remap_kernels_avx2 = {
    .name = "avx2",
    .pinhole = loops_pinhole,
    .footprints = loops_footprints,
    .sample3 = sample3_avx2,
};
