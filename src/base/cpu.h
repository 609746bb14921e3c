/* What the processor can do. */
#ifndef AQM_BASE_CPU_H
#define AQM_BASE_CPU_H

#include <stddef.h>

typedef enum AqmCpuFeature {
    AQM_CPU_SSE41 = 1,
    AQM_CPU_AVX2 = 2,   /* with FMA */
    AQM_CPU_AVX512 = 4, /* F, BW, DQ, VL */
    AQM_CPU_NEON = 8
} AqmCpuFeature;

/* The features of this machine less those named in the environment variable AQUAMVS_CPU_MASK (a
 * decimal number, bits as above: the features to hide), by which tests run every variant. */
unsigned aqm_cpu_features(void);

/* Model name ("unknown" where the system does not say) and the cores this process may use. */
void aqm_cpu_name(char *text, size_t size);
int aqm_cpu_cores(void);

/* threads as an option gives it (0 = all cores) to a count of at least 1. */
int aqm_thread_count(int threads);

#endif
