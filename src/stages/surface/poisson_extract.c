/* The surface: marching over the octree's leaves, of any level, without cracks.
 *
 * After Kazhdan, Klein, Dalal & Hoppe 2007, "Unconstrained isosurface extraction on arbitrary
 * octrees". A vertex stands on every edge whose ends have opposite signs, edges being as short as
 * the finest cell around them makes them; on every face, as finely cut as the cell on its finer
 * side makes it, the vertices are joined by segments, where two could be joined in two ways such
 * that positive corners are cut off singly; and the segments around a leaf form closed polygons
 * (poisson_polygon.c). Edges and faces so have vertices and segments of their own, whichever cell
 * asks: each segment is in exactly two polygons, run through in opposite directions, and the
 * surface is closed and manifold inside the cube.
 *
 * It is also the zero of one continuous function: at a node on a coarse cell's edge or face the
 * finer level has the interpolated value. An edge so has at most one crossing, however it is split.
 *
 * Which nodes are positive, which edges cross and which leaves the surface passes are found 64 at a
 * time; only those that it passes cost more, about 0.3 us each. */
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_polygon.h"
#include "stages/surface/poisson_surface.h"

#define NO_VERTEX UINT32_MAX

/* Vertices are kept this far from the nodes, in edges: for one in fifty the surface moves by a
 * two-hundredth of a cell, and no triangle becomes a line. */
static const float NEAREST_TO_NODE = 0.01f;

/* The edges with a vertex that start at the nodes of a brick. */
typedef struct EdgeBrick {
    uint64_t bits[3][AQM_BRICK_SIDE];
    uint16_t before[3][AQM_BRICK_SIDE]; /* vertices of the brick before those of the word */
    uint32_t first, count;              /* vertices of the brick */
    uint32_t triangle_count, new_count;
    size_t triangle_first, new_first;
} EdgeBrick;

typedef struct Extraction {
    AqmPoissonTree *tree;
    const AqmPoissonPoints *points;
    EdgeBrick *edges[AQM_POISSON_MOST_DEPTH + 1];
    AqmPoissonSurface *surface;
    size_t edge_vertices;
} Extraction;

/* A leaf with the signs of its corners. */
typedef struct Leaf {
    int depth;
    int32_t cell[3];
    unsigned positive; /* bit per corner, x + 2 y + 4 z */
} Leaf;

void aqm_poisson_surface_free(AqmPoissonSurface *surface) {
    aqm_free(surface->position);
    aqm_free(surface->triangles);
    *surface = (AqmPoissonSurface){0};
}

/* ---- vertices -------------------------------------------------------------------------------- */

static void find_signs(AqmPoissonLevel *level) {
#pragma omp parallel for schedule(static) num_threads(level->threads)
    for (size_t b = 0; b < level->grid.count; b++)
        for (size_t z = 0; z < AQM_BRICK_SIDE; z++) {
            uint64_t bits = 0;
            for (size_t i = 0; i < 64; i++)
                bits |= (uint64_t)(level->value[b * AQM_BRICK_SIZE + 64 * z + i] > 0.0f) << i;
            level->grid.bricks[b].bits[AQM_BITS_POSITIVE][z] = bits;
        }
}

/* A bit for each node of layer z where any of the four cells around the edge that starts there,
 * along `axis`, has the given bit. */
static uint64_t around_edges(const AqmBrickGrid *grid, const AqmBrick *brick, AqmBrickBits kind,
                             int z, int axis) {
    uint64_t any = 0;
    for (int k = 0; k < 4; k++) {
        int d[3] = {0};
        d[(axis + 1) % 3] = -(k & 1);
        d[(axis + 2) % 3] = -(k >> 1);
        any |= aqm_bricks_layer(grid, brick, kind, z + d[2], d[0], d[1]);
    }
    return any;
}

/* The edges of a brick that cross, exist, and are not split by a finer cell. */
static void find_edges(const AqmBrickGrid *grid, const AqmBrick *brick, EdgeBrick *out) {
    uint32_t count = 0;
    for (int axis = 0; axis < 3; axis++)
        for (int z = 0; z < AQM_BRICK_SIDE; z++) {
            const uint64_t here = aqm_bricks_layer(grid, brick, AQM_BITS_POSITIVE, z, 0, 0);
            const uint64_t there = aqm_bricks_layer(grid, brick, AQM_BITS_POSITIVE, z + (axis == 2),
                                                    axis == 0, axis == 1);
            uint64_t bits = here ^ there;
            if (bits)
                bits &= around_edges(grid, brick, AQM_BITS_CELLS, z, axis);
            if (bits)
                bits &= ~around_edges(grid, brick, AQM_BITS_REFINED, z, axis);
            out->bits[axis][z] = bits;
            out->before[axis][z] = (uint16_t)count;
            count += (uint32_t)__builtin_popcountll(bits);
        }
    out->count = count;
}

