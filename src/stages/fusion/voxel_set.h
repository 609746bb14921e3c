/* Fusion, internal: points summed up voxel by voxel. */
#ifndef AQM_STAGES_FUSION_VOXEL_SET_H
#define AQM_STAGES_FUSION_VOXEL_SET_H

#include "aquamvs/types.h"

/* Voxels are cubes whose corners lie at multiples of `size_m` in the rig frame: the grid does not
 * depend on the data. They are numbered from a corner near it. */
typedef struct AqmVoxelGrid {
    double size_m, per_m; /* and its inverse */
    double corner[3];     /* in voxels */
} AqmVoxelGrid;

typedef struct AqmVoxelPoint {
    float position[3];
    float weight;     /* > 0 */
    float confidence; /* 0..1 */
    float sigma_m;    /* along the normal, > 0 */
    float normal[3];  /* unit, or 0 0 0 = not known */
    uint8_t color[3], views;
} AqmVoxelPoint;

/* Numbered from around `center` (metres). */
AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]);

/* A coordinate along an axis (0 X, 1 Y, 2 Z) in voxels from the grid's corner. */
static inline double aqm_voxel_cells(const AqmVoxelGrid *grid, int axis, float coordinate) {
    return (double)coordinate * grid->per_m - grid->corner[axis];
}

/* The number of the voxel: beyond 2^30 voxels from the corner all are one. */
static inline int32_t aqm_voxel_floor(double cells) {
    const double held = cells > -0x1p30 ? cells : -0x1p30; /* NaN too */
    const double index = held < 0x1p30 ? held : 0x1p30;
    const int32_t toward_zero = (int32_t)index;
    return toward_zero - (index < (double)toward_zero);
}

static inline int32_t aqm_voxel_index(const AqmVoxelGrid *grid, int axis, float coordinate) {
    return aqm_voxel_floor(aqm_voxel_cells(grid, axis, coordinate));
}

typedef struct AqmVoxelSet AqmVoxelSet;
AqmStatus aqm_voxel_set_create(AqmVoxelSet **out, const AqmVoxelGrid *grid, AqmDiag *diag);
void aqm_voxel_set_destroy(AqmVoxelSet **set);
/* Empties it for other points; its memory stays. */
void aqm_voxel_set_clear(AqmVoxelSet *set);

/* Adds points to the sums of their voxels, which are taken in the order of the points. MEMORY. */
AqmStatus aqm_voxel_set_add(AqmVoxelSet *set, const AqmVoxelPoint *points, size_t count,
                            AqmDiag *diag);

/* The weighted mean point of every voxel, ordered by Y, X, Z of the voxels. MEMORY. */
AqmStatus aqm_voxel_set_finish(const AqmVoxelSet *set, AqmCloud **out, AqmDiag *diag);

#endif
