#include "config/utf8.h"

#include <stdbool.h>

/* Overlong forms, surrogates and what lies beyond U+10FFFF: told by the first two bytes. */
static bool is_forbidden(unsigned char first, unsigned char second) {
    return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
           (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) || first > 0xf4;
}

static size_t length_from(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc2)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t aqm_utf8_length(const char *text, size_t size) {
    const unsigned char *c = (const unsigned char *)text;
    const size_t length = size > 0 ? length_from(c[0]) : 0;
    if (length == 0 || length > size || (length > 1 && is_forbidden(c[0], c[1])))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t aqm_utf8_valid_length(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        const size_t length = aqm_utf8_length(text + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}
