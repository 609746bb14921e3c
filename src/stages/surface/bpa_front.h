/* Ball pivoting, internal: the triangles made so far and the edges where they end. */
#ifndef AQM_STAGES_SURFACE_BPA_FRONT_H
#define AQM_STAGES_SURFACE_BPA_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

typedef enum AqmBpaEdgeState {
    AQM_BPA_FREE,    /* no edge: to be used again */
    AQM_BPA_WAITING, /* one triangle; a ball is still to be pivoted over it */
    AQM_BPA_BORDER,  /* one triangle; the ball found no other */
    AQM_BPA_INNER    /* two triangles */
} AqmBpaEdgeState;

/* The triangle that made the edge runs from vertex[0] to vertex[1] to `opposite`; the ball that
 * made it lies at `center`. */
typedef struct AqmBpaEdge {
    double center[3];
    uint32_t vertex[2], opposite;
    uint32_t next[2]; /* of the list of either vertex; next[0] of the free ones */
    AqmBpaEdgeState state;
} AqmBpaEdge;

/* Inner edges are remembered only while both their vertices can take more triangles: the edges kept
 * are those near the front. Zero-initialised but for `vertex_count` it is empty. */
typedef struct AqmBpaFront {
    size_t vertex_count;
    uint32_t *first_edge; /* by vertex */
    uint32_t *open; /* by vertex: edges with one triangle; AQM_BPA_NONE for one not used yet */
    AqmBpaEdge *edges;
    size_t edge_count, edge_capacity;
    uint32_t first_free;
    uint32_t *queue; /* waiting edges, a ring */
    size_t queue_first, queue_count, queue_capacity;
    uint32_t *triangles;
    size_t triangle_count, triangle_capacity;
} AqmBpaFront;

AqmStatus aqm_bpa_front_create(AqmBpaFront *front, size_t vertex_count, AqmDiag *diag);
void aqm_bpa_front_free(AqmBpaFront *front);

static inline bool aqm_bpa_is_used(const AqmBpaFront *front, uint32_t vertex) {
    return front->open[vertex] != UINT32_MAX;
}

/* Whether the triangle leaves every edge with at most two triangles, which run along it in opposite
 * directions, and has no vertex that others surround already. */
bool aqm_bpa_front_fits(const AqmBpaFront *front, const uint32_t triangle[3]);

/* Adds a triangle that fits: its edges are glued to those that are there, the others wait. MEMORY;
 * the front is then unchanged. */
AqmStatus aqm_bpa_front_add(AqmBpaFront *front, const uint32_t triangle[3], const double center[3],
                            AqmDiag *diag);

/* The edge that has waited longest (until the next call); NULL when none waits. */
AqmBpaEdge *aqm_bpa_front_take(AqmBpaFront *front);

/* Lets a border edge wait again. MEMORY. */
AqmStatus aqm_bpa_front_wait(AqmBpaFront *front, uint32_t edge, AqmDiag *diag);

#endif
