/* The loops of nearest_loops.h compiled for AVX2, and counting by hand. */
#include <immintrin.h>

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

const AqmNearestKernels aqm_nearest_kernels_avx2 = {
    .name = "avx2",
    .distances2 = loops_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
};