static AqmStatus number_edges(Extraction *x, AqmDiag *diag) {
    size_t sum = 0;
    for (int d = x->tree->base; d <= x->tree->finest; d++) {
        AqmPoissonLevel *level = &x->tree->levels[d];
        find_signs(level);
        x->edges[d] = aqm_alloc(level->grid.count, sizeof **x->edges);
        if (!x->edges[d])
            return aqm_fail_memory(diag, "octree bricks", level->grid.count, sizeof **x->edges);
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
        for (size_t b = 0; b < level->grid.count; b++)
            find_edges(&level->grid, &level->grid.bricks[b], &x->edges[d][b]);
        for (size_t b = 0; b < level->grid.count; b++) {
            x->edges[d][b].first = (uint32_t)sum;
            sum += x->edges[d][b].count;
        }
    }
    x->edge_vertices = sum;
    return AQM_OK;
}

/* Where the function is zero on the edge from local node (n[0], n[1], n[2]) of the brick. */
static void place_vertex(const Extraction *x, const AqmPoissonLevel *level, size_t b,
                         const int n[3], int axis, float position[3]) {
    const AqmBrick *brick = &level->grid.bricks[b];
    const int to[3] = {n[0] + (axis == 0), n[1] + (axis == 1), n[2] + (axis == 2)};
    const float here = level->value[b * AQM_BRICK_SIZE + aqm_brick_node(n[0], n[1], n[2])];
    const float there =
        level->value[(size_t)aqm_bricks_near(brick, to[0], to[1], to[2]) * AQM_BRICK_SIZE +
                     aqm_brick_node(to[0], to[1], to[2])];
    float t = here / (here - there);
    t = t < NEAREST_TO_NODE ? NEAREST_TO_NODE : t;
    t = t > 1.0f - NEAREST_TO_NODE ? 1.0f - NEAREST_TO_NODE : t;
    const double step = x->points->size_m / (double)(1 << level->depth);
    for (int k = 0; k < 3; k++) {
        const double at = 8.0 * brick->at[k] + n[k] + (k == axis ? (double)t : 0.0);
        position[k] = (float)(x->points->origin[k] + step * at);
    }
}

static void place_vertices(const Extraction *x) {
    for (int d = x->tree->base; d <= x->tree->finest; d++) {
        const AqmPoissonLevel *level = &x->tree->levels[d];
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
        for (size_t b = 0; b < level->grid.count; b++) {
            size_t vertex = x->edges[d][b].first;
            for (int axis = 0; axis < 3; axis++)
                for (int z = 0; z < AQM_BRICK_SIDE; z++)
                    for (uint64_t bits = x->edges[d][b].bits[axis][z]; bits; bits &= bits - 1) {
                        const int i = __builtin_ctzll(bits);
                        const int n[3] = {i % 8, i / 8, z};
                        place_vertex(x, level, b, n, axis, x->surface->position + 3 * vertex++);
                    }
        }
    }
}

