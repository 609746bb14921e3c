/* Reads SUITE.yaml. Every key is checked where it stands; values of config.yaml's keys go through
 * the option table, so a suite and --set accept the same. */
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "benchmark/suite.h"
#include "config/config_paths.h"
#include "config/config_values.h"
#include "config/numbers.h"
#include "io/file_read.h"

enum { LIST_MAX = 256, FILE_BYTES_MAX = 4 << 20 };

typedef struct Reader {
    AqmSuite *suite;
    AqmConfig *scratch; /* where values are tried */
    const char *path;
    char *folder;
    AqmSuiteConfiguration common;
    AqmDiag *diag;
} Reader;

typedef AqmStatus (*TakePair)(Reader *reader, void *target, const AqmYamlNode *key,
                              const AqmYamlNode *value);

static const char *const scene_names[] = {[AQM_SCENE_PLANE] = "synthetic_plane",
                                          [AQM_SCENE_UNDULATING] = "synthetic_surface",
                                          [AQM_SCENE_SANDBED] = "sandbed",
                                          [AQM_SCENE_BOARD] = "charuco"};
enum { SCENES = sizeof scene_names / sizeof scene_names[0] };

const char *aqm_suite_scene_name(AqmScene scene) {
    return (int)scene < SCENES ? scene_names[scene] : NULL;
}

void aqm_suite_destroy(AqmSuite **suite) {
    if (!suite || !*suite)
        return;
    for (size_t i = 0; i < (*suite)->dataset_count; i++)
        aqm_free((*suite)->datasets[i].folder);
    for (size_t i = 0; i < (*suite)->configuration_count; i++) {
        AqmSuiteConfiguration *c = &(*suite)->configurations[i];
        for (size_t k = 0; k < c->setting_count; k++)
            aqm_free(c->settings[k].value);
        aqm_free(c->settings);
    }
    aqm_free((*suite)->datasets);
    aqm_free((*suite)->configurations);
    aqm_free(*suite);
    *suite = NULL;
}

/* ---- errors and plain values ----------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static AqmStatus
fail_at(const Reader *reader, const AqmYamlNode *node, const char *format, ...) {
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return aqm_fail(reader->diag, AQM_ERROR_CONFIG, "%s:%d:%d: %s", reader->path, node->line,
                    node->column, what);
}

static AqmStatus no_memory(const Reader *reader) {
    return aqm_fail_memory(reader->diag, reader->path, 1, sizeof(AqmSuite));
}

static const char *shown(const AqmYamlNode *node) {
    return node->kind == AQM_YAML_SCALAR ? node->text
           : node->kind == AQM_YAML_NULL ? "null"
           : node->kind == AQM_YAML_LIST ? "a list"
           : node->kind == AQM_YAML_MAP  ? "a map"
                                         : "no value";
}

static AqmStatus take_integer(const Reader *reader, const AqmYamlNode *key,
                              const AqmYamlNode *value, long long least, long long most,
                              long long *out) {
    if (value->kind != AQM_YAML_SCALAR || !aqm_parse_integer(value->text, out) || *out < least ||
        *out > most)
        return fail_at(reader, value, "%s: '%.80s'; allowed: an integer in %lld..%lld", key->text,
                       shown(value), least, most);
    return AQM_OK;
}

static AqmStatus take_real(const Reader *reader, const AqmYamlNode *key, const AqmYamlNode *value,
                           double least, double most, double *out) {
    if (value->kind != AQM_YAML_SCALAR || !aqm_parse_real(value->text, out) || *out < least ||
        *out > most)
        return fail_at(reader, value, "%s: '%.80s'; allowed: a number in %g..%g", key->text,
                       shown(value), least, most);
    return AQM_OK;
}

/* One of `words` ("a|b|c"). */
static AqmStatus take_word(const Reader *reader, const AqmYamlNode *key, const AqmYamlNode *value,
                           const char *words, int *out) {
    *out = value->kind == AQM_YAML_SCALAR ? aqm_words_find(words, value->text) : -1;
    return *out >= 0
               ? AQM_OK
               : fail_at(reader, value, "%s: '%.80s'; allowed: %s", key->text, shown(value), words);
}

