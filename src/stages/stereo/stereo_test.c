/* The stage on a rendered scene whose surface is a formula: a textured wave or plane under water,
 * seen by four cameras. Errors in millimetres along the ray; one pixel of disparity is about 4 mm
 * here, so a mistake of half a pixel anywhere fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "aquamvs/stereo.h"
#include "base/alloc.h"
#include "math/rng.h"
#include "math/stats.h"
#include "stages/stereo/test_scene.h"

static void check(const Scene *scene, const AqmStereoOptions *options, double median_mm,
                  double p95_mm) {
    AqmDepthMap *map = estimate(scene, options);
    const Errors e = errors_of(scene, map);
    print_message("valid %.3f, median %.3f mm, p95 %.3f mm, bias %.3f mm\n", e.valid, e.median_mm,
                  e.p95_mm, e.bias_mm);
    assert_true(e.valid > 0.93);
    assert_true(e.median_mm < median_mm);
    assert_true(e.p95_mm < p95_mm);
    assert_true(fabs(e.bias_mm) < 0.5);
    aqm_depth_map_destroy(&map);
}

static void a_plane_is_found_by_either_cost(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmStereoOptions options = small_options();
    check(scene, &options, 1.0, 3.5);
    options.cost = AQM_COST_SSIM;
    check(scene, &options, 1.0, 3.5);
    scene_free(scene);
}

static void a_wave_is_not_flattened(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1); /* 27 px long */
    const AqmStereoOptions options = small_options();
    check(scene, &options, 1.0, 3.5);
    AqmDepthMap *map = estimate(scene, &options);
    double product = 0.0, square = 0.0;
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        AqmRay ray;
        (void)aqm_view_cast(&scene->views[0], p % WIDTH, p / WIDTH, &ray);
        const double flat = (bed_z - water_z) / ray.direction[2];
        const double wave = scene->truth[p] - flat, found = map->depth_m[p] - flat;
        if (isnan(found) || fabs(found) > 0.01)
            continue;
        product += wave * found;
        square += wave * wave;
    }
    print_message("amplitude kept: %.3f\n", product / square);
    assert_true(fabs(product / square - 1.0) < 0.06);
    aqm_depth_map_destroy(&map);
    scene_free(scene);
}

static void without_refraction_it_is_plain_stereo(void **state) {
    (void)state;
    Scene *scene = scene_create(1.0, 0.0, 1.0);
    const AqmStereoOptions options = small_options();
    check(scene, &options, 1.0, 3.5);
    scene_free(scene);
}

static void an_occluded_source_does_not_count(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmRng rng = aqm_rng(9, 9);
    uint8_t *pixels = scene->images[1]->data;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        pixels[p] = (uint8_t)aqm_rng_u32(&rng);
    prepare(scene, 1, NULL);
    const AqmStereoOptions options = small_options();
    check(scene, &options, 1.0, 3.5);
    scene_free(scene);
}

static void masked_pixels_are_neither_matched_nor_matched_against(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmImage *mask = NULL;
    assert_int_equal(aqm_image_create(&mask, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    uint8_t *keep = mask->data, *pixels = scene->images[2]->data;
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        keep[p] = p % WIDTH < 120 ? 255 : 0;
        if (!keep[p])
            pixels[p] = (uint8_t)(p % 7 * 36); /* what is masked must not matter */
    }
    const AqmImageView view = aqm_image_view(mask);
    prepare(scene, 0, &view);
    prepare(scene, 2, &view);
    const AqmStereoOptions options = small_options();
    AqmDepthMap *map = estimate(scene, &options);
    size_t outside = 0, inside = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        outside += !keep[p] && !isnan(map->depth_m[p]);
        inside += keep[p] && fabs((double)(map->depth_m[p] - scene->truth[p])) < 0.005;
    }
    assert_int_equal(outside, 0);
    assert_true((double)inside > 0.9 * 120 * HEIGHT);
    aqm_depth_map_destroy(&map);
    aqm_image_destroy(&mask);
    scene_free(scene);
}

