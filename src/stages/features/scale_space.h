/* The Gaussian scale space that features are sought in. */
#ifndef AQM_FEATURES_SCALE_SPACE_H
#define AQM_FEATURES_SCALE_SPACE_H

#include "aquamvs/types.h"

enum {
    AQM_SCALES = 3,                    /* in which an octave is searched */
    AQM_SCALE_LEVELS = AQM_SCALES + 3, /* of blur, for AQM_SCALES + 2 differences */
    AQM_OCTAVES = 4                    /* at most */
};

/* Level l of an octave is the image blurred to AQM_SCALE_SIGMA 2^(l / AQM_SCALES) of the octave's
 * pixels; pixel (x, y) of octave o is the image's pixel (x 2^o, y 2^o). */
typedef struct AqmOctave {
    int width, height;
    size_t stride; /* values */
    float *levels[AQM_SCALE_LEVELS];
} AqmOctave;

typedef struct AqmScaleSpace {
    int octave_count;
    AqmOctave octaves[AQM_OCTAVES];
    float *block; /* of all levels */
} AqmScaleSpace;

#define AQM_SCALE_SIGMA 1.6f

/* Of an 8-bit gray image, white = 1. MEMORY; *space needs no destruction then. */
AQM_NODISCARD AqmStatus aqm_scale_space_create(AqmScaleSpace *space, const AqmImageView *gray,
                                               AqmDiag *diag);
void aqm_scale_space_free(AqmScaleSpace *space);

/* The difference of Gaussians `scale` (0..AQM_SCALES + 1), white = 1. */
static inline float aqm_difference_at(const AqmOctave *octave, int scale, int x, int y) {
    const size_t i = (size_t)y * octave->stride + (size_t)x;
    return octave->levels[scale + 1][i] - octave->levels[scale][i];
}

#endif
