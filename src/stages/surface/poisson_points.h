/* The points of a cloud as the samples of a Poisson reconstruction. */
#ifndef AQM_STAGES_SURFACE_POISSON_POINTS_H
#define AQM_STAGES_SURFACE_POISSON_POINTS_H

#include "aquamvs/types.h"
#include "stages/surface/poisson_bricks.h"

/* The points of one cell half as large as the finest: their mean. */
typedef struct AqmPoissonSample {
    float at[3];     /* in the cube: 0..1 */
    float normal[3]; /* sum of the unit normals */
    float mass;      /* points */
    float area;      /* of the surface that one point stands for, the side of the cube being 1 */
    float depth;     /* level of the octree, not whole, whose cells suit the density there */
} AqmPoissonSample;

typedef struct AqmPoissonPoints {
    double origin[3], size_m; /* the cube */
    int depth;                /* of the finest cells */
    size_t count;
    AqmPoissonSample *samples; /* in Morton order: those of any cell of any level are neighbours */
} AqmPoissonPoints;

/* Lays the cube around the points and gathers them. Points without a normal or with a coordinate
 * that is not finite take no part, nor do outliers: what lies outside the box of the 1st to 99th
 * percentiles widened on every side by half of its longest side. area and depth are left 0.
 * NO_DATA: fewer than three points are left, or all in one place; MEMORY; ARGUMENT for 2^32 points
 * or more. On failure nothing is held. */
AQM_NODISCARD AqmStatus aqm_poisson_points_create(AqmPoissonPoints *out, const AqmCloud *cloud,
                                                  int depth, int threads, AqmDiag *diag);
void aqm_poisson_points_free(AqmPoissonPoints *points); /* zeroed is fine */

/* Fills in area and depth from how many points lie around each sample: cells of that depth hold
 * samples_per_node of them. Levels on which the samples are spread over more than `brick_budget`
 * bricks are not looked at. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_density(AqmPoissonPoints *points, double samples_per_node,
                                            int base_depth, size_t brick_budget, int threads,
                                            AqmDiag *diag);

/* Samples first .. end - 1. */
typedef struct AqmSampleRange {
    uint32_t first, end;
} AqmSampleRange;

/* For each brick of a grid of level `depth` the samples in its cells; ranges: grid->count, to be
 * freed by aqm_free. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_ranges(const AqmPoissonPoints *points, int depth,
                                           const AqmBrickGrid *grid, AqmSampleRange **ranges,
                                           AqmDiag *diag);

/* The cell of level `depth` that holds a place of the cube. */
static inline void aqm_poisson_cell(const float at[3], int depth, int32_t cell[3]) {
    const int32_t side = (int32_t)1 << depth;
    for (int k = 0; k < 3; k++) {
        const int32_t i = (int32_t)(at[k] * (float)side);
        cell[k] = i < 0 ? 0 : i >= side ? side - 1 : i;
    }
}

#endif
