/* Fusion, internal: what the other views say about the points of a tile. */
#ifndef AQM_STAGES_FUSION_VOTE_H
#define AQM_STAGES_FUSION_VOTE_H

#include "stages/fusion/fusion_tile.h"

/* One thread's scratch and results: for each point of the tile how many views agree, its own
 * counted (0 where it has no depth), how far along its ray the mean of them lies, and that one's
 * standard deviation along the normal, as a code (of a depth whose own is not known: what stands
 * for it). */
typedef struct AqmVotes {
    AqmFusionTile tile;
    float own[AQM_TILE_POINTS], variance[AQM_TILE_POINTS], added[AQM_TILE_POINTS];
    float smoothing[AQM_TILE_POINTS]; /* metres along the ray */
    float shift_m[AQM_TILE_POINTS], misfit[AQM_TILE_POINTS];
    uint8_t counts[AQM_TILE_POINTS], sigmas[AQM_TILE_POINTS];
    float *beyond, *weight; /* a row of AQM_TILE_POINTS for each other view */
} AqmVotes;

/* One for each thread. MEMORY. */
AqmStatus aqm_votes_create(AqmVotes **out, const AqmFusionScene *scene, int threads, AqmDiag *diag);
void aqm_votes_destroy(AqmVotes **votes, int threads);

/* Votes on the tile of view `view` at (x0, y0). with_shifts: else shifts and sigmas mean nothing.
 * false, and nothing but that all counts are 0, where no depth is usable. */
bool aqm_votes_take(AqmVotes *votes, const AqmFusionScene *scene, size_t view, int x0, int y0,
                    bool with_shifts);

#endif
