/* The triangles of a Poisson reconstruction on their way to a mesh. */
#ifndef AQM_STAGES_SURFACE_POISSON_SURFACE_H
#define AQM_STAGES_SURFACE_POISSON_SURFACE_H

#include "aquamvs/types.h"
#include "geometry/neighbors.h"
#include "stages/surface/poisson_tree.h"

typedef struct AqmPoissonSurface {
    size_t vertex_count, triangle_count;
    float *position;     /* x y z, metres */
    uint32_t *triangles; /* wound so that their normals point to where the function is positive */
} AqmPoissonSurface;

void aqm_poisson_surface_free(AqmPoissonSurface *surface); /* zeroed is fine */

/* Where the tree's function is zero, as a surface without border inside the cube (it may end at the
 * cube's faces): every edge is in two triangles, or in one on a face of the cube; none is in more.
 * NO_DATA if it needs 2^32 vertices or more; MEMORY. On failure nothing is held. */
AQM_NODISCARD AqmStatus aqm_poisson_extract(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                                            AqmPoissonSurface *out, AqmDiag *diag);

/* Cuts away what is farther than trim_m (INFINITY: nothing) from all points; pieces below a
 * hundredth of the largest and below (3 piece_m)^2; and vertices that are then in no triangle.
 * NO_DATA if that needs 2^32 vertices or more; MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_trim(AqmPoissonSurface *surface, const AqmNeighbors *points,
                                         double trim_m, double piece_m, int threads, AqmDiag *diag);

/* The mesh: normals of the triangles around each vertex, colour and sigma of the points around it.
 * MEMORY; *out is then untouched. */
AQM_NODISCARD AqmStatus aqm_poisson_attributes(const AqmPoissonSurface *surface,
                                               const AqmCloud *cloud, const AqmNeighbors *points,
                                               int threads, AqmMesh **out, AqmDiag *diag);

#endif
