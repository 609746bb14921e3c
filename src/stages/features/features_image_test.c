#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/features.h"
#include "base/alloc.h"

/* What OpenCV 4.6 makes of the pattern below: createCLAHE(limit, (8, 8)); the sum over the pixels
 * of (index + 1) value modulo 2^32, and five of them. Sizes that 8 x 8 tiles divide, that they do
 * not, of which they divide one side, and smaller than the tiles are many. */
static const struct {
    int width, height;
    double limit;
    uint32_t sum;
    uint8_t samples[5]; /* at 0, 1/7, 1/3, 1/2 and the end */
} cases[] = {
    {64, 48, 2, 634507935u, {21, 166, 43, 50, 37}},
    {37, 29, 2, 84245761u, {26, 195, 53, 88, 246}},
    {40, 29, 4, 98252565u, {21, 198, 32, 194, 212}},
    {5, 3, 2, 30600u, {255, 255, 255, 255, 255}},
    {128, 96, 1.5, 2221638253u, {29, 88, 159, 239, 248}},
};

static AqmImage *pattern(int width, int height) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, width, height, 1, AQM_U8, NULL), AQM_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            ((uint8_t *)image->data)[(size_t)y * image->stride + (size_t)x] =
                (uint8_t)((x * 5 + y * 3 + ((x * y) % 23) * 2) % 160 + 40);
    return image;
}

static AqmImage *make(const AqmImage *image, const AqmImage *mask, double white, double limit) {
    AqmImage *out = NULL;
    AqmDiag diag = {0};
    const AqmImageView view = aqm_image_view(image);
    AqmImageView keep = {0};
    if (mask)
        keep = aqm_image_view(mask);
    if (aqm_features_image(&out, &view, mask ? &keep : NULL, white, limit, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return out;
}

static uint8_t at(const AqmImage *image, int x, int y) {
    return ((const uint8_t *)image->data)[(size_t)y * image->stride + (size_t)x];
}

static void equalisation_is_opencvs(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int w = cases[k].width, count = w * cases[k].height;
        AqmImage *image = pattern(w, cases[k].height);
        AqmImage *out = make(image, NULL, 255.0, cases[k].limit);
        const int places[5] = {0, count / 7, count / 3, count / 2, count - 1};
        uint32_t sum = 0;
        for (int i = 0; i < count; i++)
            sum += (uint32_t)(i + 1) * at(out, i % w, i / w);
        for (int i = 0; i < 5; i++)
            assert_int_equal(at(out, places[i] % w, places[i] / w), cases[k].samples[i]);
        assert_int_equal(sum, cases[k].sum);
        aqm_image_destroy(&out);
        aqm_image_destroy(&image);
    }
}

static void gray_is_luma_of_the_full_scale(void **state) {
    (void)state;
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, 3, 1, 3, AQM_U16, NULL), AQM_OK);
    const uint16_t values[9] = {1000, 0, 0, 0, 2000, 1000, 4000, 4095, 65535};
    memcpy(image->data, values, sizeof values);
    AqmImage *out = make(image, NULL, 4095.0, 0.0);
    assert_int_equal(at(out, 0, 0), (int)(0.299 * 1000 / 4095 * 255 + 0.5));
    assert_int_equal(at(out, 1, 0), (int)((0.587 * 2000 + 0.114 * 1000) / 4095 * 255 + 0.5));
    assert_int_equal(at(out, 2, 0), 255); /* brighter than white */
    aqm_image_destroy(&out);
    aqm_image_destroy(&image);
    image = pattern(17, 5);
    out = make(image, NULL, 255.0, 0.0);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 17; x++)
            assert_int_equal(at(out, x, y), at(image, x, y));
    aqm_image_destroy(&out);
    aqm_image_destroy(&image);
}

static void masked_pixels_do_not_count(void **state) {
    (void)state;
    AqmImage *image = pattern(64, 48), *other = pattern(64, 48), *mask = NULL;
    assert_int_equal(aqm_image_create(&mask, 64, 48, 1, AQM_U8, NULL), AQM_OK);
    for (int y = 0; y < 48; y++)
        for (int x = 0; x < 64; x++) {
            const size_t i = (size_t)y * mask->stride + (size_t)x;
            ((uint8_t *)mask->data)[i] = x >= 11 ? 255 : 0;
            if (x < 11)
                ((uint8_t *)other->data)[i] = 0;
        }
    AqmImage *a = make(image, mask, 255.0, 2.0), *b = make(other, mask, 255.0, 2.0);
    for (int y = 0; y < 48; y++)
        for (int x = 11; x < 64; x++)
            assert_int_equal(at(a, x, y), at(b, x, y));
    aqm_image_destroy(&b);
    memset(mask->data, 0, mask->stride * 48);
    b = make(image, mask, 255.0, 2.0);
    for (int x = 0; x < 64; x++)
        assert_int_equal(at(b, x, 7), at(image, x, 7)); /* nothing counts: nothing changes */
    aqm_image_destroy(&a);
    aqm_image_destroy(&b);
    aqm_image_destroy(&mask);
    aqm_image_destroy(&image);
    aqm_image_destroy(&other);
}

static void every_size_down_to_a_pixel_can_be_equalised(void **state) {
    (void)state;
    for (int width = 1; width <= 17; width += 4)
        for (int height = 1; height <= 17; height += 4) {
            AqmImage *image = pattern(width, height), *out = make(image, NULL, 255.0, 3.0);
            assert_int_equal(out->width, width);
            assert_int_equal(out->height, height);
            aqm_image_destroy(&out);
            aqm_image_destroy(&image);
        }
}

static void wrong_arguments_are_refused_with_the_value(void **state) {
    (void)state;
    AqmImage *image = pattern(8, 8), *mask = pattern(8, 9), *out = NULL;
    const AqmImageView view = aqm_image_view(image), keep = aqm_image_view(mask);
    AqmDiag diag = {0};
    assert_int_equal(aqm_features_image(&out, &view, &keep, 255.0, 0.0, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "8 x 9"));
    assert_int_equal(aqm_features_image(&out, &view, NULL, 0.0, 0.0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_features_image(&out, &view, NULL, NAN, 0.0, NULL), AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_features_image(&out, &view, NULL, 255.0, -1.0, NULL), AQM_ERROR_ARGUMENT);
    assert_null(out);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    AqmImage *image = pattern(40, 30);
    const AqmImageView view = aqm_image_view(image);
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t n = 1;; n++) {
        AqmImage *out = NULL;
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_features_image(&out, &view, NULL, 255.0, 2.0, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(out != NULL, status == AQM_OK);
        aqm_image_destroy(&out);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_true(n < 20);
    }
    aqm_image_destroy(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equalisation_is_opencvs),
        cmocka_unit_test(gray_is_luma_of_the_full_scale),
        cmocka_unit_test(masked_pixels_do_not_count),
        cmocka_unit_test(every_size_down_to_a_pixel_can_be_equalised),
        cmocka_unit_test(wrong_arguments_are_refused_with_the_value),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
