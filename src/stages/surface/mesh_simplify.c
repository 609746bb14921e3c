/* Fewer triangles, by collapsing edges in the order of the error that this makes (quadrics of
 * Garland and Heckbert 1997, "Surface Simplification Using Quadric Error Metrics"), done by the
 * library meshoptimizer. What is added here:
 *
 * - Border vertices are locked, so borders stay where they are to the bit. Where a mesh has so many
 *   holes that the target cannot be reached, the result has more triangles; borders come first.
 * - A collapse of an edge whose ends have a common neighbour besides those of its two triangles
 *   pinches what lies between into a bubble: closed, and hanging by one edge, which then has four
 *   triangles. Mostly two triangles back to back; some ten in a million triangles. Bubbles are
 * taken out; should any edge still be run along twice in the same direction, the later triangle
 * goes.
 * - Corners on a surface have their triangles beside it where it bends: the vertices that are left
 *   are moved to where the triangles fit best (mesh_ease.c).
 * - meshoptimizer's own error is that of the quadrics, a mean over the planes around; the largest
 *   distance is up to twice that. The error stated here is measured (mesh_gap.c), in both
 *   directions.
 *
 * It works in float, relative to the extent of the mesh: on sheets of 1 m with a vertex every 2 mm,
 * pieces of 60 mm simplified on their own are no nearer to the original than the whole is, so this
 * costs nothing at our sizes. Vertices keep their normals: those of the fit to the points are
 * better than any of a coarser mesh. */
#include "aquamvs/surface.h"

#include <math.h>
#include <meshoptimizer.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/mesh_ease.h"
#include "stages/surface/mesh_flip.h"
#include "stages/surface/mesh_gap.h"

/* No limit: the count of triangles decides. Its square is finite in float. */
static const float ANY_ERROR = 1e9f;

enum { BUBBLE_MOST = 64 }; /* triangles: what is larger is part of the shape */

/* meshoptimizer allocates by C++'s new, and were that to fail the process would end: the memory
 * (counted from its source, rounded up) is asked for here first. */
enum { BYTES_PER_VERTEX = 112, BYTES_PER_INDEX = 36 };

/* ---- input ----------------------------------------------------------------------------------- */

static bool is_finite(const float *p) {
    return isfinite(p[0]) && isfinite(p[1]) && isfinite(p[2]);
}

/* The triangles whose corners are finite and not the same into `triangles`. */
static AqmStatus list_sound(const AqmMesh *mesh, uint32_t *triangles, size_t *count,
                            AqmDiag *diag) {
    *count = 0;
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        bool sound = t[0] != t[1] && t[1] != t[2] && t[2] != t[0];
        for (int k = 0; k < 3; k++) {
            if (t[k] >= mesh->vertex_count)
                return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                                "triangle %zu has vertex %u: the mesh has %zu", i, (unsigned)t[k],
                                mesh->vertex_count);
            sound = sound && is_finite(mesh->position + 3 * (size_t)t[k]);
        }
        if (sound)
            memcpy(triangles + 3 * (*count)++, t, 3 * sizeof *t);
    }
    return AQM_OK;
}

/* ---- repairs --------------------------------------------------------------------------------- */

/* Whether the triangle runs from a to b. */
static bool runs_along(const uint32_t *t, uint32_t a, uint32_t b) {
    return (t[0] == a && t[1] == b) || (t[1] == a && t[2] == b) || (t[2] == a && t[0] == b);
}

/* Whether a triangle before this one, of those not dropped, has an edge in the same direction. */
static bool repeats_an_edge(const AqmMeshFans *fans, const uint32_t *triangles, size_t triangle,
                            const bool *dropped) {
    const uint32_t *t = triangles + 3 * triangle;
    for (int k = 0; k < 3; k++)
        for (size_t i = fans->first[t[k]]; fans->triangles[i] < triangle; i++) {
            const size_t other = fans->triangles[i];
            if (!(dropped && dropped[other]) &&
                runs_along(triangles + 3 * other, t[k], t[(k + 1) % 3]))
                return true;
        }
    return false;
}

