#include "io/calibration_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/file_read.h"

enum { VALUE_TEXT_MAX = 80 };

/* "file" or "file: camera "cam02"", then the sentence. */
static void compose(const AqmJsonPlace *place, char *text, size_t size, const char *format,
                    va_list arguments) {
    int used = place->camera[0] == '\0'
                   ? snprintf(text, size, "%s: ", place->path)
                   : snprintf(text, size, "%s: camera \"%s\": ", place->path, place->camera);
    if (used < 0 || (size_t)used >= size)
        return;
    vsnprintf(text + used, size - (size_t)used, format, arguments);
}

AqmStatus aqm_json_fail(const AqmJsonPlace *place, const char *format, ...) {
    char text[AQM_DIAG_MAX];
    va_list arguments;
    va_start(arguments, format);
    compose(place, text, sizeof text, format, arguments);
    va_end(arguments);
    return aqm_fail(place->diag, AQM_ERROR_FORMAT, "%s", text);
}

void aqm_json_warn(const AqmJsonPlace *place, const char *format, ...) {
    char text[AQM_DIAG_MAX];
    va_list arguments;
    va_start(arguments, format);
    compose(place, text, sizeof text, format, arguments);
    va_end(arguments);
    aqm_log(place->log, AQM_LOG_WARNING, "%s", text);
}

/* Copies JSON text, putting quotes around the bare words NaN and Infinity (with their sign).
 * `out` must have room for 2 * size + 1 bytes; returns the length. */
static size_t quote_bare_words(const char *text, size_t size, char *out) {
    static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
    size_t used = 0;
    bool in_string = false;
    for (size_t i = 0; i < size;) {
        size_t length = 0;
        for (size_t w = 0; !in_string && length == 0 && w < 3; w++)
            if (strncmp(text + i, words[w], strlen(words[w])) == 0)
                length = strlen(words[w]);
        if (length > 0) {
            out[used++] = '"';
            memcpy(out + used, text + i, length);
            used += length;
            out[used++] = '"';
            i += length;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < size)
            out[used++] = text[i++];
        else if (text[i] == '"')
            in_string = !in_string;
        out[used++] = text[i++];
    }
    out[used] = '\0';
    return used;
}

static AqmStatus parse(const char *path, const char *text, size_t size, json_t **out,
                       AqmDiag *diag) {
    char *quoted = aqm_alloc(size + 1, 2);
    if (!quoted)
        return aqm_fail_memory(diag, path, size + 1, 2);
    json_error_t error;
    const size_t length = quote_bare_words(text, size, quoted);
    json_t *root = json_loadb(quoted, length, JSON_REJECT_DUPLICATES, &error);
    aqm_free(quoted);
    if (!root)
        return aqm_fail(diag, AQM_ERROR_FORMAT, "%s:%d:%d: this is not complete JSON: %s", path,
                        error.line, error.column, error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return aqm_fail(diag, AQM_ERROR_FORMAT,
                        "%s: this is no calibration: its JSON is not an object", path);
    }
    *out = root;
    return AQM_OK;
}

AqmStatus aqm_json_load(const char *path, json_t **out, AqmDiag *diag) {
    unsigned char *text = NULL;
    size_t size = 0;
    AQM_TRY(aqm_file_read(path, &text, &size, diag));
    AqmStatus status;
    if (size == 0)
        status = aqm_fail(diag, AQM_ERROR_FORMAT, "%s: the file is empty", path);
    else
        status = parse(path, (const char *)text, size, out, diag);
    aqm_free(text);
    return status;
}

/* The value as a person would name it. */
static const char *value_text(const json_t *value, char text[VALUE_TEXT_MAX]) {
    if (!value)
        snprintf(text, VALUE_TEXT_MAX, "missing");
    else if (json_is_number(value))
        snprintf(text, VALUE_TEXT_MAX, "%.9g", json_number_value(value));
    else if (json_is_string(value))
        snprintf(text, VALUE_TEXT_MAX, "\"%.40s\"", json_string_value(value));
    else if (json_is_array(value))
        snprintf(text, VALUE_TEXT_MAX, "a list of %zu", json_array_size(value));
    else
        snprintf(text, VALUE_TEXT_MAX, "%s",
                 json_is_object(value)  ? "an object"
                 : json_is_true(value)  ? "true"
                 : json_is_false(value) ? "false"
                                        : "null");
    return text;
}

