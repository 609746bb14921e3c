/* From the cloud to the mesh of a frame: the surface by the method asked for, fewer triangles if
 * asked for, and the colours of the cameras that see it. */
#include <stdio.h>

#include "aquamvs/color.h"
#include "aquamvs/io.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_work.h"

/* The mesh and, where there is one, the height map of the cloud. */
static AqmStatus find_surface(AqmFrameWork *work, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const int threads = config->runtime.threads;
    switch (config->reconstruction.surface_method) {
    case AQM_SURFACE_POISSON: {
        AqmPoissonOptions options = aqm_poisson_options_default();
        options.depth = config->reconstruction.poisson_depth;
        options.threads = threads;
        return aqm_surface_poisson(work->cloud, &options, &work->mesh, diag);
    }
    case AQM_SURFACE_BPA: {
        const AqmBpaOptions options = {.radii_m = config->reconstruction.bpa_radii,
                                       .radius_count = config->reconstruction.bpa_radius_count,
                                       .threads = threads};
        return aqm_surface_bpa(work->cloud, &options, &work->mesh, diag);
    }
    default:
        return aqm_surface_heightfield_with_map(work->cloud, &config->reconstruction.heightfield,
                                                &work->mesh, &work->height_map, diag);
    }
}

static AqmStatus write_map(const char *path, const void *map, const void *rotation, AqmDiag *diag) {
    return aqm_height_map_write(path, map, rotation, diag);
}

static AqmStatus write_tiff(const char *path, const void *map, const void *detail, AqmDiag *diag) {
    (void)detail;
    return aqm_height_map_write_tiff(path, map, diag);
}

/* While the mesh is coloured. */
static AqmStatus write_height_map(AqmFrameWork *work, AqmDiag *diag) {
    char path[PATH_MAX];
    AQM_TRY(aqm_frame_folder(work, "mesh", diag));
    aqm_frame_path(work, path, "mesh/height_map.npz");
    AQM_TRY(aqm_background_add(work->writer, write_map, path, work->height_map,
                               aqm_frame_rotation(work), diag));
    aqm_frame_path(work, path, "mesh/height_map.tif");
    return aqm_background_add(work->writer, write_tiff, path, work->height_map, NULL, diag);
}

static AqmStatus simplify(AqmFrameWork *work, AqmDiag *diag) {
    const int target = work->job->config->reconstruction.target_faces;
    AqmMesh *fewer = NULL;
    double error_m = 0.0;
    if (target == 0 || work->mesh->triangle_count <= (size_t)target)
        return AQM_OK;
    AQM_TRY(aqm_mesh_simplify(work->mesh, (size_t)target, &fewer, &error_m, diag));
    aqm_log(&work->log, AQM_LOG_DEBUG,
            "frame %d: %zu of %zu triangles of the surface kept, off by at most %.3g mm",
            work->job->frame, fewer->triangle_count, work->mesh->triangle_count, 1e3 * error_m);
    aqm_mesh_destroy(&work->mesh);
    work->mesh = fewer;
    return AQM_OK;
}

static AqmStatus color(AqmFrameWork *work, AqmDiag *diag) {
    AqmMeshColorOptions options = aqm_mesh_color_options_default();
    AqmColorView views[AQM_CAMERAS_MAX];
    AqmImageView images[AQM_CAMERAS_MAX], masks[AQM_CAMERAS_MAX];
    options.threads = work->job->config->runtime.threads;
    for (size_t v = 0; v < work->view_count; v++) {
        const size_t c = work->camera_of[v];
        images[v] = aqm_image_view(work->images[c]);
        masks[v] = aqm_image_view(aqm_frame_input(work, v)->mask);
        views[v] = (AqmColorView){work->views[v].view, &images[v], &masks[v], work->full_scale[c]};
    }
    AQM_TRY(aqm_mesh_color(work->mesh, views, work->view_count, &options,
                           &work->report->unseen_vertices, diag));
    if (work->report->unseen_vertices > 0)
        aqm_log(&work->log, AQM_LOG_DEBUG,
                "frame %d: no camera sees %zu of %zu vertices of the surface: they are magenta and "
                "have views 0",
                work->job->frame, work->report->unseen_vertices, work->mesh->vertex_count);
    return AQM_OK;
}

/* What is left of the images. */
static void drop_images(AqmFrameWork *work) {
    for (size_t c = 0; c < work->count; c++)
        aqm_image_destroy(&work->images[c]);
}

AqmStatus aqm_frame_make_surface(AqmFrameWork *work, AqmDiag *diag) {
    const bool is_sparse = work->job->config->pipeline_mode == AQM_MODE_SPARSE;
    AqmDiag why = {0};
    if (is_sparse) { /* the surface goes through the points that were triangulated */
        work->cloud = work->sparse_cloud;
        work->sparse_cloud = NULL;
    }
    work->report->points = work->cloud->count;
    AQM_TRY(aqm_frame_write_cloud(work, "point_cloud", is_sparse ? "sparse.ply" : "fused.ply",
                                  work->cloud, diag));
    AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "surface", NULL);
    AqmStatus status = find_surface(work, &why);
    aqm_scope_end(&scope);
    if (status == AQM_ERROR_NO_DATA) {
        aqm_log(&work->log, AQM_LOG_WARNING, "frame %d: no surface: %s", work->job->frame,
                why.message);
        drop_images(work);
        return AQM_OK;
    }
    if (status == AQM_OK && work->height_map)
        status = write_height_map(work, &why);
    if (status == AQM_OK)
        status = simplify(work, &why);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "colors", NULL);
    if (status == AQM_OK)
        status = color(work, &why);
    aqm_scope_end(&scope);
    drop_images(work);
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", why.message);
}
