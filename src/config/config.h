/* What the files of this layer share about a whole configuration. */
#ifndef AQM_CONFIG_CONFIG_H
#define AQM_CONFIG_CONFIG_H

#include "config/config_options.h"

/* Sets the numbers of a preset, except those whose option is marked in keep[aqm_option_count()].
 * true if that had no effect although the preset has other numbers: all its keys are kept, and some
 * differ. */
bool aqm_config_fill_preset(AqmConfig *config, AqmPreset preset, const bool *keep);

/* Is `value` what some preset gives to this option? */
bool aqm_preset_gives(const AqmOption *option, double value);

/* Hands runtime.threads on to the options of every stage. */
void aqm_config_share_threads(AqmConfig *config);

#endif
