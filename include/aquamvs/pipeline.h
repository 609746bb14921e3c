/* Runs the stages over the frames of a configuration: order, resume, shards, files. */
#ifndef AQUAMVS_PIPELINE_H
#define AQUAMVS_PIPELINE_H

#include "aquamvs/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmProgress {
    size_t frames_total, frames_done, frames_skipped, frames_failed;
    int frame;           /* index of the frame at work, -1 before the first */
    const char *stage;   /* "read", "undistort", "stereo", ... */
    double fraction;     /* 0..1 of the whole run */
    double elapsed_s;    /* since the run began */
    double remaining_s;  /* estimate; NaN = not known */
    bool frame_finished; /* this call reports the end of a frame */
} AqmProgress;

typedef struct AqmRunOptions {
    bool has_frames; /* --frames: replaces frame_start, frame_stop, frame_step */
    int frame_start, frame_stop, frame_step; /* frame_stop -1 = to the end */
    int shard_index, shard_count;            /* --shard K/N, K in 1..N; count 0 = no sharding */
    bool force;                              /* redo finished frames */
    bool require_device; /* --device cuda on the command line: an error where there is none */
    AqmLog log;
    void (*progress)(void *user, const AqmProgress *progress); /* may be NULL */
    void *progress_user;
    const volatile int *cancel; /* nonzero: stop cleanly at the next chance; may be NULL */
} AqmRunOptions;

typedef struct AqmRunResult {
    size_t frames_total, frames_done, frames_skipped, frames_failed;
    double elapsed_s;
} AqmRunResult;

/* Runs a configuration. An error means that nothing was started (the configuration, calibration or
 * input is wrong) or, INTERRUPTED, that it was cancelled; failed frames are counted in `result` and
 * named with their reason in run.json. */
AQM_API AQM_NODISCARD AqmStatus aqm_run(const AqmConfig *config, const AqmRunOptions *options,
                                        AqmRunResult *result, AqmDiag *diag);

/* Writes the undistorted image of every camera of one frame to
 * {output_dir}/reference_images/{camera}.png. */
AQM_API AQM_NODISCARD AqmStatus aqm_export_references(const AqmConfig *config, int frame,
                                                      const AqmLog *log, AqmDiag *diag);

/* "init": matches the files and folders of input_dir with a POSIX extended regular expression whose
 * first group is the camera name, checks them against the calibration, and fills the input map. */
AQM_API AQM_NODISCARD AqmStatus aqm_config_discover(AqmConfig *config, const char *input_dir,
                                                    const char *pattern, const AqmLog *log,
                                                    AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
