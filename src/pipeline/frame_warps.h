/* Dense warps of a pair of views, built in or learned. */
#ifndef AQM_PIPELINE_FRAME_WARPS_H
#define AQM_PIPELINE_FRAME_WARPS_H

#include "pipeline/frame_work.h"

/* First to second and back. */
typedef struct AqmWarpPair {
    AqmWarp *there, *back;
} AqmWarpPair;

/* Both warps of a pair: from depth maps of the two views alone, each checked by the other (dense),
 * or from the model (roma). Empty on failure, with the names of the cameras in the message. */
AqmStatus aqm_frame_find_warps(const AqmFrameWork *work, const AqmFramePair *pair,
                               AqmWarpPair *warps, AqmDiag *diag);
void aqm_warp_pair_free(AqmWarpPair *warps);

#endif
