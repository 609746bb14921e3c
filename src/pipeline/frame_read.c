#include <stdio.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/recorder.h"
#include "pipeline/frame.h"

static AqmStatus read_camera(const AqmInputs *inputs, size_t c, int frame, AqmImage **out,
                             AqmDiag *diag) {
    const AqmInput *input = &inputs->cameras[c];
    const int index = inputs->index[(size_t)frame * inputs->camera_count + c];
    if (index < 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "%s has no image for this frame", input->path);
    AQM_TRY(aqm_frame_source_read(input->source, (size_t)index, out, diag));
    if ((*out)->width == input->camera->width && (*out)->height == input->camera->height)
        return AQM_OK;
    const int width = (*out)->width, height = (*out)->height;
    aqm_image_destroy(out);
    return aqm_fail(diag, AQM_ERROR_FORMAT, "%s/%s is %d x %d px, the calibration says %d x %d",
                    input->path, aqm_frame_source_name(input->source, (size_t)index), width, height,
                    input->camera->width, input->camera->height);
}

/* What one camera's reading came to. */
typedef struct Outcome {
    AqmStatus status;
    AqmDiag diag;
} Outcome;

/* Names the cameras that are left out; are enough left? Out of memory is nobody's fault: the frame
 * fails, or it would come out with other cameras than it has. */
static AqmStatus judge(const AqmInputs *inputs, int frame, AqmImage *const *images,
                       const Outcome *outcomes, const AqmLog *log, AqmDiag *diag) {
    size_t usable = 0, references = 0;
    const char *last_reason = "";
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const AqmCamera *camera = inputs->cameras[c].camera;
        if (outcomes[c].status == AQM_ERROR_MEMORY)
            return aqm_fail(diag, AQM_ERROR_MEMORY, "camera %s: %s", camera->name,
                            outcomes[c].diag.message);
        usable += images[c] != NULL;
        references += images[c] && !camera->is_auxiliary;
        if (images[c])
            continue;
        last_reason = outcomes[c].diag.message;
        aqm_log(log, AQM_LOG_WARNING, "frame %d: camera %s is left out: %s", frame, camera->name,
                last_reason);
    }
    if (usable >= inputs->cameras_needed && (references >= 1 || inputs->cameras_needed == 1))
        return AQM_OK;
    if (inputs->cameras_needed == 1)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "no camera has a usable image; %s", last_reason);
    return aqm_fail(diag, AQM_ERROR_NO_DATA,
                    "%zu of %zu cameras have a usable image, stereo needs two cameras, one of "
                    "them not auxiliary; %s",
                    usable, inputs->camera_count, last_reason);
}

AqmStatus aqm_frame_read(const AqmInputs *inputs, int frame, int threads, AqmImage **images,
                         const AqmLog *log, AqmDiag *diag) {
    const int count = (int)inputs->camera_count;
    Outcome *outcomes = aqm_calloc(inputs->camera_count, sizeof *outcomes);
    if (!outcomes)
        return aqm_fail_memory(diag, "reading a frame", inputs->camera_count, sizeof *outcomes);
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(dynamic, 1)
    for (int c = 0; c < count; c++) {
        images[c] = NULL;
        const AqmScope scope =
            aqm_scope_begin(AQM_SCOPE_TASK, "camera", inputs->cameras[c].camera->name);
        outcomes[c].status = read_camera(inputs, (size_t)c, frame, &images[c], &outcomes[c].diag);
        aqm_scope_end(&scope);
    }
    const AqmStatus status = judge(inputs, frame, images, outcomes, log, diag);
    aqm_free(outcomes);
    return status;
}

static unsigned largest_sample(const AqmImage *image) {
    unsigned largest = 0;
    const size_t row_samples = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++) {
        const uint16_t *row =
            (const uint16_t *)((const char *)image->data + (size_t)y * image->stride);
        for (size_t x = 0; x < row_samples; x++)
            largest = row[x] > largest ? row[x] : largest;
    }
    return largest;
}

double aqm_frame_full_scale(AqmImage *const *images, size_t count) {
    unsigned largest = 0;
    for (size_t c = 0; c < count; c++)
        if (images[c] && images[c]->type == AQM_U16) {
            const unsigned own = largest_sample(images[c]);
            largest = own > largest ? own : largest;
        }
    if (largest == 0)
        return 255.0;
    for (int bits = 10; bits < 16; bits += 2)
        if (largest < 1u << bits)
            return (double)((1u << bits) - 1);
    return 65535.0;
}

/* The first image of a camera that can be read; NULL where there is none. */
static AqmStatus read_first(const AqmInputs *inputs, size_t c, AqmImage **out) {
    AqmStatus status = AQM_OK;
    for (int frame = 0; frame < (int)inputs->frame_count; frame++) {
        AqmDiag why = {0};
        status = read_camera(inputs, c, frame, out, &why);
        if (status == AQM_OK || status == AQM_ERROR_MEMORY)
            return status;
    }
    return AQM_OK;
}

AqmStatus aqm_frame_find_white(const AqmInputs *inputs, int threads, double *white, AqmDiag *diag) {
    const int count = (int)inputs->camera_count;
    AqmImage **images = aqm_calloc(inputs->camera_count, sizeof *images);
    if (!images)
        return aqm_fail_memory(diag, "the first frame", inputs->camera_count, sizeof *images);
    int failures = 0;
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(dynamic, 1)               \
    reduction(+ : failures)
    for (int c = 0; c < count; c++)
        failures += read_first(inputs, (size_t)c, &images[c]) != AQM_OK;
    if (failures == 0)
        *white = aqm_frame_full_scale(images, inputs->camera_count);
    for (int c = 0; c < count; c++)
        aqm_image_destroy(&images[c]);
    aqm_free(images);
    return failures == 0 ? AQM_OK
                         : aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: the first frame");
}
