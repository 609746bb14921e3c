/* From depths on a lattice to a depth at every pixel. */
#ifndef AQM_STAGES_LATTICE_DEPTH_H
#define AQM_STAGES_LATTICE_DEPTH_H

#include <stdint.h>

#include "aquamvs/types.h"

/* Nodes over an image: node (i, j) of `map` lies at pixel (first_u + i step_u, first_v + j step_v).
 * What stands there was measured `away` (u, v; steps of the cells that the lattice was thinned
 * from) beside it; NULL = nowhere. */
typedef struct AqmLattice {
    AqmDepthMap *map;
    const int16_t *away;
    double first_u, first_v, step_u, step_v;
    double cell_u, cell_v;  /* px an `away` counts */
    double focal_px, air_m; /* of the view; about how long its rays are in air */
} AqmLattice;

/* Fills `out`, a map as created. Only AQM_ERROR_MEMORY can go wrong. */
AQM_NODISCARD AqmStatus aqm_lattice_to_pixels(const AqmLattice *lattice, int threads,
                                              const AqmDepthMap *out, AqmDiag *diag);

#endif
