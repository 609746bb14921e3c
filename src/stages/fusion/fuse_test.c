#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "math/stats.h"
#include "stages/fusion/fusion_scene.h"

enum { WIDTH = 320, HEIGHT = 240 };
static const double FOCAL = 1000.0;

static AqmCloud *fuse(const Scene *scene, const AqmFusionOptions *options) {
    AqmCloud *cloud = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_fuse(scene->fusion, scene->count, options, &cloud, &diag), AQM_OK);
    return cloud;
}

static double point_distance(const AqmCloud *cloud, size_t i, const AqmSurfaceModel *model) {
    const float *p = cloud->position + 3 * i;
    return aqm_surface_distance(model, (const double[3]){p[0], p[1], p[2]});
}

/* Over the points with exactly `views` views (0 = all), in mm. */
static double rms_mm(const AqmCloud *cloud, const AqmSurfaceModel *model, int views, double *mean,
                     size_t *count) {
    double sum = 0.0, squares = 0.0;
    *count = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        if (views && cloud->views[i] != views)
            continue;
        const double e = 1000.0 * point_distance(cloud, i, model);
        sum += e, squares += e * e;
        ++*count;
    }
    *mean = sum / (double)*count;
    return sqrt(squares / (double)*count);
}

static void exact_maps_fuse_to_the_surface(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.05, 0.1);
    Scene scene;
    scene_make(&scene, 5, WIDTH, HEIGHT, FOCAL, model);
    AqmFusionOptions options = aqm_fusion_options_default();
    options.voxel_size_m = 0.0002; /* finer than the pixels: hardly any averaging */
    AqmCloud *cloud = fuse(&scene, &options);
    size_t count;
    double mean;
    const double rms = rms_mm(cloud, model, 0, &mean, &count);
    print_message("exact maps: rms %.4f mm, mean %.4f mm, %zu points\n", rms, mean, count);
    assert_true(count > 150000);
    /* a bilinear patch sags 0.04 mm at a crest: 1.4 mm^2 / 8 * 79 / m, on 4 of 5 views; half a
     * pixel would be 0.2 mm */
    assert_true(rms < 0.02);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void noise_falls_with_the_root_of_the_views(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.1, 0.05);
    Scene scene;
    scene_make(&scene, 5, WIDTH, HEIGHT, FOCAL, model);
    const double sigma_mm = 0.45;
    for (size_t i = 0; i < scene.count; i++)
        scene_add_smooth_noise(&scene, i, 0.001 * sigma_mm);
    AqmFusionOptions options = aqm_fusion_options_default();
    options.voxel_size_m = 0.0002;
    AqmCloud *cloud = fuse(&scene, &options);
    for (int views = 3; views <= 5; views++) {
        size_t count;
        double mean;
        const double rms = rms_mm(cloud, model, views, &mean, &count);
        print_message("%d views: rms %.3f mm of %.3f, %zu points\n", views, rms,
                      sigma_mm / sqrt(views), count);
        assert_true(count > 5000);
        assert_true(rms < 1.1 * sigma_mm / sqrt(views));
        assert_true(fabs(mean) < 0.05);
    }
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void independent_pixels_average_further(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.1, 0.05);
    Scene scene;
    scene_make(&scene, 5, WIDTH, HEIGHT, FOCAL, model);
    for (size_t i = 0; i < scene.count; i++) {
        AqmRng rng = aqm_rng(3, i);
        for (size_t k = 0; k < (size_t)WIDTH * HEIGHT; k++)
            scene.maps[i]->depth_m[k] += (float)(0.00045 * aqm_rng_normal(&rng));
    }
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = fuse(&scene, &options);
    size_t count;
    double mean;
    const double rms = rms_mm(cloud, model, 5, &mean, &count);
    print_message("5 views, white noise, 1 mm voxels: rms %.3f mm, %zu points\n", rms, count);
    assert_true(count > 5000);
    assert_true(rms < 0.45 / sqrt(5.0));
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

/* Each view measures a parallel plane of its own; equal weights must meet at the mean plane, which
 * on a steep one holds only if what a view says is carried over to the reference's ray rightly. */
