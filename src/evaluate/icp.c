/* Iterated closest points with distances to planes (Chen & Medioni 1992), robust.
 *
 * Each round pairs every point p of `moving` (as moved so far) with the nearest point q of `fixed`,
 * normal n, if that is within max_distance, and takes the small motion (turn w about c, the centre
 * of the pairs, then shift s) that makes
 *
 *     sum_i b_i (r_i + J_i (L w, s))^2,   r = n . (p - q),   J = ((p - c) x n / L, n)
 *
 * least; L, the root mean square distance from c, makes turns and shifts comparable. The weights
 * are Tukey's biweight, b = (1 - u^2)^2 for |u| < 1, u = r / (4.685 m), m = 1.4826 median |r|: what
 * changed between the two lies outside and weighs nothing, as long as less than half did. Ended
 * when a step moves no pair by 1e-8 m.
 *
 * Surfaces may leave motions open: a plane slides along itself and turns in itself. The eigenvalues
 * of sum b J J' / sum b are the mean squared motion along the normals for a unit motion; below
 * 4e-4, slopes of 2 % (root mean square), noise of the normals cannot be told from shape. Nothing
 * is moved along such a direction, and they are counted. (Gelfand et al. 2003, "Geometrically
 * stable sampling", look at the same eigenvalues.)
 *
 * Covariance: errors of neighbouring points are those of the same matching window, so the usual s^2
 * (J'J)^-1 would be far too small. Instead scores are summed over squares of an eighth of the
 * extent, g_k = sum b r J, and P = B (sum_k g_k g_k') B, B the inverse of sum b J J' (a sandwich
 * over clusters, Liang & Zeger 1986), times K / (K - 1) and times (sum b / sum psi')^2 for the
 * biweight's own slope psi' = (1 - u^2)(1 - 5 u^2). In
 * 40 simulations with errors shared over 21 mm the transforms varied by 1.0 to 1.4 of what P says.
 *
 * Cost: 1 us a point and round, at most 50000 points; the index over `fixed` costs more. */
#include <math.h>
#include <string.h>

#include "aquamvs/evaluate.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "evaluate/cloud_normals.h"
#include "evaluate/icp_solve.h"
#include "geometry/neighbors.h"
#include "math/stats.h"
#include "math/vec.h"

enum { N = AQM_RIGID, FEWEST_PAIRS = 100, CLUSTERS = 8 };
static const double tukey_cut = 4.685, settled_m = 1e-8, least_slope2 = 4e-4;
static const double finest_m = 1e-7; /* of the spread: positions are floats */

typedef struct Pair {
    double p[3], n[3]; /* the moved point, the normal of its partner */
    double r;          /* metres */
    bool is_pair;
} Pair;

typedef struct Icp {
    const AqmCloud *fixed, *moving;
    const AqmIcpOptions *options;
    const float *normals; /* of fixed */
    const AqmNeighbors *neighbors;
    Pair *pairs; /* one a point that is used */
    size_t points;
    double *sorted; /* scratch */
    size_t count;   /* of pairs */
    double scale_m; /* m of the weights */
    double center[3], radius_m, reach_m;
} Icp;

AqmIcpOptions aqm_icp_options_default(void) {
    return (AqmIcpOptions){.max_distance_m = 0.01, .max_iterations = 60, .max_points = 50000};
}

static AqmStatus check(const AqmIcpOptions *o, AqmDiag *diag) {
    if (!(o->max_distance_m >= 1e-9 && o->max_distance_m <= 1000.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "icp_max_distance of %g m: must be in 1e-9..1000",
                        o->max_distance_m);
    if (o->max_iterations < 1 || o->max_iterations > 1000)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_iterations of %d: must be in 1..1000",
                        o->max_iterations);
    if (o->max_points < FEWEST_PAIRS)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_points of %zu: must be at least %d",
                        o->max_points, FEWEST_PAIRS);
    return AQM_OK;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void find_pair(const Icp *icp, const AqmAlignment *motion, size_t k, Pair *pair) {
    const size_t i = (size_t)((double)k * (double)icp->moving->count / (double)icp->points);
    const float *from = icp->moving->position + 3 * i;
    const double p[3] = {from[0], from[1], from[2]};
    float query[3], distance;
    uint32_t index;
    aqm_mul33v(motion->R, p, pair->p);
    for (int c = 0; c < 3; c++) {
        pair->p[c] += motion->t[c];
        query[c] = (float)pair->p[c];
    }
    pair->is_pair = isfinite(query[0]) && isfinite(query[1]) && isfinite(query[2]) &&
                    aqm_neighbors_distance(icp->neighbors, query,
                                           (float)icp->options->max_distance_m, &distance, &index);
    if (!pair->is_pair)
        return;
    const float *q = icp->fixed->position + 3 * (size_t)index;
    const float *n = icp->normals + 3 * (size_t)index;
    pair->r = 0.0;
    for (int c = 0; c < 3; c++) {
        pair->n[c] = n[c];
        pair->r += (double)n[c] * (pair->p[c] - (double)q[c]);
    }
    pair->is_pair = aqm_dot3(pair->n, pair->n) > 0.5; /* a partner without a normal tells nothing */
}

