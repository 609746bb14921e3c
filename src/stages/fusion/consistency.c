/* The options of the fusion stage, and the count of agreeing views per pixel (fusion_vote.c). */
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/cpu.h"
#include "base/diag.h"
#include "stages/fusion/fusion_coarse.h"
#include "stages/fusion/fusion_vote.h"

AqmFusionOptions aqm_fusion_options_default(void) {
    return (AqmFusionOptions){
        .min_consistent_views = 3,
        .depth_tolerance_m = 0.005,
        .min_confidence = 0.1,
        .voxel_size_m = 0.001,
        .matched_views = 4,
        .outlier_removal_enabled = true,
        .outlier_nb_neighbors = 20,
        .outlier_std_ratio = 2.0,
        .threads = 0,
    };
}

AqmStatus aqm_fusion_options_validate(const AqmFusionOptions *options, AqmDiag *diag) {
    if (options->min_consistent_views < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_consistent_views is %d: must be at least 1",
                        options->min_consistent_views);
    if (!(options->depth_tolerance_m > 0.0 && options->depth_tolerance_m < INFINITY))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "depth_tolerance is %g m: must be positive",
                        options->depth_tolerance_m);
    if (!(options->min_confidence >= 0.0 && options->min_confidence <= 1.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "min_confidence is %g: must be in 0..1",
                        options->min_confidence);
    if (!(options->voxel_size_m >= 1e-6 && options->voxel_size_m <= 1e3))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "voxel_size is %g m: must be in 1e-6..1000",
                        options->voxel_size_m);
    if (options->matched_views < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "matched_views is %d: must be 0 (all) or more",
                        options->matched_views);
    if (options->outlier_nb_neighbors < 1 || options->outlier_nb_neighbors > 1000)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "outlier_nb_neighbors is %d: must be in 1..1000",
                        options->outlier_nb_neighbors);
    if (!(options->outlier_std_ratio > 0.0 && options->outlier_std_ratio < INFINITY))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "outlier_std_ratio is %g: must be positive",
                        options->outlier_std_ratio);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all cores) or more",
                        options->threads);
    return AQM_OK;
}

/* Copies the part of the tile's counts that lies inside the map. */
static void copy_counts(const AqmVotes *votes, int x0, int y0, int width, int height,
                        uint8_t *counts) {
    for (int y = 0; y < AQM_TILE_SIDE && y0 + y < height; y++) {
        const int length = width - x0 < AQM_TILE_SIDE ? width - x0 : AQM_TILE_SIDE;
        memcpy(counts + (size_t)(y0 + y) * (size_t)width + (size_t)x0,
               votes->counts + y * AQM_TILE_SIDE, (size_t)length);
    }
}

AqmStatus aqm_fusion_consistency(const AqmFusionView *views, size_t view_count, size_t reference,
                                 const AqmFusionOptions *options, uint8_t *counts, AqmDiag *diag) {
    assert(reference < view_count);
    const int threads = aqm_thread_count(options->threads);
    AqmFusionScene scene;
    AQM_TRY(aqm_fusion_scene_init(&scene, views, view_count, options, diag));
    AqmVotes *votes = NULL;
    const AqmStatus status = aqm_votes_create(&votes, &scene, threads, diag);
    const int width = views[reference].depth->width, height = views[reference].depth->height;
    if (status == AQM_OK) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (int y0 = 0; y0 < height; y0 += AQM_TILE_SIDE)
            for (int x0 = 0; x0 < width; x0 += AQM_TILE_SIDE) {
                AqmVotes *own = &votes[omp_get_thread_num()];
                aqm_votes_take(own, &scene, reference, x0, y0, false);
                copy_counts(own, x0, y0, width, height, counts);
            }
    }
    aqm_votes_destroy(&votes, threads);
    aqm_fusion_scene_drop(&scene);
    return status;
}

/* ---- agreement ------------------------------------------------------------------------------- */

enum { TILES_SAMPLED = 512, LEAST_THINNED = 2 * TILES_SAMPLED };

static size_t tiles_across(int length) {
    return ((size_t)length + AQM_TILE_SIDE - 1) / AQM_TILE_SIDE;
}

static size_t tiles_of(const AqmSightMap *map) {
    return tiles_across(map->width) * tiles_across(map->height);
}

/* Votes on tile number `tile` of all, counted view by view and row by row. */
static void vote_on(const AqmFusionScene *scene, size_t tile, AqmVotes *votes) {
    size_t view = 0;
    for (; tile >= tiles_of(&scene->maps[view]); view++)
        tile -= tiles_of(&scene->maps[view]);
    const size_t across = tiles_across(scene->maps[view].width);
    aqm_votes_take(votes, scene, view, (int)(tile % across) * AQM_TILE_SIDE,
                   (int)(tile / across) * AQM_TILE_SIDE, false);
}

static void sample_agreement(const AqmFusionScene *scene, AqmVotes *votes, int threads, int needed,
                             size_t *depths, size_t *agreed) {
    size_t tiles = 0, usable = 0, kept = 0;
    for (size_t i = 0; i < scene->count; i++)
        tiles += tiles_of(&scene->maps[i]);
    const size_t step = tiles > TILES_SAMPLED ? tiles / TILES_SAMPLED : 1;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(+ : usable, kept)
    for (size_t tile = step / 2; tile < tiles; tile += step) {
        AqmVotes *own = &votes[omp_get_thread_num()];
        vote_on(scene, tile, own);
        for (int at = 0; at < AQM_TILE_POINTS; at++) {
            usable += own->counts[at] > 0;
            kept += own->counts[at] > 0 && own->counts[at] >= needed;
        }
    }
    *depths = usable;
    *agreed = kept;
}

/* Of how many pixels one is looked at, along rows and columns, so that few more tiles are left than
 * are sampled: all maps must be made ready before any is voted on. */
static int thinning(const AqmFusionView *views, size_t count) {
    size_t tiles = 0;
    int step = 1;
    for (size_t i = 0; i < count; i++)
        tiles += tiles_across(views[i].depth->width) * tiles_across(views[i].depth->height);
    for (; tiles > 4 * (size_t)LEAST_THINNED; tiles /= 4)
        step *= 2;
    return step;
}

static AqmStatus count_agreement(const AqmCoarseViews *thin, int needed,
                                 const AqmFusionOptions *options, size_t *depths, size_t *agreed,
                                 AqmDiag *diag) {
    const int threads = aqm_thread_count(options->threads);
    AqmFusionScene scene;
    AQM_TRY(aqm_fusion_scene_init(&scene, thin->views, thin->count, options, diag));
    AqmVotes *votes = NULL;
    const AqmStatus status = aqm_votes_create(&votes, &scene, threads, diag);
    if (status == AQM_OK)
        sample_agreement(&scene, votes, threads, needed, depths, agreed);
    aqm_votes_destroy(&votes, threads);
    aqm_fusion_scene_drop(&scene);
    return status;
}

AqmStatus aqm_fusion_agreement(const AqmFusionView *views, size_t view_count, int needed,
                               const AqmFusionOptions *options, size_t *depths, size_t *agreed,
                               AqmDiag *diag) {
    AqmCoarseViews thin;
    AQM_TRY(aqm_fusion_views_validate(views, view_count, options, diag));
    AQM_TRY(aqm_thin_views_init(&thin, views, view_count, thinning(views, view_count),
                                options->threads, diag));
    const AqmStatus status = count_agreement(&thin, needed, options, depths, agreed, diag);
    aqm_coarse_views_free(&thin);
    return status;
}
