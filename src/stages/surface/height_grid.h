/* Heightfield, internal: the nodes of the supported blocks and what is known at each. */
#ifndef AQM_STAGES_SURFACE_HEIGHT_GRID_H
#define AQM_STAGES_SURFACE_HEIGHT_GRID_H

#include "stages/surface/height_blocks.h"

typedef struct AqmHeightNode {
    float z;                /* metres */
    float slope_x, slope_y; /* dZ/dX, dZ/dY */
    float sigma;            /* standard deviation along the normal, metres; NaN = not known */
    uint8_t color[3];
} AqmHeightNode;

typedef struct AqmHeightGrid {
    const AqmHeightBlocks *blocks;
    int threads;
    AqmHeightNode *nodes; /* AQM_BLOCK_NODES for each supported block, by its ordinal */
    uint8_t *fitted;      /* as nodes: the points around it gave a fit */
    uint8_t *present;     /* as nodes: fitted, or filled from its neighbours */
} AqmHeightGrid;

/* Index into `nodes` of the node (i, j), counted from the corner of block `index` and at most one
 * block away from it; SIZE_MAX where there is none. */
static inline size_t aqm_height_node(const AqmHeightGrid *grid, size_t index, int i, int j) {
    const AqmHeightBlock *block = &grid->blocks->blocks[index];
    const int bx = (i >> AQM_BLOCK_SHIFT) + 1, by = (j >> AQM_BLOCK_SHIFT) + 1;
    const uint32_t other = block->around[3 * by + bx];
    if (other == AQM_NO_BLOCK || grid->blocks->blocks[other].ordinal == AQM_NO_BLOCK)
        return SIZE_MAX;
    const int x = i & (AQM_BLOCK_SIDE - 1), y = j & (AQM_BLOCK_SIDE - 1);
    return (size_t)grid->blocks->blocks[other].ordinal * AQM_BLOCK_NODES +
           (size_t)(y * AQM_BLOCK_SIDE + x);
}

/* Fits every node (height_nodes.c); sets fitted and present. */
AqmStatus aqm_height_grid_fit(AqmHeightGrid *grid, const AqmCloud *cloud, AqmDiag *diag);

/* Fills small holes (height_fill.c); sets present. */
void aqm_height_grid_fill(AqmHeightGrid *grid);

/* The triangles between present nodes. NO_DATA if there are none. */
AqmStatus aqm_height_grid_mesh(const AqmHeightGrid *grid, AqmMesh **out, AqmDiag *diag);

/* The present nodes as a map (height_map.c). NO_DATA if there are none; ARGUMENT if it would be
 * larger than can be. */
AqmStatus aqm_height_grid_map(const AqmHeightGrid *grid, AqmHeightMap **out, AqmDiag *diag);

/* Says that there is none; returns NO_DATA. */
AqmStatus aqm_height_grid_no_surface(const AqmHeightGrid *grid, AqmDiag *diag);

#endif
