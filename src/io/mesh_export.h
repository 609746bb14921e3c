/* What the writers of meshes for other programs share: checks, and positions and normals that every
 * reader can use. */
#ifndef AQM_IO_MESH_EXPORT_H
#define AQM_IO_MESH_EXPORT_H

#include "aquamvs/types.h"

/* NO_DATA for a mesh without triangles; ARGUMENT for a position that is not finite or no float
 * after `rotation` (3x3, NULL = identity). Triangles must name vertices of the mesh (asserted). */
AQM_NODISCARD AqmStatus aqm_check_export(const char *path, const AqmMesh *mesh,
                                         const double *rotation, AqmDiag *diag);

/* `rotation` times a vector, as float. */
void aqm_turn(const double *rotation, const float vector[3], float out[3]);

/* Corners of a triangle turned by `rotation`, and the unit normal of their plane: the side from
 * which they run counterclockwise; 0 0 0 where they lie on a line. */
void aqm_triangle_corners(const AqmMesh *mesh, size_t triangle, const double *rotation,
                          float corners[9], float normal[3]);

/* Unit normals of all vertices, turned by `rotation`: the mesh's own where there are any, brought
 * to length 1; else the mean of the triangles around the vertex, by area; in no triangle, or where
 * those cancel, straight up (0, 0, -1). MEMORY. The caller frees *normals (3 a vertex). */
AQM_NODISCARD AqmStatus aqm_export_normals(const char *path, const AqmMesh *mesh,
                                           const double *rotation, float **normals, AqmDiag *diag);

#endif
