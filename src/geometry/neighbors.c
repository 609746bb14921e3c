/* A balanced k-d tree with boxes (Friedman, Bentley & Finkel 1977, "An Algorithm for Finding Best
 * Matches in Logarithmic Expected Time").
 *
 * A uniform grid is faster on an even cloud but must be bounded by hand where a stray point lies a
 * kilometre off or density varies a thousandfold (neighbors_grid.c does, for one question); a tree
 * of medians needs no parameter and no such care. Every node halves its points at the median of the
 * longest side of their bounding box, down to leaves of at most AQM_LEAF points. All leaves are at
 * the same depth, so node i has the children 2i + 1 and 2i + 2 and its range of points follows from
 * the path: only the boxes are stored, and they are tight, which on a surface cuts off far more
 * than the splitting planes would.
 *
 * In a leaf all distances are computed at once (structure of arrays; vectorises), then compared.
 * Distance to a box and to a point sum the same rounded squares in the same order, so in float too
 * no box is farther than a point in it and the search is exact. Cost: building n log2(n / AQM_LEAF)
 * steps of selection; a query about 3 to 8 leaves for k = 20. Mean distances of all points:
 * neighbors_mean.c. */
#include "geometry/neighbors_tree.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"

enum {
    STACK_K = 64,     /* k up to which a single query needs no allocation */
    TASK_SIZE = 20000 /* points below which building a branch is not worth a task */
};

/* Squares of larger coordinates would not be finite in float; NaN fails the comparison too. */
static const float FARTHEST = 1e18f;

/* ---- building -------------------------------------------------------------------------------- */

typedef struct Item {
    float p[3];
    uint32_t index;
} Item;

static float median3(float a, float b, float c) {
    return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}

/* Tukey's ninther: near the median also for sorted, folded and stepped sequences. */
static float choose_pivot(const Item *items, size_t n, int axis) {
    const size_t s = n / 9;
    float m[3];
    for (size_t i = 0; i < 3; i++)
        m[i] = median3(items[3 * i * s].p[axis], items[(3 * i + 1) * s].p[axis],
                       items[(3 * i + 2) * s + (i == 2 ? n - 1 - 8 * s : 0)].p[axis]);
    return median3(m[0], m[1], m[2]);
}

/* Items below the pivot (or equal to it, where asked for) to the front; returns how many. Every
 * item is moved whether it has to be or not: that half of the comparisons come as a surprise would
 * cost more. */
static size_t partition(Item *items, size_t n, int axis, float pivot, bool with_equal) {
    size_t front = 0;
    for (size_t i = 0; i < n; i++) {
        const Item item = items[i];
        items[i] = items[front];
        items[front] = item;
        front += with_equal ? item.p[axis] <= pivot : item.p[axis] < pivot;
    }
    return front;
}

/* Hoare's selection: afterwards no item before the k-th is larger along `axis`, none after it
 * smaller. */
static void select_item(Item *items, size_t n, size_t k, int axis) {
    size_t low = 0, high = n;
    while (high - low > 1) {
        const float pivot = choose_pivot(items + low, high - low, axis);
        size_t middle = low + partition(items + low, high - low, axis, pivot, false);
        if (middle == low) { /* the pivot is the least: its equals are done with */
            middle += partition(items + low, high - low, axis, pivot, true);
            if (k < middle)
                return;
        }
        if (k < middle)
            high = middle;
        else
            low = middle;
    }
}

static AqmBox box_of(const Item *items, size_t n) {
    AqmBox box = {{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 0; i < n; i++)
        for (int a = 0; a < 3; a++) {
            box.low[a] = items[i].p[a] < box.low[a] ? items[i].p[a] : box.low[a];
            box.high[a] = items[i].p[a] > box.high[a] ? items[i].p[a] : box.high[a];
        }
    return box;
}

static int longest_side(const AqmBox *box) {
    int axis = 0;
    for (int a = 1; a < 3; a++)
        if (box->high[a] - box->low[a] > box->high[axis] - box->low[axis])
            axis = a;
    return axis;
}

static void build(AqmNeighbors *tree, Item *items, size_t node, size_t begin, size_t end,
                  int depth) {
    const AqmBox box = tree->boxes[node] = box_of(items + begin, end - begin);
    if (depth == tree->depth)
        return;
    const size_t middle = begin + (end - begin) / 2;
    select_item(items + begin, end - begin, middle - begin, longest_side(&box));
#pragma omp task if (end - begin > TASK_SIZE)
    build(tree, items, 2 * node + 1, begin, middle, depth + 1);
    build(tree, items, 2 * node + 2, middle, end, depth + 1);
}

static size_t gather_usable(const float *points, size_t count, Item *items) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const float *p = points + 3 * i;
        if (fabsf(p[0]) <= FARTHEST && fabsf(p[1]) <= FARTHEST && fabsf(p[2]) <= FARTHEST)
            items[n++] = (Item){{p[0], p[1], p[2]}, (uint32_t)i};
    }
    return n;
}

