/* The tint of a matching image: what its colours are apart from brightness; and the chain of images
 * of half the size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "math/rng.h"
#include "stages/stereo/stereo_image.h"

enum { WIDTH = 41, HEIGHT = 35 };

static AqmStereoImage *make(const void *pixels, int channels, AqmSampleType type,
                            const AqmImageView *mask, double full_scale) {
    const size_t stride = (size_t)(WIDTH * channels) * (type == AQM_U8 ? 1 : 2);
    const AqmImageView view = {WIDTH, HEIGHT, channels, type, stride, pixels};
    AqmStereoImage *image = NULL;
    assert_int_equal(aqm_stereo_image_create(&image, &view, mask, full_scale, NULL), AQM_OK);
    return image;
}

/* Red, green and blue of a column. */
static void color_of(int x, int *rgb) {
    rgb[0] = 6 * x;
    rgb[1] = 250 - 5 * x;
    rgb[2] = 40 + 2 * x;
}

static void fill(uint8_t *bytes, uint16_t *words) {
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        int rgb[3];
        color_of(k % WIDTH, rgb);
        for (int c = 0; c < 3; c++) {
            bytes[3 * k + c] = (uint8_t)rgb[c];
            words[3 * k + c] = (uint16_t)(257 * rgb[c]);
        }
    }
}

static void tint_is_blue_and_red_less_luminance(void **state) {
    (void)state;
    static uint8_t bytes[WIDTH * HEIGHT * 3];
    static uint16_t words[WIDTH * HEIGHT * 3];
    fill(bytes, words);
    AqmStereoImage *narrow = make(bytes, 3, AQM_U8, NULL, 255.0);
    AqmStereoImage *wide = make(words, 3, AQM_U16, NULL, 65535.0);
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        int rgb[3];
        color_of(k % WIDTH, rgb);
        const double unit = AQM_GRAY_WHITE / 255.0 / AQM_TINT_UNIT;
        const double level = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        for (int c = 0; c < 2; c++) {
            const double truth = unit * ((c == 0 ? rgb[2] : rgb[0]) - level);
            assert_true(fabs(narrow->tint[2 * k + c] - truth) <= 1.05);
            assert_int_equal(wide->tint[2 * k + c], narrow->tint[2 * k + c]);
        }
    }
    /* halves lie between what they are made of */
    const int8_t *half = narrow->half->tint + 2 * (narrow->half->width + 3);
    const int8_t *full = narrow->tint + 2 * (2 * WIDTH + 6);
    for (int c = 0; c < 2; c++)
        assert_true(abs(2 * half[c] - full[c] - full[2 + c]) <= 2);
    aqm_stereo_image_destroy(&narrow);
    aqm_stereo_image_destroy(&wide);
}

static void gray_has_none_and_what_is_masked_is_neutral(void **state) {
    (void)state;
    static uint8_t bytes[WIDTH * HEIGHT * 3], keep[WIDTH * HEIGHT];
    for (int k = 0; k < WIDTH * HEIGHT * 3; k++)
        bytes[k] = k % 3 == 0 ? 255 : 0;
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        keep[k] = k % WIDTH < 20;
    const AqmImageView mask = {WIDTH, HEIGHT, 1, AQM_U8, WIDTH, keep};
    AqmStereoImage *gray = make(bytes, 1, AQM_U8, NULL, 255.0);
    AqmStereoImage *color = make(bytes, 3, AQM_U8, &mask, 255.0);
    AqmStereoImage *bright = make(bytes, 3, AQM_U8, NULL, 60.0);
    assert_null(gray->tint);
    assert_null(gray->half->tint);
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        assert_true(keep[k] ? color->tint[2 * k + 1] > 80 : color->tint[2 * k + 1] == 0);
        assert_int_equal(bright->tint[2 * k + 1], 127); /* above white: clamped */
    }
    aqm_stereo_image_destroy(&gray);
    aqm_stereo_image_destroy(&color);
    aqm_stereo_image_destroy(&bright);
}

/* ---- the chain ------------------------------------------------------------------------------- */

enum { CHAIN_W = 133, CHAIN_H = 75 };