static void views_of_a_steep_plane_meet_in_the_middle(void **state) {
    (void)state;
    static const double offsets[4] = {0.0010, -0.0006, 0.0002, -0.0001};
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.7);
    Scene scene;
    scene_make(&scene, 4, WIDTH, HEIGHT, FOCAL, model);
    double middle = 0.0;
    for (size_t i = 0; i < 4; i++) {
        model->terms[0].plane.z0 = 1.2 + offsets[i];
        scene_measure(&scene, i, model);
        middle += offsets[i] / 4.0;
    }
    model->terms[0].plane.z0 = 1.2 + middle;
    AqmFusionOptions options = aqm_fusion_options_default();
    options.depth_tolerance_m = 0.02; /* so wide that Tukey's weights are nearly equal */
    options.voxel_size_m = 0.0002;
    AqmCloud *cloud = fuse(&scene, &options);
    size_t count;
    double mean;
    const double rms = rms_mm(cloud, model, 4, &mean, &count);
    print_message("steep plane: rms %.4f mm, mean %.4f mm, %zu points\n", rms, mean, count);
    assert_true(count > 50000);
    assert_true(rms < 0.02);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void one_view_off_by_nearly_the_tolerance_does_not_drag(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.003, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 5, WIDTH, HEIGHT, FOCAL, model);
    for (size_t i = 0; i < scene.count; i++)
        scene_add_smooth_noise(&scene, i, 0.0003);
    for (size_t k = 0; k < (size_t)WIDTH * HEIGHT; k++)
        scene.maps[2]->depth_m[k] += 0.004f;
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 4;
    AqmCloud *cloud = fuse(&scene, &options);
    size_t count;
    double mean;
    const double rms = rms_mm(cloud, model, 0, &mean, &count);
    print_message("one view 4 mm off: mean %.3f mm, rms %.3f mm, %zu points\n", mean, rms, count);
    assert_true(count > 20000);
    assert_true(fabs(mean) < 0.1 && rms < 0.25); /* the plain mean is off by 0.8 mm */
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void normals_are_those_of_the_surface(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.08, 0.3);
    Scene scene;
    scene_make(&scene, 4, WIDTH, HEIGHT, FOCAL, model);
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = fuse(&scene, &options);
    double *angles = calloc(cloud->count, sizeof *angles);
    for (size_t i = 0; i < cloud->count; i++) {
        double slopes[2];
        const float *p = cloud->position + 3 * i, *n = cloud->normal + 3 * i;
        aqm_surface_gradient(model, p[0], p[1], slopes);
        const double length = sqrt(1.0 + slopes[0] * slopes[0] + slopes[1] * slopes[1]);
        const double cosine = (n[0] * slopes[0] + n[1] * slopes[1] - n[2]) / length;
        angles[i] = 57.29578 * acos(fmin(cosine, 1.0));
        assert_true(fabs(aqm_norm3((const double[3]){n[0], n[1], n[2]}) - 1.0) < 1e-5);
    }
    const double median = aqm_percentile_f64(angles, cloud->count, 50.0);
    const double p99 = aqm_percentile_f64(angles, cloud->count, 99.0);
    print_message("normals off by %.2f degrees (median), %.2f (p99)\n", median, p99);
    /* differences over +-3.5 mm flatten a slope of 21 degrees by (k 3.5 mm)^2 / 6 = 1.3 % */
    assert_true(median < 0.3 && p99 < 2.0); /* one-sided at the borders of the maps */
    free(angles);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

/* ---- standard deviations --------------------------------------------------------------------- */

static void set_sigma(Scene *scene, size_t index, float sigma_m) {
    for (size_t k = 0; k < (size_t)WIDTH * HEIGHT; k++)
        scene->maps[index]->sigma_m[k] = sigma_m;
}

static void sigma_is_that_of_the_views_along_the_normal(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.7); /* steep: 35 degrees */
    Scene scene;
    scene_make(&scene, 5, WIDTH, HEIGHT, FOCAL, model);
    for (size_t i = 0; i < scene.count; i++)
        set_sigma(&scene, i, 0.0004f);
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 5;
    AqmCloud *cloud = fuse(&scene, &options);
    double sum = 0.0;
    for (size_t i = 0; i < cloud->count; i++)
        sum += (double)cloud->sigma_m[i] / (double)cloud->count;
    /* five on a ring: 4 / 7 of the variance; the rays meet the plane at about 35 degrees */
    const double expected = 0.0004 * sqrt(4.0 / 7.0) * cos(0.61);
    print_message("sigma %.4f mm, expected about %.4f\n", 1000.0 * sum, 1000.0 * expected);
    assert_true(cloud->count > 20000);
    assert_true(fabs(sum / expected - 1.0) < 0.1);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void unknown_sigmas_stay_unknown(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 4, WIDTH, HEIGHT, FOCAL, model);
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = fuse(&scene, &options); /* scene_make sets none */
    for (size_t i = 0; i < cloud->count; i++)
        assert_true(isnan(cloud->sigma_m[i]));
    aqm_cloud_destroy(&cloud);
    set_sigma(&scene, 1, 0.0003f);
    cloud = fuse(&scene, &options); /* the others' are what the tolerance says: 2.9 mm and more */
    for (size_t i = 0; i < cloud->count; i++)
        assert_true(cloud->sigma_m[i] > 0.0001f && cloud->sigma_m[i] < 0.005f);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

