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

static size_t near_distances2(const float *x, const float *y, const float *z, size_t count,
                              const float query[3], float limit, float *out) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const float dx = x[i] - query[0], dy = y[i] - query[1], dz = z[i] - query[2];
        out[found] = dx * dx + dy * dy + dz * dz;
        found += out[found] <= limit;
    }
    return found;
}

const AqmNearestKernels aqm_nearest_kernels_reference = {
    .name = "reference",
    .distances2 = loops_distances2,
    .near_distances2 = near_distances2,
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
