/* Tracks of all matches: chains (track_chain.c), a point each (track_point.c), and how well each is
 * known.
 *
 * The standard deviation of a position is that of the errors in the images over the root of the
 * normal matrix' least eigenvalue. What the errors are like all tracks say together: sigma0^2 = sum
 * of squares / sum of (2 m - 3) over points with m observations; one track by itself has one to a
 * few degrees of freedom and says little. So each takes part with what it has and the common value
 * with PRIOR degrees of freedom: (squares + PRIOR sigma0^2) / (2 m - 3 + PRIOR), the mean of an
 * inverse gamma posterior but for a factor near 1. Points are independent of each other: threads
 * share them, and the sums run afterwards in the order of the points. */
#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/matching/track_point.h"

static const double PRIOR = 4.0;
/* No match is better than this: 1/50 px, where sensor noise and interpolation end. */
static const double LEAST_SIGMA_PX = 0.02;

AqmTrackOptions aqm_track_options_default(void) {
    return (AqmTrackOptions){.max_error_px = 1.5, .min_angle_deg = 1.5, .threads = 0};
}

AqmStatus aqm_track_options_validate(const AqmTrackOptions *options, AqmDiag *diag) {
    if (!(options->max_error_px >= 0.01 && options->max_error_px <= 100.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_error_px is %g: must be in 0.01..100",
                        options->max_error_px);
    if (!(options->min_angle_deg >= 0.0 && options->min_angle_deg <= 90.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_angle_deg is %g: must be in 0..90",
                        options->min_angle_deg);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all) or more",
                        options->threads);
    return AQM_OK;
}

/* Everything that is held while points are found; the chains' observations are those of `sights`.
 */
typedef struct Work {
    const AqmMatchView *views;
    const AqmTrackOptions *options;
    AqmTrackChains *chains;
    AqmTrackSight *sights;
    AqmRay *rays;
    AqmTrackPoint *points; /* one a chain */
} Work;

static void work_free(Work *work) {
    aqm_track_chains_destroy(&work->chains);
    aqm_free(work->sights);
    aqm_free(work->rays);
    aqm_free(work->points);
}

static AqmStatus find_points(Work *work, AqmDiag *diag) {
    const AqmTrackChains *chains = work->chains;
    const size_t observations = chains->first[chains->count];
    work->sights = aqm_calloc(observations, sizeof *work->sights);
    work->rays = aqm_alloc(observations, sizeof *work->rays);
    work->points = aqm_alloc(chains->count, sizeof *work->points);
    if (!work->sights || !work->rays || !work->points)
        return aqm_fail_memory(diag, "tracks", observations, sizeof *work->sights);
#pragma omp parallel for num_threads(aqm_thread_count(work->options->threads)) schedule(dynamic, 64)
    for (size_t c = 0; c < chains->count; c++) {
        const size_t first = chains->first[c], link = chains->first_link[c];
        for (size_t k = first; k < chains->first[c + 1]; k++)
            work->sights[k].seen = chains->observation[k];
        aqm_track_point(work->views, work->options, chains->link + link,
                        chains->first_link[c + 1] - link, work->sights + first,
                        chains->first[c + 1] - first, work->rays + first, &work->points[c]);
    }
    return AQM_OK;
}

static double freedom(const AqmTrackPoint *point) {
    return 2.0 * (double)point->sight_count - 3.0;
}

/* The variance of an observation that all points together show, px^2. */
static double common_variance(const AqmTrackPoint *points, size_t count) {
    double squares = 0.0, degrees = 0.0;
    for (size_t c = 0; c < count; c++)
        if (points[c].sight_count > 0)
            squares += points[c].squares_px2, degrees += freedom(&points[c]);
    return fmax(squares / fmax(degrees, 1.0), LEAST_SIGMA_PX * LEAST_SIGMA_PX);
}

static AqmStatus gather(const Work *work, AqmTracks **out, AqmDiag *diag) {
    size_t count = 0, observations = 0;
    for (size_t c = 0; c < work->chains->count; c++) {
        count += work->points[c].sight_count > 0;
        observations += work->points[c].sight_count;
    }
    AqmTracks *tracks = NULL;
    AQM_TRY(aqm_tracks_create(&tracks, count, observations, diag));
    const double common = common_variance(work->points, work->chains->count);
    size_t i = 0, next = 0;
    for (size_t c = 0; c < work->chains->count; c++) {
        const AqmTrackPoint *point = &work->points[c];
        if (point->sight_count == 0)
            continue;
        const double variance = (point->squares_px2 + PRIOR * common) / (freedom(point) + PRIOR);
        for (int k = 0; k < 3; k++)
            tracks->position[3 * i + (size_t)k] = point->position[k];
        tracks->sigma_m[i] = (float)sqrt(variance / point->weakest);
        tracks->error_px[i] = (float)sqrt(point->squares_px2 / (double)point->sight_count);
        for (size_t k = 0; k < point->sight_count; k++)
            tracks->observation[next++] = work->sights[work->chains->first[c] + k].seen;
        tracks->first[++i] = next;
    }
    *out = tracks;
    return AQM_OK;
}

AqmStatus aqm_tracks_build(AqmTracks **out, const AqmMatchView *views, size_t view_count,
                           const AqmMatchPair *pairs, size_t pair_count,
                           const AqmTrackOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_track_options_validate(options, diag));
    Work work = {.views = views, .options = options};
    AqmStatus status =
        aqm_track_chains_create(&work.chains, views, view_count, pairs, pair_count, diag);
    if (status == AQM_OK)
        status = find_points(&work, diag);
    if (status == AQM_OK)
        status = gather(&work, out, diag);
    work_free(&work);
    return status;
}
