#include "config/supported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "config/config.h"
#include "config/numbers.h"
#include "config/text_buffer.h"

void aqm_models_folder(const AqmConfig *config, char *text, size_t size) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (config->runtime.models_dir)
        snprintf(text, size, "%s", config->runtime.models_dir);
    else if (data && *data)
        snprintf(text, size, "%s/aquamvs/models", data);
    else
        snprintf(text, size, "%s/.local/share/aquamvs/models", home ? home : "");
}

/* Does the value differ from the default and from what presets give? */
static bool is_chosen(const AqmConfig *config, const AqmOption *option) {
    const void *field = (const char *)config + option->offset;
    const char *default_value = option->info.default_value;
    double value = 0, usual = 0;
    if (option->kind == AQM_OPTION_BOOL)
        return *(const bool *)field != (strcmp(default_value, "true") == 0);
    value = option->kind == AQM_OPTION_INT ? *(const int *)field : *(const double *)field;
    if (!aqm_parse_real(default_value, &usual))
        usual = option->null_value;
    return value != usual && !aqm_preset_gives(option, value);
}

/* One warning for all keys that ask for a stage that is not there. */
static void warn_later(const AqmConfig *config, const AqmLog *log) {
    AqmTextBuffer names = {0};
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        char name[AQM_OPTION_NAME_MAX];
        if (!(option->flags & AQM_OPTION_LATER) || !is_chosen(config, option))
            continue;
        aqm_option_name(option, name);
        aqm_text_addf(&names, "%s%s", names.length ? ", " : "", name);
    }
    if (names.text)
        aqm_log(log, AQM_LOG_WARNING,
                "no effect in this version, the stages they belong to come later: %s", names.text);
    aqm_free(names.text);
}

/* Files and pictures asked for by name that are not made. */
static void warn_files(const AqmConfig *config, const AqmLog *log) {
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

void aqm_config_warn_unsupported(const AqmConfig *config, const AqmLog *log) {
    const AqmSurfaceMethod method = config->reconstruction.surface_method;
    if (method != AQM_SURFACE_HEIGHTFIELD)
        aqm_log(log, AQM_LOG_WARNING,
                "reconstruction.surface_method: %s comes in a later version; a heightfield is made "
                "instead (--set reconstruction.surface_method=heightfield silences this)",
                method == AQM_SURFACE_POISSON ? "poisson" : "bpa");
    warn_files(config, log);
    warn_later(config, log);
}
