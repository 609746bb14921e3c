#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/evaluate.h"
#include "base/alloc.h"
#include "evaluate/icp_solve.h"
#include "math/rng.h"
#include "math/vec.h"

/* A bed of two waves, points every 3 mm. */
enum { COLUMNS = 140, ROWS = 110, COUNT = COLUMNS * ROWS };

static double bed(double x, double y, double slope[2]) {
    slope[0] = 0.008 * 25.0 * cos(25.0 * x + 0.4) + 0.004 * 12.0 * cos(12.0 * x + 31.0 * y);
    slope[1] = 0.004 * 31.0 * cos(12.0 * x + 31.0 * y) - 0.006 * 18.0 * sin(18.0 * y + 1.0);
    return 0.8 + 0.008 * sin(25.0 * x + 0.4) + 0.004 * sin(12.0 * x + 31.0 * y) +
           0.006 * cos(18.0 * y + 1.0);
}

static AqmCloud *new_cloud(void) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, COUNT, NULL), AQM_OK);
    cloud->count = COUNT;
    return cloud;
}

static AqmCloud *make_bed(void) {
    AqmCloud *cloud = new_cloud();
    for (size_t i = 0; i < COUNT; i++) {
        const double x = 0.003 * ((double)(i % COLUMNS) - COLUMNS / 2);
        const double y = 0.003 * ((double)(i / COLUMNS) - ROWS / 2);
        double slope[2];
        const double z = bed(x, y, slope),
                     norm = sqrt(1.0 + slope[0] * slope[0] + slope[1] * slope[1]);
        const double p[3] = {x, y, z}, n[3] = {slope[0] / norm, slope[1] / norm, -1.0 / norm};
        for (size_t k = 0; k < 3; k++) {
            cloud->position[3 * i + k] = (float)p[k];
            cloud->normal[3 * i + k] = (float)n[k];
        }
    }
    return cloud;
}

static AqmCloud *make_plane(void) {
    AqmCloud *cloud = make_bed();
    for (size_t i = 0; i < COUNT; i++) {
        cloud->position[3 * i + 2] = 0.8f;
        cloud->normal[3 * i] = cloud->normal[3 * i + 1] = 0.0f;
        cloud->normal[3 * i + 2] = -1.0f;
    }
    return cloud;
}

/* A turn of 4, -3, 6 mrad and a shift of some millimetres. */
static void known_motion(double R[9], double t[3]) {
    const double a = 0.004, b = -0.003, c = 0.006;
    const double X[9] = {1, 0, 0, 0, cos(a), -sin(a), 0, sin(a), cos(a)};
    const double Y[9] = {cos(b), 0, sin(b), 0, 1, 0, -sin(b), 0, cos(b)};
    const double Z[9] = {cos(c), -sin(c), 0, sin(c), cos(c), 0, 0, 0, 1};
    double XY[9];
    aqm_mul33(X, Y, XY);
    aqm_mul33(XY, Z, R);
    t[0] = 0.0045, t[1] = -0.004, t[2] = 0.002;
}

/* The cloud as it would be if the motion had to bring it back. */
static void displace(AqmCloud *cloud, const double R[9], const double t[3]) {
    double back[9], shift[3];
    aqm_transpose33(R, back);
    aqm_mul33v(back, t, shift);
    for (int k = 0; k < 3; k++)
        shift[k] = -shift[k];
    aqm_cloud_move(cloud, back, shift);
}

