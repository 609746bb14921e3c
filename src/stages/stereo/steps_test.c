/* A step of a disparity map that lies beside the edge of the image moves there; nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "math/rng.h"
#include "stages/stereo/steps.h"

enum { WIDTH = 120, HEIGHT = 60, EDGE = 60, GROWN = 2 };

typedef struct Scene {
    AqmStereoImage *image;
    float map[WIDTH * HEIGHT], confidence[WIDTH * HEIGHT];
} Scene;

/* Left of EDGE a textured foreground of 40 px, right of it a blank background of 30 px; the map has
 * the foreground grown by GROWN pixels. `bar`: a bar of 3 px of the foreground, dark, at x = 90. */
static Scene make_scene(bool is_level) {
    Scene scene = {0};
    uint8_t gray[WIDTH * HEIGHT];
    AqmRng rng = aqm_rng(5, 0);
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const int x = k % WIDTH;
        const bool is_bar = x >= 90 && x < 93;
        const double level = is_bar ? 20.0 : x < EDGE ? 90.0 : 160.0;
        gray[k] = (uint8_t)(level + (x < EDGE ? 12.0 : 1.0) * aqm_rng_normal(&rng));
        scene.map[k] = x < EDGE + GROWN || is_bar ? 40.0f : 30.0f;
        if (is_level)
            scene.map[k] = 30.0f + 0.3f * (float)x;
        scene.confidence[k] = 0.5f;
        scene.map[k] += (float)(0.05 * aqm_rng_normal(&rng));
    }
    const AqmImageView view = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, gray};
    assert_int_equal(aqm_stereo_image_create(&scene.image, &view, NULL, 255.0, NULL), AQM_OK);
    return scene;
}

static const AqmStepRules rules = {1.0f, 0.2f};

static int wrong_pixels(const float *map) {
    int wrong = 0;
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const int x = k % WIDTH;
        const float truth = x < EDGE || (x >= 90 && x < 93) ? 40.0f : 30.0f;
        wrong += fabsf(map[k] - truth) > 0.5f;
    }
    return wrong;
}

static void a_step_moves_to_the_edge_and_a_thin_bar_stays(void **state) {
    (void)state;
    Scene scene = make_scene(false);
    assert_int_equal(wrong_pixels(scene.map), GROWN * HEIGHT);
    assert_int_equal(aqm_align_steps(scene.image, scene.confidence, &rules, scene.map, 2, NULL),
                     AQM_OK);
    print_message("%d of %d pixels on the wrong side\n", wrong_pixels(scene.map), GROWN * HEIGHT);
    assert_true(wrong_pixels(scene.map) <
                HEIGHT * 11 / 10); /* a pixel from the edge is near enough */
    aqm_stereo_image_destroy(&scene.image);
}

static void a_surface_without_steps_stays_as_it_was(void **state) {
    (void)state;
    Scene scene = make_scene(true);
    scene.map[700] = NAN;
    float before[WIDTH * HEIGHT];
    memcpy(before, scene.map, sizeof before);
    assert_int_equal(aqm_align_steps(scene.image, scene.confidence, &rules, scene.map, 1, NULL),
                     AQM_OK);
    assert_memory_equal(before, scene.map, sizeof before);
    aqm_stereo_image_destroy(&scene.image);
}

/* Disparities that rise by more than a step's height from pixel to pixel, across the image's edge.
 */
static void a_steep_slope_stays_as_it_was(void **state) {
    (void)state;
    Scene scene = make_scene(true);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        scene.map[k] = 30.0f + 1.2f * (float)(k % WIDTH);
    float before[WIDTH * HEIGHT];
    memcpy(before, scene.map, sizeof before);
    assert_int_equal(aqm_align_steps(scene.image, scene.confidence, &rules, scene.map, 1, NULL),
                     AQM_OK);
    assert_memory_equal(before, scene.map, sizeof before);
    aqm_stereo_image_destroy(&scene.image);
}

/* The scene with a red foreground beside a green background, equally bright, and a rim of `grown`
 * pixels, as sure as `rim_confidence`; `channels` 1: as a gray camera sees it. Returns the pixels
 * on the wrong side. */
