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
 * The fused depth is s + the weighted mean of the deltas, the reference's own 0 among them, with
 * the weights
 *
 *     w_i = B_i / (sigma_i^2 + sigma^2).
 *
 * sigma_i is the standard deviation of what view i says, that of its depth times (d' . n) / (d .
 * n): a slanted sight tells less. sigma, the reference's, is added since what the standard
 * deviations of views of one place differ by is chance for the most part: on scenes with known
 * truth, errors are no larger where sigma_i is 1.3 times the others', 1.15 times at 1.6 and 1.6
 * times at 2, as with these weights. B_i is Tukey's biweight of the distance from the median, so
 * that a view that is off by nearly the tolerance does not drag the others. Where no map knows its
 * standard deviations the weights are B_i times the confidence.
 *
 * How certain the mean is: fusion_errors.c says it of the errors that differ between the views.
 * Besides, windows smooth the relief, in all views alike. What that takes from a crest is, to first
 * order, the Laplacian of the depth in pixels times an area that depends on the window and on how
 * well it follows the surface: on rendered scenes of three resolutions and two kinds of relief, 0.7
 * to 1.9 px^2 (a flat window of 11 px that averages its depths: 121 / 24). The standard deviations
 * of the maps have some of it already, and the Laplacian has their noise: SMOOTHING_PX2 is less.
 *
 * All of it runs over the 1024 pixels of a tile at once, in float, one other view after the other
 * (fusion_kernels.h), but for those whose image lies wholly beside the tile. Over a tile what the
 * water does to the sight is a quadratic in r^2 and h to 1e-5; where it is not, as at a step, each
 * point is found by Newton steps. Cost: about 3.5 ns a pixel and other view. */
#include "stages/fusion/fusion_vote.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static const float SMOOTHING_PX2 = 0.5f;

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

/* The variances of the tile's own pixels, and their weights. */
static void load_own(AqmVotes *votes, const AqmFusionScene *scene, size_t view) {
    const AqmFusionTile *tile = &votes->tile;
    const AqmSightMap *map = &scene->maps[view];
    for (int y = 0; y < AQM_TILE_SIDE; y++) {
        float *variance = votes->variance + y * AQM_TILE_SIDE;
        const int width = y < tile->height ? tile->width : 0;
        const uint32_t *texels = map->texels + (ptrdiff_t)(tile->y0 + y) * map->pitch + tile->x0;
        for (int x = 0; x < width; x++)
            variance[x] = aqm_deviation_of(texels[x]) * aqm_deviation_of(texels[x]);
        for (int x = width; x < AQM_TILE_SIDE; x++)
            variance[x] = 1.0f; /* there is no depth */
    }
    const float share = scene->knows_deviations ? 1.0f : 0.0f;
    for (int at = 0; at < AQM_TILE_POINTS; at++) {
        votes->added[at] = share * votes->variance[at];
        votes->own[at] = 1.0f / (votes->variance[at] + votes->added[at]);
    }
}

/* What the depths along a row or column, REACH px to both sides, rise above their middle, metres a
 * px^2; 0 where they are not of one surface. */
static inline float bend_along(const float *depth, ptrdiff_t step, float tolerance) {
    enum { REACH = AQM_TILE_MARGIN };
    const float off = 0.5f * (depth[-REACH * step] + depth[REACH * step]) - depth[0];
    return fabsf(off) < 0.5f * tolerance ? off * (2.0f / (REACH * REACH)) : 0.0f; /* NaN: 0 */
}

/* The errors along the rays that all views share because windows smooth the relief. */
static void find_smoothing(AqmVotes *votes, int step, float tolerance) {
    const float area = SMOOTHING_PX2 / (float)(step * step); /* windows are as in the given maps */
    for (int y = 0; y < AQM_TILE_SIDE; y++) {
        const float *depth = aqm_tile_depth(&votes->tile, 0, y);
        for (int x = 0; x < AQM_TILE_SIDE; x++)
            votes->smoothing[y * AQM_TILE_SIDE + x] =
                area * (bend_along(depth + x, 1, tolerance) +
                        bend_along(depth + x, AQM_TILE_PITCH, tolerance));
    }
}

