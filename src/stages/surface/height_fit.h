/* Heightfield, internal: the robust local fit at one node. */
#ifndef AQM_STAGES_SURFACE_HEIGHT_FIT_H
#define AQM_STAGES_SURFACE_HEIGHT_FIT_H

#include <stdbool.h>

#include "kernels/height_kernels.h"
#include "kernels/nearest_kernels.h"

typedef struct AqmHeightTools {
    const AqmHeightKernels *fit;
    const AqmNearestKernels *select;
} AqmHeightTools;

typedef struct AqmHeightFit {
    double z, slope_x, slope_y; /* metres, metres per radius */
} AqmHeightFit;

/* The surface height at the window's node; its heights are moved, weights and errors overwritten.
 * scale_limit: heights that spread more than this (metres) about their median are taken for several
 * layers; there is no fit if even the residuals of the best one are twice as large. scale_floor:
 * noise assumed at least. reach: a point must lie within this distance, and overhang: the node may
 * lie this far outside the points; both in radii. false = no fit. */
bool aqm_height_fit(const AqmHeightTools *tools, AqmHeightWindow *window, double scale_limit_m,
                    double scale_floor_m, double reach, double overhang, AqmHeightFit *out);

#endif
