/* Every variant against the reference, and the reference against definitions written out plainly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/window_stats.h"
#include "math/rng.h"

enum { MAX_ROW = 256, IMAGE_W = 93, IMAGE_H = 57, STRIDE = 96, MAX_WINDOW = 31, GUARD = 16 };

static const AqmKernels *variants[AQM_KERNEL_TABLES];
static int variant_count;

static int collect_variants(void **state) {
    (void)state;
    variant_count = aqm_kernel_tables(aqm_cpu_features(), variants);
    for (int k = 1; k < variant_count; k++)
        print_message("%s is compared with the reference\n", variants[k]->name);
    if (variant_count == 1)
        print_message("no other variant than the reference runs on this machine\n");
    return 0;
}

/* kind 0: any values; 1: extremes only; 2: a bright flat patch with a little noise; 3: a bright
 * patch with little texture. */
enum { GRAY_KINDS = 4 };

static int16_t random_gray(AqmRng *rng, int kind, double missing) {
    if (aqm_rng_uniform(rng) < missing)
        return AQM_GRAY_MISSING;
    if (kind == 1)
        return aqm_rng_u32(rng) & 1 ? AQM_GRAY_MAX : AQM_GRAY_MIN;
    if (kind == 2)
        return (int16_t)(1000 + (int)(aqm_rng_u32(rng) % 5));
    if (kind == 3)
        return (int16_t)(990 + (int)(aqm_rng_u32(rng) % 34));
    return (int16_t)((int)(aqm_rng_u32(rng) % 2048) - 1024);
}

static void fill_image(AqmRng *rng, int kind, double missing,
                       int16_t data[(IMAGE_H + 1) * STRIDE]) {
    for (int y = 0; y <= IMAGE_H; y++)
        for (int x = 0; x < STRIDE; x++)
            data[y * STRIDE + x] = random_gray(rng, kind, missing);
}

/* An image as the kernels want it; `pairs` has as many rows less one. */
static AqmGray gray_image(const int16_t data[(IMAGE_H + 1) * STRIDE],
                          uint32_t pairs[IMAGE_H * STRIDE]) {
    for (int k = 0; k < IMAGE_H * STRIDE; k++)
        pairs[k] = (uint16_t)data[k] | (uint32_t)(uint16_t)data[k + STRIDE] << 16;
    return (AqmGray){data, pairs, STRIDE, IMAGE_W, IMAGE_H};
}

static void samples_are_bilinear(void **state) {
    (void)state;
    static int16_t data[(IMAGE_H + 1) * STRIDE];
    static uint32_t pairs[IMAGE_H * STRIDE];
    AqmRng rng = aqm_rng(1, 1);
    fill_image(&rng, 0, 0.0, data);
    const AqmGray image = gray_image(data, pairs);
    float u[64], v[64];
    int16_t out[64];
    for (int k = 0; k < 64; k++) {
        u[k] = (float)(aqm_rng_uniform(&rng) * (IMAGE_W - 1));
        v[k] = (float)(aqm_rng_uniform(&rng) * (IMAGE_H - 1));
    }
    u[0] = (float)(IMAGE_W - 1), v[0] = (float)(IMAGE_H - 1);
    u[1] = v[1] = 0.0f;
    for (int variant = 0; variant < variant_count; variant++) {
        variants[variant]->sample(&image, u, v, 64, out);
        for (int k = 0; k < 64; k++) {
            const int x = (int)u[k], y = (int)v[k];
            const double a = u[k] - (float)x, b = v[k] - (float)y;
            const int16_t *p = data + y * STRIDE + x, *q = p + STRIDE;
            const double exact =
                (1 - b) * ((1 - a) * p[0] + a * p[1]) + b * ((1 - a) * q[0] + a * q[1]);
            /* weights rounded to 1/256 of a span of 2047, in both directions, and the result */
            assert_true(fabs(out[k] - exact) < 0.5 + 2 * 2047.0 / 512 + 0.01);
        }
    }
}

