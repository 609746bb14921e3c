/* Ground truth without synthetic scenes: a ChArUco board that was filmed under water and had no
 * part in the calibration. Its squares are known, it is flat and rigid; what the cameras and the
 * pipeline make of it tells how well both do. docs/verify.md has the method and every number. */
#ifndef AQUAMVS_VERIFY_H
#define AQUAMVS_VERIFY_H

#include "aquamvs/charuco.h"
#include "aquamvs/pipeline.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmVerifyOptions {
    AqmBoard board;
    bool has_frames; /* replaces frame_start, frame_stop, frame_step of the configuration */
    int frame_start, frame_stop, frame_step; /* frame_stop -1 = to the end */
    const char *output_dir; /* borrowed; NULL = the folder `verify` in the configuration's */
    bool corners_only;      /* triangulate corners, reconstruct nothing; default false */
    bool force;             /* reconstruct frames anew that are finished; default false */
    bool pictures;          /* default true */
    AqmBoardMeasureOptions measure;
    AqmLog log;
    void (*progress)(void *user, const AqmProgress *progress); /* of the run; may be NULL */
    void *progress_user;
    const volatile int *cancel; /* as AqmRunOptions */
} AqmVerifyOptions;

/* The board is all zero: the caller says which it is. */
AQM_API AqmVerifyOptions aqm_verify_options_default(void);

enum { AQM_REASON_MAX = AQM_DIAG_MAX };

/* One frame. Owns `points`. */
typedef struct AqmVerifyPose {
    int frame;
    char reason[AQM_REASON_MAX]; /* why it was not measured; "" where it was */
    AqmBoardMeasures measures;   /* all zero where it was not measured */
    AqmBoardPoint *points;       /* one a corner of the board; NULL where it was not measured */
} AqmVerifyPose;

typedef struct AqmVerification {
    AqmBoard board;
    bool has_surfaces; /* false: corners only */
    size_t count;
    AqmVerifyPose *poses;
    AqmBoardSummary summary; /* of the poses that were measured */
} AqmVerification;

/* Finds the board in every camera of every frame asked for, reconstructs those frames as aqm_run
 * does (into output_dir; finished frames are kept), measures, and writes to output_dir
 *
 *   verify.json, verify.csv                     all numbers, a row a pose
 *   corners/frame_NNNNNN_{camera}.png           corners and their reprojection errors on the image
 *   boards/frame_NNNNNN.png                     the reconstructed board's distance from a plane,
 *                                               and the corners' residuals
 *
 * A frame that cannot be measured has a reason and warns through `log`; it is no error as long as
 * one can. *out is written on AQM_OK alone; the caller destroys it. NO_DATA where the board is in
 * no frame, with what was seen, before anything is reconstructed; CONFIG for a configuration in
 * sparse mode (unless corners_only); ARGUMENT for a board or options that cannot be; else as
 * aqm_run. The same bytes for any number of threads. */
AQM_API AQM_NODISCARD AqmStatus aqm_verify(const AqmConfig *config, const AqmVerifyOptions *options,
                                           AqmVerification **out, AqmDiag *diag);
AQM_API void aqm_verification_destroy(AqmVerification **verification);

/* As a JSON object (*text, freed with aqm_free_buffer). MEMORY; *text is untouched then. */
AQM_API AQM_NODISCARD AqmStatus aqm_verification_to_json(const AqmVerification *verification,
                                                         char **text, AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
