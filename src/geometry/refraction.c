/* Rays and projection through a flat water surface.
 *
 * Everything follows from the apparent depth z of refraction.h: a point (X, Y, Z) under water is
 * seen where an ordinary pinhole camera sees (X, Y, C_z + z). A ray the other way is bent by
 * Snell's law in its vector form for a vertical normal: with d the unit direction in air, the
 * horizontal part becomes d_xy / n and the vertical part what keeps the length 1. Cost: a
 * projection takes three (fast) or three to five (reference) Newton steps of one root and two
 * divisions each. (The model: Treibitz, Schechner, Kunz & Singh 2012, "Flat refractive geometry";
 * that a flat surface has no single viewpoint is why z depends on the point.) */
#include "geometry/refraction.h"

#include <assert.h>
#include <string.h>

#include "base/diag.h"
#include "math/vec.h"

AqmStatus aqm_view_create(AqmView *out, const AqmRig *rig, size_t camera, const double K_new[9],
                          AqmDiag *diag) {
    assert(camera < rig->camera_count);
    const AqmCamera *source = &rig->cameras[camera];
    AqmView view = {.width = source->width,
                    .height = source->height,
                    .fx = K_new[0],
                    .fy = K_new[4],
                    .cx = K_new[2],
                    .cy = K_new[5],
                    .water_z = rig->water_z,
                    .n = rig->n_water / rig->n_air};
    memcpy(view.R, source->R, sizeof view.R);
    memcpy(view.t, source->t, sizeof view.t);
    aqm_mul33tv(view.R, view.t, view.C);
    for (int i = 0; i < 3; i++)
        view.C[i] = -view.C[i];
    if (!(view.fx > 0.0 && view.fy > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "camera %s: focal lengths %g and %g px must be positive", source->name,
                        view.fx, view.fy);
    if (!(view.n >= 1.0 && view.n < 10.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "camera %s: n_water %g over n_air %g must be a ratio of 1 to 10",
                        source->name, rig->n_water, rig->n_air);
    if (!(view.water_z - view.C[2] > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "camera %s: its centre (Z = %g m) must be above the water surface "
                        "(water_z = %g m; +Z points down)",
                        source->name, view.C[2], view.water_z);
    *out = view;
    return AQM_OK;
}

bool aqm_view_cast(const AqmView *view, double u, double v, AqmRay *ray) {
    const double in_camera[3] = {(u - view->cx) / view->fx, (v - view->cy) / view->fy, 1.0};
    double d[3];
    aqm_mul33tv(view->R, in_camera, d);
    const double length = aqm_norm3(d);
    for (int i = 0; i < 3; i++)
        d[i] /= length;
    if (!(d[2] > 0.0)) /* level or upwards; NaN too */
        return false;
    const double reach = (view->water_z - view->C[2]) / d[2];
    const double x = d[0] / view->n, y = d[1] / view->n;
    /* n = 1 keeps d itself: 1 - x^2 - y^2 would lose digits near the horizon */
    const double z = view->n == 1.0 ? d[2] : sqrt(1.0 - x * x - y * y);
    *ray =
        (AqmRay){{view->C[0] + reach * d[0], view->C[1] + reach * d[1], view->water_z}, {x, y, z}};
    return true;
}

double aqm_apparent_z_exact(double h_c, double h, double n, double r2) {
    /* Newton falls to the root from above (refraction.h) in steps that shrink until they are
     * rounding: 4 in use, 5 for the most grazing rays. The cap is for values that are not finite.
     */
    double z = h_c + h / n, last = INFINITY;
    for (int i = 0; i < 60; i++) {
        const double next = aqm_apparent_z_step(z, h_c, h, n * n, r2), step = fabs(next - z);
        if (!(step < last))
            break;
        z = next;
        if (step <= 2e-16 * z)
            break;
        last = step;
    }
    return z;
}

/* The pinhole camera of the point d = (X, Y, z) relative to the camera centre. */
static bool project_apparent(const AqmView *view, const double d[3], double pixel[2]) {
    double c[3];
    aqm_mul33v(view->R, d, c);
    if (!(c[2] > 0.0))
        return false;
    pixel[0] = view->fx * (c[0] / c[2]) + view->cx;
    pixel[1] = view->fy * (c[1] / c[2]) + view->cy;
    return true;
}

bool aqm_view_project(const AqmView *view, const double point[3], double pixel[2]) {
    const double x = point[0] - view->C[0], y = point[1] - view->C[1];
    const double h = point[2] - view->water_z;
    if (!(h > 0.0))
        return false;
    const double z = aqm_apparent_z_exact(view->water_z - view->C[2], h, view->n, x * x + y * y);
    return project_apparent(view, (const double[3]){x, y, z}, pixel);
}

bool aqm_view_project_fast(const AqmView *view, const double point[3], double pixel[2]) {
    const double x = point[0] - view->C[0], y = point[1] - view->C[1];
    const double h = point[2] - view->water_z, n = view->n;
    if (!(h > 0.0))
        return false;
    /* a third step: with two, a camera 0.28 m over the water seeing 0.6 m deep at 4.7 times its
     * height is off by 0.5 px; with three, by 2e-5 px, and no reference vector by more */
    const double h_c = view->water_z - view->C[2], r2 = x * x + y * y;
    const double z =
        aqm_apparent_z_step(aqm_apparent_z(h_c, h, h / n, n * n, r2), h_c, h, n * n, r2);
    return project_apparent(view, (const double[3]){x, y, z}, pixel);
}

bool aqm_view_project_slopes(const AqmView *view, const double point[3], double pixel[2],
                             double slopes[6]) {
    const double x = point[0] - view->C[0], y = point[1] - view->C[1];
    const double h = point[2] - view->water_z, n2 = view->n * view->n, r2 = x * x + y * y;
    const double h_c = view->water_z - view->C[2], *R = view->R;
    if (!(h > 0.0))
        return false;
    const double z =
        aqm_apparent_z_step(aqm_apparent_z(h_c, h, h / view->n, n2, r2), h_c, h, n2, r2);
    if (!project_apparent(view, (const double[3]){x, y, z}, pixel))
        return false;
    const double inverse = 1.0 / sqrt(n2 * z * z + (n2 - 1.0) * r2),
                 inverse3 = inverse * inverse * inverse;
    const double F_z = 1.0 - h * (n2 - 1.0) * r2 * inverse3;
    const double by_h = z * inverse / F_z, by_r2 = -0.5 * h * z * (n2 - 1.0) * inverse3 / F_z;
    const double dz[3] = {2.0 * x * by_r2, 2.0 * y * by_r2, by_h};
    const double depth = R[6] * x + R[7] * y + R[8] * z;
    const double a = (pixel[0] - view->cx) / view->fx, b = (pixel[1] - view->cy) / view->fy;
    for (int i = 0; i < 3; i++) {
        /* how the point moves in the camera's frame where (X, Y, C_z + z) is seen */
        const double across = (i < 2 ? R[i] : 0.0) + R[2] * dz[i];
        const double down = (i < 2 ? R[3 + i] : 0.0) + R[5] * dz[i];
        const double away = (i < 2 ? R[6 + i] : 0.0) + R[8] * dz[i];
        slopes[i] = view->fx * (across - a * away) / depth;
        slopes[3 + i] = view->fy * (down - b * away) / depth;
    }
    return true;
}

bool aqm_view_ray_depth(const AqmView *view, const double point[3], double *depth_m) {
    const double x = point[0] - view->C[0], y = point[1] - view->C[1];
    const double h = point[2] - view->water_z, h_c = view->water_z - view->C[2];
    double pixel[2];
    if (!(h > 0.0))
        return false;
    const double r2 = x * x + y * y, z = aqm_apparent_z_exact(h_c, h, view->n, r2);
    if (!project_apparent(view, (const double[3]){x, y, z}, pixel))
        return false;
    /* the ray meets the surface at h_c / z of the way; the rest, (z - h_c) / z of it, is in water
     */
    const double part = (z - h_c) / z;
    *depth_m = sqrt(r2 * part * part + h * h);
    return true;
}

AqmSightCamera aqm_sight_camera(const AqmView *view) {
    AqmSightCamera camera = {.C = {(float)view->C[0], (float)view->C[1]},
                             .water_z = (float)view->water_z,
                             .h_c = (float)(view->water_z - view->C[2]),
                             .n = (float)view->n,
                             .fx = (float)view->fx,
                             .fy = (float)view->fy,
                             .cx = (float)view->cx,
                             .cy = (float)view->cy};
    for (int k = 0; k < 9; k++)
        camera.R[k] = (float)view->R[k];
    return camera;
}
