/* The pictures of a frame: what runtime.viz_stages asks for, drawn and written to viz/. */
#ifndef AQM_PIPELINE_FRAME_PICTURES_H
#define AQM_PIPELINE_FRAME_PICTURES_H

#include "aquamvs/picture.h"
#include "pipeline/frame.h"

/* In the order of the words of runtime.viz_stages. */
typedef enum AqmPicture {
    AQM_PICTURE_DEPTH,
    AQM_PICTURE_FEATURES,
    AQM_PICTURE_SCENE,
    AQM_PICTURE_RIG,
    AQM_PICTURE_SUMMARY
} AqmPicture;

bool aqm_picture_wanted(const AqmConfig *config, AqmPicture picture);

/* viz/depth_{camera}.png */
AqmStatus aqm_frame_draw_depth(const AqmFrameJob *job, const char *camera, const AqmDepthMap *map,
                               AqmDiag *diag);
/* viz/features_{camera}.png */
AqmStatus aqm_frame_draw_features(const AqmFrameJob *job, const char *camera,
                                  const AqmImageView *image, double full_scale,
                                  const AqmFeatures *features, AqmDiag *diag);
/* viz/matches_{first}_{second}.png; cameras: the two. */
AqmStatus aqm_frame_draw_matches(const AqmFrameJob *job, const char *const cameras[2],
                                 const AqmImageView *first, const AqmImageView *second,
                                 double full_scale, const AqmMatches *matches, AqmDiag *diag);
/* viz/scene.png and viz/rig.png, where they are wanted; mesh may be NULL: then there is no scene.
 */
AqmStatus aqm_frame_draw_scene(const AqmFrameJob *job, const AqmMesh *mesh, AqmDiag *diag);
AqmStatus aqm_frame_draw_rig(const AqmFrameJob *job, const AqmPictureCamera *cameras, size_t count,
                             const AqmMesh *mesh, AqmDiag *diag);
/* Removes the pictures of an earlier making of the frame, those of cameras that it no longer has
 * too; other files in viz/ stay. */
void aqm_frame_remove_pictures(const AqmFrameJob *job);

#endif
