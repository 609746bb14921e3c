/* From depth maps to the cloud of a frame, and from its results to files and pictures. Memory is
 * given back as soon as nothing needs it. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_pictures.h"
#include "pipeline/frame_stale.h"
#include "pipeline/frame_work.h"

AqmStatus aqm_frame_draw_depths(AqmFrameWork *work, AqmDiag *diag) {
    (void)diag;
    for (size_t v = 0; v < work->view_count; v++) {
        AqmDiag why = {0};
        if (work->maps[v])
            aqm_frame_tell_picture(
                work,
                aqm_frame_draw_depth(work->job, aqm_frame_view_name(work, v), work->maps[v], &why),
                &why);
    }
    return AQM_OK;
}

/* ---- the cloud --------------------------------------------------------------------------------
 */

static AqmStatus write_consistency(AqmFrameWork *work, const AqmFusionView *fusion, size_t count,
                                   const size_t *view_of, AqmDiag *diag) {
    AQM_TRY(aqm_frame_folder(work, "consistency_maps", diag));
    for (size_t k = 0; k < count; k++) {
        const size_t width = (size_t)fusion[k].view->width, height = (size_t)fusion[k].view->height;
        uint8_t *counts = aqm_calloc(width * height, 1);
        if (!counts)
            return aqm_fail_memory(diag, "a consistency map", width * height, 1);
        AqmStatus status = aqm_fusion_consistency(
            fusion, count, k, &work->job->config->reconstruction.fusion, counts, diag);
        char path[PATH_MAX];
        aqm_frame_path(work, path, "consistency_maps/%s.npz",
                       aqm_frame_view_name(work, view_of[k]));
        const AqmNpyArray array = {"consistency", AQM_NPY_U8, 2, {height, width}, counts};
        if (status == AQM_OK)
            status = aqm_npz_write(path, &array, 1, diag);
        aqm_free(counts);
        AQM_TRY(status);
    }
    return AQM_OK;
}

static AqmStatus tell_doubt(AqmFrameWork *work, const AqmFusionView *fusion, size_t count,
                            AqmDiag *diag) {
    char doubt[AQM_DIAG_MAX / 2];
    AQM_TRY(aqm_frame_doubt(work->job->config, fusion, count, doubt, sizeof doubt, diag));
    if (doubt[0])
        aqm_log(&work->log, AQM_LOG_WARNING, "frame %d: %s", work->job->frame, doubt);
    return AQM_OK;
}

AqmStatus aqm_frame_fuse(AqmFrameWork *work, AqmDiag *diag) {
    AqmFusionView fusion[AQM_CAMERAS_MAX];
    AqmImageView colors[AQM_CAMERAS_MAX];
    size_t view_of[AQM_CAMERAS_MAX], count = 0;
    for (size_t v = 0; v < work->view_count; v++) {
        const size_t c = work->camera_of[v];
        if (!work->maps[v])
            continue;
        colors[count] = aqm_image_view(work->images[c]);
        fusion[count] = (AqmFusionView){work->views[v].view, work->maps[v], &colors[count],
                                        work->full_scale[c]};
        view_of[count++] = v;
    }
    AQM_TRY_PART("doubt", tell_doubt(work, fusion, count, diag));
    if (work->job->config->runtime.save_consistency_maps)
        AQM_TRY_PART("consistency maps", write_consistency(work, fusion, count, view_of, diag));
    AQM_TRY(aqm_fuse(fusion, count, &work->job->config->reconstruction.fusion, &work->cloud, diag));
    AQM_TRY_PART("wait for files", aqm_background_wait(work->writer, diag)); /* the maps */
    for (size_t v = 0; v < work->count; v++)
        aqm_depth_map_destroy(&work->maps[v]);
    if (work->cloud->count == 0)
        return aqm_fail(
            diag, AQM_ERROR_NO_DATA,
            "no point is agreed on by %d views: too few cameras overlap, the depth range is "
            "wrong, or depth_tolerance (%g m) is too small",
            work->job->config->reconstruction.fusion.min_consistent_views,
            work->job->config->reconstruction.fusion.depth_tolerance_m);
    return AQM_OK;
}

AqmStatus aqm_frame_remove_outliers(AqmFrameWork *work, AqmDiag *diag) {
    return aqm_cloud_remove_outliers(work->cloud, &work->job->config->reconstruction.fusion,
                                     &work->report->points_removed, diag);
}

AqmStatus aqm_frame_draw_results(AqmFrameWork *work, AqmDiag *diag) {
    AqmPictureCamera *cameras = aqm_alloc(work->view_count, sizeof *cameras);
    if (!cameras)
        return aqm_fail_memory(diag, "the cameras of a picture", work->view_count, sizeof *cameras);
    for (size_t v = 0; v < work->view_count; v++)
        cameras[v] = (AqmPictureCamera){work->views[v].view, aqm_frame_view_name(work, v),
                                        work->views[v].is_auxiliary};
    AqmDiag why = {0};
    aqm_frame_tell_picture(work, aqm_frame_draw_scene(work->job, work->mesh, &why), &why);
    why = (AqmDiag){0};
    aqm_frame_tell_picture(
        work, aqm_frame_draw_rig(work->job, cameras, work->view_count, work->mesh, &why), &why);
    aqm_free(cameras);
    return AQM_OK;
}

static AqmStatus write_mesh(AqmFrameWork *work, AqmDiag *diag) {
    char path[PATH_MAX];
    AQM_TRY(aqm_frame_folder(work, "mesh", diag));
    aqm_frame_path(work, path, "mesh/surface.ply");
    AQM_TRY(aqm_ply_write_mesh(path, work->mesh, aqm_frame_rotation(work), diag));
    work->report->vertices = work->mesh->vertex_count;
    work->report->triangles = work->mesh->triangle_count;
    return AQM_OK;
}

AqmStatus aqm_frame_write_results(AqmFrameWork *work, AqmDiag *diag) {
    if (work->mesh)
        AQM_TRY_PART("mesh file", write_mesh(work, diag));
    AQM_TRY_PART("wait for files", aqm_background_wait(work->writer, diag)); /* cloud, heights */
    /* last: a folder that the writer has just made is empty, and would go */
    aqm_frame_remove_stale(work);
    return AQM_OK;
}
