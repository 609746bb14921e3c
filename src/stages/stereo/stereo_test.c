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

enum { WIDTH = 200, HEIGHT = 150, VIEWS = 4 };
static const double water_z = 0.6, bed_z = 0.8;

typedef struct Scene {
    double n, amplitude_m, wavelength_m;
    AqmView views[VIEWS];
    AqmImage *images[VIEWS];
    AqmStereoImage *stereo_images[VIEWS];
    AqmStereoView stereo[VIEWS];
    float *truth; /* ray depth of view 0 */
} Scene;

static double surface_z(const Scene *scene, double x) {
    return bed_z + scene->amplitude_m * sin(6.283185307179586 * x / scene->wavelength_m);
}

/* Sand: smooth value noise in three octaves, 0..1, from a hash of the lattice. */
static double lattice(int x, int y, int octave) {
    uint32_t h =
        (uint32_t)x * 374761393u + (uint32_t)y * 668265263u + (uint32_t)octave * 2246822519u;
    h = (h ^ (h >> 13)) * 1274126177u;
    return (double)((h ^ (h >> 16)) & 0xffff) / 65535.0;
}

static double texture(double x, double y) {
    double sum = 0.0;
    for (int octave = 0; octave < 3; octave++) {
        const double cell = 0.007 * (1 << octave), gx = x / cell, gy = y / cell;
        const int ix = (int)floor(gx), iy = (int)floor(gy);
        double a = gx - ix, b = gy - iy;
        a = a * a * (3 - 2 * a), b = b * b * (3 - 2 * b);
        sum += (1 - b) * ((1 - a) * lattice(ix, iy, octave) + a * lattice(ix + 1, iy, octave)) +
               b * ((1 - a) * lattice(ix, iy + 1, octave) + a * lattice(ix + 1, iy + 1, octave));
    }
    return sum / 3.0;
}

/* The ray depth at which pixel (u, v) meets the surface, by fixed-point iteration (gentle slopes).
 */
static double hit(const Scene *scene, const AqmView *view, double u, double v, double point[3]) {
    AqmRay ray;
    assert_true(aqm_view_cast(view, u, v, &ray));
    double s = (bed_z - water_z) / ray.direction[2];
    for (int step = 0; step < 12 && scene->amplitude_m > 0.0; step++) /* slope 0.25: 4^-12 m */
        s = (surface_z(scene, ray.origin[0] + s * ray.direction[0]) - water_z) / ray.direction[2];
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + s * ray.direction[i];
    return s;
}

static void place(Scene *scene, int k) {
    static const double x[VIEWS] = {-0.05, 0.13, 0.0, -0.2}, y[VIEWS] = {0.0, 0.03, 0.16, -0.07};
    AqmRig *rig = NULL;
    assert_int_equal(aqm_rig_create(&rig, 1, NULL), AQM_OK);
    rig->water_z = water_z;
    rig->n_water = scene->n;
    AqmCamera *camera = &rig->cameras[0];
    const double tilt = 0.05 * (k - 1), c = cos(tilt), s = sin(tilt);
    const double R[9] = {c, 0, -s, 0, 1, 0, s, 0, c}, C[3] = {x[k], y[k], 0.01 * k};
    const double K[9] = {200, 0, 99.2 + k, 0, 201, 74.1, 0, 0, 1};
    *camera = (AqmCamera){.width = WIDTH, .height = HEIGHT};
    memcpy(camera->K, K, sizeof K);
    memcpy(camera->R, R, sizeof R);
    for (int i = 0; i < 3; i++)
        camera->t[i] = -(R[3 * i] * C[0] + R[3 * i + 1] * C[1] + R[3 * i + 2] * C[2]);
    assert_int_equal(aqm_view_create(&scene->views[k], rig, 0, K, NULL), AQM_OK);
    aqm_rig_destroy(&rig);
}

static void render(Scene *scene, int k) {
    assert_int_equal(aqm_image_create(&scene->images[k], WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    AqmRng rng = aqm_rng(11, (uint64_t)k);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            double level = aqm_rng_normal(&rng), point[3];
            for (int sub = 0; sub < 4; sub++) { /* a pixel is an area */
                const double s = hit(scene, &scene->views[k], u + 0.5 * (sub & 1) - 0.25,
                                     v + 0.25 * (sub & 2) - 0.25, point);
                (void)s;
                level += 0.25 * (40.0 + 160.0 * texture(point[0], point[1]));
            }
            ((uint8_t *)scene->images[k]->data)[v * WIDTH + u] = (uint8_t)(level + 0.5);
        }
}

static void prepare(Scene *scene, int k, const AqmImageView *mask) {
    const AqmImageView image = aqm_image_view(scene->images[k]);
    aqm_stereo_image_destroy(&scene->stereo_images[k]);
    assert_int_equal(aqm_stereo_image_create(&scene->stereo_images[k], &image, mask, 255, NULL),
                     AQM_OK);
    scene->stereo[k] = (AqmStereoView){&scene->views[k], scene->stereo_images[k], false};
}

static Scene *scene_create(double n, double amplitude_m, double wavelength_m) {
    Scene *scene = calloc(1, sizeof *scene);
    *scene = (Scene){.n = n, .amplitude_m = amplitude_m, .wavelength_m = wavelength_m};
    for (int k = 0; k < VIEWS; k++) {
        place(scene, k);
        render(scene, k);
        prepare(scene, k, NULL);
    }
    scene->truth = calloc(WIDTH * HEIGHT, sizeof *scene->truth);
    double point[3];
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        scene->truth[p] = (float)hit(scene, &scene->views[0], p % WIDTH, p / WIDTH, point);
    return scene;
}

static void scene_free(Scene *scene) {
    for (int k = 0; k < VIEWS; k++) {
        aqm_image_destroy(&scene->images[k]);
        aqm_stereo_image_destroy(&scene->stereo_images[k]);
    }
    free(scene->truth);
    free(scene);
}

static AqmDepthMap *estimate(const Scene *scene, const AqmStereoOptions *options) {
    const size_t sources[3] = {1, 2, 3};
    const AqmDepthRange range = {0.15, 0.3};
    AqmDepthMap *map = NULL;
    AqmDiag diag = {0};
    assert_int_equal(
        aqm_stereo_estimate(scene->stereo, VIEWS, 0, sources, 3, 0, &range, options, &map, &diag),
        AQM_OK);
    return map;
}

typedef struct Errors {
    double valid, median_mm, p95_mm, bias_mm;
} Errors;

static Errors errors_of(const Scene *scene, const AqmDepthMap *map) {
    static double e[WIDTH * HEIGHT];
    size_t n = 0;
    double sum = 0.0;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        if (!isnan(map->depth_m[p])) {
            const double error = 1000.0 * (double)(map->depth_m[p] - scene->truth[p]);
            sum += fabs(error) < 5.0 ? error : 0.0;
            e[n++] = fabs(error);
        }
    const Errors errors = {(double)n / (WIDTH * HEIGHT), aqm_percentile_f64(e, n, 50),
                           aqm_percentile_f64(e, n, 95), sum / (double)n};
    return errors;
}

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

static AqmStereoOptions small_options(void) {
    AqmStereoOptions options = aqm_stereo_options_default();
    options.num_depths = 48;
    return options;
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

/* Scores of the variants agree to 2e-6 (kernels.h); a depth may differ by more only where two
 * maxima are equal to within that. */
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

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmStereoOptions options = small_options();
    options.num_depths = 8;
    options.threads = 1;
    const size_t sources[1] = {1}, before = aqm_alloc_count().live_bytes;
    const AqmDepthRange range = {0.19, 0.21};
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
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
