#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/color.h"
#include "base/alloc.h"
#include "math/rng.h"

enum { WIDTH = 120, HEIGHT = 90, PIXELS = WIDTH * HEIGHT };

static AqmImage *blank(int channels, AqmSampleType type) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, channels, type, NULL), AQM_OK);
    return image;
}

static void put(AqmImage *image, size_t i, double value) {
    const double top = image->type == AQM_U8 ? 255.0 : 65535.0;
    const double rounded = floor(fmin(fmax(value, 0.0), top) + 0.5);
    if (image->type == AQM_U8)
        ((uint8_t *)image->data)[i] = (uint8_t)rounded;
    else
        ((uint16_t *)image->data)[i] = (uint16_t)rounded;
}

static double top_of(const AqmImage *image) {
    return image->type == AQM_U8 ? 255.0 : 65535.0;
}

static double get(const AqmImage *image, size_t i) {
    return image->type == AQM_U8 ? ((uint8_t *)image->data)[i] : ((uint16_t *)image->data)[i];
}

/* One scene, each channel of each camera with a gain and an offset of its own. */
static AqmImage *scene(AqmSampleType type, const double gain[3], double offset) {
    AqmImage *image = blank(3, type);
    AqmRng rng = aqm_rng(4, 0);
    const double unit = type == AQM_U8 ? 1.0 : 257.0;
    for (size_t i = 0; i < (size_t)3 * PIXELS; i++)
        put(image, i, unit * (gain[i % 3] * (40.0 + 60.0 * aqm_rng_uniform(&rng)) + offset));
    return image;
}

static double mean_of(const AqmImage *image, size_t channel) {
    double sum = 0.0;
    for (size_t i = channel; i < (size_t)image->channels * PIXELS; i += (size_t)image->channels)
        sum += get(image, i);
    return sum / PIXELS;
}

static const double GAINS[3][3] = {{1.0, 1.0, 1.0}, {1.6, 1.2, 0.7}, {0.5, 0.9, 1.3}};

static void gain_makes_the_means_the_common_mean(void **state) {
    (void)state;
    for (int type = 1; type <= 2; type++) {
        AqmImage *images[3];
        double target[3] = {0}, tolerance = type == 1 ? 0.3 : 1.0;
        for (int i = 0; i < 3; i++) {
            images[i] = scene((AqmSampleType)type, GAINS[i], 0.0);
            for (size_t c = 0; c < 3; c++)
                target[c] += mean_of(images[i], c) / 3.0;
        }
        assert_int_equal(aqm_color_normalize(images, 3, AQM_COLOR_GAIN, top_of(images[0]), NULL),
                         AQM_OK);
        for (int i = 0; i < 3; i++) {
            for (size_t c = 0; c < 3; c++)
                assert_true(fabs(mean_of(images[i], c) - target[c]) < tolerance);
            for (size_t k = 0; k < (size_t)3 * PIXELS; k++) /* the same scene again */
                assert_true(fabs(get(images[i], k) - get(images[0], k)) <
                            (type == 1 ? 3.0 : 400.0));
        }
        for (int i = 0; i < 3; i++)
            aqm_image_destroy(&images[i]);
    }
}

static void pixels_out_of_range_do_not_move_the_gain(void **state) {
    (void)state;
    AqmImage *images[2] = {scene(AQM_U8, GAINS[0], 0.0), scene(AQM_U8, GAINS[0], 0.0)};
    const double black = 0.0, white = 255.0;
    const double kept = get(images[0], 3 * 5000);
    for (size_t i = 0; i < (size_t)3 * 4000; i++) /* a lamp and the dark rim of the tank */
        put(images[1], i, i < (size_t)3 * 1000 ? white : black);
    assert_int_equal(aqm_color_normalize(images, 2, AQM_COLOR_GAIN, top_of(images[0]), NULL),
                     AQM_OK);
    /* the rest of both is the same scene: gains within 1 % of 1, black stays black */
    assert_true(fabs(get(images[0], 3 * 5000) - kept) <= 1.0);
    assert_true(fabs(get(images[1], 3 * 5000) - kept) <= 1.0);
    assert_true(get(images[1], 3 * 2000) == 0.0 && get(images[1], 3) >= 252.0);
    aqm_image_destroy(&images[0]);
    aqm_image_destroy(&images[1]);
}

