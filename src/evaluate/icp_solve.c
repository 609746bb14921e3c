/* By the eigenvectors of A: Jacobi rotations, row-cyclic (Golub & Van Loan, section 8.5). Eight
 * sweeps bring a 6 x 6 matrix to working precision. */
#include "evaluate/icp_solve.h"

#include <math.h>
#include <string.h>

enum { N = 6, JACOBI_SWEEPS = 12 };

static void rotate(double M[N * N], double V[N * N], int p, int q) {
    const double apq = M[N * p + q];
    if (apq == 0.0)
        return;
    const double theta = (M[N * q + q] - M[N * p + p]) / (2.0 * apq);
    const double t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int k = 0; k < N; k++) {
        const double kp = M[N * k + p], kq = M[N * k + q];
        M[N * k + p] = c * kp - s * kq;
        M[N * k + q] = s * kp + c * kq;
    }
    for (int k = 0; k < N; k++) {
        const double pk = M[N * p + k], qk = M[N * q + k];
        M[N * p + k] = c * pk - s * qk;
        M[N * q + k] = s * pk + c * qk;
        const double vp = V[N * p + k], vq = V[N * q + k];
        V[N * p + k] = c * vp - s * vq;
        V[N * q + k] = s * vp + c * vq;
    }
}

int aqm_solve_where_known(const double A[36], const double b[6], double least, double x[6],
                          double inverse[36]) {
    double M[N * N], V[N * N] = {0};
    int unknown = 0;
    memcpy(M, A, sizeof M);
    for (int i = 0; i < N; i++)
        V[N * i + i] = 1.0;
    for (int sweep = 0; sweep < JACOBI_SWEEPS; sweep++)
        for (int p = 0; p < N; p++)
            for (int q = p + 1; q < N; q++)
                rotate(M, V, p, q);
    memset(x, 0, N * sizeof *x);
    if (inverse)
        memset(inverse, 0, N * N * sizeof *inverse);
    for (int e = 0; e < N; e++) { /* row e of V is an eigenvector */
        const double value = M[N * e + e], *v = V + N * e;
        if (!(value >= least)) {
            unknown++;
            continue;
        }
        double along = 0.0;
        for (int k = 0; k < N; k++)
            along += v[k] * b[k];
        for (int k = 0; k < N; k++)
            x[k] += v[k] * along / value;
        for (int k = 0; inverse && k < N * N; k++)
            inverse[k] += v[k / N] * v[k % N] / value;
    }
    return unknown;
}
