/* The equations of a Poisson reconstruction: what poisson_field.c sets up and poisson_solve.c
 * solves. */
#ifndef AQM_STAGES_SURFACE_POISSON_SYSTEM_H
#define AQM_STAGES_SURFACE_POISSON_SYSTEM_H

#include "stages/surface/poisson_tree.h"

/* Spreads the samples' normals over the nodes and fills in `source` of all levels but the base,
 * where it lacks what the base's own `field` adds. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_field(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                                          AqmDiag *diag);

/* Fills in `value` of all levels: zero on the surface, growing along the normals. The sources are
 * used up. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_solve(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                                          double point_weight, AqmDiag *diag);

/* All samples of one cell, as one constraint: point_weight * area * value(at)^2 is to be small. */
typedef struct AqmPoissonCell {
    int32_t cell[3];
    float at[3]; /* within the cell: 0..1 */
    float area;  /* of the surface they stand for, in faces of the cell */
} AqmPoissonCell;

/* The function on the complete base level, from its source, its field and the constraints of its
 * cells. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_solve_base(AqmPoissonLevel *level, const AqmPoissonCell *cells,
                                               size_t cell_count, double point_weight, AqmDiag *diag);

/* Values of a brick's nodes and those around it, times the stiffness matrix of a cell of side 1
 * with all neighbours; into the brick's places of `out`, a halo as well. */
void aqm_poisson_stiffness(const float halo[AQM_HALO_SIZE], float out[AQM_HALO_SIZE]);

#endif
