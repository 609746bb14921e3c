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
    AqmImage *mask; /* of the undistorted image; NULL where only images are wanted */
} AqmInput;

typedef struct AqmInputs {
    AqmRig *rig;
    AqmInput *cameras;
    size_t camera_count;
    size_t frame_count; /* frames that exist */
    /* where frame f of camera c is in its source: index[f * camera_count + c], -1 = it has none */
    int *index;
    size_t cameras_needed; /* of a frame: 2 for stereo, 1 where only images are wanted */
    /* The value taken as white in 16-bit images of every frame, from the first frame of the input,
     * wherever a run begins; 255 if it has no 16-bit images. */
    double white_16;
} AqmInputs;

enum { AQM_CAMERAS_MAX = 64 };

/* Opens the calibration and every camera's source, for stereo. A camera that cannot be used is left
 * out with a warning that says which and why. NO_DATA if fewer than two, or no reference, remain;
 * CONFIG if two read the same files, if fewer of them vote than must agree, or there is no
 * mask_dir; FORMAT for a mask of the wrong size; UNSUPPORTED beyond AQM_CAMERAS_MAX. Folders of
 * stills are paired by file name (without its ending), everything else by frame index. */
AqmStatus aqm_inputs_open(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                          AqmDiag *diag);
/* The same for reading images alone: one camera is enough, and there are no masks. */
AqmStatus aqm_inputs_open_images(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                                 AqmDiag *diag);
void aqm_inputs_close(AqmInputs **inputs);

#endif
