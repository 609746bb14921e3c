/* Positions and smoothing of near_kernels.h: the reference against definitions, every variant
 * against the reference, bit for bit. */
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
#include "math/rng.h"

/* Buffers start at an odd element and are compared whole, so that nothing is written beside. */
enum { N = 203, PITCH = 256, OFFSET = 1 };

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

static bool are_near(float a, double b, double bound) {
    return (isnan(a) && isnan(b)) || fabs((double)a - b) <= bound * (1.0 + fabs(b));
}

enum { CELLS = 25 };

/* Coefficient k of pixel x by definition: linear between the knots of a row and between the rows.
 */
static double between_knots(const AqmBentKnots *knots, size_t k, int x) {
    const float *top = knots->top[k] + x / 8, *bottom = knots->bottom[k] + x / 8;
    const double a = x % 8 / 8.0, b = (double)knots->down;
    return (1 - b) * ((1 - a) * (double)top[0] + a * (double)top[1]) +
           b * ((1 - a) * (double)bottom[0] + a * (double)bottom[1]);
}

static void check_bent(const AqmBentKnots *knots, const float *q, size_t cells, float half,
                       float out[4][PITCH]) {
    for (int x = 0; x < 8 * (int)cells; x++)
        for (size_t axis = 0; axis < 2; axis++) {
            const double c0 = between_knots(knots, axis, x);
            const double c1 = between_knots(knots, 2 + axis, x);
            const double c2 = between_knots(knots, 4 + axis, x), t = (double)q[x];
            const double value = c0 + t * (c1 + t * c2), slope = 0.25 * (c1 + 2 * t * c2);
            const double move = (double)half * slope;
            assert_true(are_near(out[axis][x], half != 0.0f ? value - move : value, 1e-5));
            assert_true(are_near(out[2 + axis][x], half != 0.0f ? value + move : slope, 1e-5));
        }
}

static void bends_are_parabolas(void **state) {
    (void)state;
    static float knot_rows[12][CELLS + 1], q[PITCH], out[2][4][PITCH];
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 20; trial++) {
        const size_t cells = trial == 0 ? CELLS : 1 + (size_t)below(&rng, CELLS);
        const float half = trial % 2 ? 0.25f : 0.0f;
        AqmBentKnots knots = {.down = (float)below(&rng, 8) / 8.0f, .scale = 0.25f};
        for (int k = 0; k < 12 * (CELLS + 1); k++)
            knot_rows[k / (CELLS + 1)][k % (CELLS + 1)] =
                k % 29 == 0 ? NAN : uniform(&rng, -3.0, 3.0);
        for (int x = 0; x < PITCH; x++)
            q[x] = x % 31 == 0 ? NAN : uniform(&rng, -1.0, 1.0);
        for (size_t k = 0; k < 6; k++) {
            knots.top[k] = knot_rows[k];
            knots.bottom[k] = knot_rows[6 + k];
        }
        memset(out, 0x55, sizeof out);
        for (int k = 0; k < variant_count; k++) {
            float *const to[4] = {out[k][0] + 1, out[k][1] + 1, out[k][2] + 1, out[k][3] + 1};
            variants[k]->bend_row(&knots, q + 1, cells, half, to);
        }
        static float first[4][PITCH];
        for (size_t k = 0; k < 4; k++)
            memcpy(first[k], out[0][k] + 1, (PITCH - 1) * sizeof(float));
        check_bent(&knots, q + 1, cells, half, first);
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k][0], out[0][0], (size_t)4 * PITCH);
    }
}

static int by_size(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void medians_are_the_fifth_of_nine(void **state) {
    (void)state;
    static float rows[3][PITCH], out[2][PITCH];
    AqmRng rng = aqm_rng(8, 8);
    for (int trial = 0; trial < 60; trial++) {
        const size_t width = (size_t)(2 + below(&rng, N));
        for (int k = 0; k < 3 * PITCH; k++) {
            rows[k / PITCH][k % PITCH] =
                trial % 2 ? (float)below(&rng, 4) : uniform(&rng, -1e3, 1e3);
            if (below(&rng, 40) == 0)
                rows[k / PITCH][k % PITCH] = NAN;
        }
        memset(out, 0x55, sizeof out);
        for (int k = 0; k < variant_count; k++)
            variants[k]->median_row(rows[0] + OFFSET, rows[1] + OFFSET, rows[2] + OFFSET, width,
                                    out[k] + OFFSET);
        for (size_t x = 0; x < width; x++) {
            float nine[9], expected = rows[1][OFFSET + x];
            bool is_known = x > 0 && x + 1 < width;
            for (size_t k = 0; k < 9 && is_known; k++) {
                nine[k] = rows[k / 3][OFFSET + x - 1 + k % 3];
                is_known = !isnan(nine[k]);
            }
            if (is_known) {
                qsort(nine, 9, sizeof nine[0], by_size);
                expected = nine[4];
            }
            assert_same(out[0] + OFFSET + x, &expected, 1);
        }
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k], out[0], PITCH);
    }
}

