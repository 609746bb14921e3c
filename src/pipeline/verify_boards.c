/* The way of a verification: find the board in all frames, reconstruct them, measure.
 *
 * The images are read once for the corners, before anything is reconstructed, so that a wrong board
 * is told within seconds, and again for the pictures, which want the triangulated corners. The
 * reconstruction is an ordinary run into the same folder: what it wrote is read back, so that the
 * files are what is measured. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/evaluate.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/vec.h"
#include "pipeline/frame.h"
#include "pipeline/verify_work.h"

AqmVerifyOptions aqm_verify_options_default(void) {
    return (AqmVerifyOptions){.pictures = true, .measure = aqm_board_measure_options_default()};
}

void aqm_verification_destroy(AqmVerification **verification) {
    if (!verification || !*verification)
        return;
    for (size_t i = 0; (*verification)->poses && i < (*verification)->count; i++)
        aqm_free((*verification)->poses[i].points);
    aqm_free((*verification)->poses);
    aqm_free(*verification);
    *verification = NULL;
}

/* A frame that is not measured: why, for the files and the log. */
static void give_up(const AqmVerifyWork *work, AqmVerifyPose *pose, const char *why) {
    snprintf(pose->reason, sizeof pose->reason, "%s", why);
    aqm_log(&work->options->log, AQM_LOG_WARNING, "frame %d is not measured: %s", pose->frame, why);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static AqmStatus choose_frames(AqmVerifyWork *work, AqmDiag *diag) {
    const AqmVerifyOptions *o = work->options;
    const int start = o->has_frames ? o->frame_start : work->config->preprocessing.frame_start;
    const int stop = o->has_frames ? o->frame_stop : work->config->preprocessing.frame_stop;
    const int step = o->has_frames ? o->frame_step : work->config->preprocessing.frame_step;
    const int exist = (int)work->inputs->frame_count;
    const int end = stop < 0 || stop > exist ? exist : stop;
    if (start < 0 || step < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "frames from %d in steps of %d: must be 0 or more and 1 or more", start,
                        step);
    if (start >= end)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "no frame to verify: the input has %d frames, asked for are those from %d",
                        exist, start);
    const size_t count = (size_t)((end - start + step - 1) / step);
    work->out->poses = aqm_calloc(count, sizeof *work->out->poses);
    work->frames = aqm_calloc(count, sizeof *work->frames);
    if (!work->out->poses || !work->frames)
        return aqm_fail_memory(diag, "the frames of a verification", count,
                               sizeof *work->out->poses);
    work->out->count = count;
    for (size_t k = 0; k < count; k++) {
        AqmVerifyFrame *frame = &work->frames[k];
        frame->pose = &work->out->poses[k];
        frame->pose->frame = start + (int)k * step;
        frame->sightings = aqm_calloc(work->inputs->camera_count, sizeof *frame->sightings);
        if (!frame->sightings)
            return aqm_fail_memory(diag, "the cameras of a frame", work->inputs->camera_count,
                                   sizeof *frame->sightings);
    }
    return AQM_OK;
}

static AqmStatus check_cancel(const AqmVerifyWork *work, int frame, AqmDiag *diag) {
    return work->options->cancel && *work->options->cancel
               ? aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted at frame %d", frame)
               : AQM_OK;
}

/* ---- images ---------------------------------------------------------------------------------- */

/* What is done with the undistorted image of a camera. */
typedef AqmStatus UseImage(const AqmVerifyWork *work, AqmVerifyFrame *frame, size_t camera,
                           const AqmImageView *image, double full_scale, AqmDiag *diag);

static AqmStatus use_camera(const AqmVerifyWork *work, AqmVerifyFrame *frame, size_t camera,
                            const AqmImage *raw, double white_16, UseImage *use, AqmDiag *diag) {
    const AqmInput *input = &work->inputs->cameras[camera];
    const AqmImageView view = aqm_image_view(raw);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &view, 1, &straight, diag));
    const AqmImageView image = aqm_image_view(straight);
    const AqmStatus status =
        use(work, frame, camera, &image, straight->type == AQM_U16 ? white_16 : 255.0, diag);
    aqm_image_destroy(&straight);
    return status;
}

/* Reads a frame and hands its undistorted images on, cameras side by side. NO_DATA and FORMAT where
 * the frame cannot be read. */
