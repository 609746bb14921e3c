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
 * through the water, within 0.001 px. certainty is the map's confidence, times exp(-d^2 / 2) where
 * `second_depth` (NULL = not checked) leads back to a pixel d px away, and 0 (the target NaN) where
 * that is over 3 px, not known, or outside. Between pixels `second_depth` is bilinear where four
 * are known, else the nearest. sigma_px is the map's sigma times the shift in `second` of a metre
 * of depth. The same bytes for any number of threads (0 = all cores). ARGUMENT for maps of other
 * sizes than their views; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_warp_from_depth(AqmWarp **out, const AqmView *first,
                                                    const AqmDepthMap *first_depth,
                                                    const AqmView *second,
                                                    const AqmDepthMap *second_depth, int threads,
                                                    AqmDiag *diag);

typedef struct AqmWarpDepthOptions {
    double certainty_threshold; /* 0..1, default 0.5: cells less certain are left out */
    int max_correspondences; /* 0 or 100..100000000, default 100000: of the cells left, at most so
                                many are triangulated, spread evenly over the image (see below);
                                0 = all, as fast and without loss of detail */
    double max_epipolar_px;  /* 0.01..100, default 2: cells whose two rays pass each other by
                                more (in px of either image) are left out */
    int threads;             /* 0 = all cores */
} AqmWarpDepthOptions;

AQM_API AqmWarpDepthOptions aqm_warp_depth_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_warp_depth_options_validate(const AqmWarpDepthOptions *options,
                                                                AqmDiag *diag);

/* The depth map of `first` that the warp means: each cell's ray depth is where its ray comes
 * nearest to its target in `second` in the sense of least squares of pixels. Where more cells are
 * certain than max_correspondences, the middle ones of blocks of k x k cells are taken (k odd; or
 * the cell nearest to the middle, within a quarter of the block), k as small as can be: with the
 * default and a cell a pixel at 1600 x 1200, k = 5, which costs 0.09 mm RMS on waves of 5 mm height
 * and 50 mm length; for warps made from depth maps pass 0.
 *
 * Where cells, or their blocks, are not pixels, the pixels among four that are known and on one
 * surface (neighbours less than three of their distances apart in depth) are interpolated with
 * their slopes, and the others are on the plane of the nearest one, if that is known: no pixel is
 * more than half a cell away from one that is, and holes stay holes. confidence is the certainty;
 * sigma_m comes from sigma_px, or from 0.5 px where that is not known. Depths outside `range` (0
 * and 0: anywhere below the surface) are left out. The same bytes for any number of threads.
 * ARGUMENT for options out of range and ranges that are not; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_warp_depth(AqmDepthMap **out, const AqmView *first,
                                               const AqmView *second, const AqmWarp *warp,
                                               const AqmDepthRange *range,
                                               const AqmWarpDepthOptions *options, AqmDiag *diag);

/* One depth map from those of a view's pairs (1..255, all of one size): per pixel the median of the
 * depths that are known (of an even number the mean of the middle two), then the mean, weighted by
 * 1 / sigma^2, of those within tolerance_m of it, if they are at least min_agree (1..count).
 * confidence is their mean confidence times the share of the known depths that agree; sigma that of
 * the weighted mean, or the standard deviation of those that agree where that is larger. A depth
 * whose sigma is not known counts as if it were tolerance_m. The same bytes for any number of
 * threads (0 = all cores). ARGUMENT for maps of different sizes, and a count, tolerance_m (> 0) or
 * min_agree out of range; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_depth_merge(AqmDepthMap **out, const AqmDepthMap *const *maps,
                                                size_t count, double tolerance_m, int min_agree,
                                                int threads, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
