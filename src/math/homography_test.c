#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "math/homography.h"
#include "math/rng.h"

static const double square[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};

static void four_points_are_met_exactly(void **state) {
    (void)state;
    const double to[4][2] = {{100, 200}, {310, 180}, {350, 420}, {80, 390}};
    double H[9], p[2];
    assert_true(aqm_homography_fit(square, to, 4, H));
    for (int k = 0; k < 4; k++) {
        assert_true(aqm_homography_apply(H, square[k], p));
        assert_true(hypot(p[0] - to[k][0], p[1] - to[k][1]) < 1e-9);
    }
}

static void noise_averages_out(void **state) {
    (void)state;
    const double truth[9] = {120, -35, 400, 20, 110, 300, 0.1, -0.05, 1};
    double from[400][2], to[400][2], H[9], p[2], q[2];
    AqmRng rng = aqm_rng(3, 1);
    for (int i = 0; i < 400; i++) {
        from[i][0] = aqm_rng_uniform(&rng), from[i][1] = aqm_rng_uniform(&rng);
        (void)aqm_homography_apply(truth, from[i], to[i]);
        to[i][0] += 0.2 * aqm_rng_normal(&rng), to[i][1] += 0.2 * aqm_rng_normal(&rng);
    }
    assert_true(aqm_homography_fit((const double(*)[2])from, (const double(*)[2])to, 400, H));
    const double middle[2] = {0.5, 0.5};
    (void)aqm_homography_apply(truth, middle, p);
    (void)aqm_homography_apply(H, middle, q);
    assert_true(hypot(p[0] - q[0], p[1] - q[1]) < 0.04);
    assert_true(H[8] == 1.0);
}

static void degenerate_points_are_refused(void **state) {
    (void)state;
    const double line[4][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}};
    const double same[4][2] = {{5, 5}, {5, 5}, {5, 5}, {5, 5}};
    double H[9] = {7};
    assert_false(aqm_homography_fit(square, line, 4, H));
    assert_false(aqm_homography_fit(line, square, 4, H));
    assert_false(aqm_homography_fit(square, same, 4, H));
    assert_false(aqm_homography_fit(square, square, 3, H));
    assert_true(H[0] == 7);
    const double far[9] = {1, 0, 0, 0, 1, 0, 1, 0, 0}, origin[2] = {0, 0};
    double p[2];
    assert_false(aqm_homography_apply(far, origin, p));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_points_are_met_exactly),
        cmocka_unit_test(noise_averages_out),
        cmocka_unit_test(degenerate_points_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
