/* The stages of one frame, in order. Memory is given back as soon as nothing needs it: the raw
 * images after undistortion, the matching images after stereo, the depth maps after fusion. Depth
 * maps and the cloud are written while what comes next is computed. */
#include "pipeline/frame.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "io/atomic_file.h"
#include "pipeline/background.h"
#include "pipeline/frame_pictures.h"

const char *aqm_stage_name(AqmStage stage) {
    static const char *const names[AQM_STAGE_COUNT] = {
        "read",   "normalize", "undistort", "ranges",   "stereo", "depth_pictures",
        "fusion", "outliers",  "surface",   "pictures", "write"};
    return names[stage];
}

/* Everything a frame holds while it is made; arrays run over the cameras of the run. */
typedef struct Frame {
    const AqmFrameJob *job;
    AqmFrameReport *report;
    AqmLog log; /* keeps what it passes on for the report */
    size_t count;
    AqmImage **images; /* raw, then undistorted */
    double white_16;   /* of its 16-bit images */
    double *full_scale;
    AqmStereoImage **stereo_images;
    AqmStereoView *views; /* of the usable cameras, in camera order */
    size_t *camera_of;    /* view to camera */
    size_t view_count;
    AqmDepthRange *ranges; /* per view */
    AqmDepthMap **maps;    /* per view; NULL for auxiliary ones */
    bool *has_map;         /* per camera: it has a depth map */
    AqmCloud *cloud;
    AqmMesh *mesh;
    AqmBackground *writer; /* borrows maps and cloud */
} Frame;

/* ---- housekeeping ---------------------------------------------------------------------------- */

static void keep_warning(void *user, AqmLogLevel level, const char *message) {
    Frame *frame = user;
    aqm_log(frame->job->log, level, "%s", message);
    if (level != AQM_LOG_WARNING)
        return;
    const size_t used = strlen(frame->report->warnings);
    snprintf(frame->report->warnings + used, sizeof frame->report->warnings - used, "%s\n",
             message);
}

static void frame_free(Frame *frame) {
    aqm_background_stop(&frame->writer); /* first: it reads what is freed below */
    for (size_t c = 0; c < frame->count; c++) {
        if (frame->images)
            aqm_image_destroy(&frame->images[c]);
        if (frame->stereo_images)
            aqm_stereo_image_destroy(&frame->stereo_images[c]);
        if (frame->maps)
            aqm_depth_map_destroy(&frame->maps[c]);
    }
    aqm_free(frame->images);
    aqm_free(frame->full_scale);
    aqm_free(frame->stereo_images);
    aqm_free(frame->views);
    aqm_free(frame->camera_of);
    aqm_free(frame->ranges);
    aqm_free(frame->maps);
    aqm_free(frame->has_map);
    aqm_cloud_destroy(&frame->cloud);
    aqm_mesh_destroy(&frame->mesh);
}

static AqmStatus frame_create(Frame *frame, const AqmFrameJob *job, AqmFrameReport *report,
                              AqmDiag *diag) {
    const size_t count = job->inputs->camera_count;
    *frame = (Frame){
        .job = job,
        .report = report,
        .count = count,
        .images = aqm_calloc(count, sizeof *frame->images),
        .full_scale = aqm_calloc(count, sizeof *frame->full_scale),
        .stereo_images = aqm_calloc(count, sizeof *frame->stereo_images),
        .views = aqm_calloc(count, sizeof *frame->views),
        .camera_of = aqm_calloc(count, sizeof *frame->camera_of),
        .ranges = aqm_calloc(count, sizeof *frame->ranges),
        .maps = aqm_calloc(count, sizeof *frame->maps),
        .has_map = aqm_calloc(count, sizeof *frame->has_map),
    };
    frame->log = (AqmLog){keep_warning, frame};
    if (frame->images && frame->full_scale && frame->stereo_images && frame->views &&
        frame->camera_of && frame->ranges && frame->maps && frame->has_map) {
        const AqmStatus status = aqm_background_start(&frame->writer, diag);
        if (status != AQM_OK)
            frame_free(frame);
        return status;
    }
    frame_free(frame);
    return aqm_fail_memory(diag, "a frame", count, 64);
}

