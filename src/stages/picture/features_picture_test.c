#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "math/rng.h"
#include "stages/picture/canvas.h"
#include "stages/picture/fontconfig_leak.h"

enum { X = 20, Y = 52, BETWEEN = 16 }; /* where panels begin, and what is between two of them */

static uint32_t pixel(const AqmImage *image, int x, int y) {
    return aqm_pixel((const uint8_t *)image->data + (size_t)y * image->stride + 3 * (size_t)x);
}

/* All samples `value`. */
static AqmImage *make_image(int width, int height, int channels, AqmSampleType type, int value) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, width, height, channels, type, NULL), AQM_OK);
    for (int y = 0; y < height; y++)
        for (int i = 0; i < width * channels; i++) {
            uint8_t *row = (uint8_t *)image->data + (size_t)y * image->stride;
            if (type == AQM_U8)
                row[i] = (uint8_t)value;
            else
                ((uint16_t *)(void *)row)[i] = (uint16_t)value;
        }
    return image;
}

static void assert_same_picture(const AqmImage *a, const AqmImage *b) {
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int y = 0; y < a->height; y++)
        assert_memory_equal((const uint8_t *)a->data + (size_t)y * a->stride,
                            (const uint8_t *)b->data + (size_t)y * b->stride, 3 * (size_t)a->width);
}

/* ---- features -------------------------------------------------------------------------------- */

typedef struct Point {
    float u, v, scale, orientation, score;
} Point;

static AqmFeatures *make_features(const Point *points, size_t count) {
    AqmFeatures *features = NULL;
    assert_int_equal(aqm_features_create(&features, count, 1, NULL), AQM_OK);
    for (size_t i = 0; i < count; i++) {
        features->position[2 * i] = points[i].u;
        features->position[2 * i + 1] = points[i].v;
        features->scale[i] = points[i].scale;
        features->orientation[i] = points[i].orientation;
        features->score[i] = points[i].score;
    }
    return features;
}

static AqmImage *draw_points(const AqmImage *image, double full_scale, const Point *points,
                             size_t count) {
    AqmFeatures *features = make_features(points, count);
    const AqmImageView view = aqm_image_view(image);
    AqmImage *picture = NULL;
    assert_int_equal(aqm_picture_features(&view, full_scale, features, "cam", &picture, NULL),
                     AQM_OK);
    aqm_features_destroy(&features);
    return picture;
}