static void variants_sample_the_same_and_stay_in_bounds(void **state) {
    (void)state;
    static int16_t data[(IMAGE_H + 1) * STRIDE];
    static uint32_t pairs[IMAGE_H * STRIDE];
    AqmRng rng = aqm_rng(2, 1);
    for (int trial = 0; trial < 60; trial++) {
        fill_image(&rng, trial % 3, 0.02, data);
        const AqmGray image = gray_image(data, pairs);
        float u[MAX_ROW], v[MAX_ROW];
        const size_t n = 8 * (1 + aqm_rng_u32(&rng) % (MAX_ROW / 8));
        for (size_t k = 0; k < n; k++) {
            u[k] = (float)(aqm_rng_uniform(&rng) * (IMAGE_W + 20) - 10);
            v[k] = (float)(aqm_rng_uniform(&rng) * (IMAGE_H + 20) - 10);
        }
        u[0] = NAN, v[1] = INFINITY, u[2] = -1e30f, v[3] = 1e30f;
        int16_t expected[MAX_ROW], out[MAX_ROW + GUARD];
        variants[0]->sample_masked(&image, u, v, n, expected);
        assert_int_equal(expected[0], AQM_GRAY_MISSING);
        assert_int_equal(expected[3], AQM_GRAY_MISSING);
        for (int variant = 1; variant < variant_count; variant++) {
            memset(out, 0x5a, sizeof out);
            variants[variant]->sample_masked(&image, u, v, n, out);
            assert_memory_equal(out, expected, n * sizeof *out);
            for (int k = 0; k < GUARD; k++)
                assert_int_equal(out[n + (size_t)k], 0x5a5a);
        }
    }
}

/* A sample of a block that is moved from `place`. */
static void check_shifted(const int16_t *place, const AqmShift *shift, int16_t value) {
    const int16_t *p = place + shift->offset, *q = p + STRIDE;
    const double a = shift->across / 32768.0, b = shift->down / 32768.0;
    const double exact = (1 - b) * ((1 - a) * p[0] + a * p[1]) + b * ((1 - a) * q[0] + a * q[1]);
    const bool has_hole = p[0] == AQM_GRAY_MISSING || p[1] == AQM_GRAY_MISSING ||
                          q[0] == AQM_GRAY_MISSING || q[1] == AQM_GRAY_MISSING;
    assert_true(has_hole ? value == AQM_GRAY_MISSING : fabs(value - exact) <= 1.0 + 1e-9);
}

static void shifts_are_bilinear_and_variants_agree(void **state) {
    (void)state;
    enum { PITCH = 64 + GUARD };
    static int16_t data[(IMAGE_H + 1) * STRIDE];
    AqmRng rng = aqm_rng(10, 1);
    for (int trial = 0; trial < 60; trial++) {
        const bool is_masked = trial & 1;
        const size_t n = AQM_ROW_MULTIPLE * (1 + aqm_rng_u32(&rng) % 4);
        AqmShift shifts[4];
        fill_image(&rng, trial / 2 % 3, is_masked ? 0.02 : 0.0, data);
        for (int b = 0; b < 4; b++)
            shifts[b] =
                (AqmShift){(int32_t)(aqm_rng_u32(&rng) % 40 * STRIDE + aqm_rng_u32(&rng) % 16),
                           (int16_t)(aqm_rng_u32(&rng) & 32767),
                           (int16_t)(b == 0 ? 0 : aqm_rng_u32(&rng) & 32767)};
        const int16_t *from = data + aqm_rng_u32(&rng) % 4 * STRIDE;
        const int rows = 1 + (int)(aqm_rng_u32(&rng) % 8);
        int16_t expected[8 * PITCH], out[8 * PITCH];
        for (int variant = 0; variant < variant_count; variant++) {
            const AqmKernels *kernels = variants[variant];
            memset(out, 0x5a, sizeof out);
            (is_masked ? kernels->shift_masked : kernels->shift)(from, STRIDE, shifts, n, rows, out,
                                                                 PITCH);
            if (variant > 0) {
                assert_memory_equal(out, expected, sizeof out);
                continue;
            }
            memcpy(expected, out, sizeof expected);
            for (int r = 0; r < 8; r++)
                for (size_t k = 0; k < PITCH; k++) {
                    const int16_t value = out[(size_t)r * PITCH + k];
                    if (r < rows && k < n)
                        check_shifted(from + r * STRIDE + k, &shifts[k / AQM_ROW_MULTIPLE], value);
                    else
                        assert_int_equal(value, 0x5a5a);
                }
        }
    }
}

