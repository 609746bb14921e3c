/* Simplifying meshes, internal: how far two meshes lie from each other. */
#ifndef AQM_STAGES_SURFACE_MESH_GAP_H
#define AQM_STAGES_SURFACE_MESH_GAP_H

#include "stages/surface/mesh_fans.h"

/* Borrows what it points to. */
typedef struct AqmMeshShell {
    const float *position;
    const uint32_t *triangles;
    size_t triangle_count;
    const AqmMeshFans *fans;
} AqmMeshShell;

/* The largest distance from `to` of the corners of the triangles of `from` and, unless
 * corners_only, of the middles of their sides and their centroids. MEMORY. */
AqmStatus aqm_mesh_gap(const AqmMeshShell *from, const AqmMeshShell *to, bool corners_only,
                       double *gap_m, AqmDiag *diag);

#endif
