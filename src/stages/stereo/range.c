/* The depth ranges of all views, found by themselves.
 *
 * Every reference view gets a coarse depth map over everything (coarse.c). Its range spans the
 * bodies of the scene that the sure pixels form, less chance matches (0.2 % at either end, and
 * separate runs with less than a twentieth of the largest body's pixels), widened by the margin and
 * a twentieth of itself. Where fewer than half of the views get a range
 * (fine texture on a featureless bed), twice the resolution is tried; a view that gets none of its
 * own takes the depths the others found. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "math/stats.h"
#include "stages/stereo/coarse.h"

enum { MAX_FINER = 1 }; /* eight times the cost a step */
enum { COARSE_WINDOW = 9, MIN_PIXELS = 150 };
static const double plane_step_px = 1.0, agree_px = 2.5;

typedef struct Search {
    const AqmStereoView *views; /* full resolution */
    size_t view_count;
    AqmCoarse coarse;
    double h_low[AQM_COARSE_VIEWS_MAX], h_high[AQM_COARSE_VIEWS_MAX]; /* found; NaN = not */
} Search;

enum { BINS = 256, MAX_GAP = 3 };

/* Least and largest of the values that belong to a body of the scene: the values are counted in
 * bins even in inverse apparent depth, runs of filled bins (with gaps of up to MAX_GAP) are bodies,
 * and a body with less than a twentieth of the largest one's values is chance. */
static void bodies(const AqmView *view, const double *h, size_t count, double *low, double *high) {
    const double camera_height = view->water_z - view->C[2], n = view->n;
    size_t bins[BINS + MAX_GAP + 1] = {0};
    for (size_t k = 0; k < count; k++) {
        const double nearness = camera_height / (camera_height + h[k] / n); /* 0..1 */
        bins[(int)((1.0 - nearness) * (BINS - 1))]++;
    }
    size_t masses[BINS] = {0}, largest = 0;
    int starts[BINS], ends[BINS], runs = 0, last = -2 - MAX_GAP;
    for (int b = 0; b < BINS; b++) {
        if (bins[b] < 2)
            continue;
        if (b - last > MAX_GAP)
            starts[runs++] = b;
        ends[runs - 1] = last = b;
        masses[runs - 1] += bins[b];
        largest = masses[runs - 1] > largest ? masses[runs - 1] : largest;
    }
    int first_bin = BINS, last_bin = -1;
    for (int r = 0; r < runs; r++)
        if (20 * masses[r] >= largest) {
            first_bin = starts[r] < first_bin ? starts[r] : first_bin;
            last_bin = ends[r];
        }
    const double to_h = n * camera_height;
    *low = to_h * (1.0 / (1.0 - (double)first_bin / (BINS - 1)) - 1.0);
    *high = to_h * (1.0 / (1.0 - fmin(0.999, (double)(last_bin + 1) / (BINS - 1))) - 1.0);
}

/* The range of h that view k is sure of; NaN where that is too little. */
static AqmStatus collect(Search *search, size_t k, AqmDiag *diag) {
    const AqmCoarseView *coarse = &search->coarse.views[k];
    const int width = coarse->view->width, height = coarse->view->height;
    double *found = aqm_alloc((size_t)width * (size_t)height, sizeof *found);
    if (!found)
        return aqm_fail_memory(diag, "a coarse depth map", (size_t)width * (size_t)height, 8);
#pragma omp parallel for num_threads(aqm_thread_count(search->coarse.options.threads))             \
    schedule(static)
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            double point[3];
            found[at] = aqm_coarse_is_sure(&search->coarse, k, x, y, point) ? (double)coarse->h[at]
                                                                            : (double)NAN;
        }
    size_t count = 0;
    for (size_t at = 0; at < (size_t)width * (size_t)height; at++)
        if (!isnan(found[at]))
            found[count++] = found[at];
    if (count >= MIN_PIXELS) {
        double low, high;
        bodies(coarse->view, found, count, &low, &high);
        search->h_low[k] = fmax(low, aqm_percentile_f64(found, count, 0.2));
        search->h_high[k] = fmin(high, aqm_percentile_f64(found, count, 99.8));
    }
    aqm_free(found);
    return AQM_OK;
}

