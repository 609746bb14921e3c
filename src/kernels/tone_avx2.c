/* AVX2 variants of the kernels of tones, eight pixels at a time: 24 bytes, read as two words of 16
 * that begin with the first and the fifth pixel. What is read behind the pixels belongs to others
 * of the row; the last ones of a row are the reference's. */
#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/tone_kernels.h"

enum { LANES = 8, READ = 28 }; /* bytes that eight pixels are read with */

/* Whether eight pixels from the k-th on may be read. */
static inline int has_room(size_t k, size_t n) {
    return 3 * k + READ <= 3 * n;
}

static inline __m256i load_pixels(const uint8_t *rgb) {
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)rgb);
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(rgb + 12));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* One channel as words of 32 bits. */
static inline __m256i channel_of(__m256i pixels, int c) {
    const char at = (char)c, next = (char)(c + 3), third = (char)(c + 6), last = (char)(c + 9);
    const __m128i order =
        _mm_setr_epi8(at, -1, -1, -1, next, -1, -1, -1, third, -1, -1, -1, last, -1, -1, -1);
    return _mm256_shuffle_epi8(pixels, _mm256_broadcastsi128_si256(order));
}

/* Red and green as words of 16 bits side by side. */
static inline __m256i red_green(__m256i pixels) {
    const __m128i order = _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1);
    return _mm256_shuffle_epi8(pixels, _mm256_broadcastsi128_si256(order));
}

/* Words of 32 bits to 16, in order. */
static inline __m128i narrow(__m256i values) {
    return _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
}

static void gray(const uint8_t *rgb, size_t n, float scale, int16_t *gray) {
    const __m256 factor = _mm256_set1_ps(0.001f * scale), half = _mm256_set1_ps(0.5f);
    const __m256i weights = _mm256_set1_epi32(587 << 16 | 299), blue = _mm256_set1_epi32(114);
    size_t k = 0;
    for (; has_room(k, n); k += LANES) {
        const __m256i pixels = load_pixels(rgb + 3 * k);
        const __m256i thousandths =
            _mm256_add_epi32(_mm256_madd_epi16(red_green(pixels), weights),
                             _mm256_madd_epi16(channel_of(pixels, 2), blue));
        const __m256 value =
            _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(thousandths), factor), half);
        const __m256i level = _mm256_sub_epi32(_mm256_cvttps_epi32(_mm256_floor_ps(value)),
                                               _mm256_set1_epi32(AQM_GRAY_CENTER));
        const __m256i cut = _mm256_min_epi32(level, _mm256_set1_epi32(AQM_GRAY_MAX));
        _mm_storeu_si128((__m128i *)(void *)(gray + k), narrow(cut));
    }
    aqm_tone_kernels_reference.gray(rgb + 3 * k, n - k, scale, gray + k);
}

/* A channel's tint as whole numbers. */
static inline __m256i tint_of(__m256i channel, __m256 scale, __m256 level) {
    const __m256 value = _mm256_sub_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(channel), scale), level);
    return _mm256_cvttps_epi32(
        _mm256_min_ps(_mm256_max_ps(value, _mm256_set1_ps(-128.0f)), _mm256_set1_ps(127.0f)));
}

static void tint(const uint8_t *rgb, const int16_t *gray, size_t n, float scale, float per_gray,
                 int8_t *tint) {
    const __m256 factor = _mm256_set1_ps(scale), unit = _mm256_set1_ps(per_gray);
    size_t k = 0;
    for (; has_room(k, n); k += LANES) {
        const __m256i pixels = load_pixels(rgb + 3 * k);
        const __m256i own =
            _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(gray + k)));
        const __m256i above = _mm256_add_epi32(own, _mm256_set1_epi32(AQM_GRAY_CENTER));
        const __m256 level = _mm256_mul_ps(_mm256_cvtepi32_ps(above), unit);
        const __m128i blues = narrow(tint_of(channel_of(pixels, 2), factor, level));
        const __m128i reds = narrow(tint_of(channel_of(pixels, 0), factor, level));
        const __m128i pairs =
            _mm_packs_epi16(_mm_unpacklo_epi16(blues, reds), _mm_unpackhi_epi16(blues, reds));
        _mm_storeu_si128((__m128i *)(void *)(tint + 2 * k), pairs);
    }
    aqm_tone_kernels_reference.tint(rgb + 3 * k, gray + k, n - k, scale, per_gray, tint + 2 * k);
}

