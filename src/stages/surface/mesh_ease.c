/* Corners that lie on a surface have their triangles on the inner side of every bend: chords. Where
 * the surface bends by k over an edge of length h, they are off by k h^2 / 11 in the mean square;
 * moved to the least sum of squares, by k h^2 / 27 (in one dimension: 1 / sqrt(120), 1 /
 * sqrt(720)). Hoppe et al. 1993, "Mesh optimization", do this between collapses; here it comes
 * once, after them.
 *
 * Each vertex of the original is a sample. Its residual r is its distance along the normal m from
 * its nearest triangle, at the barycentric coordinates b there. A vertex moves by d along its own
 * normal n (the mean over its triangles by area), so the sample sees
 *
 *     r - sum_k b_k (m . n_k) d_k,
 *
 * and the sum of the squares, with a little for the squares of d, is least where its normal
 * equations say; conjugate gradients, preconditioned by the diagonal, solve them. No d is more than
 * REACH of the mean length of the edges there, so that no triangle turns over. */
#include "stages/surface/mesh_ease.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/vec.h"
#include "stages/surface/mesh_tree.h"

enum { ROUNDS = 40 };
static const float HOLD = 0.01f; /* samples' worth that holds a vertex where it is */
static const double REACH = 0.25, ENOUGH = 1e-6;

/* What the least squares are over. Arrays by vertex, but for the samples. */
typedef struct Ease {
    const AqmMesh *mesh;
    const uint32_t *triangles;
    size_t count;
    const AqmMeshFans *fans;
    float (*normal)[3]; /* unit; 0 0 0 for a vertex that stays */
    float (*weight)[3]; /* by sample: b_k (m . n_k) */
    uint32_t *nearest;  /* by sample: its triangle */
    float *residual;    /* by sample */
    float *shift, *rest, *direction, *image, *diagonal;
} Ease;

static const float *corner(const Ease *ease, uint32_t triangle, int k) {
    return ease->mesh->position + 3 * (size_t)ease->triangles[3 * (size_t)triangle + k];
}

static void sides_of(const Ease *ease, uint32_t triangle, double side[3][3]) {
    for (int k = 0; k < 3; k++)
        for (int a = 0; a < 3; a++)
            side[k][a] = (double)corner(ease, triangle, (k + 1) % 3)[a] -
                         (double)corner(ease, triangle, k)[a];
}

/* The square of the longest side. */
static double longest2(const Ease *ease, uint32_t triangle) {
    double side[3][3], most = 0.0;
    sides_of(ease, triangle, side);
    for (int k = 0; k < 3; k++)
        most = fmax(most, aqm_dot3(side[k], side[k]));
    return most;
}

/* ---- normals --------------------------------------------------------------------------------- */

/* Inside, every neighbour is the next of one triangle and the one before of another. */
static bool is_inside(const Ease *ease, size_t vertex) {
    const size_t first = ease->fans->first[vertex], last = ease->fans->first[vertex + 1];
    for (size_t i = first; i < last; i++) {
        const uint32_t *t = ease->triangles + 3 * (size_t)ease->fans->triangles[i];
        const uint32_t next = t[0] == vertex ? t[1] : t[1] == vertex ? t[2] : t[0];
        int before = 0;
        for (size_t j = first; j < last; j++) {
            const uint32_t *u = ease->triangles + 3 * (size_t)ease->fans->triangles[j];
            before += next == (u[0] == vertex ? u[2] : u[1] == vertex ? u[0] : u[1]);
        }
        if (before != 1)
            return false;
    }
    return last > first;
}

static void find_normal(const Ease *ease, size_t vertex) {
    double sum[3] = {0};
    memset(ease->normal[vertex], 0, sizeof ease->normal[vertex]);
    if (!is_inside(ease, vertex))
        return;
    for (size_t i = ease->fans->first[vertex]; i < ease->fans->first[vertex + 1]; i++) {
        double side[3][3], normal[3];
        sides_of(ease, ease->fans->triangles[i], side);
        aqm_cross3(side[0], side[1], normal);
        for (int a = 0; a < 3; a++)
            sum[a] += normal[a];
    }
    const double length = aqm_norm3(sum);
    for (int a = 0; a < 3 && length > 0.0; a++)
        ease->normal[vertex][a] = (float)(sum[a] / length);
}

/* ---- samples --------------------------------------------------------------------------------- */

/* The barycentric coordinates of the place of the triangle nearest to x, and its unit normal; false
 * where it has no area. */