static void an_image_without_light_stays_and_does_not_count(void **state) {
    (void)state;
    AqmImage *images[3] = {scene(AQM_U8, GAINS[1], 0.0), blank(3, AQM_U8),
                           scene(AQM_U8, GAINS[2], 0.0)};
    const double target = 0.5 * (mean_of(images[0], 1) + mean_of(images[2], 1));
    assert_int_equal(aqm_color_normalize(images, 3, AQM_COLOR_GAIN, top_of(images[0]), NULL),
                     AQM_OK);
    assert_true(mean_of(images[1], 1) == 0.0);
    assert_true(fabs(mean_of(images[0], 1) - target) < 0.3);
    for (int i = 0; i < 3; i++)
        aqm_image_destroy(&images[i]);
}

/* Straight-line changes of one scene: the quantile average is the mean of the lines. */
static void histogram_makes_the_distributions_the_mean_distribution(void **state) {
    (void)state;
    for (int type = 1; type <= 2; type++) {
        const double unit = type == 1 ? 1.0 : 257.0, offsets[3] = {0.0, 20.0, 70.0};
        AqmImage *images[3], *expected[3];
        for (int i = 0; i < 3; i++) {
            images[i] = scene((AqmSampleType)type, GAINS[i], offsets[i]);
            expected[i] = scene((AqmSampleType)type, GAINS[i], offsets[i]);
        }
        assert_int_equal(
            aqm_color_normalize(images, 3, AQM_COLOR_HISTOGRAM, top_of(images[0]), NULL), AQM_OK);
        for (size_t k = 0; k < (size_t)3 * PIXELS; k++) {
            const double mean =
                (get(expected[0], k) + get(expected[1], k) + get(expected[2], k)) / 3.0;
            for (int i = 0; i < 3; i++)
                assert_true(fabs(get(images[i], k) - mean) < 2.0 * unit);
        }
        for (int i = 0; i < 3; i++) {
            aqm_image_destroy(&images[i]);
            aqm_image_destroy(&expected[i]);
        }
    }
}

static void images_that_agree_are_not_changed(void **state) {
    (void)state;
    for (int method = 0; method < 2; method++)
        for (int type = 1; type <= 2; type++) {
            AqmImage *images[2] = {scene((AqmSampleType)type, GAINS[1], 9.0),
                                   scene((AqmSampleType)type, GAINS[1], 9.0)};
            AqmImage *before = scene((AqmSampleType)type, GAINS[1], 9.0);
            assert_int_equal(
                aqm_color_normalize(images, 2, (AqmColorNorm)method, top_of(images[0]), NULL),
                AQM_OK);
            assert_memory_equal(images[0]->data, before->data, before->stride * HEIGHT);
            assert_memory_equal(images[1]->data, before->data, before->stride * HEIGHT);
            for (int i = 0; i < 2; i++)
                aqm_image_destroy(&images[i]);
            aqm_image_destroy(&before);
        }
}

