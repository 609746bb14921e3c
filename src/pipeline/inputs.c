#include "pipeline/inputs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/geometry.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/frame_source.h"

/* ---- cameras --------------------------------------------------------------------------------- */

static size_t find_camera(const AqmRig *rig, const char *name) {
    size_t k = 0;
    while (k < rig->camera_count && strcmp(rig->cameras[k].name, name) != 0)
        k++;
    return k;
}

/* The undistorted mask of a camera, from {mask_dir}/{camera}.png where there is one. */
static AqmStatus load_mask(const AqmConfig *config, AqmInput *input, const AqmLog *log,
                           AqmDiag *diag) {
    AqmImage *raw = NULL;
    char path[PATH_MAX];
    if (config->mask_dir) {
        snprintf(path, sizeof path, "%s/%s.png", config->mask_dir, input->camera->name);
        if (access(path, F_OK) != 0)
            aqm_log(log, AQM_LOG_WARNING, "camera %s: no mask %s; the whole image is used",
                    input->camera->name, path);
        else
            AQM_TRY(aqm_image_read(path, &raw, diag));
    }
    AqmStatus status = AQM_OK;
    if (raw && (raw->width != input->camera->width || raw->height != input->camera->height))
        status =
            aqm_fail(diag, AQM_ERROR_FORMAT, "mask %s is %d x %d px, the camera's images %d x %d",
                     path, raw->width, raw->height, input->camera->width, input->camera->height);
    if (status == AQM_OK) {
        const AqmImageView view = raw ? aqm_image_view(raw) : (AqmImageView){0};
        status = aqm_undistort_mask(input->camera, input->K_new, raw ? &view : NULL,
                                    config->runtime.threads, &input->mask, diag);
    }
    aqm_image_destroy(&raw);
    return status;
}

static AqmStatus open_camera(const AqmConfig *config, const AqmRig *rig,
                             const AqmCameraInput *entry, AqmInput *input, const AqmLog *log,
                             AqmDiag *diag) {
    const size_t k = find_camera(rig, entry->camera);
    if (k == rig->camera_count)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s does not know this camera",
                        config->calibration_path);
    input->camera = &rig->cameras[k];
    input->path = entry->path;
    AQM_TRY(aqm_new_camera_matrix(input->camera, input->K_new, diag));
    AQM_TRY(aqm_view_create(&input->view, rig, k, input->K_new, diag));
    AQM_TRY(aqm_frame_source_open(&input->source, entry->path, diag));
    return load_mask(config, input, log, diag);
}

static void close_camera(AqmInput *input) {
    aqm_frame_source_close(&input->source);
    aqm_image_destroy(&input->mask);
    *input = (AqmInput){0};
}