/* Names become those of files and columns. */
static AqmStatus take_name(const Reader *reader, const AqmYamlNode *key, const AqmYamlNode *value,
                           char out[AQM_SUITE_NAME_MAX]) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.";
    const char *text = value->kind == AQM_YAML_SCALAR ? value->text : "";
    if (*text == '\0' || *text == '.' || strlen(text) >= AQM_SUITE_NAME_MAX ||
        strspn(text, allowed) != strlen(text))
        return fail_at(reader, value,
                       "%s: '%.80s'; allowed: up to %d letters, digits and _ - + ., not a . first",
                       key->text, shown(value), AQM_SUITE_NAME_MAX - 1);
    memcpy(out, text, strlen(text) + 1);
    return AQM_OK;
}

static AqmStatus take_map(Reader *reader, const char *name, const AqmYamlNode *map, TakePair take,
                          void *target) {
    if (map->kind != AQM_YAML_MAP)
        return fail_at(reader, map, "%s: '%.80s'; `key: value` lines are expected", name,
                       shown(map));
    AqmYamlNode key, value;
    for (void *at = NULL; aqm_yaml_next(map, &at, &key, &value);) {
        if (key.kind != AQM_YAML_SCALAR)
            return fail_at(reader, &key, "%s: a key that is no word", name);
        AQM_TRY(take(reader, target, &key, &value));
    }
    return AQM_OK;
}

/* Where the first key of a map stands: of an item of a list, which has no key of its own. */
static AqmYamlNode place_of(const AqmYamlNode *item) {
    AqmYamlNode key = *item, value;
    void *at = NULL;
    if (item->kind == AQM_YAML_MAP)
        (void)aqm_yaml_next(item, &at, &key, &value);
    return key;
}

static AqmStatus count_items(const Reader *reader, const char *name, const AqmYamlNode *list,
                             size_t *count) {
    AqmYamlNode item;
    *count = 0;
    for (void *at = NULL; list->kind == AQM_YAML_LIST && aqm_yaml_next(list, &at, NULL, &item);)
        ++*count;
    if (*count < 1 || *count > LIST_MAX)
        return fail_at(reader, list, "%s: a list of 1 to %d items is expected", name, LIST_MAX);
    return AQM_OK;
}

/* ---- data sets ------------------------------------------------------------------------------- */

#define RIG_WORDS "ring12|ring5|pair"

typedef struct RealField {
    const char *key;
    size_t offset; /* in AqmSynthOptions */
} RealField;

static const RealField real_fields[] = {
    {"noise", offsetof(AqmSynthOptions, noise)},
    {"blur_px", offsetof(AqmSynthOptions, blur_px)},
    {"gain_spread", offsetof(AqmSynthOptions, gain_spread)},
    {"contrast", offsetof(AqmSynthOptions, contrast)},
    {"distortion", offsetof(AqmSynthOptions, distortion)},
    {"n_water", offsetof(AqmSynthOptions, n_water)},
    {"amplitude_m", offsetof(AqmSynthOptions, amplitude_m)},
    {"wavelength_m", offsetof(AqmSynthOptions, wavelength_m)},
    {"tilt_deg", offsetof(AqmSynthOptions, tilt_deg)},
};
enum { REAL_FIELDS = sizeof real_fields / sizeof real_fields[0] };

typedef struct DatasetDraft {
    AqmSuiteDataset *dataset;
    bool has_scene, has_rendering; /* has_rendering: a key that only a rendered set has */
} DatasetDraft;

