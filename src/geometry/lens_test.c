#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "geometry/lens.h"
#include "math/rng.h"

static AqmCamera camera_with(AqmLens lens, const double *k, int count) {
    AqmCamera camera = {.name = "cam",
                        .width = 1600,
                        .height = 1200,
                        .K = {1400, 0, 805, 0, 1395, 610, 0, 0, 1},
                        .lens = lens};
    for (int i = 0; i < count; i++)
        camera.distortion[i] = k[i];
    return camera;
}

static const double BROWN5[] = {-0.11, 0.07, 0.0003, -0.0002, -0.015};
static const double BARREL5[] = {-0.35, 0.12, 0.001, -0.0015, -0.01};
static const double RATIONAL8[] = {0.4, -0.1, 0.0005, 0.0004, 0.02, 0.7, -0.05, 0.03};
static const double FISHEYE4[] = {-0.02, 0.01, -0.004, 0.0008};

static void undistort_is_the_inverse_of_distort(void **state) {
    (void)state;
    const AqmCamera cameras[] = {
        camera_with(AQM_LENS_PINHOLE, BROWN5, 5), camera_with(AQM_LENS_PINHOLE, BARREL5, 5),
        camera_with(AQM_LENS_PINHOLE, RATIONAL8, 8), camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4),
        camera_with(AQM_LENS_PINHOLE, NULL, 0)};
    const double reach[] = {0.75, 0.75, 1.5, 6.0, 2.0}; /* radius, within the lens's branch */
    AqmRng rng = aqm_rng(1, 0);
    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 2000; i++) {
            const double r = reach[c] * aqm_rng_uniform(&rng), a = 6.3 * aqm_rng_uniform(&rng);
            const double x = r * cos(a), y = r * sin(a);
            double xd, yd, bx, by;
            aqm_lens_distort(&cameras[c], x, y, &xd, &yd);
            assert_true(aqm_lens_undistort(&cameras[c], xd, yd, &bx, &by));
            assert_true(hypot(bx - x, by - y) < 1e-10 * (1.0 + r * r));
        }
}

static void the_axis_maps_to_itself(void **state) {
    (void)state;
    const AqmCamera fisheye = camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4);
    const AqmCamera brown = camera_with(AQM_LENS_PINHOLE, BROWN5, 5);
    double x = 5, y = 5;
    aqm_lens_distort(&fisheye, 0, 0, &x, &y);
    assert_true(x == 0.0 && y == 0.0);
    x = y = 5;
    assert_true(aqm_lens_undistort(&fisheye, 0, 0, &x, &y));
    assert_true(x == 0.0 && y == 0.0);
    x = y = 5;
    assert_true(aqm_lens_undistort(&brown, 0, 0, &x, &y));
    assert_true(fabs(x) < 1e-15 && fabs(y) < 1e-15);
}

/* g = r - r^3/3 turns at r = 1, g = 2/3; at g = 0.66 there are two crossings, and only the first
 * (0.9046...) is seen. */
static void beyond_the_turning_point_there_is_no_inverse(void **state) {
    (void)state;
    const double k[] = {-1.0 / 3.0};
    const AqmCamera camera = camera_with(AQM_LENS_PINHOLE, k, 1);
    double x = 7, y = 7;
    assert_false(aqm_lens_undistort(&camera, 0.667, 0, &x, &y));
    assert_false(aqm_lens_undistort(&camera, -3.0, 4.0, &x, &y));
    assert_false(aqm_lens_undistort(&camera, NAN, 0, &x, &y));
    assert_true(x == 7 && y == 7);
    assert_true(aqm_lens_undistort(&camera, 0, -0.66, &x, &y));
    assert_true(y > -1.0 && fabs(y - y * y * y / 3.0 + 0.66) < 1e-12);
    /* an equidistant fisheye ends at 90 degrees */
    const double tiny[] = {1e-9};
    const AqmCamera fisheye = camera_with(AQM_LENS_FISHEYE, tiny, 1);
    assert_true(aqm_lens_undistort(&fisheye, 1.57, 0, &x, &y));
    assert_true(fabs(x / tan(1.57) - 1.0) < 1e-4);
    assert_false(aqm_lens_undistort(&fisheye, 1.58, 0, &x, &y));
    /* a rational lens has a pole at r = 2 */
    const double pole[] = {0, 0, 0, 0, 0, -0.25};
    const AqmCamera rational = camera_with(AQM_LENS_PINHOLE, pole, 6);
    assert_true(aqm_lens_undistort(&rational, 100.0, 0, &x, &y));
    assert_true(x < 2.0 && fabs(x / (1.0 - 0.25 * x * x) - 100.0) < 1e-8);
}

