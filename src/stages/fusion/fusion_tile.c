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
 * A point is projected into all views at once, in float (AqmFusionCameras). Cost: about 15 ns a
 * pixel and other view. */
#include "stages/fusion/fusion_tile.h"

#include <math.h>
#include <stdint.h>

#include "geometry/refraction.h"
#include "math/vec.h"

enum { MAX_VOTES = AQM_FUSION_VIEWS_MAX };

/* 5 standard deviations: weights of Gaussian errors stay above 0.9 up to 1.1 of them; the
 * efficiency is 96 %. */
static const double TUKEY_CUT = 5.0;
static const double MAD_TO_SIGMA = 1.4826;
/* Values within this share of the tolerance of each other need no weighing: none would get less
 * than 0.7. Half of all pixels, and the sorting is a third of the time. */
static const double WIDTH_OF_ONE = 0.2;

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

void aqm_fusion_cameras_init(AqmFusionCameras *cameras, const AqmFusionView *views, size_t count) {
    cameras->count = count;
    for (size_t i = 0; i < count; i++) {
        const AqmView *view = views[i].view;
        for (int k = 0; k < 9; k++)
            cameras->R[k][i] = (float)view->R[k];
        cameras->C[0][i] = (float)view->C[0], cameras->C[1][i] = (float)view->C[1];
        cameras->water_z[i] = (float)view->water_z;
        cameras->h_c[i] = (float)(view->water_z - view->C[2]);
        cameras->n2[i] = (float)(view->n * view->n);
        cameras->inverse_n[i] = (float)(1.0 / view->n);
        cameras->fx[i] = (float)view->fx, cameras->fy[i] = (float)view->fy;
        cameras->cx[i] = (float)view->cx, cameras->cy[i] = (float)view->cy;
    }
}

/* A point as every view sees it: how far below the water and before the camera it lies (both > 0,
 * or the rest means nothing), its pixel, its ray depth, the unit direction of the ray in water. */
typedef struct Sightings {
    float below_m[AQM_FUSION_VIEWS_MAX], before_m[AQM_FUSION_VIEWS_MAX];
    float u[AQM_FUSION_VIEWS_MAX], v[AQM_FUSION_VIEWS_MAX], depth_m[AQM_FUSION_VIEWS_MAX];
    float direction[3][AQM_FUSION_VIEWS_MAX];
} Sightings;

static void sight_all(const AqmFusionCameras *restrict c, const double point[3],
                      Sightings *restrict out) {
    const float X = (float)point[0], Y = (float)point[1], Z = (float)point[2];
#pragma omp simd
    for (size_t i = 0; i < c->count; i++) {
        const float x = X - c->C[0][i], y = Y - c->C[1][i], h = Z - c->water_z[i];
        const float h_c = c->h_c[i], r2 = x * x + y * y;
        const float z = aqm_apparent_z_f32(h_c, h, h * c->inverse_n[i], c->n2[i], r2);
        const float px = c->R[0][i] * x + c->R[1][i] * y + c->R[2][i] * z;
        const float py = c->R[3][i] * x + c->R[4][i] * y + c->R[5][i] * z;
        const float pz = c->R[6][i] * x + c->R[7][i] * y + c->R[8][i] * z;
        const float inverse = 1.0f / pz;
        out->u[i] = c->fx[i] * px * inverse + c->cx[i];
        out->v[i] = c->fy[i] * py * inverse + c->cy[i];
        out->before_m[i] = pz;
        out->below_m[i] = h;
        const float in_water = (z - h_c) / z; /* the share of the way that lies under water */
        const float depth = sqrtf(r2 * in_water * in_water + h * h), unit = 1.0f / depth;
        out->depth_m[i] = depth;
        out->direction[0][i] = x * in_water * unit;
        out->direction[1][i] = y * in_water * unit;
        out->direction[2][i] = h * unit;
    }
}

static inline float least(float a, float b) {
    return a < b ? a : b;
}

static inline float most(float a, float b) {
    return a > b ? a : b;
}

/* Bilinear among four usable depths on one surface, whose first is at (x, y). */
static bool sample_four(const AqmFusionView *view, int x, int y, float fu, float fv,
                        const AqmFusionOptions *options, double *depth_m, double *confidence) {
    const size_t width = (size_t)view->depth->width;
    const float *d = view->depth->depth_m + (size_t)y * width + (size_t)x;
    const float *c = view->depth->confidence + (size_t)y * width + (size_t)x;
    const float low = least(least(d[0], d[1]), least(d[width], d[width + 1]));
    const float high = most(most(d[0], d[1]), most(d[width], d[width + 1]));
    const float sum = d[0] + d[1] + d[width] + d[width + 1]; /* NaN if any is */
    const float doubt = least(least(c[0], c[1]), least(c[width], c[width + 1]));
    if (!(sum < INFINITY && low > 0.0f && high - low < (float)options->depth_tolerance_m &&
          (double)doubt >= options->min_confidence))
        return false;
    const float wa = (1.0f - fu) * (1.0f - fv), wb = fu * (1.0f - fv), wc = (1.0f - fu) * fv;
    const float wd = fu * fv;
    *depth_m =
        (double)(d[0] + (wb * (d[1] - d[0]) + wc * (d[width] - d[0]) + wd * (d[width + 1] - d[0])));
    *confidence = (double)(wa * c[0] + wb * c[1] + wc * c[width] + wd * c[width + 1]);
    return true;
}