static bool foot_of(const Ease *ease, uint32_t triangle, const double x[3], double b[3],
                    double normal[3]) {
    double side[3][3], from[3][3], least = INFINITY;
    sides_of(ease, triangle, side);
    aqm_cross3(side[0], side[1], normal);
    const double area = aqm_norm3(normal);
    if (!(area > 0.0))
        return false;
    bool inside = true;
    for (int a = 0; a < 3; a++)
        normal[a] /= area;
    for (int k = 0; k < 3; k++) {
        double inwards[3];
        for (int a = 0; a < 3; a++)
            from[k][a] = x[a] - (double)corner(ease, triangle, k)[a];
        aqm_cross3(normal, side[k], inwards);
        b[(k + 2) % 3] = aqm_dot3(inwards, from[k]) / area;
        inside = inside && b[(k + 2) % 3] >= 0.0;
    }
    for (int k = 0; k < 3 && !inside; k++) {
        double along;
        const double distance2 = aqm_segment_distance2(from[k], side[k], &along);
        if (distance2 < least) {
            least = distance2;
            b[k] = 1.0 - along, b[(k + 1) % 3] = along, b[(k + 2) % 3] = 0.0;
        }
    }
    return true;
}

/* A vertex that is still there is a sample of its own, at its corner of one of its triangles. */
static uint32_t triangle_for(const Ease *ease, const AqmMeshTree *tree, size_t vertex,
                             const double x[3]) {
    uint32_t triangle = 0;
    if (ease->fans->first[vertex] < ease->fans->first[vertex + 1])
        return ease->fans->triangles[ease->fans->first[vertex]];
    (void)aqm_mesh_tree_nearest(tree, x, 0.0, &triangle);
    return triangle;
}

static void take_sample(const Ease *ease, const AqmMeshTree *tree, size_t vertex) {
    double x[3], b[3], normal[3], off[3];
    for (int a = 0; a < 3; a++)
        x[a] = (double)ease->mesh->position[3 * vertex + a];
    const uint32_t triangle = triangle_for(ease, tree, vertex, x);
    const bool counts = foot_of(ease, triangle, x, b, normal);
    memset(ease->weight[vertex], 0, sizeof ease->weight[vertex]);
    ease->nearest[vertex] = triangle;
    ease->residual[vertex] = 0.0f;
    if (!counts)
        return;
    memcpy(off, x, sizeof off);
    for (int k = 0; k < 3; k++) {
        const float *n = ease->normal[ease->triangles[3 * (size_t)triangle + k]];
        double cosine = 0.0;
        for (int a = 0; a < 3; a++) {
            off[a] -= b[k] * (double)corner(ease, triangle, k)[a];
            cosine += normal[a] * (double)n[a];
        }
        ease->weight[vertex][k] = (float)(b[k] * cosine);
    }
    ease->residual[vertex] = (float)aqm_dot3(normal, off);
    if (aqm_norm3(off) > sqrt(longest2(ease, triangle))) { /* what it was part of is gone */
        memset(ease->weight[vertex], 0, sizeof ease->weight[vertex]);
        ease->residual[vertex] = 0.0f;
    }
}

static AqmStatus take_samples(Ease *ease, AqmDiag *diag) {
    const AqmMesh *mesh = ease->mesh;
    const int threads = aqm_thread_count(0);
    AqmMeshTree tree;
    AQM_TRY(aqm_mesh_tree_create(&tree, mesh->position, ease->triangles, ease->count, diag));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t v = 0; v < mesh->vertex_count; v++)
        find_normal(ease, v);
#pragma omp parallel for schedule(dynamic, 1024) num_threads(threads)
    for (size_t v = 0; v < mesh->vertex_count; v++)
        take_sample(ease, &tree, v);
    aqm_mesh_tree_free(&tree);
    return AQM_OK;
}

/* ---- least squares --------------------------------------------------------------------------- */

/* out += transposed weights times the values of the samples */
static void gather(const Ease *ease, const float *values, float *out) {
    for (size_t s = 0; s < ease->mesh->vertex_count; s++) {
        const uint32_t *t = ease->triangles + 3 * (size_t)ease->nearest[s];
        for (int k = 0; k < 3; k++)
            out[t[k]] += ease->weight[s][k] * values[s];
    }
}

/* image = (transposed weights x weights + HOLD) direction */
static void multiply(const Ease *ease) {
    const size_t vertices = ease->mesh->vertex_count;
    for (size_t v = 0; v < vertices; v++)
        ease->image[v] = HOLD * ease->direction[v];
    for (size_t s = 0; s < vertices; s++) {
        const uint32_t *t = ease->triangles + 3 * (size_t)ease->nearest[s];
        const float *w = ease->weight[s];
        const float value = w[0] * ease->direction[t[0]] + w[1] * ease->direction[t[1]] +
                            w[2] * ease->direction[t[2]];
        for (int k = 0; k < 3; k++)
            ease->image[t[k]] += w[k] * value;
    }
}

