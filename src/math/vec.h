/* Small vectors and 3x3 matrices (row-major), double. */
#ifndef AQM_MATH_VEC_H
#define AQM_MATH_VEC_H

#include <math.h>

static inline double aqm_dot3(const double a[3], const double b[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static inline double aqm_norm3(const double a[3]) {
    return sqrt(aqm_dot3(a, a));
}

static inline void aqm_cross3(const double a[3], const double b[3], double out[3]) {
    const double x = a[1] * b[2] - a[2] * b[1];
    const double y = a[2] * b[0] - a[0] * b[2];
    const double z = a[0] * b[1] - a[1] * b[0];
    out[0] = x, out[1] = y, out[2] = z;
}

/* The squared distance of a point from a segment: `from` is the point and `side` the other end,
 * both seen from one end. *along: where the nearest place lies, 0..1. */
static inline double aqm_segment_distance2(const double from[3], const double side[3],
                                           double *along) {
    const double length2 = aqm_dot3(side, side);
    const double t = length2 > 0.0 ? aqm_dot3(from, side) / length2 : 0.0;
    *along = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    double left[3];
    for (int k = 0; k < 3; k++)
        left[k] = from[k] - *along * side[k];
    return aqm_dot3(left, left);
}

/* out = M v; out may be v */
static inline void aqm_mul33v(const double M[9], const double v[3], double out[3]) {
    const double x = M[0] * v[0] + M[1] * v[1] + M[2] * v[2];
    const double y = M[3] * v[0] + M[4] * v[1] + M[5] * v[2];
    const double z = M[6] * v[0] + M[7] * v[1] + M[8] * v[2];
    out[0] = x, out[1] = y, out[2] = z;
}

/* out = transpose(M) v; out may be v */
static inline void aqm_mul33tv(const double M[9], const double v[3], double out[3]) {
    const double x = M[0] * v[0] + M[3] * v[1] + M[6] * v[2];
    const double y = M[1] * v[0] + M[4] * v[1] + M[7] * v[2];
    const double z = M[2] * v[0] + M[5] * v[1] + M[8] * v[2];
    out[0] = x, out[1] = y, out[2] = z;
}

/* out = A B; out must be neither */
static inline void aqm_mul33(const double A[9], const double B[9], double out[9]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[3 + j] + A[3 * i + 2] * B[6 + j];
}

static inline void aqm_transpose33(const double M[9], double out[9]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[3 * j + i] = M[3 * i + j];
}

static inline double aqm_det33(const double M[9]) {
    return M[0] * (M[4] * M[8] - M[5] * M[7]) - M[1] * (M[3] * M[8] - M[5] * M[6]) +
           M[2] * (M[3] * M[7] - M[4] * M[6]);
}

#endif
