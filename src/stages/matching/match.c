/* Matches of two images: counterparts along the refracted epipolar curves both ways round
 * (match_search.c), of those that choose each other the ratio test, then least squares between the
 * images (match_refine.c).
 *
 * The best at another place is the ratio's denominator, the smaller of both ways. A feature without
 * a rival on its curve is judged against what unrelated features differ by at the least.
 *
 * Cost for two images of 1600 x 1200 px and 2048 features: 40 ms of one core (bench/matching);
 * memory 130 bytes a feature. */
#include <math.h>

#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/matching/match_refine.h"
#include "stages/matching/match_search.h"

static const float unrelated = 0.8f; /* a tenth of random pairs of features in sand are nearer */

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

/* Those that choose each other and pass the ratio test, in the order of `first`. */
static size_t choose(const AqmMatchView *first, const AqmMatchView *second, const AqmBest *there,
                     const AqmBest *back, double threshold, Pair *pairs) {
    size_t count = 0;
    for (uint32_t k = 0; k < first->features->count; k++) {
        const uint32_t other = there[k].feature;
        if (other == AQM_NO_FEATURE || back[other].feature != k)
            continue;
        const float rival = fminf(fminf(there[k].second, back[other].second), unrelated);
        const float score = 1.0f - there[k].distance / rival;
        if (!((double)score >= threshold && score >= 0.0f))
            continue;
        const float *at = second->features->position + 2 * (size_t)other;
        pairs[count++] = (Pair){.first = k,
                                .second = other,
                                .score = score,
                                .depth_m = there[k].depth_m,
                                .second_position = {(double)at[0], (double)at[1]}};
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

static AqmStatus search(const AqmMatchView *from, const AqmMatchView *to,
                        const AqmMatchOptions *options, AqmBest *best, AqmDiag *diag) {
    AqmFeatureGrid grid;
    const double cell_px = fmax(16.0, 4.0 * options->epipolar_px);
    AQM_TRY(aqm_feature_grid_create(&grid, to->features, to->view->width, to->view->height, cell_px,
                                    diag));
    aqm_match_search(from, to, &grid, options->epipolar_px, options->threads, best);
    aqm_feature_grid_free(&grid);
    return AQM_OK;
}

static AqmStatus match(AqmMatches **out, const AqmMatchView *first, const AqmMatchView *second,
                       const AqmMatchOptions *options, AqmBest *there, AqmBest *back, Pair *pairs,
                       AqmDiag *diag) {
    AQM_TRY(search(first, second, options, there, diag));
    AQM_TRY(search(second, first, options, back, diag));
    const size_t count = choose(first, second, there, back, options->filter_threshold, pairs);
    if (first->gray && second->gray) {
#pragma omp parallel for num_threads(aqm_thread_count(options->threads)) schedule(dynamic, 16)
        for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++)
            refine(&pairs[k], first, second);
    }
    return collect(out, pairs, count, first, diag);
}

AqmStatus aqm_match_features(AqmMatches **out, const AqmMatchView *first,
                             const AqmMatchView *second, const AqmMatchOptions *options,
                             AqmDiag *diag) {
    AQM_TRY(check(first, second, options, diag));
    const size_t firsts = first->features->count, seconds = second->features->count;
    AqmBest *there = aqm_alloc(firsts, sizeof *there), *back = aqm_alloc(seconds, sizeof *back);
    Pair *pairs = aqm_alloc(firsts, sizeof *pairs);
    AqmStatus status;
    if (there && back && pairs)
        status = match(out, first, second, options, there, back, pairs, diag);
    else
        status = aqm_fail_memory(diag, "matches", firsts + seconds, sizeof *pairs);
    aqm_free(there);
    aqm_free(back);
    aqm_free(pairs);
    return status;
}
