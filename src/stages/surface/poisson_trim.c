/* Cutting the surface down to where there are points.
 *
 * A triangle is cut where the distance to the nearest point reaches the limit, so that the border
 * runs smoothly and not from vertex to vertex. Each cut edge gets one new vertex, found by regula
 * falsi on the true distance and taken from the inner side: no vertex is farther from the points
 * than allowed. The two parts of an edge that is cut by two triangles are the same: what was
 * manifold remains so.
 *
 * Of the pieces that are left those are dropped that are small in both senses: a hundredth of the
 * largest, and no larger than what a handful of stray points brings about. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"
#include "stages/surface/poisson_surface.h"

enum { REFINEMENTS = 5 };

static const double PIECE_SHARE = 0.01, PIECE_SIDES2 = 9.0;
/* A cut closer to a vertex than this, in edges, would make a triangle without area. */
static const double NEAREST_TO_VERTEX = 0.02;

typedef struct Trimming {
    AqmPoissonSurface *surface;
    const AqmNeighbors *points;
    double trim_m;
    int threads;
    float *distance;  /* of each vertex */
    uint64_t *cuts;   /* cut edges, inner vertex << 32 | outer vertex, ascending */
    size_t cut_count; /* the vertex of cut i is the surface's vertex_count + i */
} Trimming;

static float distance_of(const AqmNeighbors *points, const float position[3]) {
    float distance = INFINITY;
    (void)aqm_neighbors_distance(points, position, INFINITY, &distance, NULL);
    return distance;
}

static bool is_kept(const Trimming *t, uint32_t vertex) {
    return (double)t->distance[vertex] <= t->trim_m;
}

/* ---- cut edges ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
    return p < q ? -1 : p > q;
}

static uint64_t cut_key(const Trimming *t, uint32_t a, uint32_t b) {
    return is_kept(t, a) ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
}

static uint32_t vertex_of_cut(const Trimming *t, uint32_t a, uint32_t b) {
    const uint64_t key = cut_key(t, a, b);
    const uint64_t *found = bsearch(&key, t->cuts, t->cut_count, sizeof key, by_value);
    return (uint32_t)(t->surface->vertex_count + (size_t)(found - t->cuts));
}

static AqmStatus find_cuts(Trimming *t, AqmDiag *diag) {
    const uint32_t *triangles = t->surface->triangles;
    size_t count = 0;
    for (size_t i = 0; i < 3 * t->surface->triangle_count; i++)
        count += is_kept(t, triangles[i]) != is_kept(t, triangles[i % 3 == 2 ? i - 2 : i + 1]);
    t->cuts = aqm_alloc(count, sizeof *t->cuts);
    if (!t->cuts)
        return aqm_fail_memory(diag, "cut edges", count, sizeof *t->cuts);
    count = 0;
    for (size_t i = 0; i < 3 * t->surface->triangle_count; i++) {
        const uint32_t a = triangles[i], b = triangles[i % 3 == 2 ? i - 2 : i + 1];
        if (is_kept(t, a) != is_kept(t, b))
            t->cuts[count++] = cut_key(t, a, b);
    }
    qsort(t->cuts, count, sizeof *t->cuts, by_value);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || t->cuts[i] != t->cuts[i - 1])
            t->cuts[t->cut_count++] = t->cuts[i];
    return AQM_OK;
}

/* A place on the edge from the inner vertex a to the outer b, about where the limit is reached. */
static void place_cut(const Trimming *t, uint32_t a, uint32_t b, float out[3]) {
    const float *from = t->surface->position + 3 * (size_t)a;
    const float *to = t->surface->position + 3 * (size_t)b;
    double low = 0.0, high = 1.0;
    double below = (double)t->distance[a] - t->trim_m, above = (double)t->distance[b] - t->trim_m;
    for (int i = 0; i < REFINEMENTS; i++) {
        double s = low + (high - low) * below / (below - above);
        s = fmin(fmax(s, low + 0.1 * (high - low)), high - 0.1 * (high - low));
        for (int k = 0; k < 3; k++)
            out[k] = (float)((double)from[k] + s * ((double)to[k] - (double)from[k]));
        const double excess = (double)distance_of(t->points, out) - t->trim_m;
        if (excess <= 0.0)
            low = s, below = excess;
        else
            high = s, above = excess;
    }
    low = fmin(fmax(low, NEAREST_TO_VERTEX), 1.0 - NEAREST_TO_VERTEX);
    for (int k = 0; k < 3; k++)
        out[k] = (float)((double)from[k] + low * ((double)to[k] - (double)from[k]));
}

