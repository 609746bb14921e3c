/* Mean distances to the nearest neighbours of all points of a cloud, leaf by leaf of the tree.
 *
 * The points of a leaf ask for nearly the same neighbours, so they walk through the tree together.
 *
 * 1. Home: the smallest branch around the leaf with twice as many points as are asked for.
 * Among them the k nearest of each point of the leaf bound how far its neighbours can lie.
 * 2. One walk lists the leaves outside of the branch that lie nearer to the leaf than the largest
 * of those bounds.
 * 3. Each point takes from home and from the listed leaves within its own bound the distances
 *    within that bound, little more than k, and sums up the k smallest.
 *
 * Boxes and points are compared by distances that sum the same rounded squares in the same order
 * (neighbors.c), so the answer is exact. Where a leaf of strays lists more than LISTED leaves, its
 * points are looked up one by one, each with a bound that shrinks as it walks.
 *
 * Cost: on a surface and for k = 20 about 130 distances a point, 0.15 us. */
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "geometry/neighbors_tree.h"
#include "kernels/nearest_kernels.h"

enum {
    LISTED = 96,
    LEAF_ROOM = (AQM_LEAF + AQM_NEAREST_LANES - 1) / AQM_NEAREST_LANES * AQM_NEAREST_LANES
};

/* A part of the tree: a node and its range of points. */
typedef struct Branch {
    size_t node, begin, end;
    int depth;
} Branch;

typedef struct Searcher {
    const AqmNeighbors *tree;
    const AqmNearestKernels *kernels;
    size_t k;          /* neighbours counted, and the point itself */
    float *distances2; /* to home, then to listed leaves */
    AqmNearest one_by_one;
    Branch listed[LISTED];
    size_t listed_count;
    float sides[6][LISTED], gaps2[LISTED]; /* of the listed leaves' boxes */
} Searcher;

static Branch child(const Branch *branch, bool right) {
    const size_t middle = branch->begin + (branch->end - branch->begin) / 2;
    return (Branch){2 * branch->node + 1 + right, right ? middle : branch->begin,
                    right ? branch->end : middle, branch->depth + 1};
}

static float box_gap2(const AqmBox *a, const AqmBox *b) {
    float sum = 0.0f;
    for (int i = 0; i < 3; i++) {
        const float before = a->low[i] - b->high[i], after = b->low[i] - a->high[i];
        float gap = before > after ? before : after;
        gap = gap > 0.0f ? gap : 0.0f;
        sum += gap * gap;
    }
    return sum;
}

static void add_leaf(Searcher *s, const Branch *leaf) {
    const AqmBox *box = &s->tree->boxes[leaf->node];
    for (int axis = 0; axis < 3; axis++) {
        s->sides[axis][s->listed_count] = box->low[axis];
        s->sides[3 + axis][s->listed_count] = box->high[axis];
    }
    s->listed[s->listed_count++] = *leaf;
}

/* Lists the leaves nearer than limit2 to `leaf` that are not part of home; false if too many. */
static bool list_leaves(Searcher *s, const Branch *leaf, const Branch *home, float limit2) {
    const AqmNeighbors *tree = s->tree;
    Branch stack[AQM_TREE_DEPTH + 2];
    int waiting = 0;
    s->listed_count = 0;
    stack[waiting++] = (Branch){0, 0, tree->usable, 0};
    while (waiting > 0) {
        const Branch branch = stack[--waiting];
        if (branch.node == home->node ||
            !(box_gap2(&tree->boxes[branch.node], &tree->boxes[leaf->node]) < limit2))
            continue;
        if (branch.depth < tree->depth) {
            stack[waiting++] = child(&branch, false);
            stack[waiting++] = child(&branch, true);
        } else {
            if (s->listed_count == LISTED)
                return false;
            add_leaf(s, &branch);
        }
    }
    return true;
}

static size_t add_near(const Searcher *s, const Branch *branch, const float query[3], float bound2,
                       size_t at) {
    const AqmNeighbors *tree = s->tree;
    return at + s->kernels->near_distances2(
                    aqm_tree_axis(tree, 0) + branch->begin, aqm_tree_axis(tree, 1) + branch->begin,
                    aqm_tree_axis(tree, 2) + branch->begin, branch->end - branch->begin, query,
                    bound2, s->distances2 + at);
}

static void query_at(const AqmNeighbors *tree, size_t i, float query[3]) {
    for (int axis = 0; axis < 3; axis++)
        query[axis] = aqm_tree_axis(tree, axis)[i];
}

/* The point itself is among the k, at no distance. */
static float mean_of(const Searcher *s, double sum) {
    return s->k > 1 ? (float)(sum / (double)(s->k - 1)) : 0.0f;
}

static float mean_alone(Searcher *s, size_t i) {
    float query[3];
    double sum = 0.0;
    query_at(s->tree, i, query);
    aqm_tree_nearest(s->tree, query, s->tree->indices[i], &s->one_by_one);
    for (int j = 0; j < s->one_by_one.found; j++)
        sum += sqrt((double)s->one_by_one.distances2[j]);
    return mean_of(s, sum);
}

