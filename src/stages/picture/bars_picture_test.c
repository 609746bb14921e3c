#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cairo.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "stages/picture/fontconfig_leak.h"

static uint32_t rgb_at(const AqmImage *image, int x, int y) {
    const uint8_t *p = (const uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* Pixels of the commonest colour of those of `rgb`, in a row of the picture. */
static int run_of(const AqmImage *image, int y, uint32_t rgb) {
    int count = 0;
    for (int x = 0; x < image->width; x++)
        count += rgb_at(image, x, y) == rgb;
    return count;
}

/* A bar of 640 px for the largest value, half of it for half the value; nothing for NaN. */
static void bars_are_as_long_as_their_values(void **state) {
    (void)state;
    const char *const rows[] = {"one", "half", "none"}, *const series[] = {"a"};
    const double values[] = {2.0, 1.0, NAN};
    const AqmPictureBars bars = {.title = "t",
                                 .unit = "mm",
                                 .rows = rows,
                                 .series = series,
                                 .values = values,
                                 .row_count = 3,
                                 .series_count = 1};
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_bars(&bars, &image, NULL), AQM_OK);
    const int top = 66 + 26, row = 20 + 12, middle = top + 3; /* above the numbers */
    uint32_t color = 0;
    for (int x = 0; x < image->width; x++) {
        int same = run_of(image, middle, rgb_at(image, x, middle));
        if (rgb_at(image, x, middle) != 0xffffff && same > 100)
            color = rgb_at(image, x, middle);
    }
    assert_true(color != 0);
    assert_in_range(run_of(image, middle, color), 638, 641);
    assert_in_range(run_of(image, middle + row, color), 318, 321);
    assert_int_equal(run_of(image, middle + 2 * row, color), 0);
    aqm_image_destroy(&image);
}

static void a_stack_ends_at_its_sum(void **state) {
    (void)state;
    const char *const rows[] = {"whole", "half"}, *const series[] = {"a", "b"};
    const double values[] = {3.0, 1.0, 1.0, 1.0};
    const AqmPictureBars bars = {.title = "t",
                                 .unit = "s",
                                 .rows = rows,
                                 .series = series,
                                 .values = values,
                                 .row_count = 2,
                                 .series_count = 2,
                                 .is_stacked = true};
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_bars(&bars, &image, NULL), AQM_OK);
    const int middle = 66 + 26 + 3;
    int lengths[2] = {0, 0};
    for (int r = 0; r < 2; r++)
        for (int x = 40; x < image->width; x++) {
            const uint32_t c = rgb_at(image, x, middle + 32 * r);
            const int spread = (int)(c >> 16 & 255) - (int)(c & 255); /* grays are no bars */
            lengths[r] += abs(spread) > 20;
        }
    assert_in_range(lengths[0], 636, 642);
    assert_in_range(lengths[1], 316, 322);
    aqm_image_destroy(&image);
}

static void too_many_or_no_bars_are_refused(void **state) {
    (void)state;
    const char *const names[] = {"a"};
    const double value = 1.0;
    AqmPictureBars bars = {
        .title = "", .unit = "", .rows = names, .series = names, .values = &value};
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_picture_bars(&bars, &image, &diag), AQM_ERROR_ARGUMENT);
    bars.row_count = 1, bars.series_count = 17;
    assert_int_equal(aqm_picture_bars(&bars, &image, NULL), AQM_ERROR_ARGUMENT);
    assert_null(image);
}

static AqmDepthMap *make_depths(double depth_m) {
    AqmDepthMap *map = NULL;
    assert_int_equal(aqm_depth_map_create(&map, 480, 240, NULL), AQM_OK);
    for (int i = 0; i < 480 * 240; i++)
        map->depth_m[i] = (float)(depth_m + 1e-5 * (i % 480));
    return map;
}

