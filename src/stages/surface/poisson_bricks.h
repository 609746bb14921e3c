/* A sparse regular grid in bricks of 8 x 8 x 8: what each level of the octree is stored in.
 *
 * A brick holds 512 nodes, and the 512 cells whose lowest corner those nodes are; values at the
 * nodes stand in arrays beside the grid, AQM_BRICK_SIZE for each brick, x fastest, then y, then z.
 * Only bricks near the surface exist. What is yes or no of a node or cell is a bit: a word for each
 * z, bit x + 8 y in it, so that a whole layer is combined with its neighbours in a few steps. */
#ifndef AQM_STAGES_SURFACE_POISSON_BRICKS_H
#define AQM_STAGES_SURFACE_POISSON_BRICKS_H

#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

enum {
    AQM_BRICK_SHIFT = 3,
    AQM_BRICK_SIDE = 8,
    AQM_BRICK_SIZE = 512,
    AQM_HALO_SIDE = 10, /* a brick and one node on every side of it */
    AQM_HALO_SIZE = 1000
};

#define AQM_NO_BRICK UINT32_MAX

typedef enum AqmBrickBits {
    AQM_BITS_CELLS,    /* the cell exists */
    AQM_BITS_REFINED,  /* ... and has children on the next level */
    AQM_BITS_INNER,    /* node with all eight cells around it; while building: marked cell */
    AQM_BITS_POSITIVE, /* node whose value is above zero */
    AQM_BITS_KINDS
} AqmBrickBits;

typedef struct AqmBrick {
    int32_t at[3];     /* coordinate of its lowest node / 8 */
    uint32_t near[27]; /* the bricks around it, x fastest, itself in the middle; or AQM_NO_BRICK */
    uint64_t bits[AQM_BITS_KINDS][AQM_BRICK_SIDE];
} AqmBrick;

typedef struct AqmBrickGrid {
    size_t count, capacity;
    AqmBrick *bricks; /* in order of insertion */
    uint32_t *slots;  /* hash table of brick numbers, open addressing */
    size_t mask;      /* slots - 1 */
} AqmBrickGrid;

void aqm_bricks_free(AqmBrickGrid *grid); /* a zeroed grid is fine */

/* The brick at these brick coordinates, or AQM_NO_BRICK. */
uint32_t aqm_bricks_find(const AqmBrickGrid *grid, int32_t x, int32_t y, int32_t z);

/* The same, made with no bits set where there is none. `near` is not kept up to date: MEMORY. */
AQM_NODISCARD AqmStatus aqm_bricks_insert(AqmBrickGrid *grid, int32_t x, int32_t y, int32_t z,
                                          uint32_t *found, AqmDiag *diag);

/* Fills in `near` of all bricks. */
void aqm_bricks_link(AqmBrickGrid *grid, int threads);

/* The bits of nodes or cells displaced by (dx, dy), each -1..1, from those of layer z = -1..8 of
 * `brick`: bit x + 8 y is that of (x + dx, y + dy, z). */
uint64_t aqm_bricks_layer(const AqmBrickGrid *grid, const AqmBrick *brick, AqmBrickBits kind, int z,
                          int dx, int dy);

/* Values of a brick and of the nodes around it: 10 x 10 x 10, zero where there is no brick. */
void aqm_bricks_halo(const AqmBrickGrid *grid, uint32_t brick, const float *values,
                     float out[AQM_HALO_SIZE]);

/* The brick and, in it, the node or cell at local coordinates -8..15 of `brick`. */
static inline uint32_t aqm_bricks_near(const AqmBrick *brick, int x, int y, int z) {
    return brick->near[((z >> 3) + 1) * 9 + ((y >> 3) + 1) * 3 + (x >> 3) + 1];
}

static inline size_t aqm_brick_node(int x, int y, int z) {
    return (size_t)((x & 7) + 8 * (y & 7) + 64 * (z & 7));
}

#endif
