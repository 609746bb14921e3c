/* Fusion, internal: the average point of every voxel. */
#ifndef AQM_STAGES_FUSION_VOXEL_MERGE_H
#define AQM_STAGES_FUSION_VOXEL_MERGE_H

#include "aquamvs/types.h"

/* Voxels are cubes whose corners lie at multiples of `size_m` in the rig frame: the grid does not
 * depend on the data. For sorting, space is cut along Y into AQM_SLAB_COUNT slabs of 2^shift voxel
 * rows, centred on `center`; what lies beyond them counts to the first or last. */
enum { AQM_SLAB_COUNT = 1 << 20 };

typedef struct AqmVoxelGrid {
    double size_m;
    int64_t center[3]; /* voxel indices around which the data lie */
    int shift;
} AqmVoxelGrid;

typedef struct AqmVoxelPoint {
    float position[3];
    float weight;      /* > 0 */
    float confidence;  /* 0..1 */
    int16_t normal[3]; /* times 32767; 0 0 0 = not known */
    uint8_t color[3], views;
} AqmVoxelPoint;

AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]);

/* The slab of a point. */
uint32_t aqm_voxel_slab(const AqmVoxelGrid *grid, float y);

/* Scratch for merging up to `capacity` points of up to `slab_capacity` slabs at a time. */
typedef struct AqmVoxelMerge AqmVoxelMerge;
AqmStatus aqm_voxel_merge_create(AqmVoxelMerge **out, const AqmVoxelGrid *grid, size_t capacity,
                                 size_t slab_capacity, int threads, AqmDiag *diag);
void aqm_voxel_merge_destroy(AqmVoxelMerge **merge);
AqmVoxelPoint *aqm_voxel_merge_points(AqmVoxelMerge *merge); /* to fill: `capacity` of them */

/* Appends to `cloud` the weighted mean point of every voxel among the first `count` points, ordered
 * by Y, X, Z of the voxels. All points lie in the slabs first_slab .. first_slab + slab_count - 1,
 * `slab_points[i]` of them in the i-th; every slab must come whole. The sums run in the order of
 * the points. */
AqmStatus aqm_voxel_merge_append(AqmVoxelMerge *merge, size_t count, uint32_t first_slab,
                                 size_t slab_count, const uint32_t *slab_points, AqmCloud *cloud,
                                 AqmDiag *diag);

#endif
