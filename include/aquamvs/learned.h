/* Stage: the learned matchers, run by ONNX Runtime, which is looked for when it is first needed and
 * is no part of this library: its C API is called through a table (version 1 of the API, whose
 * order is frozen). No weights are shipped: the user gives model files. docs/models.md lists the
 * signatures that are known.
 *
 * This is the one stage that reads files, the models, since ONNX keeps large weights in files
 * beside the graph that only the runtime can find. */
#ifndef AQUAMVS_LEARNED_H
#define AQUAMVS_LEARNED_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ONNX Runtime, loaded: $AQUAMVS_ONNXRUNTIME (a file; if it is set nothing else is tried), else
 * libonnxruntime.so.1 and libonnxruntime.so as the loader finds them, else the copy that
 * tools/get-onnxruntime installs. One is enough for a process; it may be used from several threads.
 * UNSUPPORTED where there is none or it cannot be used, with where it was looked for and what to
 * do. */
typedef struct AqmOnnx AqmOnnx;
AQM_API AQM_NODISCARD AqmStatus aqm_onnx_open(AqmOnnx **out, AqmDiag *diag);
AQM_API void aqm_onnx_close(AqmOnnx **onnx);
/* "1.17.3", and the file it was loaded from. Owned by `onnx`. */
AQM_API const char *aqm_onnx_version(const AqmOnnx *onnx);
AQM_API const char *aqm_onnx_path(const AqmOnnx *onnx);

typedef enum AqmModelKind {
    AQM_MODEL_EXTRACTOR,        /* image -> keypoints, scores, descriptors (SuperPoint, DISK) */
    AQM_MODEL_MATCHER,          /* kpts0 kpts1 desc0 desc1 -> matches0 mscores0 (LightGlue) */
    AQM_MODEL_PIPELINE,         /* images -> keypoints, matches, mscores: both in one */
    AQM_MODEL_COLMAP_EXTRACTOR, /* image max_keypoints min_score -> keypoints descriptors scores */
    AQM_MODEL_COLMAP_MATCHER,   /* the matcher that also takes image_size0 image_size1 */
    AQM_MODEL_DENSE             /* img_A img_B -> warp_AB overlap_AB [precision_AB] (RoMa v2) */
} AqmModelKind;

/* A model, ready to run. Used by one thread at a time; `onnx` must outlive it. */
typedef struct AqmModel AqmModel;

/* Loads a model and recognises it by the names, types and shapes of its inputs and outputs. IO
 * where the file cannot be read, FORMAT where ONNX Runtime refuses it (with its reason) or where it
 * is none of the known kinds: then with the list of what it has and what is expected. threads: 0 =
 * all cores. */
AQM_API AQM_NODISCARD AqmStatus aqm_model_open(AqmModel **out, AqmOnnx *onnx, const char *path,
                                               int threads, AqmDiag *diag);
AQM_API void aqm_model_close(AqmModel **model);
AQM_API AqmModelKind aqm_model_kind(const AqmModel *model);

/* For all below: FORMAT where the model fails in ONNX Runtime (with its reason), or gives back what
 * it must not: another shape or type, NaN, a keypoint outside of the image by more than a pixel, an
 * index that does not exist; MEMORY. *out is set on AQM_OK only.
 *
 * Where an extractor leaves the image's sides open it is given the image as it is, continued with
 * its last row and column to a multiple of 16 px (of 32 for COLMAP's); where a side is fixed, the
 * image resized to it, averaged over where that shrinks. Either way positions come back as the
 * image's own, without half a pixel lost; those out of it by less than is refused are dropped. */

/* Features of an undistorted image (U8, gray or R G B), with a model of kind EXTRACTOR or
 * COLMAP_EXTRACTOR (else ARGUMENT); converted to the channels that the model takes and scaled to
 * 0..1. At most max_keypoints (at least 1), the best by score, best first, not below min_score,
 * none where `mask` (U8, of the image's size; NULL = none) is 0. Scale and orientation are not
 * known; descriptors are as the model gives them. */
AQM_API AQM_NODISCARD AqmStatus aqm_learned_extract(AqmFeatures **out, AqmModel *model,
                                                    const AqmImageView *image,
                                                    const AqmImageView *mask, int max_keypoints,
                                                    double min_score, AqmDiag *diag);

/* Matches of two images' features (sizes in px: width, height), with a model of kind MATCHER or
 * COLMAP_MATCHER (else ARGUMENT); those with a score below filter_threshold are dropped. Of
 * matches that share a feature the one with the better score stays. In the order of the first
 * image's features, at their own positions. None is no error, nor is an image without features,
 * which never reaches the model; descriptors of another length than the model's are FORMAT. */
AQM_API AQM_NODISCARD AqmStatus aqm_learned_match(AqmMatches **out, AqmModel *model,
                                                  const AqmFeatures *first, const int first_size[2],
                                                  const AqmFeatures *second,
                                                  const int second_size[2], double filter_threshold,
                                                  AqmDiag *diag);

/* Both at once with a model of kind PIPELINE (else ARGUMENT), on two images of one size (else
 * ARGUMENT). The features have neither scores nor descriptors (descriptor_size 1, all 0). All three
 * are set on AQM_OK only. */
AQM_API AQM_NODISCARD AqmStatus aqm_learned_match_images(AqmFeatures **first_features,
                                                         AqmFeatures **second_features,
                                                         AqmMatches **matches, AqmModel *model,
                                                         const AqmImageView *first,
                                                         const AqmImageView *second,
                                                         double filter_threshold, AqmDiag *diag);

/* The warp from `first` to `second` with a model of kind DENSE (else ARGUMENT): both images, of any
 * size, are resized to width x height, or to the model's own size where that is fixed; as many
 * cells has the warp. Targets outside of the second image are not known; sigma is where the model
 * gives its precision: the root of the mean variance of u and v. */
AQM_API AQM_NODISCARD AqmStatus aqm_learned_warp(AqmWarp **out, AqmModel *model,
                                                 const AqmImageView *first,
                                                 const AqmImageView *second, int width, int height,
                                                 AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
