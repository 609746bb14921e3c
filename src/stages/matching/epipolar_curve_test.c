/* Curves against points of the ray, closely spaced and exactly projected. */
#include "stages/matching/test_views.h"

#include <stdio.h>

#include "math/rng.h"
#include "stages/matching/epipolar_curve.h"
#include "stages/matching/level_warp.h"

static const double margin_px = 2.0;

static double nearest(const AqmCurve *curve, const double pixel[2], double *depth_m) {
    double least = INFINITY;
    for (int k = 0; k < curve->count; k++) {
        double depth;
        const double off = aqm_curve_distance(curve, k, pixel[0], pixel[1], &depth);
        if (off < least)
            least = off, *depth_m = depth;
    }
    return least;
}

static bool is_inside(const double pixel[2]) {
    return pixel[0] > -margin_px && pixel[1] > -margin_px && pixel[0] < WIDTH - 1 + margin_px &&
           pixel[1] < HEIGHT - 1 + margin_px;
}

/* Every point of the ray in the image is on the curve. Returns the largest distance; *pieces grows
 * by those needed. */
static double worst_off(const AqmView *first, const AqmView *second, double u, double v,
                        const AqmDepthRange *range, int *pieces) {
    AqmRay ray;
    AqmCurve curve;
    double depths_m[2], worst = 0.0;
    assert_true(aqm_view_cast(first, u, v, &ray));
    assert_true(aqm_curve_depths(first, &ray, range, depths_m));
    aqm_curve_trace(&curve, second, &ray, depths_m, margin_px);
    *pieces += curve.count;
    for (int k = 0; k <= 2000; k++) { /* evenly in 1 / depth, as pixels are */
        const double a = 1.0 / (0.5 + depths_m[0]), b = 1.0 / (0.5 + depths_m[1]);
        const double s = 1.0 / (a + (b - a) * k / 2000.0) - 0.5;
        double point[3], pixel[2], depth_m = 0.0;
        for (int i = 0; i < 3; i++)
            point[i] = ray.origin[i] + s * ray.direction[i];
        if (!aqm_view_project(second, point, pixel) || !is_inside(pixel))
            continue;
        worst = fmax(worst, nearest(&curve, pixel, &depth_m));
        if (s < 0.5) /* as far as anything is looked for in earnest: its depth to 5 % */
            assert_true(fabs(depth_m - s) < 0.05 * (0.5 + s));
    }
    return worst;
}

static void curves_hold_every_point_of_the_ray(void **state) {
    (void)state;
    const AqmDepthRange ranges[] = {{0}, {.min_m = 0.1, .max_m = 0.6}, {.max_m = 5.0}};
    const double indices[] = {1.333, 1.0, 1.5};
    AqmRng rng = aqm_rng(1, 1);
    double worst = 0.0;
    int pieces = 0, curves = 0;
    for (int k = 0; k < 3; k++)
        for (int round = 0; round < 100; round++) {
            const AqmView a = ring_view(indices[k], 0.3, 6.28 * aqm_rng_uniform(&rng), 0.3);
            const AqmView b = ring_view(indices[k], 0.4, 6.28 * aqm_rng_uniform(&rng), 0.2);
            const double u = WIDTH * aqm_rng_uniform(&rng), v = HEIGHT * aqm_rng_uniform(&rng);
            worst = fmax(worst, worst_off(&a, &b, u, v, &ranges[round % 3], &pieces));
            curves++;
        }
    print_message("off by %.4f px at most, %.1f pieces a curve\n", worst, (double)pieces / curves);
    assert_true(worst < AQM_CURVE_BOUND_PX);
    assert_true(pieces > curves && pieces < 12 * curves);
}

