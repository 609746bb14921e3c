/* The layout of a ChArUco board: where its corners and its markers are. */
#include "aquamvs/board.h"

#include <assert.h>
#include <math.h>

#include "base/diag.h"

static bool is_white_square(const AqmBoard *board, int column, int row) {
    return (column + row) % 2 == (board->is_white_first ? 0 : 1);
}

AqmStatus aqm_board_validate(const AqmBoard *board, AqmDiag *diag) {
    const int x = board->squares_x, y = board->squares_y;
    if (x < 3 || y < 3 || x > AQM_BOARD_SQUARES_MAX || y > AQM_BOARD_SQUARES_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a board of %d x %d squares: must be 3..%d each way", x, y,
                        AQM_BOARD_SQUARES_MAX);
    if (!(board->square_m >= 0.001 && board->square_m <= 10.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a board with squares of %g m: must be in 0.001..10", board->square_m);
    if (!(board->marker_m >= 0.3 * board->square_m && board->marker_m <= 0.95 * board->square_m))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a board with markers of %g m in squares of %g m: must be 0.3..0.95 of it",
                        board->marker_m, board->square_m);
    if ((int)board->dictionary < 0 || (int)board->dictionary >= AQM_DICTIONARY_COUNT)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "dictionary %d: must be 0..%d",
                        (int)board->dictionary, AQM_DICTIONARY_COUNT - 1);
    const int needed = aqm_board_marker_count(board), size = aqm_dictionary_size(board->dictionary);
    if (needed > size)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a board of %d x %d squares has %d markers, dictionary %s has %d", x, y,
                        needed, aqm_dictionary_name(board->dictionary), size);
    return AQM_OK;
}

size_t aqm_board_corner_count(const AqmBoard *board) {
    return (size_t)(board->squares_x - 1) * (size_t)(board->squares_y - 1);
}

void aqm_board_corner(const AqmBoard *board, size_t index, double xy[2]) {
    const size_t columns = (size_t)board->squares_x - 1;
    assert(index < aqm_board_corner_count(board));
    xy[0] = board->square_m * (double)(index % columns + 1);
    xy[1] = board->square_m * (double)(index / columns + 1);
}

int aqm_board_marker_count(const AqmBoard *board) {
    const int squares = board->squares_x * board->squares_y;
    /* of an odd number of squares one more is like the first */
    return board->is_white_first ? (squares + 1) / 2 : squares / 2;
}

/* White squares in the rows before `row`, and in it before `column`. */
static int white_before(const AqmBoard *board, int column, int row) {
    const int index = row * board->squares_x + column;
    if (board->squares_x % 2 != 0) /* the colours alternate from one row to the next, too */
        return board->is_white_first ? (index + 1) / 2 : index / 2;
    const int first = is_white_square(board, 0, row) ? 1 : 0;
    return row * (board->squares_x / 2) + (column + first) / 2;
}

int aqm_board_marker_at(const AqmBoard *board, int column, int row) {
    if (column < 0 || row < 0 || column >= board->squares_x || row >= board->squares_y ||
        !is_white_square(board, column, row))
        return -1;
    return white_before(board, column, row);
}

void aqm_board_marker_square(const AqmBoard *board, int id, int square[2]) {
    assert(id >= 0 && id < aqm_board_marker_count(board));
    /* two squares hold one marker: it is in the one or the other */
    for (int index = 2 * id; index <= 2 * id + 1; index++) {
        const int column = index % board->squares_x, row = index / board->squares_x;
        if (aqm_board_marker_at(board, column, row) == id) {
            square[0] = column, square[1] = row;
            return;
        }
    }
    assert(false);
}

bool aqm_board_is_white(const AqmBoard *board, double x, double y) {
    const int column = (int)floor(x / board->square_m), row = (int)floor(y / board->square_m);
    if (column < 0 || row < 0 || column >= board->squares_x || row >= board->squares_y)
        return true;
    const int id = aqm_board_marker_at(board, column, row);
    if (id < 0)
        return false;
    const int side = aqm_dictionary_side(board->dictionary);
    const double inset = 0.5 * (board->square_m - board->marker_m);
    const double module = board->marker_m / (side + 2);
    const int i = (int)floor((x - column * board->square_m - inset) / module) - 1;
    const int j = (int)floor((y - row * board->square_m - inset) / module) - 1;
    if (i < -1 || j < -1 || i > side || j > side)
        return true;
    if (i < 0 || j < 0 || i == side || j == side)
        return false; /* its frame */
    return aqm_dictionary_code(board->dictionary, id) >> (side * side - 1 - j * side - i) & 1u;
}
