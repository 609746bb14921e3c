#include "math/solve.h"

#include <math.h>
#include <string.h>

enum { MAX_N = 8 };

bool aqm_solve_spd(const double *A, const double *b, int n, double *x) {
    double L[MAX_N * MAX_N], y[MAX_N];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = A[i * n + j];
            for (int k = 0; k < j; k++)
                sum -= L[i * n + k] * L[j * n + k];
            if (i != j) {
                L[i * n + j] = sum / L[j * n + j];
            } else {
                /* a pivot this small against its diagonal entry is rounding noise */
                if (!(sum > 1e-13 * fabs(A[i * n + i])) || !(sum > 0.0))
                    return false;
                L[i * n + i] = sqrt(sum);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        double sum = b[i];
        for (int k = 0; k < i; k++)
            sum -= L[i * n + k] * y[k];
        y[i] = sum / L[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        double sum = y[i];
        for (int k = i + 1; k < n; k++)
            sum -= L[k * n + i] * x[k];
        x[i] = sum / L[i * n + i];
    }
    return true;
}

static void rotate(double M[9], double V[9], int p, int q) {
    const double apq = M[3 * p + q];
    if (apq == 0.0)
        return;
    const double theta = (M[3 * q + q] - M[3 * p + p]) / (2.0 * apq);
    const double t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int k = 0; k < 3; k++) {
        const double kp = M[3 * k + p], kq = M[3 * k + q];
        M[3 * k + p] = c * kp - s * kq;
        M[3 * k + q] = s * kp + c * kq;
    }
    for (int k = 0; k < 3; k++) {
        const double pk = M[3 * p + k], qk = M[3 * q + k];
        M[3 * p + k] = c * pk - s * qk;
        M[3 * q + k] = s * pk + c * qk;
        const double vp = V[3 * p + k], vq = V[3 * q + k];
        V[3 * p + k] = c * vp - s * vq;
        V[3 * q + k] = s * vp + c * vq;
    }
}

void aqm_eigen_sym3(const double A[9], double values[3], double V[9]) {
    double M[9], W[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    memcpy(M, A, sizeof M);
    for (int sweep = 0; sweep < 12; sweep++) { /* quadratic: 6 reach 1e-16 */
        rotate(M, W, 0, 1);
        rotate(M, W, 0, 2);
        rotate(M, W, 1, 2);
    }
    int order[3] = {0, 1, 2};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2 - i; j++)
            if (M[4 * order[j]] > M[4 * order[j + 1]]) {
                const int swap = order[j];
                order[j] = order[j + 1];
                order[j + 1] = swap;
            }
    for (int i = 0; i < 3; i++) {
        values[i] = M[4 * order[i]];
        memcpy(V + 3 * i, W + 3 * order[i], 3 * sizeof(double));
    }
}
