/* A suite as YAML, by which it can be run again. */
#include <math.h>
#include <string.h>

#include "benchmark/suite.h"
#include "config/config_options.h"
#include "config/numbers.h"

static void add_real(AqmTextBuffer *yaml, const char *before, double value) {
    char text[AQM_REAL_TEXT_MAX] = "null";
    if (!isnan(value))
        aqm_format_real(value, text);
    aqm_text_addf(yaml, "%s%s\n", before, text);
}

/* In double quotes: of any length, so piece by piece. */
static void add_quoted(AqmTextBuffer *yaml, const char *text) {
    aqm_text_add(yaml, "\"");
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            aqm_text_addf(yaml, "\\%c", byte);
        else if (byte < 32 || byte == 127)
            aqm_text_addf(yaml, "\\x%02x", byte);
        else
            aqm_text_add_n(yaml, text, 1);
    }
    aqm_text_add(yaml, "\"\n");
}

static void add_thresholds(AqmTextBuffer *yaml, const AqmThresholds *t) {
    aqm_text_add(yaml, "thresholds: # percent for the worse; null = not judged\n");
    for (int k = 0; k < AQM_GROUP_COUNT; k++) {
        aqm_text_addf(yaml, "  %s", aqm_group_name((AqmMetricGroup)k));
        add_real(yaml, ": ", t->group_percent[k]);
    }
    add_real(yaml, "  least_seconds: ", t->least_s);
    add_real(yaml, "  least_mb: ", t->least_mb);
    for (size_t k = 0; k < t->own_count; k++) {
        aqm_text_addf(yaml, "  %s", t->own[k].name);
        add_real(yaml, ": ", t->own[k].percent);
    }
}

static void add_rendering(AqmTextBuffer *yaml, const AqmSynthOptions *o) {
    static const char *const rigs[] = {"ring12", "ring5", "pair"};
    aqm_text_addf(yaml, "    scene: %s\n    rig: %s\n    size: %dx%d%s\n    seed: %llu\n",
                  aqm_suite_scene_name(o->scene), rigs[o->rig], o->width, o->height,
                  o->width == 0 ? " # the rig's own" : "", (unsigned long long)o->seed);
    add_real(yaml, "    noise: ", o->noise);
    add_real(yaml, "    blur_px: ", o->blur_px);
    add_real(yaml, "    gain_spread: ", o->gain_spread);
    add_real(yaml, "    contrast: ", o->contrast);
    add_real(yaml, "    distortion: ", o->distortion);
    add_real(yaml, "    n_water: ", o->n_water);
    add_real(yaml, "    amplitude_m: ", o->amplitude_m);
    add_real(yaml, "    wavelength_m: ", o->wavelength_m);
    add_real(yaml, "    tilt_deg: ", o->tilt_deg);
}

static void add_dataset(AqmTextBuffer *yaml, const AqmSuiteDataset *d) {
    aqm_text_addf(yaml, "  - name: %s\n", d->name);
    if (d->folder) {
        aqm_text_add(yaml, "    folder: ");
        add_quoted(yaml, d->folder);
    } else {
        add_rendering(yaml, &d->synth);
    }
    aqm_text_addf(yaml, "    frame: %d\n    min_views: %d\n", d->frame, d->min_views);
}

static bool is_path(const char *name) {
    for (size_t k = 0; k < aqm_option_count(); k++) {
        const AqmOption *option = aqm_option_at(k);
        char own[AQM_OPTION_NAME_MAX];
        aqm_option_name(option, own);
        if (option->kind == AQM_OPTION_PATH && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static void add_configuration(AqmTextBuffer *yaml, const AqmSuiteConfiguration *c) {
    static const char *const presets[] = {"null", "fast", "balanced", "quality"};
    aqm_text_addf(yaml, "  - name: %s\n    preset: %s\n    set:", c->name, presets[c->preset]);
    aqm_text_add(yaml, c->setting_count ? "\n" : " {}\n");
    for (size_t k = 0; k < c->setting_count; k++) {
        const AqmSuiteSetting *setting = &c->settings[k];
        aqm_text_addf(yaml, "      %s: ", setting->name);
        if (is_path(setting->name) && strcmp(setting->value, "null") != 0) {
            add_quoted(yaml, setting->value);
        } else {
            aqm_text_add(yaml, setting->value);
            aqm_text_add(yaml, "\n");
        }
    }
}

void aqm_suite_write(const AqmSuite *suite, AqmTextBuffer *yaml) {
    aqm_text_addf(yaml, "name: %s\nseed: %llu\nrepeats: %d\n", suite->name,
                  (unsigned long long)suite->seed, suite->repeats);
    add_real(yaml, "ground_truth_tolerance_mm: ", suite->tolerance_mm);
    add_thresholds(yaml, &suite->thresholds);
    aqm_text_add(yaml, "datasets:\n");
    for (size_t i = 0; i < suite->dataset_count; i++)
        add_dataset(yaml, &suite->datasets[i]);
    aqm_text_add(yaml, "configurations:\n");
    for (size_t i = 0; i < suite->configuration_count; i++)
        add_configuration(yaml, &suite->configurations[i]);
}