static AqmStatus take_size(const Reader *reader, const AqmYamlNode *value, AqmSynthOptions *synth) {
    char rest;
    if (value->kind != AQM_YAML_SCALAR ||
        sscanf(value->text, "%5dx%5d%c", &synth->width, &synth->height, &rest) != 2)
        return fail_at(reader, value, "size: '%.80s' is not like 640x480", shown(value));
    return AQM_OK;
}

static AqmStatus take_scene(const Reader *reader, const AqmYamlNode *key, const AqmYamlNode *value,
                            DatasetDraft *draft) {
    int scene;
    AQM_TRY(
        take_word(reader, key, value, "synthetic_plane|synthetic_surface|sandbed|charuco", &scene));
    draft->dataset->synth.scene = (AqmScene)scene;
    draft->has_scene = true;
    return AQM_OK;
}

static AqmStatus take_folder(const Reader *reader, const AqmYamlNode *value,
                             AqmSuiteDataset *dataset) {
    if (value->kind != AQM_YAML_SCALAR || *value->text == '\0')
        return fail_at(reader, value,
                       "folder: '%.80s'; a folder with config.yaml and gt/ is "
                       "expected",
                       shown(value));
    aqm_free(dataset->folder);
    char *joined = aqm_path_join(reader->folder, value->text);
    dataset->folder = joined ? aqm_path_absolute(joined) : NULL;
    aqm_free(joined);
    return dataset->folder ? AQM_OK : no_memory(reader);
}

/* Keys that only a rendered data set has. */
static AqmStatus take_rendering(const Reader *reader, const AqmYamlNode *key,
                                const AqmYamlNode *value, AqmSynthOptions *synth, bool *is_known) {
    long long number;
    int word;
    *is_known = true;
    for (int k = 0; k < REAL_FIELDS; k++)
        if (strcmp(key->text, real_fields[k].key) == 0)
            return take_real(reader, key, value, -1e6, 1e6,
                             (double *)((char *)synth + real_fields[k].offset));
    if (strcmp(key->text, "size") == 0)
        return take_size(reader, value, synth);
    if (strcmp(key->text, "rig") == 0) {
        AQM_TRY(take_word(reader, key, value, RIG_WORDS, &word));
        synth->rig = (AqmRigKind)word;
        return AQM_OK;
    }
    *is_known = strcmp(key->text, "seed") == 0;
    if (*is_known) {
        AQM_TRY(take_integer(reader, key, value, 0, LLONG_MAX, &number));
        synth->seed = (uint64_t)number;
    }
    return AQM_OK;
}

static AqmStatus take_dataset_pair(Reader *reader, void *target, const AqmYamlNode *key,
                                   const AqmYamlNode *value) {
    DatasetDraft *draft = target;
    AqmSuiteDataset *dataset = draft->dataset;
    long long number;
    bool is_known;
    if (strcmp(key->text, "name") == 0)
        return take_name(reader, key, value, dataset->name);
    if (strcmp(key->text, "scene") == 0)
        return take_scene(reader, key, value, draft);
    if (strcmp(key->text, "folder") == 0)
        return take_folder(reader, value, dataset);
    if (strcmp(key->text, "frame") == 0) {
        AQM_TRY(take_integer(reader, key, value, 0, 999998, &number));
        dataset->frame = (int)number;
        return AQM_OK;
    }
    if (strcmp(key->text, "min_views") == 0) {
        AQM_TRY(take_integer(reader, key, value, 1, 4096, &number));
        dataset->min_views = (int)number;
        return AQM_OK;
    }
    AQM_TRY(take_rendering(reader, key, value, &dataset->synth, &is_known));
    draft->has_rendering |= is_known;
    return is_known ? AQM_OK
                    : fail_at(reader, key,
                              "data sets have no key '%.80s'; allowed: name, scene, folder, frame, "
                              "min_views, rig, size, seed, noise, blur_px, gain_spread, contrast, "
                              "distortion, n_water, amplitude_m, wavelength_m, tilt_deg",
                              key->text);
}

