/* Simplifying meshes, internal: edges turned so that triangles lie in the surface. */
#ifndef AQM_STAGES_SURFACE_MESH_FLIP_H
#define AQM_STAGES_SURFACE_MESH_FLIP_H

#include "stages/surface/mesh_fans.h"

/* Turns inner edges of these triangles over the vertices of `mesh` (to the other diagonal of their
 * two triangles) where that brings the worse of the two nearer to the surface of `mesh` at its
 * corners. Borders stay. The triangles must have no edge that is run along twice in one direction,
 * and have none afterwards. MEMORY; they are then unchanged. */
AqmStatus aqm_mesh_flip(const AqmMesh *mesh, uint32_t *triangles, size_t count, AqmDiag *diag);

#endif
