/* The loops of nearest_loops.h compiled for AVX2. */
#include "kernels/nearest_loops.h"

const AqmNearestKernels aqm_nearest_kernels_avx2 = {
    .name = "avx2",
    .distances2 = loops_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
};