static void find_diagonal(const Ease *ease) {
    for (size_t v = 0; v < ease->mesh->vertex_count; v++)
        ease->diagonal[v] = HOLD;
    for (size_t s = 0; s < ease->mesh->vertex_count; s++)
        for (int k = 0; k < 3; k++)
            ease->diagonal[ease->triangles[3 * (size_t)ease->nearest[s] + k]] +=
                ease->weight[s][k] * ease->weight[s][k];
}

/* The sum of a[i] b[i] / by[i] (NULL: 1). */
static double product(const float *a, const float *b, const float *by, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i] / (by ? (double)by[i] : 1.0);
    return sum;
}

static void solve(const Ease *ease) {
    const size_t count = ease->mesh->vertex_count;
    find_diagonal(ease);
    memset(ease->shift, 0, count * sizeof *ease->shift);
    memset(ease->rest, 0, count * sizeof *ease->rest);
    gather(ease, ease->residual, ease->rest);
    for (size_t v = 0; v < count; v++)
        ease->direction[v] = ease->rest[v] / ease->diagonal[v];
    double left = product(ease->rest, ease->rest, ease->diagonal, count);
    const double enough = ENOUGH * left;
    for (int round = 0; round < ROUNDS && left > enough; round++) {
        multiply(ease);
        const float step = (float)(left / product(ease->direction, ease->image, NULL, count));
        for (size_t v = 0; v < count; v++) {
            ease->shift[v] += step * ease->direction[v];
            ease->rest[v] -= step * ease->image[v];
        }
        const double before = left;
        left = product(ease->rest, ease->rest, ease->diagonal, count);
        for (size_t v = 0; v < count; v++)
            ease->direction[v] =
                ease->rest[v] / ease->diagonal[v] + (float)(left / before) * ease->direction[v];
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* The mean length of a vertex's edges: those that its triangles leave it by. */
static double edge_length(const Ease *ease, size_t vertex) {
    const size_t first = ease->fans->first[vertex], last = ease->fans->first[vertex + 1];
    double sum = 0.0;
    for (size_t i = first; i < last; i++) {
        const uint32_t triangle = ease->fans->triangles[i];
        double side[3][3];
        sides_of(ease, triangle, side);
        for (int k = 0; k < 3; k++)
            if (ease->triangles[3 * (size_t)triangle + k] == vertex)
                sum += aqm_norm3(side[k]);
    }
    return sum / (double)(last - first);
}

static void move(const Ease *ease, float *position) {
    memcpy(position, ease->mesh->position, ease->mesh->vertex_count * 3 * sizeof *position);
    for (size_t v = 0; v < ease->mesh->vertex_count; v++) {
        if (ease->shift[v] == 0.0f)
            continue;
        const double most = REACH * edge_length(ease, v), shift = (double)ease->shift[v];
        const double by = shift > most ? most : shift < -most ? -most : shift;
        for (int a = 0; a < 3; a++)
            position[3 * v + a] =
                (float)((double)position[3 * v + a] + by * (double)ease->normal[v][a]);
    }
}

static AqmStatus ease_alloc(Ease *ease, float **block, AqmDiag *diag) {
    enum { VALUES = 3 + 3 + 1 + 1 + 5 };
    const size_t count = ease->mesh->vertex_count;
    float *at = *block = aqm_alloc(count, VALUES * sizeof(float));
    if (!at)
        return aqm_fail_memory(diag, "moving vertices", count, VALUES * sizeof(float));
    ease->normal = (float(*)[3])(void *)at;
    ease->weight = (float(*)[3])(void *)(at + 3 * count);
    ease->nearest = (uint32_t *)(void *)(at + 6 * count);
    ease->residual = at + 7 * count;
    ease->shift = at + 8 * count;
    ease->rest = at + 9 * count;
    ease->direction = at + 10 * count;
    ease->image = at + 11 * count;
    ease->diagonal = at + 12 * count;
    return AQM_OK;
}

AqmStatus aqm_mesh_ease(const AqmMesh *mesh, const uint32_t *triangles, size_t count,
                        const AqmMeshFans *fans, float *position, AqmDiag *diag) {
    Ease ease = {.mesh = mesh, .triangles = triangles, .count = count, .fans = fans};
    float *block = NULL;
    AqmStatus status = ease_alloc(&ease, &block, diag);
    if (status == AQM_OK)
        status = take_samples(&ease, diag);
    if (status == AQM_OK) {
        solve(&ease);
        move(&ease, position);
    }
    aqm_free(block);
    return status;
}
