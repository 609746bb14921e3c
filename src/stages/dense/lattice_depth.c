/* Between the nodes of a lattice.
 *
 * Two neighbouring nodes lie on one surface if their depths differ by less than STEEPEST times the
 * distance of their rays there, about (depth + the way in air) * step / f: a slope of 72 degrees to
 * the rays' normal; more is a step of the scene. A node's slopes along u and v are the mean of
 * those to its neighbours on the same surface, 0 without any. What was measured beside its node is
 * moved there along these slopes, which that changes in turn: CENTERINGS times.
 *
 * A pixel among four known nodes of one surface lies on the Coons patch of the cubics along the
 * four sides, which have the nodes' slopes: on waves of ten nodes a length the error is a tenth of
 * that of the bilinear surface. Up to half a step outside the lattice it is the bilinear one;
 * elsewhere it is the plane of its nearest node, by the node's slopes, if that is known. So no
 * pixel is more than half a step away from a node that says so, and holes stay holes. Cost: about
 * 10 ns a pixel of CPU time, 12 bytes a node. */
#include "stages/dense/lattice_depth.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"

enum { CENTERINGS = 3 };
static const float STEEPEST = 3.0f;

typedef struct Slopes {
    const AqmLattice *lattice;
    float *u, *v;           /* metres a step */
    float *measured;        /* depths before anything was moved */
    float limit_u, limit_v; /* of a difference over a step, a metre of distance */
    float air_m;
} Slopes;

/* The mean of the rises from a node to the next and from the last to it, of those on one surface.
 */
static float mean_rise(const float *depth, ptrdiff_t stride, int at, int count, float limit) {
    float sum = 0.0f, found = 0.0f;
    const float before = at > 0 ? *depth - depth[-stride] : NAN;
    const float after = at + 1 < count ? depth[stride] - *depth : NAN;
    if (fabsf(before) < limit)
        sum += before, found += 1.0f;
    if (fabsf(after) < limit)
        sum += after, found += 1.0f;
    return found > 0.0f ? sum / found : 0.0f;
}

static void find_slopes(const Slopes *slopes, int j) {
    const AqmDepthMap *map = slopes->lattice->map;
    for (int i = 0; i < map->width; i++) {
        const size_t at = (size_t)j * (size_t)map->width + (size_t)i;
        const float *depth = map->depth_m + at, distance = *depth + slopes->air_m;
        slopes->u[at] = mean_rise(depth, 1, i, map->width, slopes->limit_u * distance);
        slopes->v[at] = mean_rise(depth, map->width, j, map->height, slopes->limit_v * distance);
    }
}

/* Moves what was measured beside its node. */
static void center_nodes(const Slopes *slopes, int j) {
    const AqmLattice *lattice = slopes->lattice;
    const size_t first = (size_t)j * (size_t)lattice->map->width;
    const float per_u = (float)(lattice->cell_u / lattice->step_u),
                per_v = (float)(lattice->cell_v / lattice->step_v);
    for (size_t at = first; at < first + (size_t)lattice->map->width; at++)
        lattice->map->depth_m[at] = slopes->measured[at] -
                                    slopes->u[at] * per_u * (float)lattice->away[2 * at] -
                                    slopes->v[at] * per_v * (float)lattice->away[2 * at + 1];
}

/* A pixel's place along one axis: the node before it and how far on. */
typedef struct Place {
    int node, next; /* next: 1, or 0 where the lattice has one node */
    float part;
} Place;

static Place place_of(double pixel, double first, double step, int count) {
    const double at = (pixel - first) / step, last = count > 1 ? count - 2 : 0;
    const double node = fmin(fmax(floor(at), 0.0), last);
    return (Place){(int)node, count > 1, (float)(at - node)};
}

/* What the cubic through a and b with slopes ma and mb there (Hermite) adds to the straight line, t
 * of the way from a to b. */
static inline float bulge(float a, float b, float ma, float mb, float t) {
    const float rise = b - a;
    return t * (1.0f - t) * ((1.0f - t) * (ma - rise) - t * (mb - rise));
}

/* What the cubics along the four sides of a cell add to the bilinear surface: blended between
 * opposite sides (Coons 1967). 0 outside the cell. */
static float bulge_of_cell(const Slopes *slopes, size_t corner, size_t right, size_t below, float u,
                           float v) {
    const float *depth = slopes->lattice->map->depth_m + corner, *mu = slopes->u + corner,
                *mv = slopes->v + corner;
    const size_t both = right + below;
    if (!(u >= 0.0f && u <= 1.0f && v >= 0.0f && v <= 1.0f))
        return 0.0f;
    const float top = bulge(depth[0], depth[right], mu[0], mu[right], u);
    const float bottom = bulge(depth[below], depth[both], mu[below], mu[both], u);
    const float left = bulge(depth[0], depth[below], mv[0], mv[below], v);
    const float far = bulge(depth[right], depth[both], mv[right], mv[both], v);
    return top + v * (bottom - top) + left + u * (far - left);
}

