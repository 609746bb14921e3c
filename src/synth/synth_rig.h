/* The rigs of the synthetic scenes. */
#ifndef AQM_SYNTH_RIG_H
#define AQM_SYNTH_RIG_H

#include "aquamvs/synth.h"

/* cam00.. on a ring about the Z axis, optical centres near Z = 0, tilted towards the axis; ring12
 * has a wide fisheye `center` too, auxiliary. The seed moves each by a few millimetres and up to a
 * degree, its focal lengths by 0.4 % and its principal point by 0.6 % of the width. */
AQM_NODISCARD AqmStatus aqm_synth_rig(const AqmSynthOptions *options, AqmRig **out, AqmDiag *diag);

#endif
