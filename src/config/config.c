#include "config/config.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_values.h"

AqmStatus aqm_config_create(AqmConfig **out, AqmDiag *diag) {
    *out = NULL;
    AqmConfig *config = aqm_calloc(1, sizeof *config);
    if (!config)
        return aqm_fail_memory(diag, "a configuration", 1, sizeof *config);
    const AqmValueSource source = {.folder = ""};
    AqmStatus status = AQM_OK;
    for (size_t i = 0; status == AQM_OK && i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        if (!(option->flags & AQM_OPTION_REQUIRED))
            status = aqm_value_set_text(config, option, option->info.default_value, &source, diag);
    }
    aqm_config_share_threads(config);
    if (status == AQM_OK)
        *out = config;
    else
        aqm_config_destroy(&config);
    return status;
}

void aqm_config_destroy(AqmConfig **config) {
    if (!config || !*config)
        return;
    AqmConfig *dead = *config;
    for (size_t i = 0; i < dead->input_count; i++) {
        aqm_free(dead->inputs[i].camera);
        aqm_free(dead->inputs[i].path);
    }
    aqm_free(dead->inputs);
    for (size_t i = 0; i < aqm_option_count(); i++)
        if (aqm_option_at(i)->kind == AQM_OPTION_PATH)
            aqm_free(*(char **)((char *)dead + aqm_option_at(i)->offset));
    aqm_free(dead->reconstruction.bpa_radii);
    aqm_free(dead->path);
    aqm_free(dead);
    *config = NULL;
}

void aqm_config_share_threads(AqmConfig *config) {
    config->reconstruction.stereo.threads = config->runtime.threads;
    config->reconstruction.fusion.threads = config->runtime.threads;
    /* no option of its own: what stereo is told */
    config->reconstruction.fusion.matched_views = config->sparse_matching.num_neighbors;
    config->reconstruction.heightfield.threads = config->runtime.threads;
}

/* ---- presets ----------------------------------------------------------------------------------
 */

typedef struct PresetRow {
    const char *section, *key;
    double values[3]; /* fast, balanced, quality */
} PresetRow;

static const PresetRow preset_rows[] = {
    {"sparse_matching", "max_keypoints", {1024, 2048, 4096}},
    {"reconstruction", "num_depths", {64, 128, 256}},
    {"reconstruction", "window_size", {7, 11, 15}},
    {"reconstruction", "depth_batch_size", {8, 4, 1}},
    {"reconstruction", "voxel_size", {0.002, 0.001, 0.0005}},
    {"reconstruction", "poisson_depth", {8, 9, 10}},
};
enum { PRESET_ROWS = sizeof preset_rows / sizeof preset_rows[0] };

bool aqm_config_fill_preset(AqmConfig *config, AqmPreset preset, const bool *keep) {
    size_t kept = 0, other = 0;
    for (size_t i = 0; preset != AQM_PRESET_NONE && i < PRESET_ROWS; i++) {
        const AqmOption *option = aqm_option_find(preset_rows[i].section, preset_rows[i].key);
        assert(option);
        void *field = (char *)config + option->offset;
        const bool is_int = option->kind == AQM_OPTION_INT;
        const double value = preset_rows[i].values[preset - AQM_PRESET_FAST];
        if (keep && keep[aqm_option_index(option)]) {
            kept++;
            other += (is_int ? *(int *)field : *(double *)field) != value;
        } else if (is_int) {
            *(int *)field = (int)value;
        } else {
            *(double *)field = value;
        }
    }
    return kept == PRESET_ROWS && other > 0;
}

void aqm_config_apply_preset(AqmConfig *config, AqmPreset preset) {
    (void)aqm_config_fill_preset(config, preset, NULL);
}