typedef struct Rows {
    int16_t i[MAX_WINDOW + 3][MAX_ROW], j[MAX_WINDOW + 3][MAX_ROW];
    int window, rows;
    size_t columns, n; /* padded columns; windows */
} Rows;

static void fill_rows(AqmRng *rng, int kind, double missing, Rows *rows) {
    static const int windows[] = {3, 5, 7, 11, 15, 21, 31};
    rows->window = windows[aqm_rng_u32(rng) % 7];
    rows->rows = rows->window + (int)(aqm_rng_u32(rng) % 3);
    rows->n = 1 + aqm_rng_u32(rng) % (MAX_ROW - 2 * AQM_ROW_MULTIPLE - MAX_WINDOW);
    rows->columns = (rows->n + (size_t)rows->window + 14) / 16 * 16;
    for (int r = 0; r < rows->rows; r++)
        for (size_t c = 0; c < rows->columns; c++) {
            rows->i[r][c] = random_gray(rng, kind, missing);
            rows->j[r][c] = aqm_rng_u32(rng) & 1 ? rows->i[r][c] : random_gray(rng, kind, missing);
        }
}

typedef struct Sums {
    int32_t block[6][MAX_ROW];
} Sums;

static AqmColumnSums sums_of(Sums *s) {
    return (AqmColumnSums){s->block[0], s->block[1], s->block[2],
                           s->block[3], s->block[4], s->block[5]};
}

static void run_columns(const AqmKernels *kernels, const Rows *rows, bool is_masked, Sums *out) {
    int16_t blank[MAX_ROW];
    for (int k = 0; k < MAX_ROW; k++)
        blank[k] = is_masked ? AQM_GRAY_MISSING : 0;
    memset(out, 0, sizeof *out);
    const AqmColumnSums sums = sums_of(out);
    for (int r = 0; r < rows->rows; r++) {
        const bool is_full = r >= rows->window;
        const int old = is_full ? r - rows->window : 0;
        (is_masked ? kernels->columns_masked
                   : kernels->columns)(rows->i[r], rows->j[r], is_full ? rows->i[old] : blank,
                                       is_full ? rows->j[old] : blank, rows->columns, &sums);
    }
}

/* The score of a window by definition, in double, and how far from it the rounding of moments to
 * floats may lead. */
typedef struct Definition {
    double score, tolerance;
    bool is_missing; /* too few pixels are there */
} Definition;

static Definition definition(const Rows *rows, size_t x, int min_count, bool is_ssim) {
    double n = 0, si = 0, sj = 0, sii = 0, sjj = 0, sij = 0;
    for (int r = rows->rows - rows->window; r < rows->rows; r++)
        for (size_t c = x; c < x + (size_t)rows->window; c++) {
            if (rows->i[r][c] == AQM_GRAY_MISSING || rows->j[r][c] == AQM_GRAY_MISSING)
                continue;
            const double i = rows->i[r][c], j = rows->j[r][c];
            n++, si += i, sj += j, sii += i * i, sjj += j * j, sij += i * j;
        }
    if (n < min_count)
        return (Definition){0, 0, true};
    const double mi = si / n, mj = sj / n, vi = sii / n - mi * mi, vj = sjj / n - mj * mj;
    const double cov = sij / n - mi * mj, c1 = pow(0.01 * 2047, 2), c2 = pow(0.03 * 2047, 2);
    /* three roundings of sums of about this size (window_stats.h) */
    const double error = 3 * pow(2, -24) * fmax(sii, sjj) / n;
    if (is_ssim) {
        const double li = mi + AQM_GRAY_CENTER, lj = mj + AQM_GRAY_CENTER;
        return (Definition){(2 * li * lj + c1) * (2 * cov + c2) /
                                ((li * li + lj * lj + c1) * (vi + vj + c2)),
                            4 * error / c2, false};
    }
    const double flat = pow(0.25 * 2047 / 255, 2);
    const double score = vi <= flat || vj <= flat ? 0 : cov / sqrt(vi * vj);
    return (Definition){score, fabs(vj - flat) < error ? 2 : 2 * error / fmin(vi, vj), false};
}

typedef struct Stats {
    int16_t mean[MAX_ROW], rest[MAX_ROW];
    float variance[MAX_ROW], inverse[MAX_ROW];
} Stats;

