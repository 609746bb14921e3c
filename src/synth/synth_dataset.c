/* A synthetic data set on disk:
 *
 *   calibration.json  config.yaml  images/{camera}/frame_NNNNNN.png or videos/{camera}.mkv
 *   gt/scene.json  gt/frame_NNNNNN/surface.ply  gt/frame_NNNNNN/{camera}_depth_raw.npz */
#include "synth/synth_dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/io.h"
#include "base/alloc.h"

AqmStatus aqm_synth_path(char path[AQM_SYNTH_PATH_MAX], AqmDiag *diag,
                         const AqmSynthDataset *dataset, const char *format, ...) {
    int length = snprintf(path, AQM_SYNTH_PATH_MAX, "%s/", dataset->dir);
    if (length > 0 && length < AQM_SYNTH_PATH_MAX) {
        va_list arguments;
        va_start(arguments, format);
        length += vsnprintf(path + length, AQM_SYNTH_PATH_MAX - (size_t)length, format, arguments);
        va_end(arguments);
    }
    if (length < 0 || length >= AQM_SYNTH_PATH_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "output folder name of %zu characters is too long", strlen(dataset->dir));
    return AQM_OK;
}

static AqmStatus check_folder(const AqmSynthDataset *dataset, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(aqm_synth_path(path, diag, dataset, "gt/scene.json"));
    if (!aqm_folder_is_free(dataset->dir) && access(path, F_OK) != 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: not a folder, or it holds files that are not a synthetic data set; "
                        "name a new folder or empty this one",
                        dataset->dir);
    /* until the new truth is written the folder is no data set, whatever it held before */
    (void)unlink(path);
    return AQM_OK;
}

static AqmStatus prepare_camera(const AqmSynthDataset *dataset, const char *name, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(aqm_synth_path(path, diag, dataset, "images/%s", name));
    AQM_TRY(aqm_make_folders(path, diag));
    for (int frame = dataset->options->frames;; frame++) {
        AQM_TRY(aqm_synth_path(path, diag, dataset, "images/%s/frame_%06d.png", name, frame));
        if (unlink(path) != 0)
            return AQM_OK;
    }
}

AqmStatus aqm_synth_prepare(const AqmSynthDataset *dataset, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(check_folder(dataset, diag));
    for (int frame = 0; frame < dataset->options->frames; frame++) {
        AQM_TRY(aqm_synth_path(path, diag, dataset, "gt/frame_%06d", frame));
        AQM_TRY(aqm_make_folders(path, diag));
    }
    if (dataset->options->format == AQM_FRAMES_VIDEO) {
        AQM_TRY(aqm_synth_path(path, diag, dataset, "videos"));
        return aqm_make_folders(path, diag);
    }
    for (size_t i = 0; i < dataset->rig->camera_count; i++)
        AQM_TRY(prepare_camera(dataset, dataset->rig->cameras[i].name, diag));
    return AQM_OK;
}

static void print_config(const AqmSynthDataset *dataset, FILE *out) {
    const bool video = dataset->options->format == AQM_FRAMES_VIDEO;
    (void)fprintf(out, "calibration_path: calibration.json\n"
                       "output_dir: output\n"
                       "camera_input_map:\n");
    for (size_t i = 0; i < dataset->rig->camera_count; i++) {
        const char *name = dataset->rig->cameras[i].name;
        (void)fprintf(out, "  %s: %s/%s%s\n", name, video ? "videos" : "images", name,
                      video ? ".mkv" : "");
    }
    (void)fprintf(out,
                  "pipeline_mode: full\n"
                  "reconstruction:\n"
                  "  num_depths: 128\n"
                  "  cost_function: ncc\n"
                  "  window_size: 11\n"
                  "  min_consistent_views: %d\n"
                  "  depth_tolerance: 0.005\n"
                  "  voxel_size: 0.001\n"
                  "  surface_method: heightfield\n"
                  "  grid_resolution: 0.002\n",
                  dataset->options->rig == AQM_RIG_PAIR ? 2 : 3);
}

static AqmStatus write_config(const AqmSynthDataset *dataset, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX], *text = NULL;
    size_t size = 0;
    AQM_TRY(aqm_synth_path(path, diag, dataset, "config.yaml"));
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return aqm_fail_memory(diag, "config.yaml", 1, AQM_SYNTH_PATH_MAX);
    print_config(dataset, out);
    AqmStatus status;
    if (fclose(out) == 0 && text)
        status = aqm_text_write(path, text, diag);
    else
        status = aqm_fail_memory(diag, "config.yaml", 1, AQM_SYNTH_PATH_MAX);
    free(text);
    return status;
}

AqmStatus aqm_synth_write_setup(const AqmSynthDataset *dataset, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(aqm_synth_path(path, diag, dataset, "calibration.json"));
    AQM_TRY(aqm_calibration_write(path, dataset->rig, diag));
    return write_config(dataset, diag);
}

AqmStatus aqm_synth_write_depth(const AqmSynthDataset *dataset, int frame, size_t camera,
                                const AqmTrace *trace, AqmDiag *diag) {
    char path[AQM_SYNTH_PATH_MAX];
    AQM_TRY(aqm_synth_path(path, diag, dataset, "gt/frame_%06d/%s_depth_raw.npz", frame,
                           dataset->rig->cameras[camera].name));
    const AqmNpyArray depth = {
        "depth", AQM_NPY_F32, 2, {(size_t)trace->height, (size_t)trace->width, 0}, trace->depth_m};
    return aqm_npz_write(path, &depth, 1, diag);
}