/* Of random pixels, some of them masked. */
static AqmStereoImage *random_chain(int width, int height) {
    static uint8_t bytes[CHAIN_W * CHAIN_H * 3], keep[CHAIN_W * CHAIN_H];
    AqmRng rng = aqm_rng(8, 1);
    for (int k = 0; k < CHAIN_W * CHAIN_H * 3; k++)
        bytes[k] = (uint8_t)aqm_rng_u32(&rng);
    for (int k = 0; k < CHAIN_W * CHAIN_H; k++)
        keep[k] = aqm_rng_u32(&rng) % 50 > 0;
    const AqmImageView view = {width, height, 3, AQM_U8, 3 * CHAIN_W, bytes};
    const AqmImageView mask = {width, height, 1, AQM_U8, CHAIN_W, keep};
    AqmStereoImage *image = NULL;
    assert_int_equal(aqm_stereo_image_create(&image, &view, &mask, 255.0, NULL), AQM_OK);
    return image;
}

/* The last column and row are repeated, and a pair is a pixel and the one below it. */
static void check_pairs(const AqmStereoImage *image) {
    for (int y = 0; y <= image->height; y++)
        for (int x = 0; x < image->stride; x++) {
            const ptrdiff_t at = y * image->stride + x;
            const int row = y < image->height ? y : y - 1;
            const int column = x < image->width ? x : image->width - 1;
            assert_int_equal(image->gray[at], image->gray[row * image->stride + column]);
            if (y == image->height)
                continue;
            assert_int_equal((int16_t)(image->pairs[at] & 0xffff), image->gray[at]);
            assert_int_equal((int16_t)(image->pairs[at] >> 16), image->gray[at + image->stride]);
        }
}

static void check_half(const AqmStereoImage *image) {
    const AqmStereoImage *half = image->half;
    assert_true(half->width == image->width / 2 && half->height == image->height / 2);
    for (int y = 0; y < half->height; y++)
        for (int x = 0; x < half->width; x++) {
            int gray = 0, tint[2] = {0, 0};
            bool is_whole = true;
            for (int k = 0; k < 4; k++) {
                const int px = 2 * x + k % 2, py = 2 * y + k / 2, at = py * image->width + px;
                const int level = image->gray[py * image->stride + px];
                is_whole = is_whole && level != AQM_GRAY_MISSING;
                gray += level;
                tint[0] += image->tint[2 * at];
                tint[1] += image->tint[2 * at + 1];
            }
            const int mean = is_whole ? (int)floor(gray / 4.0 + 0.5) : AQM_GRAY_MISSING;
            assert_int_equal(half->gray[y * half->stride + x], mean);
            for (int c = 0; c < 2; c++)
                assert_int_equal(half->tint[2 * (y * half->width + x) + c], tint[c] / 4);
        }
}

/* Sizes odd and even, in the chain as well. */
static void every_level_is_the_mean_of_the_one_above(void **state) {
    (void)state;
    const int sizes[4][2] = {{CHAIN_W, CHAIN_H}, {132, 74}, {131, 64}, {96, 33}};
    for (int k = 0; k < 4; k++) {
        AqmStereoImage *image = random_chain(sizes[k][0], sizes[k][1]);
        int levels = 0;
        for (const AqmStereoImage *level = image; level; level = level->half, levels++) {
            check_pairs(level);
            if (level->half)
                check_half(level);
            /* one in fifty is masked: there is a hole in most blocks */
            assert_false(
                aqm_stereo_image_is_whole(level, 0, 0, level->width - 1, level->height - 1));
        }
        assert_int_equal(levels, k < 3 ? 3 : 2);
        aqm_stereo_image_destroy(&image);
    }
}

static void an_image_too_small_to_halve_is_one_level(void **state) {
    (void)state;
    const int sizes[3][2] = {{1, 1}, {7, 5}, {64, 31}};
    for (int k = 0; k < 3; k++) {
        AqmStereoImage *image = random_chain(sizes[k][0], sizes[k][1]);
        assert_null(image->half);
        check_pairs(image);
        aqm_stereo_image_destroy(&image);
    }
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    static uint8_t bytes[WIDTH * HEIGHT * 3];
    const AqmImageView view = {WIDTH, HEIGHT, 3, AQM_U8, 3 * WIDTH, bytes};
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t failures = 0;
    for (size_t n = 1; status != AQM_OK; n++) {
        AqmStereoImage *image = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_stereo_image_create(&image, &view, NULL, 255.0, NULL);
        aqm_alloc_fail_from(0);
        failures += status != AQM_OK;
        assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !image));
        aqm_stereo_image_destroy(&image);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_int_equal(failures, 10); /* five of the image, five of its half */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tint_is_blue_and_red_less_luminance),
        cmocka_unit_test(gray_has_none_and_what_is_masked_is_neutral),
        cmocka_unit_test(every_level_is_the_mean_of_the_one_above),
        cmocka_unit_test(an_image_too_small_to_halve_is_one_level),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
