/* Lenses, refraction through the flat water surface, and triangulation. Frames and units: types.h.
 */
#ifndef AQUAMVS_GEOMETRY_H
#define AQUAMVS_GEOMETRY_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lens ------------------------------------------------------------------------------------ */

/* Normalised image coordinates (x, y) = (X/Z, Y/Z) to distorted ones and back. */
AQM_API void aqm_lens_distort(const AqmCamera *camera, double x, double y, double *xd, double *yd);
/* false where the lens model has no inverse (beyond its turning point). */
AQM_API bool aqm_lens_undistort(const AqmCamera *camera, double xd, double yd, double *x,
                                double *y);

/* The matrix of the undistorted image, of the raw image's size. Pinhole: as OpenCV's
 * getOptimalNewCameraMatrix with alpha = 0; fisheye: as estimateNewCameraMatrixForUndistortRectify
 * with balance = 0; all-zero distortion: K itself. */
AQM_API AQM_NODISCARD AqmStatus aqm_new_camera_matrix(const AqmCamera *camera, double K_new[9],
                                                      AqmDiag *diag);

/* Where undistorted pixel (u, v) of an image with matrix K_new lies in the raw image. */
AQM_API void aqm_raw_from_undistorted(const AqmCamera *camera, const double K_new[9], double u,
                                      double v, double *raw_u, double *raw_v);

/* ---- refraction ------------------------------------------------------------------------------ */

typedef struct AqmRay {
    double origin[3];    /* on the water surface, metres */
    double direction[3]; /* unit, in water */
} AqmRay;

/* ARGUMENT if the camera does not stand above the water. */
AQM_API AQM_NODISCARD AqmStatus aqm_view_create(AqmView *out, const AqmRig *rig, size_t camera,
                                                const double K_new[9], AqmDiag *diag);

/* The refracted ray of pixel (u, v). false (ray untouched) where it never reaches the water. */
AQM_API bool aqm_view_cast(const AqmView *view, double u, double v, AqmRay *ray);

/* Reference projection of a point below the water, double, iterated until it no longer moves.
 * false (pixel untouched) for points at or above the water, or behind the camera. The pixel may lie
 * outside the image. */
AQM_API bool aqm_view_project(const AqmView *view, const double point[3], double pixel[2]);

/* Fast projection: a fixed number of Newton steps. Same contract, within 0.01 px of the reference
 * over a rig's working volume (see the definition for the tested bound). */
AQM_API bool aqm_view_project_fast(const AqmView *view, const double point[3], double pixel[2]);

/* The ray depth at which `view` sees `point`: metres below the surface along the ray that meets it.
 * false as aqm_view_project. */
AQM_API bool aqm_view_ray_depth(const AqmView *view, const double point[3], double *depth_m);

/* The point nearest to two or more rays in the least-squares sense; rms_m (may be NULL) is the root
 * mean square distance to them. NO_DATA for fewer than two rays or (nearly) parallel ones. */
AQM_API AQM_NODISCARD AqmStatus aqm_triangulate(const AqmRay *rays, size_t ray_count,
                                                double point[3], double *rms_m, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
