#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "stages/picture/canvas.h"
#include "stages/picture/fontconfig_leak.h"
#include "stages/picture/relief.h"

static uint32_t pixel(const AqmImage *image, int x, int y) {
    return aqm_pixel((const uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x);
}

/* ---- colours --------------------------------------------------------------------------------- */

static void the_colour_map_rises_in_equal_steps(void **state) {
    (void)state;
    AqmColorMap map;
    aqm_color_map_make(&map);
    double last[3], next[3], least = 1.0, most = 0.0;
    aqm_oklab_from_srgb(map.rgb[0], last);
    assert_true(fabs(last[0] - 0.26) < 0.003);
    for (int i = 1; i < AQM_COLOR_MAP_SIZE; i++) { /* single steps are about one 8-bit level */
        aqm_oklab_from_srgb(map.rgb[i], next);
        assert_true(next[0] >= last[0] - 1e-4);
        memcpy(last, next, sizeof last);
    }
    assert_true(fabs(last[0] - 0.93) < 0.003);
    for (int i = 15; i < AQM_COLOR_MAP_SIZE; i += 15) {
        aqm_oklab_from_srgb(map.rgb[i - 15], last);
        aqm_oklab_from_srgb(map.rgb[i], next);
        const double step = sqrt((next[0] - last[0]) * (next[0] - last[0]) +
                                 (next[1] - last[1]) * (next[1] - last[1]) +
                                 (next[2] - last[2]) * (next[2] - last[2]));
        assert_true(next[0] > last[0] + 0.02);
        least = fmin(least, step), most = fmax(most, step);
    }
    assert_true(most < 1.08 * least); /* 8-bit rounding and curvature leave a few percent */
}

static void the_colour_map_needs_no_clipping(void **state) {
    (void)state;
    AqmColorMap map;
    aqm_color_map_make(&map);
    for (int i = 0; i < AQM_COLOR_MAP_SIZE; i++) {
        double lab[3];
        aqm_oklab_from_srgb(map.rgb[i], lab);
        /* chroma of the path: 0.085 .. 0.125; a clipped colour would fall short */
        const double chroma = sqrt(lab[1] * lab[1] + lab[2] * lab[2]);
        assert_true(chroma > 0.082 && chroma < 0.128);
    }
}

static void colours_beyond_the_ends_are_those_of_the_ends(void **state) {
    (void)state;
    uint8_t a[3], b[3];
    aqm_picture_color(0.0, a);
    aqm_picture_color(-3.0, b);
    assert_memory_equal(a, b, 3);
    aqm_picture_color(NAN, b);
    assert_memory_equal(a, b, 3);
    aqm_picture_color(1.0, a);
    aqm_picture_color(7.0, b);
    assert_memory_equal(a, b, 3);
}

static void srgb_and_linear_light_are_inverse(void **state) {
    (void)state;
    for (int i = 0; i < 256; i++)
        assert_int_equal(aqm_srgb_from_linear(aqm_linear_from_srgb((uint8_t)i)), i);
    assert_int_equal(aqm_srgb_from_linear(0.5), 188); /* IEC 61966-2-1 */
}

/* ---- ticks and bars -------------------------------------------------------------------------- */

static void ticks_are_round_numbers_within_the_range(void **state) {
    (void)state;
    static const struct {
        double lo, hi, step;
        const char *first, *last;
    } cases[] = {
        {0.0, 1.0, 0.2, "0.0", "1.0"},         {312.0, 388.0, 20.0, "320", "380"},
        {-0.5, 0.5, 0.2, "\u22120.4", "0.4"},  {0.3101, 0.3106, 0.0001, "0.3101", "0.3106"},
        {-900.0, 4000.0, 1000.0, "0", "4000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const AqmTicks ticks = aqm_ticks_choose(cases[i].lo, cases[i].hi, 5);
        char first[32], last[32];
        aqm_tick_label(&ticks, 0, first);
        aqm_tick_label(&ticks, ticks.count - 1, last);
        assert_true(fabs(ticks.step - cases[i].step) < 1e-9 * cases[i].step);
        assert_string_equal(first, cases[i].first);
        assert_string_equal(last, cases[i].last);
    }
}

/* Pixels of a row, from column `from` on, that are exactly this colour. */
static int count_in_row(const AqmImage *image, int y, int from, uint32_t color, int *first) {
    int count = 0;
    for (int x = from; x < image->width; x++)
        if (pixel(image, x, y) == color && count++ == 0)
            *first = x;
    return count;
}

static void the_scale_bar_is_right_to_a_pixel(void **state) {
    (void)state;
    static const struct {
        double px_per_m, max_px, length_m;
        int length_px;
    } cases[] = {{1234.5, 250.0, 0.2, 247},
                 {333.3, 100.0, 0.2, 67},
                 {100.0, 100.0, 1.0, 100},
                 {81000.0, 90.0, 0.001, 81},
                 {3.0, 100.0, 20.0, 60}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const AqmScaleBar bar = aqm_scale_bar_choose(cases[i].px_per_m, cases[i].max_px);
        AqmCanvas canvas;
        AqmImage *image = NULL;
        int first = -1;
        assert_true(fabs(bar.length_m - cases[i].length_m) < 1e-12);
        assert_int_equal(aqm_canvas_create(&canvas, 300, 60, NULL), AQM_OK);
        aqm_draw_scale_bar(&canvas, &bar, 20, 50, 0x222222, 14);
        assert_int_equal(aqm_canvas_finish(&canvas, &image, NULL), AQM_OK);
        assert_int_equal(count_in_row(image, 51, 0, 0x222222, &first), cases[i].length_px);
        assert_int_equal(first, 20);
        aqm_image_destroy(&image);
    }
}

static void text_that_is_not_utf8_is_drawn_all_the_same(void **state) {
    (void)state;
    AqmCanvas canvas;
    AqmImage *image = NULL;
    assert_int_equal(aqm_canvas_create(&canvas, 200, 40, NULL), AQM_OK);
    aqm_canvas_color(&canvas, 0, 1.0);
    assert_true(aqm_canvas_text(&canvas, "a\xff\xe0\x80z\xed\xa0\x80\xf5", 10, 20, 16, 0.0) > 40.0);
    assert_int_equal(aqm_canvas_finish(&canvas, &image, NULL), AQM_OK);
    int first = -1, dark = 0;
    for (int y = 0; y < 40; y++)
        dark += count_in_row(image, y, 0, 0x000000, &first);
    assert_true(dark > 5);
    aqm_image_destroy(&image);
}

/* ---- depth ----------------------------------------------------------------------------------- */

enum { MAP_X = 20, MAP_Y = 52 }; /* where the depth panel begins */

static AqmDepthMap *make_map(int width, int height) {
    AqmDepthMap *map = NULL;
    assert_int_equal(aqm_depth_map_create(&map, width, height, NULL), AQM_OK);
    return map;
}

static void known_depths_have_the_colours_of_the_map(void **state) {
    (void)state;
    AqmDepthMap *map = make_map(600, 500);
    for (int i = 0; i < 600 * 500; i++) { /* left near, right deep, a hole at the top */
        map->depth_m[i] = i % 600 < 300 ? 0.2f : 0.4f;
        map->confidence[i] = i % 600 < 300 ? 1.0f : 0.2f;
    }
    for (int x = 0; x < 600; x++) {
        map->depth_m[600 + x] = x % 2 ? INFINITY : NAN;
        map->confidence[600 + x] = NAN;
    }
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_depth(map, "cam", &image, NULL), AQM_OK);
    uint8_t near_rgb[3], deep_rgb[3];
    aqm_picture_color(1.0, near_rgb);
    aqm_picture_color(0.0, deep_rgb);
    const int right = MAP_X + 600 + 12 + 18 + 86;
    assert_int_equal(image->width, right + 600 + 12 + 18 + 86);
    assert_int_equal(image->height, MAP_Y + 500 + 46);
    assert_int_equal(pixel(image, MAP_X + 10, MAP_Y + 250), aqm_pixel(near_rgb));
    assert_int_equal(pixel(image, MAP_X + 299, MAP_Y + 499), aqm_pixel(near_rgb));
    assert_int_equal(pixel(image, MAP_X + 300, MAP_Y + 499), aqm_pixel(deep_rgb));
    for (int x = 0; x < 600; x += 7) {
        assert_int_equal(pixel(image, MAP_X + x, MAP_Y + 1), 0xcdcdcd);
        assert_int_equal(pixel(image, right + x, MAP_Y + 1), 0x000000);
    }
    assert_int_equal(pixel(image, right + 299, MAP_Y + 9), 0xffffff);
    assert_int_equal(pixel(image, right + 300, MAP_Y + 9), 0x333333);
    aqm_image_destroy(&image);
    aqm_depth_map_destroy(&map);
}

static void large_maps_are_reduced_and_small_ones_magnified(void **state) {
    (void)state;
    static const int cases[][4] = {{1600, 1200, 800, 600}, {1601, 7, 801, 4}, {2001, 30, 667, 10},
                                   {320, 240, 640, 480},   {1, 1, 480, 480},  {480, 20, 480, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmDepthMap *map = make_map(cases[i][0], cases[i][1]);
        AqmImage *image = NULL;
        assert_int_equal(aqm_picture_depth(map, "cam", &image, NULL), AQM_OK);
        assert_int_equal(image->width, 20 + 2 * (cases[i][2] + 12 + 18 + 86));
        assert_int_equal(image->height, 52 + cases[i][3] + 46);
        assert_int_equal(pixel(image, MAP_X + cases[i][2] / 2, MAP_Y + cases[i][3] / 2), 0xcdcdcd);
        aqm_image_destroy(&image);
        aqm_depth_map_destroy(&map);
    }
}

static void a_reduced_pixel_is_the_mean_of_what_is_known(void **state) {
    (void)state;
    AqmDepthMap *map = make_map(1600, 400);
    for (int i = 0; i < 1600 * 400; i++)
        map->depth_m[i] = i % 1600 < 800 ? 0.2f : 0.4f;
    /* blocks of 2 x 2: one half known, one three quarters unknown, one with a mixture */
    map->depth_m[0] = map->depth_m[1] = NAN;
    map->depth_m[2] = map->depth_m[3] = map->depth_m[1602] = NAN;
    map->depth_m[4] = map->depth_m[5] = 0.4f;
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_depth(map, "cam", &image, NULL), AQM_OK);
    uint8_t near_rgb[3], middle_rgb[3];
    aqm_picture_color(1.0, near_rgb);
    aqm_picture_color(0.5, middle_rgb);
    assert_int_equal(pixel(image, MAP_X, MAP_Y), aqm_pixel(near_rgb));
    assert_int_equal(pixel(image, MAP_X + 1, MAP_Y), 0xcdcdcd);
    assert_int_equal(pixel(image, MAP_X + 2, MAP_Y), aqm_pixel(middle_rgb));
    aqm_image_destroy(&image);
    aqm_depth_map_destroy(&map);
}

/* ---- scene ----------------------------------------------------------------------------------- */

/* A level rectangle 0.4 m x 0.2 m, 0.3 m below the water at Z = 1, in two triangles, all one
 * colour; and behind it, deeper, a third triangle that must not show. */
static AqmMesh *make_mesh(double tilt) {
    static const float corners[7][3] = {{0.0f, 0.0f, 1.3f}, {0.4f, 0.0f, 1.3f}, {0.4f, 0.2f, 1.3f},
                                        {0.0f, 0.2f, 1.3f}, {0.1f, 0.0f, 1.5f}, {0.3f, 0.0f, 1.5f},
                                        {0.2f, 0.2f, 1.5f}};
    static const uint32_t triangles[9] = {4, 5, 6, 0, 1, 2, 0, 2, 3};
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, 7, 3, NULL), AQM_OK);
    memcpy(mesh->position, corners, sizeof corners);
    memcpy(mesh->triangles, triangles, sizeof triangles);
    for (size_t v = 0; v < 7; v++) {
        mesh->position[3 * v + 2] += (float)(tilt * (double)mesh->position[3 * v]);
        mesh->normal[3 * v + 2] = -1.0f;
        mesh->color[3 * v] = v < 4 ? 200 : 10;
        mesh->color[3 * v + 1] = v < 4 ? 100 : 20;
        mesh->color[3 * v + 2] = v < 4 ? 50 : 30;
    }
    return mesh;
}

