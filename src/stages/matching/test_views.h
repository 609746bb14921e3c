/* Two cameras over water and a textured plane under it, for the tests of the stage: everything
 * that a pixel sees, and where the other camera sees that, in closed form. */
#ifndef AQM_MATCHING_TEST_VIEWS_H
#define AQM_MATCHING_TEST_VIEWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"

enum { WIDTH = 400, HEIGHT = 300 };
static const double water_z = 0.6, bed_z = 0.85;

/* A camera `radius` from the axis at the azimuth `phi`, tilted towards it, its columns along the
 * ring: cameras of different azimuths see the bed turned. */
static inline AqmView ring_view(double n, double radius, double phi, double tilt) {
    const double forward[3] = {-sin(tilt) * cos(phi), -sin(tilt) * sin(phi), cos(tilt)};
    const double right[3] = {-sin(phi), cos(phi), 0.0};
    const double down[3] = {forward[1] * right[2] - forward[2] * right[1],
                            forward[2] * right[0] - forward[0] * right[2],
                            forward[0] * right[1] - forward[1] * right[0]};
    const double C[3] = {radius * cos(phi), radius * sin(phi), 0.003};
    const double K[9] = {500.0, 0, 201.3, 0, 502.0, 148.2, 0, 0, 1};
    AqmRig *rig = NULL;
    AqmView view;
    assert_int_equal(aqm_rig_create(&rig, 1, NULL), AQM_OK);
    rig->water_z = water_z;
    rig->n_water = n;
    AqmCamera *camera = &rig->cameras[0];
    *camera = (AqmCamera){.width = WIDTH, .height = HEIGHT};
    memcpy(camera->K, K, sizeof K);
    memcpy(camera->R, right, sizeof right);
    memcpy(camera->R + 3, down, sizeof down);
    memcpy(camera->R + 6, forward, sizeof forward);
    for (int i = 0; i < 3; i++)
        camera->t[i] =
            -(camera->R[3 * i] * C[0] + camera->R[3 * i + 1] * C[1] + camera->R[3 * i + 2] * C[2]);
    assert_int_equal(aqm_view_create(&view, rig, 0, K, NULL), AQM_OK);
    aqm_rig_destroy(&rig);
    return view;
}

/* Where a ray meets the bed Z = bed_z + slope X. */
static inline void hit_bed(const AqmRay *ray, double slope, double point[3]) {
    const double s = (bed_z + slope * ray->origin[0] - ray->origin[2]) /
                     (ray->direction[2] - slope * ray->direction[0]);
    for (int i = 0; i < 3; i++)
        point[i] = ray->origin[i] + s * ray->direction[i];
}

/* The counterpart in `second` of a pixel of `first`. */
static inline bool true_counterpart(const AqmView *first, const AqmView *second, double slope,
                                    double u, double v, double pixel[2]) {
    AqmRay ray;
    double point[3];
    if (!aqm_view_cast(first, u, v, &ray))
        return false;
    hit_bed(&ray, slope, point);
    return aqm_view_project(second, point, pixel);
}

#endif
