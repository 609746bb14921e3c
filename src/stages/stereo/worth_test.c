/* The noise of images made of known noise, and what their windows are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "math/rng.h"
#include "stages/stereo/worth.h"

enum { WIDTH = 160, HEIGHT = 120 };
static const double level = AQM_GRAY_WHITE / 255.0;

/* Noise of `sigma` levels over a ramp; stripes of 8 px and 60 levels right of `stripes_from`; the
 * left `missing` columns are masked. */
static AqmStereoImage *image_of(double sigma, int stripes_from, int missing) {
    AqmImage *image = NULL, *mask = NULL;
    AqmRng rng = aqm_rng(5, (uint64_t)(sigma * 8.0));
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    assert_int_equal(aqm_image_create(&mask, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    AqmImageView view = aqm_image_view(image), keep = aqm_image_view(mask);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const double stripe = x >= stripes_from && (x + y) / 8 % 2 ? 60.0 : 0.0;
            const double value = 80.0 + 0.2 * x + stripe + sigma * aqm_rng_normal(&rng);
            ((uint8_t *)view.data)[(size_t)y * view.stride + (size_t)x] = (uint8_t)(value + 0.5);
            ((uint8_t *)keep.data)[(size_t)y * keep.stride + (size_t)x] = x >= missing;
        }
    AqmStereoImage *made = NULL;
    assert_int_equal(aqm_stereo_image_create(&made, &view, &keep, 255.0, NULL), AQM_OK);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
    return made;
}

static double noise_of(double sigma, int stripes_from, int missing) {
    AqmStereoImage *image = image_of(sigma, stripes_from, missing);
    float noise = 0.0f;
    assert_int_equal(aqm_image_noise(image, &noise, NULL), AQM_OK);
    aqm_stereo_image_destroy(&image);
    return (double)noise / level;
}

/* The tenth percentile of blocks of 256 pixels lies a tenth below their mean. */
static void noise_is_found(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) {
        const double sigma = 3.0 * (1 << k) / 1.5, found = noise_of(sigma, WIDTH, 0);
        print_message("noise of %.1f levels: %.2f\n", sigma, found);
        assert_true(found > 0.85 * sigma && found < 1.02 * sigma);
    }
    assert_true(fabs(noise_of(0.0, WIDTH, 0) - 1.5) < 1e-3); /* the least there is */
}

static void texture_on_half_of_the_image_is_not_noise(void **state) {
    (void)state;
    const double without = noise_of(4.0, WIDTH, 0), with = noise_of(4.0, WIDTH / 2, 0);
    const double masked = noise_of(4.0, WIDTH / 2, WIDTH / 4);
    print_message("noise of 4 levels: %.2f, beside texture %.2f, half of that masked %.2f\n",
                  without, with, masked);
    assert_true(fabs(with / without - 1.0) < 0.1);
    assert_true(fabs(masked / without - 1.0) < 0.15);
}

static void noise_is_worth_half_and_texture_all(void **state) {
    (void)state;
    static float worth[WIDTH * HEIGHT];
    AqmStereoImage *image = image_of(4.0, WIDTH / 2, 0);
    assert_int_equal(aqm_window_worth(image, 3, worth, NULL), AQM_OK);
    double flat = 0.0, least = 1.0;
    for (int y = 10; y < HEIGHT - 10; y++) {
        for (int x = 10; x < 60; x++)
            flat += (double)worth[y * WIDTH + x] / (50.0 * (HEIGHT - 20));
        for (int x = WIDTH / 2 + 20; x < WIDTH - 20; x++)
            least = fmin(least, (double)worth[y * WIDTH + x]);
    }
    print_message("worth: noise %.3f, texture at least %.3f\n", flat, least);
    assert_true(flat > 0.4 && flat < 0.6);
    assert_true(least > 0.85);
    aqm_stereo_image_destroy(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_found),
        cmocka_unit_test(texture_on_half_of_the_image_is_not_noise),
        cmocka_unit_test(noise_is_worth_half_and_texture_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
