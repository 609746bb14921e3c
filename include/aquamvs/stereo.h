/* Stage: one depth map per reference view by a plane sweep through the water.
 *
 * The hypotheses are horizontal planes Z = const below the water, spaced evenly in 1 / (apparent
 * depth), so that a step moves every source pixel by about the same amount. */
#ifndef AQUAMVS_STEREO_H
#define AQUAMVS_STEREO_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum AqmCost { AQM_COST_NCC, AQM_COST_SSIM } AqmCost;

/* How depth is searched for. The cascade sweeps at a low resolution with semi-global matching and
 * follows the answer to the full one; the exhaustive search sweeps every plane at every pixel of
 * the full resolution: many times the work, kept as reference. */
typedef enum AqmSearch { AQM_SEARCH_CASCADE, AQM_SEARCH_EXHAUSTIVE } AqmSearch;

typedef struct AqmStereoOptions {
    AqmSearch search;     /* default cascade */
    int num_depths;       /* 8..4096, default 128: planes of an exhaustive search; the most of a
                             cascade, which starts at the finest resolution where planes 0.7 px
                             apart fill at most 640 num_depths^2 cells (docs/method.md) */
    AqmCost cost;         /* default NCC */
    int window_size;      /* px, odd, 3..31, default 11: side of the square window of an exhaustive
                             search; the cascade's is half of it, odd and at least 3 */
    int depth_batch_size; /* planes whose costs are held at once; 1..64; default 4 */
    int threads;          /* 0 = all cores */
} AqmStereoOptions;

AQM_API AqmStereoOptions aqm_stereo_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_stereo_options_validate(const AqmStereoOptions *options,
                                                            AqmDiag *diag);

/* An undistorted image prepared for matching (gray, padded), with its valid pixels. */
typedef struct AqmStereoImage AqmStereoImage;

/* Prepares an undistorted image (gray or R, G, B) for matching; copies what it needs.
 * `mask`: U8, one channel, the image's size; 0 = the pixel is missing: neither matched nor matched
 * against. NULL = all valid. `full_scale` is the sample value taken as white: 255 for U8; for U16
 * the same for all views of a frame. ARGUMENT for another mask or a full_scale <= 0; MEMORY. *out
 * is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_stereo_image_create(AqmStereoImage **out,
                                                        const AqmImageView *image,
                                                        const AqmImageView *mask, double full_scale,
                                                        AqmDiag *diag);
AQM_API void aqm_stereo_image_destroy(AqmStereoImage **image);

/* One camera as the sweep sees it: borrowed. */
typedef struct AqmStereoView {
    const AqmView *view;
    const AqmStereoImage *image;
    bool is_auxiliary;
} AqmStereoView;

/* The depth range of every non-auxiliary view by coarse sweeps at low resolution, from the water
 * surface down, checked between the views and widened by `margin_m` (metres of ray depth). Sources
 * as aqm_stereo_select_sources picks them. ranges: view_count entries, NaN for auxiliary views.
 * NO_DATA where too few pixels match anywhere to tell. */
AQM_API AQM_NODISCARD AqmStatus aqm_stereo_find_ranges(const AqmStereoView *views,
                                                       size_t view_count, int num_neighbors,
                                                       bool include_center, double margin_m,
                                                       int threads, AqmDepthRange *ranges,
                                                       AqmDiag *diag);

/* Points of the bed below every non-auxiliary view, from coarse sweeps of ranges[] (one a view,
 * straight down) at low resolution: spread over all of the image that another view sees, checked
 * between the views. Good to a tenth or two of a coarse pixel's disparity: to tighten ranges with,
 * not to show. Sources as aqm_stereo_select_sources picks them, at most three besides the
 * auxiliary ones. clouds: view_count entries, which the caller destroys; positions only, none
 * for a view of which less than half is sure, NULL for auxiliary views. Same bytes for any number
 * of threads. ARGUMENT for too many views, NO_DATA where an image is too small, MEMORY; all entries
 * are NULL then. */
AQM_API AQM_NODISCARD AqmStatus aqm_stereo_find_points(const AqmStereoView *views,
                                                       size_t view_count, int num_neighbors,
                                                       bool include_center,
                                                       const AqmDepthRange *ranges, int threads,
                                                       AqmCloud **clouds, AqmDiag *diag);

/* The source views of `reference`: the `num_neighbors` best other non-auxiliary views by overlap
 * and angle, then, with include_center, every auxiliary one: `source_count` in all. The other
 * non-auxiliary views that overlap follow as spares, `spare_count` of them, best first. `range` may
 * be NULL (not yet known). sources: room for view_count indices. */
AQM_API void aqm_stereo_select_sources(const AqmStereoView *views, size_t view_count,
                                       size_t reference, int num_neighbors, bool include_center,
                                       const AqmDepthRange *range, size_t *sources,
                                       size_t *source_count, size_t *spare_count);

/* The depth map of view `reference`: ray depth in metres within `range` (NaN = not known),
 * confidence in 0..1 (0.1: hardly better than chance; 0.05: a small gap, filled from what looks
 * alike around it) and the standard deviation of the depth, each
 * height x width of its undistorted image. `sources`: 1..64 other views, then `spare_count` more
 * that stand in where one of the first does not see a part of the image. The search that the
 * options name, then least squares along the surface found (docs/method.md). Same bytes for any
 * number of threads; may be called from several threads at once. ARGUMENT for views, a range or
 * options that cannot be, NO_DATA where no ray reaches the water, MEMORY. *out is set on AQM_OK
 * only; the caller destroys it. */
AQM_API AQM_NODISCARD AqmStatus aqm_stereo_estimate(const AqmStereoView *views, size_t view_count,
                                                    size_t reference, const size_t *sources,
                                                    size_t source_count, size_t spare_count,
                                                    const AqmDepthRange *range,
                                                    const AqmStereoOptions *options,
                                                    AqmDepthMap **out, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