static void spans_agree_with_single_pixels(void **state) {
    (void)state;
    const AqmCamera cameras[] = {camera_with(AQM_LENS_PINHOLE, BROWN5, 5),
                                 camera_with(AQM_LENS_PINHOLE, RATIONAL8, 8),
                                 camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4)};
    const double K_new[9] = {500, 0, 790.3, 0, 480, 600.7, 0, 0, 1}; /* out to 66 degrees */
    double u[301], v[301];
    for (int c = 0; c < 3; c++)
        for (int row = 0; row < 1200; row += 50) {
            aqm_raw_span_from_undistorted(&cameras[c], K_new, aqm_lens_reach2(&cameras[c]), 700.0,
                                          1.0, row, 301, u, v);
            for (int i = 0; i < 301; i++) {
                double raw_u, raw_v;
                aqm_raw_from_undistorted(&cameras[c], K_new, 700.0 + i, row, &raw_u, &raw_v);
                assert_true(fabs(raw_u - u[i]) < 1e-4 && fabs(raw_v - v[i]) < 1e-4);
            }
        }
    aqm_raw_span_from_undistorted(&cameras[2], K_new, INFINITY, 790.3, 1.0, 600.7, 1, u,
                                  v); /* r = 0 */
    assert_true(fabs(u[0] - 805) < 1e-9 && fabs(v[0] - 610) < 1e-9);
}

static void the_reach_ends_at_the_turn_or_the_pole(void **state) {
    (void)state;
    const double turn[] = {-1.0 / 3.0}, pole[] = {0, 0, 0, 0, 0, -0.25}, bent[] = {-0.3};
    const AqmCamera folding = camera_with(AQM_LENS_PINHOLE, turn, 1);
    const AqmCamera rational = camera_with(AQM_LENS_PINHOLE, pole, 6);
    const AqmCamera fisheye = camera_with(AQM_LENS_FISHEYE, bent, 1); /* theta^2 = 1 / 0.9 */
    const AqmCamera wide = camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4);
    const AqmCamera brown = camera_with(AQM_LENS_PINHOLE, NULL, 0);
    assert_true(fabs(aqm_lens_reach2(&folding) - 1.0) < 1e-12);
    assert_true(fabs(aqm_lens_reach2(&rational) - 4.0) < 1e-6);
    assert_true(fabs(sqrt(aqm_lens_reach2(&fisheye)) - tan(sqrt(1.0 / 0.9))) < 1e-9);
    assert_true(isinf(aqm_lens_reach2(&wide)) && isinf(aqm_lens_reach2(&brown)));
    const double K_new[9] = {100, 0, 0, 0, 100, 0, 0, 0, 1};
    double u[200], v[200];
    aqm_raw_span_from_undistorted(&folding, K_new, aqm_lens_reach2(&folding), 0, 1.0, 0, 200, u, v);
    for (int i = 0; i < 200; i++)
        assert_int_equal(isnan(u[i]), i > 100);
}

static void an_ideal_lens_keeps_K_to_the_bit(void **state) {
    (void)state;
    const AqmLens lenses[] = {AQM_LENS_PINHOLE, AQM_LENS_FISHEYE};
    for (int i = 0; i < 2; i++) {
        const AqmCamera camera = camera_with(lenses[i], NULL, 0);
        double K_new[9] = {0};
        assert_int_equal(aqm_new_camera_matrix(&camera, K_new, NULL), AQM_OK);
        assert_memory_equal(K_new, camera.K, sizeof K_new);
    }
}

