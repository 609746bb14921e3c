/* The triangles are halved again and again at the median of their centroids along the longest side
 * of their box, down to LEAF of them. Node i has the children 2 i + 1 and 2 i + 2; its range of
 * triangles follows from the path. */
#include "stages/surface/mesh_tree.h"

#include <math.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"

enum { LEAF = 4, MOST_DEPTH = 40 };

/* ---- distances ------------------------------------------------------------------------------- */

static void corner_of(const AqmMeshTree *tree, uint32_t triangle, int k, double out[3]) {
    const float *p = tree->position + 3 * (size_t)tree->triangles[3 * (size_t)triangle + k];
    for (int a = 0; a < 3; a++)
        out[a] = (double)p[a];
}

/* To the plane where the foot lies within the triangle, else to the nearest of its sides. */
static double triangle_distance2(const AqmMeshTree *tree, uint32_t triangle, const double x[3]) {
    double p[3][3], side[3][3], normal[3], least = INFINITY;
    for (int k = 0; k < 3; k++)
        corner_of(tree, triangle, k, p[k]);
    for (int k = 0; k < 3; k++)
        for (int a = 0; a < 3; a++)
            side[k][a] = p[(k + 1) % 3][a] - p[k][a];
    aqm_cross3(side[0], side[1], normal);
    const double normal2 = aqm_dot3(normal, normal);
    bool inside = normal2 > 0.0;
    for (int k = 0; k < 3; k++) {
        const double from[3] = {x[0] - p[k][0], x[1] - p[k][1], x[2] - p[k][2]};
        double inwards[3], along;
        aqm_cross3(normal, side[k], inwards);
        inside = inside && aqm_dot3(inwards, from) >= 0.0;
        const double distance2 = aqm_segment_distance2(from, side[k], &along);
        least = distance2 < least ? distance2 : least;
    }
    if (!inside)
        return least;
    const double from[3] = {x[0] - p[0][0], x[1] - p[0][1], x[2] - p[0][2]};
    const double height = aqm_dot3(normal, from);
    return height * height / normal2;
}

