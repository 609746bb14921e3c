#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"
#include "stages/picture/fontconfig_leak.h"

/* 164 x 82 nodes of 5 mm, 5 px each: the left third risen by 4 mm, the right third sunk by 4 mm. */
enum { COLUMNS = 164, ROWS = 82, LEFT = 98, TOP = 40, LINE = 26, PX = 5 };

static AqmHeightMap *make_map(uint8_t *significant) {
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, COLUMNS, ROWS, NULL), AQM_OK);
    map->step_m = 0.005, map->first_column = -40, map->first_row = -20;
    for (int c = 0; c < COLUMNS * ROWS; c++) {
        const int i = c % COLUMNS;
        map->z_m[c] = i < 55 ? -0.004f : i >= 110 ? 0.004f : i < 60 ? NAN : 0.0f;
        significant[c] = i < 55 || (i >= 110 && c / COLUMNS < 41);
    }
    return map;
}

static uint32_t pixel(const AqmImage *image, int i, int j, int captions) {
    const int x = LEFT + PX * i + 2, y = TOP + LINE * captions + PX * j + 2;
    return aqm_pixel((const uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x);
}

static void lab_of(uint32_t rgb, double lab[3]) {
    const uint8_t c[3] = {(uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb};
    aqm_oklab_from_srgb(c, lab);
}

static void rising_is_blue_and_sinking_red(void **state) {
    (void)state;
    static uint8_t significant[COLUMNS * ROWS];
    static const char *const captions[] = {"frame 0 to frame 1",
                                           "net \u22120.5 \u00b1 0.1 cm\u00b3"};
    AqmHeightMap *map = make_map(significant);
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_difference(map, significant, captions, 2, &image, NULL), AQM_OK);
    assert_int_equal(image->width, LEFT + 820 + 16 + 20 + 112);
    assert_int_equal(image->height, TOP + 2 * LINE + 410 + 112);
    double up[3], down[3], pale[3], none[3];
    lab_of(pixel(image, 20, 30, 2), up);
    lab_of(pixel(image, 150, 20, 2), down);
    lab_of(pixel(image, 150, 60, 2), pale);
    lab_of(pixel(image, 80, 40, 2), none);
    assert_true(up[2] < -0.08 && down[1] > 0.08); /* blue, red */
    assert_true(fabs(up[0] - down[0]) < 0.02);    /* alike in gray */
    assert_true(up[0] < 0.5 && none[0] > 0.95);   /* darker than no change */
    assert_true(fabs(none[1]) < 0.01 && fabs(none[2]) < 0.01);
    assert_true(pale[0] > down[0] + 0.2 && pale[1] > 0.02); /* not significant */
    assert_int_equal(pixel(image, 57, 40, 2), 0xcdcdcd);    /* not known */
    aqm_image_destroy(&image);
    aqm_height_map_destroy(&map);
}

static void large_areas_alone_are_outlined(void **state) {
    (void)state;
    static uint8_t significant[COLUMNS * ROWS];
    AqmHeightMap *map = make_map(significant);
    AqmImage *image = NULL;
    memset(significant, 0, sizeof significant);
    for (int j = 10; j < 20; j++)
        for (int i = 65; i < 75; i++)
            significant[j * COLUMNS + i] = 1; /* 100 cells */
    for (int j = 40; j < 49; j++)
        for (int i = 65; i < 76; i++)
            significant[j * COLUMNS + i] = 1; /* 99 */
    assert_int_equal(aqm_picture_difference(map, significant, NULL, 0, &image, NULL), AQM_OK);
    int dark[2] = {0, 0};
    for (int j = 0; j < ROWS * PX; j++)
        for (int i = 60 * PX; i < 110 * PX; i++) {
            const size_t at = (size_t)(TOP + j) * image->stride + 3 * (size_t)(LEFT + i);
            dark[j >= 30 * PX] += ((const uint8_t *)image->data)[at] < 60;
        }
    assert_int_equal(dark[0], 4 * 50 - 4); /* a frame of one pixel around 50 x 50 */
    assert_int_equal(dark[1], 0);
    aqm_image_destroy(&image);
    aqm_height_map_destroy(&map);
}

static void odd_maps_are_drawn(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 400}, {3000, 2}, {900, 1700}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        AqmHeightMap *map = NULL;
        AqmImage *image = NULL;
        assert_int_equal(aqm_height_map_create(&map, sizes[k][0], sizes[k][1], NULL), AQM_OK);
        assert_int_equal(aqm_picture_difference(map, NULL, NULL, 0, &image, NULL),
                         AQM_ERROR_ARGUMENT);
        assert_null(image);
        map->step_m = 0.001; /* nothing is known in it */
        assert_int_equal(aqm_picture_difference(map, NULL, NULL, 0, &image, NULL), AQM_OK);
        aqm_image_destroy(&image);
        map->z_m[0] = 0.002f;
        assert_int_equal(aqm_picture_difference(map, NULL, NULL, 0, &image, NULL), AQM_OK);
        assert_true(image->width < 1100 && image->height < 1000);
        aqm_image_destroy(&image);
        aqm_height_map_destroy(&map);
    }
}

static void every_failed_allocation_is_survived_without_a_leak(void **state) {
    (void)state;
    static uint8_t significant[COLUMNS * ROWS];
    AqmHeightMap *map = make_map(significant);
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (AqmStatus status = AQM_ERROR_MEMORY; status != AQM_OK; n++) {
        AqmImage *image = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_picture_difference(map, significant, NULL, 0, &image, NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !image));
        aqm_image_destroy(&image);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 4);
    aqm_height_map_destroy(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rising_is_blue_and_sinking_red),
        cmocka_unit_test(large_areas_alone_are_outlined),
        cmocka_unit_test(odd_maps_are_drawn),
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cairo_debug_reset_static_data(); /* its caches of fonts are no leaks */
    return failures;
}
