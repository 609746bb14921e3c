#include "io/base64.h"

static char *put_group(unsigned bits, char *text) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int shift = 18; shift >= 0; shift -= 6)
        *text++ = letters[bits >> shift & 63];
    return text;
}

char *aqm_base64_put(AqmBase64 *state, const void *data, size_t size, char *text) {
    const unsigned char *p = data;
    unsigned bits = state->bits;
    int count = state->count;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | p[i];
        if (++count == 3) {
            text = put_group(bits, text);
            bits = 0;
            count = 0;
        }
    }
    *state = (AqmBase64){bits, count};
    return text;
}

char *aqm_base64_end(AqmBase64 *state, char *text) {
    if (state->count > 0) {
        text = put_group(state->bits << 8 * (3 - state->count), text);
        for (int i = state->count; i < 3; i++)
            text[i - 3] = '=';
    }
    *state = (AqmBase64){0};
    return text;
}
