/* Ball pivoting, internal: from one seed to the next, over and over. */
#ifndef AQM_STAGES_SURFACE_BPA_GROW_H
#define AQM_STAGES_SURFACE_BPA_GROW_H

#include "stages/surface/bpa_ball.h"
#include "stages/surface/bpa_front.h"

/* Lets the border edges of smaller balls wait again where a ball of this radius rests on their
 * triangles, then adds every triangle that it can roll to, from them and from new seeds. MEMORY. */
AqmStatus aqm_bpa_grow(AqmBpaFront *front, const AqmBpaBall *ball, AqmDiag *diag);

#endif
