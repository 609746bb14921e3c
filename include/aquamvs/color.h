/* Stages of colour: the cameras of a frame made to agree, and a mesh coloured from them. */
#ifndef AQUAMVS_COLOR_H
#define AQUAMVS_COLOR_H

#include "aquamvs/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum AqmColorNorm { AQM_COLOR_GAIN, AQM_COLOR_HISTOGRAM } AqmColorNorm;

/* Changes the images in place (all the same type and channel count): `gain` scales each channel of
 * each image so that its mean equals the mean over all images (pixels with a channel at 0 or at the
 * top of the range are not counted in the means; an image of nothing else stays as it is);
 * `histogram` maps each channel's distribution onto the mean distribution (by quantiles; Delon
 * 2004). Sizes may differ. `full_scale` is the top of the range, the value taken as white (255; for
 * U16 that of the bit depth in use, such as 4095): nothing comes out above it. Fewer than two
 * images: nothing to do. On an error no image is changed: ARGUMENT for images of different types or
 * channel counts, or a full_scale that is not in 1..255 (U8), 1..65535 (U16); MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_color_normalize(AqmImage *const *images, size_t image_count,
                                                    AqmColorNorm method, double full_scale,
                                                    AqmDiag *diag);

/* ---- a mesh in the colours of the images ------------------------------------------------------
 */

/* A camera's undistorted image; borrowed. `mask` (NULL = none; U8, one channel): where it is 0 the
 * camera sees nothing of the scene. Image and mask have the size of the view. */
typedef struct AqmColorView {
    const AqmView *view;
    const AqmImageView *image;
    const AqmImageView *mask;
    double full_scale; /* the value taken as white */
} AqmColorView;

typedef struct AqmMeshColorOptions {
    double sharpness; /* how far the best view outweighs others: the power of the cosine between its
                         ray and the normal; 0..100; default 8 */
    int threads;      /* 0 = all cores */
} AqmMeshColorOptions;

AQM_API AqmMeshColorOptions aqm_mesh_color_options_default(void);
AQM_API AQM_NODISCARD AqmStatus aqm_mesh_color_options_validate(const AqmMeshColorOptions *options,
                                                                AqmDiag *diag);

/* The colour of a vertex that no camera sees: one that no tank has. */
enum { AQM_UNSEEN_RED = 255, AQM_UNSEEN_GREEN = 0, AQM_UNSEEN_BLUE = 255 };

/* Sets the colour of every vertex from the images of the views that see it, and `views` to how many
 * those are. A view sees a vertex if it projects into the image, where the mask allows it, if the
 * surface faces the refracted ray there (by 80 degrees at most, to the vertex normal), and if no
 * other part of the mesh lies before it on that ray or those within some 4 px, where images mix.
 * Seen from several, the colour is their mean, weighted so that the view that looks straightest at
 * it and from nearest counts most, and none at the border of its image: weights change smoothly
 * over the surface, so that no seam shows where one camera takes over from the next. A vertex that
 * none sees has `views` 0 and the colour above; *unseen (may be NULL) is their number. Same bytes
 * for any number of threads. ARGUMENT for sizes that do not fit, more than 255 views or bad
 * options, MEMORY; the mesh is as before then. */
AQM_API AQM_NODISCARD AqmStatus aqm_mesh_color(AqmMesh *mesh, const AqmColorView *views,
                                               size_t view_count,
                                               const AqmMeshColorOptions *options, size_t *unseen,
                                               AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
