#include "pipeline/frame_warps.h"

#include <math.h>

#include "aquamvs/dense.h"
#include "aquamvs/features.h"
#include "aquamvs/geometry.h"
#include "base/diag.h"
#include "pipeline/models.h"

void aqm_warp_pair_free(AqmWarpPair *warps) {
    aqm_warp_destroy(&warps->there);
    aqm_warp_destroy(&warps->back);
}

/* Where to look in a view: the range that was found for it; for an auxiliary one, which has none,
 * what lies between the highest and the lowest bed of the others, along all of its rays. */
static AqmDepthRange range_of(const AqmFrameWork *work, size_t v) {
    if (!isnan(work->ranges[v].min_m))
        return work->ranges[v];
    AqmDepthRange range = {.min_m = INFINITY, .max_m = 0.0, INFINITY, 0.0};
    double steepest = 1.0;
    for (size_t k = 0; k < work->view_count; k++) {
        const AqmDepthRange *other = &work->ranges[k];
        if (isnan(other->min_m))
            continue;
        const bool is_known = other->down_max_m > 0.0;
        range.down_min_m = fmin(range.down_min_m, is_known ? other->down_min_m : 0.0);
        range.down_max_m = fmax(range.down_max_m, is_known ? other->down_max_m : other->max_m);
    }
    const AqmView *view = work->views[v].view;
    for (int k = 0; k < 4; k++) {
        AqmRay ray;
        if (aqm_view_cast(view, (k & 1) * (view->width - 1), k / 2 * (view->height - 1), &ray))
            steepest = fmin(steepest, ray.direction[2]);
    }
    range.min_m = range.down_min_m;
    range.max_m = range.down_max_m / fmax(steepest, 0.2);
    return range;
}

static AqmStatus estimate_pair(const AqmFrameWork *work, size_t reference, size_t source,
                               AqmDepthMap **map, AqmDiag *diag) {
    const AqmDepthRange range = range_of(work, reference);
    return aqm_stereo_estimate(work->views, work->view_count, reference, &source, 1, 0, &range,
                               &work->job->config->reconstruction.stereo, map, diag);
}

static AqmStatus built_in_warps(const AqmFrameWork *work, size_t a, size_t b, AqmWarpPair *warps,
                                AqmDiag *diag) {
    const AqmView *first = work->views[a].view, *second = work->views[b].view;
    const int threads = work->job->config->runtime.threads;
    AqmDepthMap *there = NULL, *back = NULL;
    AqmStatus status = estimate_pair(work, a, b, &there, diag);
    if (status == AQM_OK)
        status = estimate_pair(work, b, a, &back, diag);
    if (status == AQM_OK)
        status = aqm_warp_from_depth(&warps->there, first, there, second, back, threads, diag);
    if (status == AQM_OK)
        status = aqm_warp_from_depth(&warps->back, second, back, first, there, threads, diag);
    aqm_depth_map_destroy(&there);
    aqm_depth_map_destroy(&back);
    return status;
}

/* A model sees 8 bits: the image itself, or a gray one made of it. */
static AqmStatus model_image(const AqmFrameWork *work, size_t v, AqmImage **made, AqmImageView *out,
                             AqmDiag *diag) {
    const AqmImage *image = work->images[work->camera_of[v]];
    *out = aqm_image_view(image);
    if (image->type == AQM_U8)
        return AQM_OK;
    const AqmImageView view = *out;
    AQM_TRY(aqm_features_image(made, &view, NULL, work->full_scale[work->camera_of[v]], 0.0, diag));
    *out = aqm_image_view(*made);
    return AQM_OK;
}

/* A model knows nothing of masks: cells of what the mask of either view leaves out have no say. */
static void drop_masked(const AqmFrameWork *work, size_t from, size_t to, AqmWarp *warp) {
    const AqmView *view = work->views[from].view;
    for (int j = 0; j < warp->height; j++)
        for (int i = 0; i < warp->width; i++) {
            const size_t cell = (size_t)j * (size_t)warp->width + (size_t)i;
            const float center[2] = {
                ((float)i + 0.5f) * (float)view->width / (float)warp->width - 0.5f,
                ((float)j + 0.5f) * (float)view->height / (float)warp->height - 0.5f};
            if (!aqm_frame_is_masked(work, from, center) &&
                !aqm_frame_is_masked(work, to, warp->target + 2 * cell))
                continue;
            warp->target[2 * cell] = warp->target[2 * cell + 1] = NAN;
            warp->certainty[cell] = 0.0f;
        }
}

static AqmStatus learned_warps(const AqmFrameWork *work, size_t a, size_t b, AqmWarpPair *warps,
                               AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const int width = config->dense_matching.roma_anchor_width;
    const int height = config->dense_matching.roma_anchor_height;
    AqmModel *model = work->job->models->dense;
    AqmImage *made[2] = {NULL, NULL};
    AqmImageView first, second;
    AqmStatus status = model_image(work, a, &made[0], &first, diag);
    if (status == AQM_OK)
        status = model_image(work, b, &made[1], &second, diag);
    if (status == AQM_OK)
        status = aqm_learned_warp(&warps->there, model, &first, &second, width, height, diag);
    if (status == AQM_OK)
        status = aqm_learned_warp(&warps->back, model, &second, &first, width, height, diag);
    if (status == AQM_OK) {
        drop_masked(work, a, b, warps->there);
        drop_masked(work, b, a, warps->back);
    }
    aqm_image_destroy(&made[0]);
    aqm_image_destroy(&made[1]);
    return status;
}

AqmStatus aqm_frame_find_warps(const AqmFrameWork *work, const AqmFramePair *pair,
                               AqmWarpPair *warps, AqmDiag *diag) {
    const AqmStatus status = work->job->config->matcher_type == AQM_MATCHER_ROMA
                                 ? learned_warps(work, pair->first, pair->second, warps, diag)
                                 : built_in_warps(work, pair->first, pair->second, warps, diag);
    if (status == AQM_OK)
        return AQM_OK;
    aqm_warp_pair_free(warps);
    aqm_diag_prefix(diag, "cameras %s and %s: ", aqm_frame_view_name(work, pair->first),
                    aqm_frame_view_name(work, pair->second));
    return status;
}
