/* AVX2 variants of the kernels of fusion; contracts in fusion_kernels.h. The loops of
 * fusion_loops.h compiled for AVX2; maps are read eight pixels at a time, by the same operations in
 * the same order as the reference. */
#include <immintrin.h>

#include "kernels/fusion_loops.h"

/* The texels at eight indices and to the right of each. */
static inline void gather_pairs(const uint32_t *base, __m256i index, __m256i *left,
                                __m256i *right) {
    const double *pairs = (const double *)(const void *)base;
    const __m128i low = _mm256_castsi256_si128(index), high = _mm256_extracti128_si256(index, 1);
    const __m256 a = _mm256_castpd_ps(_mm256_i32gather_pd(pairs, low, 4));
    const __m256 b = _mm256_castpd_ps(_mm256_i32gather_pd(pairs, high, 4));
    const __m256i evens = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    const __m256i odds = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
    *left = _mm256_permute4x64_epi64(evens, 0xd8);
    *right = _mm256_permute4x64_epi64(odds, 0xd8);
}

static inline __m256 depth_of(__m256i texel) {
    const __m256i code = _mm256_slli_epi32(_mm256_srli_epi32(texel, 8), AQM_TEXEL_SHIFT);
    return _mm256_castsi256_ps(_mm256_add_epi32(code, _mm256_set1_epi32(AQM_TEXEL_BIAS)));
}

static inline __m256 absolute(__m256 a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline __m256 is_inside(const AqmSightMap *map, __m256 u, __m256 v) {
    const __m256 before = _mm256_set1_ps(-0.5f);
    const __m256 right = _mm256_set1_ps((float)map->width - 0.5f),
                 low = _mm256_set1_ps((float)map->height - 0.5f);
    return _mm256_and_ps(
        _mm256_and_ps(_mm256_cmp_ps(u, before, _CMP_GT_OQ), _mm256_cmp_ps(v, before, _CMP_GT_OQ)),
        _mm256_and_ps(_mm256_cmp_ps(u, right, _CMP_LT_OQ), _mm256_cmp_ps(v, low, _CMP_LT_OQ)));
}

static inline __m256i choose(__m256i a, __m256i b, __m256 second) {
    return _mm256_blendv_epi8(a, b, _mm256_castps_si256(second));
}

/* As the reference's sample; positions outside read pixel (0, 0) and give NaN. */
static inline __m256 sample(const AqmSightMap *map, __m256 u, __m256 v, __m256 tolerance,
                            __m256 *confidence) {
    const __m256 inside = is_inside(map, u, v), half = _mm256_set1_ps(0.5f);
    const __m256 one = _mm256_set1_ps(1.0f), nan = _mm256_set1_ps(NAN);
    const __m256i one_i = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
    u = _mm256_and_ps(u, inside), v = _mm256_and_ps(v, inside);
    const __m256i x = _mm256_sub_epi32(_mm256_cvttps_epi32(_mm256_add_ps(u, one)), one_i);
    const __m256i y = _mm256_sub_epi32(_mm256_cvttps_epi32(_mm256_add_ps(v, one)), one_i);
    const __m256 fu = _mm256_sub_ps(u, _mm256_cvtepi32_ps(x));
    const __m256 fv = _mm256_sub_ps(v, _mm256_cvtepi32_ps(y));
    const __m256i index = _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(map->pitch)), x);
    __m256i ta, tb, tc, td;
    gather_pairs(map->texels, index, &ta, &tb);
    gather_pairs(map->texels + map->pitch, index, &tc, &td);
    const __m256 right = _mm256_cmp_ps(fu, half, _CMP_GE_OQ);
    const __m256i nearest =
        choose(choose(ta, tb, right), choose(tc, td, right), _mm256_cmp_ps(fv, half, _CMP_GE_OQ));
    const __m256 a = depth_of(ta), b = depth_of(tb), c = depth_of(tc), d = depth_of(td);
    const __m256 nearer = _mm256_min_ps(_mm256_min_ps(a, b), _mm256_min_ps(c, d));
    const __m256 farther = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
    /* an unusable texel is 0, the least of unsigned numbers */
    const __m256i fewest = _mm256_min_epu32(_mm256_min_epu32(ta, tb), _mm256_min_epu32(tc, td));
    const __m256 broken = _mm256_castsi256_ps(_mm256_cmpeq_epi32(fewest, zero));
    const __m256 smooth = _mm256_andnot_ps(
        broken, _mm256_cmp_ps(_mm256_sub_ps(farther, nearer), tolerance, _CMP_LT_OQ));
    const __m256i parts = _mm256_and_si256(nearest, _mm256_set1_epi32(255));
    *confidence = _mm256_mul_ps(_mm256_cvtepi32_ps(parts), _mm256_set1_ps(1.0f / 255.0f));
    const __m256 wd = _mm256_mul_ps(fu, fv), wb = _mm256_sub_ps(fu, wd), wc = _mm256_sub_ps(fv, wd);
    const __m256 rises = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(wb, _mm256_sub_ps(b, a)),
                                                     _mm256_mul_ps(wc, _mm256_sub_ps(c, a))),
                                       _mm256_mul_ps(wd, _mm256_sub_ps(d, a)));
    const __m256 hole = _mm256_castsi256_ps(_mm256_cmpeq_epi32(nearest, zero));
    const __m256 near = _mm256_blendv_ps(depth_of(nearest), nan, hole);
    const __m256 depth = _mm256_blendv_ps(near, _mm256_add_ps(a, rises), smooth);
    return _mm256_blendv_ps(nan, depth, inside);
}