static void store_leaf_order(AqmNeighbors *tree, const Item *items) {
    const size_t n = tree->usable;
    for (size_t i = 0; i < n; i++)
        tree->indices[i] = items[i].index;
    for (size_t a = 0; a < 3; a++) {
        float *coordinates = tree->coordinates + a * (n + AQM_TREE_PADDING);
        for (size_t i = 0; i < n; i++)
            coordinates[i] = items[i].p[a];
        memset(coordinates + n, 0, AQM_TREE_PADDING * sizeof *coordinates);
    }
}

AqmStatus aqm_neighbors_create(AqmNeighbors **out, const float *points, size_t count, int threads,
                               AqmDiag *diag) {
    if (count > UINT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "neighbour search over %zu points: at most 4294967295", count);
    AqmNeighbors *tree = aqm_calloc(1, sizeof *tree);
    Item *items = aqm_alloc(count, sizeof *items);
    if (!tree || !items)
        goto no_memory;
    tree->count = count;
    tree->usable = gather_usable(points, count, items);
    while ((tree->usable >> tree->depth) > AQM_LEAF - 1) /* a leaf holds the share rounded up */
        tree->depth++;
    tree->node_count = ((size_t)2 << tree->depth) - 1;
    tree->boxes = aqm_alloc(tree->node_count, sizeof *tree->boxes);
    tree->coordinates = aqm_alloc(tree->usable + AQM_TREE_PADDING, 3 * sizeof(float));
    tree->indices = aqm_alloc(tree->usable, sizeof *tree->indices);
    if (!tree->boxes || !tree->coordinates || !tree->indices)
        goto no_memory;
#pragma omp parallel num_threads(aqm_thread_count(threads))
#pragma omp single
    build(tree, items, 0, 0, tree->usable, 0);
    store_leaf_order(tree, items);
    aqm_free(items);
    *out = tree;
    return AQM_OK;
no_memory:
    aqm_free(items);
    aqm_neighbors_destroy(&tree);
    return aqm_fail_memory(diag, "a neighbour search", count, sizeof *items + 20);
}

void aqm_neighbors_destroy(AqmNeighbors **neighbors) {
    if (!neighbors || !*neighbors)
        return;
    aqm_free((*neighbors)->boxes);
    aqm_free((*neighbors)->coordinates);
    aqm_free((*neighbors)->indices);
    aqm_free(*neighbors);
    *neighbors = NULL;
}

/* ---- walking --------------------------------------------------------------------------------- */

/* A branch still to be visited. */
typedef struct Branch {
    size_t node, begin, end;
    int depth;
    float distance2;
} Branch;

typedef struct Walk {
    const AqmNeighbors *tree;
    const float *query;
    Branch stack[AQM_TREE_DEPTH + 1]; /* one waits at each depth */
    int waiting;
} Walk;

static Walk walk_from_root(const AqmNeighbors *tree, const float query[3]) {
    Walk walk;
    walk.tree = tree;
    walk.query = query;
    walk.waiting = tree->usable > 0;
    walk.stack[0] = (Branch){0, 0, tree->usable, 0,
                             tree->usable > 0 ? aqm_box_distance2(tree->boxes, query) : 0};
    return walk;
}

/* The next leaf nearer than limit2, nearer branches first; false when there is none left. Strictly
 * nearer: a heap of equal points would otherwise be walked through for every one of them. */
static inline bool next_leaf(Walk *walk, float limit2, size_t *begin, size_t *end) {
    while (walk->waiting > 0) {
        Branch b = walk->stack[--walk->waiting];
        if (b.distance2 >= limit2)
            continue;
        while (b.depth < walk->tree->depth) {
            const size_t middle = b.begin + (b.end - b.begin) / 2, left = 2 * b.node + 1;
            Branch near = {left, b.begin, middle, b.depth + 1,
                           aqm_box_distance2(walk->tree->boxes + left, walk->query)};
            Branch far = {left + 1, middle, b.end, b.depth + 1,
                          aqm_box_distance2(walk->tree->boxes + left + 1, walk->query)};
            if (far.distance2 < near.distance2) {
                const Branch swap = near;
                near = far;
                far = swap;
            }
            if (far.distance2 < limit2)
                walk->stack[walk->waiting++] = far;
            b = near;
            if (b.distance2 >= limit2)
                break;
        }
        if (b.distance2 >= limit2)
            continue;
        *begin = b.begin;
        *end = b.end;
        return true;
    }
    return false;
}

