/* A sweep at low resolution gives every reference view a coarse depth map. A pixel is sure if its
 * confidence is fair, it agrees with its neighbours, and the coarse maps of two other views (one,
 * where no more are there or see the place) say the same of the point, which throws out what
 * repeats or has no texture.
 *
 * Where nothing is known of the depth everything is searched, from just below the surface to twenty
 * times the camera's height of apparent depth: in inverse depth that is 95 % of the way to infinity
 * and costs little. */
#include "stages/stereo/coarse.h"

#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "stages/stereo/sweep.h"

enum { WIDTH = 240, LEAST_PLANES = 16, MOST_PLANES = 2048 };
static const double apparent_limit = 20.0; /* of the camera's height over the water */
static const float min_confidence = 0.39f;

void aqm_coarse_free(AqmCoarse *coarse) {
    for (size_t k = 0; k < coarse->view_count; k++)
        aqm_free(coarse->views[k].h);
    aqm_level_free(&coarse->level);
    *coarse = (AqmCoarse){0};
}

int aqm_coarse_halvings(const AqmView *view) {
    int halvings = 0;
    while (view->width >> halvings > WIDTH && view->height >> halvings > WIDTH / 2)
        halvings++;
    return halvings;
}

/* Takes every view to its coarse resolution, or `finer` steps above it. */
static AqmStatus shrink(AqmCoarse *coarse, const AqmStereoView *views, int finer, AqmDiag *diag) {
    int halvings[AQM_COARSE_VIEWS_MAX];
    for (size_t k = 0; k < coarse->view_count; k++) {
        const int most = aqm_coarse_halvings(views[k].view);
        halvings[k] = most > finer ? most - finer : 0;
    }
    AQM_TRY(aqm_level_create(&coarse->level, views, coarse->view_count, halvings, diag));
    for (size_t k = 0; k < coarse->view_count; k++)
        coarse->views[k].view = &coarse->level.views[k];
    return AQM_OK;
}

/* The planes that view k is swept over; one more at either end of a range, as what lies on the
 * first or the last is no answer. */
static AqmPlanes planes_of(const AqmCoarse *coarse, size_t k, const AqmSweep *sweep) {
    const AqmView *view = coarse->views[k].view;
    const double camera_height = view->water_z - view->C[2];
    double h_min = 0.002 * camera_height;
    double h_max = view->n * (apparent_limit - 1.0) * camera_height;
    if (coarse->options.ranges) {
        const AqmDepthRange *range = &coarse->options.ranges[k];
        const double step =
            coarse->options.plane_step_px * aqm_sweep_metres_per_px(sweep, range->down_max_m);
        h_min = fmax(h_min, range->down_min_m - step);
        h_max = range->down_max_m + step;
    }
    const int wanted = aqm_plane_count_for(sweep, h_min, h_max, coarse->options.plane_step_px);
    const int count = wanted < MOST_PLANES ? wanted : MOST_PLANES;
    const int least = coarse->options.ranges ? 4 : LEAST_PLANES;
    return aqm_planes(sweep, h_min, h_max, count < least ? least : count);
}

/* One view's coarse map, on one thread: the views are small and many. */
static AqmStatus sweep_view(AqmCoarse *coarse, size_t k) {
    const AqmCoarseOptions *options = &coarse->options;
    size_t sources[AQM_COARSE_VIEWS_MAX], source_count, spare_count;
    aqm_stereo_select_sources(coarse->level.stereo, coarse->view_count, k, options->num_neighbors,
                              options->include_center, options->ranges ? &options->ranges[k] : NULL,
                              sources, &source_count, &spare_count);
    AqmCoarseView *view = &coarse->views[k];
    const size_t pixels = (size_t)view->view->width * (size_t)view->view->height;
    view->h = aqm_alloc(2 * pixels, sizeof *view->h);
    if (!view->h)
        return AQM_ERROR_MEMORY;
    view->confidence = view->h + pixels;
    for (size_t p = 0; p < pixels; p++) {
        view->h[p] = NAN;
        view->confidence[p] = 0.0f;
    }
    if (source_count == 0)
        return AQM_OK;
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, coarse->level.stereo, k, sources, source_count,
                             options->ranges ? spare_count : 0, AQM_COST_NCC, options->window, 1,
                             NULL));
    const double camera_height = view->view->water_z - view->view->C[2];
    view->scale = aqm_sweep_metres_per_px(sweep, 0.0) / (camera_height * camera_height);
    const AqmPlanes planes = planes_of(coarse, k, sweep);
    const AqmStatus status = aqm_sweep_planes(sweep, &planes, 4, view->h, view->confidence, NULL);
    aqm_sweep_destroy(&sweep);
    return status;
}