static int wrong_in_colour(int channels, int grown, float rim_share, float rim_confidence) {
    Scene scene = make_scene(false);
    uint8_t pixels[WIDTH * HEIGHT * 3];
    AqmRng rng = aqm_rng(6, 0);
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const bool is_red = k % WIDTH < EDGE;
        const double level = 100.0 + 2.0 * aqm_rng_normal(&rng);
        const double color[3] = {is_red ? 1.4 : 0.6, is_red ? 0.7956 : 1.2044, 1.0};
        for (int c = 0; c < channels; c++)
            pixels[k * channels + c] = (uint8_t)(level * (channels == 3 ? color[c] : 1.0) + 0.5);
        scene.map[k] = k % WIDTH < EDGE + grown ? 40.0f : 30.0f;
        if (k % WIDTH >= EDGE && k % WIDTH < EDGE + grown)
            scene.confidence[k] = rim_confidence;
    }
    const size_t stride = (size_t)(WIDTH * channels);
    const AqmImageView view = {WIDTH, HEIGHT, channels, AQM_U8, stride, pixels};
    aqm_stereo_image_destroy(&scene.image);
    assert_int_equal(aqm_stereo_image_create(&scene.image, &view, NULL, 255.0, NULL), AQM_OK);
    const AqmStepRules own = {1.0f, rim_share};
    assert_int_equal(aqm_align_steps(scene.image, scene.confidence, &own, scene.map, 1, NULL),
                     AQM_OK);
    int wrong = 0;
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        wrong += fabsf(scene.map[k] - (k % WIDTH < EDGE ? 40.0f : 30.0f)) > 0.5f;
    aqm_stereo_image_destroy(&scene.image);
    return wrong;
}

static void sides_are_told_apart_by_colour_alone(void **state) {
    (void)state;
    const int color = wrong_in_colour(3, GROWN, 0.2f, 0.5f),
              gray = wrong_in_colour(1, GROWN, 0.2f, 0.5f);
    print_message("%d pixels on the wrong side in colour, %d in gray\n", color, gray);
    assert_int_equal(color, 0);
    assert_true(gray >= HEIGHT);
}

static void a_grown_rim_does_not_confirm_itself(void **state) {
    (void)state;
    const int doubted = wrong_in_colour(3, 3, 0.2f, 0.5f),
              trusted = wrong_in_colour(3, 3, 1.0f, 0.5f);
    print_message("%d pixels of a rim are left where it is doubted, %d else\n", doubted, trusted);
    assert_int_equal(doubted, 0);
    assert_true(trusted > HEIGHT);
}

static void what_is_hardly_believed_has_little_say(void **state) {
    (void)state;
    const int sure = wrong_in_colour(3, 5, 1.0f, 0.5f), unsure = wrong_in_colour(3, 5, 1.0f, 0.01f);
    print_message("%d pixels of a sure rim are left, %d of an unsure one\n", sure, unsure);
    assert_true(unsure < HEIGHT / 10);
    assert_true(sure > 2 * HEIGHT);
}

/* A disc of radius `radius` px around (x, y) becomes unknown. */
static void punch(Scene *scene, int x, int y, int radius) {
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        const int dx = k % WIDTH - x, dy = k / WIDTH - y;
        if (dx * dx + dy * dy > radius * radius)
            continue;
        scene->map[k] = k % 2 ? NAN : 77.0f;
        scene->confidence[k] = 0.0f;
    }
}

static void a_gap_takes_what_looks_alike(void **state) {
    (void)state;
    static float sigma[WIDTH * HEIGHT];
    Scene scene = make_scene(false);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        if (k % WIDTH >= EDGE && k % WIDTH < EDGE + GROWN)
            scene.map[k] = 30.0f; /* the step lies at the edge */
    float before[WIDTH * HEIGHT];
    memcpy(before, scene.map, sizeof before);
    punch(&scene, EDGE, 20, 4); /* 49 pixels of both sides */
    punch(&scene, 20, 40, 7);   /* 149 pixels: too large */
    const AqmMeasured measured = {scene.map, sigma, scene.confidence};
    assert_int_equal(aqm_fill_gaps(scene.image, 2.0f, &measured, 1, NULL), AQM_OK);
    int filled = 0, open = 0;
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        if (scene.confidence[k] == 0.5f) {
            assert_true(scene.map[k] == before[k]);
            assert_true(sigma[k] == 0.0f);
        } else if (scene.confidence[k] == 0.0f) {
            open++;
        } else {
            filled++;
            assert_true(fabsf(scene.map[k] - (k % WIDTH < EDGE ? 40.0f : 30.0f)) < 0.3f);
            assert_float_equal(sigma[k], 2.0f, 0.0f);
            assert_true(scene.confidence[k] < 0.1f);
        }
    }
    assert_int_equal(filled, 49);
    assert_int_equal(open, 149);
    aqm_stereo_image_destroy(&scene.image);
}

