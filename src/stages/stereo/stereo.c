/* The stage as its callers see it: options, and the order of search, least squares and settling. */
#include "aquamvs/stereo.h"

#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/recorder.h"
#include "geometry/refraction.h"
#include "stages/stereo/blank.h"
#include "stages/stereo/cascade.h"
#include "stages/stereo/exhaustive.h"
#include "stages/stereo/near_warp.h"
#include "stages/stereo/refine.h"
#include "stages/stereo/settle.h"
#include "stages/stereo/smooth.h"
#include "stages/stereo/steps.h"

/* The window of least squares: small enough to follow a wave of a few dozen pixels. A surface is
 * one where neighbours lie within two pixels of disparity. */
enum { REFINE_WINDOW = 7, SMOOTH_PASSES = 1 };
/* Steps of least squares after a search at the full resolution, at half of it, where what was found
 * is swept once more at the full, and below, where the levels between have had theirs. */
enum { MOST_PASSES = 3, MORE_PASSES = 2 };
static const int passes_after[3] = {MOST_PASSES, 2, 1};
static const float unsettled_px = 0.2f; /* a tile that moves so far gets one of MORE_PASSES */
static const float smooth_tolerance_px = 2.0f;

AqmStereoOptions aqm_stereo_options_default(void) {
    return (AqmStereoOptions){.search = AQM_SEARCH_CASCADE,
                              .num_depths = 128,
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
    if (options->search != AQM_SEARCH_CASCADE && options->search != AQM_SEARCH_EXHAUSTIVE)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "search %d is not known", (int)options->search);
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

/* From disparity to ray depth, for the pixels at .. at + n of a map whose rays go down by down[]
 * a metre; NaN where nothing is known or the depth lies outside the range. */
static void to_ray_depths(const AqmSweep *sweep, const AqmDepthRange *range, const float *down,
                          size_t at, size_t n, const AqmDepthMap *map) {
    const double h_max_m = range->down_max_m > 0.0 ? range->down_max_m : INFINITY;
    for (size_t k = at; k < at + n; k++) {
        const double disparity = (double)map->depth_m[k], slant = 1.0 / (double)down[k - at];
        const double h = aqm_disparity_h(sweep, disparity), depth = h * slant;
        const double per_px = aqm_disparity_metres_per_px(sweep, disparity) * slant;
        const bool is_inside = map->confidence[k] > 0.0f && depth >= range->min_m &&
                               depth <= range->max_m && depth > 0.0 && h >= range->down_min_m &&
                               h <= h_max_m; /* not if NaN */
        map->depth_m[k] = is_inside ? (float)depth : NAN;
        map->confidence[k] = is_inside ? map->confidence[k] : 0.0f;
        map->sigma_m[k] = is_inside ? (float)((double)map->sigma_m[k] * per_px) : NAN;
    }
}

static void to_ray_depth(const AqmSweep *sweep, const AqmDepthRange *range,
                         const AqmDepthMap *map) {
    enum { CHUNK = 64 };
    const AqmSightCamera camera = aqm_sight_camera(sweep->view);
    const AqmFusionKernels *kernels = aqm_fusion_kernels(aqm_cpu_features());
    const int width = sweep->view->width;
#pragma omp parallel for num_threads(sweep->threads) schedule(static)
    for (int y = 0; y < sweep->view->height; y++) {
        float rays[5][CHUNK];
        const AqmRayRow row = {rays[0], rays[1], {rays[2], rays[3], rays[4]}};
        for (int x = 0; x < width; x += CHUNK) {
            const int n = width - x < CHUNK ? width - x : CHUNK;
            kernels->rays(&camera, (float)x, (float)y, CHUNK, &row);
            to_ray_depths(sweep, range, rays[4], (size_t)y * (size_t)width + (size_t)x, (size_t)n,
                          map);
        }
    }
}

/* What both searches share: views, sources and options of one depth map. */
typedef struct Task {
    const AqmStereoView *views;
    size_t view_count, reference;
    const size_t *sources;
    size_t source_count, spare_count;
    const AqmDepthRange *range;
    const AqmStereoOptions *options;
} Task;

/* Searches; leaves disparities in map->depth_m. Returns in *passes how many steps of least squares
 * they need: an answer that was not sharpened on the way is farther off. */
static AqmStatus search(const Task *task, const AqmSweep *sweep, AqmDepthMap *map, int *passes,
                        AqmDiag *diag) {
    double least, largest;
    if (!slope_range(sweep->view, &least, &largest))
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "no ray of the reference view reaches the water");
    double h_min_m = fmax(task->range->min_m * least, 1e-6);
    double h_max_m = task->range->max_m * largest;
    if (task->range->down_max_m > 0.0) {
        h_min_m = fmax(h_min_m, task->range->down_min_m);
        h_max_m = fmin(h_max_m, task->range->down_max_m);
    }
    if (!(h_min_m < h_max_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "no ray of the reference view has a depth of %g..%g m and ends %g..%g m "
                        "below the surface",
                        task->range->min_m, task->range->max_m, task->range->down_min_m,
                        task->range->down_max_m);
    *passes = MOST_PASSES;
    if (task->options->search == AQM_SEARCH_CASCADE) {
        int halvings = 0;
        AQM_TRY(aqm_cascade(task->views, task->view_count, task->reference, task->sources,
                            task->source_count, task->spare_count, h_min_m, h_max_m, task->options,
                            map->depth_m, map->confidence, &halvings, diag));
        *passes = passes_after[halvings < 2 ? halvings : 2];
        return AQM_OK;
    }
    AQM_TRY(aqm_exhaustive(task->views, task->view_count, task->reference, task->sources,
                           task->source_count, task->spare_count, h_min_m, h_max_m, task->options,
                           map->depth_m, map->confidence, diag));
    const size_t pixels = (size_t)map->width * (size_t)map->height;
    for (size_t k = 0; k < pixels; k++)
        map->depth_m[k] = aqm_disparity_of(sweep, (double)map->depth_m[k]);
    return AQM_OK;
}

/* Lowers the confidence by how well the windows fit in the end; 0 where the pixel is missing or no
 * source sees it. */
static void rate(const AqmSweep *sweep, const float *score, float *confidence) {
    for (int y = 0; y < sweep->view->height; y++) {
        const int16_t *gray = sweep->image->gray + y * sweep->image->stride;
        for (int x = 0; x < sweep->view->width; x++) {
            const size_t at = (size_t)y * (size_t)sweep->view->width + (size_t)x;
            const bool is_seen = gray[x] != AQM_GRAY_MISSING && score[at] > 0.0f;
            confidence[at] *= is_seen ? sqrtf(score[at]) : 0.0f;
        }
    }
}

/* Least squares, several times from a smooth surface through the answer so far, the last times only
 * in the tiles that still move; then steps go where the image has edges, and what is left of noise
 * is averaged. */
static AqmStatus refine(const AqmSweep *sweep, int passes, AqmDepthMap *map, AqmDiag *diag) {
    const size_t pixels = (size_t)map->width * (size_t)map->height;
    float *base = aqm_alloc(2 * pixels, sizeof *base);
    float *moves = aqm_calloc(aqm_sweep_tile_count(sweep->view), sizeof *moves);
    const AqmRefined refined = {map->depth_m, map->sigma_m, base ? base + pixels : NULL};
    AqmStatus status =
        base && moves ? AQM_OK : aqm_fail_memory(diag, "a depth map", 2 * pixels, sizeof *base);
    AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "least squares", NULL);
    for (int pass = 0; status == AQM_OK && pass < passes + MORE_PASSES; pass++) {
        const float least_px = pass < passes ? 0.0f : unsettled_px;
        status = aqm_smooth_surface(map->depth_m, map->width, map->height, smooth_tolerance_px,
                                    SMOOTH_PASSES, sweep->threads, base, diag);
        if (status == AQM_OK)
            status = aqm_refine(sweep, base, &refined, least_px, moves, diag);
    }
    aqm_scope_end(&scope);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "steps", NULL);
    if (status == AQM_OK) {
        rate(sweep, refined.score, map->confidence);
        const AqmStepRules rules = {(float)(sweep->disparity_scale / sweep->median_scale), 1.0f};
        status = aqm_align_steps(sweep->image, map->confidence, &rules, map->depth_m,
                                 sweep->threads, diag);
    }
    aqm_scope_end(&scope);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "blank patches", NULL);
    if (status == AQM_OK)
        status = aqm_fill_blanks(sweep->image, sweep->window,
                                 (float)(sweep->disparity_scale / sweep->median_scale), &refined,
                                 map->confidence, sweep->threads, diag);
    aqm_scope_end(&scope);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "settle", NULL);
    if (status == AQM_OK)
        status = aqm_settle(&refined, map->width, map->height, sweep->threads, diag);
    aqm_scope_end(&scope);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "gaps", NULL);
    const AqmMeasured measured = {map->depth_m, map->sigma_m, map->confidence};
    if (status == AQM_OK)
        status = aqm_fill_gaps(sweep->image, (float)(sweep->disparity_scale / sweep->median_scale),
                               &measured, sweep->threads, diag);
    aqm_scope_end(&scope);
    aqm_free(base);
    aqm_free(moves);
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
                              const size_t *sources, size_t source_count, size_t spare_count,
                              const AqmDepthRange *range, const AqmStereoOptions *options,
                              AqmDepthMap **out, AqmDiag *diag) {
    AQM_TRY(aqm_stereo_options_validate(options, diag));
    AQM_TRY(check_views(view_count, reference, sources, source_count + spare_count, diag));
    if (!(range->min_m >= 0.0) || !(range->max_m > range->min_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth range %g..%g m: must be 0 <= min < max",
                        range->min_m, range->max_m);
    const bool is_anywhere = range->down_min_m == 0.0 && range->down_max_m == 0.0;
    if (!is_anywhere && (!(range->down_min_m >= 0.0) || !(range->down_max_m > range->down_min_m)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "range %g..%g m straight down: must be 0 <= min < max, or 0 and 0",
                        range->down_min_m, range->down_max_m);
    const AqmView *view = views[reference].view;
    const int window = options->window_size < REFINE_WINDOW ? options->window_size : REFINE_WINDOW;
    const Task task = {views,        view_count,  reference, sources,
                       source_count, spare_count, range,     options};
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, views, reference, sources, source_count, spare_count,
                             options->cost, window, options->threads, diag));
    AqmDepthMap *map = NULL;
    int passes = 0;
    AqmStatus status = aqm_depth_map_create(&map, view->width, view->height, diag);
    AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "search", NULL);
    if (status == AQM_OK)
        status = search(&task, sweep, map, &passes, diag);
    aqm_scope_end(&scope);
    scope = aqm_scope_begin(AQM_SCOPE_PART, "refine", NULL);
    if (status == AQM_OK)
        status = refine(sweep, passes, map, diag);
    aqm_scope_end(&scope);
    if (status == AQM_OK)
        to_ray_depth(sweep, range, map);
    else
        aqm_depth_map_destroy(&map);
    aqm_sweep_destroy(&sweep);
    if (status == AQM_OK)
        *out = map;
    return status;
}
