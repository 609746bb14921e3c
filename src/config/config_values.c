#include "config/config_values.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_paths.h"
#include "config/numbers.h"

_Static_assert(sizeof(AqmCost) == sizeof(int) && sizeof(AqmMatcher) == sizeof(int),
               "choices are stored as int");

typedef struct Setting {
    AqmConfig *config;
    const AqmOption *option;
    const AqmValueSource *source;
    AqmDiag *diag;
} Setting;

static void *field_of(AqmConfig *config, const AqmOption *option) {
    return (char *)config + option->offset;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

AqmStatus aqm_value_fail(const AqmValueSource *source, const AqmOption *option, int line,
                         int column, AqmDiag *diag, const char *format, ...) {
    char what[AQM_DIAG_MAX / 2], name[AQM_OPTION_NAME_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    aqm_option_name(option, name);
    if (source && source->override)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "--set %.200s: %s", source->override, what);
    if (source && source->file && line > 0)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s:%d:%d: %s: %s", source->file, line, column,
                        name, what);
    if (source && source->file)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s: %s: %s", source->file, name, what);
    return aqm_fail(diag, AQM_ERROR_CONFIG, "%s: %s", name, what);
}

static void describe(const AqmYamlNode *node, char text[96]) {
    const char *const words[] = {"null", "", "a list", "a map", "an unreadable value"};
    if (node->kind != AQM_YAML_SCALAR) {
        snprintf(text, 96, "%s", words[node->kind]);
        return;
    }
    char clipped[64];
    size_t length = 0;
    for (; node->text[length] && length < sizeof clipped - 1; length++) {
        const unsigned char c = (unsigned char)node->text[length];
        clipped[length] = c < 32 || c == 127 ? '?' : (char)c;
    }
    clipped[length] = '\0';
    snprintf(text, 96, "'%s%s'", clipped, node->text[length] ? "..." : "");
}

/* "<value> <complaint>; allowed: <range or words>[ or null]" */
static AqmStatus reject(const Setting *setting, const AqmYamlNode *node, const char *complaint) {
    const AqmOption *option = setting->option;
    char value[96];
    describe(node, value);
    const char *allowed = option->info.range;
    if (option->kind == AQM_OPTION_CHOICE)
        allowed = option->info.type;
    else if (option->kind == AQM_OPTION_BOOL)
        allowed = "true|false";
    else if (option->kind == AQM_OPTION_FLAGS)
        allowed = AQM_VIZ_STAGE_WORDS;
    const bool nullable = (option->flags & AQM_OPTION_NULLABLE) != 0;
    if (*allowed == '\0')
        return aqm_value_fail(setting->source, option, node->line, node->column, setting->diag,
                              "%s %s%s", value, complaint, nullable ? "; null is allowed" : "");
    return aqm_value_fail(setting->source, option, node->line, node->column, setting->diag,
                          "%s %s; allowed: %s%s%s%s%s", value, complaint, allowed,
                          *option->info.unit ? " " : "", option->info.unit,
                          option->flags & AQM_OPTION_ODD ? ", odd" : "",
                          nullable ? ", or null" : "");
}

static AqmStatus no_memory(const Setting *setting, size_t bytes) {
    return aqm_fail_memory(setting->diag, setting->option->info.key, bytes, 1);
}

/* ---- setting ----------------------------------------------------------------------------------
 */

static AqmStatus set_bool(const Setting *setting, const AqmYamlNode *node) {
    if (node->kind != AQM_YAML_SCALAR)
        return reject(setting, node, "is not true or false");
    /* Both cases of each word that YAML 1.1, which AquaMVS reads, knows. */
    char lower[8] = "";
    for (size_t i = 0; i < sizeof lower - 1 && node->text[i]; i++)
        lower[i] = (char)tolower((unsigned char)node->text[i]);
    const int on = aqm_words_find("true|yes|on", lower),
              off = aqm_words_find("false|no|off", lower);
    if (strlen(node->text) > 5 || (on < 0 && off < 0))
        return reject(setting, node, "is not true or false");
    *(bool *)field_of(setting->config, setting->option) = on >= 0;
    return AQM_OK;
}

