/* One camera's picture of the ground: exact rays first, then light. */
#ifndef AQM_SYNTH_RENDER_H
#define AQM_SYNTH_RENDER_H

#include "geometry/plate.h"
#include "geometry/surface_model.h"
#include "synth/synth_texture.h"

/* Where rays meet a surface. Owns its planes, height x width, row-major. */
typedef struct AqmTraceLayer {
    float *x, *y; /* metres; NaN where a ray does not meet it */
    float *shade; /* light that it throws back per albedo, 0..1 */
} AqmTraceLayer;

/* What the ray of every raw (distorted) pixel meets. */
typedef struct AqmTrace {
    int width, height;
    float *depth_m;       /* owned: of the nearest that it meets, below the water surface, or NaN */
    AqmTraceLayer ground; /* x, y in the rig frame, also behind the plate */
    AqmTraceLayer plate;  /* x, y on its plane, from its corner; NULL where there is no plate */
    double box[4]; /* x min, x max, y min, y max of what is seen; min > max where there is none */
    double depth_range[2];
} AqmTrace;

/* A board on a plate in the scene; borrows it. */
typedef struct AqmTraceBoard {
    const AqmBoard *board;
    double margin_m; /* of the plate around the squares */
} AqmTraceBoard;

/* Traces the pixels of one camera of the rig; `plate` hangs over the surface, NULL = there is none.
 * ARGUMENT if the camera does not stand above the water. */
AQM_NODISCARD AqmStatus aqm_trace_camera(const AqmRig *rig, size_t camera,
                                         const AqmSurfaceModel *surface,
                                         const AqmSurfaceBounds *bounds, const AqmPlate *plate,
                                         AqmTrace **out, AqmDiag *diag);
void aqm_trace_destroy(AqmTrace **trace);

/* Radiance of every pixel, R G B interleaved, about 0..1; `radiance` has room for 3 x width x
 * height. `board` is what is printed on the plate; NULL where there is none. */
void aqm_trace_paint(const AqmTrace *trace, const AqmTexture *texture, const AqmTraceBoard *board,
                     float *radiance);

#endif