/* The vertex on the edge from `node` along `axis`, or on that of its halves that has one. */
static uint32_t vertex_on(const Extraction *x, int depth, const int32_t node[3], int axis) {
    int32_t at[3] = {node[0], node[1], node[2]};
    for (int d = depth; d <= x->tree->finest; d++) {
        const int halves = d == depth ? 1 : 2;
        for (int half = 0; half < halves; half++) {
            int32_t n[3] = {at[0], at[1], at[2]};
            n[axis] += half;
            const uint32_t b =
                aqm_bricks_find(&x->tree->levels[d].grid, n[0] >> 3, n[1] >> 3, n[2] >> 3);
            if (b == AQM_NO_BRICK)
                continue;
            const EdgeBrick *edges = &x->edges[d][b];
            const uint64_t word = edges->bits[axis][n[2] & 7];
            const int bit = (n[1] & 7) * 8 + (n[0] & 7);
            if (word >> bit & 1)
                return edges->first + edges->before[axis][n[2] & 7] +
                       (uint32_t)__builtin_popcountll(word & (((uint64_t)1 << bit) - 1));
        }
        for (int k = 0; k < 3; k++)
            at[k] *= 2;
    }
    return NO_VERTEX;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* A square on a face of a leaf: its corners counterclockwise as seen from outside the leaf. */
typedef struct Square {
    int depth, face;
    int32_t corner[4][3];
    bool positive[4];
} Square;

/* Corner i of a square on a face (2 axis + side), in steps along the two other axes. */
static void square_step(int face, int i, int step[3]) {
    const int axis = face / 2, u = i == 1 || i == 2, v = i >= 2;
    step[axis] = 0;
    step[(axis + 1) % 3] = face & 1 ? u : v;
    step[(axis + 2) % 3] = face & 1 ? v : u;
}

static uint32_t vertex_of_side(const Extraction *x, const Square *square, int i) {
    const int32_t *a = square->corner[i], *b = square->corner[(i + 1) % 4];
    const int axis = a[0] != b[0] ? 0 : a[1] != b[1] ? 1 : 2;
    return vertex_on(x, square->depth, a[axis] < b[axis] ? a : b, axis);
}

/* From where the way around leaves the positive corners back to where it came to them. */
static void add_segments(const Extraction *x, const Square *square, AqmCrossings *crossings) {
    for (int i = 0; i < 4; i++) {
        if (!square->positive[i] || square->positive[(i + 1) % 4])
            continue;
        int j = (i + 3) % 4;
        while (square->positive[j])
            j = (j + 3) % 4;
        const uint32_t from = vertex_of_side(x, square, i), to = vertex_of_side(x, square, j);
        if (from != NO_VERTEX && to != NO_VERTEX)
            aqm_crossings_add(crossings, from, to, square->face);
    }
}

static bool has_bit(const AqmBrickGrid *grid, AqmBrickBits kind, const int32_t at[3]) {
    const uint32_t b = aqm_bricks_find(grid, at[0] >> 3, at[1] >> 3, at[2] >> 3);
    return b != AQM_NO_BRICK &&
           grid->bricks[b].bits[kind][at[2] & 7] >> ((at[1] & 7) * 8 + (at[0] & 7)) & 1;
}

static void add_whole_face(const Extraction *x, const Leaf *leaf, int face,
                           AqmCrossings *crossings) {
    Square square = {.depth = leaf->depth, .face = face};
    for (int i = 0; i < 4; i++) {
        int step[3];
        square_step(face, i, step);
        step[face / 2] = face & 1;
        for (int k = 0; k < 3; k++)
            square.corner[i][k] = leaf->cell[k] + step[k];
        square.positive[i] = leaf->positive >> (step[0] + 2 * step[1] + 4 * step[2]) & 1;
    }
    add_segments(x, &square, crossings);
}

/* The four squares of the finer cells behind a face. */
static void add_split_face(const Extraction *x, const Leaf *leaf, int face,
                           AqmCrossings *crossings) {
    const AqmBrickGrid *fine = &x->tree->levels[leaf->depth + 1].grid;
    for (int quarter = 0; quarter < 4; quarter++) {
        Square square = {.depth = leaf->depth + 1, .face = face};
        int place[3], step[3];
        square_step(face, quarter, place);
        for (int i = 0; i < 4; i++) {
            square_step(face, i, step);
            for (int k = 0; k < 3; k++)
                square.corner[i][k] = 2 * leaf->cell[k] + place[k] + step[k];
            square.corner[i][face / 2] = 2 * (leaf->cell[face / 2] + (face & 1));
            square.positive[i] = has_bit(fine, AQM_BITS_POSITIVE, square.corner[i]);
        }
        add_segments(x, &square, crossings);
    }
}

static void add_leaf(const Extraction *x, const Leaf *leaf, AqmTriangleSink *sink) {
    AqmCrossings crossings;
    crossings.count = 0;
    for (int face = 0; face < 6; face++) {
        int32_t behind[3] = {leaf->cell[0], leaf->cell[1], leaf->cell[2]};
        behind[face / 2] += face & 1 ? 1 : -1;
        if (leaf->depth < x->tree->finest &&
            has_bit(&x->tree->levels[leaf->depth].grid, AQM_BITS_REFINED, behind))
            add_split_face(x, leaf, face, &crossings);
        else
            add_whole_face(x, leaf, face, &crossings);
    }
    aqm_crossings_triangulate(&crossings, sink);
}

/* ---- all leaves ------------------------------------------------------------------------------ */

static void add_brick(const Extraction *x, int depth, size_t b, AqmTriangleSink *sink) {
    const AqmBrickGrid *grid = &x->tree->levels[depth].grid;
    const AqmBrick *brick = &grid->bricks[b];
    for (int z = 0; z < AQM_BRICK_SIDE; z++) {
        uint64_t corner[8], any = 0, all = ~(uint64_t)0;
        const uint64_t leaves = brick->bits[AQM_BITS_CELLS][z] & ~brick->bits[AQM_BITS_REFINED][z];
        if (!leaves)
            continue;
        for (int k = 0; k < 8; k++) {
            corner[k] =
                aqm_bricks_layer(grid, brick, AQM_BITS_POSITIVE, z + (k >> 2), k & 1, k >> 1 & 1);
            any |= corner[k], all &= corner[k];
        }
        for (uint64_t bits = leaves & any & ~all; bits; bits &= bits - 1) {
            const int i = __builtin_ctzll(bits);
            Leaf leaf = {
                .depth = depth,
                .cell = {8 * brick->at[0] + i % 8, 8 * brick->at[1] + i / 8, 8 * brick->at[2] + z}};
            for (int k = 0; k < 8; k++)
                leaf.positive |= (unsigned)(corner[k] >> i & 1) << k;
            add_leaf(x, &leaf, sink);
        }
    }
}

/* Counts the triangles of every brick, or with room for them makes them. */
static void add_bricks(const Extraction *x, bool count_only) {
    for (int d = x->tree->base; d <= x->tree->finest; d++) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(x->tree->levels[d].threads)
        for (size_t b = 0; b < x->tree->levels[d].grid.count; b++) {
            EdgeBrick *edges = &x->edges[d][b];
            AqmTriangleSink sink = {.position = x->surface->position};
            if (!count_only) {
                sink.triangles = x->surface->triangles + 3 * edges->triangle_first;
                sink.new_vertex = (uint32_t)(x->edge_vertices + edges->new_first);
            }
            add_brick(x, d, b, &sink);
            edges->triangle_count = (uint32_t)sink.count;
            edges->new_count = (uint32_t)sink.new_count;
        }
    }
}