static AqmReferenceStats stats_of(const Stats *stats) {
    return (AqmReferenceStats){stats->mean, stats->rest, stats->variance, stats->inverse};
}

/* The statistics of the reference windows of the last rows. */
static void fill_stats(const Rows *rows, Stats *stats) {
    const int count = rows->window * rows->window;
    const float inverse = 1.0f / (float)count, flat = aqm_flat_variance((float)count);
    for (size_t x = 0; x < rows->n; x++) {
        int32_t si = 0, sii = 0;
        for (int r = rows->rows - rows->window; r < rows->rows; r++)
            for (size_t c = x; c < x + (size_t)rows->window; c++)
                si += rows->i[r][c], sii += rows->i[r][c] * rows->i[r][c];
        const AqmWindowStats s = aqm_window_stats(si, sii, count, inverse);
        const double exact = sii - (double)si * si / count;
        assert_true(abs(s.rest) <= count / 2 + 1 && s.mean * count + s.rest == si);
        assert_true(fabs(s.variance - exact) <= 1e-4 + 2e-7 * exact);
        stats->mean[x] = (int16_t)s.mean;
        stats->rest[x] = (int16_t)s.rest;
        stats->variance[x] = s.variance;
        stats->inverse[x] = aqm_inverse_deviation(s.variance, flat);
    }
}

static void statistics_are_those_of_each_window(void **state) {
    (void)state;
    static int32_t scratch[8 * (MAX_ROW + MAX_WINDOW + AQM_ROW_MULTIPLE)];
    AqmRng rng = aqm_rng(11, 1);
    static Rows rows;
    static Stats expected, out;
    for (int trial = 0; trial < 60; trial++) {
        fill_rows(&rng, trial % GRAY_KINDS, 0.0, &rows);
        memcpy(rows.j, rows.i, sizeof rows.j);
        memset(&expected, 0x5a, sizeof expected);
        fill_stats(&rows, &expected);
        for (int variant = 0; variant < variant_count; variant++) {
            Sums s;
            run_columns(variants[variant], &rows, false, &s);
            const AqmColumnSums sums = sums_of(&s);
            memset(&out, 0x5a, sizeof out);
            const AqmWindowRow row = {out.mean, out.rest, out.variance, out.inverse};
            variants[variant]->statistics(&sums, rows.window, rows.n, scratch, &row);
            assert_memory_equal(&out, &expected, sizeof out);
        }
    }
}

static void check_scores(const AqmKernels *kernels, const Rows *rows, bool is_masked, bool is_ssim,
                         const int16_t *expected, int16_t *score) {
    static int32_t scratch[8 * (MAX_ROW + MAX_WINDOW + AQM_ROW_MULTIPLE)];
    const int count = rows->window * rows->window, min_count = (count + 1) / 2;
    Sums s;
    run_columns(kernels, rows, is_masked, &s);
    const AqmColumnSums sums = sums_of(&s);
    Stats stats;
    if (!is_masked)
        fill_stats(rows, &stats);
    const AqmReferenceStats reference = stats_of(&stats);
    if (is_masked)
        (is_ssim ? kernels->ssim_masked : kernels->ncc_masked)(&sums, rows->window, min_count,
                                                               rows->n, scratch, score);
    else
        (is_ssim ? kernels->ssim : kernels->ncc)(&sums, &reference, rows->window, rows->n, scratch,
                                                 score);
    for (size_t x = 0; x < rows->n; x++) {
        const Definition d = definition(rows, x, min_count, is_ssim);
        const double off = (double)score[x] - AQM_SCORE_ONE * d.score;
        if (d.is_missing)
            assert_int_equal(score[x], AQM_SCORE_MISSING);
        else
            assert_true(!(fabs(off) > 0.5 + AQM_SCORE_ONE * (2e-5 + d.tolerance)));
        if (expected)
            assert_memory_equal(&score[x], &expected[x], sizeof *score);
    }
}

static void scores_are_the_definitions(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(3, 1);
    static Rows rows;
    for (int trial = 0; trial < 120; trial++) {
        const bool is_masked = trial & 1, is_ssim = trial & 2;
        fill_rows(&rng, trial / 4 % GRAY_KINDS, is_masked ? 0.05 * (trial / 12 % 12) : 0.0, &rows);
        int16_t expected[MAX_ROW], score[MAX_ROW];
        check_scores(variants[0], &rows, is_masked, is_ssim, NULL, expected);
        for (int variant = 1; variant < variant_count; variant++)
            check_scores(variants[variant], &rows, is_masked, is_ssim, expected, score);
    }
}

