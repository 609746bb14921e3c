/* Simplifying meshes, internal: the vertices that are left moved to where the triangles between
 * them fit the original best. */
#ifndef AQM_STAGES_SURFACE_MESH_EASE_H
#define AQM_STAGES_SURFACE_MESH_EASE_H

#include "stages/surface/mesh_fans.h"

/* Moves the vertices of these triangles over the vertices of `mesh`, along the normals of the
 * triangles, so that the squares of the distances of all vertices of `mesh` from the triangles have
 * the least sum. Borders stay to the bit, as does a vertex whose triangles have no area. `position`
 * (3 x mesh->vertex_count): where the vertices are afterwards. `fans` are those of the triangles.
 * The same bytes for any number of threads. MEMORY; `position` is then undefined. */
AqmStatus aqm_mesh_ease(const AqmMesh *mesh, const uint32_t *triangles, size_t count,
                        const AqmMeshFans *fans, float *position, AqmDiag *diag);

#endif
