/* The apparent depth of a point under water, for loops over many points.
 *
 * Refraction at a flat surface only shifts a point vertically. Seen from a camera h_c above the
 * surface, a point h below it and r away horizontally appears at the vertical distance z below the
 * camera that solves
 *
 *     z = h_c + h / sqrt(n^2 + (n^2 - 1) r^2 / z^2),        n = n_water / n_air >= 1
 *
 * (Snell's law with tan(angle in air) = r / z). F(z) = z - h_c - h z / sqrt(n^2 z^2 + (n^2-1) r^2)
 * is convex for z > 0, negative at 0, and not negative at z = h_c + h/n; so from there every Newton
 * step falls towards the only root and none passes it. The helpers below take two steps, without
 * branches, so that loops over them vectorise.
 *
 * Left after two steps (tested): 2e-7 px over a ring rig's working volume (f 1400 px, h_c 0.98 m,
 * r <= 0.75 m, h 0.05..0.6 m) in double; the float version adds its rounding, 5e-4 px in all. Up to
 * r = 1.6 h_c and h = 0.6 h_c two steps leave 2e-5 px, and 0.5 px at r = 4.7 h_c, h = 2.1 h_c:
 * cameras close to the water need a third step, which aqm_view_project_fast takes.
 */
#ifndef AQM_GEOMETRY_REFRACTION_H
#define AQM_GEOMETRY_REFRACTION_H

#include <math.h>

#include "aquamvs/geometry.h"
#include "kernels/fusion_kernels.h"

/* One Newton step from z; n2 = n^2, r2 = r^2. */
static inline double aqm_apparent_z_step(double z, double h_c, double h, double n2, double r2) {
    const double bend = (n2 - 1.0) * r2, inverse = 1.0 / sqrt(n2 * z * z + bend);
    const double value = z - h_c - h * z * inverse;
    const double slope = 1.0 - h * bend * inverse * inverse * inverse;
    return z - value / slope;
}

/* z for a camera h_c > 0 above the surface and a point h >= 0 below it; h_over_n = h / n. */
static inline double aqm_apparent_z(double h_c, double h, double h_over_n, double n2, double r2) {
    const double z = aqm_apparent_z_step(h_c + h_over_n, h_c, h, n2, r2);
    return aqm_apparent_z_step(z, h_c, h, n2, r2);
}

/* The same in float. */
static inline float aqm_apparent_z_step_f32(float z, float h_c, float h, float n2, float r2) {
    const float bend = (n2 - 1.0f) * r2, inverse = 1.0f / sqrtf(n2 * z * z + bend);
    const float value = z - h_c - h * z * inverse;
    const float slope = 1.0f - h * bend * inverse * inverse * inverse;
    return z - value / slope;
}

static inline float aqm_apparent_z_f32(float h_c, float h, float h_over_n, float n2, float r2) {
    const float z = aqm_apparent_z_step_f32(h_c + h_over_n, h_c, h, n2, r2);
    return aqm_apparent_z_step_f32(z, h_c, h, n2, r2);
}

/* The reference: iterated until z no longer falls. */
double aqm_apparent_z_exact(double h_c, double h, double n, double r2);

/* As aqm_view_project_fast, with the derivatives of u (slopes[0..2]) and v (slopes[3..5]) along X,
 * Y and Z, px a metre. With q = n^2 z^2 + (n^2 - 1) r^2 and F above,
 *     dz/dh = z / (sqrt(q) F_z),    dz/d(r^2) = -h z (n^2 - 1) / (2 q^(3/2) F_z). */
bool aqm_view_project_slopes(const AqmView *view, const double point[3], double pixel[2],
                             double slopes[6]);

/* The view as the kernels of fusion_kernels.h take a camera: in float. */
AqmSightCamera aqm_sight_camera(const AqmView *view);

#endif