static AqmStatus enter(const Frame *frame, AqmStage stage, size_t done, size_t total,
                       AqmDiag *diag) {
    const AqmFrameJob *job = frame->job;
    if (job->enter && job->enter(job->user, stage, done, total))
        return aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted at stage %s",
                        aqm_stage_name(stage));
    return AQM_OK;
}

static void path_of(const Frame *frame, char path[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void path_of(const Frame *frame, char path[PATH_MAX], const char *format, ...) {
    const int used = snprintf(path, PATH_MAX, "%s/", frame->job->folder);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && used < PATH_MAX)
        vsnprintf(path + used, PATH_MAX - (size_t)used, format, arguments);
    va_end(arguments);
}

static AqmStatus make_folder(const Frame *frame, const char *name, AqmDiag *diag) {
    char path[PATH_MAX];
    path_of(frame, path, "%s", name);
    return aqm_make_folders(path, diag);
}

/* NULL where rig and world are the same frame. */
static const double *world_rotation(const Frame *frame) {
    static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const double *rotation = frame->job->inputs->rig->world_from_rig;
    return memcmp(rotation, identity, sizeof identity) == 0 ? NULL : rotation;
}

static const char *name_of(const Frame *frame, size_t view) {
    return frame->job->inputs->cameras[frame->camera_of[view]].camera->name;
}

/* ---- images ---------------------------------------------------------------------------------- */

static AqmStatus read_images(Frame *frame, AqmDiag *diag) {
    const AqmFrameJob *job = frame->job;
    AQM_TRY(aqm_frame_read(job->inputs, job->frame, job->config->runtime.threads, frame->images,
                           &frame->log, diag));
    const double own = aqm_frame_full_scale(frame->images, frame->count);
    frame->white_16 = fmax(own, job->inputs->white_16);
    if (own > job->inputs->white_16 && job->inputs->white_16 > 255.0)
        aqm_log(&frame->log, AQM_LOG_WARNING,
                "frame %d: its 16-bit images go beyond %.0f, the white that the first frame shows; "
                "they are taken to be of the depth up to %.0f, darker than the others",
                job->frame, job->inputs->white_16, own);
    return AQM_OK;
}

static AqmStatus normalize(Frame *frame, AqmDiag *diag) {
    AqmImage *present[AQM_CAMERAS_MAX];
    size_t count = 0;
    for (size_t c = 0; c < frame->count; c++)
        if (frame->images[c])
            present[count++] = frame->images[c];
    AqmDiag why = {0};
    const double white = present[0]->type == AQM_U16 ? frame->white_16 : 255.0;
    const AqmStatus status = aqm_color_normalize(
        present, count, frame->job->config->preprocessing.color_norm_method, white, &why);
    if (status ==
        AQM_ERROR_ARGUMENT) { /* gray and colour cameras, or 8 and 16 bits, side by side */
        aqm_log(&frame->log, AQM_LOG_WARNING, "frame %d: colours are not normalised: %s",
                frame->job->frame, why.message);
        return AQM_OK;
    }
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", why.message);
}

/* Undistorts one camera's image and prepares it for matching. */
static AqmStatus undistort(Frame *frame, size_t c, AqmDiag *diag) {
    const AqmInput *input = &frame->job->inputs->cameras[c];
    const AqmImageView raw = aqm_image_view(frame->images[c]);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &raw, 1, &straight, diag));
    aqm_image_destroy(&frame->images[c]);
    frame->images[c] = straight;
    frame->full_scale[c] = straight->type == AQM_U16 ? frame->white_16 : 255.0;
    const AqmImageView image = aqm_image_view(straight), mask = aqm_image_view(input->mask);
    return aqm_stereo_image_create(&frame->stereo_images[c], &image, &mask, frame->full_scale[c],
                                   diag);
}

