/* Ball pivoting, internal: the points that balls may rest on. */
#ifndef AQM_STAGES_SURFACE_BPA_SITES_H
#define AQM_STAGES_SURFACE_BPA_SITES_H

#include <stdint.h>

#include "aquamvs/types.h"

typedef struct AqmBpaSites {
    size_t count;
    float *position;  /* x y z */
    float *normal;    /* as the cloud's: 0 0 0 = not known */
    uint32_t *source; /* index in the cloud */
} AqmBpaSites;

/* The finite points of the cloud, no two nearer than apart_m: in the order of cells of side cell_m.
 * MEMORY, ARGUMENT for a cloud of 2^32 - 1 points or more. */
AqmStatus aqm_bpa_sites_create(AqmBpaSites *out, const AqmCloud *cloud, double cell_m,
                               double apart_m, int threads, AqmDiag *diag);
void aqm_bpa_sites_free(AqmBpaSites *sites);

/* The distance between neighbours of a cloud, were it spread evenly: from the median, over points
 * picked at even intervals, of the distance to the sixth neighbour that lies in another place. 0
 * where no two points of those looked at lie in different places. MEMORY. */
AqmStatus aqm_bpa_spacing(const AqmCloud *cloud, int threads, double *spacing_m, AqmDiag *diag);

#endif