/* Centre, radius and spread of the pairs there are. */
static void describe_pairs(Icp *icp) {
    double sum[3] = {0}, squares = 0.0, farthest = 0.0;
    icp->count = 0;
    for (size_t k = 0; k < icp->points; k++) {
        const Pair *pair = &icp->pairs[k];
        if (!pair->is_pair)
            continue;
        icp->sorted[icp->count++] = fabs(pair->r);
        for (int c = 0; c < 3; c++)
            sum[c] += pair->p[c];
    }
    if (icp->count == 0)
        return;
    icp->scale_m = fmax(1.4826 * aqm_percentile_f64(icp->sorted, icp->count, 50.0), finest_m);
    for (int c = 0; c < 3; c++)
        icp->center[c] = sum[c] / (double)icp->count;
    for (size_t k = 0; k < icp->points; k++) {
        const Pair *pair = &icp->pairs[k];
        if (!pair->is_pair)
            continue;
        double d2 = 0.0;
        for (int c = 0; c < 3; c++)
            d2 += (pair->p[c] - icp->center[c]) * (pair->p[c] - icp->center[c]);
        squares += d2;
        farthest = fmax(farthest, d2);
    }
    icp->radius_m = fmax(sqrt(squares / (double)icp->count), 1e-12);
    icp->reach_m = sqrt(farthest);
}

static AqmStatus pair_up(Icp *icp, const AqmAlignment *motion, AqmDiag *diag) {
#pragma omp parallel for schedule(dynamic, 512) num_threads(aqm_thread_count(icp->options->threads))
    for (size_t k = 0; k < icp->points; k++)
        find_pair(icp, motion, k, &icp->pairs[k]);
    describe_pairs(icp);
    if (icp->count < FEWEST_PAIRS)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "alignment: %zu of %zu points have a partner within %g m, at least %d are "
                        "needed: the surfaces do not overlap, or lie farther apart than "
                        "icp_max_distance",
                        icp->count, icp->points, icp->options->max_distance_m, FEWEST_PAIRS);
    return AQM_OK;
}

static double root_mean_square(const Icp *icp, double limit_m) {
    double sum = 0.0;
    size_t count = 0;
    for (size_t k = 0; k < icp->points; k++)
        if (icp->pairs[k].is_pair && fabs(icp->pairs[k].r) < limit_m) {
            sum += icp->pairs[k].r * icp->pairs[k].r;
            count++;
        }
    return count > 0 ? sqrt(sum / (double)count) : 0.0;
}

/* ---- one step -------------------------------------------------------------------------------- */

/* J of a pair, and its weight: 0 for outliers. */
static double row_of(const Icp *icp, const Pair *pair, double J[N]) {
    double arm[3];
    for (int c = 0; c < 3; c++)
        arm[c] = pair->p[c] - icp->center[c];
    aqm_cross3(arm, pair->n, J);
    for (int c = 0; c < 3; c++) {
        J[c] /= icp->radius_m;
        J[3 + c] = pair->n[c];
    }
    const double u = pair->r / (tukey_cut * icp->scale_m);
    return fabs(u) < 1.0 ? (1.0 - u * u) * (1.0 - u * u) : 0.0;
}

/* sum b J J' / sum b, - sum b J r / sum b; returns sum b. In the order of the points. */
static double normal_equations(const Icp *icp, double A[N * N], double b[N]) {
    double sum = 0.0;
    memset(A, 0, N * N * sizeof *A);
    memset(b, 0, N * sizeof *b);
    for (size_t k = 0; k < icp->points; k++) {
        double J[N];
        const double weight = icp->pairs[k].is_pair ? row_of(icp, &icp->pairs[k], J) : 0.0;
        if (!(weight > 0.0))
            continue;
        sum += weight;
        for (int i = 0; i < N; i++) {
            b[i] -= weight * J[i] * icp->pairs[k].r;
            for (int j = 0; j < N; j++)
                A[N * i + j] += weight * J[i] * J[j];
        }
    }
    for (int i = 0; i < N * N; i++)
        A[i] /= sum;
    for (int i = 0; i < N; i++)
        b[i] /= sum;
    return sum;
}

