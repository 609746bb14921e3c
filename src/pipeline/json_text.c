#include "pipeline/json_text.h"

#include <string.h>

#include "base/alloc.h"
#include "config/utf8.h"

json_t *aqm_json_text(const char *text, size_t length) {
    char *copy = aqm_alloc(length + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    for (size_t at = aqm_utf8_valid_length(copy, length); at < length;
         at += aqm_utf8_valid_length(copy + at, length - at))
        copy[at] = '?';
    json_t *string = json_stringn(copy, length);
    aqm_free(copy);
    return string;
}
