/* Collapses leave slivers that stand on their edge, or over: half a percent of the triangles of a
 * sheet reduced to a tenth. They cost no distance, but look like cracks. Turning edges lays them
 * down, and follows the shape a little more closely on the whole.
 *
 * A sweep goes over all edges, again until nothing changes: each turn lessens the area that faces
 * backwards or, leaving that, betters the worse of two cosines, so that this ends (after some five
 * sweeps; there is a cap for safety's sake). The cosine is that between a triangle and the normals
 * of the original at its corners, means over the triangles there by area. Half-edge 3 t + k runs
 * from corner k of triangle t to the next; `twin` is the one that runs back. */
#include "stages/surface/mesh_flip.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

enum { SWEEPS = 10 };

static const double LEAST_GAIN = 1e-9; /* what is less is rounding */

#define NO_TWIN UINT32_MAX

typedef struct Edges {
    const AqmMesh *mesh;
    float (*normal)[3]; /* by vertex, unit; 0 0 0 where none can be told */
    bool *pinched;      /* by vertex: it has more than one fan of triangles */
    uint32_t *triangles, *twin;
    size_t count; /* of triangles */
} Edges;

static uint32_t next_of(uint32_t half) {
    return half % 3 == 2 ? half - 2 : half + 1;
}

/* ---- judging --------------------------------------------------------------------------------- */

static void cross_of(const AqmMesh *mesh, uint32_t a, uint32_t b, uint32_t c, double out[3]) {
    double side[2][3];
    for (int k = 0; k < 3; k++) {
        const double start = (double)mesh->position[3 * (size_t)a + k];
        side[0][k] = (double)mesh->position[3 * (size_t)b + k] - start;
        side[1][k] = (double)mesh->position[3 * (size_t)c + k] - start;
    }
    aqm_cross3(side[0], side[1], out);
}

/* Of some triangles: the least cosine between one and the mean normal of its corners (-1 without
 * area), and how much area faces the other way. */
typedef struct Fit {
    double cosine, behind;
} Fit;

static Fit worse_by(Fit fit, const Edges *edges, uint32_t a, uint32_t b, uint32_t c) {
    double normal[3], mean[3];
    for (int k = 0; k < 3; k++)
        mean[k] =
            (double)edges->normal[a][k] + (double)edges->normal[b][k] + (double)edges->normal[c][k];
    cross_of(edges->mesh, a, b, c, normal);
    const double area = aqm_norm3(normal), length = area * aqm_norm3(mean);
    const double cosine = length > 0.0 ? aqm_dot3(normal, mean) / length : -1.0;
    fit.cosine = fmin(fit.cosine, cosine);
    fit.behind += area * fmax(0.0, -cosine);
    return fit;
}

static Fit fit_of(const Edges *edges, const uint32_t first[3], const uint32_t second[3]) {
    const Fit none = {1.0, 0.0};
    return worse_by(worse_by(none, edges, first[0], first[1], first[2]), edges, second[0],
                    second[1], second[2]);
}

/* Goes over the triangles around the vertex that half-edge `start` runs from, by their half-edges
 * from it. Returns how many there are, and says whether one of them has the vertex b. */
static size_t walk_around(const Edges *edges, uint32_t start, uint32_t b, bool *has_b) {
    const uint32_t *v = edges->triangles;
    size_t count = 0;
    uint32_t half = start;
    *has_b = false;
    do { /* one way round, to a border or the start */
        const uint32_t back = next_of(next_of(half));
        *has_b = *has_b || v[next_of(half)] == b || v[back] == b;
        count++;
        half = edges->twin[back];
    } while (half != NO_TWIN && half != start);
    if (half == start)
        return count;
    for (half = edges->twin[start]; half != NO_TWIN; half = edges->twin[half]) { /* the other way */
        half = next_of(half);
        *has_b = *has_b || v[next_of(half)] == b || v[next_of(next_of(half))] == b;
        count++;
    }
    return count;
}

/* Whether turning a b to c d leaves less area that faces the other way, or as much (none, nearly
 * always) and makes the worse of the two triangles a better one. */
static bool is_better_turned(const Edges *edges, uint32_t half) {
    const uint32_t twin = edges->twin[half];
    const uint32_t *v = edges->triangles;
    const uint32_t a = v[half], b = v[twin], c = v[next_of(next_of(half))],
                   d = v[next_of(next_of(twin))];
    bool joined;
    if (c == d || edges->pinched[c])
        return false;
    const Fit now = fit_of(edges, (const uint32_t[]){a, b, c}, (const uint32_t[]){b, a, d});
    const Fit turned = fit_of(edges, (const uint32_t[]){a, d, c}, (const uint32_t[]){d, b, c});
    if (!(turned.behind < now.behind * (1.0 - LEAST_GAIN) ||
          (turned.behind <= now.behind && turned.cosine > now.cosine + LEAST_GAIN)))
        return false;
    (void)walk_around(edges, next_of(next_of(half)), d, &joined);
    return !joined;
}