/* The rotation about `turn` by its length (Rodrigues 1840). */
static void rotation_of(const double turn[3], double R[9]) {
    const double angle = aqm_norm3(turn), half = 0.5 * angle;
    const double s = angle > 1e-12 ? sin(angle) / angle : 1.0;
    const double q = angle > 1e-12 ? sin(half) / half : 1.0, v = 0.5 * q * q;
    const double x = turn[0], y = turn[1], z = turn[2];
    const double out[9] = {
        1.0 - v * (y * y + z * z), v * x * y - s * z,         v * x * z + s * y,
        v * x * y + s * z,         1.0 - v * (x * x + z * z), v * y * z - s * x,
        v * x * z - s * y,         v * y * z + s * x,         1.0 - v * (x * x + y * y)};
    memcpy(R, out, sizeof out);
}

/* Adds the small motion x = (L w, s) to `motion`; returns how far it moves the farthest pair. */
static double apply_step(const Icp *icp, const double x[N], AqmAlignment *motion) {
    double turn[3], step[9], R[9], arm[3];
    for (int c = 0; c < 3; c++) {
        turn[c] = x[c] / icp->radius_m;
        arm[c] = motion->t[c] - icp->center[c];
    }
    rotation_of(turn, step);
    aqm_mul33(step, motion->R, R);
    memcpy(motion->R, R, sizeof R);
    aqm_mul33v(step, arm, motion->t);
    for (int c = 0; c < 3; c++)
        motion->t[c] += icp->center[c] + x[3 + c];
    return aqm_norm3(turn) * icp->reach_m + aqm_norm3(x + 3);
}

/* ---- uncertainty ----------------------------------------------------------------------------- */

/* Sums of the scores b r J over squares; returns how many hold a pair. */
static int cluster_scores(const Icp *icp, double scores[CLUSTERS * CLUSTERS][N]) {
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    bool used[CLUSTERS * CLUSTERS] = {false};
    for (size_t k = 0; k < icp->points; k++)
        for (int c = 0; c < 2 && icp->pairs[k].is_pair; c++) {
            low[c] = fmin(low[c], icp->pairs[k].p[c]);
            high[c] = fmax(high[c], icp->pairs[k].p[c]);
        }
    const double side = fmax(high[0] - low[0], high[1] - low[1]) * (1.0 + 1e-9) / CLUSTERS + 1e-12;
    for (size_t k = 0; k < icp->points; k++) {
        double J[N];
        const Pair *pair = &icp->pairs[k];
        const double weight = pair->is_pair ? row_of(icp, pair, J) : 0.0;
        if (!(weight > 0.0))
            continue;
        const int cell =
            (int)((pair->p[1] - low[1]) / side) * CLUSTERS + (int)((pair->p[0] - low[0]) / side);
        used[cell] = true;
        for (int i = 0; i < N; i++)
            scores[cell][i] += weight * pair->r * J[i];
    }
    int count = 0;
    for (int cell = 0; cell < CLUSTERS * CLUSTERS; cell++)
        count += used[cell];
    return count;
}

static double mean_slope_of_psi(const Icp *icp) {
    double sum = 0.0;
    for (size_t k = 0; k < icp->points; k++) {
        const double u = icp->pairs[k].r / (tukey_cut * icp->scale_m);
        if (icp->pairs[k].is_pair && fabs(u) < 1.0)
            sum += (1.0 - u * u) * (1.0 - 5.0 * u * u);
    }
    return sum;
}

