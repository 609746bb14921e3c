/* Stage: from dense warps to depth maps. A warp says where each cell of an image lies in another;
 * built-in matching makes warps from depth maps of single pairs, learned matching (learned.h) gives
 * them at once. What follows is the same for both: the two rays of each cell meet at a point under
 * water, which gives a depth map per pair, and the depths of a view's pairs are merged. */
#ifndef AQUAMVS_DENSE_H
#define AQUAMVS_DENSE_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The warp that a depth map of `first` means in `second`, a cell a pixel: its points projected
 * through the water. certainty is the map's confidence, times exp(-d^2 / 2) where `second_depth`
 * (NULL = not checked) leads back to a pixel d px away, and 0 (the target NaN) where that is over 3
 * px, not known, or outside. sigma_px is the map's sigma times the shift in `second` of a metre of
 * depth. ARGUMENT for maps of other sizes than their views; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_warp_from_depth(AqmWarp **out, const AqmView *first,
                                                    const AqmDepthMap *first_depth,
                                                    const AqmView *second,
                                                    const AqmDepthMap *second_depth, int threads,
                                                    AqmDiag *diag);

typedef struct AqmWarpDepthOptions {
    double certainty_threshold; /* 0..1, default 0.5: cells less certain are left out */
    int max_correspondences;    /* 100..100000000, default 100000: of the cells left, at most so
                                   many are triangulated, spread evenly over the image: every k-th
                                   cell of a regular lattice, the best of its k by certainty */
    double max_epipolar_px;     /* 0.01..100, default 2: cells whose two rays pass each other by
                                   more (in px of either image) are left out */
    int threads;                /* 0 = all cores */
} AqmWarpDepthOptions;

AQM_API AqmWarpDepthOptions aqm_warp_depth_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_warp_depth_options_validate(const AqmWarpDepthOptions *options,
                                                                AqmDiag *diag);

/* The depth map of `first` that the warp means: each cell's ray depth is where its ray comes
 * nearest to the ray of its target in `second` in the sense of least squares of pixels; from the
 * cells to the pixels by bilinear interpolation between four cells that are known and on one
 * surface (their depths within 5 times what the steepest neighbouring difference elsewhere in the
 * 3 x 3 cells allows), nearest cell at the edge of what is known, no pixel further than half a cell
 * beyond it: holes stay holes. confidence is the certainty; sigma_m from sigma_px, or from 0.5 px
 * where that is not known. ARGUMENT; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_warp_depth(AqmDepthMap **out, const AqmView *first,
                                               const AqmView *second, const AqmWarp *warp,
                                               const AqmDepthRange *range,
                                               const AqmWarpDepthOptions *options, AqmDiag *diag);

/* One depth map from those of a view's pairs (all of one size): per pixel the median of the depths
 * that are known, then the mean, weighted by 1 / sigma^2, of those within tolerance_m of it, if
 * they are at least min_agree (1..count); confidence is their mean confidence times the share of
 * the known depths that agree; sigma that of the weighted mean, or the spread of those that agree
 * where that is larger. ARGUMENT for maps of different sizes, count 0 or a min_agree out of range;
 * MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_depth_merge(AqmDepthMap **out, const AqmDepthMap *const *maps,
                                                size_t count, double tolerance_m, int min_agree,
                                                int threads, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