/* The depth a view's map holds at (u, v). false = none, or outside. */
static bool sample(const AqmFusionView *view, float u, float v, const AqmFusionOptions *options,
                   double *depth_m, double *confidence) {
    const int width = view->depth->width, height = view->depth->height;
    if (!(u > -0.5f && v > -0.5f && u < (float)width - 0.5f && v < (float)height - 0.5f))
        return false;
    const int x = (int)(u + 1.0f) - 1, y = (int)(v + 1.0f) - 1; /* floor: neither is below -1 */
    if (x >= 0 && y >= 0 && x + 1 < width && y + 1 < height &&
        sample_four(view, x, y, u - (float)x, v - (float)y, options, depth_m, confidence))
        return true;
    const int column = (int)(u + 0.5f), row = (int)(v + 0.5f);
    if (column >= width || row >= height)
        return false;
    const size_t nearest = (size_t)row * (size_t)width + (size_t)column;
    *depth_m = usable_depth(view, options->min_confidence, nearest);
    *confidence = view->depth->confidence[nearest];
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

static double plain_mean(const double *values, const double *weights, int count) {
    double sum = 0.0, total = 0.0;
    for (int i = 0; i < count; i++) {
        const double weight = weights[i] > 1e-3 ? weights[i] : 1e-3;
        sum += weight * values[i];
        total += weight;
    }
    return sum / total;
}

static double robust_mean(const double *values, const double *weights, int count,
                          double tolerance) {
    double distances[MAX_VOTES], low = values[0], high = values[0];
    for (int i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    if (high - low < WIDTH_OF_ONE * tolerance)
        return plain_mean(values, weights, count);
    const double middle = median(values, count);
    for (int i = 0; i < count; i++)
        distances[i] = fabs(values[i] - middle);
    const double deviation = MAD_TO_SIGMA * median(distances, count);
    const double scale = deviation > 0.1 * tolerance ? deviation : 0.1 * tolerance;
    double sum = 0.0, total = 0.0;
    for (int i = 0; i < count; i++) {
        const double t = distances[i] / (TUKEY_CUT * scale);
        const double falls = t < 1.0 ? (1.0 - t * t) * (1.0 - t * t) : 0.0;
        /* a confidence of 0 (allowed by min_confidence = 0) still counts for something */
        const double weight = falls * (weights[i] > 1e-3 ? weights[i] : 1e-3);
        sum += weight * values[i];
        total += weight;
    }
    return total > 0.0 ? sum / total : middle;
}

/* delta = (s' - s_X) (d' . n) / (d . n); the ratio is held in [0.5, 2] because n is an estimate. */
static double along_reference(const Sightings *seen, size_t i, const double direction[3],
                              const double normal[3], double difference) {
    const double theirs = normal[0] * (double)seen->direction[0][i] +
                          normal[1] * (double)seen->direction[1][i] +
                          normal[2] * (double)seen->direction[2][i];
    const double ours = aqm_dot3(direction, normal);
    double ratio = (double)seen->direction[2][i] / direction[2];
    if (theirs < 0.0 && ours < 0.0)
        ratio = theirs / ours;
    ratio = ratio < 0.5 ? 0.5 : ratio;
    return difference * (ratio > 2.0 ? 2.0 : ratio);
}

int aqm_tile_vote(AqmFusionTile *tile, int x, int y, const AqmFusionView *views,
                  const AqmFusionCameras *cameras, size_t reference,
                  const AqmFusionOptions *options, double *shift_m) {
    const double depth = *aqm_tile_depth(tile, x, y), tolerance = options->depth_tolerance_m;
    if (isnan(depth))
        return 0;
    const AqmRay *ray = aqm_tile_ray(tile, x, y);
    const AqmDepthMap *own = views[reference].depth;
    const size_t pixel = (size_t)(tile->y0 + y) * (size_t)own->width + (size_t)(tile->x0 + x);
    double point[3], values[MAX_VOTES], weights[MAX_VOTES], normal[3];
    Sightings seen;
    for (int i = 0; i < 3; i++)
        point[i] = ray->origin[i] + depth * ray->direction[i];
    if (!shift_m || !aqm_tile_normal(tile, x, y, normal))
        normal[0] = 0.0, normal[1] = 0.0, normal[2] = -1.0;
    int count = 1;
    values[0] = 0.0, weights[0] = own->confidence[pixel];
    sight_all(cameras, point, &seen);
    for (size_t i = 0; i < cameras->count; i++) {
        double theirs, confidence;
        if (i == reference || !(seen.below_m[i] > 0.0f && seen.before_m[i] > 0.0f) ||
            !sample(&views[i], seen.u[i], seen.v[i], options, &theirs, &confidence))
            continue;
        const double difference = theirs - (double)seen.depth_m[i];
        if (!(fabs(difference) < tolerance))
            continue;
        weights[count] = confidence;
        values[count++] =
            shift_m ? along_reference(&seen, i, ray->direction, normal, difference) : 0.0;
    }
    if (shift_m)
        *shift_m = count > 1 ? robust_mean(values, weights, count, tolerance) : 0.0;
    return count;
}
