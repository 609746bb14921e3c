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

static void sort(float *values, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const float value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

/* Four of a kind are summed first, then these sums. */
static float roots_of_few(float *values, size_t n, size_t k, float *last) {
    float sums[LANES];
    sort(values, n);
    for (size_t lane = 0; lane < LANES; lane++) {
        sums[lane] = 0.0f;
        for (size_t i = 4 * lane; i < 4 * lane + 4; i++)
            sums[lane] += i < k ? sqrtf(values[i]) : 0.0f;
    }
    *last = values[k - 1];
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

const AqmNearestKernels aqm_nearest_kernels_reference = {
    .name = "reference",
    .distances2 = loops_distances2,
    .near_distances2 = near_distances2,
    .gaps2 = loops_gaps2,
    .bound = loops_bound,
    .sum_of_roots = loops_sum_of_roots,
    .roots_of_few = roots_of_few,
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