AqmStatus aqm_coarse_sweep(AqmCoarse *coarse, const AqmStereoView *views, size_t view_count,
                           const AqmCoarseOptions *options, int finer, AqmDiag *diag) {
    *coarse = (AqmCoarse){.options = *options, .view_count = view_count};
    for (size_t k = 0; k < view_count; k++)
        coarse->reference_count += !views[k].is_auxiliary;
    AQM_TRY(shrink(coarse, views, finer, diag));
    int failed = 0;
#pragma omp parallel for num_threads(aqm_thread_count(options->threads)) schedule(dynamic, 1)
    for (size_t k = 0; k < view_count; k++)
        if (!views[k].is_auxiliary && sweep_view(coarse, k) != AQM_OK) {
#pragma omp atomic write
            failed = 1;
        }
    return failed ? aqm_fail_memory(diag, "the coarse sweep", view_count, sizeof(AqmCoarseView))
                  : AQM_OK;
}

/* ---- sure pixels ----------------------------------------------------------------------------- */

/* Metres of h that move a source pixel by one pixel, about (n z^2 over focal length and baseline).
 */
static double metres_per_px(const AqmCoarseView *coarse, double h) {
    const double z = coarse->view->water_z - coarse->view->C[2] + h / coarse->view->n;
    return coarse->scale * z * z;
}

/* Do as many other views' coarse maps as it takes say the same of the point of view k? */
static bool agrees_with_views(const AqmCoarse *coarse, size_t k, const double point[3], double h) {
    const int needed = coarse->reference_count >= 4 ? 2 : 1;
    int count = 0, seen = 0;
    for (size_t j = 0; j < coarse->view_count && count < needed; j++) {
        const AqmCoarseView *other = &coarse->views[j];
        double pixel[2];
        if (j == k || !other->h || !aqm_view_project(other->view, point, pixel))
            continue;
        const double u = floor(pixel[0] + 0.5), v = floor(pixel[1] + 0.5);
        if (u < 0 || v < 0 || u > other->view->width - 1 || v > other->view->height - 1)
            continue;
        const size_t at = (size_t)v * (size_t)other->view->width + (size_t)u;
        const double near_m = coarse->options.agree_px * metres_per_px(other, h);
        count += fabs((double)other->h[at] - h) < near_m;
        seen++;
    }
    return count >= needed || (coarse->options.ranges && seen == 1 && count == 1);
}

static bool agrees_with_neighbors(const AqmCoarseView *coarse, int x, int y, double near_m) {
    const int width = coarse->view->width;
    const float *center = coarse->h + (size_t)y * (size_t)width + (size_t)x;
    int agree = 0;
    for (int k = 0; k < 9; k++)
        agree += fabs((double)(center[(k / 3 - 1) * width + k % 3 - 1] - *center)) < near_m;
    return agree >= 6;
}

bool aqm_coarse_is_sure(const AqmCoarse *coarse, size_t k, int x, int y, double point[3]) {
    const AqmCoarseView *view = &coarse->views[k];
    const size_t at = (size_t)y * (size_t)view->view->width + (size_t)x;
    if (x < 1 || y < 1 || x + 1 >= view->view->width || y + 1 >= view->view->height ||
        !(view->confidence[at] >= min_confidence))
        return false;
    const double h = (double)view->h[at];
    const double near_m = coarse->options.agree_px * metres_per_px(view, h);
    AqmRay ray;
    if (!agrees_with_neighbors(view, x, y, near_m) || !aqm_view_cast(view->view, x, y, &ray))
        return false;
    const double s = h / ray.direction[2];
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + s * ray.direction[i];
    return agrees_with_views(coarse, k, point, h);
}
