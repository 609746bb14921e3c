/* What a configuration asks for that this version cannot do. */
#ifndef AQM_CONFIG_SUPPORTED_H
#define AQM_CONFIG_SUPPORTED_H

#include "aquamvs/config.h"

/* To be called once before a run. Warnings through `log` for what is left out: viz_stages
 * summary where it is named, features to be saved or drawn of dense matching, which has none. */
void aqm_config_warn_unsupported(const AqmConfig *config, const AqmLog *log);

/* Where the model files of learned matchers are looked for: runtime.models_dir, else
 * $XDG_DATA_HOME/aquamvs/models, else $HOME/.local/share/aquamvs/models. */
void aqm_models_folder(const AqmConfig *config, char *text, size_t size);

#endif
