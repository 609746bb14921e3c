#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "geometry/refraction.h"
#include "math/rng.h"
#include "math/vec.h"

static const double K1400[9] = {1400, 0, 800, 0, 1400, 600, 0, 0, 1};

/* A view at C whose axes are turned by `tilt` about the horizontal axis at `heading`. */
static AqmView view_at(const double C[3], double tilt, double heading, double water_z, double n) {
    const double x = cos(heading), y = sin(heading), c = cos(tilt), s = sin(tilt), d = 1.0 - c;
    AqmCamera camera = {
        .name = "c",
        .width = 1600,
        .height = 1200,
        .R = {c + x * x * d, x * y * d, y * s, x * y * d, c + y * y * d, -x * s, -y * s, x * s, c}};
    aqm_mul33v(camera.R, C, camera.t);
    for (int i = 0; i < 3; i++)
        camera.t[i] = -camera.t[i];
    const AqmRig rig = {
        .camera_count = 1, .cameras = &camera, .water_z = water_z, .n_air = 1.0, .n_water = n};
    AqmView view;
    assert_int_equal(aqm_view_create(&view, &rig, 0, K1400, NULL), AQM_OK);
    return view;
}

static double between(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

static AqmView random_view(AqmRng *rng) {
    const double C[3] = {between(rng, -1, 1), between(rng, -1, 1), between(rng, -0.5, 0.5)};
    return view_at(C, between(rng, 0, 0.8), between(rng, 0, 6.28), C[2] + between(rng, 0.2, 2.0),
                   between(rng, 1.0, 1.5));
}

static double pixel_error(const double a[2], const double b[2]) {
    return hypot(a[0] - b[0], a[1] - b[1]);
}

static void a_view_holds_its_camera(void **state) {
    (void)state;
    const double C[3] = {0.3, -0.2, 0.1};
    const AqmView view = view_at(C, 0.4, 1.0, 1.0, 1.333);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(view.C[i] - C[i]) < 1e-15);
    assert_true(view.fx == 1400 && view.fy == 1400 && view.cx == 800 && view.cy == 600);
    assert_true(view.width == 1600 && view.height == 1200 && view.n == 1.333);
}

static void impossible_rigs_are_refused(void **state) {
    (void)state;
    AqmCamera camera = {.name = "north", .R = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .t = {0, 0, -1.2}};
    AqmRig rig = {
        .camera_count = 1, .cameras = &camera, .water_z = 1.2, .n_air = 1.0, .n_water = 1.333};
    AqmView view = {.n = 77};
    AqmDiag diag = {0};
    assert_int_equal(aqm_view_create(&view, &rig, 0, K1400, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "north"));
    rig.water_z = 2.0;
    rig.n_water = 0.9;
    assert_int_equal(aqm_view_create(&view, &rig, 0, K1400, NULL), AQM_ERROR_ARGUMENT);
    rig.n_water = NAN;
    assert_int_equal(aqm_view_create(&view, &rig, 0, K1400, NULL), AQM_ERROR_ARGUMENT);
    rig.n_water = 1.333;
    const double flat[9] = {0};
    assert_int_equal(aqm_view_create(&view, &rig, 0, flat, NULL), AQM_ERROR_ARGUMENT);
    assert_true(view.n == 77);
    assert_int_equal(aqm_view_create(&view, &rig, 0, K1400, NULL), AQM_OK);
}

static void casting_then_projecting_returns_the_pixel_and_the_depth(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(7, 0);
    int cast = 0;
    for (int i = 0; i < 20000; i++) {
        const AqmView view = random_view(&rng);
        const double uv[2] = {between(&rng, -500, 2100), between(&rng, -500, 1700)};
        const double s = between(&rng, 0.001, 3.0);
        AqmRay ray;
        if (!aqm_view_cast(&view, uv[0], uv[1], &ray))
            continue;
        cast++;
        assert_true(ray.origin[2] == view.water_z);
        assert_true(fabs(aqm_norm3(ray.direction) - 1.0) < 1e-14);
        double p[3], back[2], depth;
        for (int k = 0; k < 3; k++)
            p[k] = ray.origin[k] + s * ray.direction[k];
        assert_true(aqm_view_project(&view, p, back));
        /* near the horizon a pixel is many metres of water: rounding of p counts there */
        const double reach = hypot(p[0] - view.C[0], p[1] - view.C[1]);
        const double h = fmin(view.water_z - view.C[2], p[2] - view.water_z);
        assert_true(pixel_error(back, uv) < 1e-9 * fmax(1.0, 0.01 * reach * reach / h));
        assert_true(aqm_view_ray_depth(&view, p, &depth));
        assert_true(fabs(depth - s) < 1e-10 * (1.0 + reach * reach));
    }
    assert_true(cast > 15000);
}

