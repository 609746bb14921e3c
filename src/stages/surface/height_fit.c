/* Robust local regression of a height (after Cleveland 1979, "Robust locally weighted regression").
 *
 * Within a window of radius 1 around the node the surface is z = c0 + c1 x + c2 y + c3 x^2 + c4 x y
 * + c5 y^2, by least squares with weights
 *
 *     w_i = a_i (1 - r_i^2)^3 B(e_i / (C sigma)),
 *
 * a_i the a-priori weight, the triweight kernel for the distance, and Tukey's biweight B of the
 * residual e_i. sigma is 1.4826 times the median |e|, anew in each of the two or three rounds. The
 * first round has residuals from the densest level and fits a plane; the others fit the quadratic
 * where there are points enough on all sides, else the plane. A plane alone would lower the crests
 * of a wave of curvature k by k s^2 / 2 with s^2 = R^2 / 10 along each axis: 0.1 mm for 5 mm waves
 * of 50 mm at R = 5 mm; the quadratic leaves 4th-order terms, 0.005 mm.
 *
 * Where the heights do not form one level (sigma from the median larger than the limit: overhangs,
 * flying points), the start is the middle of the shortest interval with half of the points
 * (Rousseeuw 1984, least median of squares in one dimension): the denser of two layers wins.
 *
 * Cost: about 30 ns a point of the window. */
#include "stages/surface/height_fit.h"

#include <math.h>
#include <string.h>

#include "math/solve.h"
#include "math/stats.h"

enum { ROUNDS = 3, PLANE_TERMS = 3, QUADRATIC_TERMS = 6, PLANE_POINTS = 6, QUADRATIC_POINTS = 14 };

enum { MEDIAN_SAMPLES = 45 };
static const double TUKEY_CUT = 4.685; /* 95 % efficiency for Gaussian errors */
static const double MAD_TO_SIGMA = 1.4826;
static const double STEADY = 0.7; /* sigma at least this share of the one before: settled */
/* A quadratic needs points this far out on every side, in radii: less would be extrapolation. */
static const double QUADRATIC_REACH = 0.4;

/* Of every k-th value where there are many: a start and a scale need no more, and medians are most
 * of the time. */
static double median_of(float *values, size_t count) {
    const size_t step = (count + MEDIAN_SAMPLES - 1) / MEDIAN_SAMPLES;
    size_t kept = 0;
    for (size_t i = 0; i < count; i += step)
        values[kept++] = values[i];
    return (double)aqm_select_f32(values, kept, kept / 2);
}

static double median_deviation(AqmHeightWindow *window, double center) {
    for (size_t i = 0; i < window->count; i++)
        window->scratch[i] = fabsf(window->z[i] - (float)center);
    return MAD_TO_SIGMA * median_of(window->scratch, window->count);
}

static void sort_floats(float *values, size_t count) {
    /* Shell sort with the gaps of Ciura 2001, extended by 2.25 */
    static const size_t gaps[] = {3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t i = gaps[g]; i < count; i++) {
            const float value = values[i];
            size_t at = i;
            for (; at >= gaps[g] && values[at - gaps[g]] > value; at -= gaps[g])
                values[at] = values[at - gaps[g]];
            values[at] = value;
        }
}

/* The shortest interval that holds half of the heights: its middle, and as sigma the one for which
 * half of a Gaussian lies within it. */
static double densest_level(AqmHeightWindow *window, double *sigma) {
    const size_t half = window->count / 2;
    memcpy(window->scratch, window->z, window->count * sizeof(float));
    sort_floats(window->scratch, window->count);
    size_t best = 0;
    for (size_t i = 0; i + half < window->count; i++)
        if (window->scratch[i + half] - window->scratch[i] <
            window->scratch[best + half] - window->scratch[best])
            best = i;
    const double low = (double)window->scratch[best], high = (double)window->scratch[best + half];
    *sigma = MAD_TO_SIGMA * 0.5 * (high - low);
    return 0.5 * (low + high);
}

static inline double kernel(double x, double y) {
    const double fall = 1.0 - x * x - y * y;
    return fall * fall * fall;
}

static double surface_at(const double c[QUADRATIC_TERMS], double x, double y) {
    return c[0] + x * (c[1] + c[3] * x + c[4] * y) + y * (c[2] + c[5] * y);
}

/* Residuals of surface c to weights; returns how many points are no outliers. */
static size_t reweight(AqmHeightWindow *window, const double c[QUADRATIC_TERMS], double sigma) {
    const double inverse = 1.0 / (TUKEY_CUT * sigma);
    size_t inliers = 0;
    for (size_t i = 0; i < window->count; i++) {
        const double x = window->x[i], y = window->y[i];
        const double t = ((double)window->z[i] - surface_at(c, x, y)) * inverse;
        const double fall = t * t < 1.0 ? 1.0 - t * t : 0.0;
        window->robust[i] = (float)(window->weight[i] * kernel(x, y) * fall * fall);
        inliers += window->robust[i] > 0.0f;
    }
    return inliers;
}