enum { SCENE_X = 104, SCENE_Y = 64 };

static void a_scene_shows_depth_and_colours_where_they_are(void **state) {
    (void)state;
    AqmMesh *mesh = make_mesh(0.1); /* 300 mm at X = 0, 340 mm at X = 0.4 */
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_scene(mesh, 1.0, &image, NULL), AQM_OK);
    /* 732 px for 0.4 m; the range runs from 300.2 to 339.8 mm (0.5 % at each end) */
    const int right = SCENE_X + 760 + 16 + 22 + 124;
    assert_int_equal(image->width, right + 760 + 28);
    assert_int_equal(image->height, 64 + 394 + 84);
    for (int step = 0; step < 4; step++) {
        const int x = 14 + 100 + 150 * step;
        const double depth = 300.0 + 40.0 * (x - 14 + 0.5) / 732.0;
        AqmColorMap map;
        aqm_color_map_make(&map);
        const uint32_t seen = pixel(image, SCENE_X + x, SCENE_Y + 100);
        int nearest = -1;
        for (int i = 0; i < AQM_COLOR_MAP_SIZE; i++)
            if (aqm_pixel(map.rgb[i]) == seen)
                nearest = i;
        assert_true(nearest >= 0 && abs(nearest - (int)(255.0 * (339.8 - depth) / 39.6)) <= 1);
        assert_int_equal(pixel(image, right + x, SCENE_Y + 100), 0xc86432);
    }
    assert_int_equal(pixel(image, SCENE_X + 13, SCENE_Y + 200), 0xeceef0); /* beside the mesh */
    assert_int_equal(pixel(image, right + 14, SCENE_Y + 14), 0xc86432);    /* its first pixel */
    int first = -1; /* 0.3 * 760 px is 125 mm: the bar is 10 cm, 183 px */
    assert_int_equal(count_in_row(image, SCENE_Y + 394 + 60, right, 0x222222, &first), 183);
    assert_int_equal(first + 183, right + 760);
    aqm_image_destroy(&image);
    aqm_mesh_destroy(&mesh);
}

