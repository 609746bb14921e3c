/* What may be the counterparts of features, along their curves. */
#ifndef AQM_MATCHING_MATCH_SEARCH_H
#define AQM_MATCHING_MATCH_SEARCH_H

#include "aquamvs/matching.h"
#include "stages/matching/feature_grid.h"

#define AQM_NO_FEATURE UINT32_MAX

/* Distance of descriptors from which on they tell nothing: a tenth of random pairs of features in
 * sand are nearer. */
#define AQM_MATCH_UNRELATED 0.8f

enum { AQM_MATCH_KEPT = 8 }; /* candidates of a feature: more than are at one place */

/* What may be a feature's counterpart: the distance of their descriptors, below
 * AQM_MATCH_UNRELATED, and the ray depth (metres) at which the feature's curve passes it. */
typedef struct AqmCandidate {
    uint32_t feature;
    float distance;
    double depth_m;
} AqmCandidate;

/* The candidates of one feature, the nearest descriptor first. */
typedef struct AqmCandidates {
    int count;
    AqmCandidate kept[AQM_MATCH_KEPT];
} AqmCandidates;

/* For every feature of `from` among those of `to`, that `grid` sorts. `out`: one a feature. */
void aqm_match_search(const AqmMatchView *from, const AqmMatchView *to, const AqmFeatureGrid *grid,
                      double epipolar_px, int threads, AqmCandidates *out);

#endif
