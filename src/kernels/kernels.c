#include "kernels/kernels.h"

#include "base/cpu.h"

int aqm_kernel_tables(unsigned cpu_features, const AqmKernels *tables[AQM_KERNEL_TABLES]) {
    int count = 0;
    tables[count++] = &aqm_kernels_reference;
#if defined(__x86_64__)
    if (cpu_features & AQM_CPU_AVX2)
        tables[count++] = &aqm_kernels_avx2;
    if ((cpu_features & AQM_CPU_AVX512) && (cpu_features & AQM_CPU_AVX2))
        tables[count++] = &aqm_kernels_avx512;
#elif defined(__aarch64__)
    if (cpu_features & AQM_CPU_NEON)
        tables[count++] = &aqm_kernels_neon;
#else
    (void)cpu_features;
#endif
    return count;
}

const AqmKernels *aqm_kernels(unsigned cpu_features) {
    const AqmKernels *tables[AQM_KERNEL_TABLES];
    return tables[aqm_kernel_tables(cpu_features, tables) - 1];
}
