/* Errors of neighbouring cells are not independent: matching windows, fusion and the surface fit
 * spread one error over millimetres to centimetres, and calibration and water level move whole
 * maps. A sum over n cells therefore varies by more than sqrt(n) sigma. How much more is measured
 * where nothing changed (Rolstad, Haug & Denby 2009, J. Glaciol. 55, 666-680; Hugonnet et al. 2022,
 * IEEE JSTARS 15, 6456-6472).
 *
 * Measured is what is asked for, the variance of sums: on the stable ground, blocks of n x n cells,
 * n = 1, 2, 3, 4, 6, 8, 12 ..., their means m_b, and
 *
 *     V(n) = mean of m_b^2                               (about 0: a common offset is an error too)
 *
 * as long as 12 blocks fit side by side; then all stable ground as a single block. A variogram of
 * cells would hide what matters: an error of 1 % of the variance that reaches over 20 cm lies far
 * below its noise, and outweighs all others in a sum over 20 cm. Averages over blocks uncover it.
 *
 * The mean is robust: squares beyond 9 V count as 9 V (Huber 1981, Proposal 2, at 3 sigma), divided
 * by 0.99501, what is left of 1 so for Gaussian errors.
 *
 * V is carried to other areas by a covariance, as both papers do, nested spherical models:
 *
 *     C(h) = sum_k c_k S(h / a_k),   S(t) = 1 - 1.5 t + 0.5 t^3 for t < 1, else 0,
 *
 * a_k = 0, 2, 4, 8, ... cells, infinity; c_k >= 0 by least squares of V_model(n) / V(n) - 1 with
 * weights of the freedom of V(n) (the number of blocks, at most 100, for no model is better than 10
 * %), the divisor being replaced by the model in five rounds, without which low values would weigh
 * more than high ones. V_model(n) is the double sum of C over a block. The part of infinite range
 * is at least the squared mean of all stable ground: what is seen of an offset counts in full, for
 * how much of it is chance a single number cannot tell (without this, 90.5 instead of 93.5 % of the
 * intervals held in simulations with an offset, and 94 instead of 95 % in those without).
 * Non-negative least squares by coordinate descent (Franc, Hlavac & Navara 2005).
 *
 * Variance of a sum: sum_ij w_i w_j C(h_ij). Component by component: the lags below a_k, over cells
 * that are added up in groups of a_k / 8 on a side, which changes the sum by less than 1 %. Cost:
 * about 150 multiplications a cell. */
#include "evaluate/nested_covariance.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/stats.h"

enum { FEWEST_BLOCKS = 12, MOST_FREEDOM = 100, ROUNDS = 5, SWEEPS = 2000, HUBER_STEPS = 30 };
static const double fewest_filled = 0.75; /* of a block's cells */

/* ---- moments of blocks ----------------------------------------------------------------------- */

/* Sums over all cells above and to the left, (columns + 1) x (rows + 1). */
typedef struct Tables {
    int columns, rows;
    double *sum;
    uint32_t *known;
} Tables;

static void fill_tables(const float *values, Tables *t) {
    const size_t stride = (size_t)t->columns + 1;
    for (size_t j = 0; j < (size_t)t->rows; j++) {
        double sum = 0.0;
        uint32_t known = 0;
        for (size_t i = 0; i < (size_t)t->columns; i++) {
            const float value = values[j * (size_t)t->columns + i];
            const size_t at = (j + 1) * stride + i + 1;
            if (!isnan(value)) {
                sum += (double)value;
                known++;
            }
            t->sum[at] = t->sum[at - stride] + sum;
            t->known[at] = t->known[at - stride] + known;
        }
    }
}

