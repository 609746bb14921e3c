/* The equations of a Poisson reconstruction: what poisson_field.c sets up and poisson_solve.c
 * solves. */
#ifndef AQM_STAGES_SURFACE_POISSON_SYSTEM_H
#define AQM_STAGES_SURFACE_POISSON_SYSTEM_H

#include "stages/surface/poisson_constraints.h"
#include "stages/surface/poisson_tree.h"

/* Spreads the samples' normals over the nodes and fills in `source` of all levels but the base,
 * where it lacks what the base's own `field` adds. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_field(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                                          AqmDiag *diag);

/* Fills in `value` of all levels: zero on the surface, growing along the normals. The sources are
 * used up. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_solve(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                                          double point_weight, AqmDiag *diag);

/* The function on the complete base level, from its source, its field and the constraints of its
 * cells. MEMORY. */
AQM_NODISCARD AqmStatus aqm_poisson_solve_base(AqmPoissonLevel *level, const AqmCellList *cells,
                                               double point_weight, AqmDiag *diag);

#endif