static AqmStatus use_images(const AqmVerifyWork *work, AqmVerifyFrame *frame, UseImage *use,
                            const AqmLog *log, AqmDiag *diag) {
    const int count = (int)work->inputs->camera_count;
    const int threads = work->config->runtime.threads;
    AqmImage *images[AQM_CAMERAS_MAX] = {0};
    AqmStatus statuses[AQM_CAMERAS_MAX] = {AQM_OK};
    AqmDiag *diags = aqm_calloc((size_t)count, sizeof *diags);
    if (!diags)
        return aqm_fail_memory(diag, "the images of a frame", (size_t)count, sizeof *diags);
    AqmStatus status = aqm_frame_read(work->inputs, frame->pose->frame, threads, images, log, diag);
    if (status == AQM_OK) {
        const double own = aqm_frame_full_scale(images, (size_t)count);
        const double white_16 = fmax(own, work->inputs->white_16);
#pragma omp parallel for schedule(dynamic, 1) num_threads(aqm_thread_count(threads))
        for (int c = 0; c < count; c++)
            if (images[c])
                statuses[c] =
                    use_camera(work, frame, (size_t)c, images[c], white_16, use, &diags[c]);
    }
    for (int c = 0; c < count; c++) {
        aqm_image_destroy(&images[c]);
        if (status == AQM_OK && statuses[c] != AQM_OK)
            status = aqm_fail(diag, statuses[c], "camera %s: %s",
                              work->inputs->cameras[c].camera->name, diags[c].message);
    }
    aqm_free(diags);
    return status;
}

/* ---- corners --------------------------------------------------------------------------------- */

static AqmStatus find_corners(const AqmVerifyWork *work, AqmVerifyFrame *frame, size_t camera,
                              const AqmImageView *image, double full_scale, AqmDiag *diag) {
    (void)full_scale;
    const AqmImageView mask = aqm_image_view(work->inputs->cameras[camera].mask);
    return aqm_board_detect(&frame->sightings[camera], image, &mask, &work->out->board, diag);
}

/* What was found of the board, for the log or as the reason why it cannot be measured. */
static void describe(const AqmVerifyWork *work, const AqmVerifyFrame *frame, char *text,
                     size_t size, bool *is_seen) {
    size_t cameras = 0, corners = 0, markers = 0, quads = 0;
    for (size_t c = 0; c < work->inputs->camera_count; c++) {
        const AqmBoardSighting *seen = frame->sightings[c];
        if (!seen)
            continue;
        cameras += seen->count > 0;
        corners += seen->count, markers += seen->marker_count, quads += seen->quad_count;
    }
    const AqmBoard *board = &work->out->board;
    *is_seen = cameras >= 2;
    if (markers > 0)
        snprintf(text, size, "%zu cameras see %zu corners of the board by %zu markers", cameras,
                 corners, markers);
    else
        snprintf(text, size,
                 "no camera sees the board: of %zu dark quadrangles none is a marker of %s that a "
                 "board of %d x %d squares has; are --board and --dictionary right, and are the "
                 "squares counted the right way round?",
                 quads, aqm_dictionary_name(board->dictionary), board->squares_x, board->squares_y);
}

static AqmStatus find_boards(AqmVerifyWork *work, AqmDiag *diag) {
    size_t seen = 0;
    char text[AQM_REASON_MAX] = "";
    for (size_t k = 0; k < work->out->count; k++) {
        AqmVerifyFrame *frame = &work->frames[k];
        AqmDiag why = {0};
        bool is_seen = false;
        AQM_TRY(check_cancel(work, frame->pose->frame, diag));
        const AqmStatus status = use_images(work, frame, find_corners, &work->options->log, &why);
        if (status == AQM_ERROR_MEMORY)
            return aqm_fail(diag, status, "%s", why.message);
        if (status == AQM_OK)
            describe(work, frame, text, sizeof text, &is_seen);
        else
            snprintf(text, sizeof text, "%s", why.message);
        if (is_seen)
            aqm_log(&work->options->log, AQM_LOG_INFO, "frame %d: %s", frame->pose->frame, text);
        else
            give_up(work, frame->pose, text);
        seen += is_seen;
    }
    if (seen == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "the board is in none of %zu frame%s; frame %d: %s", work->out->count,
                        work->out->count == 1 ? "" : "s",
                        work->out->poses[work->out->count - 1].frame, text);
    return AQM_OK;
}

/* ---- surfaces -------------------------------------------------------------------------------- */

/* As `aquamvs run`, into the folder of the verification, with depth maps. */
static AqmStatus reconstruct(const AqmVerifyWork *work, AqmDiag *diag) {
    const AqmVerifyOptions *o = work->options;
    AqmConfig config = *work->config; /* borrows what it points to */
    char *folder = aqm_strdup(work->folder);
    if (!folder)
        return aqm_fail_memory(diag, "a path", 1, strlen(work->folder));
    config.output_dir = folder;
    config.runtime.keep_intermediates = true;
    const AqmRunOptions options = {.has_frames = o->has_frames,
                                   .frame_start = o->frame_start,
                                   .frame_stop = o->frame_stop,
                                   .frame_step = o->frame_step,
                                   .force = o->force,
                                   .log = o->log,
                                   .progress = o->progress,
                                   .progress_user = o->progress_user,
                                   .cancel = o->cancel};
    AqmRunResult result;
    const AqmStatus status = aqm_run(&config, &options, &result, diag);
    aqm_free(folder);
    return status;
}

