/* Matches of two images: candidates along the refracted epipolar curves of the features of the
 * first (match_search.c), of those that are each other's best the ratio test, then least squares
 * between the images (match_refine.c). Two features are as near to each other's curves: the second
 * image needs no search of its own.
 *
 * The best at another place is the ratio's denominator, the smaller of both ways. A feature without
 * a rival on its curve is judged against what unrelated features differ by at the least.
 *
 * Cost for two images of 1600 x 1200 px and 2048 features: 20 ms of one core (bench/matching);
 * memory 230 bytes a feature. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/matching/match_refine.h"
#include "stages/matching/match_search.h"

static const double same_place_px = 4.0;

/* ---- options --------------------------------------------------------------------------------- */

AqmMatchOptions aqm_match_options_default(void) {
    return (AqmMatchOptions){.filter_threshold = 0.1, .epipolar_px = 2.0};
}

AqmStatus aqm_match_options_validate(const AqmMatchOptions *options, AqmDiag *diag) {
    if (!(options->filter_threshold >= 0.0 && options->filter_threshold <= 1.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "filter_threshold is %g: must be in 0..1",
                        options->filter_threshold);
    if (!(options->epipolar_px >= 0.1 && options->epipolar_px <= 100.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "epipolar_px is %g: must be in 0.1..100",
                        options->epipolar_px);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must not be negative",
                        options->threads);
    return AQM_OK;
}

static AqmStatus check_view(const AqmMatchView *view, const char *which, AqmDiag *diag) {
    const AqmImageView *gray = view->gray;
    if (gray && (gray->width != view->view->width || gray->height != view->view->height))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "matching: the %s image is %d x %d px, its view %d x %d px", which,
                        gray->width, gray->height, view->view->width, view->view->height);
    if (gray && (gray->channels != 1 || gray->type != AQM_U8))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "matching: the %s image has %d channels of %d bits, must have 1 of 8",
                        which, gray->channels, 8 * (int)gray->type);
    return AQM_OK;
}

static AqmStatus check(const AqmMatchView *first, const AqmMatchView *second,
                       const AqmMatchOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_match_options_validate(options, diag));
    AQM_TRY(check_view(first, "first", diag));
    AQM_TRY(check_view(second, "second", diag));
    if (first->features->descriptor_size != second->features->descriptor_size)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "matching: descriptors of %d and of %d values cannot be compared",
                        first->features->descriptor_size, second->features->descriptor_size);
    return AQM_OK;
}

/* ---- choice ---------------------------------------------------------------------------------- */

/* A match on its way; score < 0: dropped. */
typedef struct Pair {
    uint32_t first, second;
    float score;
    double depth_m;
    double second_position[2];
} Pair;

/* Of a feature: its best counterpart (AQM_NO_FEATURE = none), the distance of their descriptors,
 * and that of the best at another place (AQM_MATCH_UNRELATED = none). */
typedef struct Best {
    uint32_t feature;
    float distance, second;
} Best;

static bool is_same_place(const AqmFeatures *features, uint32_t a, uint32_t b) {
    const float *p = features->position + 2 * (size_t)a, *q = features->position + 2 * (size_t)b;
    return !(hypot((double)(p[0] - q[0]), (double)(p[1] - q[1])) > same_place_px);
}

static void offer_best(Best *best, uint32_t feature, float distance) {
    if (distance < best->distance)
        best->feature = feature, best->distance = distance;
}

static void offer_second(Best *best, const AqmFeatures *features, uint32_t feature,
                         float distance) {
    if (distance < best->second && !is_same_place(features, best->feature, feature))
        best->second = distance;
}

static void clear(Best *best, size_t count) {
    for (size_t k = 0; k < count; k++)
        best[k] = (Best){AQM_NO_FEATURE, AQM_MATCH_UNRELATED, AQM_MATCH_UNRELATED};
}

/* The best of either side by the candidates of the first; then the best at another place. */
static void find_best(const AqmFeatures *first, const AqmFeatures *second,
                      const AqmCandidates *candidates, Best *there, Best *back) {
    clear(there, first->count);
    clear(back, second->count);
    for (uint32_t k = 0; k < first->count; k++)
        for (int i = 0; i < candidates[k].count; i++) {
            const AqmCandidate *c = &candidates[k].kept[i];
            offer_best(&there[k], c->feature, c->distance);
            offer_best(&back[c->feature], k, c->distance);
        }
    for (uint32_t k = 0; k < first->count; k++)
        for (int i = 0; i < candidates[k].count; i++) {
            const AqmCandidate *c = &candidates[k].kept[i];
            offer_second(&there[k], second, c->feature, c->distance);
            offer_second(&back[c->feature], first, k, c->distance);
        }
}

/* What is made for a pair of images: one a feature of the first, `back` one of the second. */
typedef struct Work {
    AqmCandidates *candidates;
    Best *there, *back;
    Pair *pairs;
} Work;

/* Whether what lies on a ray of the first view, `depth_m` along it, is in the range of the second:
 * the search knows that of the first only. */
