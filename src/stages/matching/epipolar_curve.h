/* The curve in one view on which a point lies that another view sees. */
#ifndef AQM_MATCHING_EPIPOLAR_CURVE_H
#define AQM_MATCHING_EPIPOLAR_CURVE_H

#include "aquamvs/geometry.h"

enum { AQM_CURVE_PIECES = 64 };

/* A straight piece from `a` to `b` (px). Ray depths as q = 1 / (offset_m + depth), which is nearly
 * linear along a piece. */
typedef struct AqmCurvePiece {
    double a[2], b[2], q_a, q_b;
} AqmCurvePiece;

typedef struct AqmCurve {
    double offset_m;
    int count;
    AqmCurvePiece pieces[AQM_CURVE_PIECES]; /* by depth; not always joined */
} AqmCurve;

/* The depths to look in: `range` (also straight down, if it says so), or for one that is all 0
 * from just below the surface to AQM_CURVE_REACH times the height of `view` over the water of
 * apparent depth. false where nothing is left of it. */
#define AQM_CURVE_REACH 20.0
bool aqm_curve_depths(const AqmView *view, const AqmRay *ray, const AqmDepthRange *range,
                      double depths_m[2]);

/* The part of the curve of `ray`, between the depths, that comes within margin_px of the image of
 * `view`: pieces that are off by less than AQM_CURVE_BOUND_PX from the refracted curve (where
 * AQM_CURVE_PIECES do not suffice, which takes a camera next to the water, the far end is missing).
 */
#define AQM_CURVE_BOUND_PX 0.1
void aqm_curve_trace(AqmCurve *curve, const AqmView *view, const AqmRay *ray,
                     const double depths_m[2], double margin_px);

/* How far (x, y) is from piece number k, and the ray depth (metres) of the nearest place on it. */
double aqm_curve_distance(const AqmCurve *curve, int k, double x, double y, double *depth_m);

#endif