/* Squared distances to the points of a leaf. */
static inline void leaf_distances2(const AqmNeighbors *tree, const float q[3], size_t begin,
                                   size_t end, float *restrict distances2) {
    const float *x = aqm_tree_axis(tree, 0) + begin, *y = aqm_tree_axis(tree, 1) + begin,
                *z = aqm_tree_axis(tree, 2) + begin;
    for (size_t i = 0; i < end - begin; i++) {
        const float dx = x[i] - q[0], dy = y[i] - q[1], dz = z[i] - q[2];
        distances2[i] = dx * dx + dy * dy + dz * dz;
    }
}

/* ---- queries --------------------------------------------------------------------------------- */

typedef AqmNearest Best;

static inline float reach2(const Best *best) {
    return best->found < best->k ? INFINITY : best->distances2[best->k - 1];
}

static inline bool goes_before(const Best *best, int place, float distance2, uint32_t index) {
    const float there = best->distances2[place];
    return distance2 < there || (distance2 == there && index < best->indices[place]);
}

/* Takes a point nearer than reach2. */
static inline void offer(Best *best, float distance2, uint32_t index) {
    int place = best->found;
    if (place == best->k)
        place--;
    else
        best->found++;
    for (; place > 0 && goes_before(best, place - 1, distance2, index); place--) {
        best->distances2[place] = best->distances2[place - 1];
        best->indices[place] = best->indices[place - 1];
    }
    best->distances2[place] = distance2;
    best->indices[place] = index;
}

void aqm_tree_nearest(const AqmNeighbors *tree, const float query[3], uint32_t except, Best *best) {
    Walk walk = walk_from_root(tree, query);
    float distances2[AQM_LEAF];
    size_t begin, end;
    best->found = 0;
    while (next_leaf(&walk, reach2(best), &begin, &end)) {
        leaf_distances2(tree, query, begin, end, distances2);
        for (size_t i = begin; i < end; i++)
            if (distances2[i - begin] < reach2(best) && tree->indices[i] != except)
                offer(best, distances2[i - begin], tree->indices[i]);
    }
}

AqmStatus aqm_neighbors_nearest(const AqmNeighbors *neighbors, const float query[3], int k,
                                uint32_t *indices, float *distances2, int *found, AqmDiag *diag) {
    assert(k >= 1);
    float own_distances2[STACK_K];
    uint32_t own_indices[STACK_K];
    const bool large = k > STACK_K;
    void *scratch = large ? aqm_alloc((size_t)k, 8) : NULL;
    if (large && !scratch)
        return aqm_fail_memory(diag, "nearest points", (size_t)k, 8);
    Best best = {k, 0, large ? scratch : own_distances2,
                 large ? (uint32_t *)scratch + k : own_indices};
    aqm_tree_nearest(neighbors, query, UINT32_MAX, &best);
    const size_t bytes = 4 * (size_t)best.found;
    if (distances2)
        memcpy(distances2, best.distances2, bytes);
    if (indices)
        memcpy(indices, best.indices, bytes);
    *found = best.found;
    aqm_free(scratch);
    return AQM_OK;
}

/* Turns a strict limit into an inclusive one. */
static float just_above(float value) {
    return nextafterf(value, INFINITY);
}

bool aqm_neighbors_distance(const AqmNeighbors *neighbors, const float query[3], float max_distance,
                            float *distance, uint32_t *index) {
    Walk walk = walk_from_root(neighbors, query);
    float distances2[AQM_LEAF], nearest2 = just_above(max_distance * max_distance);
    uint32_t nearest = UINT32_MAX;
    size_t begin, end;
    while (next_leaf(&walk, nearest2, &begin, &end)) {
        leaf_distances2(neighbors, query, begin, end, distances2);
        for (size_t i = begin; i < end; i++) {
            const float d2 = distances2[i - begin];
            if (d2 < nearest2) {
                nearest2 = d2;
                nearest = neighbors->indices[i];
            }
        }
    }
    if (nearest == UINT32_MAX)
        return false;
    *distance = sqrtf(nearest2);
    if (index)
        *index = nearest;
    return true;
}

size_t aqm_neighbors_within(const AqmNeighbors *neighbors, const float query[3], float radius,
                            uint32_t *indices, size_t capacity) {
    Walk walk = walk_from_root(neighbors, query);
    float distances2[AQM_LEAF];
    const float limit2 = just_above(radius * radius);
    size_t begin, end, count = 0;
    while (next_leaf(&walk, limit2, &begin, &end)) {
        leaf_distances2(neighbors, query, begin, end, distances2);
        for (size_t i = begin; i < end; i++)
            if (distances2[i - begin] < limit2) {
                if (count < capacity)
                    indices[count] = neighbors->indices[i];
                count++;
            }
    }
    return count;
}