static void masked_pixels_and_maps_without_any_disparity_have_no_gaps(void **state) {
    (void)state;
    static float sigma[WIDTH * HEIGHT];
    Scene scene = make_scene(false);
    AqmMeasured measured = {scene.map, sigma, scene.confidence};
    punch(&scene, 30, 30, 3);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        if (scene.confidence[k] == 0.0f)
            scene.image->gray[k / WIDTH * scene.image->stride + k % WIDTH] = AQM_GRAY_MISSING;
    assert_int_equal(aqm_fill_gaps(scene.image, 1.0f, &measured, 1, NULL), AQM_OK);
    assert_true(scene.confidence[30 * WIDTH + 30] == 0.0f);
    memset(scene.confidence, 0, sizeof scene.confidence);
    assert_int_equal(aqm_fill_gaps(scene.image, 1.0f, &measured, 1, NULL), AQM_OK);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        assert_true(scene.confidence[k] == 0.0f);
    aqm_stereo_image_destroy(&scene.image);
}

static void gaps_are_the_same_for_any_threads_and_survive_failed_allocations(void **state) {
    (void)state;
    static float sigma[WIDTH * HEIGHT], untouched[WIDTH * HEIGHT];
    Scene one = make_scene(false), three = make_scene(false);
    for (int k = 0; k < 6; k++) {
        punch(&one, 10 + 19 * k, 10 + 7 * k, 2 + k % 3);
        punch(&three, 10 + 19 * k, 10 + 7 * k, 2 + k % 3);
    }
    const AqmMeasured a = {one.map, sigma, one.confidence};
    const AqmMeasured b = {three.map, sigma, three.confidence};
    memcpy(untouched, one.map, sizeof untouched);
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t n = 1; n < 5; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_fill_gaps(one.image, 1.0f, &a, 1, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_memory_equal(untouched, one.map, sizeof untouched);
    }
    assert_int_equal(aqm_fill_gaps(one.image, 1.0f, &a, 1, NULL), AQM_OK);
    assert_int_equal(aqm_fill_gaps(three.image, 1.0f, &b, 3, NULL), AQM_OK);
    assert_memory_equal(one.map, three.map, sizeof one.map);
    assert_true(memcmp(one.map, untouched, sizeof untouched) != 0);
    aqm_stereo_image_destroy(&one.image);
    aqm_stereo_image_destroy(&three.image);
}

static void threads_holes_and_failed_allocations_change_nothing_else(void **state) {
    (void)state;
    Scene one = make_scene(false), three = make_scene(false);
    for (int k = 0; k < WIDTH * HEIGHT; k += 37) {
        one.map[k] = three.map[k] = NAN;
        one.confidence[k + 1] = three.confidence[k + 1] = 0.0f;
    }
    const size_t before = aqm_alloc_count().live_bytes;
    float untouched[WIDTH * HEIGHT];
    memcpy(untouched, one.map, sizeof untouched);
    for (size_t n = 1; n < 5; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status =
            aqm_align_steps(one.image, one.confidence, &rules, one.map, 1, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_memory_equal(untouched, one.map, sizeof untouched);
    }
    assert_int_equal(aqm_align_steps(one.image, one.confidence, &rules, one.map, 1, NULL), AQM_OK);
    assert_int_equal(aqm_align_steps(three.image, three.confidence, &rules, three.map, 3, NULL),
                     AQM_OK);
    assert_memory_equal(one.map, three.map, sizeof one.map);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        if (isnan(untouched[k]))
            assert_true(isnan(one.map[k]));
        else if (one.confidence[k] == 0.0f)
            assert_true(one.map[k] == untouched[k]);
    aqm_stereo_image_destroy(&one.image);
    aqm_stereo_image_destroy(&three.image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_moves_to_the_edge_and_a_thin_bar_stays),
        cmocka_unit_test(a_surface_without_steps_stays_as_it_was),
        cmocka_unit_test(a_steep_slope_stays_as_it_was),
        cmocka_unit_test(sides_are_told_apart_by_colour_alone),
        cmocka_unit_test(a_grown_rim_does_not_confirm_itself),
        cmocka_unit_test(what_is_hardly_believed_has_little_say),
        cmocka_unit_test(a_gap_takes_what_looks_alike),
        cmocka_unit_test(masked_pixels_and_maps_without_any_disparity_have_no_gaps),
        cmocka_unit_test(gaps_are_the_same_for_any_threads_and_survive_failed_allocations),
        cmocka_unit_test(threads_holes_and_failed_allocations_change_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
