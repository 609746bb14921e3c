/* Matches of a sparse cloud, taken from dense warps. */
#include <math.h>
#include <string.h>

#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_warps.h"

/* The side of the blocks of cells of which one is taken each, so that about max_correspondences
 * are; 0 where no cell is certain. */
static int block_side(const AqmWarp *warp, double threshold, int most) {
    size_t certain = 0;
    for (size_t k = 0; k < (size_t)warp->width * (size_t)warp->height; k++)
        certain += (double)warp->certainty[k] >= threshold;
    return certain == 0 ? 0 : (int)ceil(sqrt((double)certain / (double)most));
}

/* The most certain cell of a block; false where none is certain enough. */
static bool best_of_block(const AqmWarp *warp, int x0, int y0, int side, double threshold, int *x,
                          int *y) {
    float best = -1.0f;
    for (int j = y0; j < y0 + side && j < warp->height; j++)
        for (int i = x0; i < x0 + side && i < warp->width; i++) {
            const float certainty = warp->certainty[(size_t)j * (size_t)warp->width + (size_t)i];
            if (certainty > best && (double)certainty >= threshold) {
                best = certainty;
                *x = i;
                *y = j;
            }
        }
    return best > 0.0f;
}

/* Adds the cell as a match, and a feature on either side. */
static void add_match(const AqmView *view, const AqmWarp *warp, int x, int y, AqmMatches *matches,
                      AqmFeatures *first, AqmFeatures *second) {
    const size_t cell = (size_t)y * (size_t)warp->width + (size_t)x, m = matches->count++;
    matches->first_position[2 * m] = (float)((x + 0.5) * view->width / warp->width - 0.5);
    matches->first_position[2 * m + 1] = (float)((y + 0.5) * view->height / warp->height - 0.5);
    memcpy(matches->second_position + 2 * m, warp->target + 2 * cell, 2 * sizeof(float));
    matches->score[m] = warp->certainty[cell];
    matches->first[m] = (uint32_t)first->count;
    matches->second[m] = (uint32_t)second->count;
    memcpy(first->position + 2 * first->count++, matches->first_position + 2 * m,
           2 * sizeof(float));
    memcpy(second->position + 2 * second->count++, matches->second_position + 2 * m,
           2 * sizeof(float));
}

/* Room for more features: they are positions alone. */
static AqmStatus reserve(AqmFeatures **features, size_t more, AqmDiag *diag) {
    AqmFeatures *larger = NULL;
    const size_t count = *features ? (*features)->count : 0;
    AQM_TRY(aqm_features_create(&larger, count + more, 1, diag));
    if (*features)
        memcpy(larger->position, (*features)->position, 2 * count * sizeof(float));
    larger->count = count;
    aqm_features_destroy(features);
    *features = larger;
    return AQM_OK;
}

/* Matches of a pair: cells of the warp from its first view, spread over the image. */
static AqmStatus sample(AqmFrameWork *work, AqmFramePair *pair, const AqmWarp *warp,
                        AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const double threshold = config->dense_matching.certainty_threshold;
    const int side = block_side(warp, threshold, config->dense_matching.max_correspondences);
    if (side == 0)
        return aqm_matches_create(&pair->matches, 0, diag);
    const size_t most =
        (size_t)((warp->width + side - 1) / side) * (size_t)((warp->height + side - 1) / side);
    AQM_TRY(aqm_matches_create(&pair->matches, most, diag));
    AQM_TRY(reserve(&work->features[pair->first], most, diag));
    AQM_TRY(reserve(&work->features[pair->second], most, diag));
    for (int y0 = 0; y0 < warp->height; y0 += side)
        for (int x0 = 0; x0 < warp->width; x0 += side) {
            int x = x0, y = y0;
            if (best_of_block(warp, x0, y0, side, threshold, &x, &y))
                add_match(work->views[pair->first].view, warp, x, y, pair->matches,
                          work->features[pair->first], work->features[pair->second]);
        }
    return AQM_OK;
}

AqmStatus aqm_frame_match_densely(AqmFrameWork *work, AqmDiag *diag) {
    AQM_TRY(aqm_frame_find_ranges(work, diag));
    AQM_TRY(aqm_frame_find_pairs(work, diag));
    AQM_TRY(aqm_frame_need_stereo_images(work, diag));
    for (size_t v = 0; v < work->view_count; v++)
        AQM_TRY(aqm_features_create(&work->features[v], 0, 1, diag));
    for (size_t p = 0; p < work->pair_count; p++) {
        AqmWarpPair warps = {NULL, NULL};
        AQM_TRY(aqm_frame_enter(work, AQM_STAGE_MATCHING, p, work->pair_count, diag));
        AQM_TRY_PART("pair", aqm_frame_find_warps(work, &work->pairs[p], &warps, diag));
        const AqmStatus status = sample(work, &work->pairs[p], warps.there, diag);
        aqm_warp_pair_free(&warps);
        AQM_TRY(status);
    }
    aqm_frame_drop_stereo_images(work);
    return AQM_OK;
}
