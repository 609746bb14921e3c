/* Values of a calibration file, read with sentences for what is wrong. */
#ifndef AQM_IO_CALIBRATION_JSON_H
#define AQM_IO_CALIBRATION_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* What is being read, for the sentences: file, camera ("" where it is not about one). */
typedef struct AqmJsonPlace {
    const char *path, *camera;
    const AqmLog *log;
    AqmDiag *diag;
} AqmJsonPlace;

/* The file as JSON. Python writes NaN and Infinity, which JSON does not have: they come as strings
 * here, so that the place that asks for a number can name what it found. */
AqmStatus aqm_json_load(const char *path, json_t **out, AqmDiag *diag);

/* FORMAT (or a warning in the log), with file and camera put before the sentence. */
AqmStatus aqm_json_fail(const AqmJsonPlace *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void aqm_json_warn(const AqmJsonPlace *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Members of `object` by key. All are FORMAT errors where the key is missing or its value is not
 * what it should be; aqm_json_flag gives false for a missing key. */
AqmStatus aqm_json_object(const AqmJsonPlace *place, const json_t *object, const char *key,
                          const json_t **out);
AqmStatus aqm_json_number(const AqmJsonPlace *place, const json_t *object, const char *key,
                          double *out);
AqmStatus aqm_json_flag(const AqmJsonPlace *place, const json_t *object, const char *key,
                        bool *out);
AqmStatus aqm_json_matrix33(const AqmJsonPlace *place, const json_t *object, const char *key,
                            double out[9]);
/* A list of numbers, or a list of such lists (a row or a column), of at most `room` numbers. */
AqmStatus aqm_json_vector(const AqmJsonPlace *place, const json_t *object, const char *key,
                          size_t room, double *out, size_t *count);

#endif
