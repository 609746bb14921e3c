/* A verification while it is made. */
#ifndef AQM_PIPELINE_VERIFY_WORK_H
#define AQM_PIPELINE_VERIFY_WORK_H

#include <limits.h>

#include "aquamvs/verify.h"
#include "pipeline/inputs.h"

/* What one frame's cameras see of the board. */
typedef struct AqmVerifyFrame {
    AqmVerifyPose *pose;
    AqmBoardSighting **sightings; /* per camera of the inputs; NULL: no image */
} AqmVerifyFrame;

typedef struct AqmVerifyWork {
    const AqmConfig *config;
    const AqmVerifyOptions *options;
    const char *folder; /* of the output */
    AqmInputs *inputs;
    AqmVerification *out;
    AqmVerifyFrame *frames; /* as out->poses */
} AqmVerifyWork;

/* corners/frame_NNNNNN_{camera}.png of one camera. */
AqmStatus aqm_verify_draw_corners(const AqmVerifyWork *work, const AqmVerifyFrame *frame,
                                  size_t camera, const AqmImageView *image, double full_scale,
                                  AqmDiag *diag);
/* boards/frame_NNNNNN.png; deviations may be NULL. */
AqmStatus aqm_verify_draw_board(const AqmVerifyWork *work, const AqmVerifyPose *pose,
                                const AqmHeightMap *deviations, AqmDiag *diag);

/* verify.json and verify.csv in the folder. */
AqmStatus aqm_verify_write(const AqmVerification *verification, const char *folder, AqmDiag *diag);

#endif
