/* Depth by dense matching: every pair of views gives a warp either way, every warp a depth map, and
 * a view's depth map is what those of its pairs agree on.
 *
 * A pair serves both of its views. Depth maps of pairs wait only until the other view's turn comes:
 * of a ring of 12 views with 4 neighbours and a centre camera some ten at a time. */
#include <math.h>

#include "aquamvs/dense.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_warps.h"

/* The depth maps that pairs gave a view, and which of them have been at work. */
typedef struct Pending {
    AqmDepthMap *maps[AQM_CAMERAS_MAX];
    size_t count;
} Pending;

typedef struct Dense {
    AqmFrameWork *work;
    Pending *pending; /* per view */
    bool *is_done;    /* per pair */
} Dense;

static void dense_free(Dense *dense) {
    for (size_t v = 0; dense->pending && v < dense->work->view_count; v++)
        for (size_t k = 0; k < dense->pending[v].count; k++)
            aqm_depth_map_destroy(&dense->pending[v].maps[k]);
    aqm_free(dense->pending);
    aqm_free(dense->is_done);
}

static AqmStatus add_depth(Dense *dense, size_t reference, size_t source, const AqmWarp *warp,
                           AqmDiag *diag) {
    const AqmFrameWork *work = dense->work;
    const AqmConfig *config = work->job->config;
    if (work->views[reference].is_auxiliary)
        return AQM_OK;
    const bool is_roma = config->matcher_type == AQM_MATCHER_ROMA;
    AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    options.certainty_threshold = config->dense_matching.certainty_threshold;
    /* warps that are depth maps have nothing to gain from a sample of themselves */
    options.max_correspondences = is_roma ? config->dense_matching.max_correspondences : 0;
    options.threads = config->runtime.threads;
    Pending *pending = &dense->pending[reference];
    AQM_TRY(aqm_warp_depth(&pending->maps[pending->count], work->views[reference].view,
                           work->views[source].view, warp, &work->ranges[reference], &options,
                           diag));
    pending->count++;
    return AQM_OK;
}

static AqmStatus match_pair(Dense *dense, size_t p, AqmDiag *diag) {
    const AqmFramePair *pair = &dense->work->pairs[p];
    AqmWarpPair warps = {NULL, NULL};
    AQM_TRY(aqm_frame_find_warps(dense->work, pair, &warps, diag));
    AqmStatus status = add_depth(dense, pair->first, pair->second, warps.there, diag);
    if (status == AQM_OK)
        status = add_depth(dense, pair->second, pair->first, warps.back, diag);
    aqm_warp_pair_free(&warps);
    dense->is_done[p] = true;
    return status;
}

/* Pixels beside the mask have the depth of their cell, which may lie within it. */
static void drop_masked(const AqmFrameWork *work, size_t v, AqmDepthMap *map) {
    for (int y = 0; y < map->height; y++)
        for (int x = 0; x < map->width; x++) {
            const size_t at = (size_t)y * (size_t)map->width + (size_t)x;
            if (!aqm_frame_is_masked(work, v, (const float[]){(float)x, (float)y}))
                continue;
            map->depth_m[at] = map->sigma_m[at] = NAN;
            map->confidence[at] = 0.0f;
        }
}

/* What the pairs of a view agree on. */
static AqmStatus merge(Dense *dense, size_t v, AqmDiag *diag) {
    AqmFrameWork *work = dense->work;
    const AqmConfig *config = work->job->config;
    Pending *pending = &dense->pending[v];
    if (pending->count == 0) {
        aqm_log(&work->log, AQM_LOG_WARNING,
                "frame %d: camera %s sees nothing that another camera sees; it has no depth map",
                work->job->frame, aqm_frame_view_name(work, v));
        return AQM_OK;
    }
    const int others = config->reconstruction.fusion.min_consistent_views - 1;
    const int most = (int)pending->count, agree = others < 1 ? 1 : others < most ? others : most;
    AqmDepthMap *map = NULL;
    AQM_TRY(aqm_depth_merge(&map, (const AqmDepthMap *const *)pending->maps, pending->count,
                            config->reconstruction.roma_depth_tolerance, agree,
                            config->runtime.threads, diag));
    for (size_t k = 0; k < pending->count; k++)
        aqm_depth_map_destroy(&pending->maps[k]);
    pending->count = 0;
    drop_masked(work, v, map);
    return aqm_frame_take_map(work, v, map, diag);
}

static AqmStatus estimate_views(Dense *dense, AqmDiag *diag) {
    AqmFrameWork *work = dense->work;
    size_t done = 0;
    for (size_t v = 0; v < work->view_count; v++) {
        if (work->views[v].is_auxiliary)
            continue;
        for (size_t p = 0; p < work->pair_count; p++) {
            const bool is_its = work->pairs[p].first == v || work->pairs[p].second == v;
            if (!is_its || dense->is_done[p])
                continue;
            AQM_TRY(aqm_frame_enter(work, AQM_STAGE_STEREO, done++, work->pair_count, diag));
            AQM_TRY_PART("pair", match_pair(dense, p, diag));
        }
        AQM_TRY_PART("merge", merge(dense, v, diag));
    }
    return AQM_OK;
}

AqmStatus aqm_frame_estimate_densely(AqmFrameWork *work, AqmDiag *diag) {
    AQM_TRY(aqm_frame_find_pairs(work, diag));
    AQM_TRY(aqm_frame_need_stereo_images(work, diag));
    Dense dense = {work, aqm_calloc(work->view_count, sizeof *dense.pending),
                   aqm_calloc(work->pair_count, sizeof *dense.is_done)};
    AqmStatus status =
        dense.pending && dense.is_done
            ? AQM_OK
            : aqm_fail_memory(diag, "depth maps of pairs", work->view_count, sizeof *dense.pending);
    if (status == AQM_OK)
        status = estimate_views(&dense, diag);
    dense_free(&dense);
    aqm_frame_drop_stereo_images(work);
    return status;
}