static AqmStatus place_cuts(const Trimming *t, AqmDiag *diag) {
    const size_t count = t->surface->vertex_count + t->cut_count;
    if (count >= UINT32_MAX)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "a Poisson surface of %zu vertices: at most %u",
                        count, UINT32_MAX - 1u);
    float *position = aqm_realloc(t->surface->position, 3 * count, sizeof *position);
    if (!position)
        return aqm_fail_memory(diag, "vertices", 3 * count, sizeof *position);
    t->surface->position = position;
#pragma omp parallel for schedule(dynamic, 64) num_threads(t->threads)
    for (size_t i = 0; i < t->cut_count; i++)
        place_cut(t, (uint32_t)(t->cuts[i] >> 32), (uint32_t)t->cuts[i],
                  position + 3 * (t->surface->vertex_count + i));
    return AQM_OK;
}

/* ---- cutting --------------------------------------------------------------------------------- */

static double distance2(const float *position, uint32_t a, uint32_t b) {
    double sum = 0.0;
    for (size_t k = 0; k < 3; k++) {
        const double d = (double)position[3 * (size_t)a + k] - (double)position[3 * (size_t)b + k];
        sum += d * d;
    }
    return sum;
}

static void set_triangle(uint32_t *to, uint32_t a, uint32_t b, uint32_t c) {
    to[0] = a, to[1] = b, to[2] = c;
}

/* What is left of a triangle: 0, 1 or 2 of them. */
static size_t cut_triangle(const Trimming *t, const uint32_t v[3], uint32_t out[6]) {
    const int kept = is_kept(t, v[0]) + is_kept(t, v[1]) + is_kept(t, v[2]);
    if (kept == 3)
        set_triangle(out, v[0], v[1], v[2]);
    if (kept == 0 || kept == 3)
        return kept == 3;
    int odd = 0; /* the corner that is kept alone, or lost alone */
    while (is_kept(t, v[odd]) != (kept == 1))
        odd++;
    const uint32_t a = v[odd], b = v[(odd + 1) % 3], c = v[(odd + 2) % 3];
    const uint32_t ab = vertex_of_cut(t, a, b), ac = vertex_of_cut(t, a, c);
    if (kept == 1) {
        set_triangle(out, a, ab, ac);
        return 1;
    }
    const float *position = t->surface->position;
    if (distance2(position, ab, c) < distance2(position, ac, b)) {
        set_triangle(out, ab, b, c);
        set_triangle(out + 3, ab, c, ac);
    } else {
        set_triangle(out, ab, b, ac);
        set_triangle(out + 3, b, c, ac);
    }
    return 2;
}

static AqmStatus cut_triangles(Trimming *t, AqmDiag *diag) {
    AqmPoissonSurface *s = t->surface;
    uint32_t parts[6];
    size_t count = 0;
    for (size_t i = 0; i < s->triangle_count; i++)
        count += cut_triangle(t, s->triangles + 3 * i, parts);
    uint32_t *triangles = aqm_alloc(3 * count, sizeof *triangles);
    if (!triangles)
        return aqm_fail_memory(diag, "triangles", 3 * count, sizeof *triangles);
    count = 0;
    for (size_t i = 0; i < s->triangle_count; i++)
        count += cut_triangle(t, s->triangles + 3 * i, triangles + 3 * count);
    aqm_free(s->triangles);
    s->triangles = triangles;
    s->triangle_count = count;
    s->vertex_count += t->cut_count;
    return AQM_OK;
}

