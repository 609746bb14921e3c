/* Ears are cut from the loop of edges around a hole, the one with the smallest circumcircle first,
 * which is nearest to what balls would have done. Balls leave such holes where one slips through
 * between three points and no larger one fits between their neighbours: a few dozen of 3 to 8 edges
 * among a million triangles. */
#include "stages/surface/bpa_holes.h"

#include <math.h>
#include <string.h>

#include "base/diag.h"
#include "math/vec.h"
#include "stages/surface/bpa_ball.h"
#include "stages/surface/bpa_grid.h"

enum { HOLE_EDGES = 8 };

static uint32_t border_from(const AqmBpaFront *front, uint32_t vertex) {
    uint32_t i = front->first_edge[vertex];
    while (i != AQM_BPA_NONE) {
        const AqmBpaEdge *edge = &front->edges[i];
        if (edge->state == AQM_BPA_BORDER && edge->vertex[0] == vertex)
            break;
        i = edge->next[edge->vertex[1] == vertex];
    }
    return i;
}

/* The border edges from `first` on around a hole; 0 where there are more than HOLE_EDGES. */
static int walk_around(const AqmBpaFront *front, uint32_t first, uint32_t loop[HOLE_EDGES]) {
    uint32_t edge = first;
    for (int count = 0; count < HOLE_EDGES && edge != AQM_BPA_NONE; count++) {
        loop[count] = edge;
        if (front->edges[edge].vertex[1] == front->edges[first].vertex[0])
            return count + 1;
        edge = border_from(front, front->edges[edge].vertex[1]);
    }
    return 0;
}

/* The cosine between a normal and that of the triangle at an edge. */
static double agreement(const AqmBpaSites *sites, const double normal[3], const AqmBpaEdge *edge) {
    const uint32_t triangle[3] = {edge->vertex[0], edge->vertex[1], edge->opposite};
    double neighbor[3];
    aqm_bpa_triangle_normal(sites, triangle, neighbor);
    return aqm_dot3(normal, neighbor) / (aqm_norm3(normal) * aqm_norm3(neighbor));
}

static double distance2(const AqmBpaSites *sites, uint32_t a, uint32_t b) {
    double sum = 0.0;
    for (int k = 0; k < 3; k++) {
        const double d =
            (double)sites->position[3 * (size_t)a + k] - (double)sites->position[3 * (size_t)b + k];
        sum += d * d;
    }
    return sum;
}

/* A loop and what is asked of the triangles in it. */
typedef struct Hole {
    const AqmBpaFront *front;
    const AqmBpaSites *sites;
    double longest_m;
    int count;
    uint32_t loop[HOLE_EDGES];
} Hole;

static const AqmBpaEdge *edge_at(const Hole *hole, int i) {
    return &hole->front->edges[hole->loop[i % hole->count]];
}

/* Whether the ear at edges i and i + 1 may be cut. The last triangle of a hole is what it is, often
 * a sliver that noise has tilted over a little: it must only not lie back to back with its three
 * neighbours, as it would under a lone triangle, whose rim is a loop of three as well. */
static bool is_allowed(const Hole *hole, int i, const uint32_t ear[3], const double normal[3]) {
    const double first = agreement(hole->sites, normal, edge_at(hole, i));
    const double second = agreement(hole->sites, normal, edge_at(hole, i + 1));
    if (!aqm_bpa_front_fits(hole->front, ear))
        return false;
    if (hole->count == 3)
        return first + second + agreement(hole->sites, normal, edge_at(hole, i + 2)) > -1.0;
    return first > 0.0 && second > 0.0 && aqm_bpa_triangle_faces_out(hole->sites, ear) &&
           distance2(hole->sites, ear[0], ear[2]) <= hole->longest_m * hole->longest_m;
}

/* The squared diameter of the circle through the corners of the ear at edges i and i + 1; INFINITY
 * where it must not be cut. */
static double judge_ear(const Hole *hole, int i, uint32_t ear[3]) {
    const AqmBpaEdge *in = edge_at(hole, i), *out = edge_at(hole, i + 1);
    ear[0] = out->vertex[1], ear[1] = out->vertex[0], ear[2] = in->vertex[0];
    double normal[3];
    aqm_bpa_triangle_normal(hole->sites, ear, normal);
    if (!is_allowed(hole, i, ear, normal))
        return INFINITY;
    return distance2(hole->sites, ear[0], ear[2]) * distance2(hole->sites, ear[0], ear[1]) *
           distance2(hole->sites, ear[1], ear[2]) / aqm_dot3(normal, normal);
}

/* Cuts the best ear off; sets *next to an edge of what is left, AQM_BPA_NONE where nothing is left
 * or can be cut. */
static AqmStatus cut_ear(AqmBpaFront *front, const Hole *hole, uint32_t *next, AqmDiag *diag) {
    double least = INFINITY;
    uint32_t best[3] = {0};
    *next = AQM_BPA_NONE;
    for (int i = 0; i < hole->count; i++) {
        uint32_t ear[3];
        const double size = judge_ear(hole, i, ear);
        if (!(size < least))
            continue;
        least = size;
        *next = hole->count > 3 ? hole->loop[(i + 2) % hole->count] : AQM_BPA_NONE;
        memcpy(best, ear, sizeof best);
    }
    if (!(least < INFINITY))
        return AQM_OK;
    const double nowhere[3] = {0};
    AQM_TRY(aqm_bpa_front_add(front, best, nowhere, diag));
    for (AqmBpaEdge *edge; (edge = aqm_bpa_front_take(front));)
        edge->state = AQM_BPA_BORDER; /* no ball comes any more */
    return AQM_OK;
}

AqmStatus aqm_bpa_close_holes(AqmBpaFront *front, const AqmBpaSites *sites, double longest_m,
                              AqmDiag *diag) {
    Hole hole = {.front = front, .sites = sites, .longest_m = longest_m};
    for (size_t i = 0; i < front->edge_count; i++) {
        uint32_t edge = front->edges[i].state == AQM_BPA_BORDER ? (uint32_t)i : AQM_BPA_NONE;
        while (edge != AQM_BPA_NONE) {
            hole.count = walk_around(front, edge, hole.loop);
            edge = AQM_BPA_NONE;
            if (hole.count >= 3)
                AQM_TRY(cut_ear(front, &hole, &edge, diag));
        }
    }
    return AQM_OK;
}