static AqmStatus set_int(const Setting *setting, const AqmYamlNode *node) {
    const AqmOption *option = setting->option;
    int *field = field_of(setting->config, option);
    if (node->kind == AQM_YAML_NULL && option->flags & AQM_OPTION_NULLABLE) {
        *field = option->null_value;
        return AQM_OK;
    }
    const char *text = node->kind == AQM_YAML_SCALAR ? node->text : "";
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return reject(setting, node, "is not an integer");
    long long value;
    if (!aqm_parse_integer(text, &value) || (double)value < option->min ||
        (double)value > option->max)
        return reject(setting, node, "is out of range");
    if (option->flags & AQM_OPTION_ODD && value % 2 == 0)
        return reject(setting, node, "is even");
    *field = (int)value;
    return AQM_OK;
}

static AqmStatus read_real(const Setting *setting, const AqmYamlNode *node, double *value) {
    if (node->kind != AQM_YAML_SCALAR || !aqm_parse_real(node->text, value))
        return reject(setting, node, "is not a number");
    if (!(*value >= setting->option->min && *value <= setting->option->max))
        return reject(setting, node, "is out of range");
    return AQM_OK;
}

static AqmStatus set_path(const Setting *setting, const AqmYamlNode *node) {
    char **field = field_of(setting->config, setting->option);
    char *path = NULL;
    if (node->kind == AQM_YAML_SCALAR) {
        if (node->text[0] == '\0')
            return reject(setting, node, "is empty; a path is expected");
        path = aqm_path_join(setting->source->folder, node->text);
        if (!path)
            return no_memory(setting, strlen(node->text));
    } else if (node->kind != AQM_YAML_NULL || !(setting->option->flags & AQM_OPTION_NULLABLE)) {
        return reject(setting, node, "is not a path");
    }
    aqm_free(*field);
    *field = path;
    return AQM_OK;
}

static AqmStatus set_choice(const Setting *setting, const AqmYamlNode *node) {
    const char *word = node->kind == AQM_YAML_SCALAR ? node->text : "null";
    const bool usable = node->kind == AQM_YAML_SCALAR || node->kind == AQM_YAML_NULL;
    const int index = usable ? aqm_words_find(setting->option->info.type, word) : -1;
    if (index < 0)
        return reject(setting, node, "is not a choice");
    memcpy(field_of(setting->config, setting->option), &index, sizeof index);
    return AQM_OK;
}

static AqmStatus set_flags(const Setting *setting, const AqmYamlNode *node) {
    if (node->kind != AQM_YAML_LIST)
        return reject(setting, node, "is not a list");
    unsigned bits = 0;
    AqmYamlNode item;
    for (void *at = NULL; aqm_yaml_next(node, &at, NULL, &item);) {
        const int index =
            item.kind == AQM_YAML_SCALAR ? aqm_words_find(AQM_VIZ_STAGE_WORDS, item.text) : -1;
        if (index < 0)
            return reject(setting, &item, "is not a stage");
        bits |= 1u << index;
    }
    *(unsigned *)field_of(setting->config, setting->option) = bits;
    return AQM_OK;
}