static void slopes_that_face_the_light_are_lighter(void **state) {
    (void)state;
    double light[3];
    for (int k = 0; k < 3; k++) { /* down to the left, level, down to the right */
        AqmMesh *mesh = make_mesh(0.0);
        AqmImage *image = NULL;
        for (size_t v = 0; v < 7; v++)
            mesh->normal[3 * v] = 0.3f * (float)(k - 1), mesh->normal[3 * v + 2] = -0.954f;
        assert_int_equal(aqm_picture_scene(mesh, 1.0, &image, NULL), AQM_OK);
        const uint8_t *rgb = (const uint8_t *)image->data + 200 * image->stride + 3 * 400;
        double lab[3];
        aqm_oklab_from_srgb(rgb, lab);
        light[k] = lab[0];
        aqm_image_destroy(&image);
        aqm_mesh_destroy(&mesh);
    }
    assert_true(light[0] > light[1] + 0.03 && light[1] > light[2] + 0.03);
}

static void a_mesh_without_area_is_no_scene(void **state) {
    (void)state;
    AqmMesh *mesh = make_mesh(0.0);
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    for (size_t v = 0; v < 7; v++)
        mesh->position[3 * v + 1] = 0.0f;
    assert_int_equal(aqm_picture_scene(mesh, 1.0, &image, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "3 triangles"));
    mesh->position[1] = NAN;
    assert_int_equal(aqm_picture_scene(mesh, 1.0, &image, NULL), AQM_ERROR_NO_DATA);
    assert_null(image);
    aqm_mesh_destroy(&mesh);
}