/* The cameras side by side, each by one thread. */
static AqmStatus undistort_images(Frame *frame, AqmDiag *diag) {
    AqmStatus statuses[AQM_CAMERAS_MAX] = {AQM_OK};
    AqmDiag diags[AQM_CAMERAS_MAX] = {0};
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(aqm_thread_count(frame->job->config->runtime.threads))
    for (size_t c = 0; c < frame->count; c++)
        if (frame->images[c])
            statuses[c] = undistort(frame, c, &diags[c]);
    for (size_t c = 0; c < frame->count; c++) {
        if (!frame->images[c])
            continue;
        if (statuses[c] != AQM_OK)
            return aqm_fail(diag, statuses[c], "%s", diags[c].message);
        const AqmInput *input = &frame->job->inputs->cameras[c];
        frame->camera_of[frame->view_count] = c;
        frame->views[frame->view_count++] =
            (AqmStereoView){&input->view, frame->stereo_images[c], input->camera->is_auxiliary};
    }
    frame->report->cameras_used = frame->view_count;
    return AQM_OK;
}

/* ---- depth ----------------------------------------------------------------------------------- */

static AqmStatus find_ranges(Frame *frame, AqmDiag *diag) {
    const AqmConfig *config = frame->job->config;
    if (config->reconstruction.has_depth_range)
        for (size_t v = 0; v < frame->view_count; v++)
            frame->ranges[v] = config->reconstruction.depth_range;
    else
        AQM_TRY(aqm_stereo_find_ranges(
            frame->views, frame->view_count, config->sparse_matching.num_neighbors,
            config->sparse_matching.include_center, config->reconstruction.depth_margin,
            config->runtime.threads, frame->ranges, diag));
    for (size_t v = 0; v < frame->view_count; v++) {
        if (frame->views[v].is_auxiliary)
            continue;
        frame->report->ranges[frame->camera_of[v]] = frame->ranges[v];
        frame->report->references++;
        aqm_log(&frame->log, AQM_LOG_INFO, "frame %d: camera %s: depth range %.4f..%.4f m",
                frame->job->frame, name_of(frame, v), frame->ranges[v].min_m,
                frame->ranges[v].max_m);
    }
    return AQM_OK;
}

static AqmStatus write_map(const char *path, const void *map, const void *detail, AqmDiag *diag) {
    (void)detail;
    return aqm_depth_map_write(path, map, diag);
}

static AqmStatus estimate_view(Frame *frame, size_t v, AqmDiag *diag) {
    const AqmConfig *config = frame->job->config;
    size_t sources[AQM_CAMERAS_MAX], count = 0, spare_count = 0;
    aqm_stereo_select_sources(
        frame->views, frame->view_count, v, config->sparse_matching.num_neighbors,
        config->sparse_matching.include_center, &frame->ranges[v], sources, &count, &spare_count);
    if (count == 0) {
        aqm_log(&frame->log, AQM_LOG_WARNING,
                "frame %d: camera %s sees nothing that another camera sees; it has no depth map",
                frame->job->frame, name_of(frame, v));
        return AQM_OK;
    }
    AQM_TRY(aqm_stereo_estimate(frame->views, frame->view_count, v, sources, count, spare_count,
                                &frame->ranges[v], &config->reconstruction.stereo, &frame->maps[v],
                                diag));
    frame->has_map[frame->camera_of[v]] = true;
    if (!config->runtime.keep_intermediates)
        return AQM_OK;
    char path[PATH_MAX];
    path_of(frame, path, "depth_maps/%s.npz", name_of(frame, v));
    return aqm_background_add(frame->writer, write_map, path, frame->maps[v], NULL, diag);
}

