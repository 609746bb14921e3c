/* The depth ranges of all views, found by themselves.
 *
 * A sweep at low resolution gives every reference view a coarse depth map over everything from just
 * below the surface to twenty times the camera's height of apparent depth (in inverse depth that is
 * 95 % of the way to infinity and costs little). A pixel counts if it agrees with its neighbours
 * and with the coarse maps of other views, which throws out what repeats or has no texture. The
 * range of a view spans the bodies of the scene that these pixels form, less chance matches (0.2 %
 * at either end, and separate runs with less than a twentieth of the largest body's pixels),
 * widened by the margin and a twentieth of itself. Where fewer than half of the views get a range
 * (fine texture on a featureless bed), twice the resolution is tried; a view that gets none of its
 * own takes the depths the others found. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "math/stats.h"
#include "stages/stereo/level.h"
#include "stages/stereo/sweep.h"

enum { MAX_FINER = 1 }; /* eight times the cost a step */
enum { COARSE_WIDTH = 240, COARSE_WINDOW = 9, MIN_PIXELS = 150, MAX_VIEWS = 64 };
static const double apparent_limit = 20.0; /* of the camera's height over the water */
static const double plane_step_px = 1.0, agree_px = 2.5;
static const float min_confidence = 0.39f;

/* One view at low resolution. */
typedef struct Coarse {
    const AqmView *view;
    float *h, *confidence; /* NULL for auxiliary views */
    double scale;          /* see metres_per_px */
    double h_low, h_high;  /* found; NaN = not */
} Coarse;

typedef struct Search {
    const AqmStereoView *views; /* full resolution */
    size_t view_count, reference_count;
    int num_neighbors, threads;
    bool include_center;
    AqmLevel level;
    Coarse coarse[MAX_VIEWS];
} Search;

static void release(Search *search) {
    for (size_t k = 0; k < search->view_count; k++) {
        aqm_free(search->coarse[k].h);
        search->coarse[k] = (Coarse){0};
    }
    aqm_level_free(&search->level);
}

static int halvings_of(const AqmView *view) {
    int halvings = 0;
    while (view->width >> halvings > COARSE_WIDTH && view->height >> halvings > COARSE_WIDTH / 2)
        halvings++;
    return halvings;
}

/* Takes every view to its coarse resolution, or `finer` steps above it. */
static AqmStatus shrink(Search *search, int finer, AqmDiag *diag) {
    int halvings[MAX_VIEWS];
    for (size_t k = 0; k < search->view_count; k++) {
        const int most = halvings_of(search->views[k].view);
        halvings[k] = most > finer ? most - finer : 0;
    }
    AQM_TRY(aqm_level_create(&search->level, search->views, search->view_count, halvings, diag));
    for (size_t k = 0; k < search->view_count; k++)
        search->coarse[k].view = &search->level.views[k];
    return AQM_OK;
}

/* One view's coarse map, on one thread: the views are small and many. */
static AqmStatus sweep_coarse(Search *search, size_t k) {
    size_t sources[MAX_VIEWS], source_count, spare_count;
    aqm_stereo_select_sources(search->level.stereo, search->view_count, k, search->num_neighbors,
                              search->include_center, NULL, sources, &source_count, &spare_count);
    Coarse *coarse = &search->coarse[k];
    const size_t pixels = (size_t)coarse->view->width * (size_t)coarse->view->height;
    coarse->h = aqm_alloc(2 * pixels, sizeof *coarse->h);
    if (!coarse->h)
        return AQM_ERROR_MEMORY;
    coarse->confidence = coarse->h + pixels;
    for (size_t p = 0; p < pixels; p++) {
        coarse->h[p] = NAN;
        coarse->confidence[p] = 0.0f;
    }
    if (source_count == 0)
        return AQM_OK;
    AqmSweep *sweep = NULL;
    AQM_TRY(aqm_sweep_create(&sweep, search->level.stereo, k, sources, source_count, 0,
                             AQM_COST_NCC, COARSE_WINDOW, 1, NULL));
    const double camera_height = coarse->view->water_z - coarse->view->C[2];
    const double h_min = 0.002 * camera_height;
    const double h_max = coarse->view->n * (apparent_limit - 1.0) * camera_height;
    const int wanted = aqm_plane_count_for(sweep, h_min, h_max, plane_step_px);
    const int count = wanted < 16 ? 16 : wanted > 2048 ? 2048 : wanted;
    coarse->scale = aqm_sweep_metres_per_px(sweep, 0.0) / (camera_height * camera_height);
    const AqmPlanes planes = aqm_planes(sweep, h_min, h_max, count);
    const AqmStatus status =
        aqm_sweep_planes(sweep, &planes, 4, coarse->h, coarse->confidence, NULL);
    aqm_sweep_destroy(&sweep);
    return status;
}

