/* What holds the function to the points: one constraint for each cell that has some. */
#ifndef AQM_STAGES_SURFACE_POISSON_CONSTRAINTS_H
#define AQM_STAGES_SURFACE_POISSON_CONSTRAINTS_H

#include "stages/surface/poisson_tree.h"

/* All samples of one cell, as one place where the function is to be zero. */
typedef struct AqmPoissonCell {
    int32_t cell[3];
    float at[3]; /* within the cell: 0..1 */
    float area;  /* of the surface they stand for, in faces of the cell */
} AqmPoissonCell;

typedef struct AqmCellList {
    size_t count;
    AqmPoissonCell *cells; /* in Morton order */
} AqmCellList;

/* A cell as a brick sees it: its own, or the last one of a brick below it. */
typedef struct AqmConstraint {
    uint16_t corner; /* the cell's lowest node in the brick's halo */
    bool is_own;
    float at[3], area;
} AqmConstraint;

typedef struct AqmLevelConstraints {
    size_t *first; /* of each brick, and the end */
    AqmConstraint *items;
} AqmLevelConstraints;

typedef struct AqmConstraints {
    AqmLevelConstraints levels[AQM_POISSON_MOST_DEPTH + 1];
    AqmCellList base; /* cells of the base level */
} AqmConstraints;

/* Constraints of all levels of the tree. MEMORY; what there is then is freed all the same. */
AQM_NODISCARD AqmStatus aqm_constraints_create(AqmConstraints *out, const AqmPoissonTree *tree,
                                               const AqmPoissonPoints *points, AqmDiag *diag);
void aqm_constraints_free(AqmConstraints *constraints); /* zeroed is fine */

/* The nodes of a cell in a halo, from its lowest; x fastest. */
static const int AQM_HALO_CORNERS[8] = {0, 1, 10, 11, 100, 101, 110, 111};

/* The hats of a cell's nodes at a place in it. */
static inline void aqm_corner_weights(const float at[3], float weights[8]) {
    for (int k = 0; k < 8; k++)
        weights[k] = (k & 1 ? at[0] : 1.0f - at[0]) * (k >> 1 & 1 ? at[1] : 1.0f - at[1]) *
                     (k >> 2 ? at[2] : 1.0f - at[2]);
}

/* The function where the constraint is, and the weights that give it. */
static inline float aqm_constraint_value(const AqmConstraint *constraint, const float *halo,
                                         float weights[8]) {
    float sum = 0.0f;
    aqm_corner_weights(constraint->at, weights);
    for (int k = 0; k < 8; k++)
        sum += weights[k] * halo[constraint->corner + AQM_HALO_CORNERS[k]];
    return sum;
}

#endif
