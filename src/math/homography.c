/* With h = (h0 .. h7), h8 = 1, a pair (x, y) -> (u, v) gives two equations linear in h,
 *
 *   h0 x + h1 y + h2 - u (h6 x + h7 y) = u,      h3 x + h4 y + h5 - v (h6 x + h7 y) = v,
 *
 * whose normal equations (8 x 8) are solved. h8 = 1 leaves out maps that send the middle of the
 * points to infinity: no camera does that to what it sees. */
#include "math/homography.h"

#include <math.h>
#include <string.h>

#include "math/solve.h"

/* (p - mean) * scale has mean 0 and a root mean square of 1. */
typedef struct Spread {
    double mean[2], scale;
} Spread;

static bool find_spread(const double (*points)[2], size_t count, Spread *out) {
    *out = (Spread){{0.0, 0.0}, 0.0};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            out->mean[k] += points[i][k] / (double)count;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            sum += (points[i][k] - out->mean[k]) * (points[i][k] - out->mean[k]);
    out->scale = 1.0 / sqrt(sum / (double)count);
    return isfinite(out->scale);
}

static void add_equation(const double row[8], double right, double A[64], double b[8]) {
    for (int i = 0; i < 8; i++) {
        b[i] += row[i] * right;
        for (int j = 0; j < 8; j++)
            A[8 * i + j] += row[i] * row[j];
    }
}

/* out = T_to^-1 N T_from of the normalised map N. */
static void restore(const double N[9], const Spread *from, const Spread *to, double out[9]) {
    double M[9];
    for (int i = 0; i < 3; i++) {
        M[3 * i] = N[3 * i] * from->scale;
        M[3 * i + 1] = N[3 * i + 1] * from->scale;
        M[3 * i + 2] =
            N[3 * i + 2] - from->scale * (N[3 * i] * from->mean[0] + N[3 * i + 1] * from->mean[1]);
    }
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 2; i++)
            out[3 * i + j] = M[3 * i + j] / to->scale + to->mean[i] * M[6 + j];
        out[6 + j] = M[6 + j];
    }
}

bool aqm_homography_fit(const double (*from)[2], const double (*to)[2], size_t count, double H[9]) {
    Spread f, t;
    if (count < 4 || !find_spread(from, count, &f) || !find_spread(to, count, &t))
        return false;
    double A[64] = {0}, b[8] = {0}, h[9], out[9];
    for (size_t i = 0; i < count; i++) {
        const double x = (from[i][0] - f.mean[0]) * f.scale, y = (from[i][1] - f.mean[1]) * f.scale;
        const double u = (to[i][0] - t.mean[0]) * t.scale, v = (to[i][1] - t.mean[1]) * t.scale;
        add_equation((const double[8]){x, y, 1, 0, 0, 0, -u * x, -u * y}, u, A, b);
        add_equation((const double[8]){0, 0, 0, x, y, 1, -v * x, -v * y}, v, A, b);
    }
    if (!aqm_solve_spd(A, b, 8, h))
        return false;
    h[8] = 1.0;
    restore(h, &f, &t, out);
    if (!(fabs(out[8]) > 1e-12))
        return false;
    for (int i = 0; i < 9; i++)
        H[i] = out[i] / out[8];
    return true;
}

bool aqm_homography_apply(const double H[9], const double in[2], double out[2]) {
    const double x = in[0], y = in[1], w = H[6] * x + H[7] * y + H[8];
    if (!(fabs(w) > 1e-12))
        return false;
    const double u = (H[0] * x + H[1] * y + H[2]) / w;
    out[1] = (H[3] * x + H[4] * y + H[5]) / w;
    out[0] = u;
    return true;
}
