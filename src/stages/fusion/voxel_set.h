/* Fusion, internal: points summed up voxel by voxel. */
#ifndef AQM_STAGES_FUSION_VOXEL_SET_H
#define AQM_STAGES_FUSION_VOXEL_SET_H

#include "aquamvs/types.h"
#include "kernels/voxel_sums.h"

/* Numbered from around `center` (metres). */
AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]);

typedef struct AqmVoxelSet AqmVoxelSet;
AqmStatus aqm_voxel_set_create(AqmVoxelSet **out, const AqmVoxelGrid *grid, AqmDiag *diag);
void aqm_voxel_set_destroy(AqmVoxelSet **set);
/* Empties it for other points; its memory stays. */
void aqm_voxel_set_clear(AqmVoxelSet *set);

/* Points on their way to their voxels, at most a batch of them. */
enum { AQM_VOXEL_BATCH = 32 };
typedef struct AqmVoxelBatch {
    size_t count;
    AqmVoxelSums points[AQM_VOXEL_BATCH];
    AqmVoxelPlace places[AQM_VOXEL_BATCH];
    uint32_t likely[AQM_VOXEL_BATCH]; /* the set's: which voxels they seem to be of */
} AqmVoxelBatch;

/* Adds points to the sums of their voxels, in the order in which they come. A batch is added two
 * calls after its own, and must last until then: what memory it needs is on its way while others
 * are worked on. NULL adds those that wait. MEMORY. */
AqmStatus aqm_voxel_set_add(AqmVoxelSet *set, AqmVoxelBatch *batch, AqmDiag *diag);

/* The weighted mean point of every voxel, ordered by Y, X, Z of the voxels. MEMORY. */
AqmStatus aqm_voxel_set_finish(const AqmVoxelSet *set, AqmCloud **out, AqmDiag *diag);

#endif
