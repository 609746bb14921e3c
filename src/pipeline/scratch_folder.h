/* A folder for files that nobody keeps. */
#ifndef AQM_PIPELINE_SCRATCH_FOLDER_H
#define AQM_PIPELINE_SCRATCH_FOLDER_H

#include <limits.h>

#include "base/diag.h"

/* Makes a new folder ".aquamvs_profile_XXXXXX" in `work_dir`, or, where that is NULL, beside
 * `output_dir`: in the folder that it is in, or in the nearest folder above that there is. So the
 * files usually go to the same disk. IO. */
AqmStatus aqm_scratch_create(const char *output_dir, const char *work_dir, char path[PATH_MAX],
                             AqmDiag *diag);
/* Removes it and all there is in it. */
void aqm_scratch_remove(const char *path);

#endif