/* bound2: how far the neighbours lie at most. */
static float mean_together(Searcher *s, const Branch *home, size_t i, float bound2) {
    float query[3];
    query_at(s->tree, i, query);
    size_t count = add_near(s, home, query, bound2, 0);
    const float *const sides[6] = {s->sides[0], s->sides[1], s->sides[2],
                                   s->sides[3], s->sides[4], s->sides[5]};
    const size_t lanes = AQM_NEAREST_LANES;
    s->kernels->gaps2(sides, (s->listed_count + lanes - 1) / lanes * lanes, query, s->gaps2);
    for (size_t j = 0; j < s->listed_count; j++)
        if (s->gaps2[j] < bound2)
            count = add_near(s, &s->listed[j], query, bound2, count);
    /* on a surface their number grows with the square of the distance */
    const float guess = bound2 * ((float)s->k - 0.5f) / (float)count;
    for (; count % lanes != 0; count++)
        s->distances2[count] = INFINITY;
    const float limit = s->kernels->bound(s->distances2, count, s->k, 0, guess);
    return mean_of(s, s->kernels->sum_of_roots(s->distances2, count, s->k, limit));
}

static void do_leaf(Searcher *s, const Branch *leaf, const Branch *home, float *mean_distance) {
    const AqmNeighbors *tree = s->tree;
    float bounds2[AQM_LEAF], largest2 = 0.0f, guess = 0.0f;
    for (size_t i = leaf->begin; i < leaf->end; i++) {
        float query[3];
        query_at(tree, i, query);
        const size_t count = s->kernels->distances2(
            aqm_tree_axis(tree, 0) + home->begin, aqm_tree_axis(tree, 1) + home->begin,
            aqm_tree_axis(tree, 2) + home->begin, home->end - home->begin, query, s->distances2);
        guess = bounds2[i - leaf->begin] =
            s->kernels->bound(s->distances2, count, s->k, s->k / 2, guess);
        largest2 = guess > largest2 ? guess : largest2;
    }
    const bool together = list_leaves(s, leaf, home, largest2);
    for (size_t i = leaf->begin; i < leaf->end; i++)
        mean_distance[tree->indices[i]] =
            together ? mean_together(s, home, i, bounds2[i - leaf->begin]) : mean_alone(s, i);
}

/* Leaf number `number` (from the left) and its home. */
static void find_leaf(const AqmNeighbors *tree, size_t number, size_t wanted, Branch *leaf,
                      Branch *home) {
    Branch branch = {0, 0, tree->usable, 0};
    *home = branch;
    for (; branch.depth < tree->depth;
         branch = child(&branch, number >> (tree->depth - branch.depth - 1) & 1))
        if (branch.end - branch.begin >= wanted)
            *home = branch;
    if (branch.end - branch.begin >= wanted)
        *home = branch;
    *leaf = branch;
}

static void searcher_free(Searcher *s) {
    aqm_free(s->distances2);
    aqm_free(s->one_by_one.distances2);
    aqm_free(s->one_by_one.indices);
}

static bool searcher_init(Searcher *s, const AqmNeighbors *tree, size_t k) {
    /* home has less than twice what is wanted and a leaf more; or it is all there is */
    const size_t room = 4 * k + 2 * AQM_LEAF + 2 * AQM_NEAREST_LANES + LISTED * LEAF_ROOM;
    *s = (Searcher){.tree = tree,
                    .kernels = aqm_nearest_kernels(aqm_cpu_features()),
                    .k = k,
                    .distances2 = aqm_alloc(room, sizeof *s->distances2),
                    .one_by_one = {.k = (int)(k > 1 ? k - 1 : 1),
                                   .distances2 = aqm_alloc(k, sizeof(float)),
                                   .indices = aqm_alloc(k, sizeof(uint32_t))}};
    return s->distances2 && s->one_by_one.distances2 && s->one_by_one.indices;
}

static void do_leaves(Searcher *searchers, int workers, float *mean_distance) {
    const AqmNeighbors *tree = searchers->tree;
    const size_t leaves = (size_t)1 << tree->depth;
#pragma omp parallel for schedule(dynamic, 64) num_threads(workers)
    for (size_t number = 0; number < leaves; number++) {
        Searcher *s = &searchers[omp_get_thread_num()];
        Branch leaf, home;
        find_leaf(tree, number, 2 * s->k, &leaf, &home);
        do_leaf(s, &leaf, &home, mean_distance);
    }
}

AqmStatus aqm_neighbors_mean_knn_distance(const AqmNeighbors *neighbors, int k, int threads,
                                          float *mean_distance, AqmDiag *diag) {
    assert(k >= 1);
    const int workers = aqm_thread_count(threads);
    const size_t reach = neighbors->usable <= (size_t)k ? neighbors->usable : (size_t)k + 1;
    for (size_t i = 0; i < neighbors->count; i++)
        mean_distance[i] = NAN;
    if (neighbors->usable == 0)
        return AQM_OK;
    Searcher *searchers = aqm_calloc((size_t)workers, sizeof *searchers);
    bool ready = searchers != NULL;
    for (int i = 0; ready && i < workers; i++)
        ready = searcher_init(&searchers[i], neighbors, reach);
    if (ready)
        do_leaves(searchers, workers, mean_distance);
    for (int i = 0; searchers && i < workers; i++)
        searcher_free(&searchers[i]);
    aqm_free(searchers);
    return ready ? AQM_OK
                 : aqm_fail_memory(diag, "nearest points", (size_t)workers, sizeof *searchers);
}