static void whole_windows_score_the_same_by_either_sums(void **state) {
    (void)state;
    static int32_t scratch[8 * (MAX_ROW + MAX_WINDOW + AQM_ROW_MULTIPLE)];
    AqmRng rng = aqm_rng(8, 1);
    static Rows rows;
    static Stats stats;
    for (int trial = 0; trial < 60; trial++) {
        const AqmKernels *kernels = variants[trial % variant_count];
        Sums whole, masked;
        int16_t plain[MAX_ROW], other[MAX_ROW];
        fill_rows(&rng, trial / variant_count % GRAY_KINDS, 0.0, &rows);
        fill_stats(&rows, &stats);
        run_columns(kernels, &rows, false, &whole);
        run_columns(kernels, &rows, true, &masked);
        const AqmColumnSums sums = sums_of(&whole), all = sums_of(&masked);
        const AqmReferenceStats reference = stats_of(&stats);
        kernels->ncc(&sums, &reference, rows.window, rows.n, scratch, plain);
        kernels->ncc_masked(&all, rows.window, 1, rows.n, scratch, other);
        assert_memory_equal(plain, other, rows.n * sizeof *plain);
        kernels->ssim(&sums, &reference, rows.window, rows.n, scratch, plain);
        kernels->ssim_masked(&all, rows.window, 1, rows.n, scratch, other);
        assert_memory_equal(plain, other, rows.n * sizeof *plain);
    }
}

static void column_sums_agree_bit_for_bit(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(4, 1);
    static Rows rows;
    for (int trial = 0; trial < 60; trial++) {
        const bool is_masked = trial & 1;
        fill_rows(&rng, trial / 2 % 3, is_masked ? 0.3 : 0.0, &rows);
        Sums expected, out;
        run_columns(variants[0], &rows, is_masked, &expected);
        for (int variant = 1; variant < variant_count; variant++) {
            run_columns(variants[variant], &rows, is_masked, &out);
            for (int k = 0; k < (is_masked ? 6 : 3); k++)
                assert_memory_equal(out.block[k], expected.block[k],
                                    rows.columns * sizeof(int32_t));
        }
    }
}

static void gaps_are_found(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(9, 1);
    int16_t row[512];
    for (int trial = 0; trial < 200; trial++) {
        const size_t n = 16 * (1 + aqm_rng_u32(&rng) % 32);
        uint32_t expected = 0;
        for (size_t k = 0; k < n; k++) {
            row[k] = random_gray(&rng, trial % 3, trial % 4 * 0.02);
            expected |= (uint32_t)(row[k] == AQM_GRAY_MISSING) << k / 16;
        }
        for (int variant = 0; variant < variant_count; variant++)
            assert_int_equal(variants[variant]->gaps(row, n), expected);
    }
}

static int descending(const void *a, const void *b) {
    const int16_t x = *(const int16_t *)a, y = *(const int16_t *)b;
    return (x < y) - (x > y);
}

static int16_t random_score(AqmRng *rng) {
    return (int16_t)((int)(aqm_rng_u32(rng) % (2 * AQM_SCORE_ONE + 3)) - AQM_SCORE_ONE - 1);
}

static void joining_leaves_the_occluded_out(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(5, 1);
    int16_t scores[9][MAX_ROW], out[MAX_ROW], expected[MAX_ROW];
    const int16_t *rows[9];
    for (int trial = 0; trial < 40; trial++) {
        const size_t sources = aqm_rng_u32(&rng) % 10, n = 1 + aqm_rng_u32(&rng) % MAX_ROW;
        for (size_t s = 0; s < sources; s++) {
            rows[s] = scores[s];
            for (size_t x = 0; x < n; x++)
                scores[s][x] = aqm_rng_uniform(&rng) < 0.3 ? AQM_SCORE_MISSING : random_score(&rng);
        }
        variants[0]->join(rows, sources, n, expected);
        for (int variant = 0; variant < variant_count; variant++) {
            variants[variant]->join(rows, sources, n, out);
            assert_memory_equal(out, expected, n * sizeof *out);
            for (size_t x = 0; x < n; x++) {
                int16_t sorted[9];
                size_t valid = 0;
                for (size_t s = 0; s < sources; s++)
                    if (scores[s][x] != AQM_SCORE_MISSING)
                        sorted[valid++] = scores[s][x];
                qsort(sorted, valid, sizeof *sorted, descending);
                const size_t take = valid < 2 ? valid : valid < 5 ? 2 : valid < 7 ? 3 : 4;
                float sum = 0;
                for (size_t k = 0; k < take; k++)
                    sum += (float)sorted[k];
                const float mean = take ? sum / (float)take : AQM_SCORE_MISSING;
                assert_true(fabsf((float)out[x] - mean) <= 1.5f + 0.3f);
            }
        }
    }
}

