/* The undistorted images of one frame, as later stages see them. */
#include <limits.h>
#include <stdio.h>

#include "aquamvs/pipeline.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "pipeline/frame.h"

static AqmStatus export_camera(const AqmConfig *config, const AqmInput *input, const AqmImage *raw,
                               AqmDiag *diag) {
    const AqmImageView view = aqm_image_view(raw);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &view, config->runtime.threads,
                                &straight, diag));
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/reference_images/%s.png", config->output_dir,
             input->camera->name);
    const AqmImageView image = aqm_image_view(straight);
    const AqmStatus status = aqm_png_write(path, &image, diag);
    aqm_image_destroy(&straight);
    return status;
}

static AqmStatus export_frame(const AqmConfig *config, const AqmInputs *inputs, AqmImage **images,
                              int frame, const AqmLog *log, AqmDiag *diag) {
    if (frame < 0 || (size_t)frame >= inputs->frame_count)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "there is no frame %d: the input has frames 0..%zu", frame,
                        inputs->frame_count ? inputs->frame_count - 1 : 0);
    AQM_TRY(aqm_frame_read(inputs, frame, config->runtime.threads, images, log, diag));
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/reference_images", config->output_dir);
    AQM_TRY(aqm_make_folders(folder, diag));
    for (size_t c = 0; c < inputs->camera_count; c++)
        if (images[c])
            AQM_TRY(export_camera(config, &inputs->cameras[c], images[c], diag));
    return AQM_OK;
}

AqmStatus aqm_export_references(const AqmConfig *config, int frame, const AqmLog *log,
                                AqmDiag *diag) {
    AqmInputs *inputs = NULL;
    AQM_TRY(aqm_inputs_open_images(&inputs, config, log, diag));
    AqmImage **images = aqm_calloc(inputs->camera_count, sizeof *images);
    const AqmStatus status = images ? export_frame(config, inputs, images, frame, log, diag)
                                    : aqm_fail_memory(diag, "the images of a frame",
                                                      inputs->camera_count, sizeof *images);
    for (size_t c = 0; images && c < inputs->camera_count; c++)
        aqm_image_destroy(&images[c]);
    aqm_free(images);
    aqm_inputs_close(&inputs);
    return status;
}