enum { TAPS = 7 };

typedef struct Line {
    float values[TAPS][PITCH], weights[TAPS][PITCH], reach[PITCH];
    const float *rows[TAPS], *weight_rows[TAPS];
    int shift[TAPS];
} Line;

static AqmMeanLine random_line(Line *line, AqmRng *rng, bool is_weighted) {
    for (int k = 0; k < TAPS; k++) {
        for (int x = 0; x < PITCH; x++) {
            line->values[k][x] = below(rng, 12) ? uniform(rng, 10.0, 12.0) : NAN;
            line->weights[k][x] = below(rng, 5) ? uniform(rng, 0.0, 2.0) : 0.0f;
            line->reach[x] = uniform(rng, 0.0, 2.0);
        }
        const bool is_there = k == TAPS / 2 || below(rng, 5);
        line->rows[k] = is_there ? line->values[k] + OFFSET : NULL;
        line->weight_rows[k] = is_there ? line->weights[k] + OFFSET : NULL;
        line->shift[k] = k == TAPS / 2 ? 0 : below(rng, 9) - 4;
    }
    return (AqmMeanLine){line->rows, is_weighted ? line->weight_rows : NULL, line->shift, TAPS,
                         line->reach + OFFSET};
}

static void exact_mean(const AqmMeanLine *line, int x, int width, double *mean, double *weight) {
    const double center = (double)line->rows[TAPS / 2][x];
    double sum = 0.0;
    *weight = 0.0;
    for (int k = 0; k < TAPS; k++) {
        const int shift = line->shift[k], margin = abs(shift);
        if (!line->rows[k] || (k != TAPS / 2 && (x < margin || x >= width - margin)))
            continue;
        const double own = line->weights ? (double)line->weights[k][x + shift] : 1.0;
        const double d = (double)line->rows[k][x + shift] - center;
        if (k == TAPS / 2 || fabs(d) < (double)line->reach[x])
            *weight += own, sum += k == TAPS / 2 ? 0.0 : own * d;
    }
    *mean = center + (*weight > 0.0 ? sum / *weight : 0.0);
}

static void means_keep_to_what_is_within_reach(void **state) {
    (void)state;
    static Line line;
    static float out[2][2][PITCH];
    AqmRng rng = aqm_rng(9, 9);
    for (int trial = 0; trial < 100; trial++) {
        const int width = trial % 3 ? 1 + below(&rng, N) : 1 + below(&rng, 12);
        const AqmMeanLine given = random_line(&line, &rng, trial % 2);
        memset(out, 0x55, sizeof out);
        for (int k = 0; k < variant_count; k++)
            variants[k]->mean_row(&given, (size_t)width, out[k][0] + OFFSET, out[k][1] + OFFSET);
        for (int x = 0; x < width; x++) {
            double mean, weight;
            exact_mean(&given, x, width, &mean, &weight);
            assert_true(are_near(out[0][0][OFFSET + x], mean, 1e-6));
            assert_true(are_near(out[0][1][OFFSET + x], weight, 1e-6));
        }
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k][0], out[0][0], (size_t)2 * PITCH);
        static float alone[PITCH];
        memset(alone, 0x55, sizeof alone);
        variants[0]->mean_row(&given, (size_t)width, alone + OFFSET, NULL);
        assert_same(alone, out[0][0], PITCH);
    }
}

/* ---- quadrics -------------------------------------------------------------------------------- */

enum { ROWS = AQM_QUADRIC_TAPS, TERMS = 6 };

typedef struct QuadricMap {
    float values[ROWS][PITCH], weights[ROWS][PITCH], sigma[PITCH];
} QuadricMap;

static AqmQuadricRows random_rows(QuadricMap *map, AqmRng *rng, size_t width) {
    AqmQuadricRows rows = {.spacing = 1 + below(rng, 4),
                           .reach = 1.0f,
                           .reach_sigmas = 3.0f,
                           .width = width,
                           .sigma = map->sigma + OFFSET};
    for (int j = 0; j < ROWS; j++) {
        for (int x = 0; x < PITCH; x++) {
            const double c = (j - 3) / 3.0, a = (x - 100) / 30.0;
            const double surface = 40.0 + 0.1 * a * a - 0.2 * a * c + 0.1 * c * c + 0.3 * c;
            map->sigma[x] = uniform(rng, 0.05, 0.3);
            map->weights[j][x] =
                below(rng, 30) ? (float)(1.0 / pow(uniform(rng, 0.05, 0.3), 2)) : 0.0f;
            map->values[j][x] = below(rng, 20) ? (float)(surface + 0.2 * aqm_rng_normal(rng)) : NAN;
        }
        const bool is_there = j == ROWS / 2 || below(rng, 8);
        rows.values[j] = is_there ? map->values[j] + OFFSET : NULL;
        rows.weights[j] = is_there ? map->weights[j] + OFFSET : NULL;
    }
    return rows;
}

