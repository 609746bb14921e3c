/* AVX2 variants of the kernels of fusion; contracts in fusion_kernels.h. The loops of
 * fusion_loops.h compiled for AVX2; maps are read eight pixels at a time, by the same operations in
 * the same order as the reference. */
#include <immintrin.h>

#include "kernels/fusion_loops.h"

/* Two texels side by side at each of four indices: 0, 1, 4 and 5 of those from `index` on. One load
 * each: gathers cost twice as much on many processors. */
static inline __m256 four_pairs(const uint32_t *base, const int32_t *index) {
    const __m128 zero = _mm_setzero_ps();
    const __m128 a = _mm_loadl_pi(zero, (const __m64 *)(const void *)(base + index[0]));
    const __m128 b = _mm_loadl_pi(zero, (const __m64 *)(const void *)(base + index[4]));
    return _mm256_set_m128(_mm_loadh_pi(b, (const __m64 *)(const void *)(base + index[5])),
                           _mm_loadh_pi(a, (const __m64 *)(const void *)(base + index[1])));
}

/* The texels at eight indices and to the right of each. */
static inline void load_pairs(const uint32_t *base, const int32_t *index, __m256i *left,
                              __m256i *right) {
    const __m256 a = four_pairs(base, index), b = four_pairs(base, index + 2);
    *left = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    *right = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
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

/* What a chunk reads of a map: the texel up and left of each point, and how far the point lies from
 * that (in seen->u and v). Points outside read pixel (0, 0), and their depth is NaN. */
typedef struct Aim {
    Seen seen;
    int32_t index[CHUNK];
} Aim;

/* Also asks for the texels, which lie in as many rows as the chunk turned by the cameras' angle
 * crosses: reading them one vector after the other would wait for memory each time. */
static inline void aim_at(const AqmSightMap *map, size_t n, Aim *aim) {
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256i one_i = _mm256_set1_epi32(1), pitch = _mm256_set1_epi32(map->pitch);
    Seen *seen = &aim->seen;
    for (size_t k = 0; k < n; k += LANES) {
        __m256 u = _mm256_loadu_ps(seen->u + k), v = _mm256_loadu_ps(seen->v + k);
        const __m256 inside = is_inside(map, u, v);
        u = _mm256_and_ps(u, inside), v = _mm256_and_ps(v, inside);
        const __m256i x = _mm256_sub_epi32(_mm256_cvttps_epi32(_mm256_add_ps(u, one)), one_i);
        const __m256i y = _mm256_sub_epi32(_mm256_cvttps_epi32(_mm256_add_ps(v, one)), one_i);
        _mm256_storeu_si256((__m256i *)(void *)(aim->index + k),
                            _mm256_add_epi32(_mm256_mullo_epi32(y, pitch), x));
        _mm256_storeu_ps(seen->u + k, _mm256_sub_ps(u, _mm256_cvtepi32_ps(x)));
        _mm256_storeu_ps(seen->v + k, _mm256_sub_ps(v, _mm256_cvtepi32_ps(y)));
        _mm256_storeu_ps(
            seen->depth + k,
            _mm256_blendv_ps(_mm256_set1_ps(NAN), _mm256_loadu_ps(seen->depth + k), inside));
    }
    for (size_t k = 0; k < n; k++)
        _mm_prefetch((const char *)(map->texels + aim->index[k]), _MM_HINT_T0);
}

/* As the reference's sample, of the eight points from k on. */
static inline __m256 sample(const AqmSightMap *map, const Aim *aim, size_t k, __m256 tolerance,
                            __m256 *deviation) {
    const __m256 half = _mm256_set1_ps(0.5f), nan = _mm256_set1_ps(NAN);
    const __m256i zero = _mm256_setzero_si256();
    const __m256 fu = _mm256_loadu_ps(aim->seen.u + k), fv = _mm256_loadu_ps(aim->seen.v + k);
    __m256i ta, tb, tc, td;
    load_pairs(map->texels, aim->index + k, &ta, &tb);
    load_pairs(map->texels + map->pitch, aim->index + k, &tc, &td);
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
    const __m256i code = _mm256_and_si256(nearest, _mm256_set1_epi32(255));
    *deviation = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(code, AQM_DEVIATION_SHIFT),
                                                      _mm256_set1_epi32(AQM_DEVIATION_BIAS)));
    const __m256 wd = _mm256_mul_ps(fu, fv), wb = _mm256_sub_ps(fu, wd), wc = _mm256_sub_ps(fv, wd);
    const __m256 rises = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(wb, _mm256_sub_ps(b, a)),
                                                     _mm256_mul_ps(wc, _mm256_sub_ps(c, a))),
                                       _mm256_mul_ps(wd, _mm256_sub_ps(d, a)));
    const __m256 hole = _mm256_castsi256_ps(_mm256_cmpeq_epi32(nearest, zero));
    const __m256 near = _mm256_blendv_ps(depth_of(nearest), nan, hole);
    return _mm256_blendv_ps(near, _mm256_add_ps(a, rises), smooth);
}

