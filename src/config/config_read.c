/* Reads config.yaml: the file, then the overrides, then the checks across keys, then the preset. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/config_paths.h"
#include "config/config_values.h"
#include "config/utf8.h"
#include "config/yaml.h"

enum {
    FILE_BYTES_MAX = 4 << 20, /* a thousand cameras fit in a tenth of it */
    MERGES_MAX = 64           /* maps taken in with "<<": a guard against maps of maps of maps */
};

/* Who gave an option its value, and where. */
typedef struct Given {
    bool given;
    int line, column;     /* in the file */
    const char *override; /* or by this */
} Given;

typedef struct Reader {
    AqmConfig *config;
    const char *path;
    char *folder;
    const AqmLog *log;
    Given *given; /* one for each option */
    int merges;
    AqmDiag *diag;
} Reader;

/* ---- the file ---------------------------------------------------------------------------------
 */

static AqmStatus read_bytes(int file, const char *path, AqmTextBuffer *text, AqmDiag *diag) {
    char block[16384];
    for (;;) {
        const ssize_t count = read(file, block, sizeof block);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return aqm_fail(diag, AQM_ERROR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (count == 0)
            break;
        aqm_text_add_n(text, block, (size_t)count);
        if (text->failed)
            return aqm_fail_memory(diag, path, text->length, 1);
        if (text->length > FILE_BYTES_MAX)
            return aqm_fail(diag, AQM_ERROR_CONFIG,
                            "%s: larger than %d MiB: this is not a configuration", path,
                            FILE_BYTES_MAX >> 20);
    }
    return AQM_OK;
}

static AqmStatus fail_not_text(const char *path, const char *text, size_t at, AqmDiag *diag) {
    int line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return aqm_fail(diag, AQM_ERROR_CONFIG, "%s:%d:%d: byte 0x%02x: this is not UTF-8 text", path,
                    line, column, (unsigned)(unsigned char)text[at]);
}

static AqmStatus read_file(const char *path, AqmTextBuffer *text, AqmDiag *diag) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return aqm_fail(diag, AQM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const AqmStatus status = read_bytes(file, path, text, diag);
    close(file);
    AQM_TRY(status);
    const size_t good = aqm_utf8_valid_length(text->text ? text->text : "", text->length);
    const char *zero = good > 0 ? memchr(text->text, 0, good) : NULL;
    if (zero || good < text->length)
        return fail_not_text(path, text->text, zero ? (size_t)(zero - text->text) : good, diag);
    return AQM_OK;
}

/* ---- the tree ---------------------------------------------------------------------------------
 */

static void warn_unknown(const Reader *reader, const char *section, const AqmYamlNode *key) {
    char near_name[AQM_OPTION_NAME_MAX] = "";
    const AqmOption *nearest = aqm_option_nearest(section, key->text);
    if (nearest)
        aqm_option_name(nearest, near_name);
    aqm_log(reader->log, AQM_LOG_WARNING, "%s:%d:%d: unknown key %s%s%.80s is ignored%s%s%s",
            reader->path, key->line, key->column, section, *section ? "." : "", key->text,
            nearest ? "; did you mean " : "", near_name, nearest ? "?" : "");
}

static AqmStatus apply_map(Reader *reader, const char *section, const AqmYamlNode *map);

static AqmStatus fail_at(const Reader *reader, const AqmYamlNode *node, const char *what) {
    return aqm_fail(reader->diag, AQM_ERROR_CONFIG, "%s:%d:%d: %s", reader->path, node->line,
                    node->column, what);
}

/* "<<": the value is a map, or a list of maps, whose keys count where the map does not have them.
 */
static AqmStatus apply_merge(Reader *reader, const char *section, const AqmYamlNode *value) {
    if (++reader->merges > MERGES_MAX)
        return fail_at(reader, value, "too many maps are merged with '<<'");
    if (value->kind == AQM_YAML_MAP)
        return apply_map(reader, section, value);
    if (value->kind != AQM_YAML_LIST)
        return fail_at(reader, value, "'<<' wants a map");
    AqmYamlNode items[MERGES_MAX];
    size_t count = 0;
    for (void *at = NULL; count < MERGES_MAX && aqm_yaml_next(value, &at, NULL, &items[count]);)
        count++;
    /* The first map of the list wins, so it is applied last. */
    while (count-- > 0)
        AQM_TRY(apply_merge(reader, section, &items[count]));
    return AQM_OK;
}

static AqmStatus apply_section(Reader *reader, const AqmYamlNode *key, const AqmYamlNode *value) {
    if (value->kind == AQM_YAML_NULL)
        return AQM_OK;
    if (value->kind != AQM_YAML_MAP)
        return aqm_fail(reader->diag, AQM_ERROR_CONFIG,
                        "%s:%d:%d: %s: is a section; `key: value` lines are expected below it",
                        reader->path, value->line, value->column, key->text);
    return apply_map(reader, key->text, value);
}

static AqmStatus apply_pair(Reader *reader, const char *section, const AqmYamlNode *key,
                            const AqmYamlNode *value) {
    const AqmOption *option = aqm_option_find(section, key->text);
    if (!option && *section == '\0' && aqm_option_is_section(key->text))
        return apply_section(reader, key, value);
    if (!option) {
        warn_unknown(reader, section, key);
        return AQM_OK;
    }
    const AqmValueSource source = {.file = reader->path, .folder = reader->folder};
    AQM_TRY(aqm_value_set(reader->config, option, value, &source, reader->diag));
    reader->given[aqm_option_index(option)] =
        (Given){.given = true, .line = value->line, .column = value->column};
    return AQM_OK;
}

static AqmStatus apply_map(Reader *reader, const char *section, const AqmYamlNode *map) {
    AqmYamlNode key, value;
    for (void *at = NULL; aqm_yaml_next(map, &at, &key, &value);)
        if (key.kind == AQM_YAML_SCALAR && strcmp(key.text, "<<") == 0)
            AQM_TRY(apply_merge(reader, section, &value));
    for (void *at = NULL; aqm_yaml_next(map, &at, &key, &value);) {
        if (key.kind != AQM_YAML_SCALAR)
            return fail_at(reader, &key, "a key that is no word");
        if (strcmp(key.text, "<<") != 0)
            AQM_TRY(apply_pair(reader, section, &key, &value));
    }
    return AQM_OK;
}

static AqmStatus apply_file(Reader *reader, const AqmTextBuffer *text) {
    AqmYaml *yaml = NULL;
    AQM_TRY(aqm_yaml_create(&yaml, text->text ? text->text : "", text->length, reader->path, true,
                            reader->diag));
    const AqmYamlNode root = aqm_yaml_root(yaml);
    AqmStatus status;
    if (root.kind == AQM_YAML_NULL)
        status = aqm_fail(reader->diag, AQM_ERROR_CONFIG,
                          "%s: is empty; `aquamvs init` writes a configuration", reader->path);
    else if (root.kind != AQM_YAML_MAP)
        status = aqm_fail(reader->diag, AQM_ERROR_CONFIG,
                          "%s:%d:%d: not a configuration: `key: value` lines are expected",
                          reader->path, root.line, root.column);
    else
        status = apply_map(reader, "", &root);
    aqm_yaml_destroy(&yaml);
    return status;
}

/* ---- overrides --------------------------------------------------------------------------------
 */

/* The option of that full name, or NULL with a message that begins with `source`. */
static const AqmOption *find_by_name(const char *name, size_t length, const char *source,
                                     AqmDiag *diag) {
    char section[AQM_OPTION_NAME_MAX] = "", near_name[AQM_OPTION_NAME_MAX] = "";
    if (length < sizeof section)
        memcpy(section, name, length);
    char *dot = strchr(section, '.');
    const char *key = dot ? dot + 1 : section;
    if (dot)
        *dot = '\0';
    const AqmOption *option = aqm_option_find(dot ? section : "", key);
    if (option)
        return option;
    const AqmOption *nearest = aqm_option_nearest(dot ? section : "", key);
    if (nearest)
        aqm_option_name(nearest, near_name);
    (void)aqm_fail(diag, AQM_ERROR_CONFIG, "%.220s: there is no such key%s%s%s", source,
                   nearest ? "; did you mean " : "", near_name, nearest ? "?" : "");
    return NULL;
}

static AqmStatus apply_override(Reader *reader, const char *override) {
    const char *equals = strchr(override, '=');
    char shown[256];
    snprintf(shown, sizeof shown, "--set %.200s", override);
    if (!equals || equals == override)
        return aqm_fail(reader->diag, AQM_ERROR_CONFIG, "%s: `section.key=value` is expected",
                        shown);
    const AqmOption *option =
        find_by_name(override, (size_t)(equals - override), shown, reader->diag);
    if (!option)
        return AQM_ERROR_CONFIG;
    const AqmValueSource source = {.override = override, .folder = reader->folder};
    AQM_TRY(aqm_value_set_text(reader->config, option, equals + 1, &source, reader->diag));
    reader->given[aqm_option_index(option)] = (Given){.given = true, .override = override};
    return AQM_OK;
}

AqmStatus aqm_config_set(AqmConfig *config, const char *name, const char *value, AqmDiag *diag) {
    const AqmOption *option = find_by_name(name, strlen(name), name, diag);
    if (!option)
        return AQM_ERROR_CONFIG;
    const AqmValueSource source = {.folder = ""};
    AQM_TRY(aqm_value_set_text(config, option, value, &source, diag));
    aqm_config_share_threads(config);
    return AQM_OK;
}

/* ---- across keys ------------------------------------------------------------------------------
 */

static AqmStatus check_required(const Reader *reader) {
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        if (option->flags & AQM_OPTION_REQUIRED && !reader->given[i].given)
            return aqm_fail(reader->diag, AQM_ERROR_CONFIG, "%s: %s is missing: %s", reader->path,
                            option->info.key, option->info.help);
    }
    return AQM_OK;
}