/* What the run left of a frame: its cloud in the rig frame and, per camera, its depth maps. */
typedef struct Surface {
    AqmCloud *cloud;
    AqmDepthMap *maps[AQM_CAMERAS_MAX];
} Surface;

static void free_surface(Surface *surface) {
    aqm_cloud_destroy(&surface->cloud);
    for (size_t c = 0; c < AQM_CAMERAS_MAX; c++)
        aqm_depth_map_destroy(&surface->maps[c]);
}

static AqmStatus read_cloud(const AqmVerifyWork *work, int frame, AqmCloud **cloud, AqmDiag *diag) {
    char path[PATH_MAX];
    AqmMesh *mesh = NULL;
    double rig_from_world[9];
    const double zero[3] = {0.0, 0.0, 0.0};
    snprintf(path, sizeof path, "%s/frame_%06d/point_cloud/fused.ply", work->folder, frame);
    AQM_TRY(aqm_ply_read(path, cloud, &mesh, diag));
    aqm_mesh_destroy(&mesh);
    if (!*cloud)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s holds a mesh, not a cloud", path);
    aqm_transpose33(work->inputs->rig->world_from_rig, rig_from_world);
    aqm_cloud_move(*cloud, rig_from_world, zero);
    return AQM_OK;
}

/* Cameras without a depth map stay without. */
static AqmStatus read_surface(const AqmVerifyWork *work, int frame, Surface *surface,
                              AqmDiag *diag) {
    AQM_TRY(read_cloud(work, frame, &surface->cloud, diag));
    for (size_t c = 0; c < work->inputs->camera_count; c++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/frame_%06d/depth_maps/%s.npz", work->folder, frame,
                 work->inputs->cameras[c].camera->name);
        if (access(path, F_OK) != 0)
            continue;
        AQM_TRY(aqm_depth_map_read(path, &surface->maps[c], diag));
        const AqmView *view = &work->inputs->cameras[c].view;
        const AqmDepthMap *map = surface->maps[c];
        if (map->width != view->width || map->height != view->height)
            return aqm_fail(diag, AQM_ERROR_FORMAT, "%s is %d x %d px, the camera's image %d x %d",
                            path, map->width, map->height, view->width, view->height);
    }
    return AQM_OK;
}

/* ---- measures -------------------------------------------------------------------------------- */

static AqmStatus draw_corners(const AqmVerifyWork *work, AqmVerifyFrame *frame, size_t camera,
                              const AqmImageView *image, double full_scale, AqmDiag *diag) {
    return aqm_verify_draw_corners(work, frame, camera, image, full_scale, diag);
}

static AqmStatus draw(const AqmVerifyWork *work, AqmVerifyFrame *frame,
                      const AqmHeightMap *deviations, AqmDiag *diag) {
    const AqmLog silent = {0}; /* what cannot be read was told before */
    if (!work->options->pictures)
        return AQM_OK;
    AQM_TRY(aqm_verify_draw_board(work, frame->pose, deviations, diag));
    return use_images(work, frame, draw_corners, &silent, diag);
}

static AqmStatus measure(const AqmVerifyWork *work, AqmVerifyFrame *frame, const Surface *surface,
                         AqmHeightMap **deviations, AqmDiag *diag) {
    AqmVerifyPose *pose = frame->pose;
    AqmBoardView views[AQM_CAMERAS_MAX];
    const size_t corners = aqm_board_corner_count(&work->out->board);
    for (size_t c = 0; c < work->inputs->camera_count; c++)
        views[c] =
            (AqmBoardView){&work->inputs->cameras[c].view, frame->sightings[c], surface->maps[c]};
    pose->points = aqm_calloc(corners, sizeof *pose->points);
    if (!pose->points)
        return aqm_fail_memory(diag, "the corners of a board", corners, sizeof *pose->points);
    return aqm_board_measure(views, work->inputs->camera_count, surface->cloud, &work->out->board,
                             &work->options->measure, pose->points, &pose->measures, deviations,
                             diag);
}

/* A frame whose surface is missing is measured without; one that cannot be measured has a reason.
 * Out of memory and a full disk end it all. */
