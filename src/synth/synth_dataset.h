/* The files of a synthetic data set: where they lie and what they hold. */
#ifndef AQM_SYNTH_DATASET_H
#define AQM_SYNTH_DATASET_H

#include "synth/synth_render.h"
#include "synth/synth_scene.h"

enum { AQM_SYNTH_PATH_MAX = 4096 };

/* One frame as rendered: owns the surface. */
typedef struct AqmSynthFrame {
    AqmSurfaceModel *surface;
    AqmSurfaceBounds bounds;
    bool has_plate;    /* the scene `charuco` */
    AqmSynthPose pose; /* of it */
    AqmTexture texture;
} AqmSynthFrame;

/* What one camera saw in one frame. */
typedef struct AqmSynthSight {
    double box[4], depth_range[2]; /* as AqmTrace's */
} AqmSynthSight;

/* Borrows everything. */
typedef struct AqmSynthDataset {
    const AqmSynthOptions *options;
    const char *dir;
    const AqmRig *rig;
    AqmSynthFrame *frames;
    AqmSynthSight *sights; /* frame-major: frame * camera_count + camera */
} AqmSynthDataset;

/* A path below the data set's folder; ARGUMENT if it is too long. */
AQM_NODISCARD AqmStatus aqm_synth_path(char path[AQM_SYNTH_PATH_MAX], AqmDiag *diag,
                                       const AqmSynthDataset *dataset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Creates the folders; removes stills of an earlier, longer series. ARGUMENT where the folder holds
 * something that is not a synthetic data set: nothing of it is touched. */
AQM_NODISCARD AqmStatus aqm_synth_prepare(const AqmSynthDataset *dataset, AqmDiag *diag);

/* calibration.json and config.yaml. */
AQM_NODISCARD AqmStatus aqm_synth_write_setup(const AqmSynthDataset *dataset, AqmDiag *diag);
/* gt/frame_NNNNNN/{camera}_depth_raw.npz */
AQM_NODISCARD AqmStatus aqm_synth_write_depth(const AqmSynthDataset *dataset, int frame,
                                              size_t camera, const AqmTrace *trace, AqmDiag *diag);
/* gt/frame_NNNNNN/surface.ply of every frame, then gt/scene.json, by which a data set is whole. */
AQM_NODISCARD AqmStatus aqm_synth_write_truth(const AqmSynthDataset *dataset, AqmDiag *diag);

#endif
