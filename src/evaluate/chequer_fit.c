/* The model is two straight edges through (u, v), each blurred by a Gauss of sigma s:
 *
 *   I(x, y) = o + c S(d1) S(d2),   S(d) = erf(d / (sqrt(2) s)),
 *   dk = -sin(ak) (x - u) + cos(ak) (y - v),
 *
 * fitted to the pixels near the edges by least squares in the seven unknowns u, v, a1, a2, o, c,
 * log s (Levenberg & Marquardt). Unlike a saddle point of the smoothed image or the gradient
 * condition of Foerstner & Guelch 1987 it takes all of the edges into account, up to 0.42 squares
 * or 24 px from the corner, and no window's weights can pull it.
 *
 * Pixels are taken from a cross about the edges that leaves the markers out, by the guess first,
 * then about the corner as found, so that the cross lies evenly on either side. Refraction bends an
 * edge by less than 0.01 px over half a square of 40 px. The standard deviation is that of the
 * least-squares solution with the residuals as they are. */
#include "evaluate/chequer_fit.h"

#include <string.h>

#include "math/homography.h"
#include "math/solve.h"

enum { UNKNOWNS = 7, U = 0, V, ANGLE_1, ANGLE_2, OFFSET, CONTRAST, LOG_BLUR };
enum { ITERATIONS = 30, PIXELS_MIN = 24, PIXELS_MAX = 6000 };
static const double arm_squares = 0.42, arm_px = 24.0; /* along the edges, the shorter of the two */
static const double margin_px = 1.3;                   /* to what else is there */
/* across the edges: taken even where a marker is nearer than that, and no more is needed */
static const double least_strip_px = 1.6, most_strip_px = 6.0;

typedef struct Pixel {
    float x, y, value;
} Pixel;

typedef struct Fit {
    Pixel pixels[PIXELS_MAX];
    int count;
    double p[UNKNOWNS];
} Fit;

/* ---- pixels ---------------------------------------------------------------------------------- */

static bool invert(const double H[9], double out[9]) {
    const double c[9] = {
        H[4] * H[8] - H[5] * H[7], H[2] * H[7] - H[1] * H[8], H[1] * H[5] - H[2] * H[4],
        H[5] * H[6] - H[3] * H[8], H[0] * H[8] - H[2] * H[6], H[2] * H[3] - H[0] * H[5],
        H[3] * H[7] - H[4] * H[6], H[1] * H[6] - H[0] * H[7], H[0] * H[4] - H[1] * H[3]};
    const double det = H[0] * c[0] + H[1] * c[3] + H[2] * c[6];
    if (!(fabs(det) > 1e-12))
        return false;
    for (int i = 0; i < 9; i++)
        out[i] = c[i] / det;
    return true;
}

/* Length in px of a unit of board length along axis k (0: x), and its direction. */
static bool find_axis(const double H[9], int k, double *length, double *angle) {
    const double d = 0.05, from[2] = {k == 0 ? -d : 0.0, k == 1 ? -d : 0.0};
    const double to[2] = {-from[0], -from[1]};
    double a[2], b[2];
    if (!aqm_homography_apply(H, from, a) || !aqm_homography_apply(H, to, b))
        return false;
    *length = hypot(b[0] - a[0], b[1] - a[1]) / (2.0 * d);
    *angle = atan2(b[1] - a[1], b[0] - a[0]);
    return true;
}

/* The pixels of the cross; `shift` moves it from the guess to where the corner is. */
static bool gather(Fit *fit, const AqmGrayPlane *plane, const AqmChequerGuess *guess,
                   const double shift[2], double shortest_px) {
    double inverse[9], least[2] = {INFINITY, INFINITY}, most[2] = {-INFINITY, -INFINITY};
    const double arm = fmin(arm_squares, arm_px / shortest_px);
    if (!invert(guess->image_from_squares, inverse))
        return false;
    for (int k = 0; k < 4; k++) {
        const double corner[2] = {k & 1 ? arm : -arm, k & 2 ? arm : -arm};
        double px[2];
        if (!aqm_homography_apply(guess->image_from_squares, corner, px))
            return false;
        for (int a = 0; a < 2; a++) {
            least[a] = fmin(least[a], px[a] + shift[a]);
            most[a] = fmax(most[a], px[a] + shift[a]);
        }
    }
    if (!(least[0] >= -0.25 * plane->width && least[1] >= -0.25 * plane->height &&
          most[0] <= 1.25 * plane->width && most[1] <= 1.25 * plane->height))
        return false;
    const double clean_px = guess->clean * shortest_px - margin_px;
    const double strip = fmin(fmax(clean_px, least_strip_px), most_strip_px) / shortest_px;
    const int x0 = (int)fmax(ceil(least[0]), 0.0), y0 = (int)fmax(ceil(least[1]), 0.0);
    const int x1 = (int)fmin(floor(most[0]), plane->width - 1.0);
    const int y1 = (int)fmin(floor(most[1]), plane->height - 1.0);
    fit->count = 0;
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            const double px[2] = {x - shift[0], y - shift[1]};
            double b[2];
            if (!aqm_homography_apply(inverse, px, b) || fabs(b[0]) > arm || fabs(b[1]) > arm ||
                fmin(fabs(b[0]), fabs(b[1])) > strip || fit->count == PIXELS_MAX)
                continue;
            const float value = plane->value[(size_t)y * (size_t)plane->width + (size_t)x];
            fit->pixels[fit->count++] = (Pixel){(float)x, (float)y, value};
        }
    return fit->count >= PIXELS_MIN && fit->count < PIXELS_MAX;
}

