/* The point that a chain of matches means. */
#ifndef AQM_STAGES_TRACK_POINT_H
#define AQM_STAGES_TRACK_POINT_H

#include "aquamvs/geometry.h"
#include "stages/matching/track_chain.h"

/* What is held for each observation of a chain. */
typedef struct AqmTrackSight {
    AqmObservation seen;
    double slopes[4];      /* of u, v along X, Y where the point is about */
    double sum[2], weight; /* of the positions that links give: weighted sum, sum of weights */
    int link_count, hops;  /* of links; how many of them away from the anchor, -1 = not reached */
    bool is_mapped;        /* slopes are there */
} AqmTrackSight;

/* sight_count 0: there is none. */
typedef struct AqmTrackPoint {
    double position[3];
    double squares_px2; /* sum of the squared reprojection errors */
    double weakest;     /* least eigenvalue of the normal matrix, px^2 / m^2 */
    size_t sight_count; /* observations that are left: the first so many of `sights` */
} AqmTrackPoint;

/* `sights`: `count` of them, with `seen` filled; changed. `rays`: room for as many. Views as
 * aqm_tracks_build takes them. Needs no memory and no lock. */
void aqm_track_point(const AqmMatchView *views, const AqmTrackOptions *options,
                     const AqmTrackLink *links, size_t link_count, AqmTrackSight *sights,
                     size_t count, AqmRay *rays, AqmTrackPoint *point);

#endif