static AqmStatus check_frames(const Reader *reader) {
    const int start = reader->config->preprocessing.frame_start;
    const int stop = reader->config->preprocessing.frame_stop;
    if (stop < 0 || stop > start)
        return AQM_OK;
    const AqmOption *option = aqm_option_find("preprocessing", "frame_stop");
    const Given *given = &reader->given[aqm_option_index(option)];
    const AqmValueSource source = {.file = reader->path, .override = given->override};
    return aqm_value_fail(&source, option, given->line, given->column, reader->diag,
                          "%d leaves no frame: frame_start is %d; allowed: null or above that",
                          stop, start);
}

static AqmStatus fill_preset(const Reader *reader) {
    bool *keep = aqm_calloc(aqm_option_count(), sizeof *keep);
    if (!keep)
        return aqm_fail_memory(reader->diag, "the preset", aqm_option_count(), sizeof *keep);
    for (size_t i = 0; i < aqm_option_count(); i++)
        keep[i] = reader->given[i].given;
    const AqmPreset preset = reader->config->quality_preset;
    if (aqm_config_fill_preset(reader->config, preset, keep)) {
        size_t length;
        const AqmOption *option = aqm_option_find("", "quality_preset");
        const char *word = aqm_words_at(option->info.type, (size_t)preset, &length);
        aqm_log(
            reader->log, AQM_LOG_WARNING,
            "quality_preset %.*s changes nothing: all its keys are set in %s or with --set, and "
            "what you wrote stays; remove their lines there to have its numbers",
            (int)length, word, reader->path);
    }
    aqm_free(keep);
    return AQM_OK;
}