enum { PLANES = 40, KINDS = 7 };

/* Runs the tracker over score curves and reads one pixel's outcome: `block` has a row of each kind.
 */
static AqmPeaks track_curve(const AqmKernels *kernels, const int16_t *curve, int merge,
                            int16_t block[KINDS][AQM_ROW_MULTIPLE]) {
    for (int k = 0; k < KINDS * AQM_ROW_MULTIPLE; k++)
        block[k / AQM_ROW_MULTIPLE][k % AQM_ROW_MULTIPLE] =
            k < (KINDS - 1) * AQM_ROW_MULTIPLE ? AQM_SCORE_MISSING : -1;
    const AqmPeaks peaks = {block[0], block[1], block[2], block[3], block[4], block[6], block[5]};
    int16_t row[AQM_ROW_MULTIPLE] = {0};
    for (int k = 0; k < PLANES; k++) {
        row[0] = curve[k];
        kernels->track(row, AQM_ROW_MULTIPLE, k, 1, merge, 1, &peaks);
    }
    return peaks;
}

static void tracking_finds_the_two_best_maxima(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(6, 1);
    for (int trial = 0; trial < 500; trial++) {
        int16_t curve[PLANES], block[KINDS][AQM_ROW_MULTIPLE];
        for (int k = 0; k < PLANES; k++)
            curve[k] = (int16_t)(aqm_rng_u32(&rng) % AQM_SCORE_ONE);
        curve[0] = curve[PLANES - 1] = -8000; /* rises from the first plane: no edge maximum */
        int best = -1;
        for (int k = 1; k + 1 < PLANES; k++)
            if (curve[k] > curve[k - 1] && curve[k] >= curve[k + 1] &&
                (best < 0 || curve[k] > curve[best]))
                best = k;
        int16_t second = AQM_SCORE_MISSING;
        for (int k = 1; k + 1 < PLANES; k++)
            if (k != best && curve[k] > curve[k - 1] && curve[k] >= curve[k + 1])
                second = curve[k] > second ? curve[k] : second;
        for (int variant = 0; variant < variant_count; variant++) {
            const AqmPeaks p = track_curve(variants[variant], curve, 0, block);
            assert_int_equal(*p.best_plane, best);
            assert_true(*p.best == curve[best] && *p.best_below == curve[best - 1] &&
                        *p.best_above == curve[best + 1] && *p.second == second);
        }
    }
}

/* Row by row by the reference, and by each variant in parts of any length. */
static void parting_the_planes_changes_nothing(void **state) {
    (void)state;
    enum { ROW = 48 };
    static int16_t scores[PLANES][ROW], block[2][KINDS][ROW];
    AqmRng rng = aqm_rng(12, 1);
    for (int trial = 0; trial < 40; trial++) {
        const size_t n = 1 + aqm_rng_u32(&rng) % 40;
        for (int k = 0; k < PLANES * ROW; k++)
            scores[k / ROW][k % ROW] = aqm_rng_u32(&rng) % 8 == 0
                                           ? AQM_SCORE_MISSING
                                           : (int16_t)(256 * (aqm_rng_u32(&rng) % 64));
        for (int variant = 0; variant < variant_count; variant++) {
            AqmPeaks p[2];
            for (size_t side = 0; side < 2; side++) {
                for (int k = 0; k < KINDS * ROW; k++)
                    block[side][k / ROW][k % ROW] = k < (KINDS - 1) * ROW ? AQM_SCORE_MISSING : -1;
                int16_t(*b)[ROW] = block[side];
                p[side] = (AqmPeaks){b[0], b[1], b[2], b[3], b[4], b[6], b[5]};
            }
            for (int k = 0; k < PLANES; k++)
                aqm_kernels_reference.track(scores[k], ROW, k, 1, 3, n, &p[0]);
            for (int k = 0, part; k < PLANES; k += part) {
                part = 1 + (int)(aqm_rng_u32(&rng) % 7);
                part = part < PLANES - k ? part : PLANES - k;
                variants[variant]->track(scores[k], ROW, k, part, 3, n, &p[1]);
            }
            for (int kind = 0; kind < KINDS; kind++) /* what follows up to 16 may be anything */
                assert_memory_equal(block[1][kind], block[0][kind], n * sizeof(int16_t));
        }
    }
}

