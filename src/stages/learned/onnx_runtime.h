/* ONNX Runtime as loaded: its table of functions and what every session shares. */
#ifndef AQM_LEARNED_ONNX_RUNTIME_H
#define AQM_LEARNED_ONNX_RUNTIME_H

#include "aquamvs/learned.h"
#include "stages/learned/onnx_api.h"

struct AqmOnnx {
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory;   /* ordinary memory: what tensors made from our arrays say of them */
    OrtAllocator *allocator; /* the library's own: not to be freed */
    char *version, *path;
};

/* AQM_OK where `result` is NULL; else `status` with "CONTEXT: the library's reason", and releases
 * it. The reason is cut to one line of at most 800 bytes. */
AqmStatus aqm_onnx_check(const AqmOnnx *onnx, OrtStatus *result, AqmStatus status,
                         const char *context, AqmDiag *diag);

#endif
