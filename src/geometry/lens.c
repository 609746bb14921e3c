/* Lens distortion and its inverse.
 *
 * A point (x, y) of the plane Z = 1, r^2 = x^2 + y^2, is seen at (xd, yd):
 *
 *   pinhole (Brown 1971, "Close-range camera calibration"; rational as in OpenCV):
 *     a  = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)
 *     xd = a x + 2 p1 x y + p2 (r^2 + 2 x^2),   yd = a y + p1 (r^2 + 2 y^2) + 2 p2 x y
 *   fisheye (Kannala & Brandt 2006), theta = atan r:
 *     (xd, yd) = (x, y) / r * theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8)
 *
 * Both are, but for the small p1 and p2, a radial curve g: g(r) = a r, or g(theta). A barrel lens
 * turns: beyond some radius g falls again, and the image there is folded over. Only the branch
 * that begins at the axis and ends at the turn shows the world, so the inverse first finds the
 * crossing of g on that branch by a bracketed Newton iteration that cannot leave it, then corrects
 * for p1 and p2 by Newton in two dimensions. Cost: about 20 evaluations; the forward map of a span
 * of pixels vectorises. */
#include "geometry/lens.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/remap_kernels.h"

enum { K1, K2, P1, P2, K3, K4, K5, K6 };

static const double HALF_PI = 1.57079632679489661923;

bool aqm_lens_is_ideal(const AqmCamera *camera) {
    /* an equidistant fisheye has zero coefficients too: its image is used as it is, as promised */
    const int count = camera->lens == AQM_LENS_FISHEYE ? 4 : 8;
    for (int i = 0; i < count; i++)
        if (camera->distortion[i] != 0.0)
            return false;
    return true;
}

static double fisheye_angle(const double *k, double theta) {
    const double q = theta * theta;
    return theta * (1.0 + q * (k[0] + q * (k[1] + q * (k[2] + q * k[3]))));
}

void aqm_lens_distort(const AqmCamera *camera, double x, double y, double *xd, double *yd) {
    const double *k = camera->distortion, q = x * x + y * y;
    if (camera->lens == AQM_LENS_FISHEYE) {
        const double r = sqrt(q), scale = r > 0.0 ? fisheye_angle(k, atan(r)) / r : 1.0;
        *xd = x * scale;
        *yd = y * scale;
        return;
    }
    const double a = (1.0 + q * (k[K1] + q * (k[K2] + q * k[K3]))) /
                     (1.0 + q * (k[K4] + q * (k[K5] + q * k[K6])));
    *xd = a * x + 2.0 * k[P1] * x * y + k[P2] * (q + 2.0 * x * x);
    *yd = a * y + k[P1] * (q + 2.0 * y * y) + 2.0 * k[P2] * x * y;
}

/* g and its slope at radius s (pinhole) or angle s (fisheye); false beyond a pole. */
static bool radial_curve(const AqmCamera *camera, double s, double *g, double *slope) {
    const double *k = camera->distortion, q = s * s;
    if (camera->lens == AQM_LENS_FISHEYE) {
        *g = fisheye_angle(k, s);
        *slope = 1.0 + q * (3.0 * k[0] + q * (5.0 * k[1] + q * (7.0 * k[2] + q * 9.0 * k[3])));
        return true;
    }
    const double A = 1.0 + q * (k[K1] + q * (k[K2] + q * k[K3]));
    const double B = 1.0 + q * (k[K4] + q * (k[K5] + q * k[K6]));
    const double dA = 2.0 * s * (k[K1] + q * (2.0 * k[K2] + q * 3.0 * k[K3]));
    const double dB = 2.0 * s * (k[K4] + q * (2.0 * k[K5] + q * 3.0 * k[K6]));
    if (!(B > 1e-9))
        return false;
    *g = s * A / B;
    *slope = (A + s * (dA - A * dB / B)) / B;
    return true;
}

/* The first s > 0 with g(s) = target on the branch that begins at the axis. `low` never passes the
 * crossing or the turn, `high` always has. */
