/* One side of a comparison: what a path means, and what is read from there. */
#ifndef AQM_PIPELINE_COMPARE_INPUT_H
#define AQM_PIPELINE_COMPARE_INPUT_H

#include <limits.h>

#include "aquamvs/types.h"

/* Owns cloud and map, either of which may be NULL, not both. */
typedef struct AqmCompareInput {
    char cloud_path[PATH_MAX], map_path[PATH_MAX]; /* "" = none */
    char config_path[PATH_MAX];                    /* of the run; "" = none */
    AqmCloud *cloud;                               /* in the frame of the file; normals too */
    AqmHeightMap *map;                             /* in the rig frame */
    bool map_is_file;                              /* else made from the points */
    bool has_rotation;
    double world_from_rig[9]; /* as the map's file says; else the identity */
} AqmCompareInput;

/* Finds the files and reads them. `frame`: where `path` is a run. A frame that is not finished
 * warns. On failure the input is empty. */
AQM_NODISCARD AqmStatus aqm_compare_input_read(AqmCompareInput *input, const char *path, int frame,
                                               const AqmLog *log, AqmDiag *diag);
void aqm_compare_input_free(AqmCompareInput *input);

#endif
