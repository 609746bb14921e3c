/* UTF-8, as far as a configuration needs it. */
#ifndef AQM_CONFIG_UTF8_H
#define AQM_CONFIG_UTF8_H

#include <stddef.h>

/* Bytes of the character at `text` (1..4), of which `size` bytes may be read; 0 where it is none.
 */
size_t aqm_utf8_length(const char *text, size_t size);

/* The first byte that belongs to no character; `size` where there is none. */
size_t aqm_utf8_valid_length(const char *text, size_t size);

#endif
