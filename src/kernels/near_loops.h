/* Loops of matching near a surface in plain C: the reference (near_ref.c), and compiled once more
 * for AVX2 what near_avx2.c and near_rows_avx2.c do not write by hand: rows shorter than a vector,
 * mostly. Included by those three files only; inline, for none uses all. */
#ifndef AQM_KERNELS_NEAR_LOOPS_H
#define AQM_KERNELS_NEAR_LOOPS_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/near_kernels.h"
#include "kernels/window_stats.h"

/* Coefficient k of a cell: at its first pixel, and the move from one pixel to the next. */
static inline void cut_cell(const AqmBentKnots *knots, size_t k, size_t cell, float *left,
                            float *step) {
    const float *top = knots->top[k] + cell, *bottom = knots->bottom[k] + cell;
    const float right = top[1] + knots->down * (bottom[1] - top[1]);
    *left = top[0] + knots->down * (bottom[0] - top[0]);
    *step = (right - *left) * 0.125f;
}

static inline void loops_bend_row(const AqmBentKnots *knots, const float *q, size_t cells,
                                  float half, float *const out[4]) {
    for (size_t x = 0; x < 8 * cells; x++)
        for (size_t axis = 0; axis < 2; axis++) {
            float c[3], left, step;
            for (size_t k = 0; k < 3; k++) {
                cut_cell(knots, 2 * k + axis, x / 8, &left, &step);
                c[k] = left + (float)(x % 8) * step;
            }
            const float bent = q[x] * c[2], value = c[0] + q[x] * (c[1] + bent);
            const float slope = knots->scale * (c[1] + 2.0f * bent), move = half * slope;
            out[axis][x] = half != 0.0f ? value - move : value;
            out[2 + axis][x] = half != 0.0f ? value + move : slope;
        }
}

/* out[x] = c[x] + ... + c[x + window - 1], exact, from sums over powers of two: sum(2 k) at x is
 * sum(k) at x plus sum(k) at x + k. `power`: n + window entries. */
static inline void pair_box(const int32_t *c, int window, size_t n, int32_t *restrict power,
                            int32_t *restrict out) {
    const size_t length = n + (size_t)window - 1;
    size_t covered = 1;
    memcpy(power, c, length * sizeof *power);
    memcpy(out, c, n * sizeof *out); /* windows are odd */
    for (size_t bit = 2; covered < (size_t)window; bit *= 2) {
        for (size_t x = 0; x + bit <= length; x++)
            power[x] += power[x + bit / 2];
        if (!((size_t)window & bit))
            continue;
        for (size_t x = 0; x < n; x++)
            out[x] += power[x + covered];
        covered += bit;
    }
}

/* The sums of one window. */
typedef struct PairWindow {
    int32_t count, a, b, aa, ab, bb, ia, ib;
    AqmWindowStats i;
} PairWindow;

static inline void fit_window(const PairWindow *w, float inverse_count, float inverse_spacing,
                              float flat, float worth, size_t x, const AqmPairFit *fit) {
    const AqmWindowStats a = aqm_window_stats(w->a, w->aa, w->count, inverse_count);
    const AqmWindowStats b = aqm_window_stats(w->b, w->bb, w->count, inverse_count);
    const float ab = aqm_window_covariance(w->ab, w->b, a.mean, a.rest, inverse_count);
    const float ia = aqm_window_covariance(w->ia, w->a, w->i.mean, w->i.rest, inverse_count);
    const float ib = aqm_window_covariance(w->ib, w->b, w->i.mean, w->i.rest, inverse_count);
    /* J = (a + b) / 2 and G = (b - a) / spacing */
    const float vj = 0.25f * ((a.variance + b.variance) + (ab + ab));
    const float vjg = 0.5f * (b.variance - a.variance) * inverse_spacing;
    const float vg = ((a.variance + b.variance) - (ab + ab)) * inverse_spacing * inverse_spacing;
    const float cij = 0.5f * (ia + ib), cig = (ib - ia) * inverse_spacing;
    const int usable = (vj > flat) & (w->i.variance > flat);
    const float safe_j = usable ? vj : 1.0f, safe_i = usable ? w->i.variance : 1.0f;
    const float norm = 1.0f / (sqrtf(safe_j) * sqrtf(safe_i)), share = vjg / safe_j;
    const float information = (vg - vjg * share) / safe_j;
    fit->score[x] = usable ? cij * norm : 0.0f;
    fit->slope[x] = usable ? (cig - cij * share) * norm * worth : 0.0f;
    fit->information[x] = usable && information > 0.0f ? information * worth : 0.0f;
}

