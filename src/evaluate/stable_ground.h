/* Where nothing changed between two maps. */
#ifndef AQM_EVALUATE_STABLE_GROUND_H
#define AQM_EVALUATE_STABLE_GROUND_H

#include "aquamvs/types.h"

/* stable[i] = 1 where values[i] (a difference over its sigma, NaN = not known; columns x rows) is
 * part of no region of change. MEMORY. */
AQM_NODISCARD AqmStatus aqm_stable_ground(const float *values, int columns, int rows,
                                          uint8_t *stable, AqmDiag *diag);

#endif
