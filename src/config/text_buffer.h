/* Text that grows. The first failure to allocate sticks and is reported once, at the end. */
#ifndef AQM_CONFIG_TEXT_BUFFER_H
#define AQM_CONFIG_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct AqmTextBuffer {
    char *text; /* NUL-terminated once something was added; free with aqm_free */
    size_t length, capacity;
    bool failed;
} AqmTextBuffer;

void aqm_text_add(AqmTextBuffer *buffer, const char *text);
void aqm_text_add_n(AqmTextBuffer *buffer, const char *text, size_t length);
void aqm_text_addf(AqmTextBuffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