/* ---- rig ------------------------------------------------------------------------------------- */

static AqmView look_down(double x, double y) {
    return (AqmView){.width = 640,
                     .height = 480,
                     .fx = 600,
                     .fy = 600,
                     .cx = 319.5,
                     .cy = 239.5,
                     .R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                     .t = {-x, -y, 0},
                     .C = {x, y, 0},
                     .water_z = 1.0,
                     .n = 1.333};
}

static void a_rig_shows_water_surface_and_cameras(void **state) {
    (void)state;
    const AqmView views[2] = {look_down(0.0, 0.1), look_down(0.4, 0.1)};
    const AqmPictureCamera cameras[2] = {{&views[0], "left", false}, {&views[1], "right", true}};
    AqmMesh *mesh = make_mesh(0.0);
    AqmImage *image = NULL;
    assert_int_equal(aqm_picture_rig(cameras, 2, mesh, &image, NULL), AQM_OK);
    /* longest extent: Z from 0 to 1.5, padded by 0.15 on both sides: 820 px for 1.8 m */
    const double scale = 820.0 / 1.8;
    const int width = (int)ceil(0.75 * scale), side_x = 92 + width + 104;
    assert_int_equal(image->width, side_x + width + 28);
    assert_int_equal(image->height, 56 + 820 + 76);
    /* the water line, 1.5 px wide, and white above it; the camera's dot, filled and hollow */
    const int water_y = 56 + (int)(1.15 * scale);
    const uint32_t above = pixel(image, side_x + 3, water_y - 4);
    const uint32_t below = pixel(image, side_x + 3, water_y + 4);
    assert_int_equal(above, 0xffffff);
    assert_int_equal(below, 0xeaf2f8);
    const double left_x = (0.2 - 0.375); /* left edge of both views, metres */
    const int y = 56 + (int)(0.15 * scale);
    assert_int_equal(pixel(image, side_x + (int)((0.0 - left_x) * scale), y), 0xb5362c);
    assert_int_equal(pixel(image, side_x + (int)((0.4 - left_x) * scale), y), 0xffffff);
    aqm_image_destroy(&image);
    assert_int_equal(aqm_picture_rig(cameras, 1, NULL, &image, NULL), AQM_OK);
    aqm_image_destroy(&image);
    assert_int_equal(aqm_picture_rig(cameras, 0, NULL, &image, NULL), AQM_ERROR_ARGUMENT);
    assert_null(image);
    aqm_mesh_destroy(&mesh);
}

