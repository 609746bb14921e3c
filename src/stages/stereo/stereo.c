/* The stage as its callers see it: options, and the order of search, smoothing and second look. */
#include "aquamvs/stereo.h"

#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "stages/stereo/search.h"

/* The second look: offsets of a third of a pixel, one pixel to either side, in a window small
 * enough to follow a wave of a few dozen pixels; surfaces are smooth within two pixels of
 * disparity. */
enum { NEAR_WINDOW = 7, NEAR_STEPS = 3, NEAR_PASSES = 2 };
static const double near_step_px = 0.35, smooth_tolerance_px = 2.0;

AqmStereoOptions aqm_stereo_options_default(void) {
    return (AqmStereoOptions){.num_depths = 128,
                              .cost = AQM_COST_NCC,
                              .window_size = 11,
                              .depth_batch_size = 4,
                              .threads = 0};
}

AqmStatus aqm_stereo_options_validate(const AqmStereoOptions *options, AqmDiag *diag) {
    if (options->num_depths < 8 || options->num_depths > 4096)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "num_depths is %d: must be in 8..4096",
                        options->num_depths);
    if (options->window_size < 3 || options->window_size > 31 || options->window_size % 2 == 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "window_size is %d: must be odd, in 3..31",
                        options->window_size);
    if (options->depth_batch_size < 1 || options->depth_batch_size > 64)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth_batch_size is %d: must be in 1..64",
                        options->depth_batch_size);
    if (options->cost != AQM_COST_NCC && options->cost != AQM_COST_SSIM)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "cost function %d is not known",
                        (int)options->cost);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all) or more",
                        options->threads);
    return AQM_OK;
}

/* Least and largest d_z over the image; false where no ray reaches the water. */
static bool slope_range(const AqmView *view, double *least, double *largest) {
    enum { GRID = 8 };
    *least = INFINITY;
    *largest = 0.0;
    for (int k = 0; k <= GRID * (GRID + 2); k++) {
        AqmRay ray;
        const double u = (double)(k % (GRID + 1)) * (view->width - 1) / GRID;
        const double v = (double)(k / (GRID + 1)) * (view->height - 1) / GRID;
        if (!aqm_view_cast(view, u, v, &ray))
            continue;
        *least = fmin(*least, ray.direction[2]);
        *largest = fmax(*largest, ray.direction[2]);
    }
    /* the steepest ray may lie between the grid's: the one straight down */
    *largest = fmin(1.0, *largest + 0.01);
    return *least <= *largest;
}

/* From h to ray depth, NaN outside the range. */
static void to_ray_depth(const AqmView *view, const AqmDepthRange *range, int threads,
                         AqmDepthMap *map) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int y = 0; y < view->height; y++)
        for (int x = 0; x < view->width; x++) {
            const size_t at = (size_t)y * (size_t)view->width + (size_t)x;
            AqmRay ray;
            double depth = (double)NAN;
            if (!isnan(map->depth_m[at]) && aqm_view_cast(view, x, y, &ray))
                depth = (double)map->depth_m[at] / ray.direction[2];
            const bool is_inside = depth >= range->min_m && depth <= range->max_m && depth > 0.0;
            map->depth_m[at] = is_inside ? (float)depth : NAN;
            if (!is_inside)
                map->confidence[at] = 0.0f;
        }
}

static AqmStatus look_again(const AqmStereoView *views, size_t reference, const size_t *sources,
                            size_t source_count, const AqmStereoOptions *options, AqmDepthMap *map,
                            AqmDiag *diag) {
    const int window = options->window_size < NEAR_WINDOW ? options->window_size : NEAR_WINDOW;
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, views, reference, sources, source_count, options->cost, window,
                             options->threads, diag));
    const size_t pixels = (size_t)map->width * (size_t)map->height;
    float *base = aqm_alloc(pixels, sizeof *base);
    AqmStatus status = base ? AQM_OK : aqm_fail_memory(diag, "a depth map", pixels, sizeof *base);
    for (int pass = 0; status == AQM_OK && pass < NEAR_PASSES; pass++) {
        status = aqm_smooth_surface(sweep, map->depth_m, smooth_tolerance_px, base, diag);
        if (status == AQM_OK)
            status = aqm_sweep_near(sweep, base, near_step_px, NEAR_STEPS, map->depth_m, diag);
    }
    aqm_free(base);
    aqm_sweep_destroy(&sweep);
    return status;
}

static AqmStatus check_views(size_t view_count, size_t reference, const size_t *sources,
                             size_t source_count, AqmDiag *diag) {
    if (reference >= view_count)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "reference view %zu: there are %zu views",
                        reference, view_count);
    if (source_count < 1 || source_count > 64)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu source views: must be in 1..64",
                        source_count);
    for (size_t s = 0; s < source_count; s++)
        if (sources[s] >= view_count || sources[s] == reference)
            return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                            "source view %zu: must be one of the %zu views and not the reference",
                            sources[s], view_count);
    return AQM_OK;
}

AqmStatus aqm_stereo_estimate(const AqmStereoView *views, size_t view_count, size_t reference,
                              const size_t *sources, size_t source_count,
                              const AqmDepthRange *range, const AqmStereoOptions *options,
                              AqmDepthMap **out, AqmDiag *diag) {
    AQM_TRY(aqm_stereo_options_validate(options, diag));
    AQM_TRY(check_views(view_count, reference, sources, source_count, diag));
    if (!(range->min_m >= 0.0) || !(range->max_m > range->min_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth range %g..%g m: must be 0 <= min < max",
                        range->min_m, range->max_m);
    const AqmView *view = views[reference].view;
    double least, largest;
    if (!slope_range(view, &least, &largest))
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "no ray of the reference view reaches the water");
    AqmDepthMap *map = NULL;
    AQM_TRY(aqm_depth_map_create(&map, view->width, view->height, diag));
    AqmStatus status = aqm_search(views, view_count, reference, sources, source_count,
                                  fmax(range->min_m * least, 1e-6), range->max_m * largest, options,
                                  map->depth_m, map->confidence, diag);
    if (status == AQM_OK)
        status = look_again(views, reference, sources, source_count, options, map, diag);
    if (status == AQM_OK)
        to_ray_depth(view, range, aqm_thread_count(options->threads), map);
    if (status != AQM_OK)
        aqm_depth_map_destroy(&map);
    if (status == AQM_OK)
        *out = map;
    return status;
}