/* Made with OpenCV 4.6.0 (getOptimalNewCameraMatrix, alpha 0, and the fisheye estimate). */
static void new_matrices_are_those_of_opencv(void **state) {
    (void)state;
    const struct {
        AqmCamera camera;
        double fx, fy, cx, cy;
    } cases[] = {
        {camera_with(AQM_LENS_PINHOLE, BROWN5, 5), 1356.5983, 1367.8000, 804.4418, 610.0837},
        {camera_with(AQM_LENS_PINHOLE, BARREL5, 5), 1218.3530, 1296.9253, 802.5557, 612.1230},
        {camera_with(AQM_LENS_PINHOLE, RATIONAL8, 8), 1256.2740, 1314.9791, 806.5521, 611.2038},
        {camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4), 1303.7582, 1299.1019, 805.8698, 610.9758},
    };
    for (int i = 0; i < 4; i++) {
        double K[9];
        assert_int_equal(aqm_new_camera_matrix(&cases[i].camera, K, NULL), AQM_OK);
        assert_true(fabs(K[0] - cases[i].fx) < 0.01 && fabs(K[4] - cases[i].fy) < 0.01);
        assert_true(fabs(K[2] - cases[i].cx) < 0.01 && fabs(K[5] - cases[i].cy) < 0.01);
        assert_true(K[1] == 0 && K[3] == 0 && K[6] == 0 && K[7] == 0 && K[8] == 1);
    }
}

/* Odd sizes, unequal focal lengths and a wide angle: the corners of OpenCV's fisheye estimate. */
static void an_odd_fisheye_is_as_opencv_has_it(void **state) {
    (void)state;
    AqmCamera camera = camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4);
    const double K[9] = {700, 0, 950, 0, 715, 550, 0, 0, 1},
                 expected[4] = {574.1758, 586.4796, 805.6690, 563.9537};
    double K_new[9];
    camera.width = 1921;
    camera.height = 1083;
    memcpy(camera.K, K, sizeof K);
    assert_int_equal(aqm_new_camera_matrix(&camera, K_new, NULL), AQM_OK);
    assert_true(fabs(K_new[0] - expected[0]) < 1e-3 && fabs(K_new[4] - expected[1]) < 1e-3);
    assert_true(fabs(K_new[2] - expected[2]) < 1e-3 && fabs(K_new[5] - expected[3]) < 1e-3);
}

static void a_lens_without_an_inverse_is_named(void **state) {
    (void)state;
    const double k[] = {-40.0};
    const AqmCamera fisheye = camera_with(AQM_LENS_FISHEYE, k, 1);
    AqmDiag diag = {0};
    double K_new[9] = {3};
    assert_int_equal(aqm_new_camera_matrix(&fisheye, K_new, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "camera cam"));
    assert_true(K_new[0] == 3);
    const double wild[] = {1e30, 1e30};
    const AqmCamera brown = camera_with(AQM_LENS_PINHOLE, wild, 2);
    assert_int_equal(aqm_new_camera_matrix(&brown, K_new, NULL), AQM_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undistort_is_the_inverse_of_distort),
        cmocka_unit_test(the_axis_maps_to_itself),
        cmocka_unit_test(beyond_the_turning_point_there_is_no_inverse),
        cmocka_unit_test(spans_agree_with_single_pixels),
        cmocka_unit_test(the_reach_ends_at_the_turn_or_the_pole),
        cmocka_unit_test(an_ideal_lens_keeps_K_to_the_bit),
        cmocka_unit_test(new_matrices_are_those_of_opencv),
        cmocka_unit_test(an_odd_fisheye_is_as_opencv_has_it),
        cmocka_unit_test(a_lens_without_an_inverse_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
