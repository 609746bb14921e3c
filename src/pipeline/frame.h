/* One frame, from the images of its cameras to the files of its folder. */
#ifndef AQM_PIPELINE_FRAME_H
#define AQM_PIPELINE_FRAME_H

#include "base/trace.h"
#include "pipeline/inputs.h"

typedef enum AqmStage {
    AQM_STAGE_READ,
    AQM_STAGE_NORMALIZE,
    AQM_STAGE_UNDISTORT,
    AQM_STAGE_FEATURES,
    AQM_STAGE_MATCHING,
    AQM_STAGE_TRIANGULATION,
    AQM_STAGE_RANGES,
    AQM_STAGE_STEREO,
    AQM_STAGE_DEPTH_PICTURES, /* while there are depth maps */
    AQM_STAGE_FUSION,
    AQM_STAGE_OUTLIERS,
    AQM_STAGE_SURFACE,
    AQM_STAGE_PICTURES,
    AQM_STAGE_WRITE,
    AQM_STAGE_COUNT
} AqmStage;

const char *aqm_stage_name(AqmStage stage);
/* Is the stage part of a frame with this configuration? */
bool aqm_stage_is_wanted(const AqmConfig *config, AqmStage stage);

/* What is told of a frame: to the log while it runs, to frame.json and run.json afterwards. */
typedef struct AqmFrameReport {
    AqmTraceSpan spans[AQM_STAGE_COUNT];
    size_t cameras_used, references;
    size_t matches, sparse_points;
    size_t points, points_removed, vertices, unseen_vertices, triangles;
    AqmDepthRange *ranges; /* of each camera of the run; NaN where it has none */
    char warnings[4096];   /* a line each */
} AqmFrameReport;

/* How a frame is to be made. `enter` is called at the start of each stage and for each reference
 * view within stereo (done of total); it returns true to stop. */
typedef struct AqmFrameJob {
    const AqmConfig *config;
    const AqmInputs *inputs;
    const struct AqmModels *models; /* NULL where matching needs none */
    int frame;                      /* its number, in file names */
    const char *folder;             /* to write to; exists */
    const AqmLog *log;
    bool (*enter)(void *user, AqmStage stage, size_t done, size_t total);
    void *user;
} AqmFrameJob;

/* Makes everything but frame.json. That of an earlier making is removed once the images are read:
 * a frame that cannot be read is left as it was. INTERRUPTED where `enter` stopped it; any other
 * error is this frame's own. The report is filled as far as things went. */
AqmStatus aqm_frame_make(const AqmFrameJob *job, AqmFrameReport *report, AqmDiag *diag);

/* Reads one frame of every camera: images[c] is NULL for those left out, each with a warning that
 * names it. NO_DATA where fewer than inputs->cameras_needed, or for stereo no reference, remain. */
AqmStatus aqm_frame_read(const AqmInputs *inputs, int frame, int threads, AqmImage **images,
                         const AqmLog *log, AqmDiag *diag);

/* A sentence on why depth maps are not to be trusted, "" where nothing speaks against them: in most
 * views hardly a pixel has a depth, or the views agree on no more than chance would have them. */
AqmStatus aqm_frame_doubt(const AqmConfig *config, const AqmFusionView *views, size_t count,
                          char *doubt, size_t size, AqmDiag *diag);

/* The sample value taken as white: 255 for 8-bit images; for 16-bit ones that of the smallest of
 * the usual bit depths (10, 12, 14, 16) that holds every sample of the frame. */
double aqm_frame_full_scale(AqmImage *const *images, size_t count);

/* That of the first frame: of each camera, the first image that can be read. MEMORY. */
AqmStatus aqm_frame_find_white(const AqmInputs *inputs, int threads, double *white, AqmDiag *diag);

#endif