static AqmStatus estimate_depths(Frame *frame, AqmDiag *diag) {
    if (frame->job->config->runtime.keep_intermediates)
        AQM_TRY(make_folder(frame, "depth_maps", diag));
    size_t done = 0;
    for (size_t v = 0; v < frame->view_count; v++) {
        if (frame->views[v].is_auxiliary)
            continue;
        AQM_TRY(enter(frame, AQM_STAGE_STEREO, done++, frame->report->references, diag));
        AQM_TRY(estimate_view(frame, v, diag));
    }
    for (size_t c = 0; c < frame->count; c++)
        aqm_stereo_image_destroy(&frame->stereo_images[c]);
    return AQM_OK;
}

/* A picture that cannot be drawn or written is no reason to lose the frame. */
static void tell_picture(Frame *frame, AqmStatus status, const AqmDiag *why) {
    if (status != AQM_OK)
        aqm_log(&frame->log, AQM_LOG_WARNING, "frame %d: a picture is missing: %s",
                frame->job->frame, why->message);
}

static AqmStatus draw_depths(Frame *frame, AqmDiag *diag) {
    (void)diag;
    for (size_t v = 0; v < frame->view_count; v++) {
        AqmDiag why = {0};
        if (frame->maps[v])
            tell_picture(frame,
                         aqm_frame_draw_depth(frame->job, name_of(frame, v), frame->maps[v], &why),
                         &why);
    }
    return AQM_OK;
}

/* ---- cloud and surface ----------------------------------------------------------------------- */

static AqmStatus write_consistency(Frame *frame, const AqmFusionView *fusion, size_t count,
                                   const size_t *view_of, AqmDiag *diag) {
    AQM_TRY(make_folder(frame, "consistency_maps", diag));
    for (size_t k = 0; k < count; k++) {
        const size_t width = (size_t)fusion[k].view->width, height = (size_t)fusion[k].view->height;
        uint8_t *counts = aqm_calloc(width * height, 1);
        if (!counts)
            return aqm_fail_memory(diag, "a consistency map", width * height, 1);
        AqmStatus status = aqm_fusion_consistency(
            fusion, count, k, &frame->job->config->reconstruction.fusion, counts, diag);
        char path[PATH_MAX];
        path_of(frame, path, "consistency_maps/%s.npz", name_of(frame, view_of[k]));
        const AqmNpyArray array = {"consistency", AQM_NPY_U8, 2, {height, width}, counts};
        if (status == AQM_OK)
            status = aqm_npz_write(path, &array, 1, diag);
        aqm_free(counts);
        AQM_TRY(status);
    }
    return AQM_OK;
}

static AqmStatus tell_doubt(Frame *frame, const AqmFusionView *fusion, size_t count,
                            AqmDiag *diag) {
    char doubt[AQM_DIAG_MAX / 2];
    AQM_TRY(aqm_frame_doubt(frame->job->config, fusion, count, doubt, sizeof doubt, diag));
    if (doubt[0])
        aqm_log(&frame->log, AQM_LOG_WARNING, "frame %d: %s", frame->job->frame, doubt);
    return AQM_OK;
}

static AqmStatus fuse(Frame *frame, AqmDiag *diag) {
    AqmFusionView fusion[AQM_CAMERAS_MAX];
    AqmImageView colors[AQM_CAMERAS_MAX];
    size_t view_of[AQM_CAMERAS_MAX], count = 0;
    for (size_t v = 0; v < frame->view_count; v++) {
        const size_t c = frame->camera_of[v];
        if (!frame->maps[v])
            continue;
        colors[count] = aqm_image_view(frame->images[c]);
        fusion[count] = (AqmFusionView){frame->views[v].view, frame->maps[v], &colors[count],
                                        frame->full_scale[c]};
        view_of[count++] = v;
    }
    AQM_TRY(tell_doubt(frame, fusion, count, diag));
    if (frame->job->config->runtime.save_consistency_maps)
        AQM_TRY(write_consistency(frame, fusion, count, view_of, diag));
    AQM_TRY(
        aqm_fuse(fusion, count, &frame->job->config->reconstruction.fusion, &frame->cloud, diag));
    AQM_TRY(aqm_background_wait(frame->writer, diag)); /* for the maps */
    for (size_t v = 0; v < frame->count; v++) {
        aqm_depth_map_destroy(&frame->maps[v]);
        aqm_image_destroy(&frame->images[v]);
    }
    if (frame->cloud->count == 0)
        return aqm_fail(
            diag, AQM_ERROR_NO_DATA,
            "no point is agreed on by %d views: too few cameras overlap, the depth range is "
            "wrong, or depth_tolerance (%g m) is too small",
            frame->job->config->reconstruction.fusion.min_consistent_views,
            frame->job->config->reconstruction.fusion.depth_tolerance_m);
    return AQM_OK;
}

