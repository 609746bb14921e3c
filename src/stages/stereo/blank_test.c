/* Blank patches of a textured image take the plane of what surrounds them, if it is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "math/rng.h"
#include "stages/stereo/blank.h"

enum { WIDTH = 150, HEIGHT = 140, PIXELS = WIDTH * HEIGHT, WINDOW = 7 };
enum { LEFT = 50, TOP = 40, SIDE = 40 }; /* the patch without texture */

typedef struct Scene {
    AqmStereoImage *image;
    float disparity[PIXELS], sigma[PIXELS], score[PIXELS], confidence[PIXELS];
    AqmRefined refined;
} Scene;

static bool in_patch(int k, int margin) {
    const int x = k % WIDTH - LEFT, y = k / WIDTH - TOP;
    return x >= margin && x < SIDE - margin && y >= margin && y < SIDE - margin;
}

static float truth_at(int k) {
    return 20.0f + 0.03f * (float)(k % WIDTH) - 0.02f * (float)(k / WIDTH);
}

/* Bumps of a dozen pixels, and a level of noise: what noise is must be told from texture. */
static uint8_t gray_at(int k, double contrast, AqmRng *rng) {
    const double x = k % WIDTH, y = k / WIDTH;
    return (uint8_t)(128.5 + contrast * sin(0.5 * x) * sin(0.4 * y) + aqm_rng_normal(rng));
}

/* A plane, measured to 0.1 px where there is texture; in the patch a guess, 2 px off and rough. The
 * patch has `contrast` levels of texture; whatever is 0 in `keep` (may be NULL) is missing. */
static void make_scene(Scene *scene, double contrast, const uint8_t *keep) {
    static uint8_t gray[PIXELS];
    AqmRng rng = aqm_rng(11, 0);
    for (int k = 0; k < PIXELS; k++) {
        const bool is_blank = in_patch(k, 0);
        gray[k] = gray_at(k, is_blank ? contrast : 30.0, &rng);
        scene->disparity[k] = truth_at(k) + (float)((is_blank ? 1.0 : 0.1) * aqm_rng_normal(&rng));
        scene->disparity[k] += is_blank ? 2.0f : 0.0f;
        scene->sigma[k] = is_blank ? 0.3f : 0.1f;
        scene->score[k] = 0.9f;
        scene->confidence[k] = is_blank ? 0.0f : 0.6f;
    }
    const AqmImageView view = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, gray};
    const AqmImageView mask = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, keep};
    const AqmStatus status =
        aqm_stereo_image_create(&scene->image, &view, keep ? &mask : NULL, 255.0, NULL);
    assert_int_equal(status, AQM_OK);
    scene->refined = (AqmRefined){scene->disparity, scene->sigma, scene->score};
}

static AqmStatus fill(Scene *scene, int threads) {
    return aqm_fill_blanks(scene->image, WINDOW, 1.0f, &scene->refined, scene->confidence, threads,
                           NULL);
}

/* The pixels that the call changed. */
static int changed(Scene *scene) {
    static float before[PIXELS];
    int count = 0;
    memcpy(before, scene->disparity, sizeof before);
    assert_int_equal(fill(scene, 2), AQM_OK);
    for (int k = 0; k < PIXELS; k++)
        count += memcmp(&before[k], &scene->disparity[k], sizeof(float)) != 0;
    return count;
}

static void a_patch_in_a_plane_takes_it(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 0.0, NULL);
    const int count = changed(&scene), inside = (SIDE - 6) * (SIDE - 6);
    float worst = 0.0f;
    for (int k = 0; k < PIXELS; k++)
        if (in_patch(k, 3)) {
            worst = fmaxf(worst, fabsf(scene.disparity[k] - truth_at(k)));
            assert_true(scene.sigma[k] > 0.05f && scene.sigma[k] < 0.15f);
            assert_float_equal(scene.confidence[k], 0.3f, 1e-3f);
        }
    print_message("%d pixels filled, off by at most %.3f px\n", count, (double)worst);
    assert_in_range(count, inside,
                    (SIDE - 4) * (SIDE - 4)); /* a window with texture is not blank */
    assert_true(worst < 0.04f);
    aqm_stereo_image_destroy(&scene.image);
}

static void texture_is_left_alone(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 12.0, NULL);
    assert_int_equal(changed(&scene), 0);
    aqm_stereo_image_destroy(&scene.image);
}

/* A pole in front of the patch covers a fifth of its edge. */
static void a_patch_beside_something_nearer_is_left_alone(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 0.0, NULL);
    for (int k = 0; k < PIXELS; k++)
        scene.disparity[k] += k % WIDTH >= LEFT + SIDE - 3 && !in_patch(k, 3) ? 3.0f : 0.0f;
    assert_int_equal(changed(&scene), 0);
    aqm_stereo_image_destroy(&scene.image);
}

/* The same where only a few pixels of the edge are off: they are outvoted. */
static void some_wrong_pixels_are_outvoted(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 0.0, NULL);
    for (int k = 0; k < PIXELS; k++)
        scene.disparity[k] += k % 19 == 0 && !in_patch(k, 3) ? 30.0f : 0.0f;
    assert_true(changed(&scene) >= (SIDE - 6) * (SIDE - 6));
    for (int k = 0; k < PIXELS; k++)
        if (in_patch(k, 3))
            assert_true(fabsf(scene.disparity[k] - truth_at(k)) < 0.05f);
    aqm_stereo_image_destroy(&scene.image);
}