/* Means of the blocks of n x n cells with enough cells, overlapping by half; returns how many. */
static size_t block_means(const Tables *t, int n, double *means) {
    const size_t stride = (size_t)t->columns + 1, side = (size_t)n;
    const int step = n > 1 ? n / 2 : 1;
    size_t count = 0;
    for (int j = 0; j + n <= t->rows; j += step)
        for (int i = 0; i + n <= t->columns; i += step) {
            const size_t a = (size_t)j * stride + (size_t)i, b = a + side * stride;
            const uint32_t known =
                t->known[b + side] - t->known[b] - t->known[a + side] + t->known[a];
            if (known == 0 || known < fewest_filled * n * n)
                continue;
            means[count++] = (t->sum[b + side] - t->sum[b] - t->sum[a + side] + t->sum[a]) / known;
        }
    return count;
}

/* Mean square of `count` >= 1 values, robust; reorders and overwrites them. */
static double robust_moment(double *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] *= values[i];
    double moment = 1.4826 * 1.4826 * aqm_percentile_f64(values, count, 50.0);
    for (int step = 0; step < HUBER_STEPS; step++) {
        double sum = 0.0;
        for (size_t i = 0; i < count; i++)
            sum += fmin(values[i], 9.0 * moment);
        const double next = sum / (0.9950073 * (double)count);
        const bool is_settled = fabs(next - moment) <= 1e-6 * next;
        moment = next;
        if (is_settled)
            break;
    }
    return moment;
}

static void add_rung(AqmBlockMoments *out, double side, double moment, double freedom) {
    out->side[out->count] = side;
    out->moment[out->count] = moment;
    out->freedom[out->count] = fmin(freedom, MOST_FREEDOM);
    out->count++;
}

static void climb(const Tables *t, double *means, AqmBlockMoments *out) {
    const size_t stride = (size_t)t->columns + 1, last = stride * ((size_t)t->rows + 1) - 1;
    const uint32_t all = t->known[last];
    for (int n = 1, next; all > 0 && out->count + 1 < AQM_SCALES_MAX; n = next) {
        next = n < 2 ? 2 : (n & (n - 1)) == 0 ? n + n / 2 : n / 3 * 4; /* 2 3 4 6 8 12 16 .. */
        const size_t count = block_means(t, n, means);
        const double step = n > 1 ? n / 2 : 1,
                     apart = (double)count * step * step / ((double)n * n);
        if (apart < FEWEST_BLOCKS)
            break;
        add_rung(out, n, robust_moment(means, count), apart);
    }
    const double mean = all > 0 ? t->sum[last] / all : 0.0;
    if (all > 0)
        add_rung(out, sqrt((double)all), mean * mean, 1.0);
}

AqmStatus aqm_block_moments(const float *values, int columns, int rows, AqmBlockMoments *out,
                            AqmDiag *diag) {
    const size_t cells = (size_t)columns * (size_t)rows;
    const size_t entries = ((size_t)columns + 1) * ((size_t)rows + 1);
    Tables t = {columns, rows, aqm_calloc(entries, sizeof *t.sum),
                aqm_calloc(entries, sizeof *t.known)};
    double *means = aqm_alloc(cells, sizeof *means);
    AqmStatus status = AQM_OK;
    *out = (AqmBlockMoments){0};
    if (t.sum && t.known && means) {
        fill_tables(values, &t);
        climb(&t, means, out);
    } else {
        status = aqm_fail_memory(diag, "sums over blocks of a map", entries, 20);
    }
    aqm_free(t.sum);
    aqm_free(t.known);
    aqm_free(means);
    return status;
}

/* ---- the model ------------------------------------------------------------------------------- */

static double spherical(double t) {
    return t < 1.0 ? 1.0 - 1.5 * t + 0.5 * t * t * t : 0.0;
}

/* Mean square of the mean of `side` x `side` cells for unit variance. */
static double unit_moment(double range, double side) {
    if (isinf(range))
        return 1.0;
    if (range == 0.0)
        return 1.0 / (side * side);
    const int reach = (int)ceil(fmin(range, side));
    double sum = 0.0;
    for (int j = 0; j < reach; j++)
        for (int i = 0; i < reach; i++) { /* a quarter: each lag as often as it has signs */
            const double often = (i > 0 ? 2.0 : 1.0) * (j > 0 ? 2.0 : 1.0);
            sum += often * fmax(side - i, 0.0) * fmax(side - j, 0.0) *
                   spherical(sqrt((double)i * i + (double)j * j) / range);
        }
    return sum / (side * side * side * side);
}

