/* Normals of all points of a cloud, found where they are not known. */
#ifndef AQM_EVALUATE_CLOUD_NORMALS_H
#define AQM_EVALUATE_CLOUD_NORMALS_H

#include "aquamvs/types.h"
#include "geometry/neighbors.h"

/* *own is NULL where the cloud knows all its normals, else 3 x count floats for the caller to free
 * with aqm_free: those of the cloud and, where they are 0 0 0, that of the plane through the 16
 * nearest points, upwards (to smaller Z); 0 0 0 where these lie on a line. `neighbors`: of the
 * cloud. MEMORY. */
AQM_NODISCARD AqmStatus aqm_cloud_normals(const AqmCloud *cloud, const AqmNeighbors *neighbors,
                                          int threads, float **own, AqmDiag *diag);

#endif
