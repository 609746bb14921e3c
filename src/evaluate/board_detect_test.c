#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/charuco.h"
#include "base/alloc.h"
#include "math/homography.h"
#include "math/rng.h"
#include "math/stats.h"

enum { WIDTH = 480, HEIGHT = 360 };
static const AqmBoard board = {8, 6, 0.03, 0.022, AQM_DICTIONARY_4X4_50, false};

/* Where the outer corners of the board lie, px: tilted and turned. */
static const double place[4][2] = {{70.3, 60.8}, {402.1, 38.4}, {431.7, 291.2}, {52.9, 318.5}};
static const double outline[4][2] = {{0, 0}, {0.24, 0}, {0.24, 0.18}, {0, 0.18}};

typedef struct Shot {
    double image_from_board[9], board_from_image[9];
    double noise; /* of 255 */
    const AqmBoard *board;
    bool (*hides)(double x, double y); /* of the board's frame; NULL: nothing is hidden */
} Shot;

static Shot take(void) {
    Shot shot = {.noise = 1.5, .board = &board};
    assert_true(aqm_homography_fit(outline, place, 4, shot.image_from_board));
    assert_true(aqm_homography_fit(place, outline, 4, shot.board_from_image));
    return shot;
}

/* Light at a point of the image: white board, black squares, gray ground, a gradient over all. */
static double light_at(const Shot *shot, double u, double v) {
    double q[2];
    const double shade = 0.8 + 0.2 * u / WIDTH;
    (void)aqm_homography_apply(shot->board_from_image, (const double[2]){u, v}, q);
    const double w = shot->board->squares_x * 0.03, h = shot->board->squares_y * 0.03;
    if (q[0] < -0.01 || q[1] < -0.01 || q[0] > w + 0.01 || q[1] > h + 0.01)
        return 110.0 * shade;
    if (shot->hides && shot->hides(q[0], q[1]))
        return 60.0 * shade;
    return (aqm_board_is_white(shot->board, q[0], q[1]) ? 205.0 : 30.0) * shade;
}

/* Blurred by a Gauss of 0.7 px: its quantiles in u and v. */
static AqmImage *render(const Shot *shot, int channels, AqmSampleType type) {
    static const double spread[9] = {-1.115, -0.677, -0.413, -0.198, 0.0,
                                     0.198,  0.413,  0.677,  1.115};
    AqmImage *image = NULL;
    AqmRng rng = aqm_rng(11, 4);
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, channels, type, NULL), AQM_OK);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            double sum = 0.0;
            for (int j = 0; j < 9; j++)
                for (int i = 0; i < 9; i++)
                    sum += light_at(shot, u + spread[i], v + spread[j]);
            const double value = sum / 81.0 + shot->noise * aqm_rng_normal(&rng);
            const double limited = fmin(fmax(value + 0.5, 0.0), 255.0);
            for (int c = 0; c < channels; c++) {
                uint8_t *at = (uint8_t *)image->data + (size_t)v * image->stride +
                              (size_t)(u * channels + c) * (size_t)type;
                if (type == AQM_U8)
                    *at = (uint8_t)limited;
                else
                    *(uint16_t *)(void *)at = (uint16_t)(16.0 * limited);
            }
        }
    return image;
}