double aqm_nested_block_moment(const AqmNestedCovariance *c, double side) {
    double moment = 0.0;
    for (size_t k = 0; k < c->count; k++)
        moment += c->variance[k] * unit_moment(c->range[k], side);
    return moment;
}

static void choose_ranges(double widest, AqmNestedCovariance *out) {
    out->range[out->count++] = 0.0;
    for (double range = 2.0; range <= widest && out->count + 1 < AQM_SCALES_MAX; range *= 2.0)
        out->range[out->count++] = range;
    out->range[out->count++] = (double)INFINITY;
}

/* min |A x - b| over x >= 0; A has `rows` rows of AQM_SCALES_MAX, `count` of which are used. */
static void solve_nonnegative(double A[][AQM_SCALES_MAX], const double *b, size_t rows,
                              size_t count, double *x) {
    double normal[AQM_SCALES_MAX][AQM_SCALES_MAX] = {{0}}, gradient[AQM_SCALES_MAX] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < count; i++) {
            gradient[i] -= A[r][i] * b[r];
            for (size_t j = 0; j < count; j++)
                normal[i][j] += A[r][i] * A[r][j];
        }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            gradient[i] += normal[i][j] * x[j];
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double moved = 0.0, total = 0.0;
        for (size_t i = 0; i < count; i++) {
            if (!(normal[i][i] > 0.0))
                continue;
            const double next = fmax(0.0, x[i] - gradient[i] / normal[i][i]), step = next - x[i];
            x[i] = next;
            moved += fabs(step);
            total += next;
            for (size_t j = 0; j < count && step != 0.0; j++)
                gradient[j] += normal[i][j] * step;
        }
        if (moved <= 1e-7 * total)
            break;
    }
}

void aqm_nested_covariance_fit(const AqmBlockMoments *moments, AqmNestedCovariance *out) {
    const size_t rows = moments->count;
    double A[AQM_SCALES_MAX][AQM_SCALES_MAX], b[AQM_SCALES_MAX], divisor[AQM_SCALES_MAX];
    *out = (AqmNestedCovariance){0};
    /* ranges that half of the ground holds: wider ones cannot be told from an offset */
    choose_ranges(0.5 * moments->side[rows - 1], out);
    double unit[AQM_SCALES_MAX][AQM_SCALES_MAX];
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < out->count; k++)
            unit[r][k] = unit_moment(out->range[k], moments->side[r]);
        /* a single square says next to nothing of its own size */
        divisor[r] = r > 0 && r + 1 == rows ? divisor[r - 1] : moments->moment[r];
    }
    if (!(moments->moment[0] > 0.0))
        return; /* no errors at all: every variance is 0 */
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t r = 0; r < rows; r++) {
            const double weight = sqrt(moments->freedom[r]) / fmax(divisor[r], 1e-300);
            b[r] = weight * moments->moment[r];
            for (size_t k = 0; k < out->count; k++)
                A[r][k] = weight * unit[r][k];
        }
        solve_nonnegative(A, b, rows, out->count, out->variance);
        for (size_t r = 0; r < rows; r++) {
            divisor[r] = 0.0;
            for (size_t k = 0; k < out->count; k++)
                divisor[r] += out->variance[k] * unit[r][k];
        }
    }
    double *offset = &out->variance[out->count - 1];
    *offset = fmax(*offset, moments->moment[rows - 1]);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* The part of a map outside which all weights are 0. */
typedef struct Patch {
    const float *weights; /* of its first cell */
    size_t stride;
    int columns, rows;
} Patch;

static Patch crop(const float *weights, int columns, int rows) {
    int left = columns, right = -1, top = rows, bottom = -1;
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < columns; i++) {
            if (weights[(size_t)j * (size_t)columns + (size_t)i] == 0.0f)
                continue;
            left = i < left ? i : left, right = i > right ? i : right;
            top = j < top ? j : top, bottom = j;
        }
    const size_t first = right < 0 ? 0 : (size_t)top * (size_t)columns + (size_t)left;
    return (Patch){weights + first, (size_t)columns, right < 0 ? 0 : right - left + 1,
                   right < 0 ? 0 : bottom - top + 1};
}

