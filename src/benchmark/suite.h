/* A benchmark suite: data sets x configurations, as SUITE.yaml tells it. */
#ifndef AQM_BENCHMARK_SUITE_H
#define AQM_BENCHMARK_SUITE_H

#include "aquamvs/config.h"
#include "aquamvs/synth.h"
#include "benchmark/metrics.h"
#include "config/text_buffer.h"

enum {
    AQM_SUITE_NAME_MAX = 64, /* of suite, data sets and configurations: they become file names */
    AQM_SUITE_REPEATS_MAX = 50
};

typedef struct AqmSuiteDataset {
    char name[AQM_SUITE_NAME_MAX];
    char *folder;          /* a data set with truth, absolute; NULL = rendered, as `synth` says */
    AqmSynthOptions synth; /* frames is frame + 1 */
    int frame;             /* the one that is reconstructed and judged */
    int min_views;         /* of the region that is judged */
} AqmSuiteDataset;

/* A key of config.yaml and its value, as aqm_config_set takes it; paths are absolute. */
typedef struct AqmSuiteSetting {
    char name[96];
    char *value;
} AqmSuiteSetting;

typedef struct AqmSuiteConfiguration {
    char name[AQM_SUITE_NAME_MAX];
    AqmPreset preset; /* its numbers come before the settings */
    AqmSuiteSetting *settings;
    size_t setting_count;
} AqmSuiteConfiguration;

/* Owns everything. */
typedef struct AqmSuite {
    char name[AQM_SUITE_NAME_MAX];
    uint64_t seed; /* of every data set that does not say its own */
    int repeats;
    double tolerance_mm;
    AqmThresholds thresholds;
    AqmSuiteDataset *datasets;
    size_t dataset_count;
    AqmSuiteConfiguration *configurations;
    size_t configuration_count;
} AqmSuite;

/* Reads and checks a whole suite. CONFIG errors read "file:line:column: what"; IO where the file
 * cannot be read; MEMORY. *out is NULL on failure. */
AQM_NODISCARD AqmStatus aqm_suite_read(const char *path, AqmSuite **out, AqmDiag *diag);
void aqm_suite_destroy(AqmSuite **suite);

/* The suite as YAML, all defaults written out and what is common in every configuration; reading it
 * back gives the same one. The buffer's memory is the caller's to check. */
void aqm_suite_write(const AqmSuite *suite, AqmTextBuffer *yaml);

/* "synthetic_plane", ..., in the order of AqmScene; NULL for a scene that suites do not have. */
const char *aqm_suite_scene_name(AqmScene scene);

#endif