/* The seven box sums of a row of whole windows, in the order a, b, aa, ab, bb, ia, ib. */
static inline void pair_boxes(const AqmPairSums *sums, int window, size_t n, int32_t *scratch,
                              int32_t *box[7]) {
    const int32_t *columns[7] = {sums->a,  sums->b,  sums->aa, sums->ab,
                                 sums->bb, sums->ia, sums->ib};
    int32_t *to = scratch + n + (size_t)window; /* after what pair_box takes */
    for (size_t k = 0; k < 7; k++) {
        box[k] = to + k * n;
        pair_box(columns[k], window, n, scratch, box[k]);
    }
}

static inline void loops_pair_fit(const AqmPairSums *sums, const AqmReferenceStats *reference,
                                  int window, float spacing, size_t n, int32_t *scratch,
                                  const AqmPairFit *fit) {
    int32_t *box[7];
    pair_boxes(sums, window, n, scratch, box);
    const int32_t count = window * window;
    const float flat = aqm_flat_variance((float)count), inverse = 1.0f / (float)count;
    for (size_t x = 0; x < n; x++) {
        const AqmWindowStats i = {reference->mean[x], reference->rest[x], reference->variance[x]};
        const PairWindow w = {count,     box[0][x], box[1][x], box[2][x], box[3][x],
                              box[4][x], box[5][x], box[6][x], i};
        fit_window(&w, inverse, 1.0f / spacing, flat, 1.0f, x, fit);
    }
}