/* The standard deviations of the means, along the normals. */
static void find_sigmas(AqmVotes *votes, const AqmFusionScene *scene) {
    const AqmVoted voted = {votes->counts,      votes->variance,    votes->misfit,
                            votes->smoothing,   votes->tile.facing, scene->errors.share,
                            scene->errors.doubt};
    scene->kernels->spread(&voted, AQM_TILE_POINTS, votes->sigmas);
}

/* ---- which views see a tile ------------------------------------------------------------------ */

/* The box around the points of a tile; low > high where there are none. */
typedef struct Box {
    float low[3], high[3];
} Box;

static void extend_range(const float *values, float *low, float *high) {
    enum { LANES = AQM_FUSION_LANES };
    float least[LANES], most[LANES];
    for (int k = 0; k < LANES; k++)
        least[k] = INFINITY, most[k] = -INFINITY;
    for (int i = 0; i < AQM_TILE_POINTS; i += LANES)
        for (int k = 0; k < LANES; k++) { /* a NaN is neither */
            least[k] = values[i + k] < least[k] ? values[i + k] : least[k];
            most[k] = values[i + k] > most[k] ? values[i + k] : most[k];
        }
    *low = INFINITY, *high = -INFINITY;
    for (int k = 0; k < LANES; k++) {
        *low = least[k] < *low ? least[k] : *low;
        *high = most[k] > *high ? most[k] : *high;
    }
}

static Box box_of(const AqmFusionTile *tile) {
    Box box;
    for (int i = 0; i < 3; i++)
        extend_range(tile->position[i], &box.low[i], &box.high[i]);
    return box;
}

/* The height z over which a point at depth h and squared distance r2 seems to stand straight from
 * the camera solves z = f(z) = h_c + h / sqrt(n^2 + (n^2 - 1) r2 / z^2), which grows with z and h
 * and falls with r2. So f from below stays below, and f from above above. The kernel starts from
 * h_c + h / n, above, and its Newton steps go down farther than f does, but not past the solution
 * (z - f(z) grows, by less than z, and is convex): what is above here is above the kernel's too. */
static float seeming_height(const AqmSightCamera *camera, float z, float h, float r2) {
    const float n2 = camera->n * camera->n;
    return camera->h_c + h / sqrtf(n2 + (n2 - 1.0f) * r2 / (z * z));
}

/* What a camera has of the box: the squared horizontal distances from it, and the depths. */
typedef struct Region {
    float r2[2], h[2];
} Region;

static Region region_of(const AqmSightCamera *camera, const Box *box) {
    Region region = {
        {0.0f, 0.0f},
        {fmaxf(box->low[2] - camera->water_z, 0.0f), fmaxf(box->high[2] - camera->water_z, 0.0f)}};
    for (int i = 0; i < 2; i++) {
        const float low = box->low[i] - camera->C[i], high = box->high[i] - camera->C[i];
        const float farthest = fmaxf(fabsf(low), fabsf(high));
        const float nearest = fmaxf(fmaxf(low, -high), 0.0f);
        region.r2[0] += nearest * nearest, region.r2[1] += farthest * farthest;
    }
    return region;
}

/* The box of the tile's seeming points relative to the camera: those are seen as without water. */
static Box seeming_box(const AqmSightCamera *camera, const Box *box, const Region *region) {
    Box seeming;
    for (int i = 0; i < 2; i++) {
        seeming.low[i] = box->low[i] - camera->C[i];
        seeming.high[i] = box->high[i] - camera->C[i];
    }
    float below = camera->h_c, above = camera->h_c + region->h[1] / camera->n;
    for (int step = 0; step < 2; step++) {
        below = seeming_height(camera, below, region->h[0], region->r2[1]);
        above = seeming_height(camera, above, region->h[1], region->r2[0]);
    }
    seeming.low[2] = below, seeming.high[2] = above;
    return seeming;
}

