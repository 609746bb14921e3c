/* Matches of pairs of views chained into what one point of the scene leaves in all of them. */
#ifndef AQM_STAGES_TRACK_CHAIN_H
#define AQM_STAGES_TRACK_CHAIN_H

#include "aquamvs/matching.h"

/* A match between two observations of a chain, `a` and `b` counted from the chain's first: what
 * lies at from (u, v) in a's image lies at `to` in b's. */
typedef struct AqmTrackLink {
    uint32_t a, b;
    float from[2], to[2];
} AqmTrackLink;

/* Owns its arrays. Chain i has the observations first[i] .. first[i + 1] - 1, at least two, each in
 * another view and in the order of the views, at the features' own positions; and the links
 * first_link[i] .. first_link[i + 1] - 1, in the order of the pairs and their matches. Chains are
 * in the order of their first observations (view, then feature). */
typedef struct AqmTrackChains {
    size_t count;
    size_t *first, *first_link;
    AqmObservation *observation;
    AqmTrackLink *link;
} AqmTrackChains;

/* Chains of all matches. ARGUMENT for pairs and matches that name views or features that are not
 * there, or a view and itself; MEMORY. *out is set on AQM_OK only. */
AQM_NODISCARD AqmStatus aqm_track_chains_create(AqmTrackChains **out, const AqmMatchView *views,
                                                size_t view_count, const AqmMatchPair *pairs,
                                                size_t pair_count, AqmDiag *diag);
void aqm_track_chains_destroy(AqmTrackChains **chains);

#endif
