/* Fusion, internal: the views made ready for sampling. */
#ifndef AQM_STAGES_FUSION_VIEWS_H
#define AQM_STAGES_FUSION_VIEWS_H

#include "aquamvs/fusion.h"
#include "kernels/fusion_kernels.h"
#include "stages/fusion/fusion_errors.h"

/* Borrows `views`. The maps are copies, in which depths without enough confidence are unusable. */
typedef struct AqmFusionScene {
    const AqmFusionView *views;
    size_t count;
    const AqmFusionOptions *options;
    const AqmFusionKernels *kernels;
    AqmPackRules rules;
    bool knows_deviations; /* of some usable depth: else clouds have no sigma */
    AqmFusionErrors errors;
    AqmSightCamera cameras[AQM_FUSION_VIEWS_MAX];
    AqmSightMap maps[AQM_FUSION_VIEWS_MAX];
    uint32_t *texels; /* of all maps; NULL once dropped */
} AqmFusionScene;

/* 4 bytes a pixel of every view. ARGUMENT if options or the sizes of maps and images are wrong;
 * MEMORY. Nothing is held then. */
AqmStatus aqm_fusion_scene_init(AqmFusionScene *scene, const AqmFusionView *views, size_t count,
                                const AqmFusionOptions *options, AqmDiag *diag);
/* Frees the maps; the cameras stay. */
void aqm_fusion_scene_drop(AqmFusionScene *scene);

#endif
