/* AVX2 variants of the kernels of undistortion: loops of remap_loops.h compiled for AVX2, and by
 * hand the positions between knots and the samples, two pixels with their three channels at once.
 */
#include <immintrin.h>

#include "kernels/remap_loops.h"

enum {
    LANES = 8,
    READ = 16,  /* bytes that are read of a row, six of which count */
    BLOCK = 128 /* pixels that are aimed at before they are read: so their places go through memory,
                   a word at a time, not out of registers by shuffles, which are scarce */
};

static inline __m256i load_eight(const int32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_eight(int32_t *p, __m256i values) {
    _mm256_storeu_si256((__m256i *)(void *)p, values);
}

/* ---- between knots --------------------------------------------------------------------------- */

static inline __m256i at_cell(const Cubics *cubics, size_t cell, __m256 t) {
    __m256 rest = _mm256_mul_ps(_mm256_broadcast_ss(&cubics->c3[cell]), t);
    rest = _mm256_mul_ps(_mm256_add_ps(rest, _mm256_broadcast_ss(&cubics->c2[cell])), t);
    rest = _mm256_mul_ps(_mm256_add_ps(rest, _mm256_broadcast_ss(&cubics->c1[cell])), t);
    rest = _mm256_add_ps(rest, _mm256_broadcast_ss(&cubics->c0[cell]));
    return _mm256_add_epi32(_mm256_set1_epi32(cubics->whole[cell]), _mm256_cvtps_epi32(rest));
}

static bool between_avx2(const double *raw_u, const double *raw_v, size_t cells, int32_t width,
                         int32_t height, const AqmFootprints *out) {
    Cubics cubics[2];
    if (!knots_are_even(raw_u, cells) || !knots_are_even(raw_v, cells))
        return false;
    fit_cubics(raw_u, cells, &cubics[0]);
    fit_cubics(raw_v, cells, &cubics[1]);
    const __m256i last_u = _mm256_set1_epi32((width - 1) * ONE);
    const __m256i last_v = _mm256_set1_epi32((height - 1) * ONE);
    const __m256 first = _mm256_setr_ps(0.0f, 0.0625f, 0.125f, 0.1875f, 0.25f, 0.3125f, 0.375f,
                                        0.4375f); /* 1/16 apart */
    for (size_t i = 0; i < cells * AQM_REMAP_CELL; i += LANES) {
        const size_t cell = i / AQM_REMAP_CELL;
        const float behind = i % AQM_REMAP_CELL ? 0.5f : 0.0f;
        const __m256 t = _mm256_add_ps(first, _mm256_set1_ps(behind));
        const __m256i u = at_cell(&cubics[0], cell, t), v = at_cell(&cubics[1], cell, t);
        const __m256i far =
            _mm256_or_si256(_mm256_sub_epi32(last_u, u), _mm256_sub_epi32(last_v, v));
        const __m256i outside = _mm256_or_si256(_mm256_or_si256(u, v), far); /* by its sign */
        store_eight(out->u + i, _mm256_or_si256(u, _mm256_srai_epi32(outside, 31)));
        store_eight(out->v + i, v);
    }
    return true;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Byte offsets of the first pixels of n <= BLOCK footprints, a multiple of LANES; a group where one
 * is not whole, or may not be read in READ bytes of both rows, begins with -1. `last` is the last
 * offset that may. */
static inline void aim(const AqmFootprints *at, size_t n, int32_t stride, int32_t last,
                       int32_t *offsets) {
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i u = load_eight(at->u + i), v = load_eight(at->v + i);
        const __m256i x = _mm256_srai_epi32(u, AQM_REMAP_BITS);
        const __m256i rows =
            _mm256_mullo_epi32(_mm256_srai_epi32(v, AQM_REMAP_BITS), _mm256_set1_epi32(stride));
        const __m256i offset = _mm256_add_epi32(rows, _mm256_add_epi32(x, _mm256_slli_epi32(x, 1)));
        const __m256i bad = _mm256_or_si256(u, _mm256_cmpgt_epi32(offset, _mm256_set1_epi32(last)));
        store_eight(offsets + i, offset);
        if (_mm256_movemask_ps(_mm256_castsi256_ps(bad)) != 0) /* signs */
            offsets[i] = -1;
    }
}

static inline __m128i load_bytes(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Of two pixels, one in each half: left and right of each channel times their weights. */
static inline __m256i blend_row(const uint8_t *p, const uint8_t *q, __m256i weights) {
    const __m128i order = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(load_bytes(p)), load_bytes(q), 1);
    return _mm256_madd_epi16(_mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(order)),
                             weights);
}

