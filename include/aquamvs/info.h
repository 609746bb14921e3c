/* What this build and this machine can do. */
#ifndef AQUAMVS_INFO_H
#define AQUAMVS_INFO_H

#include "aquamvs/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmInfo {
    const char *version;
    const char *commit; /* of the source it was built from; "unknown" outside a checkout */
    const char *compiler;
    char cpu[96];           /* model name */
    char cpu_features[160]; /* those the kernels know: "sse4.1 avx2 fma avx512f ..." */
    char kernels[64];       /* the kernel set in use: "reference" or "avx2" */
    int cores;
    bool has_cuda;             /* false: this build has no CUDA backend */
    bool has_learned_matchers; /* false: this build has no ONNX pathway */
} AqmInfo;

/* Fills *info; its pointers are to constants. Cannot fail; any thread. */
AQM_API void aqm_info(AqmInfo *info);

#ifdef __cplusplus
}
#endif
#endif
