#include "pipeline/inputs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aquamvs/geometry.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "io/frame_source.h"
#include "pipeline/frame.h"

/* ---- cameras --------------------------------------------------------------------------------- */

static size_t find_camera(const AqmRig *rig, const char *name) {
    size_t k = 0;
    while (k < rig->camera_count && strcmp(rig->cameras[k].name, name) != 0)
        k++;
    return k;
}

static AqmStatus open_camera(const AqmConfig *config, const AqmRig *rig,
                             const AqmCameraInput *entry, AqmInput *input, AqmDiag *diag) {
    const size_t k = find_camera(rig, entry->camera);
    if (k == rig->camera_count)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s does not know this camera",
                        config->calibration_path);
    input->camera = &rig->cameras[k];
    input->path = entry->path;
    AQM_TRY(aqm_new_camera_matrix(input->camera, input->K_new, diag));
    AQM_TRY(aqm_view_create(&input->view, rig, k, input->K_new, diag));
    return aqm_frame_source_open(&input->source, entry->path, diag);
}

static void close_camera(AqmInput *input) {
    aqm_frame_source_close(&input->source);
    aqm_image_destroy(&input->mask);
    *input = (AqmInput){0};
}

static void tell_unmapped(const AqmInputs *inputs, const AqmConfig *config, const AqmLog *log) {
    for (size_t k = 0; k < inputs->rig->camera_count; k++) {
        const char *name = inputs->rig->cameras[k].name;
        bool is_mapped = false;
        for (size_t i = 0; i < config->input_count; i++)
            is_mapped |= strcmp(config->inputs[i].camera, name) == 0;
        if (!is_mapped)
            aqm_log(log, AQM_LOG_INFO, "camera %s of the calibration has no input and is not used",
                    name);
    }
}

/* Stereo needs two cameras and a reference among them; a point, as many references as must agree.
 * `reasons` tells why others cannot be used. */
static AqmStatus check_enough(const AqmInputs *inputs, const AqmConfig *config, const char *reasons,
                              AqmDiag *diag) {
    const int agree = config->reconstruction.fusion.min_consistent_views;
    size_t references = 0;
    for (size_t k = 0; k < inputs->camera_count; k++)
        references += !inputs->cameras[k].camera->is_auxiliary;
    if (inputs->camera_count < inputs->cameras_needed)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "%s; %zu of the %zu in camera_input_map can be used%s",
                        inputs->cameras_needed == 1 ? "there is no camera to read"
                                                    : "stereo needs at least two cameras",
                        inputs->camera_count, config->input_count, reasons);
    if (inputs->cameras_needed == 1)
        return AQM_OK;
    if (references == 0)
        return aqm_fail(
            diag, AQM_ERROR_NO_DATA,
            "stereo needs a camera that is not auxiliary; all %zu that can be used are%s",
            inputs->camera_count, reasons);
    if (inputs->camera_count > AQM_CAMERAS_MAX)
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "camera_input_map has %zu cameras that can be used: at most %d",
                        inputs->camera_count, AQM_CAMERAS_MAX);
    if (agree > 0 && (size_t)agree > references)
        return aqm_fail(diag, AQM_ERROR_CONFIG,
                        "reconstruction.min_consistent_views asks for %d cameras that agree on a "
                        "point, but only %zu cameras that are not auxiliary can be used: lower it "
                        "(--set reconstruction.min_consistent_views=%zu)%s",
                        agree, references, references, reasons);
    return AQM_OK;
}

/* One camera's files given to another too: an error of copying that no result would show. */
static AqmStatus check_distinct(const AqmInputs *inputs, AqmDiag *diag) {
    char own[PATH_MAX], other[PATH_MAX];
    for (size_t k = 0; k < inputs->camera_count; k++) {
        if (!realpath(inputs->cameras[k].path, own))
            continue;
        for (size_t i = 0; i < k; i++)
            if (realpath(inputs->cameras[i].path, other) && strcmp(own, other) == 0)
                return aqm_fail(diag, AQM_ERROR_CONFIG,
                                "camera_input_map: cameras %s and %s both read %s",
                                inputs->cameras[i].camera->name, inputs->cameras[k].camera->name,
                                inputs->cameras[k].path);
    }
    return AQM_OK;
}