static void the_same_bytes_for_any_number_of_threads_and_batch(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    AqmStereoOptions options = small_options();
    options.threads = 1;
    AqmDepthMap *expected = estimate(scene, &options);
    for (int threads = 2; threads <= 5; threads++) {
        options.threads = threads;
        options.depth_batch_size = 3 * threads - 5;
        AqmDepthMap *map = estimate(scene, &options);
        assert_memory_equal(map->depth_m, expected->depth_m, WIDTH * HEIGHT * sizeof(float));
        assert_memory_equal(map->confidence, expected->confidence, WIDTH * HEIGHT * sizeof(float));
        aqm_depth_map_destroy(&map);
    }
    aqm_depth_map_destroy(&expected);
    scene_free(scene);
}

/* Scores of the variants are the same bits, fits agree to 1e-5 (near_kernels.h); a depth may differ
 * by more only where two maxima are equal to within that. */
static void every_kernel_set_gives_the_same_depths(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    const AqmStereoOptions options = small_options();
    AqmDepthMap *expected = estimate(scene, &options);
    setenv("AQUAMVS_CPU_MASK", "15", 1);
    AqmDepthMap *map = estimate(scene, &options);
    unsetenv("AQUAMVS_CPU_MASK");
    size_t different = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        different += !(fabs((double)(map->depth_m[p] - expected->depth_m[p])) < 1e-5) &&
                     !(isnan(map->depth_m[p]) && isnan(expected->depth_m[p]));
    assert_true(different < WIDTH * HEIGHT / 1000);
    aqm_depth_map_destroy(&map);
    aqm_depth_map_destroy(&expected);
    scene_free(scene);
}

static void ranges_are_found_and_hold_the_truth(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    AqmDepthRange ranges[VIEWS];
    AqmDiag diag = {0};
    assert_int_equal(aqm_stereo_find_ranges(scene->stereo, VIEWS, 3, true, 0.01, 0, ranges, &diag),
                     AQM_OK);
    for (int k = 0; k < VIEWS; k++) {
        print_message("range of view %d: %.4f..%.4f m\n", k, ranges[k].min_m, ranges[k].max_m);
        for (int p = 0; p < WIDTH * HEIGHT; p += 101) {
            double point[3];
            const double s = hit(scene, &scene->views[k], p % WIDTH, p / WIDTH, point);
            assert_true(s > ranges[k].min_m && s < ranges[k].max_m);
        }
        assert_true(ranges[k].max_m - ranges[k].min_m < 0.12);
    }
    scene_free(scene);
}

static void a_featureless_scene_has_no_range_and_no_depth(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    for (int k = 0; k < VIEWS; k++) {
        memset(scene->images[k]->data, 128, WIDTH * HEIGHT);
        prepare(scene, k, NULL);
    }
    AqmDepthRange ranges[VIEWS];
    AqmDiag diag = {0};
    assert_int_equal(aqm_stereo_find_ranges(scene->stereo, VIEWS, 3, true, 0.01, 0, ranges, &diag),
                     AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "depth_range"));
    const AqmStereoOptions options = small_options();
    AqmDepthMap *map = estimate(scene, &options);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        assert_true(isnan(map->depth_m[p]) && map->confidence[p] == 0.0f);
    aqm_depth_map_destroy(&map);
    scene_free(scene);
}

static void sources_are_the_overlapping_ones_at_a_good_angle(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    scene->views[3].C[0] += 5.0; /* far away: sees nothing of the scene */
    for (int i = 0; i < 3; i++)
        scene->views[3].t[i] -= 5.0 * scene->views[3].R[3 * i];
    size_t sources[VIEWS], count, spares;
    aqm_stereo_select_sources(scene->stereo, VIEWS, 0, 3, true, NULL, sources, &count, &spares);
    assert_int_equal(count, 2);
    scene->stereo[2].is_auxiliary = true;
    aqm_stereo_select_sources(scene->stereo, VIEWS, 0, 1, true, NULL, sources, &count, &spares);
    assert_int_equal(count, 2);
    assert_int_equal(sources[0], 1);
    assert_int_equal(sources[1], 2);
    aqm_stereo_select_sources(scene->stereo, VIEWS, 0, 1, false, NULL, sources, &count, &spares);
    assert_int_equal(count, 1);
    assert_int_equal(spares, 0); /* view 2 is auxiliary and view 3 sees nothing */
    scene->stereo[2].is_auxiliary = false;
    aqm_stereo_select_sources(scene->stereo, VIEWS, 0, 1, false, NULL, sources, &count, &spares);
    assert_int_equal(count, 1);
    assert_int_equal(spares, 1);
    assert_int_equal(sources[1], 2);
    scene_free(scene);
}

