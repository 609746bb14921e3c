/* Exact distances by a tree of boxes: the triangles halved again and again at the median of their
 * centroids along the longest side of their box, down to LEAF of them. Node i has the children 2 i
 * + 1 and 2 i + 2; its range of triangles follows from the path.
 *
 * Only the largest distance is asked for: a point is done with as soon as anything is found nearer
 * than the largest so far (Taha and Hanbury 2015, "An Efficient Algorithm for Calculating the Exact
 * Hausdorff Distance"), which for nearly all of them is the first leaf looked at. Which points
 * those are depends on the order, the result does not. */
#include "stages/surface/mesh_gap.h"

#include <math.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/vec.h"

enum { LEAF = 4, MOST_DEPTH = 40 };

typedef struct Box {
    float low[3], high[3];
} Box;

typedef struct Tree {
    const AqmMeshShell *shell;
    uint32_t *order; /* of the triangles */
    Box *boxes;
    int depth;
} Tree;

/* ---- distances ------------------------------------------------------------------------------- */

static void corner_of(const AqmMeshShell *shell, uint32_t triangle, int k, double out[3]) {
    const float *p = shell->position + 3 * (size_t)shell->triangles[3 * (size_t)triangle + k];
    for (int a = 0; a < 3; a++)
        out[a] = (double)p[a];
}

static double segment_distance2(const double x[3], const double a[3], const double b[3]) {
    double side[3], from_a[3], left[3];
    for (int k = 0; k < 3; k++)
        side[k] = b[k] - a[k], from_a[k] = x[k] - a[k];
    const double length2 = aqm_dot3(side, side);
    const double along = length2 > 0.0 ? aqm_dot3(from_a, side) / length2 : 0.0;
    const double t = along < 0.0 ? 0.0 : along > 1.0 ? 1.0 : along;
    for (int k = 0; k < 3; k++)
        left[k] = from_a[k] - t * side[k];
    return aqm_dot3(left, left);
}

/* To the plane where the foot lies within the triangle, else to the nearest of its sides. */
static double triangle_distance2(const AqmMeshShell *shell, uint32_t triangle, const double x[3]) {
    double p[3][3], side[3][3], normal[3], least = INFINITY;
    for (int k = 0; k < 3; k++)
        corner_of(shell, triangle, k, p[k]);
    for (int k = 0; k < 3; k++)
        for (int a = 0; a < 3; a++)
            side[k][a] = p[(k + 1) % 3][a] - p[k][a];
    aqm_cross3(side[0], side[1], normal);
    const double normal2 = aqm_dot3(normal, normal);
    bool inside = normal2 > 0.0;
    for (int k = 0; k < 3; k++) {
        const double from[3] = {x[0] - p[k][0], x[1] - p[k][1], x[2] - p[k][2]};
        double inwards[3];
        aqm_cross3(normal, side[k], inwards);
        inside = inside && aqm_dot3(inwards, from) >= 0.0;
        const double distance2 = segment_distance2(x, p[k], p[(k + 1) % 3]);
        least = distance2 < least ? distance2 : least;
    }
    if (!inside)
        return least;
    const double from[3] = {x[0] - p[0][0], x[1] - p[0][1], x[2] - p[0][2]};
    const double height = aqm_dot3(normal, from);
    return height * height / normal2;
}