static AqmStatus set_radii(const Setting *setting, const AqmYamlNode *node) {
    enum { RADII_MAX = 16 };
    double radii[RADII_MAX];
    size_t count = 0;
    if (node->kind != AQM_YAML_LIST && node->kind != AQM_YAML_NULL)
        return reject(setting, node, "is not a list");
    AqmYamlNode item;
    for (void *at = NULL; aqm_yaml_next(node, &at, NULL, &item); count++) {
        if (count == RADII_MAX)
            return reject(setting, node, "has more than 16 entries");
        AQM_TRY(read_real(setting, &item, &radii[count]));
    }
    if (node->kind == AQM_YAML_LIST && count == 0)
        return reject(setting, node, "is empty (leave it out, or null, to have radii chosen)");
    double *copy = count > 0 ? aqm_alloc(count, sizeof *copy) : NULL;
    if (count > 0 && !copy)
        return no_memory(setting, count * sizeof *copy);
    if (copy)
        memcpy(copy, radii, count * sizeof *copy);
    aqm_free(setting->config->reconstruction.bpa_radii);
    setting->config->reconstruction.bpa_radii = copy;
    setting->config->reconstruction.bpa_radius_count = count;
    return AQM_OK;
}

static AqmStatus set_range(const Setting *setting, const AqmYamlNode *node) {
    double bounds[2] = {0, 0};
    size_t count = 0;
    if (node->kind != AQM_YAML_LIST && node->kind != AQM_YAML_NULL)
        return reject(setting, node, "is not a list [min, max]");
    AqmYamlNode item;
    for (void *at = NULL; aqm_yaml_next(node, &at, NULL, &item); count++) {
        if (count == 2)
            return reject(setting, node, "has more than the two entries [min, max]");
        AQM_TRY(read_real(setting, &item, &bounds[count]));
    }
    if (node->kind == AQM_YAML_LIST && count < 2)
        return reject(setting, node, "has fewer than the two entries [min, max]");
    if (node->kind == AQM_YAML_LIST && !(bounds[0] < bounds[1]))
        return aqm_value_fail(setting->source, setting->option, node->line, node->column,
                              setting->diag, "min %g is not below max %g; allowed: 0 <= min < max",
                              bounds[0], bounds[1]);
    setting->config->reconstruction.has_depth_range = node->kind == AQM_YAML_LIST;
    setting->config->reconstruction.depth_range = (AqmDepthRange){bounds[0], bounds[1], 0.0, 0.0};
    return AQM_OK;
}

static void take_inputs(AqmConfig *to, AqmConfig *from) {
    AqmCameraInput *inputs = to->inputs;
    const size_t count = to->input_count;
    to->inputs = from->inputs;
    to->input_count = from->input_count;
    from->inputs = inputs;
    from->input_count = count;
}

static void clear_inputs(AqmConfig *config) {
    for (size_t i = 0; i < config->input_count; i++) {
        aqm_free(config->inputs[i].camera);
        aqm_free(config->inputs[i].path);
    }
    aqm_free(config->inputs);
    config->inputs = NULL;
    config->input_count = 0;
}

static AqmStatus add_camera(const Setting *setting, AqmConfig *into, const AqmYamlNode *key,
                            const AqmYamlNode *value) {
    const char *name = key->kind == AQM_YAML_SCALAR ? key->text : "";
    const char *defect = aqm_camera_name_defect(name);
    if (*defect)
        return reject(setting, key, defect);
    if (value->kind != AQM_YAML_SCALAR || value->text[0] == '\0') {
        char shown[96];
        describe(value, shown);
        return aqm_value_fail(setting->source, setting->option, value->line, value->column,
                              setting->diag, "%s: %s is not a path to a video or image folder",
                              name, shown);
    }
    char *path = aqm_path_join(setting->source->folder, value->text);
    if (!path)
        return no_memory(setting, strlen(value->text));
    const AqmStatus status = aqm_config_add_input(into, name, path, setting->diag);
    aqm_free(path);
    return status;
}

static AqmStatus set_cameras(const Setting *setting, const AqmYamlNode *node) {
    if (node->kind != AQM_YAML_MAP)
        return reject(setting, node, "is not a map of camera: path");
    AqmConfig fresh = {0};
    AqmStatus status = AQM_OK;
    AqmYamlNode key, value;
    for (void *at = NULL; status == AQM_OK && aqm_yaml_next(node, &at, &key, &value);)
        status = add_camera(setting, &fresh, &key, &value);
    if (status == AQM_OK && fresh.input_count == 0)
        status = reject(setting, node, "without a camera in it; `camera: path` is expected");
    if (status == AQM_OK)
        take_inputs(setting->config, &fresh);
    clear_inputs(&fresh);
    return status;
}