static AqmStatus check_dataset(const Reader *reader, const AqmYamlNode *place,
                               const DatasetDraft *draft) {
    AqmSuiteDataset *dataset = draft->dataset;
    AqmDiag why = {0};
    if (draft->has_scene == (dataset->folder != NULL))
        return fail_at(reader, place, "a data set has either a scene or a folder");
    if (dataset->folder && draft->has_rendering)
        return fail_at(reader, place,
                       "a data set in a folder is not rendered: scene, rig, size, "
                       "seed and the like have no meaning with it");
    dataset->synth.frames = dataset->frame + 1;
    if (aqm_synth_options_validate(&dataset->synth, &why) != AQM_OK)
        return fail_at(reader, place, "%s", why.message);
    if (*dataset->name == '\0' && dataset->folder)
        return fail_at(reader, place, "a data set in a folder wants a name");
    if (*dataset->name == '\0')
        snprintf(dataset->name, sizeof dataset->name, "%s",
                 aqm_suite_scene_name(dataset->synth.scene));
    if (dataset->min_views == 0)
        dataset->min_views = dataset->synth.rig == AQM_RIG_PAIR ? 2 : 3;
    for (const AqmSuiteDataset *other = reader->suite->datasets; other < dataset; other++)
        if (strcmp(other->name, dataset->name) == 0)
            return fail_at(reader, place, "two data sets are called %s", dataset->name);
    return AQM_OK;
}

static AqmStatus take_datasets(Reader *reader, const AqmYamlNode *list) {
    AqmSuite *suite = reader->suite;
    size_t count;
    AQM_TRY(count_items(reader, "datasets", list, &count));
    suite->datasets = aqm_calloc(count, sizeof *suite->datasets);
    if (!suite->datasets)
        return no_memory(reader);
    AqmYamlNode item;
    for (void *at = NULL; aqm_yaml_next(list, &at, NULL, &item);) {
        DatasetDraft draft = {.dataset = &suite->datasets[suite->dataset_count++]};
        draft.dataset->synth = aqm_synth_options_default();
        draft.dataset->synth.seed = suite->seed;
        AQM_TRY(take_map(reader, "datasets", &item, take_dataset_pair, &draft));
        const AqmYamlNode place = place_of(&item);
        AQM_TRY(check_dataset(reader, &place, &draft));
    }
    return AQM_OK;
}

/* ---- configurations -------------------------------------------------------------------------- */

/* Takes *value over, on failure too. */
static AqmStatus put_setting(const Reader *reader, AqmSuiteConfiguration *c, const char *name,
                             char *value) {
    if (!value)
        return no_memory(reader);
    for (size_t k = 0; k < c->setting_count; k++)
        if (strcmp(c->settings[k].name, name) == 0) {
            aqm_free(c->settings[k].value);
            c->settings[k].value = value;
            return AQM_OK;
        }
    AqmSuiteSetting *grown = aqm_realloc(c->settings, c->setting_count + 1, sizeof *c->settings);
    if (!grown) {
        aqm_free(value);
        return no_memory(reader);
    }
    c->settings = grown;
    grown[c->setting_count].value = value;
    snprintf(grown[c->setting_count++].name, sizeof grown->name, "%s", name);
    return AQM_OK;
}

/* The text of an option as aqm_config_set takes it: paths verbatim, else YAML. */
static AqmStatus text_of(const Reader *reader, const AqmOption *option, char **out) {
    AqmTextBuffer text = {0};
    if (option->kind == AQM_OPTION_PATH) {
        const char *path;
        memcpy(&path, (const char *)reader->scratch + option->offset, sizeof path);
        *out = path ? aqm_path_absolute(path) : aqm_strdup("null");
        return *out ? AQM_OK : no_memory(reader);
    }
    AqmStatus status = aqm_value_write(reader->scratch, option, NULL, &text, reader->diag);
    if (status == AQM_OK && text.failed)
        status = no_memory(reader);
    if (status != AQM_OK)
        aqm_free(text.text);
    else
        *out = text.text;
    return status;
}