/* Too deep is red, too high blue, right is white, not known gray. */
static void differences_have_their_colors(void **state) {
    (void)state;
    AqmDepthMap *map = make_depths(0.3), *truth = make_depths(0.3);
    AqmImage *image = NULL;
    for (int i = 0; i < 480 * 240; i++) {
        const int quarter = i % 480 / 120;
        map->depth_m[i] += quarter == 0 ? 0.001f : quarter == 1 ? -0.001f : 0.0f;
        if (quarter == 3)
            map->depth_m[i] = NAN;
    }
    assert_int_equal(aqm_picture_depth_error(map, truth, 0.001, "t", &image, NULL), AQM_OK);
    const int left = 20 + 2 * 480 + 2 * 12 + 18 + 86, y = 82 + 120;
    const uint32_t deep = rgb_at(image, left + 60, y), high = rgb_at(image, left + 180, y);
    const uint32_t right = rgb_at(image, left + 300, y), none = rgb_at(image, left + 420, y);
    assert_true((deep >> 16) > (deep & 255) + 80);
    assert_true((high & 255) > (high >> 16) + 80);
    assert_true((right & 255) > 235 && (right >> 16) > 235);
    assert_int_equal(none, 0xcdcdcd);
    aqm_image_destroy(&image);
    truth->width = 470;
    assert_int_equal(aqm_picture_depth_error(map, truth, 0.001, "t", &image, NULL),
                     AQM_ERROR_ARGUMENT);
    truth->width = 480;
    assert_int_equal(aqm_picture_depth_error(map, truth, 0.0, "t", &image, NULL),
                     AQM_ERROR_ARGUMENT);
    aqm_depth_map_destroy(&map);
    aqm_depth_map_destroy(&truth);
}

/* The range of an error map is the one that is asked for, whatever the errors are. */
static void error_maps_share_a_range(void **state) {
    (void)state;
    const char *const captions[] = {"t"};
    AqmHeightMap *map = NULL;
    AqmImage *small = NULL, *large = NULL;
    assert_int_equal(aqm_height_map_create(&map, 82, 82, NULL), AQM_OK);
    map->step_m = 0.002;
    for (int i = 0; i < 82 * 82; i++)
        map->z_m[i] = 0.0005f;
    assert_int_equal(aqm_picture_errors(map, 0.001, captions, 1, &small, NULL), AQM_OK);
    map->z_m[0] = 0.05f;
    assert_int_equal(aqm_picture_errors(map, 0.001, captions, 1, &large, NULL), AQM_OK);
    const uint32_t color = rgb_at(small, 98 + 400, 66 + 400);
    assert_int_equal(color, rgb_at(large, 98 + 400, 66 + 400));
    assert_true((color >> 16) > (color & 255) + 30);
    aqm_image_destroy(&small);
    aqm_image_destroy(&large);
    assert_int_equal(aqm_picture_errors(map, 0.0, captions, 1, &small, NULL), AQM_ERROR_ARGUMENT);
    aqm_height_map_destroy(&map);
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    const char *const names[] = {"a"};
    const double value = 1.0;
    const AqmPictureBars bars = {.title = "",
                                 .unit = "",
                                 .rows = names,
                                 .series = names,
                                 .values = &value,
                                 .row_count = 1,
                                 .series_count = 1};
    AqmDepthMap *map = make_depths(0.3);
    const size_t before = aqm_alloc_count().live_bytes;
    for (int which = 0; which < 2; which++) {
        AqmStatus status = AQM_ERROR_MEMORY;
        size_t n = 1;
        for (; status != AQM_OK && n < 20; n++) {
            AqmImage *image = NULL;
            aqm_alloc_fail_from(n);
            status = which == 0 ? aqm_picture_bars(&bars, &image, NULL)
                                : aqm_picture_depth_error(map, map, 0.001, "t", &image, NULL);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !image));
            aqm_image_destroy(&image);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 3 && n < 20);
    }
    aqm_depth_map_destroy(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_are_as_long_as_their_values),
        cmocka_unit_test(a_stack_ends_at_its_sum),
        cmocka_unit_test(too_many_or_no_bars_are_refused),
        cmocka_unit_test(differences_have_their_colors),
        cmocka_unit_test(error_maps_share_a_range),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cairo_debug_reset_static_data(); /* its caches of fonts are no leaks */
    return failures;
}