static AqmStatus open_cameras(AqmInputs *inputs, const AqmConfig *config, const AqmLog *log,
                              AqmDiag *diag) {
    char reasons[AQM_DIAG_MAX / 2] = "";
    for (size_t k = 0; k < config->input_count; k++) {
        const AqmCameraInput *entry = &config->inputs[k];
        AqmInput *input = &inputs->cameras[inputs->camera_count];
        AqmDiag why = {0};
        const AqmStatus status = open_camera(config, inputs->rig, entry, input, &why);
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
    tell_unmapped(inputs, config, log);
    AQM_TRY(check_distinct(inputs, diag));
    return check_enough(inputs, config, reasons, diag);
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* {mask_dir}/{camera}.png; *out stays NULL where there is none. */
static AqmStatus read_mask(const AqmConfig *config, const AqmCamera *camera, AqmImage **out,
                           const AqmLog *log, AqmDiag *diag) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.png", config->mask_dir, camera->name);
    if (access(path, F_OK) != 0) {
        aqm_log(log, AQM_LOG_WARNING, "camera %s: no mask %s; the whole image is used",
                camera->name, path);
        return AQM_OK;
    }
    AQM_TRY(aqm_image_read(path, out, diag));
    if ((*out)->width == camera->width && (*out)->height == camera->height)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_FORMAT,
                    "mask %s is %d x %d px, the images of the camera are %d x %d px", path,
                    (*out)->width, (*out)->height, camera->width, camera->height);
}

/* What may be used of a camera's undistorted image: what the lens shows, and the mask keeps. */
static AqmStatus load_mask(const AqmConfig *config, AqmInput *input, const AqmLog *log,
                           AqmDiag *diag) {
    AqmImage *keep = NULL;
    AqmStatus status = AQM_OK;
    if (config->mask_dir)
        status = read_mask(config, input->camera, &keep, log, diag);
    if (status == AQM_OK) {
        const AqmImageView view = keep ? aqm_image_view(keep) : (AqmImageView){0};
        status = aqm_undistort_mask(input->camera, input->K_new, keep ? &view : NULL,
                                    config->runtime.threads, &input->mask, diag);
    }
    aqm_image_destroy(&keep);
    return status;
}

