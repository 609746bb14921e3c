/* From pairs as a model gives them to matches. */
#ifndef AQM_LEARNED_MATCH_PAIRS_H
#define AQM_LEARNED_MATCH_PAIRS_H

#include "aquamvs/types.h"

typedef struct AqmPair {
    uint32_t first, second;
    float score;
} AqmPair;

/* Matches from pairs of features that exist, in the order of the first image's features, at the
 * features' own positions, scores brought into 0..1. Of pairs that share a feature the one with the
 * better score stays (of equals, the one with the lower indices). Sorts `pairs`. MEMORY. */
AqmStatus aqm_matches_from_pairs(AqmMatches **out, AqmPair *pairs, size_t count,
                                 const AqmFeatures *first, const AqmFeatures *second,
                                 AqmDiag *diag);

#endif
