#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "geometry/surface_model.h"
#include "math/rng.h"

static void add(AqmSurfaceModel *model, AqmSurfaceTerm term) {
    assert_int_equal(aqm_surface_model_add(model, term, NULL), AQM_OK);
}

/* A plane at 0.8 m with two 5 mm waves, a mound and a ring about it. */
static AqmSurfaceModel *rough_model(void) {
    AqmSurfaceModel *model = NULL;
    assert_int_equal(aqm_surface_model_create(&model, NULL), AQM_OK);
    add(model, (AqmSurfaceTerm){AQM_TERM_PLANE, {.plane = {0.8, 0.02, -0.01}}});
    add(model, (AqmSurfaceTerm){AQM_TERM_SINE, {.sine = {0.0025, 125.0, 0.0, 0.4}}});
    add(model, (AqmSurfaceTerm){AQM_TERM_SINE, {.sine = {0.0025, 10.0, 120.0, 1.1}}});
    add(model, (AqmSurfaceTerm){AQM_TERM_HILL, {.hill = {-0.03, 0.1, 0.05, 0.0, 0.04}}});
    add(model, (AqmSurfaceTerm){AQM_TERM_HILL, {.hill = {0.007, 0.1, 0.05, 0.1, 0.02}}});
    return model;
}

static void the_gradient_is_the_derivative_of_the_height(void **state) {
    (void)state;
    AqmSurfaceModel *model = rough_model();
    AqmRng rng = aqm_rng(3, 1);
    for (int i = 0; i < 1000; i++) {
        const double x = aqm_rng_uniform(&rng) - 0.5, y = aqm_rng_uniform(&rng) - 0.5, h = 1e-6;
        double g[2];
        (void)aqm_surface_gradient(model, x, y, g);
        const double dx = aqm_surface_height(model, x + h, y) - aqm_surface_height(model, x - h, y);
        const double dy = aqm_surface_height(model, x, y + h) - aqm_surface_height(model, x, y - h);
        assert_true(fabs(dx / (2 * h) - g[0]) < 1e-7);
        assert_true(fabs(dy / (2 * h) - g[1]) < 1e-7);
    }
    aqm_surface_model_destroy(&model);
    assert_null(model);
}

static AqmRay ray_through(double x, double y, double inclination, double azimuth) {
    return (AqmRay){
        {x, y, 0.6},
        {sin(inclination) * cos(azimuth), sin(inclination) * sin(azimuth), cos(inclination)}};
}

static void a_ray_meets_the_surface_first_where_it_first_crosses_it(void **state) {
    (void)state;
    AqmSurfaceModel *model = rough_model();
    const AqmSurfaceBounds bounds = aqm_surface_bounds(model, 1.0);
    AqmRng rng = aqm_rng(4, 1);
    for (int i = 0; i < 2000; i++) { /* up to 70 degrees: many need the walk */
        double r[4];
        for (int k = 0; k < 4; k++)
            r[k] = aqm_rng_uniform(&rng);
        const AqmRay ray = ray_through(r[0] - 0.5, r[1] - 0.5, 1.2 * r[2], 6.28 * r[3]);
        double s = -1.0;
        assert_true(aqm_surface_intersect(model, &bounds, &ray, i % 2 ? 0.2 : NAN, &s));
        for (double t = 0.0; t <= 1.0; t += 1.0 / 256.0) {
            const double p = t * (s - 1e-5);
            const double x = ray.origin[0] + p * ray.direction[0],
                         y = ray.origin[1] + p * ray.direction[1];
            const double z = ray.origin[2] + p * ray.direction[2];
            assert_true(z < aqm_surface_height(model, x, y));
        }
        const double z = ray.origin[2] + s * ray.direction[2];
        const double f = aqm_surface_height(model, ray.origin[0] + s * ray.direction[0],
                                            ray.origin[1] + s * ray.direction[1]);
        assert_true(fabs(z - f) < 1e-9);
    }
    aqm_surface_model_destroy(&model);
}

static void a_plane_is_met_where_algebra_says(void **state) {
    (void)state;
    AqmSurfaceModel *model = NULL;
    assert_int_equal(aqm_surface_model_create(&model, NULL), AQM_OK);
    add(model, (AqmSurfaceTerm){AQM_TERM_PLANE, {.plane = {0.85, 0.18, 0.1}}});
    const AqmSurfaceBounds bounds = aqm_surface_bounds(model, 1.0);
    const AqmRay ray = ray_through(0.1, -0.2, 0.4, 2.0);
    double s = -1.0;
    assert_true(aqm_surface_intersect(model, &bounds, &ray, NAN, &s));
    const double *d = ray.direction;
    const double expected =
        (0.85 + 0.18 * 0.1 - 0.1 * 0.2 - 0.6) / (d[2] - 0.18 * d[0] - 0.1 * d[1]);
    assert_true(fabs(s - expected) < 1e-14);

    const double point[3] = {0.3, 0.2, 0.9}, f = 0.85 + 0.18 * 0.3 + 0.1 * 0.2;
    const double distance = (0.9 - f) / sqrt(1.0 + 0.18 * 0.18 + 0.1 * 0.1);
    assert_true(fabs(aqm_surface_distance(model, point) - distance) < 1e-15);

    const AqmRay dry = {{-2.0, -1.0, 0.6}, {0.0, 0.0, 1.0}}; /* the plane is above the water here */
    double untouched = 7.0;
    assert_false(aqm_surface_intersect(model, &bounds, &dry, NAN, &untouched));
    assert_true(untouched == 7.0);
    aqm_surface_model_destroy(&model);
}

static void points_moved_along_the_normal_are_that_far_away(void **state) {
    (void)state;
    AqmSurfaceModel *model = rough_model();
    AqmRng rng = aqm_rng(5, 1);
    for (int i = 0; i < 2000; i++) {
        const double x = aqm_rng_uniform(&rng) - 0.5, y = aqm_rng_uniform(&rng) - 0.5;
        double g[2];
        const double z = aqm_surface_gradient(model, x, y, g);
        const double norm = sqrt(1.0 + g[0] * g[0] + g[1] * g[1]);
        const double e =
            0.004 * aqm_rng_uniform(&rng) - 0.002; /* well inside the curvature radius */
        const double point[3] = {x - e * g[0] / norm, y - e * g[1] / norm, z + e / norm};
        assert_true(fabs(aqm_surface_distance(model, point) - e) < 1e-9);
    }
    aqm_surface_model_destroy(&model);
}

static void terms_that_mean_nothing_are_refused(void **state) {
    (void)state;
    AqmSurfaceModel *model = NULL;
    assert_int_equal(aqm_surface_model_create(&model, NULL), AQM_OK);
    const AqmSurfaceTerm flat = {AQM_TERM_HILL, {.hill = {0.1, 0.0, 0.0, 0.0, 0.0}}};
    const AqmSurfaceTerm lost = {AQM_TERM_PLANE, {.plane = {NAN, 0.0, 0.0}}};
    AqmDiag diag = {0};
    assert_int_equal(aqm_surface_model_add(model, flat, &diag), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_surface_model_add(model, lost, NULL), AQM_ERROR_ARGUMENT);
    assert_true(diag.message[0] != '\0');
    assert_int_equal(model->count, 0);
    aqm_surface_model_destroy(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_the_derivative_of_the_height),
        cmocka_unit_test(a_ray_meets_the_surface_first_where_it_first_crosses_it),
        cmocka_unit_test(a_plane_is_met_where_algebra_says),
        cmocka_unit_test(points_moved_along_the_normal_are_that_far_away),
        cmocka_unit_test(terms_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
