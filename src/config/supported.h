/* What a configuration asks for that this version cannot do. */
#ifndef AQM_CONFIG_SUPPORTED_H
#define AQM_CONFIG_SUPPORTED_H

#include "aquamvs/config.h"

/* To be called once before a run. UNSUPPORTED, with the way out, where the run asked for cannot be
 * made: matcher_type lightglue, roma or dense, pipeline_mode sparse. Warnings through `log` for
 * what is left out or done in another way: surface_method poisson and bpa (a heightfield is made),
 * viz_stages features and summary where they are named, save_features, target_faces, keys of
 * feature matching that differ from their defaults. Info (-v): where the depth ranges come from. */
AqmStatus aqm_config_check_supported(const AqmConfig *config, const AqmLog *log, AqmDiag *diag);

/* Where the model files of learned matchers are looked for: runtime.models_dir, else
 * $XDG_DATA_HOME/aquamvs/models, else $HOME/.local/share/aquamvs/models. */
void aqm_models_folder(const AqmConfig *config, char *text, size_t size);

#endif
