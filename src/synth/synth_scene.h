/* The surfaces of the synthetic scenes, frame by frame. */
#ifndef AQM_SYNTH_SCENE_H
#define AQM_SYNTH_SCENE_H

#include "aquamvs/synth.h"
#include "geometry/plate.h"
#include "geometry/surface_model.h"

/* The surface of one frame under water at water_z. Waves and ripples travel, the sand bed's mound
 * and crater grow, the plane sinks by 1 mm a frame, the board turns its tilt by 25 degrees, the
 * mound is there in frame 0 and gone afterwards. Of the scene `charuco` it is the bed below the
 * plate. */
AQM_NODISCARD AqmStatus aqm_synth_surface(const AqmSynthOptions *options, double water_z, int frame,
                                          AqmSurfaceModel **out, AqmDiag *diag);

/* Sand of the scene `mound` above its bed, m3: 2 pi height sigma^2; 0 once it is gone. */
double aqm_synth_mound_volume(int frame);

/* Direction of steepest descent of the board, radians from the X axis. */
double aqm_synth_board_azimuth(int frame);

/* Where the ChArUco board is: p = R q + origin of a point q in its frame (board.h). It is printed
 * on a plate that reaches one square farther on all sides, white there. */
typedef struct AqmSynthPose {
    double tilt_deg;
    double R[9], origin[3]; /* rig frame, metres */
    AqmPlate plate;
    double floor_z; /* of the level bed below */
} AqmSynthPose;

/* Tilts from 3 degrees in the first frame to 41 in the last, evenly; options->tilt_deg where there
 * is only one. Directions, turns, places and depths (0.30..0.40 m under water, deeper where the
 * plate would rise out of it) change from frame to frame. The bed is 0.6 m deep, or deeper where
 * the plate needs it. */
AqmSynthPose aqm_synth_charuco_pose(const AqmSynthOptions *options, double water_z, int frame);

#endif
