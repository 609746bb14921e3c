/* Cross-view consistency of depth maps, and the mean of the views that agree.
 *
 * A pixel of the reference view with ray depth s stands for the point X = O + s d. Another view
 * sees X at a pixel p and at a ray depth s_X; its own map says s' at p. The two agree when |s' -
 * s_X| < depth_tolerance (Merrell et al. 2007, "Real-time visibility-based fusion of depth maps",
 * without its negative votes: a view that sees something else there abstains). s' is bilinear where
 * the four depths around p lie on one surface (within the tolerance of each other), else the
 * nearest.
 *
 * What an agreeing view says about the reference's depth: its surface point is X + (s' - s_X) d',
 * with d' its own ray's direction. Through that point goes the surface, locally a plane of normal
 * n, which the reference ray meets at
 *
 *     delta = (s' - s_X) (d' . n) / (d . n).
 *
 * The fused depth is s + the weighted mean of the deltas, the reference's own 0 among them; weights
 * are confidences times Tukey's biweight of the distance from their median, so that a view that is
 * off by nearly the tolerance does not drag the others. Its scale is the median absolute deviation,
 * at least a tenth of the tolerance: within noise of that size every view counts almost fully, and
 * errors that are independent between V views shrink by sqrt(V).
 *
 * Cost: about 30 ns a pixel and other view that sees it. */
#include "stages/fusion/fusion_tile.h"

#include <math.h>
#include <stdint.h>

#include "geometry/refraction.h"
#include "math/vec.h"

enum { MAX_VOTES = 255 };

/* 5 standard deviations: weights of Gaussian errors stay above 0.9 up to 1.1 of them; the
 * efficiency is 96 %. */
static const double TUKEY_CUT = 5.0;
static const double MAD_TO_SIGMA = 1.4826;

static float usable_depth(const AqmFusionView *view, double min_confidence, size_t pixel) {
    const float depth = view->depth->depth_m[pixel];
    const bool usable = depth > 0.0f && depth < INFINITY &&
                        (double)view->depth->confidence[pixel] >= min_confidence;
    return usable ? depth : NAN;
}

static void load_rays(AqmFusionTile *tile, const AqmView *view) {
    for (int y = 0; y <= tile->height; y++)
        for (int x = 0; x <= tile->width; x++) {
            AqmRay *ray = tile->rays + y * AQM_TILE_RAYS + x;
            const bool reaches = aqm_view_cast(view, tile->x0 + x, tile->y0 + y, ray);
            if (reaches)
                continue;
            *ray = (AqmRay){{NAN, NAN, NAN}, {NAN, NAN, NAN}};
            if (x < tile->width && y < tile->height)
                *aqm_tile_depth(tile, x, y) = NAN;
        }
}

void aqm_tile_load(AqmFusionTile *tile, const AqmFusionView *view, const AqmFusionOptions *options,
                   int x0, int y0, const int16_t *shifts) {
    const int width = view->depth->width, height = view->depth->height;
    tile->x0 = x0, tile->y0 = y0;
    tile->width = width - x0 < AQM_TILE_SIDE ? width - x0 : AQM_TILE_SIDE;
    tile->height = height - y0 < AQM_TILE_SIDE ? height - y0 : AQM_TILE_SIDE;
    tile->tolerance_m = options->depth_tolerance_m;
    for (int y = -AQM_TILE_MARGIN; y < tile->height + AQM_TILE_MARGIN; y++)
        for (int x = -AQM_TILE_MARGIN; x < tile->width + AQM_TILE_MARGIN; x++) {
            const int u = x0 + x, v = y0 + y;
            float *depth = aqm_tile_depth(tile, x, y);
            *depth = NAN;
            if (u < 0 || v < 0 || u >= width || v >= height)
                continue;
            const size_t pixel = (size_t)v * (size_t)width + (size_t)u;
            if (!shifts)
                *depth = usable_depth(view, options->min_confidence, pixel);
            else if (shifts[pixel] != AQM_SHIFT_NONE)
                *depth = aqm_shifted_depth(view->depth->depth_m[pixel], shifts[pixel],
                                           tile->tolerance_m);
        }
    load_rays(tile, view->view);
}

/* The sum over five parallel lines of what the depth rises between `from` and `to` px along `step`,
 * and the px those rises span. A pair that does not straddle the surface evenly (a step, a hole) is
 * left out. */
