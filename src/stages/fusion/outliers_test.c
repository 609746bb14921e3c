#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/fusion.h"
#include "base/alloc.h"
#include "math/rng.h"

enum { SIDE = 100, SURFACE = SIDE * SIDE, STRAYS = 60 };

/* A bent sheet of points about 1 mm apart; every so often a stray 15..40 mm away from it. The
 * point's number is in its colour and confidence, strays have views 1. */
static AqmCloud *make_cloud(void) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, SURFACE + STRAYS, NULL), AQM_OK);
    AqmRng rng = aqm_rng(3, 0);
    for (size_t i = 0, grid = 0; i < SURFACE + STRAYS; i++) {
        const bool stray = i % (SURFACE / STRAYS) == 7 && i / (SURFACE / STRAYS) < STRAYS;
        const double x = 0.001 * ((double)(grid % SIDE) + 0.3 * aqm_rng_normal(&rng));
        const double y = 0.001 * ((double)(grid / SIDE) + 0.3 * aqm_rng_normal(&rng));
        const double away = 0.015 + 0.025 * aqm_rng_uniform(&rng);
        cloud->position[3 * i] = (float)x, cloud->position[3 * i + 1] = (float)y;
        cloud->position[3 * i + 2] =
            (float)(1.2 + x * x + 0.0002 * aqm_rng_normal(&rng) - (stray ? away : 0.0));
        memset(cloud->normal + 3 * i, 0, 3 * sizeof(float));
        for (int k = 0; k < 3; k++)
            cloud->color[3 * i + (size_t)k] = (uint8_t)(i >> (8 * k));
        cloud->confidence[i] = (float)i;
        cloud->sigma_m[i] = 0.0f;
        cloud->views[i] = stray ? 1 : 3;
        grid += !stray;
    }
    cloud->count = SURFACE + STRAYS;
    return cloud;
}

static void strays_go_and_the_surface_stays_in_order(void **state) {
    (void)state;
    AqmCloud *cloud = make_cloud();
    AqmFusionOptions options = aqm_fusion_options_default();
    size_t removed = 0, strays = 0;
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &removed, NULL), AQM_OK);
    assert_int_equal(cloud->count, SURFACE + STRAYS - removed);
    for (size_t i = 0; i < cloud->count; i++) {
        strays += cloud->views[i] == 1;
        assert_true(i == 0 || cloud->confidence[i] > cloud->confidence[i - 1]);
        const size_t number = (size_t)cloud->confidence[i];
        assert_int_equal(cloud->color[3 * i] | cloud->color[3 * i + 1] << 8, number);
    }
    print_message("%zu removed, %zu of %d strays left\n", removed, strays, (int)STRAYS);
    assert_int_equal(strays, 0);
    assert_true(removed < STRAYS + SURFACE / 200);
    aqm_cloud_destroy(&cloud);
}

/* Every second row and column of the left tenth of the sheet is left out: a rim that only two views
 * see, spaced at 2 mm instead of 1. */
static size_t thin_the_rim(AqmCloud *cloud) {
    size_t kept = 0, rim = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        const bool is_rim = cloud->views[i] == 3 && cloud->position[3 * i] < 0.01f;
        if (is_rim && (i % 4 != 0))
            continue;
        memmove(cloud->position + 3 * kept, cloud->position + 3 * i, 3 * sizeof(float));
        cloud->views[kept++] = is_rim ? 2 : cloud->views[i];
        rim += is_rim;
    }
    cloud->count = kept;
    return rim;
}

/* How many go of a sheet with such a rim, the number of views told or not. */
static size_t removed_of_rim(double ratio, bool tells_views) {
    AqmCloud *cloud = make_cloud();
    (void)thin_the_rim(cloud);
    for (size_t i = 0; i < cloud->count && !tells_views; i++)
        cloud->views[i] = 3;
    AqmFusionOptions options = aqm_fusion_options_default();
    options.outlier_std_ratio = ratio;
    size_t removed = 0;
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &removed, NULL), AQM_OK);
    aqm_cloud_destroy(&cloud);
    return removed;
}

static void a_rim_that_fewer_views_see_is_no_outlier(void **state) {
    (void)state;
    AqmCloud *cloud = make_cloud();
    const size_t rim = thin_the_rim(cloud);
    AqmFusionOptions options = aqm_fusion_options_default();
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, NULL, NULL), AQM_OK);
    size_t left = 0, strays = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        left += cloud->views[i] == 2;
        strays += cloud->views[i] == 1;
    }
    print_message("%zu of %zu points of the rim left, %zu strays\n", left, rim, strays);
    assert_int_equal(strays, 0);
    assert_true(left > rim * 95 / 100);
    assert_true(removed_of_rim(1.0, true) < removed_of_rim(1.0, false) - 20);
    aqm_cloud_destroy(&cloud);
}

static void the_ratio_sets_the_limit(void **state) {
    (void)state;
    size_t gentle = 0, strict = 0;
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = make_cloud();
    options.outlier_std_ratio = 1e6;
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &gentle, NULL), AQM_OK);
    assert_int_equal(gentle, 0);
    options.outlier_std_ratio = 0.05;
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &strict, NULL), AQM_OK);
    assert_true(strict > STRAYS + 100);
    aqm_cloud_destroy(&cloud);
}

static void tiny_clouds_and_nan_are_survived(void **state) {
    (void)state;
    AqmFusionOptions options = aqm_fusion_options_default();
    for (size_t count = 0; count < 4; count++) {
        AqmCloud *cloud = make_cloud();
        cloud->count = count;
        size_t removed = 99;
        assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &removed, NULL), AQM_OK);
        assert_int_equal(removed, 0);
        assert_int_equal(cloud->count, count);
        aqm_cloud_destroy(&cloud);
    }
    AqmCloud *cloud = make_cloud();
    cloud->position[3 * 50] = NAN;
    options.outlier_std_ratio = 1e6;
    size_t removed = 0;
    assert_int_equal(aqm_cloud_remove_outliers(cloud, &options, &removed, NULL), AQM_OK);
    assert_int_equal(removed, 1);
    aqm_cloud_destroy(&cloud);
}

static void any_number_of_threads_removes_the_same(void **state) {
    (void)state;
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *one = make_cloud();
    options.threads = 1;
    assert_int_equal(aqm_cloud_remove_outliers(one, &options, NULL, NULL), AQM_OK);
    for (options.threads = 2; options.threads <= 4; options.threads += 2) {
        AqmCloud *more = make_cloud();
        assert_int_equal(aqm_cloud_remove_outliers(more, &options, NULL, NULL), AQM_OK);
        assert_int_equal(more->count, one->count);
        assert_memory_equal(more->confidence, one->confidence, one->count * sizeof(float));
        aqm_cloud_destroy(&more);
    }
    aqm_cloud_destroy(&one);
}

static void failed_allocations_leave_the_cloud_as_it_was(void **state) {
    (void)state;
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = make_cloud();
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_cloud_remove_outliers(cloud, &options, NULL, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(cloud->count, SURFACE + STRAYS);
    }
    assert_true(n > 3);
    aqm_cloud_destroy(&cloud);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strays_go_and_the_surface_stays_in_order),
        cmocka_unit_test(a_rim_that_fewer_views_see_is_no_outlier),
        cmocka_unit_test(the_ratio_sets_the_limit),
        cmocka_unit_test(tiny_clouds_and_nan_are_survived),
        cmocka_unit_test(any_number_of_threads_removes_the_same),
        cmocka_unit_test(failed_allocations_leave_the_cloud_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
