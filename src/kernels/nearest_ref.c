/* The reference of the kernels of nearest points; contracts in nearest_kernels.h. */
#include "base/cpu.h"
#include "kernels/nearest_loops.h"

const AqmNearestKernels aqm_nearest_kernels_reference = {
    .name = "reference",
    .distances2 = loops_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
};

const AqmNearestKernels *aqm_nearest_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_nearest_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_nearest_kernels_reference;
}
