/* The best counterparts of features along their curves. */
#ifndef AQM_MATCHING_MATCH_SEARCH_H
#define AQM_MATCHING_MATCH_SEARCH_H

#include "aquamvs/matching.h"
#include "stages/matching/feature_grid.h"

#define AQM_NO_FEATURE UINT32_MAX

/* Of one feature: its best counterpart (AQM_NO_FEATURE = none), the ray depth (metres) at which its
 * curve passes it, the distance of their descriptors, and that of the best at another place
 * (INFINITY = none). */
typedef struct AqmBest {
    uint32_t feature;
    float distance, second;
    double depth_m;
} AqmBest;

/* For every feature of `from` among those of `to`, that `grid` sorts. `best`: one a feature. */
void aqm_match_search(const AqmMatchView *from, const AqmMatchView *to, const AqmFeatureGrid *grid,
                      double epipolar_px, int threads, AqmBest *best);

#endif