static inline __m256i load_32(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Eight means of 2 x 2, of 16 pixels of each row. */
static inline __m256i halve_eight(const int16_t *top, const int16_t *bottom) {
    const __m256i ones = _mm256_set1_epi16(1), missing = _mm256_set1_epi16(AQM_GRAY_MISSING);
    const __m256i a = load_32(top), b = load_32(bottom);
    const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(a, ones), _mm256_madd_epi16(b, ones));
    const __m256i holes =
        _mm256_or_si256(_mm256_cmpeq_epi16(a, missing), _mm256_cmpeq_epi16(b, missing));
    const __m256i is_whole = _mm256_cmpeq_epi32(holes, _mm256_setzero_si256());
    const __m256i mean = _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(2)), 2);
    return _mm256_blendv_epi8(_mm256_set1_epi32(AQM_GRAY_MISSING), mean, is_whole);
}

static void halve_gray(const int16_t *top, const int16_t *bottom, size_t n, int16_t *out) {
    size_t x = 0;
    for (; x + 2 * LANES <= n; x += 2 * LANES) {
        const __m256i first = halve_eight(top + 2 * x, bottom + 2 * x);
        const __m256i second = halve_eight(top + 2 * x + 16, bottom + 2 * x + 16);
        const __m256i both = _mm256_packs_epi32(first, second);
        _mm256_storeu_si256((__m256i *)(void *)(out + x), _mm256_permute4x64_epi64(both, 0xd8));
    }
    aqm_tone_kernels_reference.halve_gray(top + 2 * x, bottom + 2 * x, n - x, out + x);
}

/* Sixteen means, blue and red in turn, of 16 pixels of each row. */
static inline __m256i halve_tints(const int8_t *top, const int8_t *bottom) {
    const __m128i apart = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m256i order = _mm256_broadcastsi128_si256(apart), ones = _mm256_set1_epi8(1);
    const __m256i a = _mm256_maddubs_epi16(ones, _mm256_shuffle_epi8(load_32(top), order));
    const __m256i b = _mm256_maddubs_epi16(ones, _mm256_shuffle_epi8(load_32(bottom), order));
    const __m256i sum = _mm256_add_epi16(a, b);
    const __m256i upwards = _mm256_srli_epi16(_mm256_srai_epi16(sum, 15), 14); /* 3 below 0 */
    return _mm256_srai_epi16(_mm256_add_epi16(sum, upwards), 2);
}

static void halve_tint(const int8_t *top, const int8_t *bottom, size_t n, int8_t *out) {
    size_t x = 0;
    for (; x + 2 * LANES <= n; x += 2 * LANES) {
        const __m256i first = halve_tints(top + 4 * x, bottom + 4 * x);
        const __m256i second = halve_tints(top + 4 * x + 32, bottom + 4 * x + 32);
        const __m256i both = _mm256_packs_epi16(first, second);
        _mm256_storeu_si256((__m256i *)(void *)(out + 2 * x), _mm256_permute4x64_epi64(both, 0xd8));
    }
    aqm_tone_kernels_reference.halve_tint(top + 4 * x, bottom + 4 * x, n - x, out + 2 * x);
}

const AqmToneKernels aqm_tone_kernels_avx2 = {
    .name = "avx2",
    .gray = gray,
    .tint = tint,
    .halve_gray = halve_gray,
    .halve_tint = halve_tint,
};
