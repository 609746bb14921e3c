/* Lens distortion, beyond what geometry.h makes public. */
#ifndef AQM_GEOMETRY_LENS_H
#define AQM_GEOMETRY_LENS_H

#include "aquamvs/geometry.h"

/* True where every coefficient is zero: the image is a pinhole image already. */
bool aqm_lens_is_ideal(const AqmCamera *camera);

/* The square of the largest radius r of (x, y) that the lens still shows: where its curve turns or
 * has a pole; INFINITY where it does neither (before r = 100 for a pinhole lens). */
double aqm_lens_reach2(const AqmCamera *camera);

/* aqm_raw_from_undistorted for the `count` pixels (u_first + i u_step, v), written so that
 * compilers vectorise it. Within 1e-4 px of the scalar function for focal lengths up to 5000 px
 * (the fisheye arc tangent is a series with an error below 2e-8 rad; Brown lenses agree to
 * rounding). raw_u is NaN for pixels beyond reach2 = aqm_lens_reach2(camera), where the formula
 * would fold the image back over itself. */
void aqm_raw_span_from_undistorted(const AqmCamera *camera, const double K_new[9], double reach2,
                                   double u_first, double u_step, double v, int count,
                                   double *raw_u, double *raw_v);

#endif
