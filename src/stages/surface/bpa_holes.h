/* Ball pivoting, internal: small holes that no ball closed. */
#ifndef AQM_STAGES_SURFACE_BPA_HOLES_H
#define AQM_STAGES_SURFACE_BPA_HOLES_H

#include "stages/surface/bpa_front.h"
#include "stages/surface/bpa_sites.h"

/* Closes holes of at most eight edges with triangles between their corners, none with an edge
 * longer than longest_m, that face where their neighbours and the normals of the corners do. No
 * edge may be waiting. MEMORY. */
AqmStatus aqm_bpa_close_holes(AqmBpaFront *front, const AqmBpaSites *sites, double longest_m,
                              AqmDiag *diag);

#endif