/* Metres of h that move a source pixel by one pixel, about (n z^2 over focal length and baseline).
 */
static double metres_per_px(const Coarse *coarse, double h) {
    const double z = coarse->view->water_z - coarse->view->C[2] + h / coarse->view->n;
    return coarse->scale * z * z;
}

/* How many other views' coarse maps say the same of the point at (x, y, h) of view k. */
static int votes(const Search *search, size_t k, const AqmRay *ray, double h) {
    const double s = h / ray->direction[2];
    const double point[3] = {ray->origin[0] + s * ray->direction[0],
                             ray->origin[1] + s * ray->direction[1],
                             ray->origin[2] + s * ray->direction[2]};
    int count = 0;
    for (size_t j = 0; j < search->view_count; j++) {
        const Coarse *other = &search->coarse[j];
        double pixel[2];
        if (j == k || !other->h || !aqm_view_project(other->view, point, pixel))
            continue;
        const double u = floor(pixel[0] + 0.5), v = floor(pixel[1] + 0.5);
        if (u < 0 || v < 0 || u > other->view->width - 1 || v > other->view->height - 1)
            continue;
        const size_t at = (size_t)v * (size_t)other->view->width + (size_t)u;
        const double near_m = agree_px * metres_per_px(other, h);
        count += fabs((double)other->h[at] - h) < near_m;
    }
    return count;
}

static bool agrees_with_neighbors(const Coarse *coarse, int x, int y, double near_m) {
    const int width = coarse->view->width;
    const float *center = coarse->h + (size_t)y * (size_t)width + (size_t)x;
    int agree = 0;
    for (int k = 0; k < 9; k++)
        agree += fabs((double)(center[(k / 3 - 1) * width + k % 3 - 1] - *center)) < near_m;
    return agree >= 6;
}

enum { BINS = 256, MAX_GAP = 3 };

/* Least and largest of the values that belong to a body of the scene: the values are counted in
 * bins even in inverse apparent depth, runs of filled bins (with gaps of up to MAX_GAP) are bodies,
 * and a body with less than a twentieth of the largest one's values is chance. */