static AqmStatus remove_outliers(Frame *frame, AqmDiag *diag) {
    return aqm_cloud_remove_outliers(frame->cloud, &frame->job->config->reconstruction.fusion,
                                     &frame->report->points_removed, diag);
}

static AqmStatus write_cloud(const char *path, const void *cloud, const void *rotation,
                             AqmDiag *diag) {
    return aqm_ply_write_cloud(path, cloud, rotation, diag);
}

/* The cloud stays as it is from here on. */
static AqmStatus begin_to_write_cloud(Frame *frame, AqmDiag *diag) {
    char path[PATH_MAX];
    AQM_TRY(make_folder(frame, "point_cloud", diag));
    path_of(frame, path, "point_cloud/fused.ply");
    frame->report->points = frame->cloud->count;
    return aqm_background_add(frame->writer, write_cloud, path, frame->cloud, world_rotation(frame),
                              diag);
}

static AqmStatus make_surface(Frame *frame, AqmDiag *diag) {
    AqmDiag why = {0};
    AQM_TRY(begin_to_write_cloud(frame, diag));
    const AqmStatus status = aqm_surface_heightfield(
        frame->cloud, &frame->job->config->reconstruction.heightfield, &frame->mesh, &why);
    if (status == AQM_ERROR_NO_DATA) {
        aqm_log(&frame->log, AQM_LOG_WARNING, "frame %d: no surface: %s", frame->job->frame,
                why.message);
        return AQM_OK;
    }
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", why.message);
}

static AqmStatus draw_results(Frame *frame, AqmDiag *diag) {
    AqmPictureCamera *cameras = aqm_alloc(frame->view_count, sizeof *cameras);
    if (!cameras)
        return aqm_fail_memory(diag, "the cameras of a picture", frame->view_count,
                               sizeof *cameras);
    for (size_t v = 0; v < frame->view_count; v++)
        cameras[v] = (AqmPictureCamera){frame->views[v].view, name_of(frame, v),
                                        frame->views[v].is_auxiliary};
    AqmDiag why = {0};
    tell_picture(frame, aqm_frame_draw_scene(frame->job, frame->mesh, &why), &why);
    why = (AqmDiag){0};
    tell_picture(
        frame, aqm_frame_draw_rig(frame->job, cameras, frame->view_count, frame->mesh, &why), &why);
    aqm_free(cameras);
    return AQM_OK;
}

/* Is `file` the map of a camera that has one? */
static bool is_map_of_frame(const Frame *frame, const char *file) {
    for (size_t c = 0; c < frame->count; c++) {
        const char *name = frame->job->inputs->cameras[c].camera->name;
        const size_t length = strlen(name);
        if (frame->has_map[c] && strncmp(file, name, length) == 0 &&
            strcmp(file + length, ".npz") == 0)
            return true;
    }
    return false;
}

/* Removes the maps in a folder that this making of the frame did not write: those of cameras that
 * have none now, or are no longer in the configuration. */