static bool is_in_range(const AqmMatchView *first, const AqmMatchView *second, const Pair *pair) {
    const AqmDepthRange *range = &second->range;
    const float *at = first->features->position + 2 * (size_t)pair->first;
    AqmRay here, other;
    if (!aqm_view_cast(first->view, (double)at[0], (double)at[1], &here) ||
        !aqm_view_cast(second->view, pair->second_position[0], pair->second_position[1], &other))
        return false;
    const double down = pair->depth_m * here.direction[2], depth = down / other.direction[2];
    return (range->max_m <= 0.0 || (depth >= range->min_m && depth <= range->max_m)) &&
           (range->down_max_m <= 0.0 || (down >= range->down_min_m && down <= range->down_max_m));
}

/* Those that choose each other and pass the ratio test, in the order of `first`. */
static size_t choose(const AqmMatchView *first, const AqmMatchView *second, const Work *work,
                     double threshold) {
    size_t count = 0;
    for (uint32_t k = 0; k < first->features->count; k++) {
        const uint32_t other = work->there[k].feature;
        if (other == AQM_NO_FEATURE || work->back[other].feature != k)
            continue;
        const float rival = fminf(work->there[k].second, work->back[other].second);
        const float score = 1.0f - work->there[k].distance / rival;
        const float *at = second->features->position + 2 * (size_t)other;
        const Pair pair = {.first = k,
                           .second = other,
                           .score = score,
                           .depth_m = work->candidates[k].kept[0].depth_m,
                           .second_position = {(double)at[0], (double)at[1]}};
        if ((double)score >= threshold && is_in_range(first, second, &pair))
            work->pairs[count++] = pair;
    }
    return count;
}

/* ---- positions ------------------------------------------------------------------------------- */

static void refine(Pair *pair, const AqmMatchView *first, const AqmMatchView *second) {
    const float *at = first->features->position + 2 * (size_t)pair->first;
    const double u = (double)at[0], v = (double)at[1];
    AqmPixelRays rays;
    AqmLevelWarp warp;
    if (!aqm_pixel_rays(first->view, u, v, &rays) ||
        !aqm_level_warp(&rays, second->view, pair->depth_m, &warp) ||
        !aqm_match_refine(first->gray, second->gray, u, v, &warp, pair->second_position))
        pair->score = -1.0f;
}

static AqmStatus collect(AqmMatches **out, const Pair *pairs, size_t count,
                         const AqmMatchView *first, AqmDiag *diag) {
    size_t kept = 0;
    for (size_t k = 0; k < count; k++)
        kept += pairs[k].score >= 0.0f;
    AqmMatches *matches = NULL;
    AQM_TRY(aqm_matches_create(&matches, kept, diag));
    for (size_t k = 0; k < count; k++) {
        if (pairs[k].score < 0.0f)
            continue;
        const size_t m = matches->count++;
        matches->first[m] = pairs[k].first;
        matches->second[m] = pairs[k].second;
        matches->score[m] = pairs[k].score;
        for (size_t a = 0; a < 2; a++) {
            matches->first_position[2 * m + a] =
                first->features->position[2 * (size_t)pairs[k].first + a];
            matches->second_position[2 * m + a] = (float)pairs[k].second_position[a];
        }
    }
    *out = matches;
    return AQM_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

static AqmStatus search(const AqmMatchView *first, const AqmMatchView *second,
                        const AqmMatchOptions *options, AqmCandidates *out, AqmDiag *diag) {
    AqmFeatureGrid grid;
    const double cell_px = fmax(16.0, 4.0 * options->epipolar_px);
    AQM_TRY(aqm_feature_grid_create(&grid, second->features, second->view->width,
                                    second->view->height, cell_px, diag));
    aqm_match_search(first, second, &grid, options->epipolar_px, options->threads, out);
    aqm_feature_grid_free(&grid);
    return AQM_OK;
}

static AqmStatus match(AqmMatches **out, const AqmMatchView *first, const AqmMatchView *second,
                       const AqmMatchOptions *options, const Work *work, AqmDiag *diag) {
    AQM_TRY(search(first, second, options, work->candidates, diag));
    find_best(first->features, second->features, work->candidates, work->there, work->back);
    const size_t count = choose(first, second, work, options->filter_threshold);
    if (first->gray && second->gray) {
#pragma omp parallel for num_threads(aqm_thread_count(options->threads)) schedule(dynamic, 16)
        for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++)
            refine(&work->pairs[k], first, second);
    }
    return collect(out, work->pairs, count, first, diag);
}

AqmStatus aqm_match_features(AqmMatches **out, const AqmMatchView *first,
                             const AqmMatchView *second, const AqmMatchOptions *options,
                             AqmDiag *diag) {
    AQM_TRY(check(first, second, options, diag));
    const size_t firsts = first->features->count, seconds = second->features->count;
    Work work = {.candidates = aqm_alloc(firsts, sizeof *work.candidates),
                 .there = aqm_alloc(firsts, sizeof *work.there),
                 .back = aqm_alloc(seconds, sizeof *work.back),
                 .pairs = aqm_alloc(firsts, sizeof *work.pairs)};
    const AqmStatus status =
        work.candidates && work.there && work.back && work.pairs
            ? match(out, first, second, options, &work, diag)
            : aqm_fail_memory(diag, "matches", firsts + seconds, sizeof *work.candidates);
    aqm_free(work.candidates);
    aqm_free(work.there);
    aqm_free(work.back);
    aqm_free(work.pairs);
    return status;
}
