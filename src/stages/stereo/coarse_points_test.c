/* Points of a coarse sweep on a rendered bed whose surface is a formula. One pixel of disparity is
 * about 4 mm here. */
#include "stages/stereo/test_scene.h"

static const AqmDepthRange around = {0.17, 0.32, 0.17, 0.23};

static AqmStatus find(const Scene *scene, const AqmDepthRange *range, int threads,
                      AqmCloud *clouds[VIEWS], AqmDiag *diag) {
    AqmDepthRange ranges[VIEWS];
    for (int k = 0; k < VIEWS; k++)
        ranges[k] = *range;
    return aqm_stereo_find_points(scene->stereo, VIEWS, 3, true, ranges, threads, clouds, diag);
}

static void destroy(AqmCloud *clouds[VIEWS]) {
    for (int k = 0; k < VIEWS; k++)
        aqm_cloud_destroy(&clouds[k]);
}

/* How many points lie farther from the surface than off_m. */
static size_t count_off(const Scene *scene, const AqmCloud *cloud, double off_m) {
    size_t off = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        const float *at = cloud->position + 3 * i;
        off += !(fabs((double)at[2] - surface_z(scene, (double)at[0])) < off_m);
    }
    return off;
}

static void points_lie_on_the_bed_all_over_the_image(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    scene->stereo[3].is_auxiliary = true;
    AqmCloud *clouds[VIEWS];
    assert_int_equal(find(scene, &around, 0, clouds, NULL), AQM_OK);
    assert_null(clouds[3]);
    for (int k = 0; k < 3; k++) {
        double low = 1e9, high = -1e9;
        for (size_t i = 0; i < clouds[k]->count; i++) {
            const float *at = clouds[k]->position + 3 * i;
            const double point[3] = {(double)at[0], (double)at[1], (double)at[2]};
            double pixel[2];
            assert_true(aqm_view_project(&scene->views[k], point, pixel));
            low = fmin(low, pixel[1]), high = fmax(high, pixel[1]);
        }
        const size_t off = count_off(scene, clouds[k], 0.003);
        print_message("view %d: %zu points, %zu off by 3 mm, rows %.0f to %.0f\n", k,
                      clouds[k]->count, off, low, high);
        assert_true(clouds[k]->count > 1000 && 15 * off < clouds[k]->count);
        /* below row 113 of view 2 no other camera looks */
        assert_true(low < 8.0 && high > (k == 2 ? 105.0 : HEIGHT - 9.0));
    }
    destroy(clouds);
    scene_free(scene);
}

static void what_does_not_match_gives_no_points(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmCloud *clouds[VIEWS];
    const AqmDepthRange elsewhere = {0.30, 0.50, 0.30, 0.38};
    assert_int_equal(find(scene, &elsewhere, 0, clouds, NULL), AQM_OK);
    for (int k = 0; k < VIEWS; k++)
        assert_int_equal(clouds[k]->count, 0);
    destroy(clouds);
    for (int k = 0; k < VIEWS; k++) {
        memset(scene->images[k]->data, 128, WIDTH * HEIGHT);
        prepare(scene, k, NULL);
    }
    assert_int_equal(find(scene, &around, 0, clouds, NULL), AQM_OK);
    for (int k = 0; k < VIEWS; k++)
        assert_int_equal(clouds[k]->count, 0);
    destroy(clouds);
    scene_free(scene);
}

static void any_number_of_threads_gives_the_same(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    AqmCloud *one[VIEWS], *three[VIEWS];
    assert_int_equal(find(scene, &around, 1, one, NULL), AQM_OK);
    assert_int_equal(find(scene, &around, 3, three, NULL), AQM_OK);
    for (int k = 0; k < VIEWS; k++) {
        assert_int_equal(one[k]->count, three[k]->count);
        assert_memory_equal(one[k]->position, three[k]->position,
                            3 * one[k]->count * sizeof(float));
    }
    destroy(one);
    destroy(three);
    scene_free(scene);
}

static void too_many_views_and_failed_allocations(void **state) {
    (void)state;
    enum { MANY = 65 };
    AqmStereoView many[MANY];
    AqmDepthRange ranges[MANY];
    AqmCloud *none[MANY];
    AqmDiag diag = {0};
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    for (int k = 0; k < MANY; k++)
        many[k] = scene->stereo[0], ranges[k] = around;
    assert_int_equal(aqm_stereo_find_points(many, MANY, 3, true, ranges, 1, none, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "65 views"));
    const AqmDepthRange thin = {0.19, 0.22, 0.195, 0.205};
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmCloud *clouds[VIEWS];
        aqm_alloc_fail_from(n);
        const AqmStatus status = find(scene, &thin, 1, clouds, NULL);
        aqm_alloc_fail_from(0);
        if (status == AQM_OK) {
            destroy(clouds);
            break;
        }
        assert_int_equal(status, AQM_ERROR_MEMORY);
        for (int k = 0; k < VIEWS; k++)
            assert_null(clouds[k]);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 20);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_lie_on_the_bed_all_over_the_image),
        cmocka_unit_test(what_does_not_match_gives_no_points),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(too_many_views_and_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
