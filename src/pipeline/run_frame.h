/* What a run and a profile share: a frame from its images to frame.json. */
#ifndef AQM_PIPELINE_RUN_FRAME_H
#define AQM_PIPELINE_RUN_FRAME_H

#include "pipeline/input_digest.h"
#include "pipeline/run_record.h"

/* The device that the configuration asks for and this build does not have is a warning, or DEVICE
 * where `is_required`. */
AqmStatus aqm_run_check_device(const AqmConfig *config, bool is_required, const AqmLog *log,
                               AqmDiag *diag);

/* Makes the folder, the frame and frame.json. `configuration`: its digest. */
AqmStatus aqm_run_frame(const AqmFrameJob *job, const char configuration[17],
                        const AqmInputDigest *input, AqmFrameReport *report, AqmDiag *diag);

#endif
