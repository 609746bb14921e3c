/* One camera's picture of the ground: exact rays first, then light. */
#ifndef AQM_SYNTH_RENDER_H
#define AQM_SYNTH_RENDER_H

#include "geometry/surface_model.h"
#include "synth/synth_texture.h"

/* Where the ray of every raw (distorted) pixel meets the ground. Owns its planes, height x width,
 * row-major; NaN (shade: 0) where a ray does not meet it. */
typedef struct AqmTrace {
    int width, height;
    float *depth_m; /* ray depth below the water surface */
    float *x, *y;   /* of the hit, rig frame, metres */
    float *shade;   /* light that the ground throws back per albedo, 0..1 */
    double box[4];  /* x min, x max, y min, y max of the hits; min > max where there is none */
    double depth_range[2];
} AqmTrace;

/* Traces the pixels of one camera of the rig. ARGUMENT if it does not stand above the water. */
AQM_NODISCARD AqmStatus aqm_trace_camera(const AqmRig *rig, size_t camera,
                                         const AqmSurfaceModel *surface,
                                         const AqmSurfaceBounds *bounds, AqmTrace **out,
                                         AqmDiag *diag);
void aqm_trace_destroy(AqmTrace **trace);

/* Radiance of every pixel, R G B interleaved, about 0..1; `radiance` has room for 3 x width x
 * height. */
void aqm_trace_paint(const AqmTrace *trace, const AqmTexture *texture, float *radiance);

#endif
