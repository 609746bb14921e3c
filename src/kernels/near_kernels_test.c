/* Column sums, fits and answers of near_kernels.h (near_rows_test.c has the rest): the reference
 * against definitions in double, every variant against the reference, bit for bit. */
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
#include "kernels/near_kernels.h"
#include "kernels/window_stats.h"
#include "math/rng.h"

/* Buffers start at an odd element and are compared whole, so that nothing is written beside. */
enum { N = 203, PITCH = 256, OFFSET = 1, SUMS = 10, WINDOW_MAX = 31, SOURCES = 5 };

static const AqmNearKernels *variants[2];
static int variant_count;

static int collect_variants(void **state) {
    (void)state;
    variants[variant_count++] = &aqm_near_kernels_reference;
    if (aqm_near_kernels(aqm_cpu_features()) != &aqm_near_kernels_reference)
        variants[variant_count++] = aqm_near_kernels(aqm_cpu_features());
    else
        print_message("no other variant than the reference runs on this machine\n");
    return 0;
}

static float uniform(AqmRng *rng, double low, double high) {
    return (float)(low + (high - low) * aqm_rng_uniform(rng));
}

static int below(AqmRng *rng, int n) {
    return (int)(aqm_rng_u32(rng) % (unsigned)n);
}

/* The same bits, or both NaN. */
static void assert_same(const float *a, const float *b, size_t n) {
    for (size_t k = 0; k < n; k++)
        if (!(isnan(a[k]) && isnan(b[k])))
            assert_memory_equal(a + k, b + k, sizeof *a);
}

/* ---- column sums and fits ----------------------------------------------------------------------
 */

typedef struct Block {
    int32_t sums[SUMS][PITCH];
} Block;

static AqmPairSums pair_sums(Block *block, size_t offset) {
    int32_t *s[SUMS];
    for (int k = 0; k < SUMS; k++)
        s[k] = block->sums[k] + offset;
    return (AqmPairSums){s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]};
}

static int16_t any_gray(AqmRng *rng, bool is_extreme, bool may_miss) {
    if (may_miss && below(rng, 6) == 0)
        return AQM_GRAY_MISSING;
    if (is_extreme)
        return below(rng, 2) ? AQM_GRAY_MAX : AQM_GRAY_MIN;
    return (int16_t)(below(rng, 2048) - 1024);
}

typedef struct Rows {
    int16_t values[2][3][PITCH]; /* in and out; i, a, b */
} Rows;

static AqmPairRow pair_row(const Rows *rows, int k, size_t offset) {
    return (AqmPairRow){rows->values[k][0] + offset, rows->values[k][1] + offset,
                        rows->values[k][2] + offset};
}

/* By definition: the seven, or all ten over the columns where nothing is missing. */
static void move_columns(const Rows *rows, size_t offset, size_t n, bool is_masked, Block *block) {
    for (size_t x = offset; x < offset + n; x++)
        for (int k = 0; k < 2; k++) {
            const int sign = k == 0 ? 1 : -1;
            const int i = rows->values[k][0][x], a = rows->values[k][1][x],
                      b = rows->values[k][2][x];
            const int own[SUMS] = {a, b, a * a, a * b, b * b, i * a, i * b, 1, i, i * i};
            if (i == AQM_GRAY_MISSING || a == AQM_GRAY_MISSING || b == AQM_GRAY_MISSING)
                continue;
            for (int s = 0; s < (is_masked ? SUMS : 7); s++)
                block->sums[s][x] += sign * own[s];
        }
}

static void column_sums_move_down_exactly(void **state) {
    (void)state;
    static Rows rows;
    static Block start, expected, found;
    AqmRng rng = aqm_rng(2, 2);
    for (int trial = 0; trial < 200; trial++) {
        const bool is_masked = trial % 2;
        const size_t offset = (size_t)below(&rng, 16), n = 16 * (size_t)(1 + below(&rng, 14));
        for (int k = 0; k < 6 * PITCH; k++)
            rows.values[k / PITCH / 3][k / PITCH % 3][k % PITCH] =
                any_gray(&rng, trial % 3 == 0, is_masked);
        for (int k = 0; k < SUMS * PITCH; k++)
            start.sums[k / PITCH][k % PITCH] = below(&rng, 60000000) - 30000000;
        expected = start;
        move_columns(&rows, offset, n, is_masked, &expected);
        const AqmPairRow in = pair_row(&rows, 0, offset), out = pair_row(&rows, 1, offset);
        for (int k = 0; k < variant_count; k++) {
            found = start;
            const AqmPairSums sums = pair_sums(&found, offset);
            (is_masked ? variants[k]->pair_columns_masked : variants[k]->pair_columns)(&in, &out, n,
                                                                                       &sums);
            assert_memory_equal(&found, &expected, sizeof found);
        }
    }
}

