#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/board.h"

static const AqmBoard usual = {12, 9, 0.03, 0.022, AQM_DICTIONARY_4X4_100, false};

static uint64_t turned(uint64_t code, int side) {
    uint64_t out = 0;
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++) {
            const int from = i * side + (side - 1 - j);
            out = out << 1 | (code >> (side * side - 1 - from) & 1u);
        }
    return out;
}

static int bits_between(uint64_t a, uint64_t b) {
    return __builtin_popcountll(a ^ b);
}

/* What is corrected must be less than half of the distance between any two codes, in any turn, and
 * between a code and its own turns. A digit wrong in a table would break it, most likely. */
static void codes_are_as_far_apart_as_their_correction_needs(void **state) {
    (void)state;
    for (int d = 0; d < AQM_DICTIONARY_COUNT; d++) {
        const AqmDictionary dictionary = (AqmDictionary)d;
        const int side = aqm_dictionary_side(dictionary), size = aqm_dictionary_size(dictionary);
        int least = 64;
        for (int a = 0; a < size; a++) {
            uint64_t code = aqm_dictionary_code(dictionary, a);
            assert_true(side == 8 || code >> (side * side) == 0);
            for (int turn = 0; turn < 4; turn++, code = turned(code, side))
                for (int b = a; b < size; b++) {
                    const int bits = bits_between(code, aqm_dictionary_code(dictionary, b));
                    if ((a != b || turn > 0) && bits < least)
                        least = bits;
                }
        }
        assert_int_equal((least - 1) / 2, aqm_dictionary_correction(dictionary));
    }
}

static void dictionaries_are_found_by_name(void **state) {
    (void)state;
    AqmDictionary found = AQM_DICTIONARY_4X4_50;
    assert_true(aqm_dictionary_find("5x5_100", &found));
    assert_int_equal(found, AQM_DICTIONARY_5X5_100);
    assert_true(aqm_dictionary_find("DICT_6X6_250", &found));
    assert_int_equal(found, AQM_DICTIONARY_6X6_250);
    assert_string_equal(aqm_dictionary_name(found), "6x6_250");
    assert_false(aqm_dictionary_find("4x4", &found) || aqm_dictionary_find("", &found));
    assert_int_equal(found, AQM_DICTIONARY_6X6_250);
}

/* Markers stand in the white squares, numbered row by row, whatever the sides are. */
static void markers_are_numbered_row_by_row(void **state) {
    (void)state;
    for (int x = 3; x <= 6; x++)
        for (int y = 3; y <= 6; y++)
            for (int first = 0; first < 2; first++) {
                const AqmBoard board = {x, y, 0.03, 0.02, AQM_DICTIONARY_4X4_50, first == 1};
                int next = 0;
                for (int row = 0; row < y; row++)
                    for (int column = 0; column < x; column++) {
                        const int id = aqm_board_marker_at(&board, column, row);
                        const bool is_white = (column + row) % 2 == (first ? 0 : 1);
                        assert_int_equal(id, is_white ? next : -1);
                        if (!is_white)
                            continue;
                        int square[2];
                        aqm_board_marker_square(&board, id, square);
                        assert_true(square[0] == column && square[1] == row);
                        next++;
                    }
                assert_int_equal(next, aqm_board_marker_count(&board));
                assert_int_equal(aqm_board_marker_at(&board, -1, 0), -1);
                assert_int_equal(aqm_board_marker_at(&board, 0, y), -1);
            }
}

static void corners_are_where_squares_meet(void **state) {
    (void)state;
    double xy[2];
    assert_int_equal(aqm_board_corner_count(&usual), 88);
    aqm_board_corner(&usual, 0, xy);
    assert_true(fabs(xy[0] - 0.03) < 1e-12 && fabs(xy[1] - 0.03) < 1e-12);
    aqm_board_corner(&usual, 87, xy);
    assert_true(fabs(xy[0] - 0.33) < 1e-12 && fabs(xy[1] - 0.24) < 1e-12);
}

static void the_print_is_black_and_white_where_it_should_be(void **state) {
    (void)state;
    assert_false(aqm_board_is_white(&usual, 0.001, 0.001));        /* the first square */
    assert_true(aqm_board_is_white(&usual, 0.031, 0.001));         /* the rim of a white one */
    assert_false(aqm_board_is_white(&usual, 0.034 + 1e-4, 0.015)); /* the frame of its marker */
    assert_true(aqm_board_is_white(&usual, -0.001, 0.01));         /* beside the board */
    assert_true(aqm_board_is_white(&usual, 0.361, 0.01));
    /* the bits of marker 0 of this dictionary: 1011 0101 0011 0010 */
    static const char *const bits[4] = {"1011", "0101", "0011", "0010"};
    const double module = 0.022 / 6.0;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++)
            assert_int_equal(
                aqm_board_is_white(&usual, 0.034 + (i + 1.5) * module, 0.004 + (j + 1.5) * module),
                bits[j][i] == '1');
}

static void refuse(AqmBoard board, const char *words) {
    AqmDiag diag = {0};
    assert_int_equal(aqm_board_validate(&board, &diag), AQM_ERROR_ARGUMENT);
    if (!strstr(diag.message, words))
        fail_msg("'%s' lacks '%s'", diag.message, words);
}

static void boards_that_cannot_be_are_refused(void **state) {
    (void)state;
    AqmBoard board = usual;
    assert_int_equal(aqm_board_validate(&board, NULL), AQM_OK);
    board.dictionary = AQM_DICTIONARY_4X4_50;
    refuse(board, "has 54 markers, dictionary 4x4_50 has 50");
    board = usual, board.squares_x = 2;
    refuse(board, "2 x 9");
    board = usual, board.squares_y = 65;
    refuse(board, "12 x 65");
    board = usual, board.square_m = 0.0;
    refuse(board, "squares of 0 m");
    board = usual, board.square_m = (double)NAN;
    refuse(board, "squares of");
    board = usual, board.marker_m = 0.03;
    refuse(board, "markers of 0.03 m");
    board = usual, board.dictionary = (AqmDictionary)9;
    refuse(board, "dictionary 9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_as_far_apart_as_their_correction_needs),
        cmocka_unit_test(dictionaries_are_found_by_name),
        cmocka_unit_test(markers_are_numbered_row_by_row),
        cmocka_unit_test(corners_are_where_squares_meet),
        cmocka_unit_test(the_print_is_black_and_white_where_it_should_be),
        cmocka_unit_test(boards_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
