/* AVX2 variants of the kernels of painting: the loops of paint_loops.h compiled for AVX2; masks,
 * cells and pixels of eight vertices at a time, by the same operations as the reference.
 *
 * Bytes are read in words: four of a mask, eight of a row of colours (two pixels and two bytes
 * more), from the place asked for or, at the end of the image, from as far before it as the word is
 * long, and shifted. Images so small that no word fits, those whose bytes 32 bits do not count, and
 * samples other than colours of 8 bits are left to the loops. */
#include <immintrin.h>

#include "kernels/paint_loops.h"

/* Bytes from the first pixel to the end of the last. */
static inline size_t bytes_of(size_t stride, int32_t height, size_t row) {
    return (size_t)(height - 1) * stride + row;
}

static inline bool fits(size_t bytes, size_t word) {
    return bytes >= word && bytes <= INT32_MAX;
}

/* The bytes at eight places of a mask. */
static inline __m256i mask_bytes(const uint8_t *mask, int32_t last, __m256i at) {
    const __m256i from = _mm256_min_epi32(at, _mm256_set1_epi32(last));
    const __m256i word = _mm256_i32gather_epi32((const int *)(const void *)mask, from, 1);
    const __m256i shift = _mm256_slli_epi32(_mm256_sub_epi32(at, from), 3);
    return _mm256_and_si256(_mm256_srlv_epi32(word, shift), _mm256_set1_epi32(255));
}

/* Whether the mask lets eight pixels be seen; `may`: those in the image. */
static inline __m256 is_open(const AqmPaintView *view, int32_t last, __m256 u, __m256 v,
                             __m256 may) {
    const __m256 half = _mm256_set1_ps(0.5f);
    const __m256i x = _mm256_cvttps_epi32(_mm256_add_ps(u, half));
    const __m256i y = _mm256_cvttps_epi32(_mm256_add_ps(v, half));
    const __m256i stride = _mm256_set1_epi32((int32_t)view->mask_stride);
    const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(y, stride), x);
    const __m256i closed =
        _mm256_cmpeq_epi32(mask_bytes(view->mask, last, at), _mm256_setzero_si256());
    return _mm256_andnot_ps(_mm256_castsi256_ps(closed), may);
}

static inline __m256 is_bare(const AqmPaintView *view, const AqmPaintRules *rules, __m256 u,
                             __m256 v, __m256 depth, __m256 density) {
    _Static_assert(AQM_SIGHT_CELL == 2, "cells are found by halving");
    const __m256i x = _mm256_srli_epi32(_mm256_cvttps_epi32(u), 1);
    const __m256i y = _mm256_srli_epi32(_mm256_cvttps_epi32(v), 1);
    const __m256i cell =
        _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(view->columns)), x);
    const __m256 nearest = _mm256_i32gather_ps(view->nearest, cell, 4);
    const __m256 slope = _mm256_div_ps(_mm256_set1_ps(rules->tolerance_px), density);
    const __m256 tolerance = _mm256_max_ps(slope, _mm256_set1_ps(rules->tolerance_m));
    return _mm256_cmp_ps(depth, _mm256_add_ps(nearest, tolerance), _CMP_NGT_UQ);
}

static inline __m256 powers_at(const AqmPaintRules *rules, __m256 facing) {
    const __m256 steps = _mm256_set1_ps((float)AQM_PAINT_POWERS);
    const __m256 step = _mm256_mul_ps(_mm256_min_ps(facing, _mm256_set1_ps(1.0f)), steps);
    const __m256i first =
        _mm256_cvttps_epi32(_mm256_min_ps(step, _mm256_set1_ps((float)(AQM_PAINT_POWERS - 1))));
    const __m256 low = _mm256_i32gather_ps(rules->powers, first, 4);
    const __m256 high = _mm256_i32gather_ps(rules->powers + 1, first, 4);
    const __m256 part = _mm256_sub_ps(step, _mm256_cvtepi32_ps(first));
    return _mm256_add_ps(low, _mm256_mul_ps(part, _mm256_sub_ps(high, low)));
}

