#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "stages/fusion/fusion_scene.h"

enum { WIDTH = 160, HEIGHT = 120, PIXELS = WIDTH * HEIGHT };

static uint8_t counts[PIXELS];

static void count_views(const Scene *scene, const AqmFusionOptions *options) {
    AqmDiag diag = {0};
    assert_int_equal(aqm_fusion_consistency(scene->fusion, scene->count, 0, options, counts, &diag),
                     AQM_OK);
}

static void make(Scene *scene, AqmSurfaceModel **model) {
    *model = scene_wave(0.003, 0.1, 0.1);
    scene_make(scene, 4, WIDTH, HEIGHT, 500.0, *model);
}

static void drop(Scene *scene, AqmSurfaceModel **model) {
    scene_free(scene);
    aqm_surface_model_destroy(model);
}

/* The number of views whose image holds the surface point of pixel i of view 0, those listed in
 * `blind` left out; -1 where the point falls within a pixel of an image border. */
static int expected(const Scene *scene, size_t i, unsigned blind) {
    AqmRay ray;
    double point[3], pixel[2];
    if (!aqm_view_cast(&scene->views[0], (double)(i % WIDTH), (double)(i / WIDTH), &ray))
        return 0;
    for (int k = 0; k < 3; k++)
        point[k] = ray.origin[k] + (double)scene->maps[0]->depth_m[i] * ray.direction[k];
    int count = 1;
    for (size_t j = 1; j < scene->count; j++) {
        assert_true(aqm_view_project(&scene->views[j], point, pixel));
        const double outside =
            fmax(fmax(-pixel[0], pixel[0] - (WIDTH - 1)), fmax(-pixel[1], pixel[1] - (HEIGHT - 1)));
        if (fabs(outside) < 1.0)
            return -1;
        count += outside < 0.0 && !(blind >> j & 1);
    }
    return count;
}

static size_t assert_counts(const Scene *scene, unsigned blind) {
    size_t checked = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        const int count = expected(scene, i, blind);
        if (count < 0)
            continue;
        assert_int_equal(counts[i], count);
        checked++;
    }
    return checked;
}

static void every_view_that_sees_the_point_agrees(void **state) {
    (void)state;
    Scene scene;
    AqmSurfaceModel *model;
    make(&scene, &model);
    AqmFusionOptions options = aqm_fusion_options_default();
    options.depth_tolerance_m = 0.0008;
    count_views(&scene, &options);
    assert_true(assert_counts(&scene, 0) > PIXELS * 3 / 4);
    drop(&scene, &model);
}

static void a_view_beyond_the_tolerance_does_not_vote(void **state) {
    (void)state;
    Scene scene;
    AqmSurfaceModel *model;
    make(&scene, &model);
    AqmFusionOptions options = aqm_fusion_options_default();
    for (size_t i = 0; i < PIXELS; i++) {
        scene.maps[1]->depth_m[i] += 0.0052f; /* farther than 5 mm */
        scene.maps[2]->depth_m[i] -= 0.0048f; /* nearer, but within it */
        scene.maps[3]->depth_m[i] -= 0.0500f; /* something stands before it */
    }
    count_views(&scene, &options);
    assert_true(assert_counts(&scene, 1u << 1 | 1u << 3) > PIXELS * 3 / 4);
    drop(&scene, &model);
}

static void unknown_and_doubtful_pixels_are_not_used(void **state) {
    (void)state;
    Scene scene;
    AqmSurfaceModel *model;
    make(&scene, &model);
    AqmFusionOptions options = aqm_fusion_options_default();
    for (size_t i = 0; i < PIXELS; i++) {
        scene.maps[1]->depth_m[i] = NAN;
        scene.maps[2]->confidence[i] = 0.09f;
    }
    count_views(&scene, &options);
    assert_true(assert_counts(&scene, 1u << 1 | 1u << 2) > PIXELS * 3 / 4);
    scene.maps[0]->depth_m[77] = NAN;
    scene.maps[0]->confidence[78] = 0.09f;
    count_views(&scene, &options);
    assert_int_equal(counts[77], 0);
    assert_int_equal(counts[78], 0);
    options.min_confidence = 0.05;
    count_views(&scene, &options);
    assert_true(counts[78] > 0);
    drop(&scene, &model);
}

