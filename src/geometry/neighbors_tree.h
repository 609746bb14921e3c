/* The tree of neighbors.c, and what neighbors_mean.c needs of it. */
#ifndef AQM_GEOMETRY_NEIGHBORS_TREE_H
#define AQM_GEOMETRY_NEIGHBORS_TREE_H

#include "geometry/neighbors.h"

enum {
    AQM_LEAF = 32,        /* points, at most */
    AQM_TREE_DEPTH = 32,  /* at most */
    AQM_TREE_PADDING = 16 /* coordinates behind the last that may be read */
};

typedef struct AqmBox {
    float low[3], high[3];
} AqmBox;

struct AqmNeighbors {
    size_t count;  /* points given */
    size_t usable; /* points in the tree */
    int depth;     /* of the leaves; the root has depth 0 */
    size_t node_count;
    AqmBox *boxes;      /* node_count */
    float *coordinates; /* x of all points in leaf order and the padding, then y, then z */
    uint32_t *indices;  /* of the points in leaf order */
};

static inline const float *aqm_tree_axis(const AqmNeighbors *tree, int axis) {
    return tree->coordinates + (size_t)axis * (tree->usable + AQM_TREE_PADDING);
}

static inline float aqm_box_distance2(const AqmBox *box, const float q[3]) {
    float sum = 0.0f;
    for (int a = 0; a < 3; a++) {
        const float below = box->low[a] - q[a], above = q[a] - box->high[a];
        float gap = below > above ? below : above;
        gap = gap > 0.0f ? gap : 0.0f;
        sum += gap * gap;
    }
    return sum;
}

/* The best so far, nearest first; ties by index. */
typedef struct AqmNearest {
    int k, found;
    float *distances2;
    uint32_t *indices;
} AqmNearest;

/* The k nearest points to `query` but `except` (UINT32_MAX - as no point has it - for none). */
void aqm_tree_nearest(const AqmNeighbors *tree, const float query[3], uint32_t except,
                      AqmNearest *best);

#endif
