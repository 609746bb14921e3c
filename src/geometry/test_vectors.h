/* Tests only: reading the reference vectors (AquaCal and OpenCV in double). */
#ifndef AQM_GEOMETRY_TEST_VECTORS_H
#define AQM_GEOMETRY_TEST_VECTORS_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL (with a line that says so) where the shared folder is not there; json_decref it. */
static inline json_t *load_vectors(void) {
    const char *shared = getenv("AQUAMVS_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/vectors/refraction_vectors.json", shared ? shared : ".");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        printf("skipped: no reference vectors at %s (set AQUAMVS_SHARED)\n", path);
    return root;
}

/* Numbers of a (nested) array, row by row; how many there were. */
static inline size_t read_numbers(const json_t *value, double *out, size_t capacity) {
    if (json_is_number(value)) {
        if (capacity > 0)
            *out = json_number_value(value);
        return 1;
    }
    size_t count = 0, index;
    json_t *item;
    json_array_foreach(value, index, item) {
        count += read_numbers(item, out + count, count < capacity ? capacity - count : 0);
    }
    return count;
}

static inline double number_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

#endif