/* Edges along the rays' images say little, and may all be off alike. */
static void unsure_edges_have_little_say(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 0.0, NULL);
    for (int k = 0; k < PIXELS; k++) {
        const int x = k % WIDTH - LEFT, y = k / WIDTH - TOP;
        if (x < 0 || x >= SIDE || (y >= 0 && y < SIDE))
            continue;
        scene.disparity[k] += y < 0 ? 1.0f : -1.0f;
        scene.sigma[k] = 0.5f;
    }
    assert_true(changed(&scene) >= (SIDE - 6) * (SIDE - 6));
    for (int k = 0; k < PIXELS; k++)
        if (in_patch(k, 3))
            assert_true(fabsf(scene.disparity[k] - truth_at(k)) < 0.1f);
    aqm_stereo_image_destroy(&scene.image);
}

/* Half of what surrounds the patch is missing; or nothing is known of it. */
static void a_patch_that_is_open_is_left_alone(void **state) {
    (void)state;
    static Scene scene;
    static uint8_t keep[PIXELS];
    for (int k = 0; k < PIXELS; k++)
        keep[k] = k % WIDTH < LEFT + SIDE - 6;
    make_scene(&scene, 0.0, keep);
    assert_int_equal(changed(&scene), 0);
    aqm_stereo_image_destroy(&scene.image);
    make_scene(&scene, 0.0, NULL);
    for (int k = 0; k < PIXELS; k++)
        scene.confidence[k] = 0.05f;
    assert_int_equal(changed(&scene), 0);
    aqm_stereo_image_destroy(&scene.image);
}

/* An edge that is measured along one side only says nothing of what is far from it. */
static void a_plane_is_not_followed_far(void **state) {
    (void)state;
    static Scene scene;
    make_scene(&scene, 0.0, NULL);
    for (int k = 0; k < PIXELS; k++)
        scene.confidence[k] = k % WIDTH < LEFT + 4 ? 0.6f : 0.0f;
    assert_int_equal(changed(&scene), 0);
    aqm_stereo_image_destroy(&scene.image);
}

/* A U of blank pixels is one patch though its arms meet only in the last rows. */
static void arms_that_meet_are_one_patch(void **state) {
    (void)state;
    static Scene scene;
    static uint8_t gray[PIXELS];
    make_scene(&scene, 0.0, NULL);
    AqmRng rng = aqm_rng(12, 0);
    for (int k = 0; k < PIXELS; k++) {
        const int x = k % WIDTH - LEFT, y = k / WIDTH - TOP;
        const bool is_between = x >= 14 && x < 26 && y < 26;
        gray[k] = gray_at(k, in_patch(k, 0) && !is_between ? 0.0 : 30.0, &rng);
        if (in_patch(k, 0) && is_between) {
            scene.disparity[k] = truth_at(k);
            scene.confidence[k] = 0.6f;
        } else if (!in_patch(k, 3) && x > 20) { /* the right arm lies beside a step */
            scene.disparity[k] += 3.0f;
        }
    }
    const AqmImageView view = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, gray};
    aqm_stereo_image_destroy(&scene.image);
    assert_int_equal(aqm_stereo_image_create(&scene.image, &view, NULL, 255.0, NULL), AQM_OK);
    assert_int_equal(changed(&scene), 0); /* the left arm alone would be filled */
    aqm_stereo_image_destroy(&scene.image);
}

static void threads_and_failed_allocations_change_nothing(void **state) {
    (void)state;
    static Scene one, three;
    static float before[PIXELS];
    make_scene(&one, 0.0, NULL);
    make_scene(&three, 0.0, NULL);
    memcpy(before, one.disparity, sizeof before);
    const size_t live = aqm_alloc_count().live_bytes;
    size_t failures = 0;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status != AQM_OK; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        status = aqm_fill_blanks(one.image, WINDOW, 1.0f, &one.refined, one.confidence, 1, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
        if (status != AQM_OK) {
            failures++;
            assert_int_equal(status, AQM_ERROR_MEMORY);
            assert_memory_equal(before, one.disparity, sizeof before);
        }
    }
    assert_true(failures >= 5);
    assert_int_equal(fill(&three, 3), AQM_OK);
    assert_memory_equal(one.disparity, three.disparity, sizeof before);
    assert_memory_equal(one.confidence, three.confidence, sizeof before);
    assert_true(memcmp(before, one.disparity, sizeof before) != 0);
    aqm_stereo_image_destroy(&one.image);
    aqm_stereo_image_destroy(&three.image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_in_a_plane_takes_it),
        cmocka_unit_test(texture_is_left_alone),
        cmocka_unit_test(a_patch_beside_something_nearer_is_left_alone),
        cmocka_unit_test(some_wrong_pixels_are_outvoted),
        cmocka_unit_test(unsure_edges_have_little_say),
        cmocka_unit_test(a_patch_that_is_open_is_left_alone),
        cmocka_unit_test(a_plane_is_not_followed_far),
        cmocka_unit_test(arms_that_meet_are_one_patch),
        cmocka_unit_test(threads_and_failed_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
