/* What is known of the vertices: normals from the triangles, the rest from the points.
 *
 * A normal is the sum of the triangles' around the vertex, by area. Colour is the mean of the
 * NEIGHBORS nearest points, weighted by (1 - (d / R)^2)^2 with R a little more than the distance of
 * the last. So is sigma, over those that have one: errors of neighbouring points have causes in
 * common (the same images, overlapping windows), so the mean of their sigmas is not divided by the
 * root of their number. */
#include <math.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"
#include "stages/surface/poisson_surface.h"

enum { NEIGHBORS = 8 };

static const double REACH = 1.1; /* R in distances of the last neighbour */

static void sum_normals(const AqmPoissonSurface *s, AqmMesh *mesh) {
    for (size_t i = 0; i < s->triangle_count; i++) {
        const uint32_t *v = s->triangles + 3 * i;
        double a[3], b[3], normal[3];
        for (size_t k = 0; k < 3; k++) {
            const double at = (double)s->position[3 * (size_t)v[0] + k];
            a[k] = (double)s->position[3 * (size_t)v[1] + k] - at;
            b[k] = (double)s->position[3 * (size_t)v[2] + k] - at;
        }
        aqm_cross3(a, b, normal);
        for (size_t c = 0; c < 3; c++)
            for (size_t k = 0; k < 3; k++)
                mesh->normal[3 * (size_t)v[c] + k] += (float)normal[k];
    }
}

static void normalize(float normal[3]) {
    const double n[3] = {(double)normal[0], (double)normal[1], (double)normal[2]};
    const double length = aqm_norm3(n);
    for (int k = 0; k < 3; k++)
        normal[k] = length > 0.0 ? (float)(n[k] / length) : k == 2 ? -1.0f : 0.0f;
}

static void take_from_points(const AqmCloud *cloud, const AqmNeighbors *points, AqmMesh *mesh,
                             size_t vertex) {
    uint32_t indices[NEIGHBORS];
    float distances2[NEIGHBORS];
    int found = 0;
    /* cannot fail: only more than 64 neighbours need memory */
    if (aqm_neighbors_nearest(points, mesh->position + 3 * vertex, NEIGHBORS, indices, distances2,
                              &found, NULL) != AQM_OK ||
        found == 0)
        return;
    const double reach2 = REACH * REACH * fmax((double)distances2[found - 1], 1e-30);
    double color[3] = {0}, weights = 0.0, sigma = 0.0, sigma_weights = 0.0;
    for (int i = 0; i < found; i++) {
        const double share = 1.0 - (double)distances2[i] / reach2, w = share * share;
        const size_t p = indices[i];
        for (size_t k = 0; k < 3; k++)
            color[k] += w * cloud->color[3 * p + k];
        weights += w;
        if (isfinite(cloud->sigma_m[p])) {
            sigma += w * (double)cloud->sigma_m[p];
            sigma_weights += w;
        }
    }
    for (size_t k = 0; k < 3; k++)
        mesh->color[3 * vertex + k] = (uint8_t)(color[k] / weights + 0.5);
    if (sigma_weights > 0.0)
        mesh->sigma_m[vertex] = (float)(sigma / sigma_weights);
}

AqmStatus aqm_poisson_attributes(const AqmPoissonSurface *surface, const AqmCloud *cloud,
                                 const AqmNeighbors *points, int threads, AqmMesh **out,
                                 AqmDiag *diag) {
    AqmMesh *mesh = NULL;
    AQM_TRY(aqm_mesh_create(&mesh, surface->vertex_count, surface->triangle_count, diag));
    for (size_t i = 0; i < 3 * surface->vertex_count; i++)
        mesh->position[i] = surface->position[i];
    for (size_t i = 0; i < 3 * surface->triangle_count; i++)
        mesh->triangles[i] = surface->triangles[i];
    sum_normals(surface, mesh);
#pragma omp parallel for schedule(dynamic, 256) num_threads(threads)
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        normalize(mesh->normal + 3 * i);
        take_from_points(cloud, points, mesh, i);
    }
    *out = mesh;
    return AQM_OK;
}
