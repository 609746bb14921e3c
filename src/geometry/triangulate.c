/* The point nearest to several rays.
 *
 * The squared distance of p to the line (o, d), |d| = 1, is |(I - d d^T)(p - o)|^2; the sum over
 * the rays is least where  sum(I - d d^T) p = sum(I - d d^T) o,  a symmetric 3x3 system (the
 * midpoint method of Hartley & Sturm 1997, "Triangulation", for any number of rays). Origins are
 * taken relative to their mean, which keeps the digits where the world's origin is far away.
 *
 * The mean of I - d d^T has the smallest eigenvalue sin^2(a/2) for two rays at an angle a. Below
 * a = 1e-4 rad, the angle of a tenth of a pixel at f = 1400 px, the depth is noise: refused. */
#include <assert.h>

#include "aquamvs/geometry.h"
#include "base/diag.h"
#include "math/solve.h"
#include "math/vec.h"

static const double SMALLEST_EIGENVALUE = 2.5e-9; /* sin^2(1e-4 / 2) */

/* out = (I - d d^T) v */
static void reject(const double d[3], const double v[3], double out[3]) {
    const double along = aqm_dot3(d, v);
    for (int i = 0; i < 3; i++)
        out[i] = v[i] - along * d[i];
}

static void mean_origin(const AqmRay *rays, size_t count, double mean[3]) {
    mean[0] = mean[1] = mean[2] = 0.0;
    for (size_t k = 0; k < count; k++)
        for (int i = 0; i < 3; i++)
            mean[i] += rays[k].origin[i] / (double)count;
}

static double rms_distance(const AqmRay *rays, size_t count, const double point[3]) {
    double sum = 0.0;
    for (size_t k = 0; k < count; k++) {
        const double *o = rays[k].origin;
        double away[3];
        reject(rays[k].direction,
               (const double[3]){point[0] - o[0], point[1] - o[1], point[2] - o[2]}, away);
        sum += aqm_dot3(away, away);
    }
    return sqrt(sum / (double)count);
}

AqmStatus aqm_triangulate(const AqmRay *rays, size_t ray_count, double point[3], double *rms_m,
                          AqmDiag *diag) {
    if (ray_count < 2)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "triangulation of %zu ray(s): two are needed",
                        ray_count);
    double A[9] = {0}, b[3] = {0}, mean[3], values[3], vectors[9], x[3];
    mean_origin(rays, ray_count, mean);
    const double weight = 1.0 / (double)ray_count;
    for (size_t k = 0; k < ray_count; k++) {
        const double *d = rays[k].direction, *o = rays[k].origin;
        double away[3];
        reject(d, (const double[3]){o[0] - mean[0], o[1] - mean[1], o[2] - mean[2]}, away);
        for (int i = 0; i < 3; i++) {
            b[i] += weight * away[i];
            for (int j = 0; j < 3; j++)
                A[3 * i + j] += weight * ((i == j ? 1.0 : 0.0) - d[i] * d[j]);
        }
    }
    aqm_eigen_sym3(A, values, vectors);
    if (!(values[0] > SMALLEST_EIGENVALUE) || !aqm_solve_spd(A, b, 3, x))
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "triangulation of %zu rays: they are parallel to within 1e-4 rad",
                        ray_count);
    for (int i = 0; i < 3; i++)
        point[i] = mean[i] + x[i];
    if (rms_m)
        *rms_m = rms_distance(rays, ray_count, point);
    return AQM_OK;
}
