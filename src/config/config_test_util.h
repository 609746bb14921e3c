/* A configuration file in a folder of the test's own, and what reading it says. */
#ifndef AQM_CONFIG_CONFIG_TEST_UTIL_H
#define AQM_CONFIG_CONFIG_TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/config.h"

#define BASE "calibration_path: c.json\noutput_dir: out\ncamera_input_map: {a: va, b: vb}\n"

static char folder[64], file[96];

static inline int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "config_test.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/c.yaml", folder);
    return 0;
}

static inline int remove_folder(void **state) {
    (void)state;
    unlink(file);
    return rmdir(folder);
}

typedef struct Heard {
    char text[8192];
} Heard;

static inline void hear(void *user, AqmLogLevel level, const char *message) {
    Heard *heard = user;
    const size_t length = strlen(heard->text);
    snprintf(heard->text + length, sizeof heard->text - length, "%d %s\n", (int)level, message);
}

static inline void put(const char *text, size_t size) {
    FILE *out = fopen(file, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* Reads `text` as a configuration with one override (or NULL). */
static inline AqmStatus read_with(const char *text, const char *override, Heard *heard,
                                  AqmConfig **config, AqmDiag *diag) {
    put(text, strlen(text));
    const AqmLog log = {hear, heard};
    return aqm_config_read(file, &override, override != NULL, heard ? &log : NULL, config, diag);
}

static inline AqmConfig *read_good(const char *text, const char *override) {
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(read_with(text, override, NULL, &config, &diag), AQM_OK);
    assert_string_equal(diag.message, "");
    return config;
}

#endif
