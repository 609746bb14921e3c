/* The reference of the kernels of painting; contracts in paint_kernels.h. */
#include "base/cpu.h"
#include "kernels/paint_loops.h"

const AqmPaintKernels aqm_paint_kernels_reference = {
    .name = "reference",
    .sights = loops_sights,
    .places = loops_places,
    .weigh = loops_weigh,
    .blend = loops_blend,
};

const AqmPaintKernels *aqm_paint_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_paint_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_paint_kernels_reference;
}