static void a_feature_is_a_circle_with_a_tick_in_the_colour_of_its_score(void **state) {
    (void)state;
    const float s = 28.0f / 1.41421356f; /* radius 28 px */
    const Point points[] = {{100, 200, s, 0.0f, 0.9f},
                            {300, 400, s, 1.57079633f, 0.1f},
                            {500, 100, NAN, NAN, 0.9f},
                            {500, 300, s, NAN, NAN}};
    AqmImage *image = make_image(600, 500, 1, AQM_U8, 255);
    AqmImage *picture = draw_points(image, 255.0, points, 4);
    uint8_t low[3], high[3];
    aqm_picture_color(0.0, low);
    aqm_picture_color(1.0, high);
    assert_int_equal(picture->width, X + 600 + 12 + 18 + 96);
    assert_int_equal(picture->height, Y + 500 + 46);
    static const int around[4][2] = {{28, 0}, {-28, 0}, {0, 28}, {0, -28}};
    for (int k = 0; k < 4; k++) {
        const int x = X + around[k][0], y = Y + around[k][1];
        assert_int_equal(pixel(picture, x + 100, y + 200), aqm_pixel(high));
        assert_int_equal(pixel(picture, x + 300, y + 400), aqm_pixel(low));
        assert_int_equal(pixel(picture, x + 500, y + 100), 0xffffff); /* a dot only */
        assert_int_equal(pixel(picture, x + 500, y + 300), 0xcdcdcd); /* score not known */
        /* half way out: the tick, and nothing elsewhere */
        const int u = X + around[k][0] / 2, v = Y + around[k][1] / 2;
        assert_int_equal(pixel(picture, u + 100, v + 200), k == 0 ? aqm_pixel(high) : 0xffffff);
        assert_int_equal(pixel(picture, u + 300, v + 400), k == 2 ? aqm_pixel(low) : 0xffffff);
        assert_int_equal(pixel(picture, u + 500, v + 300), 0xffffff);
    }
    assert_int_equal(pixel(picture, X + 500, Y + 100), aqm_pixel(high));
    assert_int_equal(pixel(picture, X + 505, Y + 100), 0xffffff);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

static void the_same_photograph_in_any_kind_of_image_gives_the_same_picture(void **state) {
    (void)state;
    static const Point point = {50, 60, 5, 1, 1};
    AqmImage *images[4] = {make_image(500, 90, 1, AQM_U8, 100), make_image(500, 90, 3, AQM_U8, 100),
                           make_image(500, 90, 1, AQM_U16, 25700),
                           make_image(500, 90, 3, AQM_U16, 25700)};
    AqmImage *first = draw_points(images[0], 255.0, &point, 1);
    /* black is drawn as 84: what is dark must not hide dark circles */
    assert_int_equal(pixel(first, X + 300, Y + 40), 0x979797);
    for (int k = 1; k < 4; k++) {
        AqmImage *picture = draw_points(images[k], k < 2 ? 255.0 : 65535.0, &point, 1);
        assert_same_picture(first, picture);
        aqm_image_destroy(&picture);
    }
    aqm_image_destroy(&first);
    AqmImage *brighter = draw_points(images[2], 25700.0, &point, 1); /* white is what is said */
    assert_int_equal(pixel(brighter, X + 300, Y + 40), 0xffffff);
    aqm_image_destroy(&brighter);
    for (int k = 0; k < 4; k++)
        aqm_image_destroy(&images[k]);
}

static void luma_weighs_the_channels(void **state) {
    (void)state;
    AqmImage *image = make_image(500, 90, 3, AQM_U8, 0);
    for (int y = 0; y < 90; y++)
        for (int x = 0; x < 500; x++)
            ((uint8_t *)image->data)[(size_t)y * image->stride + (size_t)(3 * x + x / 200)] = 255;
    AqmImage *picture = draw_points(image, 255.0, NULL, 0);
    static const double weights[3] = {0.299, 0.587, 0.114};
    for (int c = 0; c < 3; c++) {
        const uint32_t gray = (uint32_t)(84.0 + 171.0 * weights[c] + 0.5);
        assert_int_equal(pixel(picture, X + 100 + 200 * c - (c == 2) * 50, Y + 40),
                         gray << 16 | gray << 8 | gray);
    }
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

static void a_reduced_image_has_its_features_where_they_belong(void **state) {
    (void)state;
    static const Point points[] = {{801.5f, 401.5f, NAN, NAN, 1}, {1204.5f, 600.5f, 20, NAN, 1}};
    AqmImage *image = make_image(1600, 1200, 1, AQM_U8, 255);
    for (int y = 0; y < 1200; y++)
        for (int x = 0; x < 1600; x += 2) /* columns, which a block of 2 x 2 averages */
            ((uint8_t *)image->data)[(size_t)y * image->stride + (size_t)x] = 0;
    AqmImage *picture = draw_points(image, 255.0, points, 2);
    const uint32_t gray = 84 + 171 / 2 + 1;
    assert_int_equal(picture->width, X + 800 + 12 + 18 + 96);
    assert_int_equal(pixel(picture, X + 100, Y + 100), gray << 16 | gray << 8 | gray);
    uint8_t middle[3];
    aqm_picture_color(0.5, middle);
    assert_int_equal(pixel(picture, X + 401, Y + 201), aqm_pixel(middle));
    /* radius sqrt(2) * 20 / 2 = 14.1 about (602.5, 300.5) of the panel */
    assert_int_equal(pixel(picture, X + 602 + 14, Y + 300), aqm_pixel(middle));
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

static void the_order_of_features_does_not_matter(void **state) {
    (void)state;
    enum { COUNT = 300 };
    Point points[COUNT], reversed[COUNT];
    AqmRng rng = aqm_rng(7, 1);
    for (int i = 0; i < COUNT; i++) {
        points[i] =
            (Point){500.0f * (float)aqm_rng_uniform(&rng), 200.0f * (float)aqm_rng_uniform(&rng),
                    20.0f * (float)aqm_rng_uniform(&rng), 6.0f * (float)aqm_rng_uniform(&rng),
                    1e-3f * (float)i};
        reversed[COUNT - 1 - i] = points[i];
    }
    AqmImage *image = make_image(500, 200, 1, AQM_U8, 90);
    AqmImage *a = draw_points(image, 255.0, points, COUNT);
    AqmImage *b = draw_points(image, 255.0, reversed, COUNT);
    assert_same_picture(a, b);
    aqm_image_destroy(&a);
    aqm_image_destroy(&b);
    aqm_image_destroy(&image);
}

/* Only the panel: the caption says how many there are. */
static void assert_empty_panel(const AqmImage *picture, int width, int height, uint32_t gray) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            assert_int_equal(pixel(picture, X + x, Y + y), gray);
}

static void features_that_are_nowhere_or_absurd_are_survived(void **state) {
    (void)state;
    static const Point outside[] = {{NAN, 5, 3, 0, 1},        {5, INFINITY, 3, 0, 2},
                                    {-0.51f, 5, 30, 0, 3},    {499.51f, 5, 30, 0, 4},
                                    {1e30f, -1e30f, 1, 0, 5}, {5, -40, NAN, NAN, INFINITY}};
    static const Point absurd[] = {{-0.5f, -0.5f, 1e30f, 1e30f, 1e38f},
                                   {499.5f, 89.5f, INFINITY, INFINITY, -1e38f},
                                   {250, 40, -3, NAN, -INFINITY},
                                   {250, 40, 0, NAN, INFINITY},
                                   {250, 40, 1e-30f, -1e9f, NAN}};
    AqmImage *image = make_image(500, 90, 1, AQM_U8, 255);
    AqmImage *picture = draw_points(image, 255.0, NULL, 0);
    assert_empty_panel(picture, 500, 90, 0xffffff);
    aqm_image_destroy(&picture);
    picture = draw_points(image, 255.0, outside, 6);
    assert_empty_panel(picture, 500, 90, 0xffffff);
    aqm_image_destroy(&picture);
    for (size_t i = 0; i <= 5; i++) { /* alone, and all */
        picture = draw_points(image, 255.0, absurd + i % 5, i == 5 ? 5 : 1);
        aqm_image_destroy(&picture);
    }
    aqm_image_destroy(&image);
    image = make_image(1, 1, 3, AQM_U16, 0);
    picture = draw_points(image, 1.0, absurd, 5);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
    image = make_image(30000, 2, 1, AQM_U8, 0);
    picture = draw_points(image, 1.0, absurd, 5);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

/* ---- matches --------------------------------------------------------------------------------- */

static AqmMatches *make_matches(const float (*ends)[4], size_t count) {
    AqmMatches *matches = NULL;
    assert_int_equal(aqm_matches_create(&matches, count, NULL), AQM_OK);
    matches->count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(matches->first_position + 2 * i, ends[i], 2 * sizeof(float));
        memcpy(matches->second_position + 2 * i, ends[i] + 2, 2 * sizeof(float));
    }
    return matches;
}

static AqmImage *draw_ends(const AqmImage *first, const AqmImage *second, const float (*ends)[4],
                           size_t count) {
    AqmMatches *matches = make_matches(ends, count);
    const AqmImageView a = aqm_image_view(first), b = aqm_image_view(second);
    AqmImage *picture = NULL;
    assert_int_equal(aqm_picture_matches(&a, &b, 255.0, matches, "a", "b", &picture, NULL), AQM_OK);
    aqm_matches_destroy(&matches);
    return picture;
}

/* Rows of the gap between the panels, white else, that a line crosses; level lines at whole v take
 * one row each. `from`..`to`: rows of the images. */
static int count_lines(const AqmImage *picture, int first_width, int from, int to) {
    int count = 0;
    for (int v = from; v < to; v++)
        count += pixel(picture, X + first_width + BETWEEN / 2, Y + v) != 0xffffff;
    return count;
}

static void a_match_is_a_line_between_dots_of_one_colour(void **state) {
    (void)state;
    static const float ends[][4] = {{100, 100, 300, 100}, {500, 300, 40, 300}};
    AqmImage *first = make_image(600, 400, 1, AQM_U8, 255);
    AqmImage *second = make_image(500, 450, 3, AQM_U8, 255);
    AqmImage *picture = draw_ends(first, second, ends, 2);
    const int right = X + 600 + BETWEEN;
    assert_int_equal(picture->width, right + 500 + 20);
    assert_int_equal(picture->height, Y + 450 + 46);
    for (int k = 0; k < 2; k++) {
        const int v = Y + (int)ends[k][1];
        const uint32_t color = pixel(picture, X + (int)ends[k][0], v);
        assert_int_equal(pixel(picture, right + (int)ends[k][2], v), color);
        assert_true(color != 0xffffff);
        const uint32_t line = pixel(picture, X + 550, v);
        assert_true(line != 0xffffff && line != color);
        assert_int_equal(pixel(picture, X + 550, v - 2), 0xffffff);
        assert_int_equal(pixel(picture, X + 608, v), line);
        assert_int_equal(pixel(picture, right + 20, v), line);
        assert_int_equal(pixel(picture, X + 60, v), 0xffffff);
        assert_int_equal(pixel(picture, right + 400, v), 0xffffff);
    }
    assert_true(pixel(picture, X + 100, Y + 100) != pixel(picture, X + 500, Y + 300));
    assert_int_equal(count_lines(picture, 600, 0, 400), 2);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&first);
    aqm_image_destroy(&second);
}

static void of_many_matches_400_are_drawn_all_over_the_first_image(void **state) {
    (void)state;
    enum { COUNT = 900 };
    float ends[COUNT][4];
    AqmRng rng = aqm_rng(3, 9);
    AqmImage *image = make_image(900, 900, 1, AQM_U8, 255);
    for (int i = 0; i < COUNT; i++) {
        ends[i][0] = 899.0f * (float)aqm_rng_uniform(&rng);
        ends[i][1] = ends[i][3] = (float)i;
        ends[i][2] = 450.0f;
    }
    AqmImage *picture = draw_ends(image, image, (const float(*)[4])ends, COUNT);
    assert_int_equal(count_lines(picture, 900, 0, 900), 400);
    for (int third = 0; third < 3; third++) {
        const int count = count_lines(picture, 900, 300 * third, 300 * third + 300);
        assert_in_range(count, 120, 147); /* 133 and a third */
    }
    aqm_image_destroy(&picture);
    /* all but each tenth crowded in a corner: the tenths, in cells of their own, are all drawn */
    for (int i = 0; i < COUNT; i++)
        ends[i][0] = i % 10 == 0 ? 100.0f + (float)(i % 800) : 20.0f * (float)aqm_rng_uniform(&rng);
    picture = draw_ends(image, image, (const float(*)[4])ends, COUNT);
    assert_int_equal(count_lines(picture, 900, 0, 900), 400);
    for (int i = 0; i < COUNT; i += 10)
        assert_int_equal(count_lines(picture, 900, i, i + 1), 1);
    aqm_image_destroy(&picture);
    picture = draw_ends(image, image, (const float(*)[4])ends, 400);
    assert_int_equal(count_lines(picture, 900, 0, 900), 400);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

static void matches_that_are_nowhere_are_not_drawn(void **state) {
    (void)state;
    static const float ends[][4] = {{NAN, 5, 5, 5},       {5, 5, 5, NAN},     {5, 5, INFINITY, 5},
                                    {-0.51f, 5, 5, 5},    {5, 5, 499.51f, 5}, {5, 1e30f, 5, 5},
                                    {5, 5, -1e30f, 1e9f}, {5, 5, 5, 89.51f}};
    static const float border[][4] = {{-0.5f, -0.5f, 499.5f, 89.5f}, {499.5f, 89.5f, -0.5f, -0.5f}};
    AqmImage *image = make_image(500, 90, 1, AQM_U8, 255);
    for (size_t count = 0; count <= 8; count += 8) {
        AqmImage *picture = draw_ends(image, image, ends, count);
        assert_empty_panel(picture, 500, 90, 0xffffff);
        assert_int_equal(count_lines(picture, 500, 0, 90), 0);
        aqm_image_destroy(&picture);
    }
    AqmImage *picture = draw_ends(image, image, border, 2);
    assert_true(count_lines(picture, 500, 0, 90) > 0);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
    image = make_image(65535, 1, 1, AQM_U8, 255);
    picture = draw_ends(image, image, ends, 8);
    aqm_image_destroy(&picture);
    aqm_image_destroy(&image);
}

/* ---- both ------------------------------------------------------------------------------------ */

static const Point two_points[] = {{50, 40, 5, 1, 1}, {150, 40, NAN, 1, 2}};
static const float two_ends[][4] = {{100, 50, 300, 50}, {400, 80, 40, 60}};

/* What is drawn, both of it. */
typedef struct Data {
    AqmImage *image;
    AqmFeatures *features;
    AqmMatches *matches;
} Data;

static Data make_data(void) {
    return (Data){make_image(500, 90, 1, AQM_U8, 100), make_features(two_points, 2),
                  make_matches(two_ends, 2)};
}

static void free_data(Data *data) {
    aqm_image_destroy(&data->image);
    aqm_features_destroy(&data->features);
    aqm_matches_destroy(&data->matches);
}

static AqmStatus draw_one(const Data *data, bool is_features, double full_scale, AqmImage **picture,
                          AqmDiag *diag) {
    const AqmImageView view = aqm_image_view(data->image);
    return is_features ? aqm_picture_features(&view, full_scale, data->features, "a", picture, diag)
                       : aqm_picture_matches(&view, &view, full_scale, data->matches, "a", "b",
                                             picture, diag);
}

static void every_failed_allocation_is_survived_without_a_leak(void **state) {
    (void)state;
    Data data = make_data();
    const size_t before = aqm_alloc_count().live_bytes;
    for (int which = 0; which < 2; which++) {
        size_t n = 1;
        for (AqmStatus status = AQM_ERROR_MEMORY; status != AQM_OK; n++) {
            AqmImage *picture = NULL;
            aqm_alloc_fail_from(n);
            status = draw_one(&data, which, 255.0, &picture, NULL);
            aqm_alloc_fail_from(0);
            assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !picture));
            aqm_image_destroy(&picture);
            assert_int_equal(aqm_alloc_count().live_bytes, before);
        }
        assert_true(n > 4);
    }
    free_data(&data);
}