static inline void loops_pair_fit_masked(const AqmPairSums *sums, int window, int min_count,
                                         float spacing, size_t n, int32_t *scratch,
                                         const AqmPairFit *fit) {
    const float all = 1.0f / (float)(window * window);
    const int32_t *columns[10] = {sums->a,  sums->b,  sums->aa,    sums->ab, sums->bb,
                                  sums->ia, sums->ib, sums->count, sums->i,  sums->ii};
    int32_t *box[10];
    for (size_t k = 0; k < 10; k++) {
        box[k] = scratch + n + (size_t)window + k * n;
        pair_box(columns[k], window, n, scratch, box[k]);
    }
    for (size_t x = 0; x < n; x++) {
        const int32_t count = box[7][x] > 0 ? box[7][x] : 1;
        const float inverse = 1.0f / (float)count, part = (float)count * all;
        const float flat = count >= min_count ? aqm_flat_variance((float)count) : INFINITY;
        const PairWindow w = {
            count,     box[0][x], box[1][x],
            box[2][x], box[3][x], box[4][x],
            box[5][x], box[6][x], aqm_window_stats(box[8][x], box[9][x], count, inverse)};
        const float part2 = part * part;
        fit_window(&w, inverse, 1.0f / spacing, flat, part2 * part2, x, fit);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

enum { NEAR_BLOCK = 64 };

static inline float near_larger(float a, float b) {
    return a > b ? a : b;
}
static inline float near_smaller(float a, float b) {
    return a < b ? a : b;
}

/* 0 where score is at most `floor` of best, 1 from `full` of it on. */
static inline float near_weight(float score, float best, float floor, float full) {
    const float share = (score / near_larger(best, 1e-6f) - floor) / (full - floor);
    const float weight = near_smaller(near_larger(share, 0.0f), 1.0f);
    return score > 0.0f ? weight : 0.0f;
}

static inline void solve_block(const AqmPairFit *fits, size_t source_count,
                               const AqmPairRules *rules, size_t at, size_t n,
                               float *restrict shift, float *restrict sigma,
                               float *restrict score) {
    float best[NEAR_BLOCK] = {0}, slope[NEAR_BLOCK] = {0}, stiff[NEAR_BLOCK] = {0};
    float noise[NEAR_BLOCK] = {0}, weights[NEAR_BLOCK] = {0}, scores[NEAR_BLOCK] = {0};
    for (size_t s = 0; s < source_count; s++)
        for (size_t x = 0; x < n; x++)
            best[x] = near_larger(best[x], fits[s].score[at + x]);
    for (size_t s = 0; s < source_count; s++) {
        const float *restrict r = fits[s].score + at, *restrict dr = fits[s].slope + at;
        const float *restrict a = fits[s].information + at;
        for (size_t x = 0; x < n; x++) {
            const float w = near_weight(r[x], best[x], rules->weight_floor, rules->weight_full);
            const float rest = 1.0f - r[x] * r[x];
            weights[x] += w;
            scores[x] += w * r[x];
            slope[x] += w * dr[x];
            stiff[x] += w * r[x] * near_larger(a[x] - rules->noise_share * rest, 0.0f);
            noise[x] += w * w * a[x] * rest;
        }
    }
    for (size_t x = 0; x < n; x++) {
        const int is_known = weights[x] > 0.0f;
        const float inverse = 1.0f / (stiff[x] + rules->prior), t = slope[x] * inverse;
        const float move = near_smaller(near_larger(t, -rules->most_px), rules->most_px);
        const float bend = rules->shift_share * move;
        const float variance = rules->gain * near_larger(noise[x], 0.0f) * inverse * inverse;
        const float left = rules->base_px * rules->prior * inverse;
        const float deviation =
            sqrtf(variance + rules->floor_px * rules->floor_px + bend * bend + left * left);
        shift[at + x] = is_known ? move : NAN;
        sigma[at + x] = is_known ? deviation : NAN;
        score[at + x] = is_known ? scores[x] / weights[x] : 0.0f;
    }
}

static inline void loops_pair_solve(const AqmPairFit *fits, size_t source_count,
                                    const AqmPairRules *rules, size_t n, float *shift, float *sigma,
                                    float *score) {
    for (size_t at = 0; at < n; at += NEAR_BLOCK)
        solve_block(fits, source_count, rules, at, n - at < NEAR_BLOCK ? n - at : NEAR_BLOCK, shift,
                    sigma, score);
}

/* The highest score of a source at each pixel, 0 where its curve is not whole. In units of scores,
 * as are curves until they are joined. */
static inline void curve_top(const int16_t *restrict scores, size_t stride, int length, size_t n,
                             float *restrict top) {
    int16_t high[NEAR_BLOCK], low[NEAR_BLOCK];
    for (size_t x = 0; x < n; x++)
        high[x] = low[x] = scores[x];
    for (int k = 1; k < length; k++) {
        const int16_t *restrict row = scores + (size_t)k * stride;
        for (size_t x = 0; x < n; x++) {
            high[x] = high[x] > row[x] ? high[x] : row[x];
            low[x] = low[x] < row[x] ? low[x] : row[x];
        }
    }
    for (size_t x = 0; x < n; x++)
        top[x] = ((low[x] > AQM_SCORE_MISSING) & (high[x] > 0)) ? (float)high[x] : 0.0f;
}

/* The weighted mean of the sources' curves; total weights. */
static inline void join_curves(const AqmCurves *curves, size_t at, size_t n,
                               float (*restrict joined)[NEAR_BLOCK], float *restrict total) {
    float best[NEAR_BLOCK] = {0}, top[NEAR_BLOCK], weight[NEAR_BLOCK];
    const size_t length = (size_t)curves->length;
    memset(joined, 0, length * sizeof *joined);
    memset(total, 0, NEAR_BLOCK * sizeof *total);
    for (size_t s = 0; s < curves->source_count; s++) {
        if (!curves->is_seen[s])
            continue;
        curve_top(curves->scores + s * length * curves->stride + at, curves->stride, curves->length,
                  n, top);
        for (size_t x = 0; x < n; x++)
            best[x] = near_larger(best[x], top[x]);
    }
    for (size_t s = 0; s < curves->source_count; s++) {
        const int16_t *scores = curves->scores + s * length * curves->stride + at;
        if (!curves->is_seen[s])
            continue;
        curve_top(scores, curves->stride, curves->length, n, top);
        for (size_t x = 0; x < n; x++) {
            weight[x] = near_weight(top[x], best[x], curves->weight_floor, curves->weight_full);
            total[x] += weight[x];
        }
        for (size_t k = 0; k < length; k++)
            for (size_t x = 0; x < n; x++)
                joined[k][x] += weight[x] * (float)scores[k * curves->stride + x];
    }
}

static inline void peak_block(const AqmCurves *curves, size_t at, size_t n, float *restrict index,
                              float *restrict value) {
    float joined[AQM_CURVE_MAX][NEAR_BLOCK], total[NEAR_BLOCK];
    float best[NEAR_BLOCK], where[NEAR_BLOCK], below[NEAR_BLOCK], above[NEAR_BLOCK];
    const int length = curves->length;
    join_curves(curves, at, n, joined, total);
    for (size_t x = 0; x < n; x++) {
        total[x] = total[x] > 0.0f ? (1.0f / AQM_SCORE_ONE) / total[x] : 0.0f;
        best[x] = AQM_CURVE_MISSING;
        where[x] = below[x] = above[x] = 0.0f;
    }
    for (int k = 0; k < length; k++)
        for (size_t x = 0; x < n; x++)
            joined[k][x] = joined[k][x] * total[x] - curves->penalty[k];
    for (int k = 0; k < length; k++) {
        const float *before = joined[k > 0 ? k - 1 : k],
                    *after = joined[k + 1 < length ? k + 1 : k];
        for (size_t x = 0; x < n; x++) {
            const int is_higher = joined[k][x] > best[x];
            best[x] = is_higher ? joined[k][x] : best[x];
            where[x] = is_higher ? (float)k : where[x];
            below[x] = is_higher ? before[x] : below[x];
            above[x] = is_higher ? after[x] : above[x];
        }
    }
    for (size_t x = 0; x < n; x++) {
        const float bend = below[x] - 2.0f * best[x] + above[x];
        const int is_peak = (bend < -1e-6f) & (where[x] > 0.0f) & (where[x] < (float)(length - 1));
        const float fraction = 0.5f * (below[x] - above[x]) / (is_peak ? bend : 1.0f);
        const float inside = near_smaller(near_larger(fraction, -0.5f), 0.5f);
        index[at + x] = where[x] + (is_peak ? inside : 0.0f);
        value[at + x] = total[x] > 0.0f ? best[x] : AQM_CURVE_MISSING;
    }
}

static inline void loops_curve_peak(const AqmCurves *curves, size_t n, float *index, float *value) {
    for (size_t at = 0; at < n; at += NEAR_BLOCK)
        peak_block(curves, at, n - at < NEAR_BLOCK ? n - at : NEAR_BLOCK, index, value);
}

/* ---- smoothing ------------------------------------------------------------------------------- */

static inline void near_order(float *a, float *b) {
    const float low = near_smaller(*a, *b), high = near_larger(*a, *b);
    *a = low;
    *b = high;
}

/* Median of nine by Smith's network of 19 exchanges (Smith 1996, "Implementing median filters in
 * XC4000E FPGAs"). */
static inline float median_of_nine(float p[9]) {
    near_order(p + 1, p + 2), near_order(p + 4, p + 5), near_order(p + 7, p + 8);
    near_order(p + 0, p + 1), near_order(p + 3, p + 4), near_order(p + 6, p + 7);
    near_order(p + 1, p + 2), near_order(p + 4, p + 5), near_order(p + 7, p + 8);
    near_order(p + 0, p + 3), near_order(p + 5, p + 8), near_order(p + 4, p + 7);
    near_order(p + 3, p + 6), near_order(p + 1, p + 4), near_order(p + 2, p + 5);
    near_order(p + 4, p + 7), near_order(p + 4, p + 2), near_order(p + 6, p + 4);
    near_order(p + 4, p + 2);
    return p[4];
}

static inline void loops_median_row(const float *above, const float *row, const float *below,
                                    size_t width, float *restrict out) {
    out[0] = row[0];
    out[width - 1] = row[width - 1];
    for (size_t x = 1; x + 1 < width; x++) {
        float p[9] = {above[x - 1], above[x],     above[x + 1], row[x - 1],  row[x],
                      row[x + 1],   below[x - 1], below[x],     below[x + 1]};
        const float sum = ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7])) + p[8];
        const float median = median_of_nine(p);
        out[x] = sum == sum ? median : row[x];
    }
}

