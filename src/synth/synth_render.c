/* Raw pixel -> undistorted ray -> water surface, Snell -> ground.
 *
 * The depths of the three pixels before it in its row, extrapolated by a parabola, start Newton's
 * method at each pixel: one or two evaluations of the surface. Light: Lambert under one broad,
 * slightly oblique lamp plus an ambient part, less what 1 m of water absorbs. The area a pixel sees
 * is the parallelogram of the differences to its neighbours.
 *
 * A plate throws no shadow. The depth at its rim is that of the pixel's middle; its light is mixed
 * with that of the ground behind by the share of the pixel that the plate covers. */
#include "synth/synth_render.h"

#include <math.h>

#include "base/alloc.h"

static const double lamp[3] = {0.52, -0.27, -0.81}; /* unit, towards the lamp */
static const double ambient = 0.4, absorption_per_m = 0.15;

void aqm_trace_destroy(AqmTrace **trace) {
    if (!trace || !*trace)
        return;
    aqm_free((*trace)->depth_m);
    aqm_free((*trace)->ground.x);
    aqm_free((*trace)->plate.x);
    aqm_free(*trace);
    *trace = NULL;
}

/* The planes of a layer lie in one block, which begins with x. */
static AqmStatus create_layer(AqmTraceLayer *layer, size_t count, AqmDiag *diag) {
    layer->x = aqm_alloc(3 * count, sizeof *layer->x);
    if (!layer->x)
        return aqm_fail_memory(diag, "a traced view", 3 * count, sizeof *layer->x);
    layer->y = layer->x + count;
    layer->shade = layer->y + count;
    return AQM_OK;
}

static AqmStatus create_trace(AqmTrace **out, int width, int height, bool has_plate,
                              AqmDiag *diag) {
    const size_t count = (size_t)width * (size_t)height;
    AqmTrace *trace = aqm_calloc(1, sizeof *trace);
    if (!trace)
        return aqm_fail_memory(diag, "a traced view", 1, sizeof *trace);
    *trace = (AqmTrace){.width = width,
                        .height = height,
                        .depth_m = aqm_alloc(count, sizeof(float)),
                        .box = {INFINITY, -INFINITY, INFINITY, -INFINITY},
                        .depth_range = {INFINITY, -INFINITY}};
    AqmStatus status = trace->depth_m
                           ? create_layer(&trace->ground, count, diag)
                           : aqm_fail_memory(diag, "a traced view", count, sizeof(float));
    if (status == AQM_OK && has_plate)
        status = create_layer(&trace->plate, count, diag);
    if (status == AQM_OK)
        *out = trace;
    else
        aqm_trace_destroy(&trace);
    return status;
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
    const AqmPlate *plate;
    double plate_gradient[2]; /* of its plane */
} Tracer;

/* What one ray meets; NaN where it does not. */
typedef struct Hit {
    AqmRay ray;
    double ground_m, gradient[2];
    double plate_m, place[2];
} Hit;

static void trace_pixel(const Tracer *tracer, int u, int v, double guess_m, Hit *hit) {
    const AqmCamera *camera = tracer->camera;
    double x, y;
    *hit = (Hit){.ground_m = (double)NAN, .plate_m = (double)NAN};
    if (!aqm_lens_undistort(camera, (u - camera->K[2]) / camera->K[0],
                            (v - camera->K[5]) / camera->K[4], &x, &y) ||
        !aqm_view_cast(&tracer->view, x, y, &hit->ray))
        return;
    (void)aqm_surface_intersect_gradient(tracer->surface, tracer->bounds, &hit->ray, guess_m,
                                         &hit->ground_m, hit->gradient);
    if (tracer->plate)
        (void)aqm_plate_cross(tracer->plate, &hit->ray, &hit->plate_m, hit->place);
}

static void put(const AqmTraceLayer *layer, size_t at, double depth_m, double x, double y,
                const double gradient[2]) {
    const bool is_met = !isnan(depth_m);
    layer->x[at] = is_met ? (float)x : NAN;
    layer->y[at] = is_met ? (float)y : NAN;
    layer->shade[at] = is_met ? (float)shade_of(gradient, depth_m) : 0.0f;
}

static void trace_row(const Tracer *tracer, int v, AqmTrace *trace) {
    double third = NAN, before = NAN, last = NAN;
    for (int u = 0; u < trace->width; u++) {
        const size_t at = (size_t)v * (size_t)trace->width + (size_t)u;
        Hit hit;
        trace_pixel(tracer, u, v, 3.0 * (last - before) + third, &hit);
        const double *o = hit.ray.origin, *d = hit.ray.direction;
        third = before, before = last, last = hit.ground_m;
        put(&trace->ground, at, hit.ground_m, o[0] + hit.ground_m * d[0],
            o[1] + hit.ground_m * d[1], hit.gradient);
        double depth = hit.ground_m;
        if (tracer->plate) {
            put(&trace->plate, at, hit.plate_m, hit.place[0], hit.place[1], tracer->plate_gradient);
            if (!isnan(hit.plate_m) && aqm_plate_has(tracer->plate, hit.place))
                depth = fmin(depth, hit.plate_m); /* a ray that meets no ground: the plate's */
        }
        trace->depth_m[at] = (float)depth;
        if (isnan(depth))
            continue;
        widen(trace->box, o[0] + depth * d[0]);
        widen(trace->box + 2, o[1] + depth * d[1]);
        widen(trace->depth_range, depth);
    }
}

