/* Images as the models want them, and positions back: where half pixels could be lost.
 *
 * A model sees the image scaled (only where its size is fixed) and then, to the right and below,
 * padded with copies of its last column and row. Integer coordinates are pixel centres throughout:
 * a pixel x of the scaled image is pixel (x + 0.5) W / w - 0.5 of the image. */
#ifndef AQM_LEARNED_TENSOR_IMAGE_H
#define AQM_LEARNED_TENSOR_IMAGE_H

#include "stages/learned/model.h"

/* Along each axis (0 = u, 1 = v): px of the image, of it scaled, and of what the model is given. */
typedef struct AqmPlacement {
    int image[2], scaled[2], given[2];
} AqmPlacement;

/* A model's own size along an axis where it is fixed, else the image's, padded to a multiple. */
AqmPlacement aqm_place_image(const AqmModel *model, const AqmImageView *image, int multiple);

/* Position (x, y) of what the model was given, in px there, as one of the image. */
void aqm_place_back(const AqmPlacement *placement, const double xy[2], float uv[2]);

/* Keypoint `index` of a tensor whose last dimension is 2. is_normalized: -1..1 from the centre of
 * the first pixel to that of the last, else px. *is_inside: in the image, not in its padding.
 * FORMAT for NaN or infinity, or more than a pixel outside of what the model was given. */
AqmStatus aqm_read_keypoint(const AqmModel *model, const AqmTensorOut *keypoints, size_t index,
                            const AqmPlacement *placement, bool is_normalized, float uv[2],
                            bool *is_inside, AqmDiag *diag);

/* Fills `out` (channels x given height x given width, 0..1). Colours become gray by the weights
 * 0.299, 0.587, 0.114; gray becomes three equal channels. An axis is averaged over where it shrinks
 * and interpolated linearly where it grows. MEMORY. */
AqmStatus aqm_image_to_tensor(const AqmImageView *image, int channels,
                              const AqmPlacement *placement, float *out, AqmDiag *diag);

/* ARGUMENT if it is not of 8 bits with 1 or 3 channels. */
AqmStatus aqm_check_image(const AqmImageView *image, AqmDiag *diag);

/* element 0 of the shape of a tensor of positions etc. as a number: value i of any of the types
 * that keypoints come in. */
double aqm_tensor_number(const AqmTensorOut *tensor, size_t i);

#endif
