/* Base64 (RFC 4648), of bytes that come in pieces. */
#ifndef AQM_IO_BASE64_H
#define AQM_IO_BASE64_H

#include <stddef.h>

/* Bytes that do not make a group of three yet. */
typedef struct AqmBase64 {
    unsigned bits;
    int count; /* 0..2 */
} AqmBase64;

/* Characters that `size` more bytes can give, at most. */
#define AQM_BASE64_ROOM(size) (((size) + 2) / 3 * 4 + 4)

/* Writes the groups that are complete with these bytes; returns the end. No '\0'. */
char *aqm_base64_put(AqmBase64 *state, const void *data, size_t size, char *text);
/* The last group, padded with '='; at most 4 characters. */
char *aqm_base64_end(AqmBase64 *state, char *text);

#endif
