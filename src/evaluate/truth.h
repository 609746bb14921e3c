/* What is known of a synthetic scene: its cameras and its surface. */
#ifndef AQM_EVALUATE_TRUTH_H
#define AQM_EVALUATE_TRUTH_H

#include "geometry/plate.h"
#include "geometry/surface_model.h"

/* Owns everything. */
typedef struct AqmTruth {
    AqmRig *rig; /* water_z is the frame's */
    AqmSurfaceModel *surface;
    bool has_plate;
    AqmPlate plate;       /* hangs over the surface and hides what lies behind it */
    double footprint[4];  /* x min, x max, y min, y max: the box that the cameras see, metres */
    AqmView *views;       /* of normalised images (fx = fy = 1), one a camera of the rig */
    double *radius_limit; /* how far from its axis each lens model is good, normalised units */
} AqmTruth;

/* Reads calibration.json and frame `frame` of gt/scene.json below `dir`. FORMAT where they do not
 * fit together, UNSUPPORTED where the water surface is tilted. */
AQM_NODISCARD AqmStatus aqm_truth_read(AqmTruth **out, const char *dir, int frame, AqmDiag *diag);
void aqm_truth_destroy(AqmTruth **truth);

/* The uppermost point of the truth at (x, y) on the map. */
void aqm_truth_top(const AqmTruth *truth, double x, double y, double point[3]);
/* Distance of a point to the nearest of surface and plate, metres; positive where it lies deeper.
 */
double aqm_truth_distance(const AqmTruth *truth, const double point[3]);

/* How many cameras (auxiliary ones do not count) have the point in their raw image, not hidden by
 * the plate. */
int aqm_truth_count_views(const AqmTruth *truth, const double point[3]);

#endif
