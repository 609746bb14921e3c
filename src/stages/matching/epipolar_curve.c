/* Refracted epipolar curves as polylines.
 *
 * A ray under water projects to a curve that is nearly straight: refraction shifts every point of
 * it towards the surface by an amount that changes slowly. The ray is parametrised by
 * q = 1 / (H + s), H the length of the way to the water in air, so that equal steps of q are about
 * equal steps in a pinhole image, from the surface (q = 1 / H) to any depth. Beginning with
 * FIRST_PIECES, a piece is halved while its middle is off the chord by more than SPLIT_PX, a
 * quarter of that being left in the halves; pieces beside the image are dropped as soon as the
 * chord, widened by twice that bend, misses it. Cost: some 20 projections (1 to 2 us) a curve. */
#include "stages/matching/epipolar_curve.h"

#include <math.h>

enum { FIRST_PIECES = 4, SPLITS = 10 };
static const double split_px = 0.08;     /* of the middle; between it and the ends no more */
static const double surface_part = 1e-4; /* of the camera's height: where "just below" is */

bool aqm_curve_depths(const AqmView *view, const AqmRay *ray, const AqmDepthRange *range,
                      double depths_m[2]) {
    const double height = view->water_z - view->C[2], down = ray->direction[2];
    if (range->max_m > 0.0) {
        depths_m[0] = range->min_m;
        depths_m[1] = range->max_m;
    } else {
        depths_m[0] = 0.0;
        /* straight below, the apparent depth is the depth over n */
        depths_m[1] = AQM_CURVE_REACH * height * view->n / down;
    }
    if (range->down_max_m > 0.0) {
        depths_m[0] = fmax(depths_m[0], range->down_min_m / down);
        depths_m[1] = fmin(depths_m[1], range->down_max_m / down);
    }
    depths_m[0] = fmax(depths_m[0], surface_part * height / down);
    return depths_m[0] < depths_m[1];
}

/* What a trace needs to know of its ray. */
typedef struct Tracer {
    AqmCurve *curve;
    const AqmView *view;
    const AqmRay *ray;
    double margin_px;
} Tracer;

typedef struct Node {
    double q, pixel[2];
    bool is_seen;
} Node;

static double depth_of(const Tracer *tracer, double q) {
    return 1.0 / q - tracer->curve->offset_m;
}

static Node node_at(const Tracer *tracer, double q) {
    Node node = {.q = q};
    const double s = depth_of(tracer, q);
    double point[3];
    for (int k = 0; k < 3; k++)
        point[k] = tracer->ray->origin[k] + s * tracer->ray->direction[k];
    node.is_seen = aqm_view_project_fast(tracer->view, point, node.pixel);
    return node;
}

/* Does the box about the two ends, widened by `wide_px`, meet the image? */
static bool may_be_inside(const Tracer *tracer, const Node *a, const Node *b, double wide_px) {
    const double size[2] = {tracer->view->width - 1.0, tracer->view->height - 1.0};
    const double margin = tracer->margin_px + wide_px;
    for (int k = 0; k < 2; k++) {
        const double low = fmin(a->pixel[k], b->pixel[k]), high = fmax(a->pixel[k], b->pixel[k]);
        if (high < -margin || low > size[k] + margin)
            return false;
    }
    return true;
}

static void add_piece(const Tracer *tracer, const Node *a, const Node *b) {
    AqmCurve *curve = tracer->curve;
    if (curve->count == AQM_CURVE_PIECES)
        return;
    curve->pieces[curve->count++] = (AqmCurvePiece){
        .a = {a->pixel[0], a->pixel[1]}, .b = {b->pixel[0], b->pixel[1]}, .q_a = a->q, .q_b = b->q};
}

static void split(const Tracer *tracer, const Node *a, const Node *b, int splits) {
    const Node middle = node_at(tracer, 0.5 * (a->q + b->q));
    if (a->is_seen && b->is_seen && middle.is_seen) {
        const double along[2] = {b->pixel[0] - a->pixel[0], b->pixel[1] - a->pixel[1]};
        const double across[2] = {middle.pixel[0] - a->pixel[0], middle.pixel[1] - a->pixel[1]};
        const double length = hypot(along[0], along[1]);
        const double bend = length > 0.0
                                ? fabs(along[0] * across[1] - along[1] * across[0]) / length
                                : hypot(across[0], across[1]);
        if (!may_be_inside(tracer, a, b, 2.0 * bend))
            return;
        if (bend < split_px || splits == 0) {
            add_piece(tracer, a, b);
            return;
        }
    } else if (splits == 0 || !(a->is_seen || b->is_seen || middle.is_seen)) {
        return;
    }
    split(tracer, a, &middle, splits - 1);
    split(tracer, &middle, b, splits - 1);
}

void aqm_curve_trace(AqmCurve *curve, const AqmView *view, const AqmRay *ray,
                     const double depths_m[2], double margin_px) {
    curve->count = 0;
    curve->offset_m = (view->water_z - view->C[2]) * view->n / ray->direction[2];
    const Tracer tracer = {.curve = curve, .view = view, .ray = ray, .margin_px = margin_px};
    const double first = 1.0 / (curve->offset_m + depths_m[0]);
    const double last = 1.0 / (curve->offset_m + depths_m[1]);
    Node a = node_at(&tracer, first);
    for (int k = 1; k <= FIRST_PIECES; k++) {
        const Node b = node_at(&tracer, first + (last - first) * k / FIRST_PIECES);
        split(&tracer, &a, &b, SPLITS);
        a = b;
    }
}

double aqm_curve_distance(const AqmCurve *curve, int k, double x, double y, double *depth_m) {
    const AqmCurvePiece *piece = &curve->pieces[k];
    const double along[2] = {piece->b[0] - piece->a[0], piece->b[1] - piece->a[1]};
    const double from_a[2] = {x - piece->a[0], y - piece->a[1]};
    const double length2 = along[0] * along[0] + along[1] * along[1];
    double t = length2 > 0.0 ? (along[0] * from_a[0] + along[1] * from_a[1]) / length2 : 0.0;
    t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    *depth_m = 1.0 / (piece->q_a + t * (piece->q_b - piece->q_a)) - curve->offset_m;
    const double x_off = from_a[0] - t * along[0], y_off = from_a[1] - t * along[1];
    return sqrt(x_off * x_off + y_off * y_off);
}
