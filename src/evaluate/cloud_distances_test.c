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
#include "math/vec.h"

enum { SIDE = 100, COUNT = SIDE * SIDE };

/* A level square of points every 2 mm at the height z, with normals if they are asked for. */
static AqmCloud *make_plane(double z, bool with_normals) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, COUNT, NULL), AQM_OK);
    cloud->count = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        cloud->position[3 * i] = 0.002f * (float)(i % SIDE);
        cloud->position[3 * i + 1] = 0.002f * (float)(i / SIDE);
        cloud->position[3 * i + 2] = (float)z;
        cloud->normal[3 * i] = cloud->normal[3 * i + 1] = 0.0f;
        cloud->normal[3 * i + 2] = with_normals ? -1.0f : 0.0f;
    }
    return cloud;
}

static void near_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", value, expected, tolerance);
}

static AqmCloudDistances measure(const AqmCloud *from, const AqmCloud *to, const double *region,
                                 int threads) {
    AqmCloudDistances d;
    AqmDiag diag = {0};
    memset(&d, 0, sizeof d);
    if (aqm_cloud_distances(from, to, region, threads, &d, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return d;
}

static void distances_and_their_signs(void **state) {
    (void)state;
    for (int with_normals = 0; with_normals < 2; with_normals++) {
        AqmCloud *a = make_plane(0.8, with_normals), *b = make_plane(0.8015, with_normals);
        for (size_t i = 0; i < COUNT; i += 10) /* a tenth lies 20 mm higher */
            b->position[3 * i + 2] -= 0.02f;
        const AqmCloudDistances d = measure(b, a, NULL, 0);
        assert_int_equal(d.count, COUNT);
        near_to(d.median_mm, 1.5, 1e-3);
        near_to(d.mean_mm, 0.9 * 1.5 + 0.1 * 18.5, 1e-3);
        near_to(d.rms_mm, sqrt(0.9 * 1.5 * 1.5 + 0.1 * 18.5 * 18.5), 1e-3);
        near_to(d.max_mm, 18.5, 1e-3);
        near_to(d.p95_mm, 18.5, 1e-3);
        near_to(d.within_pct[1], 0.0, 0.0);
        near_to(d.within_pct[2], 90.0, 1e-9);
        assert_int_equal(d.signed_count, COUNT * 9 / 10);
        near_to(d.signed_mean_mm, 1.5, 1e-3); /* deeper */
        near_to(d.signed_rms_mm, 1.5, 1e-3);
        const AqmCloudDistances back = measure(a, b, NULL, 0);
        near_to(back.signed_median_mm, -1.5, with_normals ? 1e-3 : 0.1);
        aqm_cloud_destroy(&a);
        aqm_cloud_destroy(&b);
    }
}

static void the_region_leaves_out_what_lies_beside(void **state) {
    (void)state;
    AqmCloud *a = make_plane(0.8, true), *b = make_plane(0.8, true);
    const double shift[3] = {0.05, 0, 0}, I[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    aqm_cloud_move(b, I, shift);
    near_to(measure(b, a, NULL, 0).max_mm, 50.0, 0.01);
    const double common[4] = {0.0499, 0.0, 0.1981, 0.1001};
    const AqmCloudDistances d = measure(b, a, common, 0);
    assert_int_equal(d.count, 75 * 51);
    near_to(d.max_mm, 0.0, 1e-4);
    near_to(d.within_pct[0], 100.0, 0.0);
    a->position[0] = NAN, a->position[4] = INFINITY; /* are no points */
    assert_int_equal(measure(a, b, NULL, 0).count, COUNT - 2);
    const AqmCloudDistances one = measure(a, b, NULL, 1), four = measure(a, b, NULL, 4);
    assert_memory_equal(&one, &four, sizeof one);
    aqm_cloud_destroy(&a);
    aqm_cloud_destroy(&b);
}

static void nothing_to_measure_is_a_sentence(void **state) {
    (void)state;
    AqmCloud *a = make_plane(0.8, true), *b = make_plane(0.8, true);
    const double beside[4] = {5, 5, 6, 6};
    AqmCloudDistances d;
    AqmDiag diag = {0};
    assert_int_equal(aqm_cloud_distances(a, b, beside, 0, &d, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "region"));
    b->count = 0;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_cloud_distances(a, b, NULL, 0, &d, &diag), AQM_ERROR_NO_DATA);
    assert_int_equal(aqm_cloud_distances(b, a, NULL, 0, &d, NULL), AQM_ERROR_NO_DATA);
    aqm_cloud_destroy(&a);
    aqm_cloud_destroy(&b);
}

static void points_on_a_line_have_no_normal(void **state) {
    (void)state;
    AqmCloud *a = make_plane(0.8, false), *b = make_plane(0.8, false);
    b->count = SIDE;
    const AqmCloudDistances d = measure(a, b, NULL, 0);
    assert_int_equal(d.signed_count, 0);
    assert_true(isnan(d.signed_mean_mm) && isfinite(d.mean_mm));
    aqm_cloud_destroy(&a);
    aqm_cloud_destroy(&b);
}

static void running_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    AqmCloud *a = make_plane(0.8, true), *b = make_plane(0.8, false);
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmCloudDistances d;
        aqm_alloc_fail_from(n);
        status = aqm_cloud_distances(a, b, NULL, 1, &d, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
    aqm_cloud_destroy(&a);
    aqm_cloud_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_and_their_signs),
        cmocka_unit_test(the_region_leaves_out_what_lies_beside),
        cmocka_unit_test(nothing_to_measure_is_a_sentence),
        cmocka_unit_test(points_on_a_line_have_no_normal),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
