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
 * Most nodes lie next to one that has been fitted: the surface there, moved here, and its sigma
 * are a better start than any level, and one round from it is enough where most points lie on
 * it and their sigma turns out to be the same.
 *
 * Cost: about 10 ns a point of the window (height_kernels.h), half of it from a neighbour. */
#include "stages/surface/height_fit.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 3, PLANE_TERMS = 3, QUADRATIC_TERMS = 6, PLANE_POINTS = 6, QUADRATIC_POINTS = 14 };

static const double TUKEY_CUT = 4.685; /* 95 % efficiency for Gaussian errors */
static const double MAD_TO_SIGMA = 1.4826;
static const double STEADY = 0.7; /* sigma at least this share of the one before: settled */
/* A quadratic needs points this far out on every side, in radii: less would be extrapolation. */
static const double QUADRATIC_REACH = 0.4;
/* Of a window's points on the surface next to it: no other layer has half as many. */
static const double MOST = 0.7;

/* About the median of the first `count` of the values (0 or more, INFINITY behind them): of rank
 * 47 to 53 %. A start and a scale need no more. */
static float median_of(const AqmHeightTools *tools, const AqmHeightWindow *window, size_t count,
                       float guess) {
    const size_t n = (window->count + AQM_HEIGHT_LANES - 1) / AQM_HEIGHT_LANES * AQM_HEIGHT_LANES;
    return tools->select->bound(window->error, n, count / 2 + 1 - count / 32, count / 16, guess);
}

static void fill_rest(AqmHeightWindow *window) {
    for (size_t i = window->count; i % AQM_HEIGHT_LANES != 0; i++)
        window->error[i] = INFINITY;
}

/* In lanes, as one chain of comparisons would take longer than the fit's sums. */
static float lowest_of(const float *values, size_t count) {
    enum { LANES = AQM_HEIGHT_LANES };
    float least[LANES];
    size_t i = 0;
    for (int k = 0; k < LANES; k++)
        least[k] = values[0];
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            least[k] = values[i + (size_t)k] < least[k] ? values[i + (size_t)k] : least[k];
    for (; i < count; i++)
        least[0] = values[i] < least[0] ? values[i] : least[0];
    for (int k = 1; k < LANES; k++)
        least[0] = least[k] < least[0] ? least[k] : least[0];
    return least[0];
}

static float median_height(const AqmHeightTools *tools, AqmHeightWindow *window) {
    const float lowest = lowest_of(window->z, window->count);
    for (size_t i = 0; i < window->count; i++)
        window->error[i] = window->z[i] - lowest;
    fill_rest(window);
    const float guess = window->error[window->count / 2];
    return lowest + median_of(tools, window, window->count, guess);
}

static double median_deviation(const AqmHeightTools *tools, AqmHeightWindow *window, float center) {
    for (size_t i = 0; i < window->count; i++)
        window->error[i] = fabsf(window->z[i] - center);
    fill_rest(window);
    return MAD_TO_SIGMA *
           (double)median_of(tools, window, window->count, window->error[window->count / 2]);
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
    memcpy(window->error, window->z, window->count * sizeof(float));
    sort_floats(window->error, window->count);
    size_t best = 0;
    for (size_t i = 0; i + half < window->count; i++)
        if (window->error[i + half] - window->error[i] <
            window->error[best + half] - window->error[best])
            best = i;
    const double low = (double)window->error[best], high = (double)window->error[best + half];
    *sigma = MAD_TO_SIGMA * 0.5 * (high - low);
    return 0.5 * (low + high);
}

/* LDL^T of the normal equations of the first `terms` terms: the surface that solves them, and what
 * is known of it. false where a pivot is rounding noise against its diagonal element. */
static inline bool solve_terms(const AqmHeightSums *sums, int terms, AqmHeightFit *fit) {
    /* the moment of each pair of terms 1, x, y, xx, xy, yy */
    static const int moment[AQM_HEIGHT_TERMS][AQM_HEIGHT_TERMS] = {
        {0, 1, 2, 3, 4, 5},    {1, 3, 4, 6, 7, 8},    {2, 4, 5, 7, 8, 9},
        {3, 6, 7, 10, 11, 12}, {4, 7, 8, 11, 12, 13}, {5, 8, 9, 12, 13, 14}};
    double L[AQM_HEIGHT_TERMS][AQM_HEIGHT_TERMS], scaled[AQM_HEIGHT_TERMS][AQM_HEIGHT_TERMS];
    double inverse[AQM_HEIGHT_TERMS], solution[AQM_HEIGHT_TERMS] = {0}, unit[AQM_HEIGHT_TERMS];
    for (int i = 0; i < terms; i++) {
        const double diagonal = (double)sums->moments[moment[i][i]];
        double pivot = diagonal;
        for (int j = 0; j < i; j++) { /* scaled: L times the pivots */
            double sum = (double)sums->moments[moment[i][j]];
            for (int k = 0; k < j; k++)
                sum -= scaled[i][k] * L[j][k];
            scaled[i][j] = sum;
            L[i][j] = sum * inverse[j];
            pivot -= sum * L[i][j];
        }
        if (!(pivot > 1e-13 * diagonal))
            return false;
        inverse[i] = 1.0 / pivot;
    }
    double gain = 0.0, left = (double)sums->squares;
    for (int i = 0; i < terms; i++) {
        double height = (double)sums->heights[i], one = i == 0 ? 1.0 : 0.0;
        for (int k = 0; k < i; k++) {
            height -= L[i][k] * solution[k];
            one -= L[i][k] * unit[k];
        }
        solution[i] = height;
        unit[i] = one;
        gain += one * one * inverse[i];
        left -= height * height * inverse[i];
    }
    for (int i = terms - 1; i >= 0; i--) {
        solution[i] *= inverse[i];
        for (int k = i + 1; k < terms; k++)
            solution[i] -= L[k][i] * solution[k];
    }
    for (int i = 0; i < AQM_HEIGHT_TERMS; i++)
        fit->surface[i] = (float)solution[i];
    fit->weight = (double)sums->moments[0];
    fit->gain = gain;
    fit->residual2 = fmax(left, 0.0) / fit->weight;
    return true;
}

