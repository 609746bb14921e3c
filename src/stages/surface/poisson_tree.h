/* The octree of a Poisson reconstruction, as one sparse grid of bricks per level.
 *
 * Level d cuts the cube into 2^d cells a side. The base level is complete; on a finer one a cell
 * exists where its parent is refined, and all eight children do. Every refined cell has all its 26
 * neighbours, so cells that touch differ by one level at most. Values stand at the cells' corners
 * ("nodes"): node (x, y, z) of level d at (x, y, z) / 2^d of the cube. */
#ifndef AQM_STAGES_SURFACE_POISSON_TREE_H
#define AQM_STAGES_SURFACE_POISSON_TREE_H

#include <stdbool.h>

#include "stages/surface/poisson_bricks.h"
#include "stages/surface/poisson_points.h"

enum { AQM_POISSON_MOST_DEPTH = 16 };

typedef struct AqmPoissonLevel {
    int depth;
    int threads; /* as many as the bricks are worth */
    AqmBrickGrid grid;
    AqmSampleRange *ranges; /* of the samples in each brick's cells */
    float *value;           /* the function at the nodes */
    float *source;          /* right-hand side at the nodes */
    float *field[3];        /* normals spread to the nodes; NULL where there are none */
} AqmPoissonLevel;

typedef struct AqmPoissonTree {
    int base, finest, threads;
    size_t brick_count, brick_budget;
    AqmPoissonLevel levels[AQM_POISSON_MOST_DEPTH + 1]; /* base .. finest are filled */
} AqmPoissonTree;

/* The level nearest to a sample's depth: where its cell is and its normal is spread. */
int aqm_poisson_sample_level(const AqmPoissonSample *sample);

/* A cell for every sample on its level, with all neighbours, and what that asks of the coarser
 * levels; values and sources all 0, no fields. *fits is false where that would need more than
 * `brick_budget` bricks. MEMORY. Where it does not fit or on failure nothing is held. */
AQM_NODISCARD AqmStatus aqm_poisson_tree_create(AqmPoissonTree *out, const AqmPoissonPoints *points,
                                                int base, size_t brick_budget, int threads,
                                                bool *fits, AqmDiag *diag);
void aqm_poisson_tree_free(AqmPoissonTree *tree); /* zeroed is fine */

static inline size_t aqm_poisson_nodes(const AqmPoissonLevel *level) {
    return level->grid.count * AQM_BRICK_SIZE;
}

/* Values at the n^3 nodes from `origin` on, x fastest; zero where there is no brick. */
void aqm_poisson_block(const AqmBrickGrid *grid, const float *values, const int32_t origin[3],
                       int n, float *out);

/* Interpolates values of the next coarser level (trilinear) at the nodes of a brick. */
void aqm_poisson_refine(const AqmBrickGrid *coarse, const float *values, const AqmBrick *brick,
                        float out[AQM_BRICK_SIZE]);

/* The transpose of that: to the nodes of a brick from the next finer level. */
void aqm_poisson_gather(const AqmBrickGrid *fine, const float *values, const AqmBrick *brick,
                        float out[AQM_BRICK_SIZE]);

#endif
