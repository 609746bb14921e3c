/* Sub-pixel positions of matches. */
#ifndef AQM_MATCHING_MATCH_REFINE_H
#define AQM_MATCHING_MATCH_REFINE_H

#include "aquamvs/types.h"
#include "stages/matching/level_warp.h"

/* Moves `second` (px), the counterpart in `to` of the point (u, v) of `from`, to where the images
 * agree best. `warp`: of a level surface through their point. false, `second` untouched, where
 * the images do not settle it. */
bool aqm_match_refine(const AqmImageView *from, const AqmImageView *to, double u, double v,
                      const AqmLevelWarp *warp, double second[2]);

#endif
