/* The option table: every key of config.yaml once, with its type, limits, default and place in
 * AqmConfig. Reading, --set, writing, --help and the documentation all follow it. */
#ifndef AQM_CONFIG_CONFIG_OPTIONS_H
#define AQM_CONFIG_CONFIG_OPTIONS_H

#include "aquamvs/config.h"

#include <stdbool.h>

typedef enum AqmOptionKind {
    AQM_OPTION_BOOL,
    AQM_OPTION_INT,
    AQM_OPTION_FLOAT,
    AQM_OPTION_PATH,   /* char *, made relative to the configuration's folder when read */
    AQM_OPTION_CHOICE, /* an enum; the words stand in info.type, in the order of the enum */
    AQM_OPTION_FLAGS,  /* unsigned, one bit for each word of aqm_option_flag_words */
    AQM_OPTION_RADII,  /* reconstruction.bpa_radii */
    AQM_OPTION_RANGE,  /* reconstruction.depth_range */
    AQM_OPTION_CAMERAS /* camera_input_map */
} AqmOptionKind;

enum {
    AQM_OPTION_NULLABLE = 1,
    AQM_OPTION_ODD = 2,     /* integers: only odd ones */
    AQM_OPTION_REQUIRED = 4 /* must be in the file */
};

typedef struct AqmOption {
    AqmOptionInfo info;
    AqmOptionKind kind;
    unsigned flags;
    size_t offset;   /* of the value, in AqmConfig */
    double min, max; /* numbers: the limits, both allowed */
    int null_value;  /* nullable integers: what null is stored as */
} AqmOption;

/* In file order; aqm_option_count() of them. */
const AqmOption *aqm_option_at(size_t index);

/* The option `section`.`key`, or NULL. */
const AqmOption *aqm_option_find(const char *section, const char *key);
bool aqm_option_is_section(const char *name);
size_t aqm_option_index(const AqmOption *option);

/* "reconstruction.num_depths", or "output_dir" at the top level. */
enum { AQM_OPTION_NAME_MAX = 96 };
void aqm_option_name(const AqmOption *option, char name[AQM_OPTION_NAME_MAX]);

/* The option whose name is most like `section`.`key`, or NULL where none is. */
const AqmOption *aqm_option_nearest(const char *section, const char *key);

/* How many words the list `words` ("a|b|c") has; the index of one in it (-1: none); word `index`,
 * its length in *length. */
size_t aqm_words_count(const char *words);
int aqm_words_find(const char *words, const char *word);
const char *aqm_words_at(const char *words, size_t index, size_t *length);

/* The words of runtime.viz_stages. */
#define AQM_VIZ_STAGE_WORDS "depth|features|scene|rig|summary"

#endif