/* Images of 12 bits in 16: 4095 is white, and nothing goes above it. */
static void white_is_what_the_caller_says(void **state) {
    (void)state;
    for (int method = 0; method < 2; method++) {
        AqmImage *images[2] = {blank(1, AQM_U16), blank(1, AQM_U16)};
        for (size_t i = 0; i < PIXELS; i++) {
            put(images[0], i, i < PIXELS / 2 ? 4095.0 : 1000.0); /* half saturated */
            put(images[1], i, i < PIXELS / 2 ? 4095.0 : 3000.0);
        }
        assert_int_equal(aqm_color_normalize(images, 2, (AqmColorNorm)method, 4095.0, NULL),
                         AQM_OK);
        for (int k = 0; k < 2; k++) /* means of the others: 1000 and 3000, so gains 2 and 2/3 */
            assert_true(get(images[k], PIXELS - 1) == 2000.0);
        assert_true(get(images[0], 0) == 4095.0);
        assert_true(get(images[1], 0) == (method == 0 ? 2730.0 : 4095.0));
        AqmDiag diag = {0};
        assert_int_equal(aqm_color_normalize(images, 2, (AqmColorNorm)method, 65536.0, &diag),
                         AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, "65536: must be in 1..65535"));
        assert_int_equal(aqm_color_normalize(images, 2, (AqmColorNorm)method, 0.0, NULL),
                         AQM_ERROR_ARGUMENT);
        aqm_image_destroy(&images[0]);
        aqm_image_destroy(&images[1]);
    }
}

/* A constant image has one quantile; sizes may differ. */
static void flat_and_unequal_images_work(void **state) {
    (void)state;
    AqmImage *images[2] = {blank(1, AQM_U8), NULL};
    assert_int_equal(aqm_image_create(&images[1], 7, 3, 1, AQM_U8, NULL), AQM_OK);
    memset(images[0]->data, 100, PIXELS);
    memset(images[1]->data, 200, 21);
    assert_int_equal(aqm_color_normalize(images, 2, AQM_COLOR_HISTOGRAM, top_of(images[0]), NULL),
                     AQM_OK);
    assert_true(get(images[0], 17) == 150.0 && get(images[1], 20) == 150.0);
    memset(images[0]->data, 100, PIXELS);
    memset(images[1]->data, 200, 21);
    assert_int_equal(aqm_color_normalize(images, 2, AQM_COLOR_GAIN, top_of(images[0]), NULL),
                     AQM_OK);
    assert_true(get(images[0], 17) == 150.0 && get(images[1], 20) == 150.0);
    aqm_image_destroy(&images[0]);
    aqm_image_destroy(&images[1]);
}

static void unlike_images_and_lack_of_memory_leave_all_as_it_was(void **state) {
    (void)state;
    AqmImage *images[2] = {scene(AQM_U8, GAINS[1], 0.0), blank(1, AQM_U8)};
    AqmDiag diag = {0};
    assert_int_equal(aqm_color_normalize(images, 2, AQM_COLOR_GAIN, top_of(images[0]), &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "image 1 has 1 channels"));
    assert_int_equal(aqm_color_normalize(images, 0, AQM_COLOR_GAIN, 255.0, NULL), AQM_OK);
    aqm_image_destroy(&images[1]);
    images[1] = scene(AQM_U8, GAINS[2], 0.0);
    AqmImage *before = scene(AQM_U8, GAINS[1], 0.0);
    const size_t live = aqm_alloc_count().live_bytes;
    for (int method = 0; method < 2; method++)
        for (size_t n = 1; n <= (method == 0 ? 2u : 5u); n++) {
            aqm_alloc_fail_from(n);
            assert_int_equal(
                aqm_color_normalize(images, 2, (AqmColorNorm)method, top_of(images[0]), NULL),
                AQM_ERROR_MEMORY);
            aqm_alloc_fail_from(0);
            assert_int_equal(aqm_alloc_count().live_bytes, live);
            assert_memory_equal(images[0]->data, before->data, before->stride * HEIGHT);
        }
    aqm_image_destroy(&images[0]);
    aqm_image_destroy(&images[1]);
    aqm_image_destroy(&before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gain_makes_the_means_the_common_mean),
        cmocka_unit_test(pixels_out_of_range_do_not_move_the_gain),
        cmocka_unit_test(an_image_without_light_stays_and_does_not_count),
        cmocka_unit_test(histogram_makes_the_distributions_the_mean_distribution),
        cmocka_unit_test(images_that_agree_are_not_changed),
        cmocka_unit_test(white_is_what_the_caller_says),
        cmocka_unit_test(flat_and_unequal_images_work),
        cmocka_unit_test(unlike_images_and_lack_of_memory_leave_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
