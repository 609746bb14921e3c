/* Heightfield, internal: the points of a cloud sorted into square blocks of grid nodes. Only blocks
 * that hold points exist, so a few points far away cost next to nothing. */
#ifndef AQM_STAGES_SURFACE_HEIGHT_BLOCKS_H
#define AQM_STAGES_SURFACE_HEIGHT_BLOCKS_H

#include "aquamvs/types.h"

enum {
    AQM_BLOCK_SHIFT = 5,
    AQM_BLOCK_SIDE = 1 << AQM_BLOCK_SHIFT, /* nodes */
    AQM_BLOCK_NODES = AQM_BLOCK_SIDE * AQM_BLOCK_SIDE,
    AQM_BLOCK_SUPPORT = 6 /* points in a block and those around it: with fewer, no node has a fit */
};

#define AQM_NO_BLOCK UINT32_MAX

/* Node (i, j) of the whole grid lies at X = i g, Y = j g. A block holds the nodes [x * SIDE, x *
 * SIDE + SIDE) x [y * SIDE, ...) and the points that are nearest to them. */
typedef struct AqmHeightBlock {
    int32_t x, y;
    uint32_t point_first, point_count; /* in `order` */
    uint32_t around[9];                /* blocks (x - 1, y - 1), (x, y - 1) ..: or AQM_NO_BLOCK */
    uint32_t ordinal;                  /* among the supported ones, or AQM_NO_BLOCK */
} AqmHeightBlock;

typedef struct AqmHeightBlocks {
    double resolution_m;
    size_t count, supported;
    AqmHeightBlock *blocks; /* by y, then x */
    uint32_t *order;        /* indices of points, block by block, ascending within each */
    float *place;           /* X and Y of the points in that order */
} AqmHeightBlocks;

/* Points that are not finite, or farther than 2^30 cells from the origin, are left out. MEMORY;
 * ARGUMENT for more than 2^32 - 2 points. */
AqmStatus aqm_height_blocks_create(AqmHeightBlocks **out, const AqmCloud *cloud,
                                   double resolution_m, AqmDiag *diag);
void aqm_height_blocks_destroy(AqmHeightBlocks **blocks);

/* Points of block `index` and of the eight around it. */
size_t aqm_height_blocks_points_around(const AqmHeightBlocks *blocks, size_t index);

#endif