/* Each with its loops unrolled. */
static bool solve(const AqmHeightSums *sums, bool is_quadratic, AqmHeightFit *fit) {
    return is_quadratic ? solve_terms(sums, QUADRATIC_TERMS, fit)
                        : solve_terms(sums, PLANE_TERMS, fit);
}

/* Of the points that are no outliers: another layer must not widen it. */
static double residual_sigma(const AqmHeightTools *tools, AqmHeightWindow *window,
                             const float c[AQM_HEIGHT_TERMS], size_t inliers, double last) {
    tools->fit->errors(window, c);
    return MAD_TO_SIGMA * (double)median_of(tools, window, inliers, (float)(last / MAD_TO_SIGMA));
}

/* The level to start from, and the spread of the heights about it. */
static double find_level(const AqmHeightTools *tools, AqmHeightWindow *window, double scale_limit_m,
                         double *sigma) {
    const float middle = median_height(tools, window);
    *sigma = median_deviation(tools, window, middle);
    return *sigma > scale_limit_m ? densest_level(window, sigma) : (double)middle;
}

static void lower(AqmHeightWindow *window, double level_m) {
    for (size_t i = 0; i < window->count; i++)
        window->z[i] -= (float)level_m;
}

static bool has_support(const AqmHeightSums *sums, const AqmHeightRules *rules) {
    return sums->inliers >= PLANE_POINTS && sqrt((double)sums->nearest2) <= rules->reach &&
           (double)sums->reach >= -rules->overhang;
}

static bool may_be_quadratic(const AqmHeightSums *sums) {
    return sums->inliers >= QUADRATIC_POINTS && (double)sums->reach >= QUADRATIC_REACH;
}

/* From the heights alone. */
static bool fit_anew(const AqmHeightTools *tools, AqmHeightWindow *window,
                     const AqmHeightRules *rules, AqmHeightFit *fit) {
    double sigma;
    const double level = find_level(tools, window, rules->scale_limit_m, &sigma);
    float *c = fit->surface;
    int last_inliers = 0;
    lower(window, level);
    fit->level_m += level;
    memset(c, 0, sizeof fit->surface);
    for (int round = 0; round < ROUNDS; round++) {
        const double scale = fmax(sigma, rules->scale_floor_m);
        AqmHeightSums sums;
        tools->fit->weigh(window, c, (float)(1.0 / (TUKEY_CUT * scale)), round == 0, &sums);
        if (!has_support(&sums, rules))
            return false;
        const bool quadratic = round > 0 && may_be_quadratic(&sums);
        if (!(quadratic && solve(&sums, true, fit)) && !solve(&sums, false, fit))
            return false;
        sigma = residual_sigma(tools, window, c, (size_t)sums.inliers, sigma);
        /* the same inliers, and weights that another round would hardly change */
        if (round > 0 && sums.inliers == last_inliers &&
            fmax(sigma, rules->scale_floor_m) > STEADY * scale)
            break;
        last_inliers = sums.inliers;
    }
    fit->scatter_m = sigma;
    return sigma <= 2.0 * rules->scale_limit_m;
}

/* From a surface close by: one round where it holds most points and their scatter is as it
 * was. Else false, with no more changed than the heights, by the level. */
static bool fit_from(const AqmHeightTools *tools, AqmHeightWindow *window,
                     const AqmHeightRules *rules, const AqmHeightFit *near, AqmHeightFit *fit) {
    const double scale = fmax(near->scatter_m, rules->scale_floor_m);
    const float level = (float)(near->level_m + (double)near->surface[0]);
    AqmHeightSums sums;
    memcpy(fit->surface, near->surface, sizeof fit->surface);
    fit->surface[0] = 0.0f;
    lower(window, (double)level);
    fit->level_m += (double)level;
    tools->fit->weigh(window, fit->surface, (float)(1.0 / (TUKEY_CUT * scale)), false, &sums);
    if ((double)sums.inliers < MOST * (double)window->count || !has_support(&sums, rules) ||
        !may_be_quadratic(&sums) || !solve(&sums, true, fit))
        return false;
    fit->scatter_m = residual_sigma(tools, window, fit->surface, (size_t)sums.inliers, scale);
    const double now = fmax(fit->scatter_m, rules->scale_floor_m);
    return now > STEADY * scale && STEADY * now < scale &&
           fit->scatter_m <= 2.0 * rules->scale_limit_m;
}

bool aqm_height_fit(const AqmHeightTools *tools, AqmHeightWindow *window,
                    const AqmHeightRules *rules, const AqmHeightFit *near, AqmHeightFit *out) {
    *out = (AqmHeightFit){0};
    if (window->count < PLANE_POINTS)
        return false;
    return (near && fit_from(tools, window, rules, near, out)) ||
           fit_anew(tools, window, rules, out);
}

AqmHeightFit aqm_height_fit_moved(const AqmHeightFit *fit, float x, float y) {
    AqmHeightFit moved = *fit;
    const float *c = fit->surface;
    moved.surface[0] += x * (c[1] + (c[3] * x + c[4] * y)) + y * (c[2] + c[5] * y);
    moved.surface[1] += 2.0f * c[3] * x + c[4] * y;
    moved.surface[2] += 2.0f * c[5] * y + c[4] * x;
    return moved;
}