static AqmStatus read_all(Reader *reader, AqmTextBuffer *text, const char *const *overrides,
                          size_t override_count) {
    AQM_TRY(read_file(reader->path, text, reader->diag));
    reader->config->path = aqm_strdup(reader->path);
    reader->folder = aqm_path_folder(reader->path);
    reader->given = aqm_calloc(aqm_option_count(), sizeof *reader->given);
    if (!reader->config->path || !reader->folder || !reader->given)
        return aqm_fail_memory(reader->diag, "a configuration", aqm_option_count(),
                               sizeof *reader->given);
    AQM_TRY(apply_file(reader, text));
    for (size_t i = 0; i < override_count; i++)
        AQM_TRY(apply_override(reader, overrides[i]));
    AQM_TRY(check_required(reader));
    AQM_TRY(check_frames(reader));
    AQM_TRY(fill_preset(reader));
    aqm_config_share_threads(reader->config);
    return AQM_OK;
}

AqmStatus aqm_config_read(const char *path, const char *const *overrides, size_t override_count,
                          const AqmLog *log, AqmConfig **out, AqmDiag *diag) {
    *out = NULL;
    AqmConfig *config = NULL;
    AQM_TRY(aqm_config_create(&config, diag));
    Reader reader = {.config = config, .path = path, .log = log, .diag = diag};
    AqmTextBuffer text = {0};
    const AqmStatus status = read_all(&reader, &text, overrides, override_count);
    aqm_free(text.text);
    aqm_free(reader.folder);
    aqm_free(reader.given);
    if (status == AQM_OK)
        *out = config;
    else
        aqm_config_destroy(&config);
    return status;
}
