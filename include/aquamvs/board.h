/* ChArUco boards: a chequer board whose white squares carry square markers, so that every corner of
 * its squares has a number even where only a part of the board is seen. Layout, frame of reference
 * and numbers are those of OpenCV (4.6 and later).
 *
 * Frame of the board: origin at its upper left corner, X along the rows of squares, Y down the
 * columns, Z away from whoever reads it; metres. Column 0 of row 0 is black. */
#ifndef AQUAMVS_BOARD_H
#define AQUAMVS_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aquamvs/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* OpenCV's predefined dictionaries of that name. The smaller ones are the first codes of the larger
 * ones. */
typedef enum AqmDictionary {
    AQM_DICTIONARY_4X4_50,
    AQM_DICTIONARY_4X4_100,
    AQM_DICTIONARY_4X4_250,
    AQM_DICTIONARY_5X5_50,
    AQM_DICTIONARY_5X5_100,
    AQM_DICTIONARY_5X5_250,
    AQM_DICTIONARY_6X6_50,
    AQM_DICTIONARY_6X6_100,
    AQM_DICTIONARY_6X6_250
} AqmDictionary;
enum { AQM_DICTIONARY_COUNT = 9 };

/* "4x4_50", ...; of a dictionary that there is. */
AQM_API const char *aqm_dictionary_name(AqmDictionary dictionary);
/* Upper or lower case, with or without "DICT_" before it; false where there is none of the name. */
AQM_API bool aqm_dictionary_find(const char *name, AqmDictionary *out);
/* Codes in it; bits along a side of a marker, without its black frame of one module; bits that may
 * be read wrongly without a marker being taken for another. */
AQM_API int aqm_dictionary_size(AqmDictionary dictionary);
AQM_API int aqm_dictionary_side(AqmDictionary dictionary);
AQM_API int aqm_dictionary_correction(AqmDictionary dictionary);
/* The bits of marker `id` (< size), row by row from the upper left, the first the highest of
 * side * side; 1 = white. */
AQM_API uint64_t aqm_dictionary_code(AqmDictionary dictionary, int id);

enum { AQM_BOARD_SQUARES_MAX = 64 };

typedef struct AqmBoard {
    int squares_x, squares_y; /* 3..64 along a row, down a column */
    double square_m;          /* side of a square, metres, 0.001..10 */
    double marker_m;          /* side of a marker with its black frame; 0.3..0.95 of the square */
    AqmDictionary dictionary;
    /* Boards that OpenCV drew before 4.6 have a white square at the upper left if the number of
     * rows is even; default false. */
    bool is_white_first;
} AqmBoard;

/* ARGUMENT, with the value and what is allowed: also for a board with more white squares than the
 * dictionary has markers. */
AQM_API AQM_NODISCARD AqmStatus aqm_board_validate(const AqmBoard *board, AqmDiag *diag);

/* Inner corners, where four squares meet: (squares_x - 1) (squares_y - 1), row by row. */
AQM_API size_t aqm_board_corner_count(const AqmBoard *board);
/* Where corner `index` (< count) lies, metres. */
AQM_API void aqm_board_corner(const AqmBoard *board, size_t index, double xy[2]);
/* The markers are numbered from 0 in the order of the white squares, row by row. */
AQM_API int aqm_board_marker_count(const AqmBoard *board);
/* The number of the marker in a square; -1 in black ones and outside the board. */
AQM_API int aqm_board_marker_at(const AqmBoard *board, int column, int row);
/* The column and row of marker `id` (< count). */
AQM_API void aqm_board_marker_square(const AqmBoard *board, int id, int square[2]);
/* Is the board white at a place of its frame, metres? Outside its squares it is. */
AQM_API bool aqm_board_is_white(const AqmBoard *board, double x, double y);

#ifdef __cplusplus
}
#endif
#endif
