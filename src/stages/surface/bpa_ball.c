/* The geometry of the rolling ball.
 *
 * A ball of radius r that touches a and b has its centre on the circle of radius rho = sqrt(r^2 -
 * h^2) about their midpoint m, h being half their distance: c = m + rho (u cos t + v sin t), with u
 * the direction of the centre at the start and v = e x u, e the direction from a to b, the one in
 * which it rolls off the triangle. With p = x.u, q = x.v (x relative to m), R^2 = p^2 + q^2 and
 *
 *     k = (|x|^2 - h^2) / (2 rho)
 *
 * |c - x| = r means p cos t + q sin t = k: the ball meets x where
 *
 *     R^2 cos t = p k + q D,   R^2 sin t = q k - p D,   D = sqrt(R^2 - k^2),
 *
 * and leaves it at the other root. It never does where R < |k|. Started empty, the ball is empty
 * where it meets its first point. Cost: a square root and two divisions for each of the points
 * within reach, about 15 ns. */
#include "stages/surface/bpa_ball.h"

#include <math.h>

#include "math/vec.h"

/* Points met within this turn of each other are met at once; relative to r for distances. Rounding
 * is some 1e-12, so grids and other exact figures fall together, and nothing else does. */
static const double SAME = 1e-7;

static void site_at(const AqmBpaSites *sites, uint32_t site, double out[3]) {
    for (int k = 0; k < 3; k++)
        out[k] = (double)sites->position[3 * (size_t)site + k];
}

static void sub(const double a[3], const double b[3], double out[3]) {
    for (int k = 0; k < 3; k++)
        out[k] = a[k] - b[k];
}

/* Grows with the angle of (c, s) from 0 to 4: the length along a square instead of a circle. */
static double turn_of(double c, double s) {
    const double along = s / (fabs(c) + fabs(s));
    return c < 0.0 ? 2.0 - along : s < 0.0 ? 4.0 + along : along;
}

/* ---- pivoting -------------------------------------------------------------------------------- */

typedef struct Hinge {
    double middle[3], u[3], v[3];
    double half2, rho; /* h^2, rho */
} Hinge;

/* false where the edge is longer than the ball is wide, or has no length. */
static bool set_hinge(const AqmBpaBall *ball, const uint32_t edge[2], const double center[3],
                      Hinge *hinge) {
    double a[3], b[3], along[3];
    site_at(ball->sites, edge[0], a);
    site_at(ball->sites, edge[1], b);
    sub(b, a, along);
    const double length = aqm_norm3(along);
    hinge->half2 = 0.25 * length * length;
    const double rho2 = ball->radius_m * ball->radius_m - hinge->half2;
    if (!(length > 0.0 && rho2 > 0.0))
        return false;
    hinge->rho = sqrt(rho2);
    for (int k = 0; k < 3; k++) {
        hinge->middle[k] = 0.5 * (a[k] + b[k]);
        along[k] /= length;
    }
    sub(center, hinge->middle, hinge->u);
    const double off = aqm_dot3(hinge->u, along);
    for (int k = 0; k < 3; k++)
        hinge->u[k] -= off * along[k];
    const double norm = aqm_norm3(hinge->u);
    if (!(norm > 0.0))
        return false;
    for (int k = 0; k < 3; k++)
        hinge->u[k] /= norm;
    aqm_cross3(along, hinge->u, hinge->v);
    return true;
}

/* Where the ball meets the point x; false where it never does. */
static bool meet(const Hinge *hinge, const double x[3], double *turn, double *c, double *s) {
    const double p = aqm_dot3(x, hinge->u), q = aqm_dot3(x, hinge->v);
    const double k = (aqm_dot3(x, x) - hinge->half2) / (2.0 * hinge->rho);
    const double R2 = p * p + q * q, D2 = R2 - k * k;
    if (!(D2 >= 0.0 && R2 > 0.0))
        return false;
    const double D = sqrt(D2);
    *c = (p * k + q * D) / R2;
    *s = (q * k - p * D) / R2;
    *turn = turn_of(*c, *s);
    if (*turn > 4.0 - SAME && q > 0.0) /* touched at the start, and in the way */
        *turn = 0.0;
    return true;
}

