/* The learned models of a run: opened once, before its first frame. */
#ifndef AQM_PIPELINE_MODELS_H
#define AQM_PIPELINE_MODELS_H

#include "aquamvs/config.h"
#include "aquamvs/learned.h"

typedef struct AqmModels {
    AqmOnnx *onnx;
    AqmModel *extractor, *matcher; /* lightglue; NULL where there is */
    AqmModel *joined;              /* one model for both */
    AqmModel *dense;               /* roma */
} AqmModels;

/* The models that the configuration asks for; *out stays NULL where it asks for none. UNSUPPORTED
 * where ONNX Runtime or a file is missing: names the files, where they were looked for, how to get
 * them, and what to do without; FORMAT for files that are not the models they should be; MEMORY. */
AqmStatus aqm_models_open(AqmModels **out, const AqmConfig *config, AqmDiag *diag);
void aqm_models_close(AqmModels **models);

#endif