/* Weights added up in groups of `side` x `side` cells. */
typedef struct Groups {
    size_t columns, rows;
    double *weight;
} Groups;

static AqmStatus group_weights(const Patch *patch, int side, Groups *out, AqmDiag *diag) {
    out->columns = (size_t)((patch->columns + side - 1) / side);
    out->rows = (size_t)((patch->rows + side - 1) / side);
    out->weight = aqm_calloc(out->columns * out->rows, sizeof *out->weight);
    if (!out->weight)
        return aqm_fail_memory(diag, "weights of a map", out->columns * out->rows, sizeof(double));
    for (int j = 0; j < patch->rows; j++)
        for (int i = 0; i < patch->columns; i++)
            out->weight[(size_t)(j / side) * out->columns + (size_t)(i / side)] +=
                (double)patch->weights[(size_t)j * patch->stride + (size_t)i];
    return AQM_OK;
}

/* Sum of the products of groups (di, dj) apart; dj >= 0. */
static double lag_product(const Groups *g, int di, int dj) {
    const size_t from = di < 0 ? (size_t)-di : 0, shift = (size_t)dj * g->columns;
    const size_t end = di > 0 ? g->columns - (size_t)di : g->columns;
    double sum = 0.0;
    for (size_t j = 0; j + (size_t)dj < g->rows; j++) {
        const double *row = g->weight + j * g->columns;
        for (size_t i = from; i < end; i++)
            sum += row[i] * row[(ptrdiff_t)(i + shift) + di];
    }
    return sum;
}

/* sum_ij w_i w_j S(h_ij / range) of the groups, range <= REACH of them. Rows of lags are summed
 * apart and then in order, so that the number of threads changes nothing. */
static double component_sum(const Groups *g, double range, int threads) {
    enum { REACH = 16 };
    double by_row[REACH + 1] = {0};
    const int reach = (int)range;
#pragma omp parallel for schedule(dynamic, 1) num_threads(aqm_thread_count(threads))
    for (int dj = 0; dj <= reach; dj++)
        for (int di = dj == 0 ? 0 : -reach; di <= reach; di++) {
            const double s = spherical(sqrt((double)di * di + (double)dj * dj) / range);
            if (!(s > 0.0) || (size_t)abs(di) >= g->columns)
                continue;
            by_row[dj] += (di == 0 && dj == 0 ? 1.0 : 2.0) * s * lag_product(g, di, dj);
        }
    double sum = 0.0;
    for (int dj = 0; dj <= reach; dj++)
        sum += by_row[dj];
    return sum;
}

static AqmStatus add_component(double range, const Patch *patch, int threads, double *sum,
                               AqmDiag *diag) {
    const int side = range > 8.0 && !isinf(range) ? (int)(range / 8.0) : 1;
    Groups g;
    AQM_TRY(group_weights(patch, side, &g, diag));
    const size_t count = g.columns * g.rows;
    double total = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        total += g.weight[i];
        squares += g.weight[i] * g.weight[i];
    }
    *sum = isinf(range)   ? total * total
           : range == 0.0 ? squares
                          : component_sum(&g, range / side, threads);
    aqm_free(g.weight);
    return AQM_OK;
}

AqmStatus aqm_nested_sum_variance(const AqmNestedCovariance *covariance, const float *weights,
                                  int columns, int rows, int threads, double *variance,
                                  AqmDiag *diag) {
    const Patch patch = crop(weights, columns, rows);
    double all = 0.0;
    for (size_t k = 0; k < covariance->count; k++) {
        double sum = 0.0;
        if (!(covariance->variance[k] > 0.0))
            continue;
        AQM_TRY(add_component(covariance->range[k], &patch, threads, &sum, diag));
        all += covariance->variance[k] * sum;
    }
    *variance = all;
    return AQM_OK;
}
