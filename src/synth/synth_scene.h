/* The surfaces of the synthetic scenes, frame by frame. */
#ifndef AQM_SYNTH_SCENE_H
#define AQM_SYNTH_SCENE_H

#include "aquamvs/synth.h"
#include "geometry/surface_model.h"

/* The surface of one frame under water at water_z. Waves and ripples travel, the sand bed's mound
 * and crater grow, the plane sinks by 1 mm a frame, the board turns its tilt by 25 degrees, the
 * mound is there in frame 0 and gone afterwards. */
AQM_NODISCARD AqmStatus aqm_synth_surface(const AqmSynthOptions *options, double water_z, int frame,
                                          AqmSurfaceModel **out, AqmDiag *diag);

/* Sand of the scene `mound` above its bed, m3: 2 pi height sigma^2; 0 once it is gone. */
double aqm_synth_mound_volume(int frame);

/* Direction of steepest descent of the board, radians from the X axis. */
double aqm_synth_board_azimuth(int frame);

#endif
