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
    bool has_cuda; /* false: this build has no CUDA backend */
    /* ONNX Runtime, which runs the learned matchers: its version and its file. Where none was found
     * both are "", and onnx_missing says where it was looked for and how to get it. */
    char onnx_version[32], onnx_path[1024], onnx_missing[AQM_DIAG_MAX];
} AqmInfo;

/* Fills *info; its pointers are to constants. Loads ONNX Runtime, where there is one, to ask for
 * its version. Cannot fail; any thread. */
AQM_API void aqm_info(AqmInfo *info);

#ifdef __cplusplus
}
#endif
#endif
