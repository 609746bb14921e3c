/* The options that describe a ChArUco board, of the verbs that take one. */
#ifndef AQUAMVS_BOARD_OPTIONS_H
#define AQUAMVS_BOARD_OPTIONS_H

#include <aquamvs/board.h>

#include "cli.h"

typedef struct CliBoard {
    const char *squares;    /* --board: "12x9"; NULL: not given */
    const char *dictionary; /* --dictionary; NULL: not given */
} CliBoard;

/* Sets what was given; CLI_NEXT, or the exit status after a sentence. */
int cli_board(const char *verb, const CliBoard *given, AqmBoard *board);

#endif
