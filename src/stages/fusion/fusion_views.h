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
    const int *steps;      /* of AqmCoarseViews; NULL = all 1 */
    bool knows_deviations; /* of some usable depth: else clouds have no sigma */
    AqmFusionErrors errors;
    AqmSightCamera cameras[AQM_FUSION_VIEWS_MAX];
    AqmSightMap maps[AQM_FUSION_VIEWS_MAX];
    uint32_t *texels; /* of all maps; NULL once dropped */
} AqmFusionScene;

/* ARGUMENT, with a sentence, if options or the sizes of maps and images are wrong. */
AqmStatus aqm_fusion_views_validate(const AqmFusionView *views, size_t count,
                                    const AqmFusionOptions *options, AqmDiag *diag);
/* Depths with less confidence are not usable. */
float aqm_fusion_least_confidence(const AqmFusionOptions *options);

/* 4 bytes a pixel of every view. ARGUMENT if options or the sizes of maps and images are wrong;
 * MEMORY. Nothing is held then. */
AqmStatus aqm_fusion_scene_init(AqmFusionScene *scene, const AqmFusionView *views, size_t count,
                                const AqmFusionOptions *options, AqmDiag *diag);
/* Frees the maps; the cameras stay. */
void aqm_fusion_scene_drop(AqmFusionScene *scene);

#endif
