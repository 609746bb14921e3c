/* What an earlier making of a frame left that this one has nothing to put in the place of. */
#ifndef AQM_PIPELINE_FRAME_STALE_H
#define AQM_PIPELINE_FRAME_STALE_H

#include "pipeline/frame_work.h"

void aqm_frame_remove_stale(const AqmFrameWork *work);

#endif
