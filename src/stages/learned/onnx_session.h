/* One ONNX file, loaded: what goes in, what comes out, and a run. */
#ifndef AQM_LEARNED_ONNX_SESSION_H
#define AQM_LEARNED_ONNX_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "stages/learned/onnx_runtime.h"

enum { AQM_RANK_MAX = 8 };

/* Element types, by ONNX's numbers; others exist and are told apart from these by their number. */
typedef enum AqmElement {
    AQM_ELEMENT_NONE = 0, /* not a tensor */
    AQM_ELEMENT_FLOAT = 1,
    AQM_ELEMENT_INT32 = 6,
    AQM_ELEMENT_INT64 = 7
} AqmElement;

/* "float", "int64", ...; "type 42" is not said: others than ONNX has are "unknown". */
const char *aqm_element_name(int element);

/* What a model says of an input or output. `rank` may be larger than AQM_RANK_MAX: then only the
 * first dimensions are kept. */
typedef struct AqmPort {
    char *name;
    int element;
    size_t rank;
    int64_t shape[AQM_RANK_MAX]; /* -1 = decided by each run */
} AqmPort;

typedef struct AqmSession {
    AqmOnnx *onnx;
    OrtSession *session;
    char *path;
    size_t input_count, output_count;
    AqmPort *inputs, *outputs;
} AqmSession;

/* threads: 0 = all cores. IO where the file cannot be read, FORMAT where ONNX Runtime refuses it,
 * MEMORY. `onnx` must outlive the session. */
AqmStatus aqm_session_open(AqmSession **out, AqmOnnx *onnx, const char *path, int threads,
                           AqmDiag *diag);
void aqm_session_close(AqmSession **session);
/* The input or output of that name; NULL where there is none. */
const AqmPort *aqm_session_input(const AqmSession *session, const char *name);
const AqmPort *aqm_session_output(const AqmSession *session, const char *name);

/* A tensor that is given to a run: borrows its elements, which are row-major without gaps. */
typedef struct AqmTensorIn {
    const char *name;
    AqmElement element;
    size_t rank;
    int64_t shape[AQM_RANK_MAX];
    const void *data;
} AqmTensorIn;

/* One that came out: lives in the library's memory until it is released. */
typedef struct AqmTensorOut {
    const char *name;
    int element;
    size_t rank;
    int64_t shape[AQM_RANK_MAX];
    size_t count; /* elements */
    const void *data;
    OrtValue *value;
} AqmTensorOut;

/* Runs the model. out: the names that are wanted, at most AQM_PORTS_MAX of either; the rest is
 * filled in and is to be released on AQM_OK; else all are as before. FORMAT with the library's
 * reason where it fails. */
enum { AQM_PORTS_MAX = 8 };
AqmStatus aqm_session_run(AqmSession *session, const AqmTensorIn *in, size_t in_count,
                          AqmTensorOut *out, size_t out_count, AqmDiag *diag);
void aqm_tensors_release(AqmSession *session, AqmTensorOut *out, size_t out_count);

#endif