static AqmAlignment align(const AqmCloud *fixed, const AqmCloud *moving, int threads) {
    AqmIcpOptions options = aqm_icp_options_default();
    AqmAlignment out;
    AqmDiag diag = {0};
    memset(&out, 0, sizeof out);
    options.threads = threads;
    if (aqm_icp_align(fixed, moving, &options, &out, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return out;
}

/* Angle between two rotations, and how far they take the middle of the bed apart. */
static void compare(const AqmAlignment *a, const double R[9], const double t[3], double *angle_rad,
                    double *shift_m) {
    const double middle[3] = {0.0, 0.0, 0.8};
    double p[3], q[3], back[9], between[9];
    aqm_mul33v(a->R, middle, p);
    aqm_mul33v(R, middle, q);
    for (int k = 0; k < 3; k++)
        p[k] += a->t[k] - q[k] - t[k];
    aqm_transpose33(R, back);
    aqm_mul33(a->R, back, between);
    const double v[3] = {between[7] - between[5], between[2] - between[6], between[3] - between[1]};
    *angle_rad = 0.5 * aqm_norm3(v);
    *shift_m = aqm_norm3(p);
}

static void a_known_motion_is_found(void **state) {
    (void)state;
    double R[9], t[3], angle, shift;
    AqmCloud *fixed = make_bed(), *moving = make_bed();
    known_motion(R, t);
    displace(moving, R, t);
    const AqmAlignment a = align(fixed, moving, 0);
    compare(&a, R, t, &angle, &shift);
    print_message("%d iterations, %.1e rad, %.1e m\n", a.iterations, angle, shift);
    assert_true(a.converged && a.iterations < 40);
    assert_true(angle < 1e-6 && shift < 1e-5);
    assert_true(a.rms_before_m > 1e-3 && a.rms_after_m < 1e-6);
    assert_int_equal(a.free_directions, 0);
    assert_true(a.inlier_share > 0.9);
    assert_true(a.pairs > COUNT * 9 / 10 && a.points == COUNT);
    /* without normals they are found: planes through 16 points of a wave are a bit off */
    memset(fixed->normal, 0, 3 * COUNT * sizeof *fixed->normal);
    const AqmAlignment b = align(fixed, moving, 0);
    compare(&b, R, t, &angle, &shift);
    assert_true(angle < 2e-5 && shift < 2e-5);
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

static void what_changed_does_not_pull(void **state) {
    (void)state;
    double R[9], t[3], angle, shift;
    AqmCloud *fixed = make_bed(), *moving = make_bed();
    AqmRng rng = aqm_rng(2, 3);
    known_motion(R, t);
    for (size_t i = 0; i < COUNT; i++) { /* a fifth lies up to 6 mm higher; all have noise */
        const bool changed = i % COLUMNS < COLUMNS / 2 && i / COLUMNS < 2 * ROWS / 5;
        moving->position[3 * i + 2] += (float)(3e-4 * aqm_rng_normal(&rng));
        if (changed)
            moving->position[3 * i + 2] -= 0.006f;
    }
    displace(moving, R, t);
    const AqmAlignment a = align(fixed, moving, 0);
    compare(&a, R, t, &angle, &shift);
    print_message("%.1e rad, %.1e m, inliers %.3f\n", angle, shift, a.inlier_share);
    assert_true(a.converged);
    assert_true(angle < 1e-4 && shift < 1e-4);
    assert_true(a.inlier_share < 0.85 && a.inlier_share > 0.7);
    assert_true(a.inlier_rms_m < 5e-4 && a.rms_after_m > 1.5e-3);
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

/* The errors of 40 alignments under noise, over the sigmas that are said: about 1. */
static void the_stated_uncertainty_is_that_of_the_transform(void **state) {
    (void)state;
    enum { TRIALS = 40 };
    AqmCloud *fixed = make_bed();
    double sum[6] = {0};
    for (int trial = 0; trial < TRIALS; trial++) {
        AqmCloud *moving = make_bed();
        AqmRng rng = aqm_rng((uint64_t)trial, 5);
        double block[400];
        for (int k = 0; k < 400; k++)
            block[k] = 2e-4 * aqm_rng_normal(&rng);
        for (size_t i = 0; i < COUNT; i++) /* noise shared by 7 x 7 points */
            moving->position[3 * i + 2] += (float)(block[i / COLUMNS / 7 * 20 + i % COLUMNS / 7] +
                                                   1e-4 * aqm_rng_normal(&rng));
        const AqmAlignment a = align(fixed, moving, 0);
        double at_center[3];
        aqm_mul33v(a.R, a.center, at_center);
        for (int k = 0; k < 3; k++) {
            const int i = (k + 2) % 3, j = (k + 1) % 3;
            const double turn = 0.5 * (a.R[3 * i + j] - a.R[3 * j + i]);
            const double shift = at_center[k] + a.t[k] - a.center[k];
            sum[k] += turn * turn / (a.sigma_turn_rad[k] * a.sigma_turn_rad[k]) / TRIALS;
            sum[3 + k] += shift * shift / (a.sigma_shift_m[k] * a.sigma_shift_m[k]) / TRIALS;
        }
        aqm_cloud_destroy(&moving);
    }
    for (int k = 0; k < 6; k++) {
        print_message("%.2f ", sqrt(sum[k]));
        assert_true(sqrt(sum[k]) > 0.65 && sqrt(sum[k]) < 1.5);
    }
    print_message("\n");
    aqm_cloud_destroy(&fixed);
}

static void a_plane_leaves_three_motions_open(void **state) {
    (void)state;
    AqmCloud *fixed = make_plane(), *moving = make_plane();
    const double R[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, t[3] = {0.004, -0.003, 0.002};
    displace(moving, R, t);
    const AqmAlignment a = align(fixed, moving, 0);
    assert_true(a.converged);
    assert_int_equal(a.free_directions, 3);
    assert_true(fabs(a.t[2] - 0.002) < 1e-6);
    assert_true(fabs(a.t[0]) < 1e-7 && fabs(a.t[1]) < 1e-7 && fabs(a.R[1]) < 1e-7);
    assert_true(a.sigma_shift_m[0] == 0.0 && isfinite(a.sigma_shift_m[2]));
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

static void the_number_of_threads_changes_nothing(void **state) {
    (void)state;
    double R[9], t[3];
    AqmCloud *fixed = make_bed(), *moving = make_bed();
    known_motion(R, t);
    displace(moving, R, t);
    for (size_t i = 0; i < COUNT; i += 50)
        moving->position[3 * i + i / 50 % 3] = i % 100 ? NAN : INFINITY;
    memset(fixed->normal, 0, 300 * sizeof *fixed->normal);
    const AqmAlignment one = align(fixed, moving, 1), four = align(fixed, moving, 4);
    assert_memory_equal(&one, &four, sizeof one);
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

static void what_cannot_be_aligned_is_a_sentence(void **state) {
    (void)state;
    AqmCloud *fixed = make_bed(), *moving = make_bed();
    const double R[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, far_off[3] = {0, 0, 0.05};
    AqmIcpOptions options = aqm_icp_options_default();
    AqmAlignment out;
    AqmDiag diag = {0};
    aqm_cloud_move(moving, R, far_off);
    assert_int_equal(aqm_icp_align(fixed, moving, &options, &out, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "icp_max_distance"));
    moving->count = 0;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_icp_align(fixed, moving, &options, &out, &diag), AQM_ERROR_NO_DATA);
    fixed->count = 0, moving->count = COUNT;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_icp_align(fixed, moving, &options, &out, &diag), AQM_ERROR_NO_DATA);
    fixed->count = COUNT;
    static const struct {
        double reach;
        int iterations;
        size_t points;
    } wrong[] = {{0.0, 60, 50000}, {NAN, 60, 50000}, {0.01, 0, 50000}, {0.01, 60, 99}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.max_distance_m = wrong[i].reach;
        options.max_iterations = wrong[i].iterations;
        options.max_points = wrong[i].points;
        assert_int_equal(aqm_icp_align(fixed, moving, &options, &out, NULL), AQM_ERROR_ARGUMENT);
    }
    options = aqm_icp_options_default();
    options.max_iterations = 1;
    const double near[3] = {0, 0, 0.004};
    aqm_cloud_destroy(&moving);
    moving = make_bed();
    aqm_cloud_move(moving, R, near);
    assert_int_equal(aqm_icp_align(fixed, moving, &options, &out, NULL), AQM_OK);
    assert_false(out.converged);
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

static void running_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    AqmCloud *fixed = make_bed(), *moving = make_bed();
    memset(fixed->normal, 0, 30 * sizeof *fixed->normal);
    fixed->count = moving->count = 2000;
    AqmIcpOptions options = aqm_icp_options_default();
    options.threads = 1;
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmAlignment out;
        aqm_alloc_fail_from(n);
        status = aqm_icp_align(fixed, moving, &options, &out, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
    aqm_cloud_destroy(&fixed);
    aqm_cloud_destroy(&moving);
}

static void equations_that_say_nothing_are_left_alone(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(4, 4);
    for (int trial = 0; trial < 50; trial++) {
        double J[10][6], A[36] = {0}, b[6], x[6], inverse[36], truth[6];
        for (int k = 0; k < 6; k++)
            truth[k] = aqm_rng_normal(&rng);
        for (int r = 0; r < 10; r++)
            for (int k = 0; k < 6; k++)
                J[r][k] = trial % 2 && k > 3 ? J[r][k - 1] : aqm_rng_normal(&rng); /* rank 4 */
        for (int i = 0; i < 36; i++)
            for (int r = 0; r < 10; r++)
                A[i] += J[r][i / 6] * J[r][i % 6];
        for (int i = 0; i < 6; i++) {
            b[i] = 0.0;
            for (int k = 0; k < 6; k++)
                b[i] += A[6 * i + k] * truth[k];
        }
        const int open = aqm_solve_where_known(A, b, 1e-9, x, inverse);
        assert_int_equal(open, trial % 2 ? 2 : 0);
        for (int i = 0; i < 6; i++) { /* A x = b holds in either case; x is the truth in one */
            double Ax = 0.0, by_inverse = 0.0;
            for (int k = 0; k < 6; k++) {
                Ax += A[6 * i + k] * x[k];
                by_inverse += inverse[6 * i + k] * b[k];
            }
            assert_true(fabs(Ax - b[i]) < 1e-8 && fabs(by_inverse - x[i]) < 1e-8);
            assert_true(trial % 2 || fabs(x[i] - truth[i]) < 1e-8);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_motion_is_found),
        cmocka_unit_test(what_changed_does_not_pull),
        cmocka_unit_test(the_stated_uncertainty_is_that_of_the_transform),
        cmocka_unit_test(a_plane_leaves_three_motions_open),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(what_cannot_be_aligned_is_a_sentence),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
        cmocka_unit_test(equations_that_say_nothing_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
