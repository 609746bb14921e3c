#include "config/supported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "config/config.h"
#include "config/numbers.h"
#include "config/text_buffer.h"

#include "base/alloc.h"

void aqm_models_folder(const AqmConfig *config, char *text, size_t size) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (config->runtime.models_dir)
        snprintf(text, size, "%s", config->runtime.models_dir);
    else if (data && *data)
        snprintf(text, size, "%s/aquamvs/models", data);
    else
        snprintf(text, size, "%s/.local/share/aquamvs/models", home ? home : "");
}

static bool is_there(const char *folder, const char *file) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, R_OK) == 0;
}

/* The word that stands for `value` in the choices of an option. */
static void choice_word(const char *section, const char *key, int value, char word[32]) {
    size_t length;
    const char *at = aqm_words_at(aqm_option_find(section, key)->info.type, (size_t)value, &length);
    snprintf(word, 32, "%.*s", (int)length, at);
}

static AqmStatus fail_learned(const AqmConfig *config, AqmDiag *diag) {
    char folder[2048], matcher[32], extractor[32], files[2][64] = {"roma.onnx", ""};
    aqm_models_folder(config, folder, sizeof folder);
    choice_word("", "matcher_type", (int)config->matcher_type, matcher);
    choice_word("sparse_matching", "extractor_type", (int)config->sparse_matching.extractor_type,
                extractor);
    const bool two = config->matcher_type == AQM_MATCHER_LIGHTGLUE;
    if (two) {
        snprintf(files[0], sizeof files[0], "%s.onnx", extractor);
        snprintf(files[1], sizeof files[1], "lightglue_%s.onnx", extractor);
    }
    const int found = is_there(folder, files[0]) + (two && is_there(folder, files[1]));
    return aqm_fail(
        diag, AQM_ERROR_UNSUPPORTED,
        "%s: matcher_type: %s: this version has no learned matchers; use --set matcher_type=sift. "
        "Model files alone do not change that. A later version that has them will want %s%s%s, "
        "looked for in %.900s (runtime.models_dir): %d of %d found. They will be ONNX exports of "
        "the published weights, made with the export script that comes with that version and put "
        "there under these names",
        config->path ? config->path : "configuration", matcher, files[0], two ? " and " : "",
        files[1], folder, found, two ? 2 : 1);
}

static AqmStatus check_errors(const AqmConfig *config, AqmDiag *diag) {
    const char *path = config->path ? config->path : "configuration";
    if (config->matcher_type == AQM_MATCHER_LIGHTGLUE || config->matcher_type == AQM_MATCHER_ROMA)
        return fail_learned(config, diag);
    if (config->matcher_type == AQM_MATCHER_DENSE)
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "%s: matcher_type: dense comes in a later version; use the plane sweep: "
                        "--set matcher_type=sift",
                        path);
    if (config->pipeline_mode == AQM_MODE_SPARSE)
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "%s: pipeline_mode: sparse comes in a later version, with the feature "
                        "matcher; use --set pipeline_mode=full",
                        path);
    return AQM_OK;
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

/* Pictures asked for by name that are not there. */
static void warn_pictures(const AqmConfig *config, const AqmLog *log) {
    const unsigned asked = config->runtime.viz_stages;
    const bool features = asked >> aqm_words_find(AQM_VIZ_STAGE_WORDS, "features") & 1u;
    const bool summary = asked >> aqm_words_find(AQM_VIZ_STAGE_WORDS, "summary") & 1u;
    if (config->runtime.viz_enabled && (features || summary))
        aqm_log(log, AQM_LOG_WARNING,
                "runtime.viz_stages: not in this version, and not drawn: %s%s%s; there are depth, "
                "scene and rig",
                features ? "features" : "", features && summary ? ", " : "",
                summary ? "summary" : "");
}

static void warn_all(const AqmConfig *config, const AqmLog *log) {
    const AqmSurfaceMethod method = config->reconstruction.surface_method;
    if (method != AQM_SURFACE_HEIGHTFIELD)
        aqm_log(log, AQM_LOG_WARNING,
                "reconstruction.surface_method: %s comes in a later version; a heightfield is made "
                "instead (--set reconstruction.surface_method=heightfield silences this)",
                method == AQM_SURFACE_POISSON ? "poisson" : "bpa");
    warn_pictures(config, log);
    if (config->runtime.save_features)
        aqm_log(log, AQM_LOG_WARNING,
                "runtime.save_features: feature matching comes in a later version; there are no "
                "features to save");
    warn_later(config, log);
    aqm_log(log, AQM_LOG_INFO, "%s",
            config->reconstruction.has_depth_range
                ? "depth ranges: as configured"
                : "depth ranges: from a coarse sweep (there is no feature matching yet)");
}

AqmStatus aqm_config_check_supported(const AqmConfig *config, const AqmLog *log, AqmDiag *diag) {
    AQM_TRY(check_errors(config, diag));
    warn_all(config, log);
    return AQM_OK;
}
