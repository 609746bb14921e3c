/* Analytic surfaces as JSON, the way gt/scene.json holds them: an array of terms, each an object
 * with "kind": plane {z0, gx, gy}; sines {amp[], kx[], ky[], phase[]}; gauss {a, cx, cy, sigma};
 * annulus {a, cx, cy, r0, sigma}. */
#ifndef AQM_EVALUATE_SURFACE_JSON_H
#define AQM_EVALUATE_SURFACE_JSON_H

#include <jansson.h>

#include "geometry/surface_model.h"

/* FORMAT where the array is not such a list; names the term. */
AQM_NODISCARD AqmStatus aqm_surface_from_json(const json_t *terms, AqmSurfaceModel **out,
                                              AqmDiag *diag);

#endif
