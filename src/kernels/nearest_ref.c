/* The reference of the kernels of nearest points; contracts in nearest_kernels.h. */
#include "base/cpu.h"
#include "kernels/nearest_loops.h"

static inline size_t count_to(const float *values, size_t n, float limit) {
    int32_t counts[LANES] = {0}, total = 0;
    for (size_t i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++)
            counts[k] += values[i + (size_t)k] <= limit;
    for (int k = 0; k < LANES; k++)
        total += counts[k];
    return (size_t)total;
}

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
