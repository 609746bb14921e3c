/* AVX2 variants of the kernels of dense warps: the loops of dense_loops.h compiled for AVX2.
 * Contracts in dense_kernels.h. */
#include "kernels/dense_loops.h"

const AqmDenseKernels aqm_dense_kernels_avx2 = {
    .name = "avx2",
    .rays = loops_rays,
    .points = loops_points,
    .project = loops_project,
    .sight = loops_sight,
    .offsets = loops_offsets,
    .meet = loops_meet,
};
