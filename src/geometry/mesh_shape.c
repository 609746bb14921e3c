/* Edges as sorted pairs of vertices, pieces by union and find, volume by the divergence theorem. */
#include "geometry/mesh_shape.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

/* An edge of one triangle; `forward`: the triangle runs from its lower vertex to the higher. */
typedef struct Edge {
    uint32_t low, high;
    bool forward;
} Edge;

static int by_vertices(const void *left, const void *right) {
    const Edge *a = left, *b = right;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    return (int)a->forward - (int)b->forward;
}

static bool is_degenerate(const uint32_t t[3]) {
    return t[0] == t[1] || t[1] == t[2] || t[2] == t[0];
}

static size_t list_edges(const AqmMesh *mesh, Edge *edges) {
    size_t count = 0;
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        for (int k = 0; k < 3 && !is_degenerate(t); k++) {
            const uint32_t a = t[k], b = t[(k + 1) % 3];
            edges[count++] = a < b ? (Edge){a, b, true} : (Edge){b, a, false};
        }
    }
    qsort(edges, count, sizeof *edges, by_vertices);
    return count;
}

static void count_edges(const Edge *edges, size_t count, AqmMeshShape *shape) {
    for (size_t first = 0, next; first < count; first = next) {
        next = first + 1;
        while (next < count && edges[next].low == edges[first].low &&
               edges[next].high == edges[first].high)
            next++;
        const size_t uses = next - first;
        shape->edges++;
        shape->boundary_edges += uses == 1;
        shape->non_manifold_edges += uses > 2;
        shape->flipped_edges += uses == 2 && edges[first].forward == edges[first + 1].forward;
    }
}

static uint32_t root_of(uint32_t *parent, uint32_t vertex) {
    while (parent[vertex] != vertex)
        vertex = parent[vertex] = parent[parent[vertex]];
    return vertex;
}

/* parent: one for each vertex. */
static void count_pieces(const AqmMesh *mesh, uint32_t *parent, AqmMeshShape *shape) {
    for (size_t i = 0; i < mesh->vertex_count; i++)
        parent[i] = UINT32_MAX;
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        if (is_degenerate(t)) {
            shape->degenerate_triangles++;
            continue;
        }
        for (int k = 0; k < 3; k++)
            parent[t[k]] = parent[t[k]] == UINT32_MAX ? t[k] : parent[t[k]];
        for (int k = 1; k < 3; k++)
            parent[root_of(parent, t[k])] = root_of(parent, t[0]);
    }
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        shape->components += parent[i] == i;
        shape->unused_vertices += parent[i] == UINT32_MAX;
    }
}

static void measure(const AqmMesh *mesh, AqmMeshShape *shape) {
    const float *origin = mesh->position; /* near the mesh: small terms */
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        double corner[3][3], side[2][3], cross[3];
        for (int k = 0; k < 3; k++)
            for (int j = 0; j < 3; j++)
                corner[k][j] = (double)mesh->position[3 * (size_t)t[k] + j] - (double)origin[j];
        for (int j = 0; j < 3; j++) {
            side[0][j] = corner[1][j] - corner[0][j];
            side[1][j] = corner[2][j] - corner[0][j];
        }
        aqm_cross3(side[0], side[1], cross);
        shape->area_m2 += 0.5 * aqm_norm3(cross);
        shape->volume_m3 += aqm_dot3(corner[0], cross) / 6.0;
    }
}

AqmStatus aqm_mesh_shape(const AqmMesh *mesh, AqmMeshShape *out, AqmDiag *diag) {
    Edge *edges = aqm_alloc(mesh->triangle_count, 3 * sizeof *edges);
    uint32_t *parent = aqm_alloc(mesh->vertex_count, sizeof *parent);
    const bool ready = edges && parent;
    if (ready) {
        AqmMeshShape shape = {0};
        count_edges(edges, list_edges(mesh, edges), &shape);
        count_pieces(mesh, parent, &shape);
        measure(mesh, &shape);
        shape.is_watertight = shape.edges > 0 && shape.boundary_edges == 0 &&
                              shape.non_manifold_edges == 0 && shape.flipped_edges == 0;
        shape.volume_m3 = shape.is_watertight ? shape.volume_m3 : 0.0;
        *out = shape;
    }
    aqm_free(edges);
    aqm_free(parent);
    return ready ? AQM_OK
                 : aqm_fail_memory(diag, "the edges of a mesh", mesh->triangle_count,
                                   3 * sizeof *edges);
}
