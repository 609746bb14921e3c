/* Loops of matching in plain C: the reference (match_ref.c), and compiled once more for AVX2 what
 * match_avx2.c does not write by hand. Only additions, exact integer products and correctly rounded
 * operations are used and contraction is off, so both give the same bits. Included by those two
 * files only. */
#ifndef AQM_KERNELS_MATCH_LOOPS_H
#define AQM_KERNELS_MATCH_LOOPS_H

#include <string.h>

#include "kernels/window_stats.h"

static inline void loops_project(const AqmProjector *p, const double *X, const double *Y,
                                 const double *Z, size_t n, float *u, float *v) {
    const double n2 = p->n * p->n, m2 = n2 - 1.0, hc = p->water_z - p->C[2], inv_n = 1.0 / p->n;
    const double *R = p->R;
    for (size_t k = 0; k < n; k++) {
        const double x = X[k] - p->C[0], y = Y[k] - p->C[1], h = Z[k] - p->water_z;
        const double r2 = m2 * (x * x + y * y);
        double z = hc + h * inv_n;
        /* f = z - hc - h z / w with w = sqrt(n^2 z^2 + r2), and
         * f' = 1 - h r2 / w^3; both times w^3, so that a step takes one root and one quotient */
        for (int step = 0; step < 3; step++) {
            const double w2 = n2 * (z * z) + r2, w = sqrt(w2);
            z -= w2 * (w * (z - hc) - h * z) / (w2 * w - h * r2);
        }
        const double cx = R[0] * x + R[1] * y + R[2] * z, cy = R[3] * x + R[4] * y + R[5] * z;
        const double cz = R[6] * x + R[7] * y + R[8] * z, inverse = 1.0 / cz;
        const double scale = ((cz > 1e-9) & (h > 0.0)) ? inverse : (double)NAN;
        u[k] = (float)(p->fx * cx * scale + p->cx);
        v[k] = (float)(p->fy * cy * scale + p->cy);
    }
}

static inline void loops_spread(const float *top, const float *bottom, float down, size_t cells,
                                float *restrict out) {
    float left = top[0] + down * (bottom[0] - top[0]);
    for (size_t c = 0; c < cells; c++) {
        const float right = top[c + 1] + down * (bottom[c + 1] - top[c + 1]);
        const float step = (right - left) * 0.125f;
        for (int k = 0; k < 8; k++)
            out[8 * c + (size_t)k] = left + (float)k * step;
        left = right;
    }
}

static inline void loops_columns_masked(const int16_t *i_new, const int16_t *j_new,
                                        const int16_t *i_old, const int16_t *j_old, size_t n,
                                        const AqmColumnSums *sums) {
    int32_t *restrict j = sums->j, *restrict jj = sums->jj, *restrict ij = sums->ij;
    int32_t *restrict count = sums->count, *restrict i = sums->i, *restrict ii = sums->ii;
    for (size_t k = 0; k < n; k++) {
        const int has_new = (i_new[k] != AQM_GRAY_MISSING) & (j_new[k] != AQM_GRAY_MISSING);
        const int has_old = (i_old[k] != AQM_GRAY_MISSING) & (j_old[k] != AQM_GRAY_MISSING);
        const int32_t in = has_new ? i_new[k] : 0, jn = has_new ? j_new[k] : 0;
        const int32_t io = has_old ? i_old[k] : 0, jo = has_old ? j_old[k] : 0;
        count[k] += has_new - has_old;
        i[k] += in - io;
        j[k] += jn - jo;
        ii[k] += in * in - io * io;
        jj[k] += jn * jn - jo * jo;
        ij[k] += in * jn - io * jo;
    }
}

/* out[x] = c[x] + ... + c[x + window - 1] for x < n, from sums over powers of two: sum(2k) at x is
 * sum(k) at x plus sum(k) at x + k. `power` has room for n + window entries. */
static inline void loops_box(const int32_t *c, int window, size_t n, int32_t *restrict power,
                             int32_t *restrict out) {
    const size_t length = n + (size_t)window - 1;
    size_t covered = 0; /* columns from x that out[x] has taken */
    memset(out, 0, n * sizeof *out);
    memcpy(power, c, length * sizeof *power);
    for (size_t bit = 1;; bit *= 2) {
        if ((size_t)window & bit) {
            for (size_t x = 0; x < n; x++)
                out[x] += power[x + covered];
            covered += bit;
        }
        if (covered == (size_t)window)
            return;
        for (size_t x = 0; x + 2 * bit <= length; x++)
            power[x] += power[x + bit];
    }
}

/* The three box sums of a row of whole windows. */
static inline void whole_boxes(const AqmColumnSums *sums, int window, size_t n, int32_t *scratch,
                               const int32_t **j, const int32_t **jj, const int32_t **ij) {
    const size_t pitch = n + (size_t)window;
    loops_box(sums->j, window, n, scratch, scratch + pitch);
    loops_box(sums->jj, window, n, scratch, scratch + 2 * pitch);
    loops_box(sums->ij, window, n, scratch, scratch + 3 * pitch);
    *j = scratch + pitch;
    *jj = scratch + 2 * pitch;
    *ij = scratch + 3 * pitch;
}

