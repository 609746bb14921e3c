/* The depth stage by itself: undistorted images in memory, depth maps, and their errors.
 *
 * The truth of a pixel is where its ray meets the surface that the scene was rendered from. About
 * twenty thousand pixels of a view are looked at, on a regular grid; all of them count, those that
 * no other camera sees too. */
#include <math.h>
#include <stdlib.h>

#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "evaluate/truth.h"
#include "math/stats.h"
#include "pipeline/frame.h"
#include "pipeline/inputs.h"
#include "stages.h"

enum { SAMPLES_PER_VIEW = 20000 };

struct StagesViews {
    AqmInputs *inputs;
    AqmTruth *truth;
    size_t count;
    AqmStereoImage *images[AQM_CAMERAS_MAX];
    AqmStereoView views[AQM_CAMERAS_MAX];
    AqmDepthMap *maps[AQM_CAMERAS_MAX]; /* NULL for auxiliary views */
};

static AqmStatus prepare(StagesViews *views, size_t c, const AqmImage *raw, AqmDiag *diag) {
    const AqmInput *input = &views->inputs->cameras[c];
    const AqmImageView raw_view = aqm_image_view(raw), mask = aqm_image_view(input->mask);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &raw_view, 0, &straight, diag));
    const AqmImageView image = aqm_image_view(straight);
    const AqmStatus status = aqm_stereo_image_create(&views->images[c], &image, &mask, 255.0, diag);
    aqm_image_destroy(&straight);
    views->views[c] = (AqmStereoView){&input->view, views->images[c], input->camera->is_auxiliary};
    return status;
}

static AqmStatus load(StagesViews *views, const AqmConfig *config, const char *folder,
                      AqmDiag *diag) {
    AqmImage *raw[AQM_CAMERAS_MAX] = {NULL};
    AQM_TRY(aqm_truth_read(&views->truth, folder, 0, diag));
    AQM_TRY(aqm_inputs_open(&views->inputs, config, NULL, diag));
    views->count = views->inputs->camera_count;
    AqmStatus status = aqm_frame_read(views->inputs, 0, 0, raw, NULL, diag);
    for (size_t c = 0; c < views->count && status == AQM_OK; c++)
        status = raw[c] ? prepare(views, c, raw[c], diag)
                        : aqm_fail(diag, AQM_ERROR_NO_DATA, "%s: an image is missing", folder);
    for (size_t c = 0; c < views->count; c++)
        aqm_image_destroy(&raw[c]);
    return status;
}

AqmStatus stages_views_open(StagesViews **out, const AqmConfig *config, const char *folder,
                            AqmDiag *diag) {
    StagesViews *views = calloc(1, sizeof *views);
    if (!views)
        return aqm_fail_memory(diag, "the views of a scene", 1, sizeof *views);
    const AqmStatus status = load(views, config, folder, diag);
    if (status == AQM_OK)
        *out = views;
    else
        stages_views_close(&views);
    return status;
}

void stages_views_close(StagesViews **views) {
    if (!*views)
        return;
    for (size_t v = 0; v < (*views)->count; v++) {
        aqm_stereo_image_destroy(&(*views)->images[v]);
        aqm_depth_map_destroy(&(*views)->maps[v]);
    }
    aqm_inputs_close(&(*views)->inputs);
    aqm_truth_destroy(&(*views)->truth);
    free(*views);
    *views = NULL;
}

AqmStatus stages_views_estimate(StagesViews *views, const AqmConfig *config, double *pixels,
                                double *samples, AqmDiag *diag) {
    const int neighbors = config->sparse_matching.num_neighbors;
    const bool center = config->sparse_matching.include_center;
    AqmDepthRange ranges[AQM_CAMERAS_MAX];
    *pixels = *samples = 0.0;
    AQM_TRY(aqm_stereo_find_ranges(views->views, views->count, neighbors, center,
                                   config->reconstruction.depth_margin, config->runtime.threads,
                                   ranges, diag));
    for (size_t v = 0; v < views->count; v++) {
        size_t sources[AQM_CAMERAS_MAX], count = 0, spares = 0;
        if (views->views[v].is_auxiliary)
            continue;
        aqm_depth_map_destroy(&views->maps[v]);
        aqm_stereo_select_sources(views->views, views->count, v, neighbors, center, &ranges[v],
                                  sources, &count, &spares);
        AQM_TRY(aqm_stereo_estimate(views->views, views->count, v, sources, count, spares,
                                    &ranges[v], &config->reconstruction.stereo, &views->maps[v],
                                    diag));
        const double area = (double)views->maps[v]->width * views->maps[v]->height;
        *pixels += area;
        *samples += area * config->reconstruction.stereo.num_depths * (double)count;
    }
    return AQM_OK;
}

/* ---- the truth ------------------------------------------------------------------------------- */

typedef struct Errors {
    double *mm; /* of the pixels that have a depth */
    size_t known, asked, within;
    size_t doubted, in_sigma[2]; /* those with a sigma; of them those within 1 and 2 of them */
} Errors;

static void judge_view(const StagesViews *views, size_t v, const AqmSurfaceBounds *bounds,
                       Errors *errors) {
    const AqmDepthMap *map = views->maps[v];
    const double area = (double)map->width * map->height;
    const int step = area > SAMPLES_PER_VIEW ? (int)ceil(sqrt(area / SAMPLES_PER_VIEW)) : 1;
    for (int y = step / 2; y < map->height; y += step)
        for (int x = step / 2; x < map->width; x += step) {
            const size_t k = (size_t)y * (size_t)map->width + (size_t)x;
            AqmRay ray;
            double depth_m;
            if (!aqm_view_cast(views->views[v].view, x, y, &ray) ||
                !aqm_surface_intersect(views->truth->surface, bounds, &ray, NAN, &depth_m))
                continue;
            errors->asked++;
            if (isnan(map->depth_m[k]))
                continue;
            const double error_mm = 1e3 * fabs((double)map->depth_m[k] - depth_m);
            errors->mm[errors->known++] = error_mm;
            errors->within += error_mm < 0.5;
            const double sigma_mm = 1e3 * (double)map->sigma_m[k];
            errors->doubted += !isnan(sigma_mm);
            for (int s = 0; s < 2; s++)
                errors->in_sigma[s] += error_mm < (s + 1) * sigma_mm;
        }
}

AqmStatus stages_views_score(const StagesViews *views, StagesDepthScore *score, AqmDiag *diag) {
    /* the widest lens looks about that far */
    const AqmSurfaceBounds bounds =
        aqm_surface_bounds(views->truth->surface, 5.0 * views->truth->rig->water_z);
    Errors errors = {.mm = malloc(views->count * SAMPLES_PER_VIEW * sizeof *errors.mm)};
    if (!errors.mm)
        return aqm_fail_memory(diag, "errors of depth", views->count, SAMPLES_PER_VIEW);
    for (size_t v = 0; v < views->count; v++)
        if (views->maps[v])
            judge_view(views, v, &bounds, &errors);
    *score = (StagesDepthScore){NAN, NAN, {NAN, NAN}};
    if (errors.asked > 0)
        score->within_pct = 100.0 * (double)errors.within / (double)errors.asked;
    for (int s = 0; s < 2 && errors.doubted > 0; s++)
        score->sigma_pct[s] = 100.0 * (double)errors.in_sigma[s] / (double)errors.doubted;
    if (errors.known > 0)
        score->median_mm = aqm_percentile_f64(errors.mm, errors.known, 50.0);
    free(errors.mm);
    return AQM_OK;
}