/* One view is 1 mm off and says that it may be: the plain mean is off by 0.25 mm. */
static void uncertain_views_count_less(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 4, WIDTH, HEIGHT, FOCAL, model);
    for (size_t i = 0; i < scene.count; i++)
        set_sigma(&scene, i, i == 2 ? 0.002f : 0.0002f);
    for (size_t k = 0; k < (size_t)WIDTH * HEIGHT; k++)
        scene.maps[2]->depth_m[k] += 0.0009f; /* less than needs robust weights */
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 4;
    AqmCloud *cloud = fuse(&scene, &options);
    size_t count;
    double mean;
    const double rms = rms_mm(cloud, model, 4, &mean, &count);
    print_message("an uncertain view 0.9 mm off: rms %.4f mm\n", rms);
    assert_true(count > 20000);
    assert_true(rms < 0.09); /* some points have that view as their reference: half and half */
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void each_voxel_holds_one_point(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.1, 0.2);
    Scene scene;
    scene_make(&scene, 8, WIDTH, HEIGHT, FOCAL, model); /* 614 k points: more than one run */
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 1;
    options.voxel_size_m = 0.0005;
    AqmCloud *cloud = fuse(&scene, &options);
    assert_true(cloud->count > 150000 && cloud->count < 500000);
    long last[3] = {0, INT32_MIN, 0};
    for (size_t i = 0; i < cloud->count; i++) {
        long at[3];
        for (int k = 0; k < 3; k++)
            at[k] = (long)floor((double)cloud->position[3 * i + k] / options.voxel_size_m);
        /* strictly ascending in Y, X, Z: no voxel comes twice */
        const bool after = at[1] != last[1]   ? at[1] > last[1]
                           : at[0] != last[0] ? at[0] > last[0]
                                              : at[2] > last[2];
        assert_true(after);
        memcpy(last, at, sizeof last);
    }
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static bool same_clouds(const AqmCloud *a, const AqmCloud *b) {
    return a->count == b->count &&
           !memcmp(a->position, b->position, a->count * 3 * sizeof(float)) &&
           !memcmp(a->normal, b->normal, a->count * 3 * sizeof(float)) &&
           !memcmp(a->color, b->color, a->count * 3) &&
           !memcmp(a->confidence, b->confidence, a->count * sizeof(float)) &&
           !memcmp(a->sigma_m, b->sigma_m, a->count * sizeof(float)) &&
           !memcmp(a->views, b->views, a->count);
}

