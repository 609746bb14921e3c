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

/* scale_limit: heights that spread more than this about their median are taken for several layers;
 * there is no fit if even the residuals of the best one are twice as large. scale_floor: noise
 * assumed at least. reach: a point must lie within this distance, and overhang: the node may lie
 * this far outside the points; both in radii. */
typedef struct AqmHeightRules {
    double scale_limit_m, scale_floor_m, reach, overhang;
} AqmHeightRules;

/* surface: the terms 1, x, y, xx, xy, yy of the height around the node, x and y in radii; the
 * height itself is `level_m` + surface[0]. scatter: the standard deviation of the points about it,
 * from their median. weight: the sum of the robust weights w; residual2: the mean square of the
 * residuals weighted by them, square metres; gain: the first element of the inverse of the normal
 * equations, so that the variance of the height is gain times the mean weight sum w^2 / sum w times
 * that of the points. */
typedef struct AqmHeightFit {
    double level_m, scatter_m, weight, residual2, gain;
    float surface[AQM_HEIGHT_TERMS];
} AqmHeightFit;

/* The surface around the window's node; its heights are moved, weights and errors overwritten.
 * near (may be NULL): a fit close by, moved to this node, to start from. false = no fit. */
bool aqm_height_fit(const AqmHeightTools *tools, AqmHeightWindow *window,
                    const AqmHeightRules *rules, const AqmHeightFit *near, AqmHeightFit *out);

/* The surface of a fit around a place (x, y) radii away from its node. */
AqmHeightFit aqm_height_fit_moved(const AqmHeightFit *fit, float x, float y);

#endif
