#include "aquamvs/surface.h"

#include <meshoptimizer.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

AqmStatus aqm_mesh_simplify(const AqmMesh *mesh, size_t target_triangles, AqmMesh **out,
                            double *error_m, AqmDiag *diag) {
    uint32_t *indices = aqm_alloc(mesh->triangle_count, 12);
    float error = 0.0f;
    const size_t n = meshopt_simplify(indices, mesh->triangles, 3 * mesh->triangle_count,
                                      mesh->position, mesh->vertex_count, 12, 3 * target_triangles,
                                      1.0f, getenv("LOCK") ? meshopt_SimplifyLockBorder : 0, &error);
    AQM_TRY(aqm_mesh_create(out, mesh->vertex_count, n / 3, diag));
    memcpy((*out)->position, mesh->position, 12 * mesh->vertex_count);
    memcpy((*out)->normal, mesh->normal, 12 * mesh->vertex_count);
    memcpy((*out)->triangles, indices, 4 * n);
    *error_m =
        (double)(error * meshopt_simplifyScale(mesh->position, mesh->vertex_count, 12));
    return AQM_OK;
}
