/* A model whose kind is known, and what the files of this stage share to run it. */
#ifndef AQM_LEARNED_MODEL_H
#define AQM_LEARNED_MODEL_H

#include <stdbool.h>

#include "aquamvs/learned.h"
#include "stages/learned/onnx_session.h"

struct AqmModel {
    AqmModelKind kind;
    AqmSession *session;
    int channels;      /* of the image it takes; 0 for a matcher */
    int width, height; /* of the image it takes; 0 = any */
    bool has_precision;
};

/* "an extractor", ...: for messages. */
const char *aqm_model_kind_name(AqmModelKind kind);

/* FORMAT: says what output `out` is, and what was `expected` ("float [1 %lld 2]"). */
AqmStatus aqm_model_fail_output(const AqmModel *model, const AqmTensorOut *out, AqmDiag *diag,
                                const char *expected, ...) __attribute__((format(printf, 4, 5)));

/* Is its shape `rank` long and this? -1 = any length. */
bool aqm_tensor_is(const AqmTensorOut *out, size_t rank, const int64_t *shape);

/* FORMAT where a float tensor holds NaN or infinity, or, if is_share, what is not in 0..1 (1e-3
 * beyond is rounding). */
AqmStatus aqm_model_check_floats(const AqmModel *model, const AqmTensorOut *out, bool is_share,
                                 AqmDiag *diag);

#endif