int aqm_bpa_ball_pivot(const AqmBpaBall *ball, const uint32_t edge[2], uint32_t opposite,
                       const double center[3], AqmBpaHit hits[AQM_BPA_HITS]) {
    Hinge hinge;
    if (!set_hinge(ball, edge, center, &hinge))
        return 0;
    const AqmBpaGrid *grid = ball->grid;
    const size_t near = aqm_bpa_grid_within(grid, grid->cell_of[edge[0]], hinge.middle,
                                            ball->radius_m + hinge.rho, ball->places);
    double least = 5.0;
    int count = 0;
    for (size_t i = 0; i < near; i++) {
        const uint32_t place = ball->places[i], site = grid->point[place];
        const double x[3] = {(double)grid->x[place] - hinge.middle[0],
                             (double)grid->y[place] - hinge.middle[1],
                             (double)grid->z[place] - hinge.middle[2]};
        double turn, c, s;
        if (site == edge[0] || site == edge[1] || site == opposite ||
            !meet(&hinge, x, &turn, &c, &s) || turn > least + SAME)
            continue;
        count = turn < least - SAME ? 0 : count;
        least = turn < least ? turn : least;
        if (count == AQM_BPA_HITS)
            continue;
        AqmBpaHit *hit = &hits[count++];
        hit->site = site;
        hit->turn = turn;
        for (int k = 0; k < 3; k++)
            hit->center[k] = hinge.middle[k] + hinge.rho * (c * hinge.u[k] + s * hinge.v[k]);
    }
    return count;
}

/* ---- resting --------------------------------------------------------------------------------- */

void aqm_bpa_triangle_normal(const AqmBpaSites *sites, const uint32_t triangle[3],
                             double normal[3]) {
    double corner[3][3], side[2][3];
    for (int k = 0; k < 3; k++)
        site_at(sites, triangle[k], corner[k]);
    sub(corner[1], corner[0], side[0]);
    sub(corner[2], corner[0], side[1]);
    aqm_cross3(side[0], side[1], normal);
}

bool aqm_bpa_has_normal(const AqmBpaSites *sites, uint32_t site) {
    const float *n = sites->normal + 3 * (size_t)site;
    return n[0] != 0.0f || n[1] != 0.0f || n[2] != 0.0f;
}

bool aqm_bpa_triangle_faces_out(const AqmBpaSites *sites, const uint32_t triangle[3]) {
    double normal[3];
    aqm_bpa_triangle_normal(sites, triangle, normal);
    for (int k = 0; k < 3; k++) {
        const float *n = sites->normal + 3 * (size_t)triangle[k];
        const double out[3] = {(double)n[0], (double)n[1], (double)n[2]};
        if (aqm_bpa_has_normal(sites, triangle[k]) && !(aqm_dot3(normal, out) > 0.0))
            return false;
    }
    return true;
}

/* The circumcentre in the triangle's plane, then up along the normal. With sides p, q from the
 * first corner and n = p x q it lies at (|p|^2 q x n + |q|^2 n x p) / (2 |n|^2). */
bool aqm_bpa_ball_rest(const AqmBpaBall *ball, const uint32_t triangle[3], double center[3]) {
    double corner[3][3], p[3], q[3], n[3], qn[3], np[3], out[3];
    for (int k = 0; k < 3; k++)
        site_at(ball->sites, triangle[k], corner[k]);
    sub(corner[1], corner[0], p);
    sub(corner[2], corner[0], q);
    aqm_cross3(p, q, n);
    aqm_cross3(q, n, qn);
    aqm_cross3(n, p, np);
    const double n2 = aqm_dot3(n, n), p2 = aqm_dot3(p, p), q2 = aqm_dot3(q, q);
    if (!(n2 > 1e-12 * p2 * q2)) /* on one line, but for a millionth */
        return false;
    for (int k = 0; k < 3; k++)
        out[k] = (p2 * qn[k] + q2 * np[k]) / (2.0 * n2);
    const double up2 = ball->radius_m * ball->radius_m - aqm_dot3(out, out);
    if (!(up2 >= 0.0))
        return false;
    const double up = sqrt(up2 / n2);
    for (int k = 0; k < 3; k++)
        center[k] = corner[0][k] + out[k] + up * n[k];
    return true;
}

bool aqm_bpa_ball_is_empty(const AqmBpaBall *ball, const uint32_t triangle[3],
                           const double center[3]) {
    const AqmBpaGrid *grid = ball->grid;
    const double inside = ball->radius_m * (1.0 - SAME);
    const size_t near =
        aqm_bpa_grid_within(grid, grid->cell_of[triangle[0]], center, ball->radius_m, ball->places);
    for (size_t i = 0; i < near; i++) {
        const uint32_t place = ball->places[i], site = grid->point[place];
        const double x[3] = {(double)grid->x[place] - center[0], (double)grid->y[place] - center[1],
                             (double)grid->z[place] - center[2]};
        if (site != triangle[0] && site != triangle[1] && site != triangle[2] &&
            aqm_dot3(x, x) < inside * inside)
            return false;
    }
    return true;
}
