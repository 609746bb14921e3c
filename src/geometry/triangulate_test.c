#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "math/rng.h"
#include "math/vec.h"

static AqmRay ray_towards(const double origin[3], const double target[3]) {
    AqmRay ray;
    for (int i = 0; i < 3; i++) {
        ray.origin[i] = origin[i];
        ray.direction[i] = target[i] - origin[i];
    }
    const double length = aqm_norm3(ray.direction);
    for (int i = 0; i < 3; i++)
        ray.direction[i] /= length;
    return ray;
}

static AqmRay random_ray(AqmRng *rng, const double target[3], double noise) {
    const double origin[3] = {aqm_rng_normal(rng), aqm_rng_normal(rng), 1.0};
    const double aimed[3] = {target[0] + noise * aqm_rng_normal(rng),
                             target[1] + noise * aqm_rng_normal(rng),
                             target[2] + noise * aqm_rng_normal(rng)};
    return ray_towards(origin, aimed);
}

static double distance_to_ray(const AqmRay *ray, const double p[3]) {
    const double v[3] = {p[0] - ray->origin[0], p[1] - ray->origin[1], p[2] - ray->origin[2]};
    double cross[3];
    aqm_cross3(v, ray->direction, cross);
    return aqm_norm3(cross);
}

static void rays_through_a_point_give_it_exactly(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(3, 0);
    for (int i = 0; i < 2000; i++) {
        const double truth[3] = {aqm_rng_normal(&rng), aqm_rng_normal(&rng), 1.5};
        const size_t count = 2 + (size_t)(i % 11);
        AqmRay rays[12];
        for (size_t k = 0; k < count; k++)
            rays[k] = random_ray(&rng, truth, 0.0);
        rays[0] = ray_towards((const double[3]){truth[0] + 0.3, truth[1], 1.0}, truth);
        rays[1] = ray_towards((const double[3]){truth[0], truth[1] - 0.2, 1.0}, truth);
        double p[3], rms;
        assert_int_equal(aqm_triangulate(rays, count, p, &rms, NULL), AQM_OK);
        for (int k = 0; k < 3; k++)
            assert_true(fabs(p[k] - truth[k]) < 1e-12);
        assert_true(rms < 1e-12);
    }
}

static void skew_rays_meet_half_way(void **state) {
    (void)state;
    const AqmRay rays[2] = {{{-3, 0, 1}, {1, 0, 0}}, {{0, 5, 1.5}, {0, 1, 0}}};
    double p[3], rms;
    assert_int_equal(aqm_triangulate(rays, 2, p, &rms, NULL), AQM_OK);
    assert_true(fabs(p[0]) < 1e-14 && fabs(p[1]) < 1e-14 && fabs(p[2] - 1.25) < 1e-14);
    assert_true(fabs(rms - 0.25) < 1e-14);
}

static void noisy_rays_give_the_least_squares_point(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(4, 0);
    for (int i = 0; i < 200; i++) {
        AqmRay rays[6];
        for (int k = 0; k < 6; k++)
            rays[k] = random_ray(&rng, (const double[3]){0, 0, 1.5}, 0.002);
        double p[3], rms;
        assert_int_equal(aqm_triangulate(rays, 6, p, &rms, NULL), AQM_OK);
        assert_true(aqm_norm3((const double[3]){p[0], p[1], p[2] - 1.5}) < 0.02);
        double here = 0.0;
        for (int k = 0; k < 6; k++)
            here += pow(distance_to_ray(&rays[k], p), 2);
        assert_true(fabs(sqrt(here / 6.0) - rms) < 1e-12);
        for (int axis = 0; axis < 6; axis++) { /* nowhere beside it is better */
            double beside[3] = {p[0], p[1], p[2]}, there = 0.0;
            beside[axis % 3] += axis < 3 ? 1e-4 : -1e-4;
            for (int k = 0; k < 6; k++)
                there += pow(distance_to_ray(&rays[k], beside), 2);
            assert_true(there > here);
        }
    }
}

static void a_far_origin_of_the_world_costs_no_digits(void **state) {
    (void)state;
    const double truth[3] = {5e5, 4e6, 101.5};
    const AqmRay rays[2] = {ray_towards((const double[3]){5e5 + 0.5, 4e6, 101.0}, truth),
                            ray_towards((const double[3]){5e5, 4e6 + 0.5, 101.0}, truth)};
    double p[3];
    assert_int_equal(aqm_triangulate(rays, 2, p, NULL, NULL), AQM_OK);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(p[k] - truth[k]) < 2e-9);
}

static void too_few_or_parallel_rays_are_refused(void **state) {
    (void)state;
    const double far[3] = {0, 0, 1e5};
    const AqmRay one = ray_towards((const double[3]){0, 0, 1}, (const double[3]){0, 0, 2});
    const AqmRay parallel[3] = {one, {{1, 0, 1}, {0, 0, 1}}, {{0, 1, 1}, {0, 0, 1}}};
    const AqmRay nearly[2] = {one, ray_towards((const double[3]){1, 0, 1}, far)};
    const AqmRay same[2] = {one, one};
    double p[3] = {7, 8, 9};
    AqmDiag diag = {0};
    assert_int_equal(aqm_triangulate(&one, 1, p, NULL, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "two are needed"));
    assert_int_equal(aqm_triangulate(NULL, 0, p, NULL, NULL), AQM_ERROR_NO_DATA);
    assert_int_equal(aqm_triangulate(parallel, 3, p, NULL, NULL), AQM_ERROR_NO_DATA);
    assert_int_equal(aqm_triangulate(nearly, 2, p, NULL, NULL), AQM_ERROR_NO_DATA);
    assert_int_equal(aqm_triangulate(same, 2, p, NULL, NULL), AQM_ERROR_NO_DATA);
    assert_true(p[0] == 7 && p[1] == 8 && p[2] == 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_through_a_point_give_it_exactly),
        cmocka_unit_test(skew_rays_meet_half_way),
        cmocka_unit_test(noisy_rays_give_the_least_squares_point),
        cmocka_unit_test(a_far_origin_of_the_world_costs_no_digits),
        cmocka_unit_test(too_few_or_parallel_rays_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
