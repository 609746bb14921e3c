/* The reference of the kernels of dense warps; contracts in dense_kernels.h. */
#include "base/cpu.h"
#include "kernels/dense_loops.h"

const AqmDenseKernels aqm_dense_kernels_reference = {
    .name = "reference",
    .rays = loops_rays,
    .points = loops_points,
    .project = loops_project,
    .sight = loops_sight,
    .offsets = loops_offsets,
    .meet = loops_meet,
};

const AqmDenseKernels *aqm_dense_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_dense_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_dense_kernels_reference;
}