static AqmStatus open_cameras(AqmInputs *inputs, const AqmConfig *config, const AqmLog *log,
                              AqmDiag *diag) {
    char reasons[AQM_DIAG_MAX / 2] = "";
    for (size_t k = 0; k < config->input_count; k++) {
        const AqmCameraInput *entry = &config->inputs[k];
        AqmInput *input = &inputs->cameras[inputs->camera_count];
        AqmDiag why = {0};
        const AqmStatus status = open_camera(config, inputs->rig, entry, input, log, &why);
        if (status == AQM_OK) {
            inputs->camera_count++;
            continue;
        }
        close_camera(input);
        if (status == AQM_ERROR_MEMORY)
            return aqm_fail(diag, status, "camera %s: %s", entry->camera, why.message);
        aqm_log(log, AQM_LOG_WARNING, "camera %s (%s) is left out: %s", entry->camera, entry->path,
                why.message);
        const size_t used = strlen(reasons);
        snprintf(reasons + used, sizeof reasons - used, "; %.64s: %.300s", entry->camera,
                 why.message);
    }
    for (size_t k = 0; k < inputs->rig->camera_count; k++) {
        bool is_mapped = false;
        for (size_t i = 0; i < config->input_count; i++)
            is_mapped |= strcmp(config->inputs[i].camera, inputs->rig->cameras[k].name) == 0;
        if (!is_mapped)
            aqm_log(log, AQM_LOG_INFO, "camera %s of the calibration has no input and is not used",
                    inputs->rig->cameras[k].name);
    }
    size_t references = 0;
    for (size_t k = 0; k < inputs->camera_count; k++)
        references += !inputs->cameras[k].camera->is_auxiliary;
    if (inputs->camera_count < 2 || references < 1)
        return aqm_fail(
            diag, AQM_ERROR_NO_DATA,
            "stereo needs at least two cameras, one of them not auxiliary; %zu of the %zu in "
            "camera_input_map can be used%s",
            inputs->camera_count, config->input_count, reasons);
    return AQM_OK;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The length of a file name without its ending. */
static size_t stem_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

/* Order of two file names without their endings. */
static int compare_stems(const char *a, const char *b) {
    char left[NAME_MAX + 1], right[NAME_MAX + 1];
    snprintf(left, sizeof left, "%.*s", (int)stem_length(a), a);
    snprintf(right, sizeof right, "%.*s", (int)stem_length(b), b);
    return aqm_compare_names(left, right);
}

/* A camera's place in the merge of the sorted names of all folders. */
typedef struct Merge {
    const AqmInputs *inputs;
    size_t *next; /* per camera: first name not yet taken */
} Merge;

static const char *next_name(const Merge *merge, size_t camera) {
    const AqmFrameSource *source = merge->inputs->cameras[camera].source;
    return merge->next[camera] < aqm_frame_source_count(source)
               ? aqm_frame_source_name(source, merge->next[camera])
               : NULL;
}

/* The name of the next frame: the first in order of those not yet taken; NULL at the end. */
static const char *frame_name(const Merge *merge) {
    const char *first = NULL;
    for (size_t c = 0; c < merge->inputs->camera_count; c++) {
        const char *name = next_name(merge, c);
        if (name && (!first || compare_stems(name, first) < 0))
            first = name;
    }
    return first;
}

static AqmStatus add_frame(AqmInputs *inputs, size_t *capacity, AqmDiag *diag) {
    if (inputs->frame_count == *capacity) {
        const size_t more = 2 * *capacity + 64;
        int *grown = aqm_realloc(inputs->index, more * inputs->camera_count, sizeof *grown);
        if (!grown)
            return aqm_fail_memory(diag, "the list of frames", more * inputs->camera_count,
                                   sizeof(int));
        inputs->index = grown;
        *capacity = more;
    }
    inputs->frame_count++;
    return AQM_OK;
}

/* Pairs stills by name. *shared_names: some name occurs for two cameras. */
static AqmStatus pair_by_name(AqmInputs *inputs, bool *shared_names, AqmDiag *diag) {
    size_t *next = aqm_calloc(inputs->camera_count, sizeof *next), capacity = 0;
    if (!next)
        return aqm_fail_memory(diag, "the list of frames", inputs->camera_count, sizeof *next);
    const Merge merge = {inputs, next};
    AqmStatus status = AQM_OK;
    *shared_names = false;
    for (const char *name = frame_name(&merge); name && status == AQM_OK;
         name = frame_name(&merge)) {
        status = add_frame(inputs, &capacity, diag);
        size_t cameras = 0;
        for (size_t c = 0; c < inputs->camera_count && status == AQM_OK; c++) {
            const char *own = next_name(&merge, c);
            const bool has_it = own && compare_stems(own, name) == 0;
            inputs->index[(inputs->frame_count - 1) * inputs->camera_count + c] =
                has_it ? (int)next[c] : -1;
            next[c] += has_it;
            cameras += has_it;
        }
        *shared_names |= cameras > 1;
    }
    aqm_free(next);
    return status;
}

static AqmStatus pair_by_index(AqmInputs *inputs, AqmDiag *diag) {
    size_t capacity = 0, longest = 0;
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const size_t count = aqm_frame_source_count(inputs->cameras[c].source);
        longest = count > longest ? count : longest;
    }
    inputs->frame_count = 0;
    aqm_free(inputs->index);
    inputs->index = NULL;
    for (size_t f = 0; f < longest; f++) {
        AQM_TRY(add_frame(inputs, &capacity, diag));
        for (size_t c = 0; c < inputs->camera_count; c++)
            inputs->index[f * inputs->camera_count + c] =
                f < aqm_frame_source_count(inputs->cameras[c].source) ? (int)f : -1;
    }
    return AQM_OK;
}

static AqmStatus pair_frames(AqmInputs *inputs, const AqmLog *log, AqmDiag *diag) {
    bool has_video = false, shared_names = false;
    for (size_t c = 0; c < inputs->camera_count; c++)
        has_video |= aqm_frame_source_is_video(inputs->cameras[c].source);
    if (has_video)
        return pair_by_index(inputs, diag);
    AQM_TRY(pair_by_name(inputs, &shared_names, diag));
    if (shared_names)
        return AQM_OK;
    aqm_log(log, AQM_LOG_WARNING,
            "no file name occurs for two cameras; the images are paired by their order");
    return pair_by_index(inputs, diag);
}

/* ---- both ------------------------------------------------------------------------------------ */

AqmStatus aqm_inputs_open(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                          AqmDiag *diag) {
    AqmInputs *inputs = aqm_calloc(1, sizeof *inputs);
    if (!inputs)
        return aqm_fail_memory(diag, "the inputs", 1, sizeof *inputs);
    AqmStatus status = AQM_OK;
    inputs->cameras = aqm_calloc(config->input_count, sizeof *inputs->cameras);
    if (!inputs->cameras)
        status = aqm_fail_memory(diag, "the inputs", config->input_count, sizeof *inputs->cameras);
    if (status == AQM_OK)
        status = aqm_calibration_read(config->calibration_path, log, &inputs->rig, diag);
    if (status == AQM_OK)
        status = open_cameras(inputs, config, log, diag);
    if (status == AQM_OK)
        status = pair_frames(inputs, log, diag);
    if (status != AQM_OK)
        aqm_inputs_close(&inputs);
    *out = inputs;
    return status;
}

void aqm_inputs_close(AqmInputs **inputs) {
    if (!inputs || !*inputs)
        return;
    for (size_t c = 0; c < (*inputs)->camera_count; c++)
        close_camera(&(*inputs)->cameras[c]);
    aqm_free((*inputs)->cameras);
    aqm_free((*inputs)->index);
    aqm_rig_destroy(&(*inputs)->rig);
    aqm_free(*inputs);
    *inputs = NULL;
}