/* A picture of three images, its column sums over a window's height, and its windows. */
typedef struct Picture {
    int window;
    int16_t values[3][WINDOW_MAX][PITCH];
    Block sums;
    int16_t mean[PITCH], rest[PITCH];
    float variance[PITCH], inverse[PITCH];
} Picture;

enum { TEXTURE, EXTREME, FLAT, CONTENTS };

static void fill_picture(Picture *p, AqmRng *rng, int window, int content, bool may_miss) {
    memset(p, 0, sizeof *p);
    p->window = window;
    for (int r = 0; r < window; r++)
        for (int c = 0; c < PITCH; c++) {
            const int common = below(rng, 1200) - 600;
            for (int k = 0; k < 3; k++) {
                int gray = common + below(rng, 400) - 200;
                gray = content == EXTREME ? (below(rng, 2) ? AQM_GRAY_MAX : AQM_GRAY_MIN) : gray;
                gray = content == FLAT && c < 100 ? AQM_GRAY_MAX - k : gray;
                gray = may_miss && below(rng, 20) == 0 ? AQM_GRAY_MISSING : gray;
                gray = may_miss && k == 2 && c > 180 && c < 186 ? AQM_GRAY_MISSING : gray;
                p->values[k][r][c] = (int16_t)gray;
            }
        }
    for (int r = 0; r < window; r++) {
        Rows rows = {0};
        for (int k = 0; k < 3; k++) {
            memcpy(rows.values[0][k], p->values[k][r], sizeof rows.values[0][k]);
            for (int c = 0; c < PITCH; c++)
                rows.values[1][k][c] = AQM_GRAY_MISSING; /* nothing leaves */
        }
        move_columns(&rows, 0, PITCH, true, &p->sums);
    }
    const int count = window * window;
    for (int x = 0; x + window <= PITCH; x++) {
        int32_t sum = 0, squares = 0;
        for (int c = x; c < x + window; c++) {
            sum += p->sums.sums[8][c];
            squares += p->sums.sums[9][c];
        }
        const AqmWindowStats s = aqm_window_stats(sum, squares, count, 1.0f / (float)count);
        p->mean[x] = (int16_t)s.mean, p->rest[x] = (int16_t)s.rest;
        p->variance[x] = s.variance;
        p->inverse[x] = aqm_inverse_deviation(s.variance, aqm_flat_variance((float)count));
    }
}

/* Mean 0 and length 1; false where flat. */
static bool normalise(double *values, int n) {
    double mean = 0.0, squares = 0.0;
    for (int k = 0; k < n; k++)
        mean += values[k] / n;
    for (int k = 0; k < n; k++) {
        values[k] -= mean;
        squares += values[k] * values[k];
    }
    for (int k = 0; k < n && squares > 0.0; k++)
        values[k] /= sqrt(squares);
    return squares > 1.02 * (double)aqm_flat_variance((float)n);
}

typedef struct Exact {
    int count;
    bool is_textured;
    double score, slope, information;
} Exact;

/* From the samples themselves: the source window moved by -e, 0 and e. */
static Exact exact_fit(const Picture *p, int x, double spacing) {
    enum { MOST = WINDOW_MAX * WINDOW_MAX };
    static double i[MOST], j[3][MOST];
    const double e = 1e-4;
    Exact exact = {0};
    for (int k = 0; k < p->window * p->window; k++) {
        const int r = k / p->window, c = x + k % p->window, n = exact.count;
        const int16_t gray[3] = {p->values[0][r][c], p->values[1][r][c], p->values[2][r][c]};
        if (gray[0] == AQM_GRAY_MISSING || gray[1] == AQM_GRAY_MISSING ||
            gray[2] == AQM_GRAY_MISSING)
            continue;
        i[n] = gray[0];
        for (int t = 0; t < 3; t++)
            j[t][n] = 0.5 * (gray[1] + gray[2]) + (t - 1) * e * (gray[2] - gray[1]) / spacing;
        exact.count++;
    }
    exact.is_textured = exact.count > 1 && normalise(i, exact.count);
    for (int t = 0; t < 3 && exact.is_textured; t++)
        exact.is_textured = normalise(j[t], exact.count);
    for (int k = 0; k < exact.count && exact.is_textured; k++) {
        const double change = (j[2][k] - j[0][k]) / (2.0 * e);
        exact.score += i[k] * j[1][k];
        exact.slope += i[k] * change;
        exact.information += change * change;
    }
    return exact;
}

