/* What a run reads: the calibrated cameras that have frames, and which frame is which. */
#ifndef AQM_PIPELINE_INPUTS_H
#define AQM_PIPELINE_INPUTS_H

#include "aquamvs/config.h"
#include "aquamvs/io.h"

/* One camera of the run. */
typedef struct AqmInput {
    const AqmCamera *camera; /* in the rig */
    const char *path;        /* of its frames, in the configuration */
    AqmFrameSource *source;
    double K_new[9];
    AqmView view;
    AqmImage *mask; /* of the undistorted image */
} AqmInput;

typedef struct AqmInputs {
    AqmRig *rig;
    AqmInput *cameras;
    size_t camera_count;
    size_t frame_count; /* frames that exist */
    /* where frame f of camera c is in its source: index[f * camera_count + c], -1 = it has none */
    int *index;
} AqmInputs;

/* Opens the calibration and every camera's source. A camera that cannot be used is left out with a
 * warning that says which and why; NO_DATA if fewer than two remain. Folders of stills are paired
 * by file name (without its ending), everything else by frame index. */
AqmStatus aqm_inputs_open(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                          AqmDiag *diag);
void aqm_inputs_close(AqmInputs **inputs);

#endif
