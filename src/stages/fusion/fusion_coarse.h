/* Fusion, internal: views whose pixels are much finer than the voxels, made coarser before anything
 * is done with them. */
#ifndef AQM_STAGES_FUSION_COARSE_H
#define AQM_STAGES_FUSION_COARSE_H

#include "aquamvs/fusion.h"
#include "kernels/fusion_kernels.h"

typedef struct AqmCoarseView AqmCoarseView;

/* The views to fuse: `views[i]` is the given one or stands for it; steps[i]: how many of the given
 * one's pixels a side of its pixels is. Borrows what it was made of. */
typedef struct AqmCoarseViews {
    size_t count;
    AqmFusionView views[AQM_FUSION_VIEWS_MAX];
    int steps[AQM_FUSION_VIEWS_MAX]; /* 1, 2, 4 .. */
    AqmCoarseView *made;             /* count; what is owned */
} AqmCoarseViews;

/* Halves each view's depth map, camera and image as long as the points of two adjacent pixels lie
 * at most half a voxel apart. A depth is the mean of the four it stands for where these are usable
 * and of one surface (within the tolerance), or of two that face each other across the middle;
 * elsewhere NaN. `views` are valid (aqm_fusion_views_validate). MEMORY; nothing is held then. */
AqmStatus aqm_coarse_views_init(AqmCoarseViews *coarse, const AqmFusionView *views, size_t count,
                                const AqmFusionOptions *options, AqmDiag *diag);
/* Of each view every `step`-th pixel of every `step`-th row as it is, without colours: for
 * counting. MEMORY; nothing is held then. */
AqmStatus aqm_thin_views_init(AqmCoarseViews *thin, const AqmFusionView *views, size_t count,
                              int step, int threads, AqmDiag *diag);
void aqm_coarse_views_free(AqmCoarseViews *coarse);

#endif
