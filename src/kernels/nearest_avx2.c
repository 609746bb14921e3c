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

const AqmNearestKernels aqm_nearest_kernels_avx2 = {
    .name = "avx2",
    .distances2 = loops_distances2,
    .near_distances2 = near_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
};