static inline __m256 border_at(const AqmPaintView *view, __m256 u, __m256 v, __m256 right,
                               __m256 bottom) {
    const __m256 across = _mm256_min_ps(u, _mm256_sub_ps(right, u));
    const __m256 down = _mm256_min_ps(v, _mm256_sub_ps(bottom, v));
    const __m256 inside =
        _mm256_mul_ps(_mm256_min_ps(across, down), _mm256_set1_ps(view->inverse_border));
    const __m256 t = _mm256_min_ps(inside, _mm256_set1_ps(1.0f));
    const __m256 fall = _mm256_sub_ps(_mm256_set1_ps(3.0f), _mm256_add_ps(t, t));
    return _mm256_mul_ps(_mm256_mul_ps(t, t), fall);
}

static size_t weigh_avx2(const AqmPaintView *view, const AqmPaintRules *rules,
                         const AqmPaintSights *sights, size_t n, float *weight) {
    const size_t bytes =
        view->mask ? bytes_of(view->mask_stride, view->height, (size_t)view->width) : 4;
    if (!fits(bytes, 4))
        return loops_weigh(view, rules, sights, n, weight);
    const __m256 zero = _mm256_setzero_ps(), least_facing = _mm256_set1_ps(rules->least_facing);
    const __m256 right = _mm256_set1_ps((float)(view->width - 1));
    const __m256 bottom = _mm256_set1_ps((float)(view->height - 1));
    size_t seen = 0;
    for (size_t k = 0; k < n; k += LANES) {
        __m256 u = _mm256_loadu_ps(sights->u + k), v = _mm256_loadu_ps(sights->v + k);
        __m256 facing = _mm256_loadu_ps(sights->facing + k);
        const __m256 in_u =
            _mm256_and_ps(_mm256_cmp_ps(u, zero, _CMP_GE_OQ), _mm256_cmp_ps(u, right, _CMP_LE_OQ));
        const __m256 in_v =
            _mm256_and_ps(_mm256_cmp_ps(v, zero, _CMP_GE_OQ), _mm256_cmp_ps(v, bottom, _CMP_LE_OQ));
        __m256 may = _mm256_and_ps(_mm256_and_ps(in_u, in_v),
                                   _mm256_cmp_ps(facing, least_facing, _CMP_GE_OQ));
        if (_mm256_movemask_ps(may) == 0) {
            _mm256_storeu_ps(weight + k, zero);
            continue;
        }
        /* places in the image for all */
        u = _mm256_and_ps(u, may), v = _mm256_and_ps(v, may), facing = _mm256_and_ps(facing, may);
        const __m256 density = _mm256_loadu_ps(sights->density + k);
        if (view->mask)
            may = is_open(view, (int32_t)(bytes - 4), u, v, may);
        may = _mm256_and_ps(
            may, is_bare(view, rules, u, v, _mm256_loadu_ps(sights->depth + k), density));
        const __m256 product =
            _mm256_mul_ps(_mm256_mul_ps(powers_at(rules, facing), _mm256_mul_ps(density, density)),
                          border_at(view, u, v, right, bottom));
        const __m256 all = _mm256_add_ps(product, _mm256_set1_ps(rules->least_weight));
        const __m256 held = _mm256_and_ps(all, may);
        _mm256_storeu_ps(weight + k, held);
        seen += (size_t)__builtin_popcount(
            (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(held, zero, _CMP_GT_OQ)));
    }
    return seen;
}

/* ---- colours --------------------------------------------------------------------------------- */

/* Of eight vertices: words of R G B R' and of G' B' . . of two adjacent pixels. */
typedef struct Pairs {
    __m256i first, second;
} Pairs;

static inline __m256i load_four(const uint8_t *pixels, __m128i at, __m128i last) {
    const __m128i from = _mm_min_epi32(at, last);
    const __m256i word = _mm256_i32gather_epi64((const long long *)(const void *)pixels, from, 1);
    const __m128i shift = _mm_slli_epi32(_mm_sub_epi32(at, from), 3);
    return _mm256_srlv_epi64(word, _mm256_cvtepi32_epi64(shift));
}

/* at: byte offsets of vertices 0, 1, 4, 5, 2, 3, 6, 7. */
static inline Pairs load_pairs(const uint8_t *pixels, __m256i at, int32_t last) {
    const __m128i most_at = _mm_set1_epi32(last);
    const __m256 a = _mm256_castsi256_ps(load_four(pixels, _mm256_castsi256_si128(at), most_at));
    const __m256 b =
        _mm256_castsi256_ps(load_four(pixels, _mm256_extracti128_si256(at, 1), most_at));
    return (Pairs){_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)),
                   _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd))};
}