static void an_image_without_a_white_is_refused(void **state) {
    (void)state;
    static const double wrong[] = {0.0, -1.0, NAN};
    Data data = make_data();
    for (int i = 0; i < 6; i++) {
        AqmImage *picture = data.image;
        AqmDiag diag = {0};
        assert_int_equal(draw_one(&data, i % 2, wrong[i / 2], &picture, &diag), AQM_ERROR_ARGUMENT);
        assert_non_null(strstr(diag.message, "whose white is"));
        assert_null(picture);
    }
    free_data(&data);
}

static void the_same_data_give_the_same_bytes(void **state) {
    (void)state;
    Data data = make_data();
    for (int i = 0; i < 2; i++) {
        AqmImage *a = NULL, *b = NULL;
        assert_int_equal(draw_one(&data, i, 255.0, &a, NULL), AQM_OK);
        assert_int_equal(draw_one(&data, i, 255.0, &b, NULL), AQM_OK);
        assert_same_picture(a, b);
        aqm_image_destroy(&a);
        aqm_image_destroy(&b);
    }
    free_data(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feature_is_a_circle_with_a_tick_in_the_colour_of_its_score),
        cmocka_unit_test(the_same_photograph_in_any_kind_of_image_gives_the_same_picture),
        cmocka_unit_test(luma_weighs_the_channels),
        cmocka_unit_test(a_reduced_image_has_its_features_where_they_belong),
        cmocka_unit_test(the_order_of_features_does_not_matter),
        cmocka_unit_test(features_that_are_nowhere_or_absurd_are_survived),
        cmocka_unit_test(a_match_is_a_line_between_dots_of_one_colour),
        cmocka_unit_test(of_many_matches_400_are_drawn_all_over_the_first_image),
        cmocka_unit_test(matches_that_are_nowhere_are_not_drawn),
        cmocka_unit_test(an_image_without_a_white_is_refused),
        cmocka_unit_test(the_same_data_give_the_same_bytes),
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cairo_debug_reset_static_data(); /* its caches of fonts are no leaks */
    return failures;
}