AqmStatus aqm_json_object(const AqmJsonPlace *place, const json_t *object, const char *key,
                          const json_t **out) {
    const json_t *value = json_object_get(object, key);
    char text[VALUE_TEXT_MAX];
    if (!json_is_object(value))
        return aqm_json_fail(place, "\"%s\" is %s, must be an object", key,
                             value_text(value, text));
    *out = value;
    return AQM_OK;
}

static bool finite_number(const json_t *value, double *out) {
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return false;
    *out = json_number_value(value);
    return true;
}

AqmStatus aqm_json_number(const AqmJsonPlace *place, const json_t *object, const char *key,
                          double *out) {
    const json_t *value = json_object_get(object, key);
    char text[VALUE_TEXT_MAX];
    if (!finite_number(value, out))
        return aqm_json_fail(place, "\"%s\" is %s, must be a finite number", key,
                             value_text(value, text));
    return AQM_OK;
}

AqmStatus aqm_json_flag(const AqmJsonPlace *place, const json_t *object, const char *key,
                        bool *out) {
    const json_t *value = json_object_get(object, key);
    char text[VALUE_TEXT_MAX];
    *out = json_is_true(value);
    if (value && !json_is_boolean(value) && !json_is_null(value))
        return aqm_json_fail(place, "\"%s\" is %s, must be true or false", key,
                             value_text(value, text));
    return AQM_OK;
}

AqmStatus aqm_json_matrix33(const AqmJsonPlace *place, const json_t *object, const char *key,
                            double out[9]) {
    const json_t *rows = json_object_get(object, key);
    char text[VALUE_TEXT_MAX];
    if (!json_is_array(rows) || json_array_size(rows) != 3)
        return aqm_json_fail(place, "\"%s\" is %s, must be 3 rows of 3 numbers", key,
                             value_text(rows, text));
    for (size_t i = 0; i < 3; i++) {
        const json_t *row = json_array_get(rows, i);
        if (!json_is_array(row) || json_array_size(row) != 3)
            return aqm_json_fail(place, "row %zu of \"%s\" is %s, must be 3 numbers", i, key,
                                 value_text(row, text));
        for (size_t j = 0; j < 3; j++) {
            const json_t *value = json_array_get(row, j);
            if (!finite_number(value, &out[3 * i + j]))
                return aqm_json_fail(place, "%s[%zu][%zu] is %s, must be a finite number", key, i,
                                     j, value_text(value, text));
        }
    }
    return AQM_OK;
}

/* Appends the numbers of a list, and of the lists in it where `nested` allows them. */
static AqmStatus append(const AqmJsonPlace *place, const json_t *list, const char *key, bool nested,
                        size_t room, double *out, size_t *count) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        char text[VALUE_TEXT_MAX];
        if (nested && json_is_array(value)) {
            AQM_TRY(append(place, value, key, false, room, out, count));
            continue;
        }
        if (*count == room)
            return aqm_json_fail(place, "\"%s\" has more than %zu numbers", key, room);
        if (!finite_number(value, &out[*count]))
            return aqm_json_fail(place, "%s[%zu] is %s, must be a finite number", key, *count,
                                 value_text(value, text));
        ++*count;
    }
    return AQM_OK;
}

AqmStatus aqm_json_vector(const AqmJsonPlace *place, const json_t *object, const char *key,
                          size_t room, double *out, size_t *count) {
    const json_t *list = json_object_get(object, key);
    char text[VALUE_TEXT_MAX];
    if (!json_is_array(list))
        return aqm_json_fail(place, "\"%s\" is %s, must be a list of numbers", key,
                             value_text(list, text));
    *count = 0;
    return append(place, list, key, true, room, out, count);
}
