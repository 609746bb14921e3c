#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/nearest_kernels.h"
#include "math/rng.h"

enum { MAX = 400 };

static int by_value(const void *a, const void *b) {
    const float p = *(const float *)a, q = *(const float *)b;
    return p < q ? -1 : p > q;
}

static const AqmNearestKernels *variant(int k) {
    return k == 0 ? &aqm_nearest_kernels_reference : aqm_nearest_kernels(aqm_cpu_features());
}

/* kind 0: as on a surface; 1: few different values; 2: over many magnitudes; 3: all equal. */
static void fill(AqmRng *rng, int kind, float *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double u = aqm_rng_uniform(rng);
        values[i] = (float)(kind == 0   ? u * 1e-4
                            : kind == 1 ? floor(4.0 * u)
                            : kind == 2 ? exp(80.0 * u - 40.0)
                                        : 0.25);
    }
}

static void bounds_and_sums_are_those_of_sorting(void **state) {
    (void)state;
    float values[MAX], sorted[MAX];
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 4000; trial++) {
        const size_t n = 16 * (1 + aqm_rng_u32(&rng) % (MAX / 16));
        const size_t finite = 1 + aqm_rng_u32(&rng) % n, k = 1 + aqm_rng_u32(&rng) % finite;
        fill(&rng, trial % 4, values, n);
        for (size_t i = finite; i < n; i++)
            values[i] = INFINITY;
        memcpy(sorted, values, n * sizeof *values);
        qsort(sorted, n, sizeof *sorted, by_value);
        static const float guesses[] = {0.0f, 1e-30f, 2e-5f, 1.0f, 1e30f, INFINITY};
        double sum = 0.0;
        for (size_t i = 0; i < k; i++)
            sum += sqrt((double)sorted[i]);
        for (int v = 0; v < 2; v++) {
            const float limit = variant(v)->bound(values, n, k, 0, guesses[trial % 6]);
            assert_true(limit >= sorted[k - 1]);
            assert_true(limit == sorted[k - 1] || k == n || limit < sorted[k]);
            const double roots = variant(v)->sum_of_roots(values, n, k, limit);
            assert_true(fabs(roots - sum) <= 1e-6 * sum);
            assert_true(roots == variant(0)->sum_of_roots(values, n, k, limit));
            const float bound = variant(v)->bound(values, n, k, 5, guesses[trial % 6]);
            assert_true(bound >= sorted[k - 1]);
            assert_true(bound == sorted[k - 1] || k + 5 >= n || bound < sorted[k + 5]);
            assert_true(bound == variant(0)->bound(values, n, k, 5, guesses[trial % 6]));
        }
    }
}

static void a_few_values_are_summed_as_if_sorted(void **state) {
    (void)state;
    enum { FEW = AQM_NEAREST_FEW, ROOM = FEW + AQM_NEAREST_LANES };
    float values[ROOM], sorted[FEW], given[ROOM + 1], lasts[2], roots[2];
    AqmRng rng = aqm_rng(5, 5);
    for (int trial = 0; trial < 20000; trial++) {
        const size_t n = 1 + aqm_rng_u32(&rng) % FEW, k = 1 + aqm_rng_u32(&rng) % n;
        double sum = 0.0;
        fill(&rng, trial % 4, values, ROOM); /* smaller ones behind them do not count */
        memcpy(sorted, values, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_value);
        for (size_t i = 0; i < k; i++)
            sum += sqrt((double)sorted[i]);
        for (int v = 0; v < 2; v++) {
            memcpy(given, values, sizeof values);
            given[ROOM] = -3.0f;
            roots[v] = variant(v)->roots_of_few(given, n, k, &lasts[v]);
            assert_true(given[ROOM] == -3.0f);
            assert_true(lasts[v] == sorted[k - 1]);
            assert_true(fabs((double)roots[v] - sum) <= 1e-6 * sum);
        }
        assert_true(roots[0] == roots[1]);
    }
}