AqmStatus aqm_trace_camera(const AqmRig *rig, size_t camera, const AqmSurfaceModel *surface,
                           const AqmSurfaceBounds *bounds, const AqmPlate *plate, AqmTrace **out,
                           AqmDiag *diag) {
    const double unit[9] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
    Tracer tracer = {
        .camera = &rig->cameras[camera], .surface = surface, .bounds = bounds, .plate = plate};
    if (plate) {
        double normal[3];
        aqm_plate_normal(plate, normal);
        for (int k = 0; k < 2; k++)
            tracer.plate_gradient[k] = -normal[k] / normal[2];
    }
    AQM_TRY(aqm_view_create(&tracer.view, rig, camera, unit, diag));
    AqmTrace *trace = NULL;
    AQM_TRY(create_trace(&trace, tracer.camera->width, tracer.camera->height, plate != NULL, diag));
    for (int v = 0; v < trace->height; v++)
        trace_row(&tracer, v, trace);
    *out = trace;
    return AQM_OK;
}

/* Change of the hit from one pixel to the next along `stride` pixels, from the neighbours that
 * exist; zero where neither does. */
static void difference(const AqmTraceLayer *layer, size_t at, size_t stride, bool has_before,
                       bool has_after, double out[2]) {
    const bool before = has_before && !isnan(layer->x[at - stride]);
    const bool after = has_after && !isnan(layer->x[at + stride]);
    const size_t a = before ? at - stride : at, b = after ? at + stride : at;
    const double scale = before && after ? 0.5 : 1.0;
    out[0] = scale * ((double)layer->x[b] - (double)layer->x[a]);
    out[1] = scale * ((double)layer->y[b] - (double)layer->y[a]);
}

/* The sides of the parallelogram that pixel (u, v) sees of a layer. */
static void sides(const AqmTrace *trace, const AqmTraceLayer *layer, int u, int v, double du[2],
                  double dv[2]) {
    const size_t width = (size_t)trace->width, at = (size_t)v * width + (size_t)u;
    difference(layer, at, 1, u > 0, u + 1 < trace->width, du);
    difference(layer, at, width, v > 0, v + 1 < trace->height, dv);
}

/* The light of the plate; returns the share of the pixel that it covers. */
static float paint_plate(const AqmTrace *trace, const AqmTexture *texture,
                         const AqmTraceBoard *board, int u, int v, float light[3]) {
    const AqmTraceLayer *plate = &trace->plate;
    const size_t at = (size_t)v * (size_t)trace->width + (size_t)u;
    double du[2], dv[2];
    if (!board || isnan(plate->x[at]))
        return 0.0f;
    sides(trace, plate, u, v, du, dv);
    const float share = aqm_texture_print(texture, board->board, board->margin_m,
                                          (double)plate->x[at] - board->margin_m,
                                          (double)plate->y[at] - board->margin_m, du, dv, light);
    for (int c = 0; c < 3; c++)
        light[c] *= plate->shade[at];
    return share;
}

static void paint_ground(const AqmTrace *trace, const AqmTexture *texture, int u, int v,
                         float light[3]) {
    const AqmTraceLayer *ground = &trace->ground;
    const size_t at = (size_t)v * (size_t)trace->width + (size_t)u;
    double du[2], dv[2];
    light[0] = light[1] = light[2] = 0.0f;
    if (isnan(ground->x[at]))
        return;
    sides(trace, ground, u, v, du, dv);
    aqm_texture_albedo(texture, ground->x[at], ground->y[at], du, dv, light);
    for (int c = 0; c < 3; c++)
        light[c] *= ground->shade[at];
}

void aqm_trace_paint(const AqmTrace *trace, const AqmTexture *texture, const AqmTraceBoard *board,
                     float *radiance) {
    for (int v = 0; v < trace->height; v++)
        for (int u = 0; u < trace->width; u++) {
            float *pixel = radiance + 3 * ((size_t)v * (size_t)trace->width + (size_t)u);
            float plate[3] = {0.0f, 0.0f, 0.0f}, ground[3] = {0.0f, 0.0f, 0.0f};
            const float share = paint_plate(trace, texture, board, u, v, plate);
            if (share < 1.0f)
                paint_ground(trace, texture, u, v, ground);
            for (int c = 0; c < 3; c++)
                pixel[c] = ground[c] + share * (plate[c] - ground[c]);
        }
}
