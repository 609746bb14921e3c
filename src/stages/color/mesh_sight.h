/* Mesh colours, internal: what of a mesh a camera has before it. */
#ifndef AQM_STAGES_COLOR_MESH_SIGHT_H
#define AQM_STAGES_COLOR_MESH_SIGHT_H

#include "aquamvs/types.h"
#include "kernels/paint_kernels.h"

/* Up to AQM_PAINT_BLOCK vectors, coordinate by coordinate. */
typedef struct AqmVertexBlock {
    float axis[3][AQM_PAINT_BLOCK];
} AqmVertexBlock;

/* `count` vectors (x y z each), and zeros up to the next multiple of AQM_PAINT_LANES, which it
 * returns. */
size_t aqm_vertex_block_load(AqmVertexBlock *block, const float *vectors, size_t count);

/* Of each cell of a grid over the image, AQM_SIGHT_CELL px apart, how near the mesh comes along the
 * rays of the cell and of those around it: one cell before it and two behind it, in u and in v.
 * INFINITY where there is no mesh. */
typedef struct AqmSightBuffer {
    int columns, rows;
    float *depth_m; /* and behind the cells room for drawing */
} AqmSightBuffer;

/* Undefined until it is drawn. MEMORY; free it with aqm_free(depth_m). */
AqmStatus aqm_sight_buffer_create(AqmSightBuffer *out, const AqmView *view, AqmDiag *diag);

/* Floats that drawing a mesh of so many vertices needs as scratch. */
size_t aqm_sight_scratch(size_t vertex_count);
void aqm_sight_buffer_draw(const AqmSightBuffer *buffer, const AqmMesh *mesh, const AqmView *view,
                           float *scratch);

/* What lies farther than the buffer says is hidden only if by more than this many metres, or by
 * more than a metre over so many px in the image: a surface itself slopes. */
extern const float aqm_sight_tolerance_m, aqm_sight_tolerance_px;

#endif
