/* The stages of one frame, in order. Memory is given back as soon as nothing needs it: the raw
 * images after undistortion, what features were sought in after matching, the matching images
 * after stereo, the depth maps after fusion. Depth maps and clouds are written while what comes
 * next is computed. */
#include "pipeline/frame.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/recorder.h"
#include "io/atomic_file.h"
#include "pipeline/frame_pictures.h"
#include "pipeline/frame_stale.h"
#include "pipeline/frame_work.h"

const char *aqm_stage_name(AqmStage stage) {
    static const char *const names[AQM_STAGE_COUNT] = {
        "read",   "normalize",      "undistort", "features", "matching", "triangulation", "ranges",
        "stereo", "depth_pictures", "fusion",    "outliers", "surface",  "pictures",      "write"};
    return names[stage];
}

/* ---- housekeeping ---------------------------------------------------------------------------- */

static void keep_warning(void *user, AqmLogLevel level, const char *message) {
    AqmFrameWork *work = user;
    aqm_log(work->job->log, level, "%s", message);
    if (level != AQM_LOG_WARNING)
        return;
    const size_t used = strlen(work->report->warnings);
    snprintf(work->report->warnings + used, sizeof work->report->warnings - used, "%s\n", message);
}

static void work_free(AqmFrameWork *work) {
    aqm_background_stop(&work->writer); /* first: it reads what is freed below */
    for (size_t c = 0; c < work->count; c++) {
        if (work->images)
            aqm_image_destroy(&work->images[c]);
        if (work->stereo_images)
            aqm_stereo_image_destroy(&work->stereo_images[c]);
        if (work->maps)
            aqm_depth_map_destroy(&work->maps[c]);
        if (work->grays)
            aqm_image_destroy(&work->grays[c]);
        if (work->features)
            aqm_features_destroy(&work->features[c]);
    }
    for (size_t p = 0; p < work->pair_count; p++)
        aqm_matches_destroy(&work->pairs[p].matches);
    aqm_free(work->images);
    aqm_free(work->full_scale);
    aqm_free(work->stereo_images);
    aqm_free(work->views);
    aqm_free(work->camera_of);
    aqm_free(work->grays);
    aqm_free(work->gray_views);
    aqm_free(work->features);
    aqm_free(work->match_views);
    aqm_free(work->pairs);
    aqm_free(work->ranges);
    aqm_free(work->maps);
    aqm_free(work->has_map);
    aqm_tracks_destroy(&work->tracks);
    aqm_cloud_destroy(&work->sparse_cloud);
    aqm_cloud_destroy(&work->cloud);
    aqm_mesh_destroy(&work->mesh);
    aqm_height_map_destroy(&work->height_map);
}

static AqmStatus work_create(AqmFrameWork *work, const AqmFrameJob *job, AqmFrameReport *report,
                             AqmDiag *diag) {
    const size_t count = job->inputs->camera_count;
    *work = (AqmFrameWork){
        .job = job,
        .report = report,
        .count = count,
        .images = aqm_calloc(count, sizeof *work->images),
        .full_scale = aqm_calloc(count, sizeof *work->full_scale),
        .stereo_images = aqm_calloc(count, sizeof *work->stereo_images),
        .views = aqm_calloc(count, sizeof *work->views),
        .camera_of = aqm_calloc(count, sizeof *work->camera_of),
        .grays = aqm_calloc(count, sizeof *work->grays),
        .gray_views = aqm_calloc(count, sizeof *work->gray_views),
        .features = aqm_calloc(count, sizeof *work->features),
        .match_views = aqm_calloc(count, sizeof *work->match_views),
        .pairs = aqm_calloc(count * (count - 1) / 2, sizeof *work->pairs),
        .ranges = aqm_calloc(count, sizeof *work->ranges),
        .maps = aqm_calloc(count, sizeof *work->maps),
        .has_map = aqm_calloc(count, sizeof *work->has_map),
    };
    work->log = (AqmLog){keep_warning, work};
    AqmStatus status = AQM_OK;
    if (!work->images || !work->full_scale || !work->stereo_images || !work->views ||
        !work->camera_of || !work->grays || !work->gray_views || !work->features ||
        !work->match_views || !work->pairs || !work->ranges || !work->maps || !work->has_map)
        status = aqm_fail_memory(diag, "a frame", count, 64);
    if (status == AQM_OK)
        status = aqm_background_start(&work->writer, diag);
    if (status != AQM_OK)
        work_free(work);
    return status;
}

