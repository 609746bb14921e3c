/* Vertices are numbered anew, as sites that no triangle uses are left out. */
#include "stages/surface/bpa_mesh.h"

#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

static void copy_vertex(AqmMesh *mesh, size_t vertex, const AqmCloud *cloud, size_t point) {
    memcpy(mesh->position + 3 * vertex, cloud->position + 3 * point, 3 * sizeof(float));
    memcpy(mesh->normal + 3 * vertex, cloud->normal + 3 * point, 3 * sizeof(float));
    memcpy(mesh->color + 3 * vertex, cloud->color + 3 * point, 3);
    mesh->sigma_m[vertex] = cloud->sigma_m[point];
    mesh->views[vertex] = cloud->views[point];
}

static bool has_normal(const float *normal) {
    return normal[0] != 0.0f || normal[1] != 0.0f || normal[2] != 0.0f;
}

static void triangle_normal(const AqmMesh *mesh, const uint32_t *t, double normal[3]) {
    double side[2][3];
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++)
            side[i][k] = (double)mesh->position[3 * (size_t)t[i + 1] + k] -
                         (double)mesh->position[3 * (size_t)t[0] + k];
    aqm_cross3(side[0], side[1], normal);
}

/* Means over the triangles, weighted by area; up where they cancel out. */
static AqmStatus fill_normals(AqmMesh *mesh, AqmDiag *diag) {
    double(*sums)[3] = aqm_calloc(mesh->vertex_count, sizeof *sums);
    if (!sums)
        return aqm_fail_memory(diag, "ball pivoting: normals", mesh->vertex_count, sizeof *sums);
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        double normal[3];
        triangle_normal(mesh, mesh->triangles + 3 * i, normal);
        for (int k = 0; k < 9; k++)
            sums[mesh->triangles[3 * i + k / 3]][k % 3] += normal[k % 3];
    }
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        if (has_normal(mesh->normal + 3 * i))
            continue;
        const double length = aqm_norm3(sums[i]);
        for (int k = 0; k < 3; k++)
            mesh->normal[3 * i + k] = length > 0.0 ? (float)(sums[i][k] / length) : -(float)(k / 2);
    }
    aqm_free(sums);
    return AQM_OK;
}

AqmStatus aqm_bpa_mesh(const AqmBpaFront *front, const AqmBpaSites *sites, const AqmCloud *cloud,
                       AqmMesh **out, AqmDiag *diag) {
    uint32_t *number = aqm_alloc(sites->count, sizeof *number);
    if (!number)
        return aqm_fail_memory(diag, "ball pivoting: vertices", sites->count, sizeof *number);
    uint32_t count = 0;
    for (size_t i = 0; i < sites->count; i++)
        number[i] = aqm_bpa_is_used(front, (uint32_t)i) ? count++ : 0;
    AqmMesh *mesh = NULL;
    AqmStatus status = aqm_mesh_create(&mesh, count, front->triangle_count, diag);
    if (status == AQM_OK) {
        bool known = true;
        for (size_t i = 0; i < sites->count; i++)
            if (aqm_bpa_is_used(front, (uint32_t)i)) {
                copy_vertex(mesh, number[i], cloud, sites->source[i]);
                known = known && has_normal(mesh->normal + 3 * (size_t)number[i]);
            }
        for (size_t i = 0; i < 3 * mesh->triangle_count; i++)
            mesh->triangles[i] = number[front->triangles[i]];
        status = known ? AQM_OK : fill_normals(mesh, diag);
    }
    aqm_free(number);
    if (status == AQM_OK)
        *out = mesh;
    else
        aqm_mesh_destroy(&mesh);
    return status;
}
