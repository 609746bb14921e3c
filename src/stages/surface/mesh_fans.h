/* Simplifying meshes, internal: which triangles a vertex has. */
#ifndef AQM_STAGES_SURFACE_MESH_FANS_H
#define AQM_STAGES_SURFACE_MESH_FANS_H

#include <stdbool.h>

#include "aquamvs/types.h"

typedef struct AqmMeshFans {
    size_t *first;       /* vertex_count + 1 */
    uint32_t *triangles; /* of vertex v: first[v] .. first[v + 1] - 1, ascending */
} AqmMeshFans;

/* vertex_count and the triangles of the mesh are all that is looked at. MEMORY. */
AqmStatus aqm_mesh_fans_create(AqmMeshFans *out, size_t vertex_count, const uint32_t *triangles,
                               size_t triangle_count, AqmDiag *diag);
void aqm_mesh_fans_free(AqmMeshFans *fans);

#endif