/* ---- what all stages use --------------------------------------------------------------------- */

AqmStatus aqm_frame_enter(const AqmFrameWork *work, AqmStage stage, size_t done, size_t total,
                          AqmDiag *diag) {
    const AqmFrameJob *job = work->job;
    if (job->enter && job->enter(job->user, stage, done, total))
        return aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted at stage %s",
                        aqm_stage_name(stage));
    return AQM_OK;
}

void aqm_frame_path(const AqmFrameWork *work, char path[PATH_MAX], const char *format, ...) {
    const int used = snprintf(path, PATH_MAX, "%s/", work->job->folder);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && used < PATH_MAX)
        vsnprintf(path + used, PATH_MAX - (size_t)used, format, arguments);
    va_end(arguments);
}

AqmStatus aqm_frame_folder(const AqmFrameWork *work, const char *name, AqmDiag *diag) {
    char path[PATH_MAX];
    aqm_frame_path(work, path, "%s", name);
    return aqm_make_folders(path, diag);
}

const double *aqm_frame_rotation(const AqmFrameWork *work) {
    static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const double *rotation = work->job->inputs->rig->world_from_rig;
    return memcmp(rotation, identity, sizeof identity) == 0 ? NULL : rotation;
}

const AqmInput *aqm_frame_input(const AqmFrameWork *work, size_t view) {
    return &work->job->inputs->cameras[work->camera_of[view]];
}

const char *aqm_frame_view_name(const AqmFrameWork *work, size_t view) {
    return aqm_frame_input(work, view)->camera->name;
}

bool aqm_frame_is_masked(const AqmFrameWork *work, size_t view, const float position[2]) {
    const AqmImage *mask = aqm_frame_input(work, view)->mask;
    const float x = floorf(position[0] + 0.5f), y = floorf(position[1] + 0.5f);
    if (!(x >= 0.0f && y >= 0.0f && x < (float)mask->width && y < (float)mask->height))
        return true;
    return ((const uint8_t *)mask->data)[(size_t)y * mask->stride + (size_t)x] == 0;
}

static AqmStatus write_cloud(const char *path, const void *cloud, const void *rotation,
                             AqmDiag *diag) {
    return aqm_ply_write_cloud(path, cloud, rotation, diag);
}

AqmStatus aqm_frame_write_cloud(AqmFrameWork *work, const char *folder, const char *file,
                                const AqmCloud *cloud, AqmDiag *diag) {
    char path[PATH_MAX];
    AQM_TRY(aqm_frame_folder(work, folder, diag));
    aqm_frame_path(work, path, "%s/%s", folder, file);
    return aqm_background_add(work->writer, write_cloud, path, cloud, aqm_frame_rotation(work),
                              diag);
}

void aqm_frame_tell_picture(AqmFrameWork *work, AqmStatus status, const AqmDiag *why) {
    if (status != AQM_OK)
        aqm_log(&work->log, AQM_LOG_WARNING, "frame %d: a picture is missing: %s", work->job->frame,
                why->message);
}

/* ---- the order ------------------------------------------------------------------------------- */

bool aqm_matches_densely(const AqmConfig *config) {
    return config->matcher_type == AQM_MATCHER_DENSE || config->matcher_type == AQM_MATCHER_ROMA;
}

bool aqm_matches_by_models(const AqmConfig *config) {
    return config->matcher_type == AQM_MATCHER_LIGHTGLUE ||
           config->matcher_type == AQM_MATCHER_ROMA;
}

