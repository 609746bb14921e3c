/* What a quadrangle says: the bits of a marker. */
#ifndef AQM_EVALUATE_MARKER_READ_H
#define AQM_EVALUATE_MARKER_READ_H

#include "aquamvs/board.h"
#include "evaluate/marker_quads.h"

typedef struct AqmMarker {
    int id;
    int wrong_bits;      /* that were corrected */
    double corner[4][2]; /* px: upper left, upper right, lower right, lower left of the marker */
} AqmMarker;

/* Reads the marker of the board that fills the quadrangle; false where there is none. */
bool aqm_marker_read(const AqmGrayPlane *plane, const AqmQuad *quad, const AqmBoard *board,
                     AqmMarker *out);

#endif
