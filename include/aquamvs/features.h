/* Stage: points of interest of an undistorted image, with descriptors. */
#ifndef AQUAMVS_FEATURES_H
#define AQUAMVS_FEATURES_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmFeatureOptions {
    int max_keypoints;          /* 16..100000, default 2048: kept per image */
    double detection_threshold; /* 0..1, default 0.005: least contrast (the difference of Gaussians
                                   at the extremum), white = 1 */
} AqmFeatureOptions;

AQM_API AqmFeatureOptions aqm_feature_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_feature_options_validate(const AqmFeatureOptions *options,
                                                             AqmDiag *diag);

/* The image that features are sought in: 8-bit gray (Rec. 601 luma of R G B, `full_scale` = white),
 * with clahe_clip_limit > 0 equalised by CLAHE (Zuiderveld 1994) on an 8 x 8 grid of tiles as
 * OpenCV's: each tile's histogram is clipped at clip_limit times its mean count and what was cut is
 * spread over all bins; tiles are blended bilinearly. 0 = no equalisation. Pixels that `mask` (U8,
 * the image's size; NULL = none) leaves out are not counted in the histograms. ARGUMENT for a mask
 * of another size, a full_scale <= 0 or a negative limit; MEMORY. *out is set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_features_image(AqmImage **out, const AqmImageView *image,
                                                   const AqmImageView *mask, double full_scale,
                                                   double clahe_clip_limit, AqmDiag *diag);

/* SIFT (Lowe 2004) of an 8-bit gray image: positions to 0.05 px, three scales an octave from the
 * full resolution on, edges left out (ratio 10). Of the extrema above the threshold the strongest
 * are kept, spread over the image so that a textured corner does not take them all. Where we
 * deviate: a point has one orientation, the strongest, so a place stands for one feature. None lies
 * where `mask` (NULL = none) is 0, nor so near to it that its descriptor would see it. Sorted by
 * score, then position: the same image gives the same bytes. An image without features gives count
 * 0, which is no error. May be called from several threads at once; 32 bytes a pixel are needed
 * meanwhile. ARGUMENT for an image that is not 8-bit gray or another mask; MEMORY. *out is set on
 * AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_features_detect(AqmFeatures **out, const AqmImageView *gray,
                                                    const AqmImageView *mask,
                                                    const AqmFeatureOptions *options,
                                                    AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