static inline void loops_statistics(const AqmColumnSums *sums, int window, size_t n,
                                    int32_t *scratch, const AqmWindowRow *row) {
    const size_t pitch = n + (size_t)window;
    const int32_t *restrict sum = scratch + pitch, *restrict squares = scratch + 2 * pitch;
    int16_t *restrict mean = row->mean, *restrict rest = row->rest;
    float *restrict variance = row->variance, *restrict inverse = row->inverse_deviation;
    const int32_t count = window * window;
    const float share = 1.0f / (float)count, flat = aqm_flat_variance((float)count);
    loops_box(sums->j, window, n, scratch, scratch + pitch);
    loops_box(sums->jj, window, n, scratch, scratch + 2 * pitch);
    for (size_t x = 0; x < n; x++) {
        const AqmWindowStats stats = aqm_window_stats(sum[x], squares[x], count, share);
        mean[x] = (int16_t)stats.mean;
        rest[x] = (int16_t)stats.rest;
        variance[x] = stats.variance;
        inverse[x] = aqm_inverse_deviation(stats.variance, flat);
    }
}

static inline void loops_ncc(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                             int window, size_t n, int32_t *scratch, int16_t *restrict score) {
    const int32_t *j, *jj, *ij;
    whole_boxes(sums, window, n, scratch, &j, &jj, &ij);
    const float count = (float)(window * window);
    const float inverse = 1.0f / count, flat = aqm_flat_variance(count);
    for (size_t x = 0; x < n; x++) {
        const float mean_i = aqm_window_mean_value(reference->mean[x], reference->rest[x], inverse);
        score[x] = aqm_score_of(aqm_window_ncc(aqm_score_covariance(ij[x], j[x], mean_i),
                                               reference->inverse_deviation[x],
                                               aqm_score_variance(j[x], jj[x], inverse), flat));
    }
}

/* The six box sums of a masked row, in the order count, i, ii, j, jj, ij. */
static inline void masked_boxes(const AqmColumnSums *sums, int window, size_t n, int32_t *scratch,
                                int32_t *box[6]) {
    const int32_t *columns[6] = {sums->count, sums->i, sums->ii, sums->j, sums->jj, sums->ij};
    const size_t pitch = n + (size_t)window;
    for (int k = 0; k < 6; k++) {
        box[k] = scratch + (size_t)(k + 1) * pitch;
        loops_box(columns[k], window, n, scratch, box[k]);
    }
}

/* What the scores of masked window x are made of. */
typedef struct Pair {
    float mean_i, mean_j, variance_i, variance_j, covariance, count, inverse;
} Pair;

static inline Pair masked_window(int32_t *const box[6], size_t x) {
    const int32_t count = box[0][x], si = box[1][x], sj = box[3][x];
    Pair p = {.count = (float)(count > 1 ? count : 1)};
    p.inverse = 1.0f / p.count;
    const AqmWindowStats i = aqm_window_stats(si, box[2][x], count, p.inverse);
    p.mean_i = aqm_window_mean_value(i.mean, i.rest, p.inverse);
    p.mean_j = (float)sj * p.inverse;
    p.variance_i = i.variance;
    p.variance_j = aqm_score_variance(sj, box[4][x], p.inverse);
    p.covariance = aqm_score_covariance(box[5][x], sj, p.mean_i);
    return p;
}

static inline void loops_ncc_masked(const AqmColumnSums *sums, int window, int min_count, size_t n,
                                    int32_t *scratch, int16_t *restrict score) {
    int32_t *box[6];
    masked_boxes(sums, window, n, scratch, box);
    for (size_t x = 0; x < n; x++) {
        const Pair p = masked_window(box, x);
        const float flat = aqm_flat_variance(p.count);
        const float value = aqm_window_ncc(p.covariance, aqm_inverse_deviation(p.variance_i, flat),
                                           p.variance_j, flat);
        score[x] = box[0][x] >= min_count ? aqm_score_of(value) : AQM_SCORE_MISSING;
    }
}

static inline void loops_ssim(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                              int window, size_t n, int32_t *scratch, int16_t *restrict score) {
    const int32_t *j, *jj, *ij;
    whole_boxes(sums, window, n, scratch, &j, &jj, &ij);
    const float inverse = 1.0f / (float)(window * window);
    for (size_t x = 0; x < n; x++) {
        const float mean_i = aqm_window_mean_value(reference->mean[x], reference->rest[x], inverse);
        const float variance_j = aqm_score_variance(j[x], jj[x], inverse);
        score[x] = aqm_score_of(
            aqm_window_ssim(aqm_window_level(mean_i), aqm_window_level((float)j[x] * inverse),
                            reference->variance[x] + variance_j,
                            aqm_score_covariance(ij[x], j[x], mean_i), inverse));
    }
}