/* Of the points that are no outliers: another layer must not widen it. */
static double residual_sigma(AqmHeightWindow *window, const double c[QUADRATIC_TERMS]) {
    size_t count = 0;
    for (size_t i = 0; i < window->count; i++)
        if (window->robust[i] > 0.0f)
            window->scratch[count++] =
                (float)fabs((double)window->z[i] - surface_at(c, window->x[i], window->y[i]));
    return MAD_TO_SIGMA * median_of(window->scratch, count);
}

static inline void extend(float *most, float value) {
    *most = value > *most ? value : *most;
}

/* How far the inliers reach in the least covered of eight directions (negative: the node lies
 * outside), and the distance of the nearest. */
static void reach_of(const AqmHeightWindow *window, double *least, double *nearest) {
    float most[8], near2 = 4.0f;
    for (int k = 0; k < 8; k++)
        most[k] = -4.0f;
    for (size_t i = 0; i < window->count; i++) {
        if (!(window->robust[i] > 0.0f))
            continue;
        const float x = window->x[i], y = window->y[i], r2 = x * x + y * y;
        const float p = 0.70710678f * (x + y), q = 0.70710678f * (x - y);
        extend(&most[0], x), extend(&most[1], -x), extend(&most[2], y), extend(&most[3], -y);
        extend(&most[4], p), extend(&most[5], -p), extend(&most[6], q), extend(&most[7], -q);
        near2 = r2 < near2 ? r2 : near2;
    }
    float smallest = most[0];
    for (int k = 1; k < 8; k++)
        smallest = most[k] < smallest ? most[k] : smallest;
    *least = (double)smallest;
    *nearest = sqrt((double)near2);
}

/* Weighted normal equations of the first `terms` terms, solved. */
static bool solve(const AqmHeightWindow *window, int terms, double c[QUADRATIC_TERMS]) {
    double m[15] = {0}, b[QUADRATIC_TERMS] = {0}, A[QUADRATIC_TERMS * QUADRATIC_TERMS];
    for (size_t i = 0; i < window->count; i++) {
        const double w = window->robust[i];
        if (!(w > 0.0))
            continue;
        const double x = window->x[i], y = window->y[i], wz = w * (double)window->z[i];
        const double wx = w * x, wy = w * y, xx = x * x, xy = x * y, yy = y * y;
        m[0] += w, m[1] += wx, m[2] += wy;
        m[3] += w * xx, m[4] += w * xy, m[5] += w * yy;
        m[6] += wx * xx, m[7] += wx * xy, m[8] += wx * yy, m[9] += wy * yy;
        m[10] += w * xx * xx, m[11] += w * xx * xy, m[12] += w * xx * yy, m[13] += w * xy * yy;
        m[14] += w * yy * yy;
        b[0] += wz, b[1] += wz * x, b[2] += wz * y;
        b[3] += wz * xx, b[4] += wz * xy, b[5] += wz * yy;
    }
    /* the moment of each pair of terms 1, x, y, xx, xy, yy */
    static const int moment[QUADRATIC_TERMS][QUADRATIC_TERMS] = {
        {0, 1, 2, 3, 4, 5},    {1, 3, 4, 6, 7, 8},    {2, 4, 5, 7, 8, 9},
        {3, 6, 7, 10, 11, 12}, {4, 7, 8, 11, 12, 13}, {5, 8, 9, 12, 13, 14}};
    for (int i = 0; i < terms; i++)
        for (int j = 0; j < terms; j++)
            A[i * terms + j] = m[moment[i][j]];
    double solution[QUADRATIC_TERMS] = {0};
    if (!aqm_solve_spd(A, b, terms, solution))
        return false;
    memcpy(c, solution, sizeof solution);
    return true;
}

bool aqm_height_fit(AqmHeightWindow *window, double scale_limit_m, double scale_floor_m,
                    double reach, double overhang, AqmHeightFit *out) {
    if (window->count < PLANE_POINTS)
        return false;
    memcpy(window->scratch, window->z, window->count * sizeof(float));
    double c[QUADRATIC_TERMS] = {median_of(window->scratch, window->count)};
    double sigma = median_deviation(window, c[0]);
    if (sigma > scale_limit_m)
        c[0] = densest_level(window, &sigma);
    size_t last_inliers = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const double scale = fmax(sigma, scale_floor_m);
        const size_t inliers = reweight(window, c, scale);
        double least, nearest;
        reach_of(window, &least, &nearest);
        if (inliers < PLANE_POINTS || nearest > reach || least < -overhang)
            return false;
        const bool quadratic = round > 0 && inliers >= QUADRATIC_POINTS && least >= QUADRATIC_REACH;
        if (!(quadratic && solve(window, QUADRATIC_TERMS, c)) && !solve(window, PLANE_TERMS, c))
            return false;
        sigma = residual_sigma(window, c);
        /* the same inliers, and weights that another round would hardly change */
        if (round > 0 && inliers == last_inliers && fmax(sigma, scale_floor_m) > STEADY * scale)
            break;
        last_inliers = inliers;
    }
    *out = (AqmHeightFit){c[0], c[1], c[2]};
    return sigma <= 2.0 * scale_limit_m;
}
