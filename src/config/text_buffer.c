#include "config/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static bool reserve(AqmTextBuffer *buffer, size_t more) {
    const size_t needed = buffer->length + more + 1;
    if (buffer->failed || needed <= buffer->capacity)
        return !buffer->failed;
    const size_t capacity = needed + needed / 2 + 256;
    char *grown = aqm_realloc(buffer->text, capacity, 1);
    buffer->failed = grown == NULL;
    if (grown) {
        buffer->text = grown;
        buffer->capacity = capacity;
    }
    return grown != NULL;
}

void aqm_text_add_n(AqmTextBuffer *buffer, const char *text, size_t length) {
    if (!reserve(buffer, length))
        return;
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void aqm_text_add(AqmTextBuffer *buffer, const char *text) {
    aqm_text_add_n(buffer, text, strlen(text));
}

void aqm_text_addf(AqmTextBuffer *buffer, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text)
        buffer->failed = true;
    else
        aqm_text_add_n(buffer, text, (size_t)length);
}