/* Snell's law and the meeting of the ray with the point, checked without the equation solved. */
static void grazing_rays_obey_snell(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(8, 0);
    for (int i = 0; i < 20000; i++) {
        const double h_c = pow(10.0, between(&rng, -6, 1)), h = pow(10.0, between(&rng, -6, 1));
        const double r = pow(10.0, between(&rng, -6, 6)), n = between(&rng, 1.0, 1.6);
        const double z = aqm_apparent_z_exact(h_c, h, n, r * r);
        assert_true(z > h_c && z <= h_c + h / n);
        const double sin_air = r / hypot(r, z);
        const double tan_water = sin_air / sqrt(n * n - sin_air * sin_air);
        if (n < 1.001)
            continue; /* tan_water is not defined to digits at the horizon */
        const double reached = h_c * (r / z) + h * tan_water;
        assert_true(fabs(reached / r - 1.0) < 1e-12);
    }
}

static void straight_below_depth_is_divided_by_n(void **state) {
    (void)state;
    const AqmView view = view_at((const double[3]){0.1, 0.2, 0.0}, 0.0, 0.0, 1.0, 1.333);
    double pixel[2], depth;
    assert_true(aqm_view_project(&view, (const double[3]){0.1, 0.2, 1.4}, pixel));
    assert_true(pixel_error(pixel, (const double[2]){800, 600}) < 1e-10);
    assert_true(aqm_view_ray_depth(&view, (const double[3]){0.1, 0.2, 1.4}, &depth));
    assert_true(fabs(depth - 0.4) < 1e-15);
    assert_true(fabs(aqm_apparent_z_exact(1.0, 0.4, 1.333, 0.0) - 1.0 - 0.4 / 1.333) < 1e-15);
}

static void without_an_index_step_it_is_a_pinhole_camera(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(9, 0);
    for (int i = 0; i < 5000; i++) {
        AqmView view = random_view(&rng);
        view.n = 1.0;
        const double p[3] = {between(&rng, -2, 2), between(&rng, -2, 2),
                             view.water_z + between(&rng, 0.001, 2.0)};
        double c[3], exact[2], fast[2], depth;
        aqm_mul33v(view.R, p, c);
        for (int k = 0; k < 3; k++)
            c[k] += view.t[k];
        assert_int_equal(aqm_view_project(&view, p, exact), c[2] > 0.0);
        if (c[2] < 0.01)
            continue;
        const double pinhole[2] = {1400 * c[0] / c[2] + 800, 1400 * c[1] / c[2] + 600};
        assert_true(aqm_view_project_fast(&view, p, fast));
        assert_true(pixel_error(exact, pinhole) < 1e-7 && pixel_error(fast, pinhole) < 1e-7);
        const double whole =
            sqrt((p[0] - view.C[0]) * (p[0] - view.C[0]) + (p[1] - view.C[1]) * (p[1] - view.C[1]) +
                 (p[2] - view.C[2]) * (p[2] - view.C[2]));
        assert_true(aqm_view_ray_depth(&view, p, &depth));
        assert_true(fabs(depth - whole * (p[2] - view.water_z) / (p[2] - view.C[2])) < 1e-12);
    }
}

static void what_cannot_be_seen_is_refused(void **state) {
    (void)state;
    const AqmView down = view_at((const double[3]){0, 0, 0}, 0.0, 0.0, 1.0, 1.333);
    const AqmView level = view_at((const double[3]){0, 0, 0}, 1.6, 0.0, 1.0, 1.333);
    const double above[3] = {0, 0, 0.9}, at[3] = {0, 0, 1.0}, nan[3] = {0, 0, NAN};
    const double *points[] = {above, at, nan};
    double pixel[2] = {5, 6}, depth = 7;
    for (int i = 0; i < 3; i++) {
        assert_false(aqm_view_project(&down, points[i], pixel));
        assert_false(aqm_view_project_fast(&down, points[i], pixel));
        assert_false(aqm_view_ray_depth(&down, points[i], &depth));
    }
    /* `level` looks along one horizontal direction; one of the two lies behind it */
    const double ahead[3] = {0, 3, 1.2}, behind[3] = {0, -3, 1.2};
    assert_false(aqm_view_project(&level, ahead, pixel) && aqm_view_project(&level, behind, pixel));
    pixel[0] = 5, pixel[1] = 6;
    const double *hidden = aqm_view_project(&level, ahead, pixel) ? behind : ahead;
    pixel[0] = 5, pixel[1] = 6;
    assert_false(aqm_view_project(&level, hidden, pixel));
    assert_false(aqm_view_project_fast(&level, hidden, pixel));
    assert_false(aqm_view_ray_depth(&level, hidden, &depth));
    assert_true(pixel[0] == 5 && pixel[1] == 6 && depth == 7);
    AqmRay ray = {.origin = {1, 2, 3}};
    int rising = 0;
    for (int v = -2000; v < 3000; v += 10)
        if (!aqm_view_cast(&level, 800, v, &ray)) {
            rising++;
            assert_true(ray.origin[0] == 1 && ray.origin[1] == 2 && ray.origin[2] == 3);
        } else {
            ray = (AqmRay){.origin = {1, 2, 3}};
        }
    assert_true(rising > 100 && rising < 400);
}