/* Gauss's elimination of a symmetric system with two right sides. */
static void solve(double m[TERMS][TERMS + 2]) {
    for (int i = 0; i < TERMS; i++)
        for (int r = 0; r < TERMS; r++) {
            const double share = m[r][i] / m[i][i];
            for (int k = i; k < TERMS + 2 && r != i; k++)
                m[r][k] -= share * m[i][k];
        }
}

/* The fit at x by definition: value, variance, excess, weight, and the number of taps. */
static int exact_quadric(const AqmQuadricRows *rows, int x, double out[4]) {
    double m[TERMS][TERMS + 2] = {{0}}, right[TERMS] = {0}, vv = 0.0, weights = 0.0;
    int count = 0;
    const double own = (double)rows->values[ROWS / 2][x];
    const double reach = (double)(rows->reach + rows->reach_sigmas * rows->sigma[x]);
    for (int j = 0; j < ROWS; j++)
        for (int i = 0; i < ROWS; i++) {
            const int at = x + (i - 3) * rows->spacing;
            if (!rows->values[j] || at < 0 || at >= (int)rows->width)
                continue;
            const double w = (double)rows->weights[j][at], d = (double)rows->values[j][at] - own;
            if (!(w > 0.0) || !(fabs(d) < reach))
                continue;
            const double a = (i - 3) / 3.0, c = (j - 3) / 3.0;
            const double f[TERMS] = {1.0, a, c, a * a, a * c, c * c};
            for (int p = 0; p < TERMS; p++) {
                for (int q = 0; q < TERMS; q++)
                    m[p][q] += w * f[p] * f[q];
                right[p] += w * d * f[p];
            }
            vv += w * d * d;
            weights += w;
            count++;
        }
    for (int p = 0; p < TERMS; p++) {
        m[p][TERMS] = right[p];
        m[p][TERMS + 1] = p == 0;
    }
    solve(m);
    double explained = 0.0;
    for (int p = 0; p < TERMS; p++)
        explained += right[p] * m[p][TERMS] / m[p][p];
    out[0] = m[0][TERMS] / m[0][0];
    out[1] = m[0][TERMS + 1] / m[0][0];
    out[2] = (vv - explained) / (count - TERMS);
    out[3] = weights / count;
    return count;
}

static void quadrics_are_least_squares(void **state) {
    (void)state;
    static QuadricMap map;
    static float out[2][4][PITCH];
    AqmRng rng = aqm_rng(17, 9);
    int fitted = 0;
    for (int trial = 0; trial < 100; trial++) {
        const int width = trial % 4 ? 40 + below(&rng, N - 40) : 1 + below(&rng, 20);
        const int first = below(&rng, width), left = width - first;
        const int n = left < AQM_QUADRIC_BLOCK ? left : AQM_QUADRIC_BLOCK;
        const AqmQuadricRows rows = random_rows(&map, &rng, (size_t)width);
        memset(out, 0x55, sizeof out);
        for (int k = 0; k < variant_count; k++) {
            const AqmQuadrics to = {out[k][0] + OFFSET, out[k][1] + OFFSET, out[k][2] + OFFSET,
                                    out[k][3] + OFFSET};
            variants[k]->quadric_row(&rows, (size_t)first, (size_t)n, &to);
        }
        for (int k = 1; k < variant_count; k++)
            assert_same(out[k][0], out[0][0], (size_t)4 * PITCH);
        for (int x = 0; x < n; x++) {
            double exact[4];
            const int count = isnan(rows.values[ROWS / 2][first + x])
                                  ? 0
                                  : exact_quadric(&rows, first + x, exact);
            const float *at = &out[0][0][OFFSET + x];
            assert_true((at[3 * PITCH] > 0.0f) == (count >= 24));
            if (count < 32) /* fewer may be hardly enough for a quadric */
                continue;
            fitted++;
            assert_true(fabs((double)at[0] - exact[0]) < 1e-3 * (0.1 + sqrt(exact[1])));
            assert_true(are_near(at[PITCH], exact[1], 1e-3));
            assert_true(fabs((double)at[2 * PITCH] - exact[2]) < 1e-3 * (1.0 + exact[2]));
            assert_true(are_near(at[3 * PITCH], exact[3], 1e-5));
        }
    }
    assert_true(fitted > 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bends_are_parabolas),
        cmocka_unit_test(medians_are_the_fifth_of_nine),
        cmocka_unit_test(means_keep_to_what_is_within_reach),
        cmocka_unit_test(quadrics_are_least_squares),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
