/* Raw pixel -> undistorted ray -> water surface, Snell -> ground.
 *
 * The depths of the three pixels before it in its row, extrapolated by a parabola, start Newton's
 * method at each pixel: one or two evaluations of the surface. Light: Lambert under one broad,
 * slightly oblique lamp plus an ambient part, less what 1 m of water absorbs. The area a pixel sees
 * is the parallelogram of the differences to its neighbours. */
#include "synth/synth_render.h"

#include <math.h>

#include "base/alloc.h"

static const double lamp[3] = {0.52, -0.27, -0.81}; /* unit, towards the lamp */
static const double ambient = 0.4, absorption_per_m = 0.15;

void aqm_trace_destroy(AqmTrace **trace) {
    if (!trace || !*trace)
        return;
    aqm_free((*trace)->depth_m);
    aqm_free((*trace)->x);
    aqm_free((*trace)->y);
    aqm_free((*trace)->shade);
    aqm_free(*trace);
    *trace = NULL;
}

static AqmStatus create_trace(AqmTrace **out, int width, int height, AqmDiag *diag) {
    const size_t count = (size_t)width * (size_t)height;
    AqmTrace *trace = aqm_calloc(1, sizeof *trace);
    if (!trace)
        return aqm_fail_memory(diag, "a traced view", 1, sizeof *trace);
    *trace = (AqmTrace){width,
                        height,
                        aqm_alloc(count, sizeof(float)),
                        aqm_alloc(count, sizeof(float)),
                        aqm_alloc(count, sizeof(float)),
                        aqm_alloc(count, sizeof(float)),
                        {INFINITY, -INFINITY, INFINITY, -INFINITY},
                        {INFINITY, -INFINITY}};
    if (!trace->depth_m || !trace->x || !trace->y || !trace->shade) {
        aqm_trace_destroy(&trace);
        return aqm_fail_memory(diag, "a traced view", count, 4 * sizeof(float));
    }
    *out = trace;
    return AQM_OK;
}

static double shade_of(const double gradient[2], double depth_m) {
    const double norm = sqrt(1.0 + gradient[0] * gradient[0] + gradient[1] * gradient[1]);
    const double facing = (gradient[0] * lamp[0] + gradient[1] * lamp[1] - lamp[2]) / norm;
    return (ambient + (1.0 - ambient) * fmax(facing, 0.0)) * exp(-absorption_per_m * depth_m);
}

static void widen(double range[2], double value) {
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

typedef struct Tracer {
    const AqmCamera *camera;
    AqmView view; /* of the normalised image: fx = fy = 1, cx = cy = 0 */
    const AqmSurfaceModel *surface;
    const AqmSurfaceBounds *bounds;
} Tracer;

static bool trace_pixel(const Tracer *tracer, int u, int v, double guess_m, AqmRay *ray,
                        double *depth_m, double gradient[2]) {
    const AqmCamera *camera = tracer->camera;
    double x, y;
    return aqm_lens_undistort(camera, (u - camera->K[2]) / camera->K[0],
                              (v - camera->K[5]) / camera->K[4], &x, &y) &&
           aqm_view_cast(&tracer->view, x, y, ray) &&
           aqm_surface_intersect_gradient(tracer->surface, tracer->bounds, ray, guess_m, depth_m,
                                          gradient);
}

static void trace_row(const Tracer *tracer, int v, AqmTrace *trace) {
    double third = NAN, before = NAN, last = NAN;
    for (int u = 0; u < trace->width; u++) {
        const size_t at = (size_t)v * (size_t)trace->width + (size_t)u;
        AqmRay ray;
        double depth = NAN, gradient[2];
        const bool hit =
            trace_pixel(tracer, u, v, 3.0 * (last - before) + third, &ray, &depth, gradient);
        third = before, before = last, last = depth;
        trace->depth_m[at] = (float)depth;
        if (!hit) {
            trace->x[at] = trace->y[at] = NAN;
            trace->shade[at] = 0.0f;
            continue;
        }
        const double x = ray.origin[0] + depth * ray.direction[0];
        const double y = ray.origin[1] + depth * ray.direction[1];
        trace->x[at] = (float)x, trace->y[at] = (float)y;
        trace->shade[at] = (float)shade_of(gradient, depth);
        widen(trace->box, x);
        widen(trace->box + 2, y);
        widen(trace->depth_range, depth);
    }
}

AqmStatus aqm_trace_camera(const AqmRig *rig, size_t camera, const AqmSurfaceModel *surface,
                           const AqmSurfaceBounds *bounds, AqmTrace **out, AqmDiag *diag) {
    const double unit[9] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
    Tracer tracer = {.camera = &rig->cameras[camera], .surface = surface, .bounds = bounds};
    AQM_TRY(aqm_view_create(&tracer.view, rig, camera, unit, diag));
    AqmTrace *trace = NULL;
    AQM_TRY(create_trace(&trace, tracer.camera->width, tracer.camera->height, diag));
    for (int v = 0; v < trace->height; v++)
        trace_row(&tracer, v, trace);
    *out = trace;
    return AQM_OK;
}

/* Change of the hit from one pixel to the next along `stride` pixels, from the neighbours that
 * exist; zero where neither does. */
static void difference(const AqmTrace *trace, size_t at, size_t stride, bool has_before,
                       bool has_after, double out[2]) {
    const bool before = has_before && !isnan(trace->x[at - stride]);
    const bool after = has_after && !isnan(trace->x[at + stride]);
    const size_t a = before ? at - stride : at, b = after ? at + stride : at;
    const double scale = before && after ? 0.5 : 1.0;
    out[0] = scale * ((double)trace->x[b] - (double)trace->x[a]);
    out[1] = scale * ((double)trace->y[b] - (double)trace->y[a]);
}

void aqm_trace_paint(const AqmTrace *trace, const AqmTexture *texture, float *radiance) {
    const size_t width = (size_t)trace->width;
    for (int v = 0; v < trace->height; v++)
        for (int u = 0; u < trace->width; u++) {
            const size_t at = (size_t)v * width + (size_t)u;
            float *pixel = radiance + 3 * at, rgb[3] = {0.0f, 0.0f, 0.0f};
            if (!isnan(trace->x[at])) {
                double du[2], dv[2];
                difference(trace, at, 1, u > 0, u + 1 < trace->width, du);
                difference(trace, at, width, v > 0, v + 1 < trace->height, dv);
                aqm_texture_albedo(texture, trace->x[at], trace->y[at], du, dv, rgb);
            }
            for (int c = 0; c < 3; c++)
                pixel[c] = rgb[c] * trace->shade[at];
        }
}
