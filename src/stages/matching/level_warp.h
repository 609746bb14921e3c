/* How a level surface through a point under water maps one view to another. */
#ifndef AQM_MATCHING_LEVEL_WARP_H
#define AQM_MATCHING_LEVEL_WARP_H

#include "aquamvs/geometry.h"

/* A pixel's ray and those of its neighbours half a pixel away along u and v. */
typedef struct AqmPixelRays {
    AqmRay ray, plus_u, plus_v;
} AqmPixelRays;

/* false where any of them does not reach the water. */
bool aqm_pixel_rays(const AqmView *view, double u, double v, AqmPixelRays *out);

/* To first order about a point at `depth_m` on the ray: the pixel of `target` (px), its derivatives
 * by the first view's u and v along the level surface, and by the depth of the point below the
 * water, held on its ray (px per metre). */
typedef struct AqmLevelWarp {
    double pixel[2];
    double A[4]; /* du'/du du'/dv dv'/du dv'/dv */
    double sink[2];
} AqmLevelWarp;

/* false where `target` does not see it. */
bool aqm_level_warp(const AqmPixelRays *rays, const AqmView *target, double depth_m,
                    AqmLevelWarp *out);

#endif