/* One tap over n pixels: adds what lies within reach of the center. */
static inline void add_tap(const float *restrict row, const float *restrict center,
                           const float *restrict reach, size_t n, float *restrict sum,
                           float *restrict total) {
    for (size_t x = 0; x < n; x++) {
        const float d = row[x] - center[x], size = fabsf(d);
        const float w = size < reach[x] ? 1.0f : 0.0f;
        sum[x] += size < reach[x] ? d : 0.0f;
        total[x] += w;
    }
}

static inline void add_weighted_tap(const float *restrict row, const float *restrict weights,
                                    const float *restrict center, const float *restrict reach,
                                    size_t n, float *restrict sum, float *restrict total) {
    for (size_t x = 0; x < n; x++) {
        const float d = row[x] - center[x], size = fabsf(d), share = weights[x] * d;
        sum[x] += size < reach[x] ? share : 0.0f;
        total[x] += size < reach[x] ? weights[x] : 0.0f;
    }
}

static inline void mean_block(const AqmMeanLine *line, size_t width, size_t at, size_t n,
                              float *restrict mean, float *restrict weight) {
    const int middle = line->taps / 2;
    const float *center = line->rows[middle] + at, *reach = line->reach + at;
    float sum[NEAR_BLOCK] = {0}, total[NEAR_BLOCK];
    for (size_t x = 0; x < n; x++)
        total[x] = line->weights ? line->weights[middle][at + x] : 1.0f;
    for (int k = 0; k < line->taps; k++) {
        const ptrdiff_t shift = line->shift[k], margin = shift < 0 ? -shift : shift;
        const ptrdiff_t first = margin - (ptrdiff_t)at, end = (ptrdiff_t)(width - at) - margin;
        const size_t from = first > 0 ? (size_t)first : 0;
        const size_t to = end < (ptrdiff_t)n ? (end > 0 ? (size_t)end : 0) : n;
        if (k == middle || !line->rows[k] || to <= from)
            continue;
        const ptrdiff_t start = (ptrdiff_t)(at + from) + shift;
        if (line->weights)
            add_weighted_tap(line->rows[k] + start, line->weights[k] + start, center + from,
                             reach + from, to - from, sum + from, total + from);
        else
            add_tap(line->rows[k] + start, center + from, reach + from, to - from, sum + from,
                    total + from);
    }
    for (size_t x = 0; x < n; x++) {
        const float safe = total[x] > 0.0f ? total[x] : 1.0f;
        mean[at + x] = center[x] + sum[x] / safe;
    }
    if (weight)
        memcpy(weight + at, total, n * sizeof *total);
}