static void wrong_options_are_refused_with_the_value(void **state) {
    (void)state;
    AqmStereoOptions options = small_options();
    AqmDiag diag = {0};
    options.window_size = 8;
    assert_int_equal(aqm_stereo_options_validate(&options, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "window_size is 8"));
    options = small_options();
    options.num_depths = 7;
    assert_int_equal(aqm_stereo_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    options = small_options();
    options.depth_batch_size = 0;
    assert_int_equal(aqm_stereo_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
}

/* Estimates view 0 from view 1 with a range; the map, or NULL with the status expected. */
static AqmDepthMap *estimate_within(const Scene *scene, AqmDepthRange range, AqmStatus expected) {
    const AqmStereoOptions options = small_options();
    const size_t sources[1] = {1};
    AqmDepthMap *map = NULL;
    assert_int_equal(
        aqm_stereo_estimate(scene->stereo, VIEWS, 0, sources, 1, 0, &range, &options, &map, NULL),
        expected);
    assert_int_equal(map != NULL, expected == AQM_OK);
    return map;
}

/* The bed lies 0.2 m straight down. */
static void a_range_straight_down_bounds_the_search(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    const AqmDepthRange with = {0.15, 0.3, 0.18, 0.22}, without = {0.15, 0.3, 0.23, 0.3};
    AqmDepthMap *map = estimate_within(scene, with, AQM_OK);
    const Errors e = errors_of(scene, map);
    print_message("around the bed: %.3f known, median %.3f mm\n", e.valid, e.median_mm);
    assert_true(e.valid > 0.6); /* what one source sees */
    assert_true(e.median_mm < 0.5);
    aqm_depth_map_destroy(&map);
    map = estimate_within(scene, without, AQM_OK);
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        AqmRay ray;
        assert_true(aqm_view_cast(&scene->views[0], p % WIDTH, p / WIDTH, &ray));
        assert_false((double)map->depth_m[p] * ray.direction[2] < 0.2299); /* nor if NaN */
    }
    aqm_depth_map_destroy(&map);
    estimate_within(scene, (AqmDepthRange){0.15, 0.16, 0.23, 0.3}, AQM_ERROR_ARGUMENT);
    estimate_within(scene, (AqmDepthRange){0.15, 0.3, 0.3, 0.2}, AQM_ERROR_ARGUMENT);
    estimate_within(scene, (AqmDepthRange){0.15, 0.3, -0.1, 0.2}, AQM_ERROR_ARGUMENT);
    scene_free(scene);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmStereoOptions options = small_options();
    options.num_depths = 8;
    options.threads = 1;
    const size_t sources[1] = {1}, before = aqm_alloc_count().live_bytes;
    const AqmDepthRange range = {.min_m = 0.19, .max_m = 0.21};
    size_t n = 1;
    for (;; n++) {
        AqmDepthMap *map = NULL;
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_stereo_estimate(scene->stereo, VIEWS, 0, sources, 1, 0, &range,
                                                     &options, &map, NULL);
        aqm_alloc_fail_from(0);
        aqm_depth_map_destroy(&map);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 20);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plane_is_found_by_either_cost),
        cmocka_unit_test(a_wave_is_not_flattened),
        cmocka_unit_test(without_refraction_it_is_plain_stereo),
        cmocka_unit_test(an_occluded_source_does_not_count),
        cmocka_unit_test(masked_pixels_are_neither_matched_nor_matched_against),
        cmocka_unit_test(the_same_bytes_for_any_number_of_threads_and_batch),
        cmocka_unit_test(every_kernel_set_gives_the_same_depths),
        cmocka_unit_test(ranges_are_found_and_hold_the_truth),
        cmocka_unit_test(a_featureless_scene_has_no_range_and_no_depth),
        cmocka_unit_test(sources_are_the_overlapping_ones_at_a_good_angle),
        cmocka_unit_test(wrong_options_are_refused_with_the_value),
        cmocka_unit_test(a_range_straight_down_bounds_the_search),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