static void find_covariance(const Icp *icp, AqmAlignment *out) {
    double A[N * N], b[N], x[N], inverse[N * N], scores[CLUSTERS * CLUSTERS][N] = {{0}};
    double meat[N * N] = {0}, half[N * N] = {0};
    const double sum = normal_equations(icp, A, b);
    out->free_directions = aqm_solve_where_known(A, b, least_slope2, x, inverse);
    const int clusters = cluster_scores(icp, scores);
    for (int cell = 0; cell < CLUSTERS * CLUSTERS; cell++)
        for (int i = 0; i < N * N; i++)
            meat[i] += scores[cell][i / N] * scores[cell][i % N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++)
                half[N * i + j] += inverse[N * i + k] * meat[N * k + j];
    const double spread = sum / fmax(mean_slope_of_psi(icp), 0.1 * sum);
    const double factor =
        spread * spread / (sum * sum) * (clusters > 1 ? clusters / (clusters - 1.0) : 1.0);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double value = 0.0;
            for (int k = 0; k < N; k++)
                value += half[N * i + k] * inverse[N * k + j];
            const double unit = (i < 3 ? icp->radius_m : 1.0) * (j < 3 ? icp->radius_m : 1.0);
            out->covariance[N * i + j] = factor * value / unit;
        }
    for (int c = 0; c < 3; c++) {
        out->sigma_turn_rad[c] = sqrt(fmax(out->covariance[(N + 1) * c], 0.0));
        out->sigma_shift_m[c] = sqrt(fmax(out->covariance[(N + 1) * (c + 3)], 0.0));
        out->center[c] = icp->center[c];
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void describe_end(const Icp *icp, AqmAlignment *out) {
    const double cut = tukey_cut * icp->scale_m;
    size_t inliers = 0;
    for (size_t k = 0; k < icp->points; k++)
        inliers += icp->pairs[k].is_pair && fabs(icp->pairs[k].r) < cut;
    out->points = icp->points;
    out->pairs = icp->count;
    out->inlier_share = (double)inliers / (double)icp->count;
    out->rms_after_m = root_mean_square(icp, (double)INFINITY);
    out->inlier_rms_m = root_mean_square(icp, cut);
    find_covariance(icp, out);
}

static AqmStatus iterate(Icp *icp, AqmAlignment *out, AqmDiag *diag) {
    AQM_TRY(pair_up(icp, out, diag));
    out->rms_before_m = root_mean_square(icp, (double)INFINITY);
    while (!out->converged && out->iterations < icp->options->max_iterations) {
        double A[N * N], b[N], x[N];
        (void)normal_equations(icp, A, b);
        (void)aqm_solve_where_known(A, b, least_slope2, x, NULL);
        out->converged = apply_step(icp, x, out) < settled_m;
        out->iterations++;
        AQM_TRY(pair_up(icp, out, diag));
    }
    describe_end(icp, out);
    return AQM_OK;
}

static AqmStatus align(Icp *icp, AqmAlignment *out, AqmDiag *diag) {
    icp->points = icp->moving->count < icp->options->max_points ? icp->moving->count
                                                                : icp->options->max_points;
    icp->pairs = aqm_alloc(icp->points, sizeof *icp->pairs);
    icp->sorted = aqm_alloc(icp->points, sizeof *icp->sorted);
    if (!icp->pairs || !icp->sorted)
        return aqm_fail_memory(diag, "pairs of points", icp->points, sizeof *icp->pairs);
    return iterate(icp, out, diag);
}

AqmStatus aqm_icp_align(const AqmCloud *fixed, const AqmCloud *moving, const AqmIcpOptions *options,
                        AqmAlignment *out, AqmDiag *diag) {
    AqmAlignment result = {.R = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
    AqmNeighbors *neighbors = NULL;
    float *own = NULL;
    Icp icp = {.fixed = fixed, .moving = moving, .options = options};
    AqmStatus status;
    AQM_TRY_GOTO(status, done, check(options, diag));
    AQM_TRY_GOTO(
        status, done,
        aqm_neighbors_create(&neighbors, fixed->position, fixed->count, options->threads, diag));
    AQM_TRY_GOTO(status, done, aqm_cloud_normals(fixed, neighbors, options->threads, &own, diag));
    icp.neighbors = neighbors;
    icp.normals = own ? own : fixed->normal;
    status = align(&icp, &result, diag);
    if (status == AQM_OK)
        *out = result;
done:
    aqm_neighbors_destroy(&neighbors);
    aqm_free(own);
    aqm_free(icp.pairs);
    aqm_free(icp.sorted);
    return status;
}

static void move(float *v, const double R[9], const double t[3]) {
    double p[3] = {v[0], v[1], v[2]};
    aqm_mul33v(R, p, p);
    for (int c = 0; c < 3; c++)
        v[c] = (float)(p[c] + (t ? t[c] : 0.0));
}

void aqm_cloud_move(AqmCloud *cloud, const double R[9], const double t[3]) {
    for (size_t i = 0; i < cloud->count; i++) {
        move(cloud->position + 3 * i, R, t);
        move(cloud->normal + 3 * i, R, NULL);
    }
}
