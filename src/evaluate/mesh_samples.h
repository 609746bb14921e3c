/* Points spread evenly over a mesh. */
#ifndef AQM_EVALUATE_MESH_SAMPLES_H
#define AQM_EVALUATE_MESH_SAMPLES_H

#include "aquamvs/types.h"

/* About one point per spacing_m^2 of surface (at least 1000, at most 6 million), spread over the
 * triangles by area. The caller frees *points (x y z each) with aqm_free. NO_DATA for a mesh
 * without area; FORMAT for an index that is no vertex. */
AQM_NODISCARD AqmStatus aqm_mesh_samples(const AqmMesh *mesh, double spacing_m, float **points,
                                         size_t *count, AqmDiag *diag);

#endif
