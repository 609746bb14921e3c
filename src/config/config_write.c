/* The configuration as YAML. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_paths.h"
#include "config/config_values.h"
#include "config/numbers.h"
#include "config/utf8.h"

static const void *field_of(const AqmConfig *config, const AqmOption *option) {
    return (const char *)config + option->offset;
}

/* Words that YAML would read as something other than text. */
static bool needs_quotes(const char *text) {
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
    double number;
    if (*text == '\0' || strspn(text, safe) != strlen(text) || *text == '-' ||
        aqm_parse_real(text, &number) || strcmp(text, ".") == 0)
        return true;
    char lower[8] = "";
    for (size_t i = 0; i < sizeof lower - 1 && text[i]; i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    return strlen(text) <= 5 &&
           aqm_words_find("null|true|false|yes|no|on|off|y|n|.nan|.inf|...", lower) >= 0;
}

static AqmStatus write_text(AqmTextBuffer *buffer, const char *text, AqmDiag *diag) {
    if (!needs_quotes(text)) {
        aqm_text_add(buffer, text);
        return AQM_OK;
    }
    aqm_text_add(buffer, "\"");
    for (const char *c = text; *c;) {
        const size_t length = aqm_utf8_length(c, strlen(c));
        if (length == 0)
            return aqm_fail(diag, AQM_ERROR_CONFIG,
                            "'%.200s' is not UTF-8 and cannot be written in a configuration", text);
        if (*c == '"' || *c == '\\')
            aqm_text_addf(buffer, "\\%c", *c);
        else if ((unsigned char)*c < 32 || *c == 127)
            aqm_text_addf(buffer, "\\x%02x", (unsigned)*c);
        else
            aqm_text_add_n(buffer, c, length);
        c += length;
    }
    aqm_text_add(buffer, "\"");
    return AQM_OK;
}

static AqmStatus write_path(AqmTextBuffer *buffer, const char *path, const char *relative_to,
                            AqmDiag *diag) {
    if (!path) {
        aqm_text_add(buffer, "null");
        return AQM_OK;
    }
    char *shown = aqm_path_relative(path, relative_to);
    if (!shown)
        return aqm_fail_memory(diag, "a path", strlen(path), 1);
    const AqmStatus status = write_text(buffer, shown, diag);
    aqm_free(shown);
    return status;
}

static void write_real(AqmTextBuffer *buffer, double value) {
    char text[AQM_REAL_TEXT_MAX];
    aqm_format_real(value, text);
    aqm_text_add(buffer, text);
}

static void write_reals(AqmTextBuffer *buffer, const double *values, size_t count) {
    aqm_text_add(buffer, "[");
    for (size_t i = 0; i < count; i++) {
        aqm_text_add(buffer, i ? ", " : "");
        write_real(buffer, values[i]);
    }
    aqm_text_add(buffer, "]");
}

static void write_flags(AqmTextBuffer *buffer, unsigned bits) {
    const char *separator = "";
    aqm_text_add(buffer, "[");
    for (size_t i = 0; i < aqm_words_count(AQM_VIZ_STAGE_WORDS); i++) {
        size_t length;
        const char *word = aqm_words_at(AQM_VIZ_STAGE_WORDS, i, &length);
        if (!(bits >> i & 1u))
            continue;
        aqm_text_add(buffer, separator);
        aqm_text_add_n(buffer, word, length);
        separator = ", ";
    }
    aqm_text_add(buffer, "]");
}

static AqmStatus write_cameras(AqmTextBuffer *buffer, const AqmConfig *config,
                               const char *relative_to, AqmDiag *diag) {
    aqm_text_add(buffer, config->input_count ? "" : "{}");
    for (size_t i = 0; i < config->input_count; i++) {
        aqm_text_add(buffer, "\n  ");
        AQM_TRY(write_text(buffer, config->inputs[i].camera, diag));
        aqm_text_add(buffer, ": ");
        AQM_TRY(write_path(buffer, config->inputs[i].path, relative_to, diag));
    }
    return AQM_OK;
}

static void write_range(AqmTextBuffer *buffer, const AqmConfig *config) {
    const AqmDepthRange *range = &config->reconstruction.depth_range;
    if (config->reconstruction.has_depth_range)
        write_reals(buffer, (const double[]){range->min_m, range->max_m}, 2);
    else
        aqm_text_add(buffer, "null");
}

static void write_choice(AqmTextBuffer *buffer, const AqmOption *option, const void *field) {
    int index;
    memcpy(&index, field, sizeof index);
    size_t length;
    const char *word = aqm_words_at(option->info.type, (size_t)index, &length);
    aqm_text_add_n(buffer, word, length);
}

static void write_int(AqmTextBuffer *buffer, const AqmOption *option, int value) {
    if (option->flags & AQM_OPTION_NULLABLE && value == option->null_value)
        aqm_text_add(buffer, "null");
    else
        aqm_text_addf(buffer, "%d", value);
}

AqmStatus aqm_value_write(const AqmConfig *config, const AqmOption *option, const char *relative_to,
                          AqmTextBuffer *buffer, AqmDiag *diag) {
    const void *field = field_of(config, option);
    switch (option->kind) {
    case AQM_OPTION_BOOL:
        aqm_text_add(buffer, *(const bool *)field ? "true" : "false");
        break;
    case AQM_OPTION_INT:
        write_int(buffer, option, *(const int *)field);
        break;
    case AQM_OPTION_FLOAT:
        write_real(buffer, *(const double *)field);
        break;
    case AQM_OPTION_PATH:
        return write_path(buffer, *(char *const *)field, relative_to, diag);
    case AQM_OPTION_CHOICE:
        write_choice(buffer, option, field);
        break;
    case AQM_OPTION_FLAGS:
        write_flags(buffer, *(const unsigned *)field);
        break;
    case AQM_OPTION_RADII:
        if (config->reconstruction.bpa_radii)
            write_reals(buffer, config->reconstruction.bpa_radii,
                        config->reconstruction.bpa_radius_count);
        else
            aqm_text_add(buffer, "null");
        break;
    case AQM_OPTION_RANGE:
        write_range(buffer, config);
        break;
    case AQM_OPTION_CAMERAS:
        return write_cameras(buffer, config, relative_to, diag);
    }
    return AQM_OK;
}

static AqmStatus write_all(const AqmConfig *config, const char *relative_to, AqmTextBuffer *buffer,
                           AqmDiag *diag) {
    const char *section = "";
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        if (strcmp(section, option->info.section) != 0) {
            section = option->info.section;
            aqm_text_addf(buffer, "%s:\n", section);
        }
        const bool breaks = option->kind == AQM_OPTION_CAMERAS && config->input_count > 0;
        aqm_text_addf(buffer, "%s%s:%s", *section ? "  " : "", option->info.key, breaks ? "" : " ");
        AQM_TRY(aqm_value_write(config, option, relative_to, buffer, diag));
        aqm_text_add(buffer, "\n");
    }
    return AQM_OK;
}

AqmStatus aqm_config_to_yaml(const AqmConfig *config, const char *relative_to, char **text,
                             AqmDiag *diag) {
    *text = NULL;
    AqmTextBuffer buffer = {0};
    AqmStatus status = write_all(config, relative_to, &buffer, diag);
    if (status == AQM_OK && buffer.failed)
        status = aqm_fail_memory(diag, "the configuration's text", buffer.capacity, 1);
    if (status == AQM_OK)
        *text = buffer.text;
    else
        aqm_free(buffer.text);
    return status;
}
