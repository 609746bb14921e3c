/* The reference of the kernels of undistortion; contracts in remap_kernels.h. */
#include "base/cpu.h"
#include "kernels/remap_loops.h"

static void sample3(const AqmRemapImage *image, const AqmFootprints *at, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++)
        if (at->x[i] >= 0)
            sample_one(image, at->x[i], at->y[i], (uint32_t)at->right[i], (uint32_t)at->low[i],
                       out + 3 * i);
}

const AqmRemapKernels aqm_remap_kernels_reference = {
    .name = "reference",
    .pinhole = loops_pinhole,
    .footprints = loops_footprints,
    .sample3 = sample3,
};

const AqmRemapKernels *aqm_remap_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_remap_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_remap_kernels_reference;
}
