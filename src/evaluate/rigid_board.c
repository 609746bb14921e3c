/* Kabsch 1976 for points of a plane. With q of mean 0, p of mean 0 and the 3 x 2 matrix
 * H = sum p q^T, the columns r1, r2 of the rotation maximise tr([r1 r2]^T H): the orthonormal
 * matrix nearest to H, H (H^T H)^-1/2, with the inverse root of a 2 x 2 matrix in closed form; the
 * third column is r1 x r2. There is no reflection to be avoided: a flat board has none in space.
 * The best scale is tr((H^T H)^1/2) / sum |q|^2 (Umeyama 1991). */
#include "evaluate/rigid_board.h"

#include <math.h>

#include "math/vec.h"

/* Mean of both, and H about it. */
static double correlate(const double (*q)[2], const double (*p)[3], size_t count, double q_mean[2],
                        double p_mean[3], double H[6]) {
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 2; k++)
            q_mean[k] += q[i][k] / (double)count;
        for (int k = 0; k < 3; k++)
            p_mean[k] += p[i][k] / (double)count;
    }
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < 2; j++) {
            const double d = q[i][j] - q_mean[j];
            squares += d * d;
            for (int k = 0; k < 3; k++)
                H[2 * k + j] += (p[i][k] - p_mean[k]) * d;
        }
    return squares;
}

bool aqm_rigid_board_fit(const double (*on_board)[2], const double (*points)[3], size_t count,
                         AqmRigidBoard *out) {
    double q_mean[2] = {0}, p_mean[3] = {0}, H[6] = {0};
    if (count < 3)
        return false;
    const double squares = correlate(on_board, points, count, q_mean, p_mean, H);
    double a = 0.0, b = 0.0, c = 0.0; /* H^T H = [a b; b c] */
    for (int k = 0; k < 3; k++) {
        a += H[2 * k] * H[2 * k];
        b += H[2 * k] * H[2 * k + 1];
        c += H[2 * k + 1] * H[2 * k + 1];
    }
    const double det = a * c - b * b;
    if (!(det > 1e-12 * (a + c) * (a + c)))
        return false;
    /* root = (M + sqrt(det) I) / t with t = tr(root); its inverse by Cramer's rule */
    const double root_det = sqrt(det), t = sqrt(a + c + 2.0 * root_det);
    const double ra = (a + root_det) / t, rb = b / t, rc = (c + root_det) / t;
    double r1[3], r2[3], r3[3];
    for (int k = 0; k < 3; k++) {
        r1[k] = (H[2 * k] * rc - H[2 * k + 1] * rb) / root_det;
        r2[k] = (H[2 * k + 1] * ra - H[2 * k] * rb) / root_det;
    }
    aqm_cross3(r1, r2, r3);
    for (int k = 0; k < 3; k++) {
        out->R[3 * k] = r1[k], out->R[3 * k + 1] = r2[k], out->R[3 * k + 2] = r3[k];
        out->origin[k] = p_mean[k] - r1[k] * q_mean[0] - r2[k] * q_mean[1];
    }
    out->scale = t / squares;
    return true;
}

void aqm_rigid_board_place(const AqmRigidBoard *board, const double xy[2], double point[3]) {
    for (int k = 0; k < 3; k++)
        point[k] = board->R[3 * k] * xy[0] + board->R[3 * k + 1] * xy[1] + board->origin[k];
}
