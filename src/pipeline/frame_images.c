/* The images of a frame: read, made to agree in colour, undistorted. */
#include <math.h>

#include "aquamvs/undistort.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_work.h"

AqmStatus aqm_frame_read_images(AqmFrameWork *work, AqmDiag *diag) {
    const AqmFrameJob *job = work->job;
    AQM_TRY(aqm_frame_read(job->inputs, job->frame, job->config->runtime.threads, work->images,
                           &work->log, diag));
    const double own = aqm_frame_full_scale(work->images, work->count);
    work->white_16 = fmax(own, job->inputs->white_16);
    if (own > job->inputs->white_16 && job->inputs->white_16 > 255.0)
        aqm_log(&work->log, AQM_LOG_WARNING,
                "frame %d: its 16-bit images go beyond %.0f, the white that the first frame shows; "
                "they are taken to be of the depth up to %.0f, darker than the others",
                job->frame, job->inputs->white_16, own);
    return AQM_OK;
}

AqmStatus aqm_frame_normalize(AqmFrameWork *work, AqmDiag *diag) {
    AqmImage *present[AQM_CAMERAS_MAX];
    size_t count = 0;
    for (size_t c = 0; c < work->count; c++)
        if (work->images[c])
            present[count++] = work->images[c];
    AqmDiag why = {0};
    const double white = present[0]->type == AQM_U16 ? work->white_16 : 255.0;
    const AqmStatus status = aqm_color_normalize(
        present, count, work->job->config->preprocessing.color_norm_method, white, &why);
    if (status ==
        AQM_ERROR_ARGUMENT) { /* gray and colour cameras, or 8 and 16 bits, side by side */
        aqm_log(&work->log, AQM_LOG_WARNING, "frame %d: colours are not normalised: %s",
                work->job->frame, why.message);
        return AQM_OK;
    }
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", why.message);
}

/* ---- undistorted ----------------------------------------------------------------------------- */

static AqmStatus undistort(AqmFrameWork *work, size_t c, AqmDiag *diag) {
    const AqmInput *input = &work->job->inputs->cameras[c];
    const AqmImageView raw = aqm_image_view(work->images[c]);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &raw, 1, &straight, diag));
    aqm_image_destroy(&work->images[c]);
    work->images[c] = straight;
    work->full_scale[c] = straight->type == AQM_U16 ? work->white_16 : 255.0;
    return AQM_OK;
}

/* The cameras side by side, each by one thread. */
AqmStatus aqm_frame_undistort(AqmFrameWork *work, AqmDiag *diag) {
    AqmStatus statuses[AQM_CAMERAS_MAX] = {AQM_OK};
    AqmDiag diags[AQM_CAMERAS_MAX] = {0};
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(aqm_thread_count(work->job->config->runtime.threads))
    for (size_t c = 0; c < work->count; c++) {
        if (!work->images[c])
            continue;
        const AqmScope scope =
            aqm_scope_begin(AQM_SCOPE_TASK, "camera", work->job->inputs->cameras[c].camera->name);
        statuses[c] = undistort(work, c, &diags[c]);
        aqm_scope_end(&scope);
    }
    for (size_t c = 0; c < work->count; c++) {
        if (!work->images[c])
            continue;
        if (statuses[c] != AQM_OK)
            return aqm_fail(diag, statuses[c], "%s", diags[c].message);
        const AqmInput *input = &work->job->inputs->cameras[c];
        work->camera_of[work->view_count] = c;
        work->views[work->view_count++] =
            (AqmStereoView){&input->view, NULL, input->camera->is_auxiliary};
        work->report->references += !input->camera->is_auxiliary;
    }
    work->report->cameras_used = work->view_count;
    return AQM_OK;
}

/* ---- what the plane sweep compares ----------------------------------------------------------- */

static AqmStatus make_stereo_image(AqmFrameWork *work, size_t v, AqmDiag *diag) {
    const size_t c = work->camera_of[v];
    if (work->stereo_images[c])
        return AQM_OK;
    const AqmImageView image = aqm_image_view(work->images[c]);
    const AqmImageView mask = aqm_image_view(aqm_frame_input(work, v)->mask);
    AQM_TRY(
        aqm_stereo_image_create(&work->stereo_images[c], &image, &mask, work->full_scale[c], diag));
    work->views[v].image = work->stereo_images[c];
    return AQM_OK;
}

static AqmStatus make_stereo_images(AqmFrameWork *work, AqmDiag *diag) {
    AqmStatus statuses[AQM_CAMERAS_MAX] = {AQM_OK};
    AqmDiag diags[AQM_CAMERAS_MAX] = {0};
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(aqm_thread_count(work->job->config->runtime.threads))
    for (size_t v = 0; v < work->view_count; v++)
        statuses[v] = make_stereo_image(work, v, &diags[v]);
    for (size_t v = 0; v < work->view_count; v++)
        if (statuses[v] != AQM_OK)
            return aqm_fail(diag, statuses[v], "%s", diags[v].message);
    return AQM_OK;
}

/* Not with the undistorted images: by now the memory that features took is there to be used again,
 * three times what these images take. */
AqmStatus aqm_frame_need_stereo_images(AqmFrameWork *work, AqmDiag *diag) {
    if (work->job->config->matcher_type == AQM_MATCHER_ROMA)
        return AQM_OK;
    AQM_TRY_PART("matching images", make_stereo_images(work, diag));
    return AQM_OK;
}

void aqm_frame_drop_stereo_images(AqmFrameWork *work) {
    for (size_t v = 0; v < work->view_count; v++)
        work->views[v].image = NULL;
    for (size_t c = 0; c < work->count; c++)
        aqm_stereo_image_destroy(&work->stereo_images[c]);
}
