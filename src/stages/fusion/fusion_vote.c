/* Cross-view consistency of depth maps, and the mean of the views that agree.
 *
 * A pixel of the reference view with ray depth s stands for the point X = O + s d. Another view
 * sees X at a pixel p and at a ray depth s_X; its own map says s' at p. The two agree when |s' -
 * s_X| < depth_tolerance (Merrell et al. 2007, "Real-time visibility-based fusion of depth maps",
 * without its negative votes: a view that sees something else there abstains). s' is bilinear where
 * the four depths around p lie on one surface (within the tolerance of each other), else the
 * nearest.
 *
 * What an agreeing view says about the reference's depth: its surface point is X + (s' - s_X) d',
 * with d' its own ray's direction. Through that point goes the surface, locally a plane of normal
 * n, which the reference ray meets at
 *
 *     delta = (s' - s_X) (d' . n) / (d . n).
 *
 * The fused depth is s + the weighted mean of the deltas, the reference's own 0 among them; weights
 * are confidences times Tukey's biweight of the distance from their median, so that a view that is
 * off by nearly the tolerance does not drag the others; errors that are independent between V views
 * shrink by sqrt(V).
 *
 * All of it runs over the 1024 pixels of a tile at once, in float, one other view after the other
 * (fusion_kernels.h). Cost: about 5 ns a pixel and other view. */
#include "stages/fusion/fusion_vote.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

void aqm_votes_destroy(AqmVotes **votes, int threads) {
    for (int i = 0; *votes && i < threads; i++)
        aqm_free((*votes)[i].beyond);
    aqm_free(*votes);
    *votes = NULL;
}

AqmStatus aqm_votes_create(AqmVotes **out, const AqmFusionScene *scene, int threads,
                           AqmDiag *diag) {
    const size_t values = scene->count * AQM_TILE_POINTS;
    AqmVotes *votes = aqm_calloc((size_t)threads, sizeof *votes);
    bool ready = votes != NULL;
    for (int i = 0; ready && i < threads; i++) {
        votes[i].beyond = aqm_alloc(values, 2 * sizeof(float));
        ready = votes[i].beyond != NULL;
        votes[i].weight = ready ? votes[i].beyond + values : NULL;
    }
    if (!ready) {
        aqm_votes_destroy(&votes, threads);
        return aqm_fail_memory(diag, "counting votes", (size_t)threads,
                               sizeof *votes + values * 2 * sizeof(float));
    }
    *out = votes;
    return AQM_OK;
}

/* Confidences of the tile's own pixels, as weights. */
static void load_own(AqmVotes *votes, const AqmDepthMap *map) {
    const AqmFusionTile *tile = &votes->tile;
    for (int y = 0; y < AQM_TILE_SIDE; y++)
        for (int x = 0; x < AQM_TILE_SIDE; x++) {
            const bool inside = x < tile->width && y < tile->height;
            const size_t pixel =
                (size_t)(tile->y0 + y) * (size_t)map->width + (size_t)(tile->x0 + x);
            const float confidence = inside ? map->confidence[pixel] : 0.0f;
            /* a confidence of 0 (allowed by min_confidence = 0) still counts for something */
            votes->own[y * AQM_TILE_SIDE + x] = confidence > 1e-3f ? confidence : 1e-3f;
        }
}

void aqm_votes_take(AqmVotes *votes, const AqmFusionScene *scene, size_t view, int x0, int y0,
                    bool with_shifts) {
    AqmFusionTile *tile = &votes->tile;
    memset(votes->counts, 0, sizeof votes->counts);
    if (!aqm_tile_load(tile, scene, view, x0, y0))
        return;
    if (with_shifts)
        aqm_tile_find_normals(tile, scene);
    else
        memset(tile->normal, 0, sizeof tile->normal);
    load_own(votes, scene->views[view].depth);
    const AqmSightPoints points = aqm_tile_sight_points(tile);
    const float tolerance = (float)scene->options->depth_tolerance_m;
    size_t others = 0;
    for (size_t i = 0; i < scene->count; i++) {
        const size_t row = others * AQM_TILE_POINTS;
        if (i == view)
            continue;
        scene->kernels->sight(&scene->cameras[i], &scene->maps[i], &points, tolerance,
                              AQM_TILE_POINTS, votes->beyond + row, votes->weight + row);
        others++;
    }
    scene->kernels->settle(votes->beyond, votes->weight, others, votes->own, tolerance,
                           AQM_TILE_POINTS, votes->shift_m, votes->counts);
    for (int at = 0; at < AQM_TILE_POINTS; at++)
        votes->counts[at] = tile->position[2][at] == tile->position[2][at] ? votes->counts[at] : 0;
}