/* ---- least squares --------------------------------------------------------------------------- */

/* Residual of a pixel, and (where J is not NULL) its derivatives. */
static double residual(const double p[UNKNOWNS], const Pixel *pixel, double J[UNKNOWNS]) {
    const double blur = exp(p[LOG_BLUR]), dx = (double)pixel->x - p[U];
    const double dy = (double)pixel->y - p[V];
    double S[2], slope[2], d[2], along[2];
    for (int k = 0; k < 2; k++) {
        const double s = sin(p[ANGLE_1 + k]), c = cos(p[ANGLE_1 + k]);
        d[k] = c * dy - s * dx;
        along[k] = c * dx + s * dy;
        S[k] = erf(d[k] / (1.4142135623730951 * blur));
        slope[k] = 0.7978845608028654 / blur * exp(-0.5 * d[k] * d[k] / (blur * blur));
    }
    if (J) {
        const double a = p[CONTRAST] * slope[0] * S[1], b = p[CONTRAST] * slope[1] * S[0];
        J[U] = a * sin(p[ANGLE_1]) + b * sin(p[ANGLE_2]);
        J[V] = -a * cos(p[ANGLE_1]) - b * cos(p[ANGLE_2]);
        J[ANGLE_1] = -a * along[0];
        J[ANGLE_2] = -b * along[1];
        J[OFFSET] = 1.0;
        J[CONTRAST] = S[0] * S[1];
        J[LOG_BLUR] = -a * d[0] - b * d[1];
    }
    return (double)pixel->value - p[OFFSET] - p[CONTRAST] * S[0] * S[1];
}

static double sum_squares(const Fit *fit, const double p[UNKNOWNS]) {
    double sum = 0.0;
    for (int i = 0; i < fit->count; i++) {
        const double r = residual(p, &fit->pixels[i], NULL);
        sum += r * r;
    }
    return sum;
}

static void normal_equations(const Fit *fit, double A[UNKNOWNS * UNKNOWNS], double b[UNKNOWNS]) {
    memset(A, 0, UNKNOWNS * UNKNOWNS * sizeof *A);
    memset(b, 0, UNKNOWNS * sizeof *b);
    for (int i = 0; i < fit->count; i++) {
        double J[UNKNOWNS];
        const double r = residual(fit->p, &fit->pixels[i], J);
        for (int j = 0; j < UNKNOWNS; j++) {
            b[j] += J[j] * r;
            for (int k = 0; k <= j; k++)
                A[UNKNOWNS * j + k] += J[j] * J[k];
        }
    }
}

/* Steps until they are below 1e-4 px; false where it does not settle. */
static bool settle(Fit *fit) {
    double A[UNKNOWNS * UNKNOWNS], b[UNKNOWNS], damping = 1e-3;
    double now = sum_squares(fit, fit->p);
    for (int i = 0; i < ITERATIONS; i++) {
        double step[UNKNOWNS], next[UNKNOWNS];
        normal_equations(fit, A, b);
        for (int k = 0; k < UNKNOWNS; k++)
            A[(UNKNOWNS + 1) * k] *= 1.0 + damping;
        if (!aqm_solve_spd(A, b, UNKNOWNS, step))
            return false;
        for (int k = 0; k < UNKNOWNS; k++)
            next[k] = fit->p[k] + step[k];
        if (!(next[LOG_BLUR] > -2.5 && next[LOG_BLUR] < 2.0))
            next[LOG_BLUR] = fmin(fmax(next[LOG_BLUR], -2.5), 2.0);
        const double after = sum_squares(fit, next);
        const bool is_better = after <= now;
        if (is_better) {
            memcpy(fit->p, next, sizeof next);
            now = after;
        }
        if (hypot(step[U], step[V]) < 1e-4)
            return true;
        damping = is_better ? fmax(0.2 * damping, 1e-9) : 8.0 * damping;
        if (damping > 1e8)
            return false;
    }
    return false;
}

