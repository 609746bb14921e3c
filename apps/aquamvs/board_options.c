#include "board_options.h"

#include <stdio.h>

int cli_board(const char *verb, const CliBoard *given, AqmBoard *board) {
    char rest;
    if (given->squares &&
        sscanf(given->squares, "%3dx%3d%c", &board->squares_x, &board->squares_y, &rest) != 2)
        return cli_fail(verb, "--board: '%s' is not like 12x9", given->squares);
    if (!given->dictionary || aqm_dictionary_find(given->dictionary, &board->dictionary))
        return CLI_NEXT;
    const char *names[AQM_DICTIONARY_COUNT];
    for (int i = 0; i < AQM_DICTIONARY_COUNT; i++)
        names[i] = aqm_dictionary_name((AqmDictionary)i);
    const char *nearest = cli_nearest(given->dictionary, names, AQM_DICTIONARY_COUNT);
    return cli_fail(verb, "--dictionary: '%s' is none of 4x4, 5x5, 6x6 with _50, _100, _250%s%s%s",
                    given->dictionary, nearest ? "; did you mean " : "", nearest ? nearest : "",
                    nearest ? "?" : "");
}