bool aqm_stage_is_wanted(const AqmConfig *config, AqmStage stage) {
    const bool is_sparse = config->pipeline_mode == AQM_MODE_SPARSE;
    const bool is_dense = aqm_matches_densely(config);
    switch (stage) {
    case AQM_STAGE_NORMALIZE:
        return config->preprocessing.color_norm_enabled;
    case AQM_STAGE_FEATURES:
        return !is_dense;
    case AQM_STAGE_MATCHING:
    case AQM_STAGE_TRIANGULATION: /* a dense warp is its own match: only a sparse cloud needs them
                                   */
        return !is_dense || is_sparse;
    case AQM_STAGE_RANGES:
    case AQM_STAGE_STEREO:
    case AQM_STAGE_FUSION:
        return !is_sparse;
    case AQM_STAGE_DEPTH_PICTURES:
        return !is_sparse && aqm_picture_wanted(config, AQM_PICTURE_DEPTH);
    case AQM_STAGE_OUTLIERS:
        return !is_sparse && config->reconstruction.fusion.outlier_removal_enabled;
    case AQM_STAGE_PICTURES:
        return config->runtime.viz_enabled;
    default:
        return true;
    }
}

/* From here on the files of an earlier making are replaced one by one: it is no finished frame any
 * more, whatever happens next. */
static void begin_anew(const AqmFrameJob *job) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/frame.json", job->folder);
    if (unlink(path) == 0)
        aqm_sync_folder(job->folder);
    aqm_frame_remove_pictures(job);
}

AqmStatus aqm_frame_make(const AqmFrameJob *job, AqmFrameReport *report, AqmDiag *diag) {
    const bool is_dense = aqm_matches_densely(job->config);
    AqmStatus (*const stages[AQM_STAGE_COUNT])(AqmFrameWork *, AqmDiag *) = {
        [AQM_STAGE_READ] = aqm_frame_read_images,
        [AQM_STAGE_NORMALIZE] = aqm_frame_normalize,
        [AQM_STAGE_UNDISTORT] = aqm_frame_undistort,
        [AQM_STAGE_FEATURES] = aqm_frame_find_features,
        [AQM_STAGE_MATCHING] = is_dense ? aqm_frame_match_densely : aqm_frame_match,
        [AQM_STAGE_TRIANGULATION] = aqm_frame_triangulate,
        [AQM_STAGE_RANGES] = aqm_frame_find_ranges,
        [AQM_STAGE_STEREO] = is_dense ? aqm_frame_estimate_densely : aqm_frame_estimate_depths,
        [AQM_STAGE_DEPTH_PICTURES] = aqm_frame_draw_depths,
        [AQM_STAGE_FUSION] = aqm_frame_fuse,
        [AQM_STAGE_OUTLIERS] = aqm_frame_remove_outliers,
        [AQM_STAGE_SURFACE] = aqm_frame_make_surface,
        [AQM_STAGE_PICTURES] = aqm_frame_draw_results,
        [AQM_STAGE_WRITE] = aqm_frame_write_results,
    };
    AqmFrameWork work;
    AQM_TRY(work_create(&work, job, report, diag));
    AqmStatus status = AQM_OK;
    for (int stage = 0; stage < AQM_STAGE_COUNT && status == AQM_OK; stage++) {
        if (!aqm_stage_is_wanted(job->config, (AqmStage)stage))
            continue;
        status = aqm_frame_enter(&work, (AqmStage)stage, 0, 1, diag);
        const AqmScope recorded =
            aqm_scope_begin(AQM_SCOPE_STAGE, aqm_stage_name((AqmStage)stage), NULL);
        const AqmTraceScope scope = aqm_trace_begin();
        if (status == AQM_OK)
            status = stages[stage](&work, diag);
        aqm_trace_end(&scope, &report->spans[stage]);
        aqm_scope_end(&recorded);
        if (stage == AQM_STAGE_READ && status == AQM_OK)
            begin_anew(job);
    }
    const AqmScope release = aqm_scope_begin(AQM_SCOPE_STAGE, "release", NULL);
    work_free(&work);
    aqm_scope_end(&release);
    return status;
}
