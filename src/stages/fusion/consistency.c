/* The options of the fusion stage, and the count of agreeing views per pixel (fusion_tile.c). */
#include <assert.h>
#include <math.h>

#include "base/cpu.h"
#include "base/diag.h"
#include "stages/fusion/fusion_tile.h"

AqmFusionOptions aqm_fusion_options_default(void) {
    return (AqmFusionOptions){
        .min_consistent_views = 3,
        .depth_tolerance_m = 0.005,
        .min_confidence = 0.1,
        .voxel_size_m = 0.001,
        .outlier_removal_enabled = true,
        .outlier_nb_neighbors = 20,
        .outlier_std_ratio = 2.0,
        .threads = 0,
    };
}

AqmStatus aqm_fusion_options_validate(const AqmFusionOptions *options, AqmDiag *diag) {
    if (options->min_consistent_views < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_consistent_views is %d: must be at least 1",
                        options->min_consistent_views);
    if (!(options->depth_tolerance_m > 0.0 && options->depth_tolerance_m < INFINITY))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth_tolerance is %g m: must be positive",
                        options->depth_tolerance_m);
    if (!(options->min_confidence >= 0.0 && options->min_confidence <= 1.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_confidence is %g: must be in 0..1",
                        options->min_confidence);
    if (!(options->voxel_size_m >= 1e-6 && options->voxel_size_m <= 1e3))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "voxel_size is %g m: must be in 1e-6..1000",
                        options->voxel_size_m);
    if (options->outlier_nb_neighbors < 1 || options->outlier_nb_neighbors > 1000)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "outlier_nb_neighbors is %d: must be in 1..1000",
                        options->outlier_nb_neighbors);
    if (!(options->outlier_std_ratio > 0.0 && options->outlier_std_ratio < INFINITY))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "outlier_std_ratio is %g: must be positive",
                        options->outlier_std_ratio);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

static AqmStatus view_validate(const AqmFusionView *view, size_t index, AqmDiag *diag) {
    const AqmDepthMap *depth = view->depth;
    if (depth->width != view->view->width || depth->height != view->view->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "view %zu: its depth map is %d x %d px, its camera %d x %d", index,
                        depth->width, depth->height, view->view->width, view->view->height);
    if (!view->color)
        return AQM_OK;
    if (depth->width != view->color->width || depth->height != view->color->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "view %zu: its depth map is %d x %d px, its image %d x %d", index,
                        depth->width, depth->height, view->color->width, view->color->height);
    if (!(view->full_scale > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "view %zu: full_scale is %g: must be positive",
                        index, view->full_scale);
    return AQM_OK;
}

AqmStatus aqm_fusion_views_validate(const AqmFusionView *views, size_t view_count,
                                    const AqmFusionOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_options_validate(options, diag));
    if (view_count > AQM_FUSION_VIEWS_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu views to fuse: at most %d", view_count,
                        (int)AQM_FUSION_VIEWS_MAX);
    for (size_t i = 0; i < view_count; i++)
        AQM_TRY(view_validate(&views[i], i, diag));
    return AQM_OK;
}

AqmStatus aqm_fusion_consistency(const AqmFusionView *views, size_t view_count, size_t reference,
                                 const AqmFusionOptions *options, uint8_t *counts, AqmDiag *diag) {
    assert(reference < view_count);
    AQM_TRY(aqm_fusion_views_validate(views, view_count, options, diag));
    AqmFusionCameras cameras;
    aqm_fusion_cameras_init(&cameras, views, view_count);
    const int width = views[reference].depth->width, height = views[reference].depth->height;
#pragma omp parallel for schedule(dynamic) num_threads(aqm_thread_count(options->threads))
    for (int y0 = 0; y0 < height; y0 += AQM_TILE_SIDE)
        for (int x0 = 0; x0 < width; x0 += AQM_TILE_SIDE) {
            AqmFusionTile tile;
            aqm_tile_load(&tile, &views[reference], options, x0, y0, NULL);
            for (int y = 0; y < tile.height; y++)
                for (int x = 0; x < tile.width; x++)
                    counts[(size_t)(y0 + y) * (size_t)width + (size_t)(x0 + x)] =
                        (uint8_t)aqm_tile_vote(&tile, x, y, views, &cameras, reference, options,
                                               NULL);
        }
    return AQM_OK;
}