static double box_distance2(const Box *box, const double x[3]) {
    double sum = 0.0;
    for (int a = 0; a < 3; a++) {
        const double below = (double)box->low[a] - x[a], above = x[a] - (double)box->high[a];
        const double out = below > above ? below : above;
        sum += out > 0.0 ? out * out : 0.0;
    }
    return sum;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static Box box_of(const AqmMeshShell *shell, const uint32_t *order, size_t begin, size_t end) {
    Box box = {{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 3 * begin; i < 3 * end; i++) {
        const size_t triangle = order[i / 3];
        const float *p = shell->position + 3 * (size_t)shell->triangles[3 * triangle + i % 3];
        for (int a = 0; a < 3; a++) {
            box.low[a] = p[a] < box.low[a] ? p[a] : box.low[a];
            box.high[a] = p[a] > box.high[a] ? p[a] : box.high[a];
        }
    }
    return box;
}

/* Three times the centroid's coordinate: only its order counts. */
static double key_of(const AqmMeshShell *shell, uint32_t triangle, int axis) {
    const uint32_t *t = shell->triangles + 3 * (size_t)triangle;
    double sum = 0.0;
    for (int k = 0; k < 3; k++)
        sum += (double)shell->position[3 * (size_t)t[k] + axis];
    return sum;
}

/* Hoare's selection: afterwards none before the middle has a larger key, none behind a smaller. */
static void halve(const AqmMeshShell *shell, uint32_t *order, size_t count, int axis) {
    size_t low = 0, high = count - 1;
    while (low < high) {
        const double pivot = key_of(shell, order[low + (high - low) / 2], axis);
        size_t i = low, j = high + 1;
        for (;;) {
            while (key_of(shell, order[i], axis) < pivot)
                i++;
            do
                j--;
            while (key_of(shell, order[j], axis) > pivot);
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

static void build(Tree *tree, size_t node, size_t begin, size_t end, int depth) {
    const Box box = tree->boxes[node] = box_of(tree->shell, tree->order, begin, end);
    if (depth == tree->depth)
        return;
    int axis = 0;
    for (int a = 1; a < 3; a++)
        if (box.high[a] - box.low[a] > box.high[axis] - box.low[axis])
            axis = a;
    halve(tree->shell, tree->order + begin, end - begin, axis);
    const size_t middle = begin + (end - begin) / 2;
    build(tree, 2 * node + 1, begin, middle, depth + 1);
    build(tree, 2 * node + 2, middle, end, depth + 1);
}

static void free_tree(Tree *tree) {
    aqm_free(tree->order);
    aqm_free(tree->boxes);
}

static AqmStatus make_tree(Tree *tree, const AqmMeshShell *shell, AqmDiag *diag) {
    *tree = (Tree){.shell = shell};
    while (shell->triangle_count >> tree->depth > LEAF)
        tree->depth++;
    const size_t nodes = ((size_t)2 << tree->depth) - 1;
    tree->order = aqm_alloc(shell->triangle_count, sizeof *tree->order);
    tree->boxes = aqm_alloc(nodes, sizeof *tree->boxes);
    if (!tree->order || !tree->boxes) {
        free_tree(tree);
        return aqm_fail_memory(diag, "the triangles of a mesh", nodes, sizeof *tree->boxes);
    }
    for (size_t i = 0; i < shell->triangle_count; i++)
        tree->order[i] = (uint32_t)i;
    build(tree, 0, 0, shell->triangle_count, 0);
    return AQM_OK;
}

/* A branch still to be visited. */
typedef struct Branch {
    size_t node, begin, end;
    int depth;
    double distance2;
} Branch;

/* The distance of x, or any number up to `enough` where it is no more than that. */
static double distance_to(const Tree *tree, const double x[3], double enough) {
    Branch stack[MOST_DEPTH];
    int waiting = 1;
    double least = INFINITY;
    stack[0] = (Branch){0, 0, tree->shell->triangle_count, 0, 0.0};
    while (waiting > 0 && least > enough * enough) {
        const Branch b = stack[--waiting];
        if (b.distance2 >= least)
            continue;
        if (b.depth == tree->depth) {
            for (size_t i = b.begin; i < b.end; i++) {
                const double distance2 = triangle_distance2(tree->shell, tree->order[i], x);
                least = distance2 < least ? distance2 : least;
            }
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
    return sqrt(least);
}

/* ---- the gap --------------------------------------------------------------------------------- */

/* Corner k of a triangle (0..2), the middle of side k - 3 (3..5), the centroid (6). */
static void probe(const AqmMeshShell *shell, uint32_t triangle, int k, double out[3]) {
    double p[3][3];
    for (int i = 0; i < 3; i++)
        corner_of(shell, triangle, i, p[i]);
    for (int a = 0; a < 3; a++)
        out[a] = k < 3   ? p[k][a]
                 : k < 6 ? 0.5 * (p[k - 3][a] + p[(k - 2) % 3][a])
                         : (p[0][a] + p[1][a] + p[2][a]) / 3.0;
}

/* Corners and sides belong to the first triangle that has them: each is looked at once. */
static bool is_first(const AqmMeshShell *shell, uint32_t triangle, int k) {
    const uint32_t *t = shell->triangles + 3 * (size_t)triangle;
    if (k == 6)
        return true;
    const uint32_t a = t[k % 3], b = t[(k + 1) % 3];
    for (size_t i = shell->fans->first[a]; shell->fans->triangles[i] < triangle; i++) {
        const uint32_t *other = shell->triangles + 3 * (size_t)shell->fans->triangles[i];
        if (k < 3 || other[0] == b || other[1] == b || other[2] == b)
            return false;
    }
    return true;
}

/* The largest distance at this triangle, or `gap` if that is larger. */
static double gap_at(const AqmMeshShell *from, const Tree *to, uint32_t triangle, bool corners_only,
                     double gap) {
    const uint32_t *t = from->triangles + 3 * (size_t)triangle;
    const size_t *first = to->shell->fans->first;
    for (int k = 0; k < (corners_only ? 3 : 7); k++) {
        double x[3];
        if (!is_first(from, triangle, k) || (k < 3 && first[t[k]] < first[t[k] + 1]))
            continue;
        probe(from, triangle, k, x);
        const double distance = distance_to(to, x, gap);
        gap = distance > gap ? distance : gap;
    }
    return gap;
}

AqmStatus aqm_mesh_gap(const AqmMeshShell *from, const AqmMeshShell *to, bool corners_only,
                       double *gap_m, AqmDiag *diag) {
    Tree tree;
    AQM_TRY(make_tree(&tree, to, diag));
    double gap = 0.0;
    const int threads = aqm_thread_count(0);
#pragma omp parallel for schedule(dynamic, 256) reduction(max : gap) num_threads(threads)
    for (size_t i = 0; i < from->triangle_count; i++)
        gap = gap_at(from, &tree, (uint32_t)i, corners_only, gap > 0.0 ? gap : 0.0);
    free_tree(&tree);
    *gap_m = gap;
    return AQM_OK;
}