static AqmStatus cut(AqmPoissonSurface *surface, const AqmNeighbors *points, double trim_m,
                     int threads, AqmDiag *diag) {
    Trimming t = {.surface = surface, .points = points, .trim_m = trim_m, .threads = threads};
    t.distance = aqm_alloc(surface->vertex_count, sizeof *t.distance);
    if (!t.distance)
        return aqm_fail_memory(diag, "vertices", surface->vertex_count, sizeof *t.distance);
#pragma omp parallel for schedule(dynamic, 256) num_threads(threads)
    for (size_t i = 0; i < surface->vertex_count; i++)
        t.distance[i] = distance_of(points, surface->position + 3 * i);
    AqmStatus status = find_cuts(&t, diag);
    if (status == AQM_OK)
        status = place_cuts(&t, diag);
    if (status == AQM_OK)
        status = cut_triangles(&t, diag);
    aqm_free(t.distance);
    aqm_free(t.cuts);
    return status;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static uint32_t root_of(uint32_t *parent, uint32_t i) {
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static double area_of(const AqmPoissonSurface *s, const uint32_t v[3]) {
    double a[3], b[3], normal[3];
    for (size_t k = 0; k < 3; k++) {
        const double at = (double)s->position[3 * (size_t)v[0] + k];
        a[k] = (double)s->position[3 * (size_t)v[1] + k] - at;
        b[k] = (double)s->position[3 * (size_t)v[2] + k] - at;
    }
    aqm_cross3(a, b, normal);
    return 0.5 * aqm_norm3(normal);
}

/* Removes triangles of small pieces; parent and area: one for each vertex. */
static void drop_pieces(AqmPoissonSurface *s, double piece_m, uint32_t *parent, double *area) {
    for (size_t i = 0; i < s->vertex_count; i++)
        parent[i] = (uint32_t)i, area[i] = 0.0;
    for (size_t i = 0; i < s->triangle_count; i++) {
        const uint32_t *v = s->triangles + 3 * i;
        const uint32_t a = root_of(parent, v[0]);
        parent[root_of(parent, v[1])] = a;
        parent[root_of(parent, v[2])] = a;
    }
    double largest = 0.0;
    for (size_t i = 0; i < s->triangle_count; i++) {
        const uint32_t root = root_of(parent, s->triangles[3 * i]);
        area[root] += area_of(s, s->triangles + 3 * i);
        largest = fmax(largest, area[root]);
    }
    const double least = fmin(PIECE_SHARE * largest, PIECE_SIDES2 * piece_m * piece_m);
    size_t kept = 0;
    for (size_t i = 0; i < s->triangle_count; i++) {
        const uint32_t *v = s->triangles + 3 * i;
        if (area[root_of(parent, v[0])] >= least)
            memmove(s->triangles + 3 * kept++, v, 3 * sizeof *v);
    }
    s->triangle_count = kept;
}

/* Vertices in no triangle go, the others keep their order. */
static void drop_vertices(AqmPoissonSurface *s, uint32_t *number) {
    memset(number, 0, s->vertex_count * sizeof *number);
    for (size_t i = 0; i < 3 * s->triangle_count; i++)
        number[s->triangles[i]] = 1;
    size_t kept = 0;
    for (size_t i = 0; i < s->vertex_count; i++) {
        if (!number[i])
            continue;
        memmove(s->position + 3 * kept, s->position + 3 * i, 3 * sizeof *s->position);
        number[i] = (uint32_t)kept++;
    }
    for (size_t i = 0; i < 3 * s->triangle_count; i++)
        s->triangles[i] = number[s->triangles[i]];
    s->vertex_count = kept;
}

AqmStatus aqm_poisson_trim(AqmPoissonSurface *surface, const AqmNeighbors *points, double trim_m,
                           double piece_m, int threads, AqmDiag *diag) {
    if (trim_m < INFINITY)
        AQM_TRY(cut(surface, points, trim_m, threads, diag));
    uint32_t *parent = aqm_alloc(surface->vertex_count, sizeof *parent);
    double *area = aqm_alloc(surface->vertex_count, sizeof *area);
    AqmStatus status = AQM_OK;
    if (parent && area) {
        drop_pieces(surface, piece_m, parent, area);
        drop_vertices(surface, parent);
    } else {
        status =
            aqm_fail_memory(diag, "vertices", surface->vertex_count, sizeof *parent + sizeof *area);
    }
    aqm_free(parent);
    aqm_free(area);
    return status;
}