static void remove_stale_maps(const Frame *frame, const char *folder, bool is_wanted) {
    char path[PATH_MAX];
    path_of(frame, path, "%s", folder);
    DIR *listing = opendir(path);
    if (!listing)
        return;
    for (const struct dirent *entry; (entry = readdir(listing));) {
        const char *ending = strrchr(entry->d_name, '.');
        path_of(frame, path, "%s/%s", folder, entry->d_name);
        if (ending && strcmp(ending, ".npz") == 0 &&
            !(is_wanted && is_map_of_frame(frame, entry->d_name)))
            (void)unlink(path);
    }
    closedir(listing);
    path_of(frame, path, "%s", folder);
    (void)rmdir(path); /* stays unless it is empty */
}

/* Files of an earlier making of this frame that this one has nothing to put in the place of. */
static void remove_stale(const Frame *frame) {
    char path[PATH_MAX];
    remove_stale_maps(frame, "depth_maps", frame->job->config->runtime.keep_intermediates);
    remove_stale_maps(frame, "consistency_maps", frame->job->config->runtime.save_consistency_maps);
    path_of(frame, path, "mesh/surface.ply");
    if (frame->mesh)
        return;
    (void)unlink(path);
    path_of(frame, path, "mesh");
    (void)rmdir(path);
}

static AqmStatus write_results(Frame *frame, AqmDiag *diag) {
    char path[PATH_MAX];
    remove_stale(frame);
    if (!frame->mesh)
        return aqm_background_wait(frame->writer, diag); /* for the cloud */
    AQM_TRY(make_folder(frame, "mesh", diag));
    path_of(frame, path, "mesh/surface.ply");
    AQM_TRY(aqm_ply_write_mesh(path, frame->mesh, world_rotation(frame), diag));
    frame->report->vertices = frame->mesh->vertex_count;
    frame->report->triangles = frame->mesh->triangle_count;
    return aqm_background_wait(frame->writer, diag);
}

/* ---- the order ------------------------------------------------------------------------------- */

bool aqm_stage_is_wanted(const AqmConfig *config, AqmStage stage) {
    if (stage == AQM_STAGE_NORMALIZE)
        return config->preprocessing.color_norm_enabled;
    if (stage == AQM_STAGE_DEPTH_PICTURES)
        return aqm_picture_wanted(config, AQM_PICTURE_DEPTH);
    if (stage == AQM_STAGE_PICTURES)
        return config->runtime.viz_enabled;
    return stage != AQM_STAGE_OUTLIERS || config->reconstruction.fusion.outlier_removal_enabled;
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
    static AqmStatus (*const stages[AQM_STAGE_COUNT])(Frame *, AqmDiag *) = {
        [AQM_STAGE_READ] = read_images,
        [AQM_STAGE_NORMALIZE] = normalize,
        [AQM_STAGE_UNDISTORT] = undistort_images,
        [AQM_STAGE_RANGES] = find_ranges,
        [AQM_STAGE_STEREO] = estimate_depths,
        [AQM_STAGE_DEPTH_PICTURES] = draw_depths,
        [AQM_STAGE_FUSION] = fuse,
        [AQM_STAGE_OUTLIERS] = remove_outliers,
        [AQM_STAGE_SURFACE] = make_surface,
        [AQM_STAGE_PICTURES] = draw_results,
        [AQM_STAGE_WRITE] = write_results,
    };
    Frame frame;
    AQM_TRY(frame_create(&frame, job, report, diag));
    AqmStatus status = AQM_OK;
    for (int stage = 0; stage < AQM_STAGE_COUNT && status == AQM_OK; stage++) {
        if (!aqm_stage_is_wanted(job->config, (AqmStage)stage))
            continue;
        status = enter(&frame, (AqmStage)stage, 0, 1, diag);
        const AqmTraceScope scope = aqm_trace_begin();
        if (status == AQM_OK)
            status = stages[stage](&frame, diag);
        aqm_trace_end(&scope, &report->spans[stage]);
        if (stage == AQM_STAGE_READ && status == AQM_OK)
            begin_anew(job);
    }
    frame_free(&frame);
    return status;
}