typedef struct Fits {
    float score[PITCH], slope[PITCH], information[PITCH];
} Fits;

static AqmPairFit fit_of(Fits *fits) {
    return (AqmPairFit){fits->score + OFFSET, fits->slope + OFFSET, fits->information + OFFSET};
}

static int32_t scratch[12 * (N + WINDOW_MAX + AQM_ROW_MULTIPLE)];

static void run_fit(const AqmNearKernels *kernels, Picture *p, int min_count, float spacing,
                    size_t n, Fits *fits) {
    const AqmPairSums sums = pair_sums(&p->sums, OFFSET);
    const AqmReferenceStats stats = {p->mean + OFFSET, p->rest + OFFSET, p->variance + OFFSET,
                                     p->inverse + OFFSET};
    const AqmPairFit fit = fit_of(fits);
    memset(fits, 0x55, sizeof *fits);
    if (min_count > 0)
        kernels->pair_fit_masked(&sums, p->window, min_count, spacing, n, scratch, &fit);
    else
        kernels->pair_fit(&sums, &stats, p->window, spacing, n, scratch, &fit);
}

static void check_fit(const Fits *fits, int x, const Exact *exact, double worth) {
    const double score = (double)fits->score[OFFSET + x], slope = (double)fits->slope[OFFSET + x];
    const double information = (double)fits->information[OFFSET + x];
    assert_true(fabs(score - exact->score) < 1e-5);
    assert_true(fabs(slope - worth * exact->slope) < 1e-5 * (1.0 + fabs(exact->slope)));
    assert_true(fabs(information - worth * exact->information) <
                1e-4 * (0.01 + exact->information));
}

static void fits_are_those_of_the_samples(void **state) {
    (void)state;
    static Picture p;
    static Fits fits[2];
    static const int windows[] = {3, 5, 7, 11, 31};
    AqmRng rng = aqm_rng(3, 3);
    int flat = 0;
    for (int trial = 0; trial < 45; trial++) {
        const int window = windows[trial % 5], content = trial / 5 % CONTENTS;
        const size_t n = trial % 4 ? (size_t)(1 + below(&rng, N)) : (size_t)(1 + below(&rng, 20));
        const float spacing = uniform(&rng, 0.3, 2.0);
        fill_picture(&p, &rng, window, content, false);
        for (int k = 0; k < variant_count; k++)
            run_fit(variants[k], &p, 0, spacing, n, &fits[k]);
        for (int x = 0; x < (int)n; x += 1 + window / 7) {
            const Exact exact = exact_fit(&p, x + OFFSET, (double)spacing);
            check_fit(&fits[0], x, &exact, 1.0);
            flat += !exact.is_textured;
        }
        if (variant_count > 1)
            assert_memory_equal(&fits[1], &fits[0], sizeof fits[0]);
        /* with nothing missing, the other one says the same */
        run_fit(variants[0], &p, 1, spacing, n, &fits[1]);
        for (size_t x = OFFSET; x < OFFSET + n; x++) {
            assert_true(fits[1].score[x] == fits[0].score[x]);
            assert_true(fabsf(fits[1].slope[x] - fits[0].slope[x]) <=
                        2e-6f * fabsf(fits[0].slope[x]));
            assert_true(fabsf(fits[1].information[x] - fits[0].information[x]) <=
                        2e-6f * fits[0].information[x]);
        }
    }
    assert_true(flat > 100);
}

