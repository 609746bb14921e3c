/* Stage: from one depth map per view to one cloud that the views agree on. */
#ifndef AQUAMVS_FUSION_H
#define AQUAMVS_FUSION_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmFusionOptions {
    int min_consistent_views; /* views that must agree, the reference counted; >= 1; default 3 */
    double depth_tolerance_m; /* agreement: ray depths differ by less than this; default 0.005 */
    double min_confidence;    /* depth map pixels below it are not used; 0..1; default 0.1 */
    double voxel_size_m;      /* one point a voxel is kept, their average; default 0.001 */
    int matched_views; /* the other views, nearest first, that each depth map was matched with: says
                          how far the maps' errors are the same (sigma_m); 0 = all; default 4 */
    bool outlier_removal_enabled; /* default true */
    int outlier_nb_neighbors;     /* default 20 */
    double outlier_std_ratio;     /* default 2.0 */
    int threads;                  /* 0 = all cores */
} AqmFusionOptions;

AQM_API AqmFusionOptions aqm_fusion_options_default(void);
/* ARGUMENT for a value out of its range, which the message names. */
AQM_API AQM_NODISCARD AqmStatus aqm_fusion_options_validate(const AqmFusionOptions *options,
                                                            AqmDiag *diag);

/* One reference view with its estimate; borrowed. `color`: the undistorted image (U8, 1 or 3
 * channels; or U16 with full_scale the value taken as white); NULL = no colour, points are gray.
 * Depth map, view and image have the same size. At most 255 views. */
typedef struct AqmFusionView {
    const AqmView *view;
    const AqmDepthMap *depth;
    const AqmImageView *color;
    double full_scale;
} AqmFusionView;

/* How many views (the view itself counted) agree with each pixel of view `reference`; 0 where it
 * has no usable depth. counts: height x width. A view that sees something nearer or farther there
 * abstains. ARGUMENT for bad options or sizes that do not fit; counts is then untouched. */
AQM_API AQM_NODISCARD AqmStatus aqm_fusion_consistency(const AqmFusionView *views,
                                                       size_t view_count, size_t reference,
                                                       const AqmFusionOptions *options,
                                                       uint8_t *counts, AqmDiag *diag);

/* Whether the views speak of one surface, before anything is fused: of the pixels with a usable
 * depth in some tiles of all views (every tile of small maps, else about 512 spread evenly; of
 * large maps every second or fourth pixel and row) how many there are, and how many at least
 * `needed` views agree on, the view itself counted. ARGUMENT as above, MEMORY; the numbers are then
 * untouched. */
AQM_API AQM_NODISCARD AqmStatus aqm_fusion_agreement(const AqmFusionView *views, size_t view_count,
                                                     int needed, const AqmFusionOptions *options,
                                                     size_t *depths, size_t *agreed, AqmDiag *diag);

/* The fused cloud: consistent pixels, each moved to the mean of the views that agree on it,
 * weighted by the standard deviations of their depths (where none is known, by their confidences);
 * normals; one point per voxel, ordered by Y, X, Z of the voxels, whose corners lie at multiples of
 * voxel_size_m. A surface that crosses from one layer of voxels to the next leaves a point in
 * either: 4 % of the points of a sand bed lie within 0.3 voxels of another. sigma_m is that of the
 * views, of what their errors have in common (matched_views, and relief finer than the windows) and
 * of what they differ by more than chance would have it; NaN where no map knows its own. No outlier
 * removal. Maps whose pixels are finer than 0.6 voxels are halved first, where their depths are
 * means of 2 x 2. Rig frame. An empty cloud is not an error. Same bytes for any number of threads.
 * Memory besides the cloud: 8 bytes a pixel of all views (of one that is halved: 6 bytes), and
 * about 15 MB a thread (100 MB where the voxels are finer than the pixels). ARGUMENT as above,
 * MEMORY; *out is then untouched. */
AQM_API AQM_NODISCARD AqmStatus aqm_fuse(const AqmFusionView *views, size_t view_count,
                                         const AqmFusionOptions *options, AqmCloud **out,
                                         AqmDiag *diag);

/* Statistical outlier removal (Rusu et al. 2008): drops points whose mean distance to their
 * outlier_nb_neighbors nearest neighbours exceeds mean + outlier_std_ratio * standard deviation of
 * that quantity, both over the cloud and over the points with as many `views` (a surface is sampled
 * more thinly where fewer views see it; groups below 1 % of the cloud are judged by the whole
 * alone). Keeps the order. removed (may be NULL): how many went.
 * ARGUMENT for bad options, MEMORY; the cloud is as before then. */
AQM_API AQM_NODISCARD AqmStatus aqm_cloud_remove_outliers(AqmCloud *cloud,
                                                          const AqmFusionOptions *options,
                                                          size_t *removed, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