static AqmStatus take_setting(Reader *reader, AqmSuiteConfiguration *c, const AqmOption *option,
                              const AqmYamlNode *value) {
    char name[AQM_OPTION_NAME_MAX], *text = NULL;
    const AqmValueSource source = {.file = reader->path, .folder = reader->folder};
    AQM_TRY(aqm_value_set(reader->scratch, option, value, &source, reader->diag));
    AQM_TRY(text_of(reader, option, &text));
    aqm_option_name(option, name);
    return put_setting(reader, c, name, text);
}

/* Keys that the data set, the benchmark or `preset` gives. */
static bool is_given_elsewhere(const char *name) {
    static const char *const taken[] = {"calibration_path",          "output_dir",
                                        "camera_input_map",          "quality_preset",
                                        "preprocessing.frame_start", "preprocessing.frame_stop",
                                        "preprocessing.frame_step",  "runtime.viz_enabled"};
    for (size_t k = 0; k < sizeof taken / sizeof taken[0]; k++)
        if (strcmp(name, taken[k]) == 0)
            return true;
    return false;
}

/* "section.key" as --set has it. */
static AqmStatus take_set_pair(Reader *reader, void *target, const AqmYamlNode *key,
                               const AqmYamlNode *value) {
    char section[AQM_OPTION_NAME_MAX] = "", near_name[AQM_OPTION_NAME_MAX] = "";
    if (strlen(key->text) < sizeof section)
        memcpy(section, key->text, strlen(key->text) + 1);
    char *dot = strchr(section, '.');
    const char *leaf = dot ? dot + 1 : section;
    if (dot)
        *dot = '\0';
    const AqmOption *option = aqm_option_find(dot ? section : "", leaf);
    if (option && is_given_elsewhere(key->text))
        return fail_at(reader, key, "set: %s is given by the benchmark itself", key->text);
    if (option)
        return take_setting(reader, target, option, value);
    const AqmOption *nearest = aqm_option_nearest(dot ? section : "", leaf);
    if (nearest)
        aqm_option_name(nearest, near_name);
    return fail_at(reader, key, "set: there is no key %.80s%s%s%s", key->text,
                   nearest ? "; did you mean " : "", near_name, nearest ? "?" : "");
}

static AqmStatus take_configuration_pair(Reader *reader, void *target, const AqmYamlNode *key,
                                         const AqmYamlNode *value) {
    static const struct {
        const char *word, *section, *key;
    } short_names[] = {{"matcher", "", "matcher_type"},
                       {"mode", "", "pipeline_mode"},
                       {"extractor", "sparse_matching", "extractor_type"},
                       {"clahe", "sparse_matching", "clahe_enabled"},
                       {"surface", "reconstruction", "surface_method"}};
    AqmSuiteConfiguration *c = target;
    int preset;
    for (size_t k = 0; k < sizeof short_names / sizeof short_names[0]; k++)
        if (strcmp(key->text, short_names[k].word) == 0)
            return take_setting(reader, c,
                                aqm_option_find(short_names[k].section, short_names[k].key), value);
    if (strcmp(key->text, "name") == 0 && c != &reader->common)
        return take_name(reader, key, value, c->name);
    if (strcmp(key->text, "preset") == 0) {
        if (value->kind == AQM_YAML_NULL)
            preset = AQM_PRESET_NONE;
        else
            AQM_TRY(take_word(reader, key, value, "null|fast|balanced|quality", &preset));
        c->preset = (AqmPreset)preset;
        return AQM_OK;
    }
    if (strcmp(key->text, "set") == 0)
        return take_map(reader, "set", value, take_set_pair, c);
    return fail_at(reader, key,
                   "configurations have no key '%.80s'; allowed: name (not in common), matcher, "
                   "extractor, clahe, mode, surface, preset, set",
                   key->text);
}