static inline __m256 byte_of(__m256i word, int number) {
    return _mm256_cvtepi32_ps(
        _mm256_and_si256(_mm256_srli_epi32(word, 8 * number), _mm256_set1_epi32(255)));
}

static inline __m256 between(__m256 a, __m256 b, __m256 part) {
    return _mm256_add_ps(a, _mm256_mul_ps(part, _mm256_sub_ps(b, a)));
}

/* Channel i of the row, `part` of the way from the first pixel to the second. */
static inline __m256 row_at(const Pairs *row, int i, __m256 part) {
    const __m256 next = i == 0 ? byte_of(row->first, 3) : byte_of(row->second, i - 1);
    return between(byte_of(row->first, i), next, part);
}

static inline void add_to(float *sum, __m256 value) {
    _mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), value));
}

static inline void blend_eight(const AqmPaintView *view, int32_t last, __m256 u, __m256 v,
                               __m256 weight, size_t k, const AqmPaintSums *sums) {
    const __m256i x = _mm256_cvttps_epi32(u), y = _mm256_cvttps_epi32(v);
    const __m256i stride = _mm256_set1_epi32((int32_t)view->stride);
    const __m256i low = _mm256_min_epi32(_mm256_add_epi32(y, _mm256_set1_epi32(1)),
                                         _mm256_set1_epi32(view->height - 1));
    const __m256i x3 = _mm256_add_epi32(_mm256_add_epi32(x, x), x);
    const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(y, stride), x3);
    const __m256i at_low = _mm256_add_epi32(_mm256_mullo_epi32(low, stride), x3);
    /* vertices 0, 1, 4, 5, 2, 3, 6, 7 */
    const Pairs above = load_pairs(view->pixels, _mm256_permute4x64_epi64(at, 0xd8), last);
    const Pairs below = load_pairs(view->pixels, _mm256_permute4x64_epi64(at_low, 0xd8), last);
    /* in the last column p is 0 and the second pixel, of the next row, counts for nothing */
    const __m256 p = _mm256_sub_ps(u, _mm256_cvtepi32_ps(x));
    const __m256 q = _mm256_sub_ps(v, _mm256_cvtepi32_ps(y));
    for (int i = 0; i < 3; i++) {
        const __m256 value = between(row_at(&above, i, p), row_at(&below, i, p), q);
        add_to(sums->color[i] + k,
               _mm256_mul_ps(weight, _mm256_mul_ps(_mm256_set1_ps(view->scale), value)));
    }
    add_to(sums->weight + k, weight);
}

static void blend_avx2(const AqmPaintView *view, const float *u, const float *v,
                       const float *weight, size_t n, const AqmPaintSums *sums) {
    const size_t bytes = bytes_of(view->stride, view->height, 3 * (size_t)view->width);
    if (view->channels != 3 || view->is_16_bit || !fits(bytes, 8)) {
        loops_blend(view, u, v, weight, n, sums);
        return;
    }
    for (size_t k = 0; k < n; k += LANES) {
        const __m256 w = _mm256_loadu_ps(weight + k);
        const __m256 seen = _mm256_cmp_ps(w, _mm256_setzero_ps(), _CMP_GT_OQ);
        if (_mm256_movemask_ps(seen) == 0)
            continue;
        const __m256 held_u = _mm256_and_ps(_mm256_loadu_ps(u + k), seen);
        const __m256 held_v = _mm256_and_ps(_mm256_loadu_ps(v + k), seen);
        blend_eight(view, (int32_t)(bytes - 8), held_u, held_v, w, k, sums);
        __m256i *views = (__m256i *)(void *)(sums->views + k);
        _mm256_storeu_si256(views,
                            _mm256_sub_epi32(_mm256_loadu_si256(views), _mm256_castps_si256(seen)));
    }
}

const AqmPaintKernels aqm_paint_kernels_avx2 = {
    .name = "avx2",
    .sights = loops_sights,
    .places = loops_places,
    .weigh = weigh_avx2,
    .blend = blend_avx2,
};