/* The bounds that geometry.h states, for a camera 1 m over the water. */
static void three_steps_are_enough_far_out(void **state) {
    (void)state;
    const AqmView view = view_at((const double[3]){0, 0, 0}, 0.0, 0.0, 1.0, 1.333);
    double worst[2] = {0.0, 0.0};
    for (int i = 0; i <= 160; i++)
        for (int j = 1; j <= 80; j++) {
            const double p[3] = {0.05 * i, 0.0, 1.0 + 0.05 * j};
            double exact[2], fast[2];
            assert_true(aqm_view_project(&view, p, exact));
            assert_true(aqm_view_project_fast(&view, p, fast));
            double *bound = &worst[j > 40];
            *bound = fmax(*bound, pixel_error(exact, fast));
        }
    assert_true(worst[0] < 2e-5 && worst[1] < 0.005);
}

/* The bounds that refraction.h states, over its working volume. */
static void two_steps_are_enough_in_the_working_volume(void **state) {
    (void)state;
    const double h_c = 0.98, n = 1.333;
    double worst = 0.0, worst_f32 = 0.0;
    for (int i = 0; i <= 150; i++)
        for (int j = 0; j <= 110; j++) {
            const double r = 0.005 * i, h = 0.05 + 0.005 * j, n2 = n * n;
            const double z = aqm_apparent_z_exact(h_c, h, n, r * r);
            const double fast = aqm_apparent_z(h_c, h, h / n, n2, r * r);
            const float single =
                aqm_apparent_z_f32((float)h_c, (float)h, (float)(h / n), (float)n2, (float)(r * r));
            worst = fmax(worst, fabs(1400.0 * (r / fast - r / z)));
            worst_f32 = fmax(worst_f32, fabs(1400.0 * (r / (double)single - r / z)));
        }
    assert_true(worst < 2e-7);
    assert_true(worst_f32 < 5e-4);
}

static void slopes_are_the_derivatives(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(11, 0);
    const double step = 1e-5;
    for (int k = 0; k < 500; k++) {
        const AqmView view = random_view(&rng);
        AqmRay ray;
        double s = between(&rng, 0.05, 1.0), pixel[2], same[2], slopes[6], before[2], after[2];
        if (!aqm_view_cast(&view, between(&rng, 0, 1600), between(&rng, 0, 1200), &ray) ||
            ray.direction[2] < 0.75)
            continue;
        const double point[3] = {ray.origin[0] + s * ray.direction[0],
                                 ray.origin[1] + s * ray.direction[1],
                                 ray.origin[2] + s * ray.direction[2]};
        assert_true(aqm_view_project_slopes(&view, point, pixel, slopes));
        assert_true(aqm_view_project_fast(&view, point, same));
        assert_true(pixel_error(pixel, same) == 0.0);
        for (int i = 0; i < 3; i++) {
            double low[3] = {point[0], point[1], point[2]},
                   high[3] = {point[0], point[1], point[2]};
            low[i] -= step, high[i] += step;
            assert_true(aqm_view_project(&view, low, before));
            assert_true(aqm_view_project(&view, high, after));
            for (int j = 0; j < 2; j++)
                assert_true(fabs((after[j] - before[j]) / (2 * step) - slopes[3 * j + i]) < 0.05);
        }
    }
    double pixel[2], slopes[6];
    const AqmView view = random_view(&rng);
    const double above[3] = {0, 0, view.water_z};
    assert_false(aqm_view_project_slopes(&view, above, pixel, slopes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_holds_its_camera),
        cmocka_unit_test(impossible_rigs_are_refused),
        cmocka_unit_test(casting_then_projecting_returns_the_pixel_and_the_depth),
        cmocka_unit_test(grazing_rays_obey_snell),
        cmocka_unit_test(straight_below_depth_is_divided_by_n),
        cmocka_unit_test(without_an_index_step_it_is_a_pinhole_camera),
        cmocka_unit_test(what_cannot_be_seen_is_refused),
        cmocka_unit_test(slopes_are_the_derivatives),
        cmocka_unit_test(three_steps_are_enough_far_out),
        cmocka_unit_test(two_steps_are_enough_in_the_working_volume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
