/* A counting sort of the corners by vertex. */
#include "stages/surface/mesh_fans.h"

#include "base/alloc.h"
#include "base/diag.h"

AqmStatus aqm_mesh_fans_create(AqmMeshFans *out, size_t vertex_count, const uint32_t *triangles,
                               size_t triangle_count, AqmDiag *diag) {
    AqmMeshFans fans = {.first = aqm_calloc(vertex_count + 2, sizeof *fans.first),
                        .triangles = aqm_alloc(triangle_count, 3 * sizeof *fans.triangles)};
    if (!fans.first || !fans.triangles) {
        aqm_mesh_fans_free(&fans);
        return aqm_fail_memory(diag, "the corners of a mesh", vertex_count + triangle_count, 12);
    }
    /* one place further on, so that what serves as a cursor ends where the next one begins */
    for (size_t i = 0; i < 3 * triangle_count; i++)
        fans.first[triangles[i] + 2]++;
    for (size_t v = 0; v < vertex_count; v++)
        fans.first[v + 2] += fans.first[v + 1];
    for (size_t i = 0; i < 3 * triangle_count; i++)
        fans.triangles[fans.first[triangles[i] + 1]++] = (uint32_t)(i / 3);
    *out = fans;
    return AQM_OK;
}

void aqm_mesh_fans_free(AqmMeshFans *fans) {
    aqm_free(fans->first);
    aqm_free(fans->triangles);
    *fans = (AqmMeshFans){0};
}
