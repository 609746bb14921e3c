/* What every writer of height maps asks first. */
#ifndef AQM_IO_HEIGHT_MAP_CHECK_H
#define AQM_IO_HEIGHT_MAP_CHECK_H

#include "aquamvs/types.h"

/* ARGUMENT for a map without nodes, without a step, or with nodes beyond 2^31 steps. */
AQM_NODISCARD AqmStatus aqm_height_map_check(const char *path, const AqmHeightMap *map,
                                             AqmDiag *diag);

#endif