static inline void loops_mean_row(const AqmMeanLine *line, size_t width, float *mean,
                                  float *weight) {
    for (size_t at = 0; at < width; at += NEAR_BLOCK)
        mean_block(line, width, at, width - at < NEAR_BLOCK ? width - at : NEAR_BLOCK, mean,
                   weight);
}

/* ---- quadrics -------------------------------------------------------------------------------- */

enum { QUADRIC_TERMS = 6, QUADRIC_SUMS = QUADRIC_TERMS * (QUADRIC_TERMS + 1) / 2 };
enum { QUADRIC_LEAST = 24 };     /* taps, of 49 */
enum { QUADRIC_MARGIN = 3 * 8 }; /* of the largest spacing */

/* Sums over the taps of one row: of w a^p, w v a^p and w v^2, with a in -1..1 along the row. */
typedef struct QuadricLine {
    float w[5][AQM_QUADRIC_BLOCK], v[3][AQM_QUADRIC_BLOCK], vv[AQM_QUADRIC_BLOCK],
        count[AQM_QUADRIC_BLOCK];
} QuadricLine;

/* The values and weights that a block takes of a row, from `margin` before to as many behind it;
 * beyond the ends of the row the weights are 0. */
typedef struct QuadricTaps {
    float value[AQM_QUADRIC_BLOCK + 2 * QUADRIC_MARGIN];
    float weight[AQM_QUADRIC_BLOCK + 2 * QUADRIC_MARGIN];
} QuadricTaps;

