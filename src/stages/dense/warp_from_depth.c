/* The warp that a depth map means. A chunk of pixels at a time: rays, points, pixels in the second
 * view; then, where the second view's own depth is known there, the point that it means projected
 * back. The depth between pixels is bilinear where four are known, else that of the nearest.
 * Cost: about 17 ns a pixel of CPU time, as much again for the way back. */
#include <math.h>

#include "aquamvs/dense.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/dense/dense_camera.h"

enum { CHUNK = AQM_DENSE_CHUNK };
static const float FARTHEST_BACK_PX = 3.0f;
typedef struct Pair {
    const AqmDenseKernels *kernels;
    AqmDenseCamera first, second;
    const AqmDepthMap *first_depth, *second_depth;
    float width, height; /* of the second image */
    AqmWarp *warp;
} Pair;

/* The depth of the second map at (u, v), inside the image. */
static float depth_at(const AqmDepthMap *map, float u, float v) {
    const int near_x = (int)(u + 0.5f), near_y = (int)(v + 0.5f);
    const float nearest = map->depth_m[(size_t)near_y * (size_t)map->width + (size_t)near_x];
    if (!(u >= 0.0f && v >= 0.0f && u < (float)(map->width - 1) && v < (float)(map->height - 1)))
        return nearest;
    const int x = (int)u, y = (int)v;
    const float fu = u - (float)x, fv = v - (float)y;
    const float *top = map->depth_m + (size_t)y * (size_t)map->width + (size_t)x;
    const float *low = top + map->width;
    const float above = top[0] + fu * (top[1] - top[0]), below = low[0] + fu * (low[1] - low[0]);
    const float even = above + fv * (below - above);
    return even == even ? even : nearest;
}

/* How far from each pixel the second view's depth leads back, px; NaN where it says nothing. */
static void lead_back(const Pair *pair, const AqmDensePoints *points, const AqmDensePixels *pixels,
                      const AqmDensePixels *targets, size_t n, float *distance) {
    float seen[CHUNK], there[CHUNK];
    AqmDenseRays along;
    AqmDensePoints meant;
    AqmDensePixels back;
    pair->kernels->sight(&pair->second, points, n, seen, &along);
    for (size_t k = 0; k < n; k++)
        there[k] = targets->u[k] == targets->u[k]
                       ? depth_at(pair->second_depth, targets->u[k], targets->v[k])
                       : NAN;
    for (size_t k = 0; k < n; k++) {
        const float beyond = there[k] - seen[k];
        meant.x[k] = points->x[k] + beyond * along.dx[k];
        meant.y[k] = points->y[k] + beyond * along.dy[k];
        meant.h[k] = points->h[k] + beyond * along.dh[k];
    }
    pair->kernels->project(&pair->first, &meant, n, &back);
    for (size_t k = 0; k < n; k++) {
        const float du = back.u[k] - pixels->u[k], dv = back.v[k] - pixels->v[k];
        distance[k] = sqrtf(du * du + dv * dv);
    }
}

/* Pixels x .. x + n of row y. */
static void warp_chunk(const Pair *pair, int x, int y, size_t n) {
    const size_t at = (size_t)y * (size_t)pair->warp->width + (size_t)x;
    const float *depth = pair->first_depth->depth_m + at, right = pair->width - 0.5f,
                low = pair->height - 0.5f;
    AqmDensePixels pixels, targets;
    const AqmDensePixels origin = {{0}, {0}};
    AqmDenseRays rays;
    AqmDensePoints points;
    AqmDenseOffsets offsets; /* from pixel (0, 0) */
    float distance[CHUNK] = {0};
    for (size_t k = 0; k < n; k++) {
        pixels.u[k] = (float)(x + (int)k), pixels.v[k] = (float)y;
    }
    pair->kernels->rays(&pair->first, &pixels, n, &rays);
    pair->kernels->offsets(&pair->second, &rays, depth, &origin, n, &offsets);
    for (size_t k = 0; k < n; k++) {
        const float u = offsets.eu[k], v = offsets.ev[k];
        const int is_inside = (u >= -0.5f) & (v >= -0.5f) & (u < right) & (v < low);
        targets.u[k] = is_inside ? u : NAN;
        targets.v[k] = v;
    }
    if (pair->second_depth) {
        pair->kernels->points(&rays, depth, n, &points);
        lead_back(pair, &points, &pixels, &targets, n, distance);
    }
    for (size_t k = 0; k < n; k++) {
        const float u = targets.u[k], v = targets.v[k];
        const float gu = offsets.gu[k], gv = offsets.gv[k];
        if (!(u == u && distance[k] <= FARTHEST_BACK_PX))
            continue; /* stays as it was made: not known */
        pair->warp->target[2 * (at + k)] = u;
        pair->warp->target[2 * (at + k) + 1] = v;
        pair->warp->certainty[at + k] =
            pair->first_depth->confidence[at + k] * expf(-0.5f * distance[k] * distance[k]);
        pair->warp->sigma_px[at + k] =
            pair->first_depth->sigma_m[at + k] * sqrtf(gu * gu + gv * gv);
    }
}

static AqmStatus check_size(const char *which, const AqmView *view, const AqmDepthMap *map,
                            AqmDiag *diag) {
    if (map->width == view->width && map->height == view->height)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_ARGUMENT, "the %s view is %d x %d px, its depth map %d x %d",
                    which, view->width, view->height, map->width, map->height);
}

AqmStatus aqm_warp_from_depth(AqmWarp **out, const AqmView *first, const AqmDepthMap *first_depth,
                              const AqmView *second, const AqmDepthMap *second_depth, int threads,
                              AqmDiag *diag) {
    AQM_TRY(check_size("first", first, first_depth, diag));
    if (second_depth)
        AQM_TRY(check_size("second", second, second_depth, diag));
    Pair pair = {.kernels = aqm_dense_kernels(aqm_cpu_features()),
                 .first = aqm_dense_camera(first, first),
                 .second = aqm_dense_camera(second, first),
                 .first_depth = first_depth,
                 .second_depth = second_depth,
                 .width = (float)second->width,
                 .height = (float)second->height};
    AQM_TRY(aqm_warp_create(&pair.warp, first->width, first->height, diag));
#pragma omp parallel for num_threads(aqm_thread_count(threads)) schedule(static)
    for (int y = 0; y < first->height; y++)
        for (int x = 0; x < first->width; x += CHUNK)
            warp_chunk(&pair, x, y, (size_t)(first->width - x < CHUNK ? first->width - x : CHUNK));
    *out = pair.warp;
    return AQM_OK;
}
