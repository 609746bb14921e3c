/* Views as the kernels of dense warps take them. */
#ifndef AQM_STAGES_DENSE_CAMERA_H
#define AQM_STAGES_DENSE_CAMERA_H

#include "aquamvs/types.h"
#include "kernels/dense_kernels.h"

/* `view` as seen from below the camera of `first`. */
AqmDenseCamera aqm_dense_camera(const AqmView *view, const AqmView *first);

#endif