/* A lone wrong or missing depth must not silence its neighbours: they are read nearest there. */
static void a_pixel_beside_a_hole_still_votes(void **state) {
    (void)state;
    Scene scene;
    AqmSurfaceModel *model;
    make(&scene, &model);
    AqmFusionOptions options = aqm_fusion_options_default();
    for (size_t i = 0; i < PIXELS; i += 2)
        scene.maps[1]->depth_m[i] = i % 4 ? NAN : 1.0f; /* every second column */
    count_views(&scene, &options);
    size_t votes = 0, seen = 0;
    Scene only_two = scene;
    only_two.count = 2;
    count_views(&only_two, &options);
    for (size_t i = 0; i < PIXELS; i++) {
        const int count = expected(&only_two, i, 0);
        seen += count == 2;
        votes += count == 2 && counts[i] == 2;
    }
    const double share = (double)votes / (double)seen;
    assert_true(seen > PIXELS / 2);
    assert_true(share > 0.45 && share < 0.55);
    drop(&scene, &model);
}

static void agreement_counts_the_pixels_of_all_views(void **state) {
    (void)state;
    Scene scene;
    AqmSurfaceModel *model;
    make(&scene, &model);
    AqmFusionOptions options = aqm_fusion_options_default();
    for (size_t i = 0; i < PIXELS; i++) {
        scene.maps[1]->depth_m[i] += 0.05f;
        scene.maps[3]->depth_m[i] = i % 2 ? NAN : scene.maps[3]->depth_m[i];
    }
    for (int needed = 1; needed <= 4; needed++) {
        size_t expected_depths = 0, expected_agreed = 0, depths = 0, agreed = 0;
        for (size_t k = 0; k < scene.count; k++) {
            assert_int_equal(
                aqm_fusion_consistency(scene.fusion, scene.count, k, &options, counts, NULL),
                AQM_OK);
            for (size_t i = 0; i < PIXELS; i++) {
                expected_depths += counts[i] > 0;
                expected_agreed += counts[i] >= needed;
            }
        }
        assert_int_equal(aqm_fusion_agreement(scene.fusion, scene.count, needed, &options, &depths,
                                              &agreed, NULL),
                         AQM_OK);
        assert_int_equal(depths, expected_depths);
        assert_int_equal(agreed, expected_agreed);
        assert_true(needed < 4 ? agreed > 0 : agreed == 0);
    }
    drop(&scene, &model);
}

static void options_are_validated(void **state) {
    (void)state;
    const AqmFusionOptions good = aqm_fusion_options_default();
    assert_int_equal(aqm_fusion_options_validate(&good, NULL), AQM_OK);
    AqmFusionOptions bad[7] = {good, good, good, good, good, good, good};
    static const char *const names[7] = {
        "min_consistent_views", "depth_tolerance",   "min_confidence", "voxel_size",
        "outlier_nb_neighbors", "outlier_std_ratio", "threads"};
    bad[0].min_consistent_views = 0;
    bad[1].depth_tolerance_m = NAN;
    bad[2].min_confidence = 1.5;
    bad[3].voxel_size_m = -0.001;
    bad[4].outlier_nb_neighbors = 0;
    bad[5].outlier_std_ratio = 0.0;
    bad[6].threads = -1;
    for (int i = 0; i < 7; i++) {
        AqmDiag diag = {0};
        assert_int_equal(aqm_fusion_options_validate(&bad[i], &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, names[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_view_that_sees_the_point_agrees),
        cmocka_unit_test(a_view_beyond_the_tolerance_does_not_vote),
        cmocka_unit_test(unknown_and_doubtful_pixels_are_not_used),
        cmocka_unit_test(a_pixel_beside_a_hole_still_votes),
        cmocka_unit_test(agreement_counts_the_pixels_of_all_views),
        cmocka_unit_test(options_are_validated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
