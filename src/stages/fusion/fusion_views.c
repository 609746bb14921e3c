#include "stages/fusion/fusion_views.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/refraction.h"

enum { BORDER = 1 };
/* Of what may lie anywhere within the tolerance, as all that is known of a depth that others agree
 * with: 1 / sqrt(3). */
static const double DEVIATION_OF_EVEN = 0.57735;

static AqmStatus view_validate(const AqmFusionView *view, size_t index, AqmDiag *diag) {
    const AqmDepthMap *depth = view->depth;
    if (depth->width != view->view->width || depth->height != view->view->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "view %zu: its depth map is %d x %d px, its camera %d x %d", index,
                        depth->width, depth->height, view->view->width, view->view->height);
    if ((double)(depth->width + 2 * BORDER) * (depth->height + 2 * BORDER) > INT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "view %zu: a depth map of %d x %d px: at most 2^31 pixels", index,
                        depth->width, depth->height);
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

AqmStatus aqm_fusion_views_validate(const AqmFusionView *views, size_t count,
                                    const AqmFusionOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_options_validate(options, diag));
    if (count > AQM_FUSION_VIEWS_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu views to fuse: at most %d", count,
                        (int)AQM_FUSION_VIEWS_MAX);
    for (size_t i = 0; i < count; i++)
        AQM_TRY(view_validate(&views[i], i, diag));
    return AQM_OK;
}

static size_t padded_size(const AqmDepthMap *map) {
    return (size_t)(map->width + 2 * BORDER) * (size_t)(map->height + 2 * BORDER);
}

/* The smallest float that is at least the option. */
float aqm_fusion_least_confidence(const AqmFusionOptions *options) {
    const float near = (float)options->min_confidence;
    return (double)near < options->min_confidence ? nextafterf(near, INFINITY) : near;
}

static bool knows_deviation(const AqmDepthMap *map, float least_confidence, size_t first) {
    int known = 0;
    for (size_t k = first; k < first + (size_t)map->width; k++)
        known |= (map->sigma_m[k] > 0.0f) & (map->sigma_m[k] < INFINITY) &
                 (map->confidence[k] >= least_confidence);
    return known;
}

/* Returns whether the standard deviation of any usable depth is known. */
static bool pack_map(const AqmFusionScene *scene, size_t i, uint32_t *texels) {
    const AqmDepthMap *map = scene->views[i].depth;
    int known = 0;
    const size_t width = (size_t)map->width, pitch = width + 2 * BORDER;
    memset(texels, 0, pitch * BORDER * sizeof *texels);
    memset(texels + pitch * (size_t)(map->height + BORDER), 0, pitch * BORDER * sizeof *texels);
#pragma omp parallel for schedule(static) num_threads(aqm_thread_count(scene->options->threads))   \
    reduction(|                                                                                    \
              : known)
    for (int y = 0; y < map->height; y++) {
        uint32_t *row = texels + pitch * (size_t)(y + BORDER);
        const size_t first = width * (size_t)y;
        const AqmDepthRow from = {map->depth_m + first, map->confidence + first,
                                  map->sigma_m + first};
        scene->kernels->pack(&from, &scene->rules, width, row + BORDER);
        row[0] = row[width + BORDER] = 0;
        known |= knows_deviation(map, scene->rules.least_confidence, first);
    }
    return known;
}

AqmStatus aqm_fusion_scene_init(AqmFusionScene *scene, const AqmFusionView *views, size_t count,
                                const AqmFusionOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_views_validate(views, count, options, diag));
    size_t total = 0;
    scene->views = views;
    scene->count = count;
    scene->steps = NULL;
    scene->options = options;
    scene->kernels = aqm_fusion_kernels(aqm_cpu_features());
    for (size_t i = 0; i < count; i++)
        total += padded_size(views[i].depth);
    scene->rules = (AqmPackRules){aqm_fusion_least_confidence(options),
                                  (float)(options->depth_tolerance_m * DEVIATION_OF_EVEN)};
    scene->knows_deviations = false;
    aqm_fusion_errors_init(&scene->errors, views, count, options->matched_views);
    scene->texels = aqm_alloc(total, sizeof *scene->texels);
    if (!scene->texels)
        return aqm_fail_memory(diag, "the usable depths", total, sizeof *scene->texels);
    uint32_t *next = scene->texels;
    for (size_t i = 0; i < count; i++) {
        const AqmDepthMap *map = views[i].depth;
        const int pitch = map->width + 2 * BORDER;
        scene->cameras[i] = aqm_sight_camera(views[i].view);
        scene->maps[i] =
            (AqmSightMap){next + BORDER * pitch + BORDER, pitch, map->width, map->height};
        scene->knows_deviations |= pack_map(scene, i, next);
        next += padded_size(map);
    }
    return AQM_OK;
}

void aqm_fusion_scene_drop(AqmFusionScene *scene) {
    aqm_free(scene->texels);
    scene->texels = NULL;
}
