/* The loops of nearest_loops.h compiled for AVX2; counting and choosing by hand. */
#include <immintrin.h>

#include "kernels/front_avx2.h"
#include "kernels/nearest_loops.h"

static inline size_t count_to(const float *values, size_t n, float limit) {
    const __m256 most = _mm256_set1_ps(limit);
    unsigned count = 0;
    for (size_t i = 0; i < n; i += LANES) {
        const __m256 within = _mm256_cmp_ps(_mm256_loadu_ps(values + i), most, _CMP_LE_OQ);
        count += (unsigned)__builtin_popcount((unsigned)_mm256_movemask_ps(within));
    }
    return count;
}

static size_t near_distances2(const float *x, const float *y, const float *z, size_t count,
                              const float query[3], float limit, float *out) {
    const __m256 qx = _mm256_set1_ps(query[0]), qy = _mm256_set1_ps(query[1]),
                 qz = _mm256_set1_ps(query[2]), most = _mm256_set1_ps(limit);
    size_t found = 0;
    for (size_t i = 0; i < count; i += LANES) {
        const __m256 dx = _mm256_sub_ps(_mm256_loadu_ps(x + i), qx);
        const __m256 dy = _mm256_sub_ps(_mm256_loadu_ps(y + i), qy);
        const __m256 dz = _mm256_sub_ps(_mm256_loadu_ps(z + i), qz);
        const __m256 xy = _mm256_add_ps(_mm256_mul_ps(dx, dx), _mm256_mul_ps(dy, dy));
        const __m256 sum = _mm256_add_ps(xy, _mm256_mul_ps(dz, dz));
        const unsigned valid = count - i < LANES ? (1u << (count - i)) - 1u : 255u;
        const unsigned mask =
            valid & (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(sum, most, _CMP_LE_OQ));
        store_front(out + found, sum, front_order(mask));
        found += (size_t)__builtin_popcount(mask);
    }
    return found;
}

/* ---- a few values ---------------------------------------------------------------------------- */

/* 32 values in eight columns of four, a register a row: value i of a sorted sequence stands in
 * column i / 4 and row i % 4. */
typedef struct Columns {
    __m256 row[4];
} Columns;

/* The smaller one to row i, the larger one to row j. */
static inline void order_rows(Columns *c, int i, int j) {
    const __m256 low = _mm256_min_ps(c->row[i], c->row[j]);
    c->row[j] = _mm256_max_ps(c->row[i], c->row[j]);
    c->row[i] = low;
}

static inline void sort_columns(Columns *c) {
    order_rows(c, 0, 1), order_rows(c, 2, 3);
    order_rows(c, 0, 2), order_rows(c, 1, 3);
    order_rows(c, 1, 2);
}

/* Of columns that rise and then fall or the other way round. */
static inline void sort_bitonic_columns(Columns *c) {
    order_rows(c, 0, 2), order_rows(c, 1, 3);
    order_rows(c, 0, 1), order_rows(c, 2, 3);
}

/* Columns with their neighbours, 1 or 2 away, exchanged; and the first 2, 4 or 8 in reverse, and so
 * on. */
static inline __m256 exchanged_1(__m256 v) {
    return _mm256_permute_ps(v, 0xb1);
}

static inline __m256 exchanged_2(__m256 v) {
    return _mm256_permute_ps(v, 0x4e);
}

static inline __m256 reversed_4(__m256 v) {
    return _mm256_permute_ps(v, 0x1b);
}

static inline __m256 reversed_8(__m256 v) {
    return _mm256_permute2f128_ps(reversed_4(v), reversed_4(v), 1);
}

/* Where a bit of `upper` is set, that column of the row gets the larger values, else the smaller.
 */
#define ORDER_COLUMNS(row, other, upper)                                                           \
    _mm256_blend_ps(_mm256_min_ps(row, other), _mm256_max_ps(row, other), upper)

/* Batcher's bitonic merge of pairs of sequences, each of 4, 8 or 16 values: the first value of one
 * with the last of the other, and so on. */
#define MERGE(c, reversed, upper)                                                                  \
    do {                                                                                           \
        const __m256 r0 = reversed((c)->row[3]), r1 = reversed((c)->row[2]),                       \
                     r2 = reversed((c)->row[1]), r3 = reversed((c)->row[0]);                       \
        (c)->row[0] = ORDER_COLUMNS((c)->row[0], r0, upper);                                       \
        (c)->row[1] = ORDER_COLUMNS((c)->row[1], r1, upper);                                       \
        (c)->row[2] = ORDER_COLUMNS((c)->row[2], r2, upper);                                       \
        (c)->row[3] = ORDER_COLUMNS((c)->row[3], r3, upper);                                       \
    } while (0)

static inline void order_1_apart(Columns *c) {
    for (int i = 0; i < 4; i++)
        c->row[i] = ORDER_COLUMNS(c->row[i], exchanged_1(c->row[i]), 0xaa);
}

static inline void order_2_apart(Columns *c) {
    for (int i = 0; i < 4; i++)
        c->row[i] = ORDER_COLUMNS(c->row[i], exchanged_2(c->row[i]), 0xcc);
}

static inline void sort_all(Columns *c) {
    sort_columns(c);
    MERGE(c, exchanged_1, 0xaa);
    sort_bitonic_columns(c);
    MERGE(c, reversed_4, 0xcc);
    order_1_apart(c);
    sort_bitonic_columns(c);
    MERGE(c, reversed_8, 0xf0);
    order_2_apart(c);
    order_1_apart(c);
    sort_bitonic_columns(c);
}

static float roots_of_few(float *values, size_t n, size_t k, float *last) {
    const __m256i first = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    Columns c;
    __m256 sum = _mm256_setzero_ps();
    float rows[4][LANES];
    for (size_t i = n; i < AQM_NEAREST_FEW; i += LANES)
        _mm256_storeu_ps(values + i, _mm256_set1_ps(INFINITY));
    for (int i = 0; i < 4; i++)
        c.row[i] = _mm256_loadu_ps(values + LANES * i);
    sort_all(&c);
    for (int i = 0; i < 4; i++) {
        const __m256i counted = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)k - i), first);
        const __m256 held = _mm256_and_ps(c.row[i], _mm256_castsi256_ps(counted));
        _mm256_storeu_ps(rows[i], c.row[i]);
        sum = _mm256_add_ps(sum, _mm256_sqrt_ps(held));
    }
    *last = rows[(k - 1) % 4][(k - 1) / 4];
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

const AqmNearestKernels aqm_nearest_kernels_avx2 = {
    .name = "avx2",
    .distances2 = loops_distances2,
    .near_distances2 = near_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
    .roots_of_few = roots_of_few,
};