static float sum_rises(const float *center, ptrdiff_t step, ptrdiff_t across, int from, int to,
                       float tolerance, float *sum) {
    float span = 0.0f;
    *sum = 0.0f;
    for (int line = -2; line <= 2; line++) {
        const float *at = center + line * across;
        const float before = at[from * step], after = at[to * step], middle = at[0];
        const float even = ((float)to * before - (float)from * after) / (float)(to - from);
        const float rise = after - before, most = 0.7f * tolerance * (float)(to - from);
        const bool smooth = fabsf(middle - even) < 0.5f * tolerance && fabsf(rise) < most;
        *sum += smooth ? rise : 0.0f; /* not smooth where one of them is NaN */
        span += smooth ? (float)(to - from) : 0.0f;
    }
    return span;
}

/* The mean slope (metres a pixel) along `step`: of differences over +-3 px, or to one side where
 * the other is missing. */
static bool slope(const float *center, ptrdiff_t step, ptrdiff_t across, float tolerance,
                  double *out) {
    enum { REACH = AQM_TILE_MARGIN };
    float sum, other, span = sum_rises(center, step, across, -REACH, REACH, tolerance, &sum);
    if (span == 0.0f) {
        span = sum_rises(center, step, across, -REACH, 0, tolerance, &sum);
        span += sum_rises(center, step, across, 0, REACH, tolerance, &other);
        sum += other;
    }
    *out = (double)(sum / span);
    return span > 0.0f;
}

/* How the surface point moves from one ray to a neighbouring one, the depth changing by `rise`. */
static void tangent(const AqmRay *from, const AqmRay *to, double depth, double rise,
                    double out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = to->origin[i] - from->origin[i] + depth * (to->direction[i] - from->direction[i]) +
                 rise * to->direction[i];
}

bool aqm_tile_normal(AqmFusionTile *tile, int x, int y, double normal[3]) {
    const float *center = aqm_tile_depth(tile, x, y);
    const float tolerance = (float)tile->tolerance_m;
    double rise_u, rise_v, along_u[3], along_v[3];
    if (!slope(center, 1, AQM_TILE_PITCH, tolerance, &rise_u) ||
        !slope(center, AQM_TILE_PITCH, 1, tolerance, &rise_v))
        return false;
    const AqmRay *ray = aqm_tile_ray(tile, x, y);
    tangent(ray, aqm_tile_ray(tile, x + 1, y), *center, rise_u, along_u);
    tangent(ray, aqm_tile_ray(tile, x, y + 1), *center, rise_v, along_v);
    aqm_cross3(along_v, along_u, normal); /* u right, v down: v x u looks back at the camera */
    const double length = aqm_norm3(normal);
    if (!(length > 0.0))
        return false;
    const double sign = aqm_dot3(normal, ray->direction) > 0.0 ? -1.0 : 1.0;
    for (int i = 0; i < 3; i++)
        normal[i] *= sign / length;
    return true;
}

/* A point as another view sees it. */
typedef struct Sighting {
    double u, v;
    double depth_m;
    double direction[3]; /* unit, of the ray in water */
} Sighting;

static inline bool sight(const AqmView *view, const double point[3], Sighting *out) {
    const double x = point[0] - view->C[0], y = point[1] - view->C[1];
    const double h = point[2] - view->water_z, h_c = view->water_z - view->C[2];
    if (!(h > 0.0))
        return false;
    const double n = view->n, r2 = x * x + y * y;
    const double z = aqm_apparent_z(h_c, h, h / n, n * n, r2);
    const double *R = view->R;
    const double depth = R[6] * x + R[7] * y + R[8] * z;
    if (!(depth > 0.0))
        return false;
    const double inverse = 1.0 / depth;
    out->u = view->fx * (R[0] * x + R[1] * y + R[2] * z) * inverse + view->cx;
    out->v = view->fy * (R[3] * x + R[4] * y + R[5] * z) * inverse + view->cy;
    if (!(out->u > -0.5 && out->v > -0.5 && out->u < view->width - 0.5 &&
          out->v < view->height - 0.5))
        return false;
    const double in_water = (z - h_c) / z; /* the share of the way that lies under water */
    out->depth_m = sqrt(r2 * in_water * in_water + h * h);
    const double unit = 1.0 / out->depth_m;
    out->direction[0] = x * in_water * unit;
    out->direction[1] = y * in_water * unit;
    out->direction[2] = h * unit;
    return true;
}

