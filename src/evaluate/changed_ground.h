/* How much larger errors are where the ground changed than where it did not. */
#ifndef AQM_EVALUATE_CHANGED_GROUND_H
#define AQM_EVALUATE_CHANGED_GROUND_H

#include "aquamvs/types.h"

/* factor[i], 1 to 4, for the sigma of each cell of `difference` outside the stable ground; 1 on it
 * and where nothing can be told. `sigma`: as they are, > 0. All columns x rows of the map. MEMORY.
 */
AQM_NODISCARD AqmStatus aqm_changed_ground_factors(const AqmHeightMap *difference,
                                                   const float *sigma, const uint8_t *stable,
                                                   float *factor, AqmDiag *diag);

#endif
