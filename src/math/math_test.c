#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "math/rng.h"
#include "math/solve.h"
#include "math/stats.h"
#include "math/vec.h"

static void spd_systems_are_solved_and_singular_ones_refused(void **state) {
    (void)state;
    const double A[9] = {4, 1, 2, 1, 5, 3, 2, 3, 6}, x_true[3] = {1, -2, 3};
    double b[3], x[3] = {0};
    aqm_mul33v(A, x_true, b);
    assert_true(aqm_solve_spd(A, b, 3, x));
    for (int i = 0; i < 3; i++)
        assert_true(fabs(x[i] - x_true[i]) < 1e-13);
    const double singular[4] = {1, 2, 2, 4}, rhs[2] = {1, 1};
    double y[2] = {7, 7};
    assert_false(aqm_solve_spd(singular, rhs, 2, y));
    assert_true(y[0] == 7 && y[1] == 7);
}

static void eigenvectors_rebuild_the_matrix(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(5, 0);
    for (int trial = 0; trial < 100; trial++) {
        double A[9], values[3], V[9];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j <= i; j++)
                A[3 * i + j] = A[3 * j + i] = aqm_rng_normal(&rng);
        aqm_eigen_sym3(A, values, V);
        assert_true(values[0] <= values[1] && values[1] <= values[2]);
        for (int k = 0; k < 3; k++) {
            double Av[3];
            aqm_mul33v(A, V + 3 * k, Av);
            for (int i = 0; i < 3; i++)
                assert_true(fabs(Av[i] - values[k] * V[3 * k + i]) < 1e-12);
        }
    }
}

static void selection_agrees_with_counting(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(7, 1);
    for (int trial = 0; trial < 300; trial++) {
        float values[50];
        const size_t n = 1 + aqm_rng_u32(&rng) % 50, k = aqm_rng_u32(&rng) % n;
        for (size_t i = 0; i < n; i++)
            values[i] = (float)(aqm_rng_u32(&rng) % 9);
        const float kth = aqm_select_f32(values, n, k);
        size_t less = 0, equal = 0;
        for (size_t i = 0; i < n; i++) {
            less += values[i] < kth;
            equal += values[i] == kth;
        }
        assert_true(less <= k && k < less + equal);
    }
}

static void percentiles_interpolate_as_numpy_does(void **state) {
    (void)state;
    double values[] = {5, 1, 4, 2};
    assert_true(fabs(aqm_percentile_f64(values, 4, 50) - 3.0) < 1e-15);
    assert_true(fabs(aqm_percentile_f64(values, 4, 90) - 4.7) < 1e-15);
    assert_true(aqm_percentile_f64(values, 4, 0) == 1 && aqm_percentile_f64(values, 4, 100) == 5);
}

static void random_numbers_are_the_published_ones(void **state) {
    (void)state;
    /* the first outputs of the author's demo program, seed 42, stream 54 */
    AqmRng rng = aqm_rng(42, 54);
    assert_int_equal(aqm_rng_u32(&rng), 0xa15c02b7);
    assert_int_equal(aqm_rng_u32(&rng), 0x7b47f409);
    double sum = 0, square = 0;
    for (int i = 0; i < 100000; i++) {
        const double x = aqm_rng_normal(&rng);
        sum += x;
        square += x * x;
    }
    assert_true(fabs(sum / 1e5) < 0.01 && fabs(square / 1e5 - 1) < 0.02);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spd_systems_are_solved_and_singular_ones_refused),
        cmocka_unit_test(eigenvectors_rebuild_the_matrix),
        cmocka_unit_test(selection_agrees_with_counting),
        cmocka_unit_test(percentiles_interpolate_as_numpy_does),
        cmocka_unit_test(random_numbers_are_the_published_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
