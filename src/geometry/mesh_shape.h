/* What a mesh is like as a surface: its edges, pieces, area and volume. */
#ifndef AQM_GEOMETRY_MESH_SHAPE_H
#define AQM_GEOMETRY_MESH_SHAPE_H

#include "aquamvs/types.h"

typedef struct AqmMeshShape {
    size_t edges;
    size_t boundary_edges;       /* in one triangle */
    size_t non_manifold_edges;   /* in more than two */
    size_t flipped_edges;        /* in two triangles that run along it in the same direction */
    size_t degenerate_triangles; /* a vertex twice; they count in nothing else here */
    size_t unused_vertices;      /* in no triangle */
    size_t components;           /* of triangles that share vertices */
    bool is_watertight;          /* no boundary, non-manifold or flipped edge, and some triangle */
    double area_m2;
    double
        volume_m3; /* enclosed, positive where triangles are wound outwards; of watertight meshes */
} AqmMeshShape;

/* MEMORY; *out is then untouched. Time: a sort of the edges. */
AQM_NODISCARD AqmStatus aqm_mesh_shape(const AqmMesh *mesh, AqmMeshShape *out, AqmDiag *diag);

#endif