/* The depth a view's map holds at (u, v), which lies inside it. false = none. */
static bool sample(const AqmFusionView *view, double u, double v, const AqmFusionOptions *options,
                   double *depth_m, double *confidence) {
    const int width = view->depth->width, height = view->depth->height;
    const float *const confidences = view->depth->confidence;
    const double min_confidence = options->min_confidence;
    const int x = (int)floor(u), y = (int)floor(v);
    if (x >= 0 && y >= 0 && x + 1 < width && y + 1 < height) {
        const size_t i = (size_t)y * (size_t)width + (size_t)x, j = i + (size_t)width;
        const float a = usable_depth(view, min_confidence, i);
        const float b = usable_depth(view, min_confidence, i + 1);
        const float c = usable_depth(view, min_confidence, j);
        const float d = usable_depth(view, min_confidence, j + 1);
        const float low = fminf(fminf(a, b), fminf(c, d)), high = fmaxf(fmaxf(a, b), fmaxf(c, d));
        if ((double)(high - low) < options->depth_tolerance_m && !isnan(a + b + c + d)) {
            const double fu = u - x, fv = v - y;
            const double wa = (1.0 - fu) * (1.0 - fv), wb = fu * (1.0 - fv);
            const double wc = (1.0 - fu) * fv, wd = fu * fv;
            *depth_m = wa * a + wb * b + wc * c + wd * d;
            *confidence = wa * confidences[i] + wb * confidences[i + 1] + wc * confidences[j] +
                          wd * confidences[j + 1];
            return true;
        }
    }
    const int column = (int)floor(u + 0.5), row = (int)floor(v + 0.5);
    if (column < 0 || row < 0 || column >= width || row >= height)
        return false;
    const size_t nearest = (size_t)row * (size_t)width + (size_t)column;
    *depth_m = usable_depth(view, min_confidence, nearest);
    *confidence = confidences[nearest];
    return !isnan(*depth_m);
}

static double median(const double *values, int count) {
    double sorted[MAX_VOTES];
    for (int i = 0; i < count; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
}

static double robust_mean(const double *values, const double *weights, int count,
                          double tolerance) {
    double distances[MAX_VOTES];
    const double middle = median(values, count);
    for (int i = 0; i < count; i++)
        distances[i] = fabs(values[i] - middle);
    const double scale = fmax(MAD_TO_SIGMA * median(distances, count), 0.1 * tolerance);
    double sum = 0.0, total = 0.0;
    for (int i = 0; i < count; i++) {
        const double t = distances[i] / (TUKEY_CUT * scale);
        const double falls = t < 1.0 ? (1.0 - t * t) * (1.0 - t * t) : 0.0;
        /* a confidence of 0 (allowed by min_confidence = 0) still counts for something */
        const double weight = falls * fmax(weights[i], 1e-3);
        sum += weight * values[i];
        total += weight;
    }
    return total > 0.0 ? sum / total : middle;
}

/* delta = (s' - s_X) (d' . n) / (d . n); the ratio is held in [0.5, 2] because n is an estimate. */
static double along_reference(const Sighting *seen, const double direction[3],
                              const double normal[3], double difference) {
    const double theirs = aqm_dot3(seen->direction, normal), ours = aqm_dot3(direction, normal);
    double ratio = seen->direction[2] / direction[2];
    if (theirs < 0.0 && ours < 0.0)
        ratio = theirs / ours;
    return difference * fmin(fmax(ratio, 0.5), 2.0);
}

int aqm_tile_vote(AqmFusionTile *tile, int x, int y, const AqmFusionView *views, size_t view_count,
                  size_t reference, const AqmFusionOptions *options, double *shift_m) {
    const double depth = *aqm_tile_depth(tile, x, y);
    if (isnan(depth))
        return 0;
    const AqmRay *ray = aqm_tile_ray(tile, x, y);
    const AqmDepthMap *own = views[reference].depth;
    double point[3], values[MAX_VOTES], weights[MAX_VOTES], normal[3] = {0.0, 0.0, -1.0};
    for (int i = 0; i < 3; i++)
        point[i] = ray->origin[i] + depth * ray->direction[i];
    if (shift_m && !aqm_tile_normal(tile, x, y, normal))
        normal[0] = 0.0, normal[1] = 0.0, normal[2] = -1.0;
    const size_t pixel = (size_t)(tile->y0 + y) * (size_t)own->width + (size_t)(tile->x0 + x);
    int count = 1;
    values[0] = 0.0, weights[0] = own->confidence[pixel];
    for (size_t i = 0; i < view_count; i++) {
        Sighting seen;
        double theirs, confidence;
        if (i == reference || !sight(views[i].view, point, &seen) ||
            !sample(&views[i], seen.u, seen.v, options, &theirs, &confidence))
            continue;
        const double difference = theirs - seen.depth_m;
        if (!(fabs(difference) < options->depth_tolerance_m))
            continue;
        weights[count] = confidence;
        values[count++] =
            shift_m ? along_reference(&seen, ray->direction, normal, difference) : 0.0;
    }
    if (shift_m)
        *shift_m =
            count > 1 ? robust_mean(values, weights, count, options->depth_tolerance_m) : 0.0;
    return count;
}