static void parts_of_windows_count_for_less(void **state) {
    (void)state;
    static Picture p;
    static Fits fits[2];
    AqmRng rng = aqm_rng(4, 4);
    int few = 0;
    for (int trial = 0; trial < 30; trial++) {
        const int window = 3 + 2 * (trial % 5), most = window * window;
        const int min_count = most * 6 / 7;
        const size_t n = (size_t)(1 + below(&rng, N));
        fill_picture(&p, &rng, window, trial % CONTENTS, true);
        for (int k = 0; k < variant_count; k++)
            run_fit(variants[k], &p, min_count, 0.8f, n, &fits[k]);
        for (int x = 0; x < (int)n; x++) {
            Exact exact = exact_fit(&p, x + OFFSET, 0.8f);
            few += exact.count < min_count;
            if (exact.count < min_count)
                exact = (Exact){0};
            check_fit(&fits[0], x, &exact, pow((double)exact.count / most, 4.0));
        }
        if (variant_count > 1)
            assert_memory_equal(&fits[1], &fits[0], sizeof fits[0]);
    }
    assert_true(few > 100);
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static double weight_of(double score, double best, double floor, double full) {
    const double share = (score / fmax(best, 1e-6) - floor) / (full - floor);
    return score > 0.0 ? fmin(fmax(share, 0.0), 1.0) : 0.0;
}

/* The weighted Gauss-Newton step of one pixel, in double; answers shift, sigma and score. */
static void exact_solve(const Fits *fits, size_t sources, const AqmPairRules *rules, int x,
                        double answer[3]) {
    const double prior = (double)rules->prior;
    double best = 0.0, weights = 0.0, score = 0.0, slope = 0.0, stiff = prior, noise = 0.0;
    for (size_t s = 0; s < sources; s++)
        best = fmax(best, (double)fits[s].score[x]);
    for (size_t s = 0; s < sources; s++) {
        const double r = (double)fits[s].score[x], a = (double)fits[s].information[x];
        const double w =
            weight_of(r, best, (double)rules->weight_floor, (double)rules->weight_full);
        weights += w, score += w * r, slope += w * (double)fits[s].slope[x];
        stiff += w * r * fmax(a - (double)rules->noise_share * (1.0 - r * r), 0.0);
        noise += w * w * a * (1.0 - r * r);
    }
    const double most = (double)rules->most_px, floor = (double)rules->floor_px;
    const double move = fmin(fmax(slope / stiff, -most), most);
    answer[0] = weights > 0.0 ? move : (double)NAN;
    answer[1] = weights > 0.0 ? sqrt((double)rules->gain * noise / (stiff * stiff) + floor * floor +
                                     pow((double)rules->shift_share * move, 2.0) +
                                     pow((double)rules->base_px * prior / stiff, 2.0))
                              : (double)NAN;
    answer[2] = weights > 0.0 ? score / weights : 0.0;
}

static bool are_near(float a, double b, double bound) {
    return (isnan(a) && isnan(b)) || fabs((double)a - b) <= bound * (1.0 + fabs(b));
}

static void the_shift_is_that_of_the_weighted_sum(void **state) {
    (void)state;
    static Fits fits[SOURCES];
    static float out[2][3][PITCH];
    const AqmPairRules rules = {0.6f, 0.8f, 0.4f, 0.02f, 1.5f, 1.7f, 0.03f, 0.1f, 0.3f};
    AqmRng rng = aqm_rng(5, 5);
    for (int trial = 0; trial < 40; trial++) {
        const size_t sources = (size_t)(1 + trial % SOURCES), n = (size_t)(1 + below(&rng, N));
        AqmPairFit rows[SOURCES];
        for (size_t s = 0; s < SOURCES; s++) {
            rows[s] = fit_of(&fits[s]);
            for (int x = 0; x < PITCH; x++) {
                const bool is_seen = below(&rng, 3) && x % 17 != 5;
                fits[s].score[x] = is_seen ? uniform(&rng, trial % 3 ? 0.3 : -1.0, 1.0) : 0.0f;
                fits[s].slope[x] = is_seen ? uniform(&rng, -0.6, 0.6) : 0.0f;
                fits[s].information[x] = is_seen ? uniform(&rng, 0.0, 1.2) : 0.0f;
            }
        }
        memset(out, 0x55, sizeof out);
        for (int k = 0; k < variant_count; k++)
            variants[k]->pair_solve(rows, sources, &rules, n, out[k][0] + OFFSET,
                                    out[k][1] + OFFSET, out[k][2] + OFFSET);
        for (int x = OFFSET; x < OFFSET + (int)n; x++) {
            double answer[3];
            exact_solve(fits, sources, &rules, x, answer);
            for (int k = 0; k < 3; k++)
                assert_true(are_near(out[0][k][x], answer[k], 2e-4));
        }
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k][0], out[0][0], (size_t)3 * PITCH);
    }
}

typedef struct Curves {
    int16_t scores[SOURCES][AQM_CURVE_MAX][PITCH];
} Curves;