/* ---- turning --------------------------------------------------------------------------------- */

static void pair(Edges *edges, uint32_t half, uint32_t twin) {
    edges->twin[half] = twin;
    if (twin != NO_TWIN)
        edges->twin[twin] = half;
}

/* Triangles a b c and b a d become a d c and d b c. */
static void turn(Edges *edges, uint32_t half) {
    const uint32_t twin = edges->twin[half], one = half / 3 * 3, two = twin / 3 * 3;
    const uint32_t bc = next_of(half), ca = next_of(bc), ad = next_of(twin), db = next_of(ad);
    const uint32_t *v = edges->triangles, *t = edges->twin;
    const uint32_t a = v[half], b = v[twin], c = v[ca], d = v[db];
    const uint32_t outer[4] = {t[ad], t[ca], t[db], t[bc]};
    const uint32_t first[3] = {a, d, c}, second[3] = {d, b, c};
    memcpy(edges->triangles + one, first, sizeof first);
    memcpy(edges->triangles + two, second, sizeof second);
    pair(edges, one, outer[0]);
    pair(edges, one + 2, outer[1]);
    pair(edges, two, outer[2]);
    pair(edges, two + 1, outer[3]);
    pair(edges, one + 1, two + 2);
}

static size_t sweep(Edges *edges) {
    size_t turned = 0;
    for (uint32_t half = 0; half < 3 * edges->count; half++) {
        if (edges->twin[half] == NO_TWIN || edges->twin[half] < half ||
            !is_better_turned(edges, half))
            continue;
        turn(edges, half);
        turned++;
    }
    return turned;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void find_twins(Edges *edges, const AqmMeshFans *fans) {
    for (uint32_t half = 0; half < 3 * edges->count; half++) {
        const uint32_t a = edges->triangles[half], b = edges->triangles[next_of(half)];
        edges->twin[half] = NO_TWIN;
        for (size_t i = fans->first[b]; i < fans->first[b + 1]; i++)
            for (uint32_t other = 3 * fans->triangles[i]; other < 3 * fans->triangles[i] + 3;
                 other++)
                if (edges->triangles[other] == b && edges->triangles[next_of(other)] == a)
                    edges->twin[half] = other;
    }
}

static void find_pinched(Edges *edges, const AqmMeshFans *fans) {
    for (uint32_t half = 0; half < 3 * edges->count; half++) {
        const uint32_t v = edges->triangles[half];
        bool unused;
        edges->pinched[v] =
            walk_around(edges, half, v, &unused) < fans->first[v + 1] - fans->first[v];
    }
}

static AqmStatus find_normals(Edges *edges, AqmDiag *diag) {
    const AqmMesh *mesh = edges->mesh;
    edges->normal = aqm_calloc(mesh->vertex_count, sizeof *edges->normal);
    double(*sums)[3] = aqm_calloc(mesh->vertex_count, sizeof *sums);
    const bool ready = edges->normal && sums;
    for (size_t i = 0; ready && i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        double normal[3];
        cross_of(mesh, t[0], t[1], t[2], normal);
        for (int k = 0; k < 9; k++)
            sums[t[k / 3]][k % 3] += normal[k % 3];
    }
    for (size_t v = 0; ready && v < mesh->vertex_count; v++) {
        const double length = aqm_norm3(sums[v]);
        for (int k = 0; k < 3; k++)
            edges->normal[v][k] = length > 0.0 ? (float)(sums[v][k] / length) : 0.0f;
    }
    aqm_free(sums);
    return ready ? AQM_OK
                 : aqm_fail_memory(diag, "the normals of a mesh", mesh->vertex_count, sizeof *sums);
}

static AqmStatus prepare(Edges *edges, AqmDiag *diag) {
    AqmMeshFans fans = {0};
    AQM_TRY(find_normals(edges, diag));
    AQM_TRY(aqm_mesh_fans_create(&fans, edges->mesh->vertex_count, edges->triangles, edges->count,
                                 diag));
    edges->twin = aqm_alloc(edges->count, 3 * sizeof *edges->twin);
    edges->pinched = aqm_calloc(edges->mesh->vertex_count, sizeof *edges->pinched);
    const bool ready = edges->twin && edges->pinched;
    if (ready) {
        find_twins(edges, &fans);
        find_pinched(edges, &fans);
    }
    aqm_mesh_fans_free(&fans);
    return ready ? AQM_OK : aqm_fail_memory(diag, "the edges of a mesh", edges->count, 12);
}

AqmStatus aqm_mesh_flip(const AqmMesh *mesh, uint32_t *triangles, size_t count, AqmDiag *diag) {
    Edges edges = {.mesh = mesh, .triangles = triangles, .count = count};
    const AqmStatus status = prepare(&edges, diag);
    for (int i = 0; status == AQM_OK && i < SWEEPS && sweep(&edges) > 0; i++)
        ;
    aqm_free(edges.normal);
    aqm_free(edges.twin);
    aqm_free(edges.pinched);
    return status;
}