/* From h over the whole image to ray depth: the ray straight down is the shortest. */
static AqmDepthRange widen(const AqmView *view, double h_low, double h_high, double margin_m) {
    double steepest = 1.0;
    for (int k = 0; k < 4; k++) {
        AqmRay ray;
        if (aqm_view_cast(view, (k & 1) * (view->width - 1), k / 2 * (view->height - 1), &ray))
            steepest = fmin(steepest, ray.direction[2]);
    }
    const double low = h_low, high = h_high / steepest, more = margin_m + 0.05 * (high - low);
    const double down_more = margin_m + 0.05 * (h_high - h_low);
    return (AqmDepthRange){fmax(low - more, 0.0), high + more, fmax(h_low - down_more, 0.0),
                           h_high + down_more};
}

static AqmStatus search_level(Search *search, const AqmCoarseOptions *options, int finer,
                              size_t *found, AqmDiag *diag) {
    aqm_coarse_free(&search->coarse);
    AQM_TRY(
        aqm_coarse_sweep(&search->coarse, search->views, search->view_count, options, finer, diag));
    *found = 0;
    for (size_t k = 0; k < search->view_count; k++) {
        search->h_low[k] = search->h_high[k] = (double)NAN;
        if (search->coarse.views[k].h)
            AQM_TRY(collect(search, k, diag));
        *found += !isnan(search->h_low[k]);
    }
    return AQM_OK;
}

static void report(const Search *search, double margin_m, AqmDepthRange *ranges) {
    double low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < search->view_count; k++)
        if (!isnan(search->h_low[k])) {
            low = fmin(low, search->h_low[k]);
            high = fmax(high, search->h_high[k]);
        }
    for (size_t k = 0; k < search->view_count; k++) {
        ranges[k] = (AqmDepthRange){.min_m = (double)NAN, .max_m = (double)NAN};
        if (!search->coarse.views[k].h)
            continue;
        const bool has_own = !isnan(search->h_low[k]);
        ranges[k] = widen(search->views[k].view, has_own ? search->h_low[k] : low,
                          has_own ? search->h_high[k] : high, margin_m);
    }
}

AqmStatus aqm_stereo_find_ranges(const AqmStereoView *views, size_t view_count, int num_neighbors,
                                 bool include_center, double margin_m, int threads,
                                 AqmDepthRange *ranges, AqmDiag *diag) {
    if (view_count > AQM_COARSE_VIEWS_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu views: at most %d", view_count,
                        AQM_COARSE_VIEWS_MAX);
    Search *search = aqm_calloc(1, sizeof *search);
    if (!search)
        return aqm_fail_memory(diag, "the coarse sweep", 1, sizeof *search);
    search->views = views;
    search->view_count = view_count;
    const AqmCoarseOptions options = {.num_neighbors = num_neighbors,
                                      .threads = threads,
                                      .include_center = include_center,
                                      .window = COARSE_WINDOW,
                                      .plane_step_px = plane_step_px,
                                      .agree_px = agree_px};
    int finest = 0;
    for (size_t k = 0; k < view_count; k++) {
        const int halvings = aqm_coarse_halvings(views[k].view);
        finest = halvings > finest ? halvings : finest;
    }
    AqmStatus status = AQM_OK;
    size_t found = 0;
    for (int finer = 0; finer <= finest && finer <= MAX_FINER; finer++) {
        status = search_level(search, &options, finer, &found, diag);
        if (status != AQM_OK || 2 * found >= search->coarse.reference_count)
            break;
    }
    if (status == AQM_OK && found > 0)
        report(search, margin_m, ranges);
    else if (status == AQM_OK)
        status =
            aqm_fail(diag, AQM_ERROR_NO_DATA,
                     "no depth range was found: in no view do at least %d pixels match the others "
                     "for sure; set reconstruction.depth_range",
                     MIN_PIXELS);
    aqm_coarse_free(&search->coarse);
    aqm_free(search);
    return status;
}
