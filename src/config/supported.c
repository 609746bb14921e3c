#include "config/supported.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "config/config.h"

void aqm_models_folder(const AqmConfig *config, char *text, size_t size) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (config->runtime.models_dir)
        snprintf(text, size, "%s", config->runtime.models_dir);
    else if (data && *data)
        snprintf(text, size, "%s/aquamvs/models", data);
    else
        snprintf(text, size, "%s/.local/share/aquamvs/models", home ? home : "");
}

void aqm_config_warn_unsupported(const AqmConfig *config, const AqmLog *log) {
    const unsigned asked = config->runtime.viz_enabled ? config->runtime.viz_stages : 0;
    const bool is_dense =
        config->matcher_type == AQM_MATCHER_DENSE || config->matcher_type == AQM_MATCHER_ROMA;
    if (asked >> aqm_words_find(AQM_VIZ_STAGE_WORDS, "summary") & 1u)
        aqm_log(log, AQM_LOG_WARNING,
                "runtime.viz_stages: summary is not in this version, and not drawn; there are "
                "depth, features, scene and rig");
    if (is_dense && asked >> aqm_words_find(AQM_VIZ_STAGE_WORDS, "features") & 1u)
        aqm_log(log, AQM_LOG_WARNING,
                "runtime.viz_stages: features: dense matching has none to draw");
    if (is_dense && config->runtime.save_features)
        aqm_log(log, AQM_LOG_WARNING,
                "runtime.save_features: dense matching has no features to save");
}