static void any_number_of_threads_gives_the_same_bytes(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.005, 0.1, 0.2);
    Scene scene;
    scene_make(&scene, 8, WIDTH, HEIGHT, FOCAL, model);
    for (size_t i = 0; i < scene.count; i++)
        scene_add_smooth_noise(&scene, i, 0.0005);
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 1;
    options.threads = 1;
    AqmCloud *one = fuse(&scene, &options);
    for (options.threads = 2; options.threads <= 4; options.threads += 2) {
        AqmCloud *more = fuse(&scene, &options);
        assert_true(same_clouds(one, more));
        aqm_cloud_destroy(&more);
    }
    aqm_cloud_destroy(&one);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void colors_and_confidence_come_from_the_pixels(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 2, 64, 48, FOCAL, model);
    for (size_t i = 0; i < 2; i++) {
        aqm_image_destroy(&scene.images[i]);
        assert_int_equal(aqm_image_create(&scene.images[i], 64, 48, 3, AQM_U16, NULL), AQM_OK);
        scene.colors[i] = aqm_image_view(scene.images[i]);
        scene.fusion[i].full_scale = 4095.0;
        uint16_t *sample = scene.images[i]->data;
        for (size_t k = 0; k < (size_t)64 * 48; k++) {
            sample[3 * k] = 819, sample[3 * k + 1] = 4095, sample[3 * k + 2] = 5000;
            scene.maps[i]->confidence[k] = 0.6f;
        }
    }
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 2;
    AqmCloud *cloud = fuse(&scene, &options);
    assert_true(cloud->count > 500);
    for (size_t i = 0; i < cloud->count; i++) {
        assert_int_equal(cloud->color[3 * i], 51);
        assert_int_equal(cloud->color[3 * i + 1], 255);
        assert_int_equal(cloud->color[3 * i + 2], 255); /* over white: held at white */
        assert_true(fabsf(cloud->confidence[i] - 0.6f) < 1e-6f);
        assert_int_equal(cloud->views[i], 2);
    }
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void absurd_depths_do_no_harm(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 2, 64, 48, FOCAL, model);
    static const float absurd[] = {1e-30f, 5e3f, 1e12f, 3e38f, INFINITY, -1.0f, 0.0f};
    for (size_t i = 0; i < 7; i++)
        scene.maps[0]->depth_m[1000 + i] = absurd[i];
    AqmFusionOptions options = aqm_fusion_options_default();
    options.min_consistent_views = 1;
    AqmCloud *cloud = fuse(&scene, &options);
    for (size_t i = 0; i < 3 * cloud->count; i++)
        assert_true(isfinite(cloud->position[i]));
    aqm_cloud_destroy(&cloud);
    options.min_consistent_views = 2;
    cloud = fuse(&scene, &options);
    for (size_t i = 0; i < cloud->count; i++)
        assert_true(fabs(point_distance(cloud, i, model)) < 3e-4);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void nothing_to_fuse_is_an_empty_cloud(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 2, 64, 48, FOCAL, model);
    AqmFusionOptions options = aqm_fusion_options_default();
    AqmCloud *cloud = fuse(&scene, &options); /* two views cannot be three */
    assert_int_equal(cloud->count, 0);
    aqm_cloud_destroy(&cloud);
    assert_int_equal(aqm_fuse(NULL, 0, &options, &cloud, NULL), AQM_OK);
    assert_int_equal(cloud->count, 0);
    aqm_cloud_destroy(&cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void wrong_input_is_refused_with_a_sentence(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 2, 64, 48, FOCAL, model);
    AqmCloud *cloud = NULL;
    AqmDiag diag = {0};
    AqmFusionOptions options = aqm_fusion_options_default();
    options.voxel_size_m = 0.0;
    assert_int_equal(aqm_fuse(scene.fusion, 2, &options, &cloud, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "voxel_size is 0 m"));
    options = aqm_fusion_options_default();
    scene.colors[1].width = 63;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_fuse(scene.fusion, 2, &options, &cloud, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "view 1"));
    assert_null(cloud);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmSurfaceModel *model = scene_wave(0.0, 0.1, 0.0);
    Scene scene;
    scene_make(&scene, 3, 64, 48, FOCAL, model);
    AqmFusionOptions options = aqm_fusion_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmCloud *cloud = NULL;
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_fuse(scene.fusion, 3, &options, &cloud, &diag);
        aqm_alloc_fail_from(0);
        if (status == AQM_OK) {
            aqm_cloud_destroy(&cloud);
            break;
        }
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(diag.status, AQM_ERROR_MEMORY);
        assert_null(cloud);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_int_equal(aqm_alloc_count().live_bytes, before);
    assert_true(n > 15);
    scene_free(&scene);
    aqm_surface_model_destroy(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_maps_fuse_to_the_surface),
        cmocka_unit_test(noise_falls_with_the_root_of_the_views),
        cmocka_unit_test(independent_pixels_average_further),
        cmocka_unit_test(views_of_a_steep_plane_meet_in_the_middle),
        cmocka_unit_test(one_view_off_by_nearly_the_tolerance_does_not_drag),
        cmocka_unit_test(normals_are_those_of_the_surface),
        cmocka_unit_test(sigma_is_that_of_the_views_along_the_normal),
        cmocka_unit_test(unknown_sigmas_stay_unknown),
        cmocka_unit_test(uncertain_views_count_less),
        cmocka_unit_test(each_voxel_holds_one_point),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(colors_and_confidence_come_from_the_pixels),
        cmocka_unit_test(absurd_depths_do_no_harm),
        cmocka_unit_test(nothing_to_fuse_is_an_empty_cloud),
        cmocka_unit_test(wrong_input_is_refused_with_a_sentence),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