/* The three channels of each in 32 bits: the upper row, and the weighted step to the lower one. */
static inline __m256i blend_two(const uint8_t *p, const uint8_t *q, size_t stride, __m256i across,
                                __m256i low) {
    const __m256i top = blend_row(p, q, across);
    const __m256i step = _mm256_sub_epi32(blend_row(p + stride, q + stride, across), top);
    const __m256i sum =
        _mm256_add_epi32(_mm256_slli_epi32(top, AQM_REMAP_BITS), _mm256_mullo_epi32(step, low));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(HALF)), 2 * AQM_REMAP_BITS);
}

/* Pixels k and k + 4 of eight: a number is repeated over its half. */
#define SAMPLE_TWO(k)                                                                              \
    blend_two(image->data + offset[k], image->data + offset[(k) + 4], image->stride,               \
              _mm256_shuffle_epi32(across, (k)*0x55), _mm256_shuffle_epi32(low, (k)*0x55))

static inline void sample_eight(const AqmRemapImage *image, const int32_t *offset, __m256i u,
                                __m256i v, uint8_t *out) {
    const __m256i rest = _mm256_set1_epi32(ONE - 1), low = _mm256_and_si256(v, rest);
    const __m256i right = _mm256_and_si256(u, rest); /* 65536 right + (2048 - right) */
    const __m256i across = _mm256_add_epi32(_mm256_sub_epi32(_mm256_slli_epi32(right, 16), right),
                                            _mm256_set1_epi32(ONE));
    const __m256i a = SAMPLE_TWO(0), b = SAMPLE_TWO(1), c = SAMPLE_TWO(2), d = SAMPLE_TWO(3);
    const __m256i pixels =
        _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
    const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m256i bytes =
        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(pixels, _mm256_broadcastsi128_si256(three)),
                                    _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(bytes));
    _mm_storel_epi64((__m128i *)(void *)(out + 16), _mm256_extracti128_si256(bytes, 1));
}

static inline void sample_singly(const AqmRemapImage *image, const AqmFootprints *at, size_t first,
                                 size_t end, uint8_t *out) {
    for (size_t i = first; i < end; i++)
        if (at->u[i] >= 0)
            sample_one(image, at->u[i], at->v[i], out + 3 * i);
}

static void sample3_avx2(const AqmRemapImage *image, const AqmFootprints *at, size_t n,
                         uint8_t *out) {
    const bool is_small = image->size < INT32_MAX && image->size >= image->stride + READ;
    const size_t whole = is_small ? n / LANES * LANES : 0;
    int32_t offsets[BLOCK];
    for (size_t first = 0; first < whole; first += BLOCK) {
        const size_t count = whole - first < BLOCK ? whole - first : BLOCK;
        const AqmFootprints block = {at->u + first, at->v + first};
        aim(&block, count, (int32_t)image->stride, (int32_t)(image->size - image->stride - READ),
            offsets);
        for (size_t i = 0; i < count; i += LANES) {
            uint8_t *pixels = out + 3 * (first + i);
            if (offsets[i] >= 0)
                sample_eight(image, offsets + i, load_eight(block.u + i), load_eight(block.v + i),
                             pixels);
            else
                sample_singly(image, &block, i, i + LANES, out + 3 * first);
        }
    }
    sample_singly(image, at, whole, n, out);
}

const AqmRemapKernels aqm_remap_kernels_avx2 = {
    .name = "avx2",
    .pinhole = loops_pinhole,
    .footprints = loops_footprints,
    .between = between_avx2,
    .sample3 = sample3_avx2,
};
