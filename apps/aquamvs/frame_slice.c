#include "frame_slice.h"

#include <stdlib.h>

/* A number of a slice: digits up to `end`, or nothing (then *value stays). */
static bool parse_part(const char **text, int *value) {
    char *end;
    const long number = strtol(*text, &end, 10);
    if (**text == ':' || **text == '\0')
        return true;
    if (**text < '0' || **text > '9' || (*end != ':' && *end != '\0') || number > 1000000000)
        return false;
    *value = (int)number;
    *text = end;
    return true;
}

bool parse_frame_slice(const char *text, int *start, int *stop, int *step) {
    int parts[3] = {0, -1, 1}, count = 0;
    for (;; text++) {
        if (count == 3 || !parse_part(&text, &parts[count]))
            return false;
        count++;
        if (*text == '\0')
            break;
    }
    if (count == 1)
        parts[1] = parts[0] + 1;
    *start = parts[0], *stop = parts[1], *step = parts[2];
    return parts[2] >= 1 && (parts[1] < 0 || parts[1] > parts[0]);
}
