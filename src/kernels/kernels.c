#include "kernels/kernels.h"

#include "base/cpu.h"

const AqmKernels *aqm_kernels(unsigned cpu_features) {
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        return &aqm_kernels_avx2;
#else
    (void)cpu_features;
#endif
    return &aqm_kernels_reference;
}
