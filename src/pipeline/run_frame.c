#include "pipeline/run_frame.h"

#include <string.h>

#include "base/diag.h"
#include "base/recorder.h"
#include "io/atomic_file.h"

AqmStatus aqm_run_check_device(const AqmConfig *config, bool is_required, const AqmLog *log,
                               AqmDiag *diag) {
    if (config->runtime.device != AQM_DEVICE_CUDA)
        return AQM_OK;
    if (is_required)
        return aqm_fail(diag, AQM_ERROR_DEVICE,
                        "device cuda: this build has no CUDA backend; leave "
                        "--device out, or give --device cpu");
    aqm_log(log, AQM_LOG_WARNING,
            "runtime.device is cuda, but this build has no CUDA backend: running on the CPU");
    return AQM_OK;
}

/* Where the frame goes, and what it is made of. */
static AqmStatus begin(const AqmFrameJob *job, const AqmInputDigest *input, char inputs[17],
                       AqmDiag *diag) {
    aqm_input_digest_frame(input, job->inputs, job->frame, inputs);
    AQM_TRY(aqm_make_folders(job->folder, diag));
    aqm_remove_temporaries(job->folder);
    return AQM_OK;
}

AqmStatus aqm_run_frame(const AqmFrameJob *job, const char configuration[17],
                        const AqmInputDigest *input, AqmFrameReport *report, AqmDiag *diag) {
    AqmFrameOrigin origin;
    memcpy(origin.configuration, configuration, sizeof origin.configuration);
    AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "begin", NULL);
    AqmStatus status = begin(job, input, origin.inputs, diag);
    aqm_scope_end(&scope);
    if (status == AQM_OK)
        status = aqm_frame_make(job, report, diag);
    scope = aqm_scope_begin(AQM_SCOPE_STAGE, "frame.json", NULL);
    if (status == AQM_OK)
        status = aqm_frame_json_write(job, report, &origin, diag);
    aqm_scope_end(&scope);
    return status;
}