static AqmStatus load_masks(AqmInputs *inputs, const AqmConfig *config, const AqmLog *log,
                            AqmDiag *diag) {
    struct stat folder;
    if (config->mask_dir && (stat(config->mask_dir, &folder) != 0 || !S_ISDIR(folder.st_mode)))
        return aqm_fail(diag, AQM_ERROR_CONFIG, "mask_dir: %s is not there, or not a folder",
                        config->mask_dir);
    for (size_t c = 0; c < inputs->camera_count; c++)
        AQM_TRY(load_mask(config, &inputs->cameras[c], log, diag));
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

/* One still of a camera. */
typedef struct Still {
    const char *name;
    int index; /* in its source */
} Still;

/* A camera's stills in the order of their stems, and how far the merge has come. A source's own
 * order will not do: it compares with the endings, which puts "a-b.png" before "a.png". */
typedef struct Row {
    Still *stills;
    size_t count, next;
} Row;

static int compare_stills(const void *a, const void *b) {
    const Still *left = a, *right = b;
    const int order = compare_stems(left->name, right->name);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static const char *next_name(const Row *row) {
    return row->next < row->count ? row->stills[row->next].name : NULL;
}

/* The name of the next frame: the first in order of those not yet taken; NULL at the end. */
static const char *frame_name(const Row *rows, size_t camera_count) {
    const char *first = NULL;
    for (size_t c = 0; c < camera_count; c++) {
        const char *name = next_name(&rows[c]);
        if (name && (!first || compare_stems(name, first) < 0))
            first = name;
    }
    return first;
}

/* Takes the still called `name` from a row: its index, -1 if there is none. Others of the same
 * stem ("a.png" beside "a.jpg") are passed over and counted. */
static int take_still(Row *row, const char *name, size_t *passed_over) {
    const char *own = next_name(row);
    if (!own || compare_stems(own, name) != 0)
        return -1;
    const int index = row->stills[row->next++].index;
    for (own = next_name(row); own && compare_stems(own, name) == 0; own = next_name(row)) {
        row->next++;
        ++*passed_over;
    }
    return index;
}

/* The rows of all cameras; the stills of all are one block at the first row's. NULL when memory is
 * out. */
static Row *sort_stills(const AqmInputs *inputs) {
    size_t total = 0;
    for (size_t c = 0; c < inputs->camera_count; c++)
        total += aqm_frame_source_count(inputs->cameras[c].source);
    Row *rows = aqm_calloc(inputs->camera_count, sizeof *rows);
    Still *stills = aqm_alloc(total, sizeof *stills);
    if (!rows || !stills) {
        aqm_free(rows);
        aqm_free(stills);
        return NULL;
    }
    for (size_t c = 0; c < inputs->camera_count; c++) {
        const AqmFrameSource *source = inputs->cameras[c].source;
        rows[c] = (Row){stills, aqm_frame_source_count(source), 0};
        for (size_t k = 0; k < rows[c].count; k++)
            rows[c].stills[k] = (Still){aqm_frame_source_name(source, k), (int)k};
        qsort(rows[c].stills, rows[c].count, sizeof *stills, compare_stills);
        stills += rows[c].count;
    }
    return rows;
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
static AqmStatus merge_rows(AqmInputs *inputs, Row *rows, bool *shared_names, size_t *passed_over,
                            AqmDiag *diag) {
    const size_t count = inputs->camera_count;
    size_t capacity = 0;
    for (const char *name = frame_name(rows, count); name; name = frame_name(rows, count)) {
        AQM_TRY(add_frame(inputs, &capacity, diag));
        int *index = &inputs->index[(inputs->frame_count - 1) * count];
        size_t cameras = 0;
        for (size_t c = 0; c < count; c++) {
            index[c] = take_still(&rows[c], name, passed_over);
            cameras += index[c] >= 0;
        }
        *shared_names |= cameras > 1;
    }
    return AQM_OK;
}

static AqmStatus pair_by_name(AqmInputs *inputs, bool *shared_names, const AqmLog *log,
                              AqmDiag *diag) {
    Row *rows = sort_stills(inputs);
    if (!rows)
        return aqm_fail_memory(diag, "the list of frames", inputs->camera_count, sizeof *rows);
    size_t passed_over = 0;
    const AqmStatus status = merge_rows(inputs, rows, shared_names, &passed_over, diag);
    if (status == AQM_OK && *shared_names && passed_over > 0)
        aqm_log(log, AQM_LOG_WARNING,
                "%zu images are left out: another of the same name but for the ending lies beside "
                "each",
                passed_over);
    aqm_free(rows[0].stills);
    aqm_free(rows);
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
    AQM_TRY(pair_by_name(inputs, &shared_names, log, diag));
    if (shared_names)
        return AQM_OK;
    aqm_log(log, AQM_LOG_WARNING,
            "no file name occurs for two cameras; the images are paired by their order");
    return pair_by_index(inputs, diag);
}

/* ---- both ------------------------------------------------------------------------------------ */

static AqmStatus fill(AqmInputs *inputs, const AqmConfig *config, const AqmLog *log,
                      AqmDiag *diag) {
    inputs->cameras = aqm_calloc(config->input_count, sizeof *inputs->cameras);
    if (!inputs->cameras)
        return aqm_fail_memory(diag, "the inputs", config->input_count, sizeof *inputs->cameras);
    AQM_TRY(aqm_calibration_read(config->calibration_path, log, &inputs->rig, diag));
    AQM_TRY(open_cameras(inputs, config, log, diag));
    AQM_TRY(pair_frames(inputs, log, diag));
    if (inputs->cameras_needed == 1)
        return AQM_OK;
    AQM_TRY(load_masks(inputs, config, log, diag));
    return aqm_frame_find_white(inputs, config->runtime.threads, &inputs->white_16, diag);
}

static AqmStatus open_inputs(AqmInputs **out, size_t cameras_needed, const AqmConfig *config,
                             const AqmLog *log, AqmDiag *diag) {
    AqmInputs *inputs = aqm_calloc(1, sizeof *inputs);
    if (!inputs)
        return aqm_fail_memory(diag, "the inputs", 1, sizeof *inputs);
    inputs->cameras_needed = cameras_needed;
    inputs->white_16 = 255.0;
    const AqmStatus status = fill(inputs, config, log, diag);
    if (status != AQM_OK)
        aqm_inputs_close(&inputs);
    *out = inputs;
    return status;
}

AqmStatus aqm_inputs_open(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                          AqmDiag *diag) {
    return open_inputs(out, 2, config, log, diag);
}

AqmStatus aqm_inputs_open_images(AqmInputs **out, const AqmConfig *config, const AqmLog *log,
                                 AqmDiag *diag) {
    return open_inputs(out, 1, config, log, diag);
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