/* What all share, first. */
static AqmStatus begin_configuration(Reader *reader, AqmSuiteConfiguration *c) {
    c->preset = reader->common.preset;
    for (size_t k = 0; k < reader->common.setting_count; k++)
        AQM_TRY(put_setting(reader, c, reader->common.settings[k].name,
                            aqm_strdup(reader->common.settings[k].value)));
    return AQM_OK;
}

static AqmStatus take_configurations(Reader *reader, const AqmYamlNode *list) {
    AqmSuite *suite = reader->suite;
    size_t count;
    AQM_TRY(count_items(reader, "configurations", list, &count));
    suite->configurations = aqm_calloc(count, sizeof *suite->configurations);
    if (!suite->configurations)
        return no_memory(reader);
    AqmYamlNode item;
    for (void *at = NULL; aqm_yaml_next(list, &at, NULL, &item);) {
        AqmSuiteConfiguration *c = &suite->configurations[suite->configuration_count++];
        const AqmYamlNode place = place_of(&item);
        AQM_TRY(begin_configuration(reader, c));
        AQM_TRY(take_map(reader, "configurations", &item, take_configuration_pair, c));
        if (*c->name == '\0')
            return fail_at(reader, &place, "a configuration wants a name");
        for (const AqmSuiteConfiguration *other = suite->configurations; other < c; other++)
            if (strcmp(other->name, c->name) == 0)
                return fail_at(reader, &place, "two configurations are called %s", c->name);
    }
    return AQM_OK;
}

/* ---- the suite ------------------------------------------------------------------------------- */

static AqmStatus take_threshold_pair(Reader *reader, void *target, const AqmYamlNode *key,
                                     const AqmYamlNode *value) {
    AqmThresholds *thresholds = target;
    double percent = (double)NAN;
    if (strcmp(key->text, "least_seconds") == 0)
        return take_real(reader, key, value, 0.0, 1e6, &thresholds->least_s);
    if (strcmp(key->text, "least_mb") == 0)
        return take_real(reader, key, value, 0.0, 1e6, &thresholds->least_mb);
    if (!aqm_threshold_is_known(key->text) || strlen(key->text) >= sizeof thresholds->own[0].name)
        return fail_at(
            reader, key,
            "thresholds: no measure is called '%.80s'; allowed: accuracy, completeness, "
            "time, memory, least_seconds, least_mb, or names of summary.json as cloud.rms_mm",
            key->text);
    if (value->kind != AQM_YAML_NULL)
        AQM_TRY(take_real(reader, key, value, 0.0, 1e6, &percent));
    for (int k = 0; k < AQM_GROUP_COUNT; k++)
        if (strcmp(key->text, aqm_group_name((AqmMetricGroup)k)) == 0) {
            thresholds->group_percent[k] = percent;
            return AQM_OK;
        }
    if (thresholds->own_count == AQM_THRESHOLDS_MAX)
        return fail_at(reader, key, "more than %d thresholds", AQM_THRESHOLDS_MAX);
    AqmThreshold *own = &thresholds->own[thresholds->own_count++];
    memcpy(own->name, key->text, strlen(key->text) + 1);
    own->percent = percent;
    return AQM_OK;
}

/* The lists are left for later: they need what the rest says. */
typedef struct Lists {
    AqmYamlNode datasets, configurations;
    bool has_datasets, has_configurations;
} Lists;