static inline void take_taps(const float *restrict values, const float *restrict weights,
                             size_t width, size_t first, size_t margin, QuadricTaps *taps) {
    const size_t count = AQM_QUADRIC_BLOCK + 2 * margin, lead = first < margin ? margin - first : 0;
    const size_t from = first + lead - margin, left = width - from;
    const size_t n = left < count - lead ? left : count - lead;
    if (n < count)
        memset(taps, 0, sizeof *taps);
    memcpy(taps->value + lead, values + from, n * sizeof *values);
    memcpy(taps->weight + lead, weights + from, n * sizeof *weights);
}

/* Adds a tap of a row at `a`, to nothing where it is the first. */
static inline void add_quadric_tap(const float *restrict value, const float *restrict weight,
                                   const float *restrict own, const float *restrict reach, float a,
                                   bool is_first, QuadricLine *restrict line) {
    const float a2 = a * a, a3 = a2 * a, a4 = a2 * a2;
    for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++) {
        const float d = value[x] - own[x], weight_here = weight[x];
        const int is_near = fabsf(d) < reach[x];
        const float w = is_near ? weight_here : 0.0f, v = is_near ? d : 0.0f, wv = w * v;
        const float one = w > 0.0f ? 1.0f : 0.0f;
        line->w[0][x] = is_first ? w : line->w[0][x] + w;
        line->w[1][x] = is_first ? w * a : line->w[1][x] + w * a;
        line->w[2][x] = is_first ? w * a2 : line->w[2][x] + w * a2;
        line->w[3][x] = is_first ? w * a3 : line->w[3][x] + w * a3;
        line->w[4][x] = is_first ? w * a4 : line->w[4][x] + w * a4;
        line->v[0][x] = is_first ? wv : line->v[0][x] + wv;
        line->v[1][x] = is_first ? wv * a : line->v[1][x] + wv * a;
        line->v[2][x] = is_first ? wv * a2 : line->v[2][x] + wv * a2;
        line->vv[x] = is_first ? wv * v : line->vv[x] + wv * v;
        line->count[x] = is_first ? one : line->count[x] + one;
    }
}

static inline void sum_taps(const QuadricTaps *taps, size_t spacing, const float *own,
                            const float *reach, QuadricLine *line) {
    add_quadric_tap(taps->value, taps->weight, own, reach, -1.0f, true, line);
    for (size_t i = 1; i < AQM_QUADRIC_TAPS; i++)
        add_quadric_tap(taps->value + i * spacing, taps->weight + i * spacing, own, reach,
                        ((float)i - AQM_QUADRIC_TAPS / 2) / (AQM_QUADRIC_TAPS / 2), false, line);
}

/* The normal equations: terms a^2, a c, c^2, a, c, 1, c down the rows. */
typedef struct QuadricSums {
    float normal[QUADRIC_SUMS][AQM_QUADRIC_BLOCK], right[QUADRIC_TERMS][AQM_QUADRIC_BLOCK];
    float vv[AQM_QUADRIC_BLOCK], count[AQM_QUADRIC_BLOCK];
} QuadricSums;

static const int quadric_powers[QUADRIC_TERMS][2] = {{2, 0}, {1, 1}, {0, 2},
                                                     {1, 0}, {0, 1}, {0, 0}};

static inline void add_scaled(float *restrict to, const float *restrict from, float scale) {
    for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++)
        to[x] += scale * from[x];
}

static inline void add_quadric_line(const QuadricLine *line, float c, QuadricSums *sums) {
    const float powers[5] = {1.0f, c, c * c, c * c * c, c * c * c * c};
    for (size_t i = 0, k = 0; i < QUADRIC_TERMS; i++) {
        const int *p = quadric_powers[i];
        for (size_t j = 0; j <= i; j++, k++)
            add_scaled(sums->normal[k], line->w[p[0] + quadric_powers[j][0]],
                       powers[p[1] + quadric_powers[j][1]]);
        add_scaled(sums->right[i], line->v[p[0]], powers[p[1]]);
    }
    add_scaled(sums->vv, line->vv, 1.0f);
    add_scaled(sums->count, line->count, 1.0f);
}

