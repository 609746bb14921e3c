#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "geometry/plate.h"
#include "math/vec.h"

/* 0.3 m along a slope of 3 in 4 towards X, 0.2 m along Y; its normal points down. */
static const AqmPlate plate = {{0.1, -0.1, 1.2}, {{0.8, 0.0, 0.6}, {0.0, 1.0, 0.0}}, {0.3, 0.2}};

static void place_of(double a, double b, double height, double out[3]) {
    double normal[3];
    aqm_plate_normal(&plate, normal);
    for (int k = 0; k < 3; k++)
        out[k] = plate.corner[k] + a * plate.side[0][k] + b * plate.side[1][k] + height * normal[k];
}

/* From `origin` towards `target`. */
static AqmRay ray_to(const double origin[3], const double target[3], double *length) {
    AqmRay ray;
    for (int k = 0; k < 3; k++) {
        ray.origin[k] = origin[k];
        ray.direction[k] = target[k] - origin[k];
    }
    *length = aqm_norm3(ray.direction);
    for (int k = 0; k < 3; k++)
        ray.direction[k] /= *length;
    return ray;
}

static void near_to(double value, double expected) {
    if (!(fabs(value - expected) < 1e-12))
        fail_msg("%.15g, expected %.15g", value, expected);
}

static void a_ray_meets_the_plate_where_it_was_sent(void **state) {
    (void)state;
    static const double from[3] = {-0.2, 0.4, 0.9};
    static const double places[6][2] = {{0.0, 0.0},   {0.3, 0.2},  {0.12, 0.07},
                                        {-1e-6, 0.1}, {0.1, 0.21}, {0.4, -0.3}};
    for (int i = 0; i < 6; i++) {
        double target[3], length, depth, place[2];
        place_of(places[i][0], places[i][1], 0.0, target);
        const AqmRay ray = ray_to(from, target, &length);
        assert_true(aqm_plate_cross(&plate, &ray, &depth, place));
        near_to(depth, length);
        near_to(place[0], places[i][0]);
        near_to(place[1], places[i][1]);
        assert_true(aqm_plate_has(&plate, places[i]) == (i < 3));
    }
}

static void a_ray_away_from_it_or_along_it_meets_nothing(void **state) {
    (void)state;
    double depth = -1.0, place[2] = {-1.0, -1.0}, below[3];
    place_of(0.1, 0.1, 0.05, below);
    const AqmRay away = {{below[0], below[1], below[2]}, {0.0, 0.0, 1.0}};
    const AqmRay along = {{0.0, 0.0, 1.0}, {0.8, 0.0, 0.6}};
    assert_false(aqm_plate_cross(&plate, &away, &depth, place));
    assert_false(aqm_plate_cross(&plate, &along, &depth, place));
    assert_true(depth == -1.0 && place[0] == -1.0 && place[1] == -1.0);
    assert_false(aqm_plate_hides(&plate, &away, 1.0));
}

static void it_hides_what_lies_behind_it_but_not_itself(void **state) {
    (void)state;
    static const double from[3] = {0.2, 0.0, 0.9};
    const double heights[5] = {0.1, 1e-5, 0.0, -1e-5, -0.1};
    for (int i = 0; i < 5; i++) {
        double target[3], length;
        place_of(0.15, 0.1, heights[i], target);
        const AqmRay ray = ray_to(from, target, &length);
        assert_true(aqm_plate_hides(&plate, &ray, length) == (heights[i] > 0.0));
    }
    double beside[3], length;
    place_of(0.15, 0.35, 0.1, beside);
    const AqmRay ray = ray_to(from, beside, &length);
    assert_false(aqm_plate_hides(&plate, &ray, length));
}

static void distances_are_to_the_face_to_an_edge_or_to_a_corner(void **state) {
    (void)state;
    static const double at[5][4] = {{0.1, 0.1, 0.02, 0.02},
                                    {0.1, 0.1, -0.02, -0.02},
                                    {0.34, 0.1, 0.03, 0.05},
                                    {0.2, -0.04, -0.03, -0.05},
                                    {-0.06, 0.23, 0.02, 0.07}};
    for (int i = 0; i < 5; i++) {
        double point[3];
        place_of(at[i][0], at[i][1], at[i][2], point);
        near_to(aqm_plate_distance(&plate, point), at[i][3]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ray_meets_the_plate_where_it_was_sent),
        cmocka_unit_test(a_ray_away_from_it_or_along_it_meets_nothing),
        cmocka_unit_test(it_hides_what_lies_behind_it_but_not_itself),
        cmocka_unit_test(distances_are_to_the_face_to_an_edge_or_to_a_corner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
