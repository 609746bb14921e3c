/* Both sides of a comparison while it is made. */
#ifndef AQM_PIPELINE_COMPARE_PAIR_H
#define AQM_PIPELINE_COMPARE_PAIR_H

#include "aquamvs/compare.h"
#include "pipeline/compare_input.h"

/* Owns the inputs. */
typedef struct AqmComparePair {
    const AqmCompareOptions *options;
    AqmCompareInput a, b;
    double step_m;
    AqmComparison *out;
} AqmComparePair;

/* Forgets the map of one side, and says why (unless NULL). */
void aqm_compare_drop_map(const AqmComparePair *pair, AqmCompareInput *input, const char *why);

/* Makes the map of one side from its points. ARGUMENT where it has none; else as
 * aqm_surface_height_map. */
AQM_NODISCARD AqmStatus aqm_compare_make_map(const AqmComparePair *pair, AqmCompareInput *input,
                                             AqmDiag *diag);

/* Lays the points of B on those of A; B's map is gone afterwards. Fills out->alignment. */
AQM_NODISCARD AqmStatus aqm_compare_align(AqmComparePair *pair, AqmDiag *diag);

#endif