static void ripples_on_one_peak_are_one_peak(void **state) {
    (void)state;
    int16_t curve[PLANES], block[KINDS][AQM_ROW_MULTIPLE];
    for (int k = 0; k < PLANES; k++)
        curve[k] = (int16_t)(14000 - 320 * abs(k - 20) + (k % 2 ? 480 : 0));
    const AqmPeaks p = track_curve(&aqm_kernels_reference, curve, PLANES, block);
    assert_true(*p.best_plane == 19 || *p.best_plane == 21);
    assert_true(*p.second < *p.best);
    /* a score that falls from the first plane on outweighs a lower maximum inside */
    for (int k = 0; k < PLANES; k++)
        curve[k] = (int16_t)(k == 30 ? 8000 : 14000 - 320 * k);
    const AqmPeaks q = track_curve(&aqm_kernels_reference, curve, 2, block);
    assert_true(*q.second > *q.best);
}

static void projection_variants_agree(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(7, 1);
    const AqmProjector p = {.R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                            .fx = 1400,
                            .fy = 1390,
                            .cx = 800,
                            .cy = 600,
                            .water_z = 0.978,
                            .n = 1.333};
    double X[32], Y[32], Z[32];
    float u[32], v[32], eu[32], ev[32];
    for (int k = 0; k < 32; k++) {
        X[k] = aqm_rng_uniform(&rng) - 0.5;
        Y[k] = aqm_rng_uniform(&rng) - 0.5;
        Z[k] = 0.98 + 0.5 * aqm_rng_uniform(&rng);
    }
    Z[3] = 0.5; /* above the water */
    variants[0]->project(&p, X, Y, Z, 32, eu, ev);
    assert_true(isnan(eu[3]) && isnan(ev[3]));
    for (int k = 0; k < 32; k++) {
        if (k == 3)
            continue;
        /* Snell at the point where the straight line from the camera meets the water */
        const double ax = (eu[k] - p.cx) / p.fx, ay = (ev[k] - p.cy) / p.fy, r = hypot(ax, ay);
        const double sine = r / sqrt(1 + r * r) / p.n, bent = sine / sqrt(1 - sine * sine);
        const double reach = r * p.water_z + bent * (Z[k] - p.water_z);
        assert_true(fabs(reach - hypot(X[k], Y[k])) * 1400 < 1e-3);
    }
    for (int variant = 1; variant < variant_count; variant++) {
        variants[variant]->project(&p, X, Y, Z, 32, u, v);
        assert_memory_equal(u, eu, 3 * sizeof *u);
        assert_memory_equal(v + 4, ev + 4, 28 * sizeof *v);
        assert_true(isnan(u[3]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_bilinear),
        cmocka_unit_test(variants_sample_the_same_and_stay_in_bounds),
        cmocka_unit_test(shifts_are_bilinear_and_variants_agree),
        cmocka_unit_test(statistics_are_those_of_each_window),
        cmocka_unit_test(scores_are_the_definitions),
        cmocka_unit_test(whole_windows_score_the_same_by_either_sums),
        cmocka_unit_test(gaps_are_found),
        cmocka_unit_test(column_sums_agree_bit_for_bit),
        cmocka_unit_test(joining_leaves_the_occluded_out),
        cmocka_unit_test(tracking_finds_the_two_best_maxima),
        cmocka_unit_test(parting_the_planes_changes_nothing),
        cmocka_unit_test(ripples_on_one_peak_are_one_peak),
        cmocka_unit_test(projection_variants_agree),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