/* ---- robustness ------------------------------------------------------------------------------ */

static AqmStatus draw_one(int which, const AqmMesh *mesh, const AqmDepthMap *map,
                          AqmImage **image) {
    const AqmView view = look_down(0.2, 0.1);
    const AqmPictureCamera camera = {&view, "cam", false};
    return which == 0   ? aqm_picture_depth(map, "cam", image, NULL)
           : which == 1 ? aqm_picture_scene(mesh, 1.0, image, NULL)
                        : aqm_picture_rig(&camera, 1, mesh, image, NULL);
}

static void every_failed_allocation_is_survived_without_a_leak(void **state) {
    (void)state;
    AqmMesh *mesh = make_mesh(0.0);
    AqmDepthMap *map = make_map(40, 30);
    const size_t before = aqm_alloc_count().live_bytes;
    for (int which = 0; which < 3; which++) {
        size_t n = 1;
        for (AqmStatus status = AQM_ERROR_MEMORY; status != AQM_OK; n++) {
            AqmImage *image = NULL;
            aqm_alloc_fail_from(n);
            status = draw_one(which, mesh, map, &image);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !image));
            aqm_image_destroy(&image);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 3);
    }
    aqm_depth_map_destroy(&map);
    aqm_mesh_destroy(&mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_colour_map_rises_in_equal_steps),
        cmocka_unit_test(the_colour_map_needs_no_clipping),
        cmocka_unit_test(colours_beyond_the_ends_are_those_of_the_ends),
        cmocka_unit_test(srgb_and_linear_light_are_inverse),
        cmocka_unit_test(ticks_are_round_numbers_within_the_range),
        cmocka_unit_test(the_scale_bar_is_right_to_a_pixel),
        cmocka_unit_test(text_that_is_not_utf8_is_drawn_all_the_same),
        cmocka_unit_test(known_depths_have_the_colours_of_the_map),
        cmocka_unit_test(large_maps_are_reduced_and_small_ones_magnified),
        cmocka_unit_test(a_reduced_pixel_is_the_mean_of_what_is_known),
        cmocka_unit_test(a_scene_shows_depth_and_colours_where_they_are),
        cmocka_unit_test(slopes_that_face_the_light_are_lighter),
        cmocka_unit_test(a_mesh_without_area_is_no_scene),
        cmocka_unit_test(a_rig_shows_water_surface_and_cameras),
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cairo_debug_reset_static_data(); /* its caches of fonts are no leaks */
    return failures;
}
