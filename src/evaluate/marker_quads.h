/* Dark quadrangles on a lighter ground: where markers may be. */
#ifndef AQM_EVALUATE_MARKER_QUADS_H
#define AQM_EVALUATE_MARKER_QUADS_H

#include "evaluate/gray_plane.h"

/* Corners in px, clockwise as one sees the image, at the middle of the edges' slopes. */
typedef struct AqmQuad {
    double corner[4][2];
} AqmQuad;

/* Owns its quads. */
typedef struct AqmQuads {
    size_t count, capacity;
    AqmQuad *quads;
} AqmQuads;

/* Adds what is found at one scale: pixels darker than the mean of the (2 half_window + 1)^2 about
 * them by 4 % of the image's range, in connected areas whose hull is a quadrangle with sides of at
 * least min_side px. MEMORY. */
AQM_NODISCARD AqmStatus aqm_quads_find(const AqmGrayPlane *plane, int half_window, double min_side,
                                       AqmQuads *quads, AqmDiag *diag);
void aqm_quads_free(AqmQuads *quads);

#endif