/* Asks for the texels of a chunk, which lie in as many rows as the chunk turned by the cameras'
 * angle crosses: reading them one vector after the other would wait for memory each time. */
static inline void prefetch(const AqmSightMap *map, const Seen *seen, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        __m256 u = _mm256_loadu_ps(seen->u + k), v = _mm256_loadu_ps(seen->v + k);
        const __m256 inside = is_inside(map, u, v);
        u = _mm256_and_ps(u, inside), v = _mm256_and_ps(v, inside);
        const __m256i x = _mm256_cvttps_epi32(u), y = _mm256_cvttps_epi32(v);
        int32_t index[LANES];
        _mm256_storeu_si256(
            (__m256i *)(void *)index,
            _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(map->pitch)), x));
        for (int i = 0; i < LANES; i++)
            _mm_prefetch((const char *)(map->texels + index[i]), _MM_HINT_T0);
    }
}

static void sight_avx2(const AqmSightCamera *camera, const AqmSightMap *map,
                       const AqmSightPoints *points, float tolerance, size_t n, float *beyond,
                       float *weight) {
    const __m256 limit = _mm256_set1_ps(tolerance), nan = _mm256_set1_ps(NAN);
    for (size_t first = 0; first < n; first += CHUNK) {
        const size_t length = n - first < CHUNK ? n - first : CHUNK;
        Seen seen;
        locate(camera, points, first, length, &seen);
        prefetch(map, &seen, length);
        for (size_t k = 0; k < length; k += LANES) {
            __m256 confidence;
            const __m256 depth = sample(map, _mm256_loadu_ps(seen.u + k),
                                        _mm256_loadu_ps(seen.v + k), limit, &confidence);
            const __m256 difference = _mm256_sub_ps(depth, _mm256_loadu_ps(seen.depth + k));
            const __m256 agrees = _mm256_cmp_ps(absolute(difference), limit, _CMP_LT_OQ);
            const __m256 along = _mm256_mul_ps(difference, _mm256_loadu_ps(seen.ratio + k));
            const __m256 at_least = _mm256_max_ps(confidence, _mm256_set1_ps(1.0f / 255.0f));
            _mm256_storeu_ps(beyond + first + k, _mm256_blendv_ps(nan, along, agrees));
            _mm256_storeu_ps(weight + first + k, _mm256_and_ps(at_least, agrees));
        }
    }
}

const AqmFusionKernels aqm_fusion_kernels_avx2 = {
    .name = "avx2",
    .rays = loops_rays,
    .pack = loops_pack,
    .slopes = loops_slopes,
    .normals = loops_normals,
    .sight = sight_avx2,
    .settle = loops_settle,
};