static AqmStatus take_suite_pair(Reader *reader, void *target, const AqmYamlNode *key,
                                 const AqmYamlNode *value) {
    Lists *lists = target;
    AqmSuite *suite = reader->suite;
    long long number;
    if (strcmp(key->text, "datasets") == 0) {
        lists->datasets = *value, lists->has_datasets = true;
    } else if (strcmp(key->text, "configurations") == 0) {
        lists->configurations = *value, lists->has_configurations = true;
    } else if (strcmp(key->text, "name") == 0) {
        AQM_TRY(take_name(reader, key, value, suite->name));
    } else if (strcmp(key->text, "seed") == 0) {
        AQM_TRY(take_integer(reader, key, value, 0, LLONG_MAX, &number));
        suite->seed = (uint64_t)number;
    } else if (strcmp(key->text, "repeats") == 0) {
        AQM_TRY(take_integer(reader, key, value, 1, AQM_SUITE_REPEATS_MAX, &number));
        suite->repeats = (int)number;
    } else if (strcmp(key->text, "ground_truth_tolerance_mm") == 0) {
        AQM_TRY(take_real(reader, key, value, 0.001, 100.0, &suite->tolerance_mm));
    } else if (strcmp(key->text, "thresholds") == 0) {
        AQM_TRY(take_map(reader, "thresholds", value, take_threshold_pair, &suite->thresholds));
    } else if (strcmp(key->text, "common") == 0) {
        AQM_TRY(take_map(reader, "common", value, take_configuration_pair, &reader->common));
    } else {
        return fail_at(reader, key,
                       "suites have no key '%.80s'; allowed: name, seed, repeats, "
                       "ground_truth_tolerance_mm, thresholds, common, datasets, configurations",
                       key->text);
    }
    return AQM_OK;
}

static AqmStatus take_suite(Reader *reader, const AqmYaml *yaml) {
    const AqmYamlNode root = aqm_yaml_root(yaml);
    Lists lists = {.has_datasets = false};
    AQM_TRY(take_map(reader, "the suite", &root, take_suite_pair, &lists));
    if (*reader->suite->name == '\0')
        return fail_at(reader, &root, "name is missing");
    if (!lists.has_datasets || !lists.has_configurations)
        return fail_at(reader, &root, "%s is missing",
                       lists.has_datasets ? "configurations" : "datasets");
    AQM_TRY(take_datasets(reader, &lists.datasets));
    return take_configurations(reader, &lists.configurations);
}

static AqmStatus read_suite(Reader *reader) {
    unsigned char *text = NULL;
    size_t size = 0;
    AqmYaml *yaml = NULL;
    AQM_TRY(aqm_file_read(reader->path, &text, &size, reader->diag));
    AqmStatus status = AQM_OK;
    if (size > FILE_BYTES_MAX)
        status =
            aqm_fail(reader->diag, AQM_ERROR_CONFIG, "%s: larger than %d MiB: this is no suite",
                     reader->path, FILE_BYTES_MAX >> 20);
    reader->folder = aqm_path_folder(reader->path);
    if (status == AQM_OK && !reader->folder)
        status = no_memory(reader);
    if (status == AQM_OK)
        status = aqm_config_create(&reader->scratch, reader->diag);
    if (status == AQM_OK)
        status = aqm_yaml_create(&yaml, (const char *)text, size, reader->path, true, reader->diag);
    if (status == AQM_OK)
        status = take_suite(reader, yaml);
    aqm_yaml_destroy(&yaml);
    aqm_config_destroy(&reader->scratch);
    aqm_free(reader->folder);
    aqm_free(text);
    return status;
}

AqmStatus aqm_suite_read(const char *path, AqmSuite **out, AqmDiag *diag) {
    *out = NULL;
    AqmSuite *suite = aqm_calloc(1, sizeof *suite);
    if (!suite)
        return aqm_fail_memory(diag, "a suite", 1, sizeof *suite);
    suite->seed = 1;
    suite->repeats = 1;
    suite->tolerance_mm = 1.0;
    suite->thresholds = aqm_thresholds_default();
    Reader reader = {.suite = suite, .path = path, .diag = diag};
    const AqmStatus status = read_suite(&reader);
    for (size_t k = 0; k < reader.common.setting_count; k++)
        aqm_free(reader.common.settings[k].value);
    aqm_free(reader.common.settings);
    if (status == AQM_OK)
        *out = suite;
    else
        aqm_suite_destroy(&suite);
    return status;
}