/* Whether a . p > 0 for some p of the box. */
static bool reaches(const Box *box, const float a[3]) {
    float most = 0.0f;
    for (int i = 0; i < 3; i++)
        most += a[i] > 0.0f ? a[i] * box->high[i] : a[i] * box->low[i];
    return most > 0.0f;
}

/* false only where no point of the box lies in the image: for one edge of it, MARGIN farther out
 * for the rounding, all lie beyond. u > e where pz > 0 means f px + (c - e) pz > 0. */
static bool may_see(const AqmSightCamera *camera, const AqmSightMap *map, const Box *box,
                    const Region *region) {
    static const float MARGIN = 1.0f; /* px */
    const Box seeming = seeming_box(camera, box, region);
    const float *R = camera->R, focal[2] = {camera->fx, camera->fy};
    const float center[2] = {camera->cx, camera->cy};
    const float size[2] = {(float)map->width, (float)map->height};
    for (int axis = 0; axis < 2; axis++) {
        float from_low[3], from_high[3];
        for (int i = 0; i < 3; i++) {
            const float across = focal[axis] * R[3 * axis + i], ahead = R[6 + i];
            from_low[i] = across + (center[axis] + MARGIN) * ahead;
            from_high[i] = (size[axis] + MARGIN - center[axis]) * ahead - across;
        }
        if (!reaches(&seeming, from_low) || !reaches(&seeming, from_high))
            return false;
    }
    return true;
}

/* What view i says; false where it cannot see the tile. */
static bool sight_from(const AqmFusionScene *scene, size_t i, const Box *box,
                       const AqmSightPoints *points, const float *variance, float *beyond,
                       float *weight) {
    const AqmSightCamera *camera = &scene->cameras[i];
    const AqmSightMap *map = &scene->maps[i];
    const Region region = region_of(camera, box);
    AqmSightBend bend;
    if (!may_see(camera, map, box, &region))
        return false;
    const bool smooth = scene->kernels->bend(camera, region.r2, region.h, &bend);
    scene->kernels->sight(camera, smooth ? &bend : NULL, map, points, variance,
                          (float)scene->options->depth_tolerance_m, AQM_TILE_POINTS, beyond,
                          weight);
    return true;
}

/* ---- votes ----------------------------------------------------------------------------------- */

bool aqm_votes_take(AqmVotes *votes, const AqmFusionScene *scene, size_t view, int x0, int y0,
                    bool with_shifts) {
    AqmFusionTile *tile = &votes->tile;
    memset(votes->counts, 0, sizeof votes->counts);
    if (!aqm_tile_load(tile, scene, view, x0, y0))
        return false;
    if (with_shifts)
        aqm_tile_find_normals(tile, scene);
    else
        memset(tile->normal, 0, sizeof tile->normal);
    load_own(votes, scene, view);
    const AqmSightPoints points = aqm_tile_sight_points(tile);
    const float tolerance = (float)scene->options->depth_tolerance_m;
    const Box box = box_of(tile);
    size_t others = 0;
    for (size_t i = 0; i < scene->count; i++) {
        const size_t row = others * AQM_TILE_POINTS;
        others += i != view && sight_from(scene, i, &box, &points, votes->added,
                                          votes->beyond + row, votes->weight + row);
    }
    const AqmSettled settled = {votes->shift_m, votes->misfit, votes->counts};
    scene->kernels->settle(votes->beyond, votes->weight, others, votes->own, tolerance,
                           AQM_TILE_POINTS, &settled);
    if (with_shifts) {
        find_smoothing(votes, scene->steps ? scene->steps[view] : 1, tolerance);
        find_sigmas(votes, scene);
    }
    for (int at = 0; at < AQM_TILE_POINTS; at++)
        votes->counts[at] = tile->position[2][at] == tile->position[2][at] ? votes->counts[at] : 0;
    return true;
}