static void depths_are_those_of_the_range(void **state) {
    (void)state;
    const AqmView view = ring_view(1.333, 0.3, 0.0, 0.2);
    AqmRay ray;
    double depths_m[2];
    assert_true(aqm_view_cast(&view, 100, 100, &ray));
    const double down = ray.direction[2];
    AqmDepthRange range = {0};
    assert_true(aqm_curve_depths(&view, &ray, &range, depths_m));
    assert_true(depths_m[0] > 0.0 && depths_m[0] < 0.001);
    /* an apparent depth of 20 heights, straight below */
    assert_true(fabs(depths_m[1] * down / view.n - 20.0 * (water_z - view.C[2])) < 1e-9);
    range = (AqmDepthRange){.min_m = 0.1, .max_m = 0.5, .down_min_m = 0.2, .down_max_m = 0.3};
    assert_true(aqm_curve_depths(&view, &ray, &range, depths_m));
    assert_true(fabs(depths_m[0] - 0.2 / down) < 1e-12);
    assert_true(fabs(depths_m[1] - 0.3 / down) < 1e-12);
    range.max_m = 0.15; /* nothing left */
    assert_false(aqm_curve_depths(&view, &ray, &range, depths_m));
}

static void a_view_that_sees_nothing_of_the_ray_has_no_curve(void **state) {
    (void)state;
    const AqmView a = ring_view(1.333, 0.3, 0.0, 0.2), b = ring_view(1.333, 30.0, 0.0, 0.0);
    const AqmDepthRange range = {.min_m = 0.1, .max_m = 0.5};
    AqmRay ray;
    AqmCurve curve;
    double depths_m[2];
    assert_true(aqm_view_cast(&a, 200, 150, &ray));
    assert_true(aqm_curve_depths(&a, &ray, &range, depths_m));
    aqm_curve_trace(&curve, &b, &ray, depths_m, margin_px);
    assert_int_equal(curve.count, 0);
    /* seen by itself, a ray is a point */
    aqm_curve_trace(&curve, &a, &ray, depths_m, margin_px);
    assert_true(curve.count >= 1);
    double depth_m;
    assert_true(aqm_curve_distance(&curve, 0, 200, 150, &depth_m) < 1e-3);
}

static void the_warp_is_that_of_a_level_plane(void **state) {
    (void)state;
    const AqmView a = ring_view(1.333, 0.3, 0.0, 0.3), b = ring_view(1.333, 0.3, 0.8, 0.3);
    AqmPixelRays rays;
    AqmLevelWarp warp;
    double at[2], there[2];
    assert_true(aqm_pixel_rays(&a, 190, 140, &rays));
    const double depth_m = (bed_z - water_z) / rays.ray.direction[2];
    assert_true(aqm_level_warp(&rays, &b, depth_m, &warp));
    assert_true(true_counterpart(&a, &b, 0.0, 190, 140, at));
    assert_true(hypot(at[0] - warp.pixel[0], at[1] - warp.pixel[1]) < 1e-3);
    for (int k = 0; k < 4; k++) {
        const double du = k == 0 ? 5.0 : k == 1 ? -5.0 : 0.0, dv = k == 2 ? 5.0 : k == 3 ? -5.0 : 0;
        assert_true(true_counterpart(&a, &b, 0.0, 190 + du, 140 + dv, there));
        const double x = warp.pixel[0] + warp.A[0] * du + warp.A[1] * dv;
        const double y = warp.pixel[1] + warp.A[2] * du + warp.A[3] * dv;
        assert_true(hypot(there[0] - x, there[1] - y) < 0.06); /* of second order */
    }
    /* one millimetre deeper on the same ray */
    AqmLevelWarp deeper;
    assert_true(aqm_level_warp(&rays, &b, depth_m + 0.001 / rays.ray.direction[2], &deeper));
    for (int k = 0; k < 2; k++)
        assert_true(fabs(deeper.pixel[k] - warp.pixel[k] - 0.001 * warp.sink[k]) < 0.002);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_hold_every_point_of_the_ray),
        cmocka_unit_test(depths_are_those_of_the_range),
        cmocka_unit_test(a_view_that_sees_nothing_of_the_ray_has_no_curve),
        cmocka_unit_test(the_warp_is_that_of_a_level_plane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