AqmStatus aqm_value_set(AqmConfig *config, const AqmOption *option, const AqmYamlNode *node,
                        const AqmValueSource *source, AqmDiag *diag) {
    const Setting setting = {config, option, source, diag};
    double real;
    switch (option->kind) {
    case AQM_OPTION_BOOL:
        return set_bool(&setting, node);
    case AQM_OPTION_INT:
        return set_int(&setting, node);
    case AQM_OPTION_FLOAT:
        AQM_TRY(read_real(&setting, node, &real));
        *(double *)field_of(config, option) = real;
        return AQM_OK;
    case AQM_OPTION_PATH:
        return set_path(&setting, node);
    case AQM_OPTION_CHOICE:
        return set_choice(&setting, node);
    case AQM_OPTION_FLAGS:
        return set_flags(&setting, node);
    case AQM_OPTION_RADII:
        return set_radii(&setting, node);
    case AQM_OPTION_RANGE:
        return set_range(&setting, node);
    case AQM_OPTION_CAMERAS:
        return set_cameras(&setting, node);
    }
    return AQM_OK;
}

AqmStatus aqm_value_set_text(AqmConfig *config, const AqmOption *option, const char *text,
                             const AqmValueSource *source, AqmDiag *diag) {
    if (option->kind == AQM_OPTION_PATH && strcmp(text, "null") != 0) {
        const AqmYamlNode node = {.kind = AQM_YAML_SCALAR, .text = text};
        return aqm_value_set(config, option, &node, source, diag);
    }
    char name[224] = "default";
    if (source->override)
        snprintf(name, sizeof name, "--set %.200s", source->override);
    AqmYaml *yaml = NULL;
    AQM_TRY(aqm_yaml_create(&yaml, text, strlen(text), name, false, diag));
    const AqmYamlNode node = aqm_yaml_root(yaml);
    const AqmStatus status = aqm_value_set(config, option, &node, source, diag);
    aqm_yaml_destroy(&yaml);
    return status;
}

/* ---- cameras ----------------------------------------------------------------------------------
 */

const char *aqm_camera_name_defect(const char *name) {
    if (name[0] == '\0' || strlen(name) >= AQM_NAME_MAX)
        return "is no camera name; allowed: 1..63 characters";
    if (strchr(name, '/') || name[0] == '.')
        return "is no camera name: it becomes a file name, without '/' and not starting with '.'";
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            return "is no camera name: it has a control character";
    return "";
}

AqmStatus aqm_config_add_input(AqmConfig *config, const char *camera, const char *path,
                               AqmDiag *diag) {
    const char *defect = aqm_camera_name_defect(camera);
    if (*defect)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "camera_input_map: '%.80s' %s", camera, defect);
    for (size_t i = 0; i < config->input_count; i++)
        if (strcmp(config->inputs[i].camera, camera) == 0)
            return aqm_fail(diag, AQM_ERROR_CONFIG, "camera_input_map: camera %s is given twice",
                            camera);
    AqmCameraInput *grown =
        aqm_realloc(config->inputs, config->input_count + 1, sizeof *config->inputs);
    if (!grown)
        return aqm_fail_memory(diag, "camera_input_map", config->input_count + 1, sizeof *grown);
    config->inputs = grown;
    AqmCameraInput *input = &grown[config->input_count];
    *input = (AqmCameraInput){aqm_strdup(camera), aqm_strdup(path)};
    if (!input->camera || !input->path) {
        aqm_free(input->camera);
        aqm_free(input->path);
        return aqm_fail_memory(diag, "camera_input_map", strlen(path), 1);
    }
    config->input_count++;
    return AQM_OK;
}