static AqmBoardSighting *look(const AqmImage *image, const AqmImageView *mask,
                              const AqmBoard *sought) {
    const AqmImageView view = aqm_image_view(image);
    AqmBoardSighting *seen = NULL;
    AqmDiag diag = {0};
    if (aqm_board_detect(&seen, &view, mask, sought, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    for (size_t i = 1; i < seen->count; i++)
        assert_true(seen->corners[i - 1].index < seen->corners[i].index);
    return seen;
}

/* Median and largest distance from where the corners are. */
static void measure(const Shot *shot, const AqmBoardSighting *seen, double *median,
                    double *largest) {
    double *off = malloc((seen->count + 1) * sizeof *off);
    assert_non_null(off);
    *largest = 0.0;
    for (size_t i = 0; i < seen->count; i++) {
        double xy[2], px[2];
        aqm_board_corner(shot->board, seen->corners[i].index, xy);
        (void)aqm_homography_apply(shot->image_from_board, xy, px);
        off[i] = hypot(seen->corners[i].u - px[0], seen->corners[i].v - px[1]);
        *largest = fmax(*largest, off[i]);
    }
    *median = aqm_percentile_f64(off, seen->count, 50.0);
    free(off);
}

static void must_be_within(const Shot *shot, const AqmBoardSighting *seen, double median_px,
                           double largest_px) {
    double median, largest;
    measure(shot, seen, &median, &largest);
    if (!(median < median_px && largest < largest_px))
        fail_msg("median %g px, largest %g px", median, largest);
}

static void all_corners_are_found_to_a_twentieth_of_a_pixel(void **state) {
    (void)state;
    static const struct {
        double noise;
        int channels;
        AqmSampleType type;
    } cases[] = {{0.0, 1, AQM_U8}, {1.5, 3, AQM_U8}, {6.0, 1, AQM_U8}, {1.5, 1, AQM_U16}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        Shot shot = take();
        shot.noise = cases[k].noise;
        AqmImage *image = render(&shot, cases[k].channels, cases[k].type);
        AqmBoardSighting *seen = look(image, NULL, &board);
        assert_int_equal(seen->count, 35);
        assert_int_equal(seen->marker_count, 24);
        must_be_within(&shot, seen, 0.05, 0.15);
        for (size_t i = 0; i < seen->count; i++)
            assert_true(seen->corners[i].sigma_px > 0.0 && seen->corners[i].sigma_px < 0.1);
        aqm_board_sighting_destroy(&seen);
        aqm_image_destroy(&image);
    }
}

static void a_board_of_white_first_and_of_other_codes(void **state) {
    (void)state;
    const AqmBoard other = {8, 6, 0.03, 0.022, AQM_DICTIONARY_6X6_250, true};
    Shot shot = take();
    shot.board = &other;
    AqmImage *image = render(&shot, 1, AQM_U8);
    AqmBoardSighting *seen = look(image, NULL, &other);
    assert_int_equal(seen->count, 35);
    must_be_within(&shot, seen, 0.05, 0.15);
    aqm_board_sighting_destroy(&seen);
    seen = look(image, NULL, &board); /* of which there is no marker */
    assert_int_equal(seen->count, 0);
    assert_int_equal(seen->marker_count, 0);
    assert_true(seen->quad_count > 0);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
}

static bool hides_half(double x, double y) {
    (void)y;
    return x > 0.105;
}

static void what_is_hidden_is_not_found(void **state) {
    (void)state;
    Shot shot = take();
    shot.hides = hides_half;
    AqmImage *image = render(&shot, 1, AQM_U8);
    AqmBoardSighting *seen = look(image, NULL, &board);
    assert_true(seen->count >= 10 && seen->count <= 15);
    for (size_t i = 0; i < seen->count; i++)
        assert_true(seen->corners[i].index % 7 <= 2);
    must_be_within(&shot, seen, 0.06, 0.3);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
}

/* Two markers in three are painted over; the corners beside the others are there. */
static bool hides_markers(double x, double y) {
    const int column = (int)(x / 0.03), row = (int)(y / 0.03);
    const int id = aqm_board_marker_at(&board, column, row);
    const double a = x - 0.03 * column, b = y - 0.03 * row;
    return id >= 0 && id % 3 != 0 && a > 0.006 && a < 0.024 && b > 0.006 && b < 0.024;
}

static void markers_may_be_missing(void **state) {
    (void)state;
    Shot shot = take();
    shot.hides = hides_markers;
    AqmImage *image = render(&shot, 1, AQM_U8);
    AqmBoardSighting *seen = look(image, NULL, &board);
    assert_int_equal(seen->marker_count, 8);
    assert_true(seen->count >= 20 && seen->count < 35);
    must_be_within(&shot, seen, 0.05, 0.2);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
}

/* A marker of the board in the wrong place agrees with none of the others. */
static void a_marker_out_of_place_is_left_out(void **state) {
    (void)state;
    static const AqmBoard longer = {8, 12, 0.03, 0.022, AQM_DICTIONARY_4X4_50, false};
    Shot shot = take();
    AqmImage *image = render(&shot, 1, AQM_U8);
    /* of a board of more rows this is the upper half: all fits */
    AqmBoardSighting *seen = look(image, NULL, &longer);
    assert_int_equal(seen->marker_count, 24);
    aqm_board_sighting_destroy(&seen);
    /* of a board of other width the markers are where they should not be: few agree by chance */
    static const AqmBoard wrong = {9, 6, 0.03, 0.022, AQM_DICTIONARY_4X4_50, false};
    seen = look(image, NULL, &wrong);
    assert_true(seen->marker_count <= 8);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
}

static void an_image_without_a_board_has_no_corners(void **state) {
    (void)state;
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    AqmBoardSighting *seen = look(image, NULL, &board); /* black */
    assert_true(seen->count == 0 && seen->quad_count == 0);
    aqm_board_sighting_destroy(&seen);
    AqmRng rng = aqm_rng(5, 5);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++)
        ((uint8_t *)image->data)[i] = (uint8_t)aqm_rng_u32(&rng);
    seen = look(image, NULL, &board); /* noise */
    assert_int_equal(seen->count, 0);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
    assert_int_equal(aqm_image_create(&image, 1, 1, 3, AQM_U16, NULL), AQM_OK);
    seen = look(image, NULL, &board);
    assert_int_equal(seen->count, 0);
    aqm_board_sighting_destroy(&seen);
    aqm_image_destroy(&image);
}

static void a_mask_leaves_corners_out(void **state) {
    (void)state;
    Shot shot = take();
    AqmImage *image = render(&shot, 1, AQM_U8), *mask = NULL, *small = NULL;
    assert_int_equal(aqm_image_create(&mask, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    assert_int_equal(aqm_image_create(&small, 3, 3, 1, AQM_U8, NULL), AQM_OK);
    for (size_t v = 0; v < HEIGHT; v++)
        memset((uint8_t *)mask->data + v * mask->stride, 255, WIDTH / 2);
    const AqmImageView view = aqm_image_view(mask), image_view = aqm_image_view(image);
    AqmBoardSighting *seen = look(image, &view, &board);
    assert_true(seen->count > 5 && seen->count < 30);
    for (size_t i = 0; i < seen->count; i++)
        assert_true(seen->corners[i].u < WIDTH / 2.0);
    aqm_board_sighting_destroy(&seen);
    const AqmImageView wrong = aqm_image_view(small);
    AqmDiag diag = {0};
    assert_int_equal(aqm_board_detect(&seen, &image_view, &wrong, &board, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "3 x 3"));
    AqmBoard bad = board;
    bad.squares_x = 1;
    assert_int_equal(aqm_board_detect(&seen, &image_view, NULL, &bad, NULL), AQM_ERROR_ARGUMENT);
    assert_null(seen);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
    aqm_image_destroy(&small);
}

static void running_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    Shot shot = take();
    AqmImage *image = render(&shot, 1, AQM_U8);
    const AqmImageView view = aqm_image_view(image);
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmBoardSighting *seen = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_board_detect(&seen, &view, NULL, &board, NULL);
        aqm_alloc_fail_from(0);
        assert_true((seen != NULL) == (status == AQM_OK));
        aqm_board_sighting_destroy(&seen);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
    aqm_image_destroy(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_corners_are_found_to_a_twentieth_of_a_pixel),
        cmocka_unit_test(a_board_of_white_first_and_of_other_codes),
        cmocka_unit_test(what_is_hidden_is_not_found),
        cmocka_unit_test(markers_may_be_missing),
        cmocka_unit_test(a_marker_out_of_place_is_left_out),
        cmocka_unit_test(an_image_without_a_board_has_no_corners),
        cmocka_unit_test(a_mask_leaves_corners_out),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
