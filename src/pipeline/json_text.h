/* Text of any bytes as JSON. */
#ifndef AQM_PIPELINE_JSON_TEXT_H
#define AQM_PIPELINE_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* Messages and file names may be any bytes; JSON is UTF-8, so what is not becomes a question mark.
 * NULL when memory is out. */
json_t *aqm_json_text(const char *text, size_t length);

#endif