/* Standard deviation of u and v, the larger; NaN where they are not fixed. */
static double deviation(const Fit *fit) {
    double A[UNKNOWNS * UNKNOWNS], b[UNKNOWNS], largest = 0.0;
    const double variance = sum_squares(fit, fit->p) / (fit->count - UNKNOWNS);
    normal_equations(fit, A, b);
    for (int k = U; k <= V; k++) {
        double unit[UNKNOWNS] = {0}, column[UNKNOWNS];
        unit[k] = 1.0;
        if (!aqm_solve_spd(A, unit, UNKNOWNS, column))
            return (double)NAN;
        largest = fmax(largest, column[k]);
    }
    return sqrt(variance * largest);
}

/* ---- the corner ------------------------------------------------------------------------------ */

static void begin(Fit *fit, bool is_black_first, double blur_px) {
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < fit->count; i++) {
        least = fmin(least, (double)fit->pixels[i].value);
        most = fmax(most, (double)fit->pixels[i].value);
    }
    fit->p[OFFSET] = 0.5 * (least + most);
    /* where x and y are negative d1 is negative (line 1 along x) and d2 positive */
    fit->p[CONTRAST] = (is_black_first ? 0.4 : -0.4) * (most - least);
    fit->p[LOG_BLUR] = log(blur_px);
}

static double turned_by(double a, double b) {
    return fabs(remainder(a - b, 6.283185307179586));
}

/* Is what was found the corner that was looked for? */
static bool is_sound(const Fit *fit, const AqmGrayPlane *plane, const AqmChequerGuess *guess,
                     const double start[UNKNOWNS], double shortest_px) {
    const double *p = fit->p, moved = hypot(p[U] - start[U], p[V] - start[V]);
    const double rms = sqrt(sum_squares(fit, p) / fit->count);
    const double most = fmin(0.25 * shortest_px, 5.0);
    return moved < most && turned_by(p[ANGLE_1], start[ANGLE_1]) < 0.26 &&
           turned_by(p[ANGLE_2], start[ANGLE_2]) < 0.26 &&
           (p[CONTRAST] > 0.0) == guess->is_black_first &&
           fabs(p[CONTRAST]) > 0.04 * (double)plane->range && rms < 0.35 * fabs(p[CONTRAST]) &&
           exp(p[LOG_BLUR]) < 0.15 * shortest_px + 0.5 && p[U] >= 1.0 && p[V] >= 1.0 &&
           p[U] <= plane->width - 2.0 && p[V] <= plane->height - 2.0;
}

bool aqm_chequer_fit(const AqmGrayPlane *plane, const AqmChequerGuess *guess,
                     AqmChequerCorner *out) {
    Fit fit;
    double start[UNKNOWNS] = {0}, length[2];
    const double zero[2] = {0.0, 0.0};
    double at[2];
    if (!aqm_homography_apply(guess->image_from_squares, zero, at) ||
        !find_axis(guess->image_from_squares, 0, &length[0], &start[ANGLE_1]) ||
        !find_axis(guess->image_from_squares, 1, &length[1], &start[ANGLE_2]))
        return false;
    start[U] = at[0], start[V] = at[1];
    memcpy(fit.p, start, sizeof start);
    const double shortest_px = fmin(length[0], length[1]);
    for (int round = 0; round < 2; round++) {
        const double shift[2] = {fit.p[U] - at[0], fit.p[V] - at[1]};
        if (!gather(&fit, plane, guess, shift, shortest_px))
            return false;
        if (round == 0)
            begin(&fit, guess->is_black_first, 1.0);
        if (!settle(&fit) || !is_sound(&fit, plane, guess, start, shortest_px))
            return false;
    }
    const double sigma = deviation(&fit);
    if (!isfinite(sigma))
        return false;
    *out = (AqmChequerCorner){fit.p[U], fit.p[V], sigma, exp(fit.p[LOG_BLUR]),
                              2.0 * fabs(fit.p[CONTRAST])};
    return true;
}
