#include "config/yaml.h"

#include <libfyaml.h>
#include <string.h>

#include "base/alloc.h"

/* An alias may name an alias; more steps than this are a ring. */
enum { ALIAS_STEPS_MAX = 16 };

struct AqmYaml {
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct fy_document *document;
};

static void discard_output(struct fy_diag *diag, void *user, const char *text, size_t length) {
    (void)diag;
    (void)user;
    (void)text;
    (void)length;
}

static struct fy_diag *create_silent_diag(void) {
    struct fy_diag_cfg settings;
    fy_diag_cfg_default(&settings);
    settings.fp = NULL;
    settings.output_fn = discard_output;
    settings.colorize = false;
    struct fy_diag *diag = fy_diag_create(&settings);
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

/* The first error that libfyaml noted, as ours. */
static AqmStatus fail_parse(const AqmYaml *yaml, const char *name, bool positions, AqmDiag *diag) {
    void *iterator = NULL;
    const struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(yaml->diag, &iterator)))
        if (error->type == FYET_ERROR)
            break;
    if (!error)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s: not a YAML text", name);
    const bool twice = strstr(error->msg, "duplicate key") != NULL;
    const char *reason = twice ? "a key that stands there already" : error->msg;
    const int length = (int)strcspn(reason, "\n");
    if (!positions || error->line < 1)
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s: not YAML: %.*s", name, length, reason);
    return aqm_fail(diag, AQM_ERROR_CONFIG, "%s:%d:%d: %s%.*s", name, error->line, error->column,
                    twice ? "" : "not YAML: ", length, reason);
}

static AqmStatus parse(AqmYaml *yaml, const char *text, size_t size, const char *name,
                       bool positions, AqmDiag *diag) {
    yaml->diag = create_silent_diag();
    if (!yaml->diag)
        return aqm_fail(diag, AQM_ERROR_MEMORY, "%s: out of memory while parsing", name);
    const struct fy_parse_cfg settings = {
        .search_path = "", .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = yaml->diag};
    yaml->parser = fy_parser_create(&settings);
    if (!yaml->parser || fy_parser_set_string(yaml->parser, text, size) != 0)
        return aqm_fail(diag, AQM_ERROR_MEMORY, "%s: out of memory while parsing", name);
    yaml->document = fy_parse_load_document(yaml->parser);
    if (!yaml->document && fy_diag_got_error(yaml->diag))
        return fail_parse(yaml, name, positions, diag);
    if (!yaml->document)
        return AQM_OK;
    struct fy_document *second = fy_parse_load_document(yaml->parser);
    if (second) {
        fy_parse_document_destroy(yaml->parser, second);
        return aqm_fail(diag, AQM_ERROR_CONFIG, "%s: holds more than one YAML document", name);
    }
    return fy_diag_got_error(yaml->diag) ? fail_parse(yaml, name, positions, diag) : AQM_OK;
}

AqmStatus aqm_yaml_create(AqmYaml **out, const char *text, size_t size, const char *name,
                          bool positions, AqmDiag *diag) {
    *out = NULL;
    AqmYaml *yaml = aqm_calloc(1, sizeof *yaml);
    if (!yaml)
        return aqm_fail_memory(diag, "a YAML document", 1, sizeof *yaml);
    const AqmStatus status = parse(yaml, text, size, name, positions, diag);
    if (status == AQM_OK)
        *out = yaml;
    else
        aqm_yaml_destroy(&yaml);
    return status;
}

void aqm_yaml_destroy(AqmYaml **yaml) {
    if (!yaml || !*yaml)
        return;
    if ((*yaml)->document)
        fy_parse_document_destroy((*yaml)->parser, (*yaml)->document);
    if ((*yaml)->parser)
        fy_parser_destroy((*yaml)->parser);
    if ((*yaml)->diag)
        fy_diag_destroy((*yaml)->diag);
    aqm_free(*yaml);
    *yaml = NULL;
}

static bool is_null_word(const char *text) {
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

static void fill_scalar(AqmYamlNode *node, struct fy_node *handle) {
    size_t length = 0;
    const char *text = fy_node_get_scalar(handle, &length);
    node->text = fy_node_get_scalar0(handle);
    if (!text || !node->text || strlen(node->text) != length)
        node->kind = AQM_YAML_BAD;
    else if (fy_node_get_style(handle) == FYNS_PLAIN && is_null_word(node->text))
        node->kind = AQM_YAML_NULL;
    else
        node->kind = AQM_YAML_SCALAR;
}

/* `place`: where the parent or key stands. A NULL handle is an empty value. */
static AqmYamlNode wrap(struct fy_node *handle, const AqmYamlNode *place) {
    AqmYamlNode node = {.line = place ? place->line : 1, .column = place ? place->column : 1};
    struct fy_token *token = handle ? fy_node_get_scalar_token(handle) : NULL;
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (mark) {
        node.line = mark->line + 1;
        node.column = mark->column + 1;
    }
    int steps = 0;
    while (handle && fy_node_is_alias(handle)) {
        handle = steps++ < ALIAS_STEPS_MAX ? fy_node_resolve_alias(handle) : NULL;
        if (!handle) {
            node.kind = AQM_YAML_BAD;
            return node;
        }
    }
    node.handle = handle;
    if (!handle)
        node.kind = AQM_YAML_NULL;
    else if (fy_node_get_type(handle) == FYNT_MAPPING)
        node.kind = AQM_YAML_MAP;
    else if (fy_node_get_type(handle) == FYNT_SEQUENCE)
        node.kind = AQM_YAML_LIST;
    else
        fill_scalar(&node, handle);
    return node;
}

AqmYamlNode aqm_yaml_root(const AqmYaml *yaml) {
    return wrap(yaml->document ? fy_document_root(yaml->document) : NULL, NULL);
}

bool aqm_yaml_next(const AqmYamlNode *parent, void **iterator, AqmYamlNode *key,
                   AqmYamlNode *value) {
    if (parent->kind == AQM_YAML_LIST) {
        struct fy_node *item = fy_node_sequence_iterate(parent->handle, iterator);
        if (item)
            *value = wrap(item, parent);
        return item != NULL;
    }
    if (parent->kind != AQM_YAML_MAP)
        return false;
    struct fy_node_pair *pair = fy_node_mapping_iterate(parent->handle, iterator);
    if (!pair)
        return false;
    *key = wrap(fy_node_pair_key(pair), parent);
    *value = wrap(fy_node_pair_value(pair), key);
    return true;
}
