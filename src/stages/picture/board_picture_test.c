#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "stages/picture/arrows.h"
#include "stages/picture/fontconfig_leak.h"

static uint32_t at(const AqmImage *image, int x, int y) {
    return aqm_pixel((const uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x);
}

static int count_color(const AqmImage *image, uint32_t rgb) {
    int count = 0;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            count += at(image, x, y) == rgb;
    return count;
}

static double lightness(uint32_t rgb) {
    return 0.299 * (double)(rgb >> 16 & 255u) + 0.587 * (double)(rgb >> 8 & 255u) +
           0.114 * (double)(rgb & 255u);
}

/* 120 x 60 mm every 2 mm: the left half 1 mm above the plane, the right half 1 mm below. */
static AqmHeightMap *make_map(void) {
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, 61, 31, NULL), AQM_OK);
    map->step_m = 0.002;
    for (int i = 0; i < 61 * 31; i++)
        map->z_m[i] = i % 61 < 30 ? -0.001f : i % 61 > 30 ? 0.001f : NAN;
    return map;
}

static void above_is_light_and_below_is_dark(void **state) {
    (void)state;
    static const char *const captions[] = {"frame 0", "flat"};
    AqmHeightMap *map = make_map();
    AqmImage *image = NULL, *again = NULL;
    assert_int_equal(aqm_picture_board(map, 0.12, 0.06, NULL, 0, captions, 2, &image, NULL),
                     AQM_OK);
    const int y = 20 + 2 * 24 + 180;
    const double above = lightness(at(image, 84 + 180, y)),
                 below = lightness(at(image, 84 + 540, y));
    assert_true(above > below + 60.0);
    assert_int_equal(at(image, 84 + 360, y), 0xcdcdcd); /* nothing there */
    assert_int_equal(aqm_picture_board(map, 0.12, 0.06, NULL, 0, captions, 2, &again, NULL),
                     AQM_OK);
    assert_memory_equal(image->data, again->data, image->stride * (size_t)image->height);
    aqm_image_destroy(&image);
    aqm_image_destroy(&again);
    aqm_height_map_destroy(&map);
}

static void corners_are_drawn_where_they_are(void **state) {
    (void)state;
    const AqmPictureCorner corners[] = {{0.03, 0.03, 1e-4, 0.0, 0.0},
                                        {0.06, 0.03, -1e-4, 0.0, 0.0},
                                        {0.09, 0.03, (double)NAN, (double)NAN, (double)NAN}};
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_board(NULL, 0.12, 0.06, corners, 3, NULL, 0, &image, NULL),
                     AQM_OK);
    assert_int_not_equal(at(image, 84 + 180 - 5, 20 + 180), 0xcdcdcd);
    assert_int_not_equal(at(image, 84 + 360 + 5, 20 + 180), 0xcdcdcd);
    assert_int_equal(at(image, 84 + 540 + 5, 20 + 180), 0xcdcdcd);
    aqm_image_destroy(&image);
    assert_int_equal(aqm_picture_board(NULL, 0.0, 0.06, corners, 3, NULL, 0, &image, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_null(image);
}

static void arrows_are_as_long_as_their_legend_says(void **state) {
    (void)state;
    double per_unit;
    assert_true(fabs(aqm_arrow_scale(0.03, &per_unit) - 0.1) < 1e-12);
    assert_true(fabs(per_unit * 0.03 - 12.0) < 1e-12);
    assert_true(fabs(aqm_arrow_scale(0.0, &per_unit) - 2.0) < 1e-12);
    assert_true(fabs(aqm_arrow_scale((double)NAN, &per_unit) - 2.0) < 1e-12);
}

static void marks_stand_on_their_image(void **state) {
    (void)state;
    AqmImage *photo = NULL, *picture = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_image_create(&photo, 600, 500, 1, AQM_U8, NULL), AQM_OK);
    const AqmImageView view = aqm_image_view(photo);
    const AqmPictureMark marks[] = {{100.0, 200.0, 0.05, 0.0},
                                    {300.0, 200.0, (double)NAN, (double)NAN},
                                    {900.0, 200.0, 0.0, 0.05}};
    assert_int_equal(aqm_picture_marks(&view, 255.0, marks, 3, "cam00", &picture, NULL), AQM_OK);
    assert_int_equal(picture->width, 640);
    assert_int_equal(at(picture, 20 + 105, 52 + 200), 0xffd21f); /* along the arrow */
    assert_int_not_equal(at(picture, 20 + 90, 52 + 200), 0xffd21f);
    assert_true(count_color(picture, 0xff5ad0) > 4); /* a ring, and one in the legend */
    aqm_image_destroy(&picture);
    assert_int_equal(aqm_picture_marks(&view, 255.0, NULL, 0, "none", &picture, NULL), AQM_OK);
    assert_int_equal(count_color(picture, 0xffd21f), 0);
    aqm_image_destroy(&picture);
    assert_int_equal(aqm_picture_marks(&view, 0.0, marks, 3, "cam00", &picture, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "cam00"));
    aqm_image_destroy(&photo);
}

static void running_out_of_memory_is_told(void **state) {
    (void)state;
    AqmHeightMap *map = make_map();
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmImage *image = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_picture_board(map, 0.12, 0.06, NULL, 0, NULL, 0, &image, NULL);
        aqm_alloc_fail_from(0);
        aqm_image_destroy(&image);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
    aqm_height_map_destroy(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(above_is_light_and_below_is_dark),
        cmocka_unit_test(corners_are_drawn_where_they_are),
        cmocka_unit_test(arrows_are_as_long_as_their_legend_says),
        cmocka_unit_test(marks_stand_on_their_image),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cairo_debug_reset_static_data(); /* its caches of fonts are no leaks */
    return failures;
}