static AqmStatus measure_frame(const AqmVerifyWork *work, AqmVerifyFrame *frame, AqmDiag *diag) {
    AqmVerifyPose *pose = frame->pose;
    Surface surface = {0};
    AqmHeightMap *deviations = NULL;
    AqmDiag why = {0};
    AqmStatus status = AQM_OK;
    if (work->out->has_surfaces && read_surface(work, pose->frame, &surface, &why) != AQM_OK) {
        free_surface(&surface);
        if (why.status == AQM_ERROR_MEMORY)
            return aqm_fail(diag, why.status, "%s", why.message);
        aqm_log(&work->options->log, AQM_LOG_WARNING,
                "frame %d is measured by its corners alone: it has no surface: %s", pose->frame,
                why.message);
        why = (AqmDiag){0};
    }
    status = measure(work, frame, &surface, &deviations, &why);
    if (status == AQM_ERROR_NO_DATA) {
        give_up(work, pose, why.message);
        aqm_free(pose->points);
        pose->points = NULL;
        pose->measures = (AqmBoardMeasures){0};
        why = (AqmDiag){0};
        status = AQM_OK;
    } else if (status == AQM_OK) {
        status = draw(work, frame, deviations, &why);
    }
    aqm_height_map_destroy(&deviations);
    free_surface(&surface);
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", why.message);
}

static AqmStatus summarise(const AqmVerifyWork *work, AqmDiag *diag) {
    AqmVerification *out = work->out;
    AqmBoardMeasures *measures = aqm_alloc(out->count, sizeof *measures);
    size_t count = 0;
    if (!measures)
        return aqm_fail_memory(diag, "the poses of a board", out->count, sizeof *measures);
    for (size_t k = 0; k < out->count; k++)
        if (!out->poses[k].reason[0])
            measures[count++] = out->poses[k].measures;
    aqm_board_summarise(measures, count, &out->summary);
    aqm_free(measures);
    return count > 0 ? AQM_OK
                     : aqm_fail(diag, AQM_ERROR_NO_DATA, "no frame could be measured; frame %d: %s",
                                out->poses[0].frame, out->poses[0].reason);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static AqmStatus verify(AqmVerifyWork *work, AqmDiag *diag) {
    AQM_TRY(aqm_inputs_open(&work->inputs, work->config, &work->options->log, diag));
    AQM_TRY(choose_frames(work, diag));
    AQM_TRY(find_boards(work, diag));
    AQM_TRY(aqm_make_folders(work->folder, diag));
    if (work->out->has_surfaces)
        AQM_TRY(reconstruct(work, diag));
    for (size_t k = 0; k < work->out->count; k++) {
        AQM_TRY(check_cancel(work, work->out->poses[k].frame, diag));
        if (!work->out->poses[k].reason[0])
            AQM_TRY(measure_frame(work, &work->frames[k], diag));
    }
    AQM_TRY(summarise(work, diag));
    return aqm_verify_write(work->out, work->folder, diag);
}

static void free_work(AqmVerifyWork *work) {
    for (size_t k = 0; work->frames && k < work->out->count; k++) {
        for (size_t c = 0; work->frames[k].sightings && c < work->inputs->camera_count; c++)
            aqm_board_sighting_destroy(&work->frames[k].sightings[c]);
        aqm_free(work->frames[k].sightings);
    }
    aqm_free(work->frames);
    aqm_inputs_close(&work->inputs);
}

static AqmStatus check(const AqmConfig *config, const AqmVerifyOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_board_validate(&options->board, diag));
    if (config->pipeline_mode != AQM_MODE_FULL && !options->corners_only)
        return aqm_fail(diag, AQM_ERROR_CONFIG,
                        "pipeline_mode is sparse: a board's surface needs the full one; set it, or "
                        "give --corners-only");
    return AQM_OK;
}

AqmStatus aqm_verify(const AqmConfig *config, const AqmVerifyOptions *options,
                     AqmVerification **out, AqmDiag *diag) {
    char folder[PATH_MAX];
    AQM_TRY(check(config, options, diag));
    AqmVerification *verification = aqm_calloc(1, sizeof *verification);
    if (!verification)
        return aqm_fail_memory(diag, "a verification", 1, sizeof *verification);
    verification->board = options->board;
    verification->has_surfaces = !options->corners_only;
    if (options->output_dir)
        snprintf(folder, sizeof folder, "%s", options->output_dir);
    else
        snprintf(folder, sizeof folder, "%s/verify", config->output_dir ? config->output_dir : ".");
    AqmVerifyWork work = {
        .config = config, .options = options, .folder = folder, .out = verification};
    const AqmStatus status = verify(&work, diag);
    free_work(&work);
    if (status == AQM_OK)
        *out = verification;
    else
        aqm_verification_destroy(&verification);
    return status;
}
