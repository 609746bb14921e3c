/* Ball pivoting, internal: what was made of the cloud, as a mesh. */
#ifndef AQM_STAGES_SURFACE_BPA_MESH_H
#define AQM_STAGES_SURFACE_BPA_MESH_H

#include "stages/surface/bpa_front.h"
#include "stages/surface/bpa_sites.h"

/* The triangles of the front over the sites they use, in the order of the sites, with all that the
 * cloud knows of them; a normal that it does not know is that of the triangles around. MEMORY. */
AqmStatus aqm_bpa_mesh(const AqmBpaFront *front, const AqmBpaSites *sites, const AqmCloud *cloud,
                       AqmMesh **out, AqmDiag *diag);

#endif
