/* A YAML text as a tree of nodes that know where they stand. Wraps libfyaml: nothing is printed,
 * aliases are followed, every defect becomes a diagnostic. */
#ifndef AQM_CONFIG_YAML_H
#define AQM_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

typedef struct AqmYaml AqmYaml;

typedef enum AqmYamlKind {
    AQM_YAML_NULL,
    AQM_YAML_SCALAR,
    AQM_YAML_LIST,
    AQM_YAML_MAP,
    AQM_YAML_BAD /* an alias of nothing, or text with a zero byte in it */
} AqmYamlKind;

/* Valid while its AqmYaml lives. */
typedef struct AqmYamlNode {
    AqmYamlKind kind;
    const char *text; /* scalars only */
    int line, column; /* from 1; collections stand where their key stands */
    void *handle;
} AqmYamlNode;

/* Parses one document. CONFIG errors read "name:line:column: reason", without the numbers where
 * `positions` is false. `text` must outlive the result. */
AqmStatus aqm_yaml_create(AqmYaml **out, const char *text, size_t size, const char *name,
                          bool positions, AqmDiag *diag);
void aqm_yaml_destroy(AqmYaml **yaml);

/* AQM_YAML_NULL for an empty document. */
AqmYamlNode aqm_yaml_root(const AqmYaml *yaml);

/* The next item of a list (key is untouched, may be NULL) or pair of a map; *iterator begins as
 * NULL. */
bool aqm_yaml_next(const AqmYamlNode *parent, void **iterator, AqmYamlNode *key,
                   AqmYamlNode *value);

#endif
