/* One value of the configuration: set from YAML, and written as YAML, as the option table says. */
#ifndef AQM_CONFIG_CONFIG_VALUES_H
#define AQM_CONFIG_CONFIG_VALUES_H

#include "config/config_options.h"
#include "config/text_buffer.h"
#include "config/yaml.h"

/* Where a value comes from, for messages. */
typedef struct AqmValueSource {
    const char *file;     /* NULL where it does not come from a file */
    const char *override; /* "section.key=value" of --set, or NULL */
    const char *folder;   /* relative paths are taken from here: with its slash, or "" */
} AqmValueSource;

/* Checks `node` and stores it; on failure the configuration keeps the old value. CONFIG errors read
 * "file:line:column: section.key: what; allowed: ...", or "--set section.key=value: ...". */
AqmStatus aqm_value_set(AqmConfig *config, const AqmOption *option, const AqmYamlNode *node,
                        const AqmValueSource *source, AqmDiag *diag);
/* The same from a text as --set gives it: paths verbatim, all else as YAML. */
AqmStatus aqm_value_set_text(AqmConfig *config, const AqmOption *option, const char *text,
                             const AqmValueSource *source, AqmDiag *diag);

/* Adds the value as YAML; CONFIG if a path cannot be written as YAML (not UTF-8). The memory of
 * the buffer is the caller's to check. */
AqmStatus aqm_value_write(const AqmConfig *config, const AqmOption *option, const char *relative_to,
                          AqmTextBuffer *buffer, AqmDiag *diag);

/* A check across keys that failed for the value of `option`. */
AqmStatus aqm_value_fail(const AqmValueSource *source, const AqmOption *option, int line,
                         int column, AqmDiag *diag, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* "" if a camera may have this name, else what is wrong with it. */
const char *aqm_camera_name_defect(const char *name);

#endif