static AqmCurves curves_of(const Curves *c, const bool *is_seen, size_t sources,
                           const float *penalty) {
    return (AqmCurves){
        c->scores[0][0] + OFFSET, is_seen, sources, PITCH, AQM_CURVE_MAX, 0.6f, 0.8f, penalty};
}

/* Parabolas of one peak, one source that sees nothing, one with a gap, and one far too low. */
static void the_peak_of_joined_curves_is_found(void **state) {
    (void)state;
    static Curves curves;
    static const float none[AQM_CURVE_MAX];
    static const bool is_seen[SOURCES] = {true, false, true, true, true};
    AqmRng rng = aqm_rng(6, 6);
    float peak[PITCH], index[PITCH], value[PITCH];
    for (int x = 0; x < PITCH; x++)
        peak[x] = uniform(&rng, 1.0, AQM_CURVE_MAX - 2.0);
    for (int k = 0; k < AQM_CURVE_MAX; k++)
        for (int x = 0; x < PITCH; x++) {
            const float d = (float)k - peak[x], parabola = 0.9f - 0.0015f * d * d;
            curves.scores[0][k][x] = curves.scores[4][k][x] =
                x == 9 ? AQM_SCORE_MISSING : aqm_score_of(parabola);
            curves.scores[1][k][x] = AQM_SCORE_ONE; /* not seen */
            curves.scores[2][k][x] = k == x % AQM_CURVE_MAX ? AQM_SCORE_MISSING : 16220;
            curves.scores[3][k][x] = (int16_t)(8192 - 164 * abs(k - 3)); /* occluded */
        }
    curves.scores[3][7][9] = AQM_SCORE_MISSING;
    const AqmCurves given = curves_of(&curves, is_seen, SOURCES, none);
    for (int k = 0; k < variant_count; k++) {
        variants[k]->curve_peak(&given, N, index, value);
        for (int x = 0; x < N; x++) {
            if (x + OFFSET == 9) {
                assert_true(value[x] == AQM_CURVE_MISSING);
                continue;
            }
            /* half a unit of two scores against what a step changes the slope by */
            assert_true(fabsf(index[x] - peak[x + OFFSET]) <
                        0.5f / (AQM_SCORE_ONE * 0.003f) * 2.0f);
            assert_true(fabsf(value[x] - 0.9f) < 0.0015f * 0.26f + 1.0f / AQM_SCORE_ONE);
        }
    }
}

static void variants_find_the_same_peaks(void **state) {
    (void)state;
    static Curves curves;
    static float out[2][2][PITCH];
    AqmRng rng = aqm_rng(7, 7);
    for (int trial = 0; trial < 20; trial++) {
        const size_t sources = (size_t)(1 + trial % SOURCES), n = (size_t)(1 + below(&rng, N));
        bool is_seen[SOURCES];
        float penalty[AQM_CURVE_MAX];
        for (int s = 0; s < SOURCES; s++)
            is_seen[s] = below(&rng, 4) > 0;
        for (int k = 0; k < AQM_CURVE_MAX; k++)
            penalty[k] = uniform(&rng, 0.0, 0.2);
        for (int k = 0; k < SOURCES * AQM_CURVE_MAX * PITCH; k++) {
            const float score =
                trial % 2 ? (float)(below(&rng, 9) - 4) * 0.25f : uniform(&rng, -1.0, 1.0);
            curves.scores[k / PITCH / AQM_CURVE_MAX][k / PITCH % AQM_CURVE_MAX][k % PITCH] =
                below(&rng, 150) ? aqm_score_of(score) : AQM_SCORE_MISSING;
        }
        memset(out, 0x55, sizeof out);
        AqmCurves given = curves_of(&curves, is_seen, sources, penalty);
        given.length = trial % 4 ? 1 + below(&rng, 9) : AQM_CURVE_MAX;
        for (int k = 0; k < variant_count; k++)
            variants[k]->curve_peak(&given, n, out[k][0] + OFFSET, out[k][1] + OFFSET);
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k][0], out[0][0], (size_t)2 * PITCH);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(column_sums_move_down_exactly),
        cmocka_unit_test(fits_are_those_of_the_samples),
        cmocka_unit_test(parts_of_windows_count_for_less),
        cmocka_unit_test(the_shift_is_that_of_the_weighted_sum),
        cmocka_unit_test(the_peak_of_joined_curves_is_found),
        cmocka_unit_test(variants_find_the_same_peaks),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
