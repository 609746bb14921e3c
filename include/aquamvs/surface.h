/* Stage: from the fused cloud to a surface mesh. */
#ifndef AQUAMVS_SURFACE_H
#define AQUAMVS_SURFACE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmHeightfieldOptions {
    double grid_resolution_m; /* spacing of the vertices in X and Y; default 0.002 */
    int threads;              /* 0 = all cores */
} AqmHeightfieldOptions;

AQM_API AqmHeightfieldOptions aqm_heightfield_options_default(void);
/* ARGUMENT for a value out of its range, which the message names. */
AQM_API AQM_NODISCARD AqmStatus
aqm_heightfield_options_validate(const AqmHeightfieldOptions *options, AqmDiag *diag);

/* A height over the horizontal plane of the rig frame: a robust local fit at every grid node with
 * enough points around it (within 2.5 cells, more only where the whole cloud is sparser than that);
 * holes of up to four cells filled where neighbours support them, others left open; nothing more
 * than half a cell outside the points. Nodes lie at multiples of grid_resolution_m. Where surfaces
 * hang over each other, the one with more points near the node is taken. Colours and normals (to
 * the cameras) are those of the fit. NO_DATA if the cloud supports no triangle at all, ARGUMENT for
 * bad options, MEMORY; *out is then untouched. Same bytes for any number of threads. */
AQM_API AQM_NODISCARD AqmStatus aqm_surface_heightfield(const AqmCloud *cloud,
                                                        const AqmHeightfieldOptions *options,
                                                        AqmMesh **out, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