static bool any_repeats(const AqmMeshFans *fans, const uint32_t *triangles, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (repeats_an_edge(fans, triangles, i, NULL))
            return true;
    return false;
}

typedef struct Bubble {
    uint32_t triangles[BUBBLE_MOST];
    int count;
} Bubble;

static bool holds(const Bubble *bubble, uint32_t triangle) {
    for (int i = 0; i < bubble->count; i++)
        if (bubble->triangles[i] == triangle)
            return true;
    return false;
}

/* How many triangles have the edge from a to b besides `triangle`; *other is the last of them. */
static int others_at(const AqmMeshFans *fans, const uint32_t *triangles, const bool *dropped,
                     uint32_t triangle, uint32_t a, uint32_t b, uint32_t *other) {
    int count = 0;
    for (size_t i = fans->first[a]; i < fans->first[a + 1]; i++) {
        const uint32_t candidate = fans->triangles[i];
        const uint32_t *t = triangles + 3 * (size_t)candidate;
        if (candidate == triangle || dropped[candidate] ||
            !(runs_along(t, a, b) || runs_along(t, b, a)))
            continue;
        *other = candidate;
        count++;
    }
    return count;
}

/* What hangs together with the first triangle of the bubble over edges of two triangles; false
 * where it has a border or is large. */
static bool fill_bubble(const AqmMeshFans *fans, const uint32_t *triangles, const bool *dropped,
                        Bubble *bubble) {
    for (int i = 0; i < bubble->count; i++) {
        const uint32_t triangle = bubble->triangles[i];
        const uint32_t *t = triangles + 3 * (size_t)triangle;
        for (int k = 0; k < 3; k++) {
            uint32_t other = 0;
            const int count =
                others_at(fans, triangles, dropped, triangle, t[k], t[(k + 1) % 3], &other);
            if (count == 0)
                return false;
            if (count > 1 || holds(bubble, other))
                continue;
            if (bubble->count == BUBBLE_MOST)
                return false;
            bubble->triangles[bubble->count++] = other;
        }
    }
    return true;
}

static bool has_crowded_edge(const AqmMeshFans *fans, const uint32_t *triangles,
                             const bool *dropped, uint32_t triangle) {
    const uint32_t *t = triangles + 3 * (size_t)triangle;
    uint32_t other = 0;
    for (int k = 0; k < 3; k++)
        if (others_at(fans, triangles, dropped, triangle, t[k], t[(k + 1) % 3], &other) > 1)
            return true;
    return false;
}

static void drop_bubbles(const AqmMeshFans *fans, const uint32_t *triangles, size_t count,
                         bool *dropped) {
    for (size_t i = 0; i < count; i++) {
        Bubble bubble = {.triangles = {(uint32_t)i}, .count = 1};
        if (dropped[i] || !has_crowded_edge(fans, triangles, dropped, (uint32_t)i) ||
            !fill_bubble(fans, triangles, dropped, &bubble))
            continue;
        for (int k = 0; k < bubble.count; k++)
            dropped[bubble.triangles[k]] = true;
    }
}

