/* Matching, internal: the bed as the points below one view tell it. */
#ifndef AQM_STAGES_MATCHING_BED_H
#define AQM_STAGES_MATCHING_BED_H

#include "aquamvs/types.h"
#include "geometry/neighbors.h"

enum { AQM_BED_FEWEST = 20, AQM_BED_BINS = 24 };

/* Coordinates: X and Y from below the camera, and h, straight down from the water surface. A point
 * is (X, Y, h); its r is what it lies below the plane h = g . (X, Y) + a. */
typedef struct AqmBed {
    size_t count, matched; /* the matched ones come first */
    double *point, *rest;  /* x y h; r */
    double plane[3];       /* g and a */
    double low, high;      /* of r; points beyond are chance */
    /* how much r changes over a distance: at most growth_m[.][k] at k bin_m, for nearly all; from a
     * matched point, and from another one */
    double bin_m, growth_m[2][AQM_BED_BINS + 1];
    AqmNeighbors *near;  /* the points between low and high, in the plane */
    double *near_rest;   /* their r */
    size_t near_matched; /* so many of them come first */
} AqmBed;

/* From the tracks that project into the view, and from others (may be NULL) if AQM_BED_FEWEST do;
 * NO_DATA for fewer tracks than AQM_BED_FEWEST; MEMORY. */
AqmStatus aqm_bed_create(AqmBed *bed, const AqmTracks *tracks, const AqmCloud *others,
                         const AqmView *view, AqmDiag *diag);
void aqm_bed_free(AqmBed *bed);

/* Between which r the bed may lie at (x, y). */
void aqm_bed_ends(const AqmBed *bed, double x, double y, double *low, double *high);

#endif