static bool invert_radial(const AqmCamera *camera, double target, double *s) {
    const double end = camera->lens == AQM_LENS_FISHEYE ? HALF_PI : INFINITY;
    double low = 0.0, high = end, step = 0.02, guess = 0.0;
    for (int i = 0; i < 300; i++) {
        double g = 0.0, slope = 0.0;
        const bool passed = !radial_curve(camera, guess, &g, &slope) || slope <= 0.0 || g >= target;
        if (fabs(g - target) <= 1e-16 * target && slope > 0.0)
            break;
        if (passed)
            high = guess;
        else
            low = guess;
        if (isfinite(high) && high - low <= 4e-16 * high)
            break;
        double next = slope > 0.0 ? guess + (target - g) / slope : -1.0;
        if (high == end) /* not bracketed yet: walk, so that no turn is jumped over */
            next = fmin(next, fmin(low + step, 0.5 * (low + fmin(high, 2.0 * low + 1.0))));
        else if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (next == guess)
            break;
        guess = next;
        step *= 1.1;
    }
    double g = 0.0, slope = 0.0;
    if (!(guess < end) || !radial_curve(camera, guess, &g, &slope) || !(slope > 0.0) ||
        !(fabs(g - target) <= 1e-12 * fmax(target, 1.0)))
        return false;
    *s = guess;
    return true;
}

double aqm_lens_reach2(const AqmCamera *camera) {
    const bool fisheye = camera->lens == AQM_LENS_FISHEYE;
    const double end = fisheye ? HALF_PI : 100.0; /* 100: 89.4 degrees off the axis */
    double low = 0.0, high = 0.0, g = 0.0, slope = 1.0;
    for (double step = 0.005; slope > 0.0; step *= fisheye ? 1.0 : 1.02) {
        low = high;
        high += step;
        if (high >= end)
            return INFINITY;
        if (!radial_curve(camera, high, &g, &slope))
            slope = 0.0;
    }
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        const bool rising = radial_curve(camera, middle, &g, &slope) && slope > 0.0;
        *(rising ? &low : &high) = middle;
    }
    const double reach = fisheye ? tan(low) : low;
    return reach * reach;
}

/* One step of Newton in the plane with the pinhole lens's Jacobian; false where it folds. */
static bool correct_tangential(const AqmCamera *camera, double xd, double yd, double *x,
                               double *y) {
    const double *k = camera->distortion, r = sqrt(*x * *x + *y * *y);
    double g, slope, px, py;
    if (!radial_curve(camera, r, &g, &slope))
        return false;
    aqm_lens_distort(camera, *x, *y, &px, &py);
    /* d(a x)/dx = a + x^2 a'/r with a = g / r, a' = (slope - a) / r */
    const double a = r > 0.0 ? g / r : 1.0, b = r > 0.0 ? (slope - a) / (r * r) : 0.0;
    const double xx = a + *x * *x * b + 2.0 * k[P1] * *y + 6.0 * k[P2] * *x;
    const double xy = *x * *y * b + 2.0 * k[P1] * *x + 2.0 * k[P2] * *y;
    const double yy = a + *y * *y * b + 6.0 * k[P1] * *y + 2.0 * k[P2] * *x;
    const double det = xx * yy - xy * xy;
    if (!(det > 1e-12))
        return false;
    *x -= (yy * (px - xd) - xy * (py - yd)) / det;
    *y -= (xx * (py - yd) - xy * (px - xd)) / det;
    return true;
}

bool aqm_lens_undistort(const AqmCamera *camera, double xd, double yd, double *x, double *y) {
    const double target = sqrt(xd * xd + yd * yd);
    if (!(target < 1e6))
        return false;
    double s = 0.0;
    if (target > 0.0 && !invert_radial(camera, target, &s))
        return false;
    const double radius = camera->lens == AQM_LENS_FISHEYE ? tan(s) : s;
    const double scale = target > 0.0 ? radius / target : 1.0;
    double nx = xd * scale, ny = yd * scale;
    if (camera->lens == AQM_LENS_PINHOLE &&
        (camera->distortion[P1] != 0.0 || camera->distortion[P2] != 0.0)) {
        double error = INFINITY;
        for (int i = 0; i < 20 && error > 1e-15 * (1.0 + target); i++) {
            double px, py;
            if (!correct_tangential(camera, xd, yd, &nx, &ny))
                return false;
            aqm_lens_distort(camera, nx, ny, &px, &py);
            error = fmax(fabs(px - xd), fabs(py - yd));
        }
        if (!(error <= 1e-12 * (1.0 + target)))
            return false;
    }
    *x = nx;
    *y = ny;
    return true;
}