/* Takes out what the file's head says, for originals that have none of it. */
static AqmStatus repair(uint32_t *triangles, size_t *count, size_t vertex_count, AqmDiag *diag) {
    AqmMeshFans fans = {0};
    AQM_TRY(aqm_mesh_fans_create(&fans, vertex_count, triangles, *count, diag));
    bool *dropped = aqm_calloc(*count, sizeof *dropped);
    if (dropped) {
        drop_bubbles(&fans, triangles, *count, dropped);
        size_t kept = 0;
        for (size_t i = 0; i < *count; i++)
            dropped[i] = dropped[i] || repeats_an_edge(&fans, triangles, i, dropped);
        for (size_t i = 0; i < *count; i++)
            if (!dropped[i])
                memmove(triangles + 3 * kept++, triangles + 3 * i, 3 * sizeof *triangles);
        *count = kept;
    }
    aqm_free(dropped);
    aqm_mesh_fans_free(&fans);
    return dropped ? AQM_OK : aqm_fail_memory(diag, "triangles", *count, 1);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void copy_vertex(AqmMesh *to, size_t v, const AqmMesh *from, size_t source) {
    memcpy(to->position + 3 * v, from->position + 3 * source, 3 * sizeof(float));
    memcpy(to->normal + 3 * v, from->normal + 3 * source, 3 * sizeof(float));
    memcpy(to->color + 3 * v, from->color + 3 * source, 3);
    to->sigma_m[v] = from->sigma_m[source];
    to->views[v] = from->views[source];
}

/* These triangles, with those of the vertices that they use (all: with all of them), in their old
 * order, at these positions (NULL: their own). */
static AqmStatus make_mesh(const AqmMesh *mesh, const float *position, const uint32_t *triangles,
                           size_t count, bool all, AqmMesh **out, AqmDiag *diag) {
    uint32_t *number = aqm_alloc(mesh->vertex_count, sizeof *number);
    if (!number)
        return aqm_fail_memory(diag, "vertices", mesh->vertex_count, sizeof *number);
    memset(number, all ? 0 : 0xff, mesh->vertex_count * sizeof *number);
    for (size_t i = 0; i < 3 * count; i++)
        number[triangles[i]] = 0;
    uint32_t used = 0;
    for (size_t v = 0; v < mesh->vertex_count; v++)
        number[v] = number[v] == 0 ? used++ : UINT32_MAX;
    AqmMesh *result = NULL;
    const AqmStatus status = aqm_mesh_create(&result, used, count, diag);
    if (status == AQM_OK) {
        for (size_t v = 0; v < mesh->vertex_count; v++)
            if (number[v] != UINT32_MAX) {
                copy_vertex(result, number[v], mesh, v);
                if (position)
                    memcpy(result->position + 3 * (size_t)number[v], position + 3 * v,
                           3 * sizeof *position);
            }
        for (size_t i = 0; i < 3 * count; i++)
            result->triangles[i] = number[triangles[i]];
        *out = result;
    }
    aqm_free(number);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

typedef struct Work {
    AqmMesh *before; /* the original's sound triangles and their vertices */
    uint32_t *after; /* triangles of the same vertices */
    size_t after_count;
    float *position; /* of the same vertices, for the triangles after */
    AqmMeshFans before_fans, after_fans;
} Work;

/* A copy, as meshoptimizer measures the extent of all vertices it is given. */
static AqmStatus copy_sound(Work *work, const AqmMesh *mesh, AqmDiag *diag) {
    uint32_t *triangles = aqm_alloc(mesh->triangle_count, 3 * sizeof *triangles);
    size_t count = 0;
    if (!triangles)
        return aqm_fail_memory(diag, "triangles", mesh->triangle_count, 3 * sizeof *triangles);
    AqmStatus status = list_sound(mesh, triangles, &count, diag);
    if (status == AQM_OK && count == 0)
        status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                          "simplifying: none of the %zu triangles has three finite corners",
                          mesh->triangle_count);
    if (status == AQM_OK)
        status = make_mesh(mesh, NULL, triangles, count, false, &work->before, diag);
    aqm_free(triangles);
    return status;
}

static AqmStatus ask_for_memory(const AqmMesh *mesh, AqmDiag *diag) {
    void *vertices = aqm_alloc(mesh->vertex_count, BYTES_PER_VERTEX);
    void *indices = aqm_alloc(3 * mesh->triangle_count, BYTES_PER_INDEX);
    const bool there = vertices && indices;
    aqm_free(vertices);
    aqm_free(indices);
    return there ? AQM_OK
                 : aqm_fail_memory(diag, "simplifying a mesh", mesh->triangle_count,
                                   3 * BYTES_PER_INDEX + BYTES_PER_VERTEX / 2);
}

static AqmStatus collapse(Work *work, size_t target_triangles, AqmDiag *diag) {
    const AqmMesh *mesh = work->before;
    work->after = aqm_alloc(mesh->triangle_count, 3 * sizeof *work->after);
    if (!work->after)
        return aqm_fail_memory(diag, "triangles", mesh->triangle_count, 3 * sizeof(uint32_t));
    AQM_TRY(aqm_mesh_fans_create(&work->before_fans, mesh->vertex_count, mesh->triangles,
                                 mesh->triangle_count, diag));
    AQM_TRY(ask_for_memory(mesh, diag));
    /* a closed mesh, asked for a single triangle, would vanish */
    for (size_t target = target_triangles; work->after_count == 0; target *= 2)
        work->after_count =
            meshopt_simplify(work->after, mesh->triangles, 3 * mesh->triangle_count, mesh->position,
                             mesh->vertex_count, 3 * sizeof(float), 3 * target, ANY_ERROR,
                             meshopt_SimplifyLockBorder, NULL) /
            3;
    if (!any_repeats(&work->before_fans, mesh->triangles, mesh->triangle_count)) {
        AQM_TRY(repair(work->after, &work->after_count, mesh->vertex_count, diag));
        AQM_TRY(aqm_mesh_flip(mesh, work->after, work->after_count, diag));
    }
    return aqm_mesh_fans_create(&work->after_fans, mesh->vertex_count, work->after,
                                work->after_count, diag);
}

static AqmStatus ease(Work *work, AqmDiag *diag) {
    const AqmMesh *mesh = work->before;
    work->position = aqm_alloc(mesh->vertex_count, 3 * sizeof *work->position);
    if (!work->position)
        return aqm_fail_memory(diag, "vertices", mesh->vertex_count, 3 * sizeof *work->position);
    return aqm_mesh_ease(mesh, work->after, work->after_count, &work->after_fans, work->position,
                         diag);
}

static AqmStatus measure(const Work *work, double *error_m, AqmDiag *diag) {
    const AqmMesh *mesh = work->before;
    const AqmMeshShell before = {mesh->position, mesh->triangles, mesh->triangle_count,
                                 &work->before_fans};
    const AqmMeshShell after = {work->position, work->after, work->after_count, &work->after_fans};
    double there = 0.0, back = 0.0;
    AQM_TRY(aqm_mesh_gap(&before, &after, true, &there, diag)); /* its triangles are small */
    AQM_TRY(aqm_mesh_gap(&after, &before, false, &back, diag));
    *error_m = there > back ? there : back;
    return AQM_OK;
}

static AqmStatus simplify(Work *work, const AqmMesh *mesh, size_t target_triangles, AqmMesh **out,
                          double *error_m, AqmDiag *diag) {
    double error = 0.0;
    AQM_TRY(copy_sound(work, mesh, diag));
    AQM_TRY(collapse(work, target_triangles, diag));
    AQM_TRY(ease(work, diag));
    if (error_m)
        AQM_TRY(measure(work, &error, diag));
    AQM_TRY(
        make_mesh(work->before, work->position, work->after, work->after_count, false, out, diag));
    if (error_m)
        *error_m = error;
    return AQM_OK;
}

AqmStatus aqm_mesh_simplify(const AqmMesh *mesh, size_t target_triangles, AqmMesh **out,
                            double *error_m, AqmDiag *diag) {
    if (target_triangles < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "simplifying to %zu triangles: must be 1 or more",
                        target_triangles);
    if (mesh->triangle_count <= target_triangles) {
        AQM_TRY(make_mesh(mesh, NULL, mesh->triangles, mesh->triangle_count, true, out, diag));
        if (error_m)
            *error_m = 0.0;
        return AQM_OK;
    }
    Work work = {0};
    const AqmStatus status = simplify(&work, mesh, target_triangles, out, error_m, diag);
    aqm_mesh_destroy(&work.before);
    aqm_free(work.after);
    aqm_free(work.position);
    aqm_mesh_fans_free(&work.before_fans);
    aqm_mesh_fans_free(&work.after_fans);
    return status;
}
