/* Extrema of the differences of Gaussians. */
#ifndef AQM_FEATURES_EXTREMA_H
#define AQM_FEATURES_EXTREMA_H

#include "stages/features/scale_space.h"

typedef struct AqmExtremum {
    int octave;
    int x, y, scale;            /* the sample of the octave next to it */
    float at_x, at_y, at_scale; /* refined */
    float contrast;             /* the size of the difference of Gaussians there, white = 1 */
} AqmExtremum;

/* Owns its entries. */
typedef struct AqmExtrema {
    size_t count, capacity;
    AqmExtremum *entries;
} AqmExtrema;

/* All extrema of at least `threshold`, in the order of octaves, rows, columns, each once. MEMORY;
 * what was found by then is to be freed. */
AQM_NODISCARD AqmStatus aqm_extrema_find(AqmExtrema *out, const AqmScaleSpace *space,
                                         float threshold, AqmDiag *diag);
void aqm_extrema_free(AqmExtrema *extrema);

#endif