static void fill_pixel(const Slopes *slopes, Place u, Place v, const AqmDepthMap *out, size_t to) {
    const AqmDepthMap *map = slopes->lattice->map;
    const size_t corner = (size_t)v.node * (size_t)map->width + (size_t)u.node;
    const size_t right = (size_t)u.next, below = (size_t)v.next * (size_t)map->width;
    const int far_u = u.part >= 0.5f && u.next, far_v = v.part >= 0.5f && v.next;
    const size_t nearest = corner + (far_u ? right : 0) + (far_v ? below : 0);
    const float *depth = map->depth_m + corner;
    const float a = depth[0], b = depth[right], c = depth[below], d = depth[below + right];
    const float distance = map->depth_m[nearest] + slopes->air_m;
    const float rise_u = fmaxf(fabsf(b - a), fabsf(d - c)),
                rise_v = fmaxf(fabsf(c - a), fabsf(d - b));
    const float all = a + b + c + d;
    if (all == all && rise_u < slopes->limit_u * distance && rise_v < slopes->limit_v * distance) {
        const float wd = u.part * v.part, wb = u.part - wd, wc = v.part - wd;
        const float *sigma = map->sigma_m + corner, *confidence = map->confidence + corner;
        const float wa = 1.0f - wb - wc - wd;
        const float sure = wa * confidence[0] + wb * confidence[right] + wc * confidence[below] +
                           wd * confidence[below + right];
        const float error =
            wa * sigma[0] + wb * sigma[right] + wc * sigma[below] + wd * sigma[below + right];
        out->depth_m[to] = a + wb * (b - a) + wc * (c - a) + wd * (d - a) +
                           bulge_of_cell(slopes, corner, right, below, u.part, v.part);
        out->sigma_m[to] = fmaxf(error, 0.0f); /* weights are negative outside the lattice */
        out->confidence[to] = fminf(fmaxf(sure, 0.0f), 1.0f);
    } else if (distance == distance) {
        out->depth_m[to] = map->depth_m[nearest] + (u.part - (float)far_u) * slopes->u[nearest] +
                           (v.part - (float)far_v) * slopes->v[nearest];
        out->sigma_m[to] = map->sigma_m[nearest];
        out->confidence[to] = map->confidence[nearest];
    }
}

static void fill_row(const Slopes *slopes, const Place *columns, int y, const AqmDepthMap *out) {
    const AqmLattice *lattice = slopes->lattice;
    const Place v = place_of(y, lattice->first_v, lattice->step_v, lattice->map->height);
    for (int x = 0; x < out->width; x++)
        fill_pixel(slopes, columns[x], v, out, (size_t)y * (size_t)out->width + (size_t)x);
}

AqmStatus aqm_lattice_to_pixels(const AqmLattice *lattice, int threads, const AqmDepthMap *out,
                                AqmDiag *diag) {
    const int width = lattice->map->width, height = lattice->map->height;
    const size_t nodes = (size_t)width * (size_t)height;
    float *memory = aqm_alloc(nodes, 3 * sizeof *memory);
    Place *columns = aqm_alloc((size_t)out->width, sizeof *columns);
    if (!memory || !columns) {
        aqm_free(memory);
        aqm_free(columns);
        return aqm_fail_memory(diag, "depths between cells", nodes, 3 * sizeof *memory);
    }
    const Slopes slopes = {.lattice = lattice,
                           .u = memory,
                           .v = memory + nodes,
                           .measured = memory + 2 * nodes,
                           .limit_u = STEEPEST * (float)(lattice->step_u / lattice->focal_px),
                           .limit_v = STEEPEST * (float)(lattice->step_v / lattice->focal_px),
                           .air_m = (float)lattice->air_m};
    for (int x = 0; x < out->width; x++)
        columns[x] = place_of(x, lattice->first_u, lattice->step_u, width);
    memcpy(slopes.measured, lattice->map->depth_m, nodes * sizeof *slopes.measured);
#pragma omp parallel num_threads(aqm_thread_count(threads))
    {
        for (int pass = 0; pass <= (lattice->away ? CENTERINGS : 0); pass++) {
            if (pass > 0) {
#pragma omp for schedule(static)
                for (int j = 0; j < height; j++)
                    center_nodes(&slopes, j);
            }
#pragma omp for schedule(static)
            for (int j = 0; j < height; j++)
                find_slopes(&slopes, j);
        }
#pragma omp for schedule(static)
        for (int y = 0; y < out->height; y++)
            fill_row(&slopes, columns, y, out);
    }
    aqm_free(memory);
    aqm_free(columns);
    return AQM_OK;
}
