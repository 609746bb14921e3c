#include "io/mesh_export.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

/* A normal shorter than this is taken as none: its direction would be noise. */
static const double shortest_normal = 1e-6;

void aqm_turn(const double *rotation, const float vector[3], float out[3]) {
    double turned[3] = {vector[0], vector[1], vector[2]};
    if (rotation)
        aqm_mul33v(rotation, turned, turned);
    for (int i = 0; i < 3; i++)
        out[i] = (float)turned[i];
}

AqmStatus aqm_check_export(const char *path, const AqmMesh *mesh, const double *rotation,
                           AqmDiag *diag) {
    if (mesh->triangle_count == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "%s: the mesh has no triangles", path);
    for (size_t i = 0; i < 3 * mesh->triangle_count; i++)
        assert(mesh->triangles[i] < mesh->vertex_count);
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        float position[3];
        aqm_turn(rotation, mesh->position + 3 * i, position);
        if (!isfinite(position[0]) || !isfinite(position[1]) || !isfinite(position[2]))
            return aqm_fail(diag, AQM_ERROR_ARGUMENT, "%s: vertex %zu lies at (%g, %g, %g)", path,
                            i, (double)position[0], (double)position[1], (double)position[2]);
    }
    return AQM_OK;
}

/* Twice the area times the unit normal. */
static void cross_of(const float corners[9], double out[3]) {
    double a[3], b[3];
    for (int i = 0; i < 3; i++) {
        a[i] = (double)corners[3 + i] - (double)corners[i];
        b[i] = (double)corners[6 + i] - (double)corners[i];
    }
    aqm_cross3(a, b, out);
}

void aqm_triangle_corners(const AqmMesh *mesh, size_t triangle, const double *rotation,
                          float corners[9], float normal[3]) {
    for (size_t k = 0; k < 3; k++) {
        const size_t vertex = mesh->triangles[3 * triangle + k];
        aqm_turn(rotation, mesh->position + 3 * vertex, corners + 3 * k);
    }
    double direction[3];
    cross_of(corners, direction);
    const double length = aqm_norm3(direction);
    for (int i = 0; i < 3; i++)
        normal[i] = length > 0 && isfinite(length) ? (float)(direction[i] / length) : 0.0f;
}

static bool has_normal(const AqmMesh *mesh, size_t vertex) {
    const float *n = mesh->normal + 3 * vertex;
    const double v[3] = {n[0], n[1], n[2]};
    const double length = aqm_norm3(v);
    return isfinite(length) && length >= shortest_normal;
}

/* Adds every triangle's normal, times its area, to its vertices. */
static void add_triangles(const AqmMesh *mesh, double *sums) {
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        float corners[9], normal[3];
        double direction[3];
        aqm_triangle_corners(mesh, t, NULL, corners, normal);
        cross_of(corners, direction);
        for (size_t k = 0; k < 3; k++)
            for (size_t i = 0; i < 3; i++)
                sums[3 * (size_t)mesh->triangles[3 * t + k] + i] += direction[i];
    }
}

/* One normal of length 1; `from` is turned, where it has a direction. */
static void put_normal(const double *rotation, const double from[3], float out[3]) {
    double turned[3] = {from[0], from[1], from[2]};
    double length = aqm_norm3(turned);
    if (!(length > 0) || !isfinite(length)) {
        turned[0] = turned[1] = 0, turned[2] = -1;
        length = 1;
    } else if (rotation) {
        aqm_mul33v(rotation, turned, turned);
        length = aqm_norm3(turned);
    }
    for (int i = 0; i < 3; i++)
        out[i] = (float)(turned[i] / length);
}

AqmStatus aqm_export_normals(const char *path, const AqmMesh *mesh, const double *rotation,
                             float **normals, AqmDiag *diag) {
    const size_t count = mesh->vertex_count;
    size_t known = 0;
    while (known < count && has_normal(mesh, known))
        known++;
    double *sums = NULL;
    if (known < count && !(sums = aqm_calloc(count, 3 * sizeof *sums)))
        return aqm_fail_memory(diag, path, count, 3 * sizeof *sums);
    float *out = aqm_alloc(count, 3 * sizeof *out);
    if (!out) {
        aqm_free(sums);
        return aqm_fail_memory(diag, path, count, 3 * sizeof *out);
    }
    if (sums)
        add_triangles(mesh, sums);
    for (size_t i = 0; i < count; i++) {
        const float *n = mesh->normal + 3 * i;
        const double own[3] = {n[0], n[1], n[2]};
        put_normal(rotation, !sums || has_normal(mesh, i) ? own : sums + 3 * i, out + 3 * i);
    }
    aqm_free(sums);
    *normals = out;
    return AQM_OK;
}
