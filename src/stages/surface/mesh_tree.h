/* Simplifying meshes, internal: a tree of boxes that finds the triangle nearest to a point. */
#ifndef AQM_STAGES_SURFACE_MESH_TREE_H
#define AQM_STAGES_SURFACE_MESH_TREE_H

#include <stdbool.h>

#include "aquamvs/types.h"

typedef struct AqmMeshBox {
    float low[3], high[3];
} AqmMeshBox;

/* Borrows positions and triangles; the rest is its own. */
typedef struct AqmMeshTree {
    const float *position;
    const uint32_t *triangles;
    size_t triangle_count;
    uint32_t *order; /* of the triangles */
    AqmMeshBox *boxes;
    int depth;
} AqmMeshTree;

/* Of at least one triangle with finite corners. MEMORY; *out is then untouched. */
AQM_NODISCARD AqmStatus aqm_mesh_tree_create(AqmMeshTree *out, const float *position,
                                             const uint32_t *triangles, size_t triangle_count,
                                             AqmDiag *diag);
void aqm_mesh_tree_free(AqmMeshTree *tree);

/* The distance of x in metres and the nearest triangle (NULL: not asked for), exactly (in double);
 * or, where that is no more than enough_m, those of any triangle that near. Of several at the same
 * distance always the same. */
double aqm_mesh_tree_nearest(const AqmMeshTree *tree, const double x[3], double enough_m,
                             uint32_t *triangle);

#endif