static void distances_stop_at_the_count(void **state) {
    (void)state;
    float points[3][64], out[2][80];
    const float query[3] = {0.1f, -0.2f, 0.3f};
    AqmRng rng = aqm_rng(2, 2);
    for (int i = 0; i < 3 * 64; i++)
        points[i / 64][i % 64] = (float)aqm_rng_normal(&rng);
    for (size_t count = 1; count <= 40; count++) {
        for (int v = 0; v < 2; v++) {
            for (int i = 0; i < 80; i++)
                out[v][i] = -1.0f;
            const size_t padded = variant(v)->distances2(points[0] + 1, points[1] + 1,
                                                         points[2] + 1, count, query, out[v]);
            assert_true(padded % 8 == 0 && padded >= count && padded < count + 8);
            for (size_t i = count; i < padded; i++)
                assert_true(out[v][i] == INFINITY);
            assert_true(out[v][padded] == -1.0f);
        }
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        for (size_t i = 0; i < count; i++) {
            double sum = 0.0;
            for (int a = 0; a < 3; a++)
                sum += pow((double)points[a][i + 1] - (double)query[a], 2.0);
            assert_true(fabs((double)out[0][i] - sum) <= 1e-6 * sum);
        }
    }
}

static void near_distances_are_those_within_the_limit(void **state) {
    (void)state;
    float points[3][64], all[80], out[80];
    const float query[3] = {0.1f, -0.2f, 0.3f};
    AqmRng rng = aqm_rng(4, 4);
    for (int i = 0; i < 3 * 64; i++)
        points[i / 64][i % 64] = (float)aqm_rng_normal(&rng);
    for (size_t count = 1; count <= 40; count++) {
        const float *const x = points[0] + 1, *const y = points[1] + 1, *const z = points[2] + 1;
        variant(0)->distances2(x, y, z, count, query, all);
        /* one of them: it counts */
        const float limit = count % 3 == 0 ? INFINITY : all[count / 2];
        for (int v = 0; v < 2; v++) {
            size_t at = 0;
            for (int i = 0; i < 80; i++)
                out[i] = -1.0f;
            const size_t found = variant(v)->near_distances2(x, y, z, count, query, limit, out);
            for (size_t i = 0; i < count; i++)
                if (all[i] <= limit)
                    assert_memory_equal(&out[at++], &all[i], sizeof(float));
            assert_int_equal(found, at);
            for (size_t i = found + 8; i < 80; i++)
                assert_true(out[i] == -1.0f);
        }
    }
}

static void no_box_is_farther_than_a_point_in_it(void **state) {
    (void)state;
    enum { BOXES = 24 };
    float sides[6][BOXES], inside[3][BOXES], gaps2[2][BOXES], distances2[BOXES];
    AqmRng rng = aqm_rng(3, 3);
    for (int trial = 0; trial < 200; trial++) {
        float query[3];
        for (int a = 0; a < 3; a++) {
            query[a] = (float)aqm_rng_normal(&rng);
            for (int i = 0; i < BOXES; i++) {
                inside[a][i] = (float)aqm_rng_normal(&rng);
                sides[a][i] = inside[a][i] - (float)floor(3.0 * aqm_rng_uniform(&rng));
                sides[3 + a][i] = inside[a][i] + (float)floor(3.0 * aqm_rng_uniform(&rng));
            }
        }
        const float *const given[6] = {sides[0], sides[1], sides[2], sides[3], sides[4], sides[5]};
        for (int v = 0; v < 2; v++)
            variant(v)->gaps2(given, BOXES, query, gaps2[v]);
        variant(1)->distances2(inside[0], inside[1], inside[2], BOXES, query, distances2);
        assert_memory_equal(gaps2[0], gaps2[1], sizeof gaps2[0]);
        for (int i = 0; i < BOXES; i++) {
            double sum = 0.0;
            for (int a = 0; a < 3; a++)
                sum += pow(fmax(0.0, fmax((double)sides[a][i] - (double)query[a],
                                          (double)query[a] - (double)sides[3 + a][i])),
                           2.0);
            assert_true(gaps2[0][i] <= distances2[i]);
            assert_true(fabs((double)gaps2[0][i] - sum) <= 1e-6 * sum);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_and_sums_are_those_of_sorting),
        cmocka_unit_test(a_few_values_are_summed_as_if_sorted),
        cmocka_unit_test(distances_stop_at_the_count),
        cmocka_unit_test(near_distances_are_those_within_the_limit),
        cmocka_unit_test(no_box_is_farther_than_a_point_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
