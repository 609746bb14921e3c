/* Lenses, refraction through the flat water surface, and triangulation. Frames and units: types.h.
 *
 * Everything here is double precision, keeps no state and may be called from any number of threads
 * at once; outputs are untouched where a function returns false or an error. */
#ifndef AQUAMVS_GEOMETRY_H
#define AQUAMVS_GEOMETRY_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lens ------------------------------------------------------------------------------------ */

/* Normalised image coordinates (x, y) = (X/Z, Y/Z), Z > 0, to distorted ones (xd, yd), of which the
 * raw pixel is (fx xd + cx, fy yd + cy). Pinhole: Brown 1971 with the rational radial term of
 * OpenCV; fisheye: Kannala & Brandt 2006. Beyond the radius where the model turns or has a pole the
 * formula still answers, but no lens shows that. */
AQM_API void aqm_lens_distort(const AqmCamera *camera, double x, double y, double *xd, double *yd);
/* The inverse, to 1e-12. false where there is none on the branch of the model that begins at the
 * optical axis: beyond its turning point, or 90 degrees off the axis for a fisheye. */
AQM_API bool aqm_lens_undistort(const AqmCamera *camera, double xd, double yd, double *x,
                                double *y);

/* The matrix of the undistorted image, of the raw image's size. Pinhole: as OpenCV's
 * getOptimalNewCameraMatrix with alpha = 0; fisheye: as estimateNewCameraMatrixForUndistortRectify
 * with balance = 0, both as OpenCV 4.6 computes them (to 0.01 px); all-zero distortion: K itself,
 * to the bit. ARGUMENT where the lens cannot be inverted over the image. */
AQM_API AQM_NODISCARD AqmStatus aqm_new_camera_matrix(const AqmCamera *camera, double K_new[9],
                                                      AqmDiag *diag);

/* Where pixel (u, v) of the undistorted image with matrix K_new lies in the raw image, which may be
 * outside of it. */
AQM_API void aqm_raw_from_undistorted(const AqmCamera *camera, const double K_new[9], double u,
                                      double v, double *raw_u, double *raw_v);

/* ---- refraction ------------------------------------------------------------------------------ */

typedef struct AqmRay {
    double origin[3];    /* on the water surface, metres */
    double direction[3]; /* unit, in water */
} AqmRay;

/* The view of camera number `camera` (< rig->camera_count) once undistorted with K_new. ARGUMENT if
 * the camera's centre is not above the water, n_water / n_air is not in 1..10, or K_new has no
 * positive focal lengths. n_water = n_air gives a plain pinhole camera. */
AQM_API AQM_NODISCARD AqmStatus aqm_view_create(AqmView *out, const AqmRig *rig, size_t camera,
                                                const double K_new[9], AqmDiag *diag);

/* The refracted ray of pixel (u, v), which may lie outside the image. false where it never reaches
 * the water: it points level or upwards. */
AQM_API bool aqm_view_cast(const AqmView *view, double u, double v, AqmRay *ray);

/* Reference projection of a point below the water, iterated until it no longer moves: within 1e-9
 * px of the ray that aqm_view_cast gives (rays near the horizon: as far as rounding of the point
 * allows). false for points at or above the water or behind the
 * camera, and for NaN. The pixel may lie outside the image. */
AQM_API bool aqm_view_project(const AqmView *view, const double point[3], double pixel[2]);

/* Fast projection: three Newton steps, no loop. Same contract; at f = 1400 px within 2e-5 px
 * of the reference to a horizontal distance of 8 and a depth of 2 times the camera's height over
 * the water, and within 0.005 px to a depth of 4 times (tested). */
AQM_API bool aqm_view_project_fast(const AqmView *view, const double point[3], double pixel[2]);

/* The ray depth at which `view` sees `point`: metres below the surface along the ray that meets it.
 * false as aqm_view_project. */
AQM_API bool aqm_view_ray_depth(const AqmView *view, const double point[3], double *depth_m);

/* The point nearest to two or more rays in the least-squares sense; rms_m (may be NULL) is the root
 * mean square distance to them. Hartley & Sturm 1997, midpoint method. NO_DATA for fewer than two
 * rays or rays parallel to within 1e-4 rad. The point may lie behind the rays' origins. */
AQM_API AQM_NODISCARD AqmStatus aqm_triangulate(const AqmRay *rays, size_t ray_count,
                                                double point[3], double *rms_m, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