static double box_distance2(const AqmMeshBox *box, const double x[3]) {
    double sum = 0.0;
    for (int a = 0; a < 3; a++) {
        const double below = (double)box->low[a] - x[a], above = x[a] - (double)box->high[a];
        const double out = below > above ? below : above;
        sum += out > 0.0 ? out * out : 0.0;
    }
    return sum;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static AqmMeshBox box_of(const AqmMeshTree *tree, size_t begin, size_t end) {
    AqmMeshBox box = {{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 3 * begin; i < 3 * end; i++) {
        const size_t triangle = tree->order[i / 3];
        const float *p = tree->position + 3 * (size_t)tree->triangles[3 * triangle + i % 3];
        for (int a = 0; a < 3; a++) {
            box.low[a] = p[a] < box.low[a] ? p[a] : box.low[a];
            box.high[a] = p[a] > box.high[a] ? p[a] : box.high[a];
        }
    }
    return box;
}

/* Three times the centroid's coordinate: only its order counts. */
static double key_of(const AqmMeshTree *tree, uint32_t triangle, int axis) {
    const uint32_t *t = tree->triangles + 3 * (size_t)triangle;
    double sum = 0.0;
    for (int k = 0; k < 3; k++)
        sum += (double)tree->position[3 * (size_t)t[k] + axis];
    return sum;
}

/* Hoare's selection: afterwards none before the middle has a larger key, none behind a smaller. */
static void halve(const AqmMeshTree *tree, uint32_t *order, size_t count, int axis) {
    size_t low = 0, high = count - 1;
    while (low < high) {
        const double pivot = key_of(tree, order[low + (high - low) / 2], axis);
        size_t i = low, j = high + 1;
        for (;;) {
            while (key_of(tree, order[i], axis) < pivot)
                i++;
            do
                j--;
            while (key_of(tree, order[j], axis) > pivot);
            if (i >= j)
                break;
            const uint32_t swap = order[i];
            order[i++] = order[j], order[j] = swap;
        }
        if (count / 2 <= j)
            high = j;
        else
            low = j + 1;
    }
}

static void build(AqmMeshTree *tree, size_t node, size_t begin, size_t end, int depth) {
    const AqmMeshBox box = tree->boxes[node] = box_of(tree, begin, end);
    if (depth == tree->depth)
        return;
    int axis = 0;
    for (int a = 1; a < 3; a++)
        if (box.high[a] - box.low[a] > box.high[axis] - box.low[axis])
            axis = a;
    halve(tree, tree->order + begin, end - begin, axis);
    const size_t middle = begin + (end - begin) / 2;
    build(tree, 2 * node + 1, begin, middle, depth + 1);
    build(tree, 2 * node + 2, middle, end, depth + 1);
}

void aqm_mesh_tree_free(AqmMeshTree *tree) {
    aqm_free(tree->order);
    aqm_free(tree->boxes);
    *tree = (AqmMeshTree){0};
}

AqmStatus aqm_mesh_tree_create(AqmMeshTree *out, const float *position, const uint32_t *triangles,
                               size_t triangle_count, AqmDiag *diag) {
    AqmMeshTree tree = {
        .position = position, .triangles = triangles, .triangle_count = triangle_count};
    while (triangle_count >> tree.depth > LEAF)
        tree.depth++;
    const size_t nodes = ((size_t)2 << tree.depth) - 1;
    tree.order = aqm_alloc(triangle_count, sizeof *tree.order);
    tree.boxes = aqm_alloc(nodes, sizeof *tree.boxes);
    if (!tree.order || !tree.boxes) {
        aqm_mesh_tree_free(&tree);
        return aqm_fail_memory(diag, "the triangles of a mesh", nodes, sizeof *tree.boxes);
    }
    for (size_t i = 0; i < triangle_count; i++)
        tree.order[i] = (uint32_t)i;
    build(&tree, 0, 0, triangle_count, 0);
    *out = tree;
    return AQM_OK;
}

/* A branch still to be visited. */
typedef struct Branch {
    size_t node, begin, end;
    int depth;
    double distance2;
} Branch;

/* Looks at a leaf's triangles. */
static void visit_leaf(const AqmMeshTree *tree, const Branch *leaf, const double x[3],
                       double *least, uint32_t *nearest) {
    for (size_t i = leaf->begin; i < leaf->end; i++) {
        const double distance2 = triangle_distance2(tree, tree->order[i], x);
        if (distance2 < *least) {
            *least = distance2;
            *nearest = tree->order[i];
        }
    }
}

double aqm_mesh_tree_nearest(const AqmMeshTree *tree, const double x[3], double enough_m,
                             uint32_t *triangle) {
    Branch stack[MOST_DEPTH];
    int waiting = 1;
    double least = INFINITY;
    uint32_t nearest = 0;
    stack[0] = (Branch){0, 0, tree->triangle_count, 0, 0.0};
    while (waiting > 0 && least > enough_m * enough_m) {
        const Branch b = stack[--waiting];
        if (b.distance2 >= least)
            continue;
        if (b.depth == tree->depth) {
            visit_leaf(tree, &b, x, &least, &nearest);
            continue;
        }
        const size_t middle = b.begin + (b.end - b.begin) / 2, left = 2 * b.node + 1;
        const Branch l = {left, b.begin, middle, b.depth + 1, box_distance2(tree->boxes + left, x)};
        const Branch r = {left + 1, middle, b.end, b.depth + 1,
                          box_distance2(tree->boxes + left + 1, x)};
        const bool left_first = l.distance2 <= r.distance2;
        stack[waiting++] = left_first ? r : l;
        stack[waiting++] = left_first ? l : r;
    }
    if (triangle)
        *triangle = nearest;
    return sqrt(least);
}
