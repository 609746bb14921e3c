/* Mesh colours, internal: how one camera sees a mesh. */
#ifndef AQM_STAGES_COLOR_MESH_SIGHT_H
#define AQM_STAGES_COLOR_MESH_SIGHT_H

#include "aquamvs/types.h"

/* How a view sees a vertex. */
typedef struct AqmVertexSight {
    float u, v;    /* px; NaN where it does not project */
    float depth_m; /* along the ray in water, from the surface */
    float facing;  /* cosine between the ray, back to the camera, and the normal */
    float size_px; /* length in the image of a metre across the ray: how closely it is seen */
} AqmVertexSight;

/* normal: unit. */
AqmVertexSight aqm_vertex_sight(const AqmView *view, const float position[3],
                                const float normal[3]);

/* The nearest depths along the rays of the cells of a grid over the image, AQM_SIGHT_CELL px apart;
 * INFINITY where there is no mesh. */
typedef struct AqmSightBuffer {
    int columns, rows;
    float *depth_m;
} AqmSightBuffer;

enum { AQM_SIGHT_CELL = 2 };

/* MEMORY; free it with aqm_free(depth_m). */
AqmStatus aqm_sight_buffer_create(AqmSightBuffer *out, const AqmView *view, AqmDiag *diag);
/* scratch: a sight for each vertex. */
void aqm_sight_buffer_draw(const AqmSightBuffer *buffer, const AqmMesh *mesh, const AqmView *view,
                           AqmVertexSight *scratch);
/* Is there mesh before what is sighted, or before what lies up to two cells beside it? */
bool aqm_sight_is_hidden(const AqmSightBuffer *buffer, const AqmVertexSight *sight);

#endif