static void bodies(const Coarse *coarse, const double *h, size_t count, double *low, double *high) {
    const double camera_height = coarse->view->water_z - coarse->view->C[2], n = coarse->view->n;
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

/* Does pixel (x, y) of view k agree with its neighbours and with the other views? */
static bool is_sure(const Search *search, size_t k, int x, int y) {
    const Coarse *coarse = &search->coarse[k];
    const size_t at = (size_t)y * (size_t)coarse->view->width + (size_t)x;
    const int needed_votes = search->reference_count >= 4 ? 2 : 1;
    if (x < 1 || y < 1 || x + 1 >= coarse->view->width || y + 1 >= coarse->view->height ||
        !(coarse->confidence[at] >= min_confidence))
        return false;
    const double h = (double)coarse->h[at];
    AqmRay ray;
    return agrees_with_neighbors(coarse, x, y, agree_px * metres_per_px(coarse, h)) &&
           aqm_view_cast(coarse->view, x, y, &ray) && votes(search, k, &ray, h) >= needed_votes;
}

/* The range of h that view k is sure of; NaN where that is too little. */
static AqmStatus collect(Search *search, size_t k, AqmDiag *diag) {
    Coarse *coarse = &search->coarse[k];
    const int width = coarse->view->width, height = coarse->view->height;
    double *found = aqm_alloc((size_t)width * (size_t)height, sizeof *found);
    if (!found)
        return aqm_fail_memory(diag, "a coarse depth map", (size_t)width * (size_t)height, 8);
#pragma omp parallel for num_threads(aqm_thread_count(search->threads)) schedule(static)
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            found[at] = is_sure(search, k, x, y) ? (double)coarse->h[at] : (double)NAN;
        }
    size_t count = 0;
    for (size_t at = 0; at < (size_t)width * (size_t)height; at++)
        if (!isnan(found[at]))
            found[count++] = found[at];
    coarse->h_low = coarse->h_high = (double)NAN;
    if (count >= MIN_PIXELS) {
        double low, high;
        bodies(coarse, found, count, &low, &high);
        coarse->h_low = fmax(low, aqm_percentile_f64(found, count, 0.2));
        coarse->h_high = fmin(high, aqm_percentile_f64(found, count, 99.8));
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

static AqmStatus search_level(Search *search, int finer, size_t *found, AqmDiag *diag) {
    AQM_TRY(shrink(search, finer, diag));
    int failed = 0;
#pragma omp parallel for num_threads(aqm_thread_count(search->threads)) schedule(dynamic, 1)
    for (size_t k = 0; k < search->view_count; k++)
        if (!search->views[k].is_auxiliary && sweep_coarse(search, k) != AQM_OK) {
#pragma omp atomic write
            failed = 1;
        }
    if (failed)
        return aqm_fail_memory(diag, "the coarse sweep", search->view_count, sizeof(Coarse));
    *found = 0;
    for (size_t k = 0; k < search->view_count; k++)
        if (search->coarse[k].h) {
            AQM_TRY(collect(search, k, diag));
            *found += !isnan(search->coarse[k].h_low);
        }
    return AQM_OK;
}

static void report(const Search *search, double margin_m, AqmDepthRange *ranges) {
    double low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < search->view_count; k++)
        if (search->coarse[k].h && !isnan(search->coarse[k].h_low)) {
            low = fmin(low, search->coarse[k].h_low);
            high = fmax(high, search->coarse[k].h_high);
        }
    for (size_t k = 0; k < search->view_count; k++) {
        const Coarse *coarse = &search->coarse[k];
        ranges[k] = (AqmDepthRange){.min_m = (double)NAN, .max_m = (double)NAN};
        if (!coarse->h)
            continue;
        const bool has_own = !isnan(coarse->h_low);
        ranges[k] = widen(search->views[k].view, has_own ? coarse->h_low : low,
                          has_own ? coarse->h_high : high, margin_m);
    }
}

AqmStatus aqm_stereo_find_ranges(const AqmStereoView *views, size_t view_count, int num_neighbors,
                                 bool include_center, double margin_m, int threads,
                                 AqmDepthRange *ranges, AqmDiag *diag) {
    if (view_count > MAX_VIEWS)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%zu views: at most %d", view_count, MAX_VIEWS);
    Search *search = aqm_calloc(1, sizeof *search);
    if (!search)
        return aqm_fail_memory(diag, "the coarse sweep", 1, sizeof *search);
    *search = (Search){.views = views,
                       .view_count = view_count,
                       .num_neighbors = num_neighbors,
                       .include_center = include_center,
                       .threads = threads};
    int finest = 0;
    for (size_t k = 0; k < view_count; k++) {
        search->reference_count += !views[k].is_auxiliary;
        const int halvings = halvings_of(views[k].view);
        finest = halvings > finest ? halvings : finest;
    }
    AqmStatus status = AQM_OK;
    size_t found = 0;
    for (int finer = 0; finer <= finest && finer <= MAX_FINER; finer++) {
        release(search);
        status = search_level(search, finer, &found, diag);
        if (status != AQM_OK || 2 * found >= search->reference_count)
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
    release(search);
    aqm_free(search);
    return status;
}