static inline void subtract_product(float *restrict to, const float *restrict a,
                                    const float *restrict b) {
    for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++)
        to[x] -= a[x] * b[x];
}

static inline void multiply_by(float *restrict to, const float *restrict by) {
    for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++)
        to[x] *= by[x];
}

/* A pivot to its inverse root; what is hardly determined is held at 0. */
static inline void invert_pivot(float *restrict pivot, const float *restrict scale) {
    for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++)
        pivot[x] = 1.0f / sqrtf(near_larger(pivot[x], 1e-6f * scale[x] + 1e-20f));
}

/* Cholesky's factor and the forward substitution; the constant is the last term, so that its value
 * and variance need no more. The diagonal holds its inverses. */
static inline void solve_quadrics(QuadricSums *sums, size_t n, const AqmQuadrics *out) {
    float scale[AQM_QUADRIC_BLOCK], explained[AQM_QUADRIC_BLOCK] = {0};
    memcpy(scale, sums->normal[QUADRIC_SUMS - 1], sizeof scale);
    for (size_t j = 0; j < QUADRIC_TERMS; j++) {
        float(*row)[AQM_QUADRIC_BLOCK] = sums->normal + j * (j + 1) / 2;
        for (size_t k = 0; k < j; k++)
            subtract_product(row[j], row[k], row[k]);
        invert_pivot(row[j], scale);
        for (size_t i = j + 1; i < QUADRIC_TERMS; i++) {
            float(*other)[AQM_QUADRIC_BLOCK] = sums->normal + i * (i + 1) / 2;
            for (size_t k = 0; k < j; k++)
                subtract_product(other[j], other[k], row[k]);
            multiply_by(other[j], row[j]);
        }
        for (size_t k = 0; k < j; k++)
            subtract_product(sums->right[j], row[k], sums->right[k]);
        multiply_by(sums->right[j], row[j]);
        for (size_t x = 0; x < AQM_QUADRIC_BLOCK; x++)
            explained[x] += sums->right[j][x] * sums->right[j][x];
    }
    const float *inverse = sums->normal[QUADRIC_SUMS - 1], *y = sums->right[QUADRIC_TERMS - 1];
    for (size_t x = 0; x < n; x++) {
        const float count = sums->count[x], freedom = near_larger(count - QUADRIC_TERMS, 1.0f);
        const float rest = near_larger(sums->vv[x] - explained[x], 0.0f);
        out->value[x] = y[x] * inverse[x];
        out->variance[x] = inverse[x] * inverse[x];
        out->excess[x] = rest / freedom;
        out->weight[x] = count >= QUADRIC_LEAST ? scale[x] / count : 0.0f;
    }
}

static inline void loops_quadric_row(const AqmQuadricRows *rows, size_t first, size_t n,
                                     const AqmQuadrics *quadrics) {
    enum { RADIUS = AQM_QUADRIC_TAPS / 2 };
    const float *values = rows->values[RADIUS] + first, *sigma = rows->sigma + first;
    const size_t spacing = (size_t)rows->spacing, margin = RADIUS * spacing;
    float own[AQM_QUADRIC_BLOCK] = {0}, reach[AQM_QUADRIC_BLOCK] = {0};
    QuadricSums sums;
    memset(&sums, 0, sizeof sums);
    for (size_t x = 0; x < n; x++) {
        own[x] = values[x];
        reach[x] = rows->reach + rows->reach_sigmas * sigma[x];
    }
    for (size_t j = 0; j < AQM_QUADRIC_TAPS; j++) {
        QuadricTaps taps;
        QuadricLine line;
        if (!rows->values[j])
            continue;
        take_taps(rows->values[j], rows->weights[j], rows->width, first, margin, &taps);
        sum_taps(&taps, spacing, own, reach, &line);
        add_quadric_line(&line, ((float)j - RADIUS) / RADIUS, &sums);
    }
    solve_quadrics(&sums, n, quadrics);
}

#endif