static inline void compare(const AqmSightMap *map, const Aim *aim, const float *variance,
                           float tolerance, size_t n, float *beyond, float *weight) {
    const __m256 limit = _mm256_set1_ps(tolerance), nan = _mm256_set1_ps(NAN);
    for (size_t k = 0; k < n; k += LANES) {
        __m256 deviation;
        const __m256 ratio = _mm256_loadu_ps(aim->seen.ratio + k);
        const __m256 depth = sample(map, aim, k, limit, &deviation);
        const __m256 difference = _mm256_sub_ps(depth, _mm256_loadu_ps(aim->seen.depth + k));
        const __m256 agrees = _mm256_cmp_ps(absolute(difference), limit, _CMP_LT_OQ);
        const __m256 along = _mm256_mul_ps(deviation, ratio);
        const __m256 both =
            _mm256_add_ps(_mm256_mul_ps(along, along), _mm256_loadu_ps(variance + k));
        _mm256_storeu_ps(beyond + k,
                         _mm256_blendv_ps(nan, _mm256_mul_ps(difference, ratio), agrees));
        _mm256_storeu_ps(weight + k,
                         _mm256_and_ps(_mm256_div_ps(_mm256_set1_ps(1.0f), both), agrees));
    }
}

static inline size_t chunk_at(size_t first, size_t n) {
    return n - first < CHUNK ? n - first : CHUNK;
}

/* Each chunk's texels are on their way while the next one is located. */
static void sight_avx2(const AqmSightCamera *camera, const AqmSightBend *bend,
                       const AqmSightMap *map, const AqmSightPoints *points, const float *variance,
                       float tolerance, size_t n, float *beyond, float *weight) {
    Aim aims[2];
    for (size_t first = 0; first < n + CHUNK; first += CHUNK) {
        if (first < n) {
            Aim *aim = &aims[first / CHUNK % 2];
            locate(camera, bend, points, first, chunk_at(first, n), &aim->seen);
            aim_at(map, chunk_at(first, n), aim);
        }
        if (first >= CHUNK) {
            const size_t last = first - CHUNK;
            compare(map, &aims[last / CHUNK % 2], variance + last, tolerance, chunk_at(last, n),
                    beyond + last, weight + last);
        }
    }
}

/* Eight rows of eight values, AQM_ARRIVALS apart, to columns `step` apart. */
static inline void transpose(const float *rows, float *columns, size_t step) {
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = _mm256_loadu_ps(rows + AQM_ARRIVALS * i);
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            a[i + 2 * j] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0x44);
            a[i + 2 * j + 1] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0xee);
        }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(columns + (size_t)i * step, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
        _mm256_storeu_ps(columns + (size_t)(i + 4) * step,
                         _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
}

/* A block is 16 rows, as a point is 16 values. */
static void arrive_avx2(const AqmVoxelGrid *grid, const AqmPointRow *row, size_t n,
                        AqmVoxelSums *points, AqmVoxelPlace *places) {
    enum { VALUES = sizeof(AqmVoxelSums) / sizeof(float) };
    for (size_t at = 0; at < n; at += AQM_ARRIVALS) {
        ArrivalBlock block;
        arrive_block(grid, row, at, &block);
        for (size_t k = 0; k < AQM_ARRIVALS; k += LANES) {
            const float *rows = (const float *)(const void *)&block + k;
            float *columns = (float *)(void *)(points + at + k);
            transpose(rows, columns, VALUES);
            transpose(rows + VALUES / 2 * AQM_ARRIVALS, columns + VALUES / 2, VALUES);
        }
        for (int k = 0; k < AQM_ARRIVALS; k++)
            places[at + (size_t)k] = (AqmVoxelPlace){block.first[k], block.tag[k]};
    }
}

const AqmFusionKernels aqm_fusion_kernels_avx2 = {
    .name = "avx2",
    .rays = loops_rays,
    .pack = loops_pack,
    .slopes = loops_slopes,
    .normals = loops_normals,
    .bend = loops_bend,
    .sight = sight_avx2,
    .settle = loops_settle,
    .spread = loops_spread,
    .keep = loops_keep,
    .arrive = arrive_avx2,
};