static inline void loops_ssim_masked(const AqmColumnSums *sums, int window, int min_count, size_t n,
                                     int32_t *scratch, int16_t *restrict score) {
    int32_t *box[6];
    masked_boxes(sums, window, n, scratch, box);
    for (size_t x = 0; x < n; x++) {
        const Pair p = masked_window(box, x);
        const float value = aqm_window_ssim(aqm_window_level(p.mean_i), aqm_window_level(p.mean_j),
                                            p.variance_i + p.variance_j, p.covariance, p.inverse);
        score[x] = box[0][x] >= min_count ? aqm_score_of(value) : AQM_SCORE_MISSING;
    }
}

/* The blocks of 16 pixels that miss one. */
static inline uint32_t loops_gaps(const int16_t *row, size_t n) {
    uint32_t gaps = 0;
    for (size_t k = 0; k < n; k++)
        gaps |= (uint32_t)(row[k] == AQM_GRAY_MISSING) << k / 16;
    return gaps;
}

/* ---- the search over planes ------------------------------------------------------------------ */

/* The mean of two scores, rounded down. It does not leave 16 bits, nor does any step to it. */
static inline int16_t mean_of_two(int16_t a, int16_t b) {
    return (int16_t)(a + ((b - a) >> 1));
}

/* A third of a score to the nearest, for the mean of three. */
static inline int16_t third_of(int16_t a) {
    return (int16_t)((a * 10923 + (1 << 14)) >> 15);
}

enum { JOIN_BLOCK = 64 };

static inline void join_block(const int16_t *const *scores, size_t source_count, size_t at,
                              size_t n, int16_t *restrict out) {
    int16_t top[4][JOIN_BLOCK], valid[JOIN_BLOCK];
    for (size_t x = 0; x < n; x++) {
        top[0][x] = top[1][x] = top[2][x] = top[3][x] = AQM_SCORE_MISSING;
        valid[x] = 0;
    }
    for (size_t s = 0; s < source_count; s++) {
        const int16_t *restrict row = scores[s] + at;
        for (size_t x = 0; x < n; x++) {
            int16_t value = row[x];
            valid[x] = (int16_t)(valid[x] + (value > AQM_SCORE_MISSING));
            for (int k = 0; k < 4; k++) { /* keeps the four largest in order */
                const int16_t larger = value > top[k][x] ? value : top[k][x];
                value = value > top[k][x] ? top[k][x] : value;
                top[k][x] = larger;
            }
        }
    }
    for (size_t x = 0; x < n; x++) {
        const int16_t a = top[0][x], b = top[1][x], c = top[2][x], two = mean_of_two(a, b);
        const int16_t three = (int16_t)(third_of(a) + third_of(b) + third_of(c));
        const int16_t four = mean_of_two(two, mean_of_two(c, top[3][x]));
        out[at + x] = valid[x] >= 7 ? four : valid[x] >= 5 ? three : valid[x] >= 2 ? two : a;
    }
}

static inline void loops_join(const int16_t *const *scores, size_t source_count, size_t n,
                              int16_t *out) {
    for (size_t at = 0; at < n; at += JOIN_BLOCK)
        join_block(scores, source_count, at, n - at < JOIN_BLOCK ? n - at : JOIN_BLOCK, out);
}

/* Takes one plane in. */
static inline void track_plane(const int16_t *score, int plane, int merge_planes, size_t n,
                               const AqmPeaks *peaks) {
    int16_t *restrict before = peaks->before, *restrict last = peaks->last;
    int16_t *restrict best = peaks->best, *restrict below = peaks->best_below;
    int16_t *restrict above = peaks->best_above, *restrict second = peaks->second;
    int16_t *restrict best_plane = peaks->best_plane;
    const int16_t here = (int16_t)(plane - 1), is_inner = plane >= 2, is_second = plane == 1;
    const int16_t merge = (int16_t)(merge_planes < INT16_MAX ? merge_planes : INT16_MAX);
    for (size_t x = 0; x < n; x++) {
        const int16_t b = before[x], c = last[x], a = score[x], missing = AQM_SCORE_MISSING;
        /* is the plane before this one a maximum with both neighbours present? */
        const int16_t is_peak = is_inner & (c > b) & (c >= a) & (b > missing) & (a > missing);
        const int16_t is_better = is_peak & (c > best[x]);
        const int16_t is_other = (int16_t)(here - best_plane[x]) > merge;
        /* of the two maxima apart from each other, the lesser */
        const int16_t lesser = is_better ? best[x] : c;
        const int16_t interior = (is_peak & is_other) ? lesser : missing;
        /* a score that falls away from the first plane has its maximum before it */
        const int16_t rival = (is_second & (c > a)) ? c : interior;
        second[x] = rival > second[x] ? rival : second[x];
        best[x] = is_better ? c : best[x];
        below[x] = is_better ? b : below[x];
        above[x] = is_better ? a : above[x];
        best_plane[x] = is_better ? here : best_plane[x];
        before[x] = c;
        last[x] = a;
    }
}

static inline void loops_track(const int16_t *scores, size_t pitch, int first, int count,
                               int merge_planes, size_t n, const AqmPeaks *peaks) {
    for (int k = 0; k < count; k++)
        track_plane(scores + (size_t)k * pitch, first + k, merge_planes, n, peaks);
}

#endif