static AqmStatus make_positions(Extraction *x, AqmDiag *diag) {
    if (x->edge_vertices >= NO_VERTEX / 2)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "a Poisson surface of %zu vertices: at most %u",
                        x->edge_vertices, NO_VERTEX / 2);
    x->surface->position = aqm_alloc(3 * x->edge_vertices, sizeof *x->surface->position);
    if (!x->surface->position)
        return aqm_fail_memory(diag, "vertices", 3 * x->edge_vertices, sizeof(float));
    place_vertices(x);
    return AQM_OK;
}

static AqmStatus make_triangles(Extraction *x, AqmDiag *diag) {
    size_t triangles = 0, new_vertices = 0;
    add_bricks(x, true);
    for (int d = x->tree->base; d <= x->tree->finest; d++)
        for (size_t b = 0; b < x->tree->levels[d].grid.count; b++) {
            x->edges[d][b].triangle_first = triangles;
            x->edges[d][b].new_first = new_vertices;
            triangles += x->edges[d][b].triangle_count;
            new_vertices += x->edges[d][b].new_count;
        }
    const size_t vertices = x->edge_vertices + new_vertices;
    float *position = aqm_realloc(x->surface->position, 3 * vertices, sizeof *position);
    if (!position)
        return aqm_fail_memory(diag, "vertices", 3 * vertices, sizeof *position);
    x->surface->position = position;
    x->surface->triangles = aqm_alloc(3 * triangles, sizeof *x->surface->triangles);
    if (!x->surface->triangles)
        return aqm_fail_memory(diag, "triangles", 3 * triangles, sizeof(uint32_t));
    add_bricks(x, false);
    x->surface->vertex_count = vertices;
    x->surface->triangle_count = triangles;
    return AQM_OK;
}

AqmStatus aqm_poisson_extract(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                              AqmPoissonSurface *out, AqmDiag *diag) {
    AqmPoissonSurface surface = {0};
    Extraction x = {.tree = tree, .points = points, .surface = &surface};
    AqmStatus status = number_edges(&x, diag);
    if (status == AQM_OK)
        status = make_positions(&x, diag);
    if (status == AQM_OK)
        status = make_triangles(&x, diag);
    for (int d = 0; d <= AQM_POISSON_MOST_DEPTH; d++)
        aqm_free(x.edges[d]);
    if (status == AQM_OK)
        *out = surface;
    else
        aqm_poisson_surface_free(&surface);
    return status;
}