void aqm_raw_from_undistorted(const AqmCamera *camera, const double K_new[9], double u, double v,
                              double *raw_u, double *raw_v) {
    double xd, yd;
    aqm_lens_distort(camera, (u - K_new[2]) / K_new[0], (v - K_new[5]) / K_new[4], &xd, &yd);
    *raw_u = camera->K[0] * xd + camera->K[2];
    *raw_v = camera->K[4] * yd + camera->K[5];
}

/* atan r for r >= 0 without branches: two halvings of the angle, tan(a/2) = t / (1 + sqrt(1+t^2)),
 * bring it below 22.5 degrees, where eight terms of the Taylor series leave
 * 4 tan(pi/8)^17 / 17 = 7.3e-8; the ninth, added here, leaves 1.2e-8 rad. */
static inline double series_atan(double r) {
    const double half = r / (1.0 + sqrt(1.0 + r * r));
    const double t = half / (1.0 + sqrt(1.0 + half * half)), q = t * t;
    double sum = 1.0 / 17.0;
    sum = 1.0 / 15.0 - q * sum;
    sum = 1.0 / 13.0 - q * sum;
    sum = 1.0 / 11.0 - q * sum;
    sum = 1.0 / 9.0 - q * sum;
    sum = 1.0 / 7.0 - q * sum;
    sum = 1.0 / 5.0 - q * sum;
    sum = 1.0 / 3.0 - q * sum;
    return 4.0 * t * (1.0 - q * sum);
}

static void span_fisheye(const AqmCamera *camera, double reach2, double x_first, double x_step,
                         double y, int count, double *restrict raw_u, double *restrict raw_v) {
    const double k1 = camera->distortion[0], k2 = camera->distortion[1], k3 = camera->distortion[2],
                 k4 = camera->distortion[3];
    const double fx = camera->K[0], cx = camera->K[2], fy = camera->K[4], cy = camera->K[5];
    for (int i = 0; i < count; i++) {
        const double x = x_first + x_step * i, r2 = x * x + y * y;
        const double r = sqrt(r2 + 1e-300), theta = series_atan(r), q = theta * theta;
        const double scale = theta * (1.0 + q * (k1 + q * (k2 + q * (k3 + q * k4)))) / r;
        raw_u[i] = r2 <= reach2 ? fx * (x * scale) + cx : NAN;
        raw_v[i] = fy * (y * scale) + cy;
    }
}

static void span_pinhole(const AqmCamera *camera, double reach2, double x_first, double x_step,
                         double y, int count, double *restrict raw_u, double *restrict raw_v) {
    AqmRemapLens lens = {.fx = camera->K[0],
                         .cx = camera->K[2],
                         .fy = camera->K[4],
                         .cy = camera->K[5],
                         .reach2 = reach2};
    memcpy(lens.k, camera->distortion, sizeof lens.k);
    aqm_remap_kernels(aqm_cpu_features())
        ->pinhole(&lens, x_first, x_step, y, (size_t)count, raw_u, raw_v);
}

void aqm_raw_span_from_undistorted(const AqmCamera *camera, const double K_new[9], double reach2,
                                   double u_first, double u_step, double v, int count,
                                   double *raw_u, double *raw_v) {
    assert(camera->lens == AQM_LENS_PINHOLE || camera->lens == AQM_LENS_FISHEYE);
    const double x = (u_first - K_new[2]) / K_new[0], step = u_step / K_new[0];
    const double y = (v - K_new[5]) / K_new[4];
    if (camera->lens == AQM_LENS_FISHEYE)
        span_fisheye(camera, reach2, x, step, y, count, raw_u, raw_v);
    else
        span_pinhole(camera, reach2, x, step, y, count, raw_u, raw_v);
}
