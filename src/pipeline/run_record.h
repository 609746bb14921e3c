/* frame.json, which says that a frame is done, and run.json, which says how it went. */
#ifndef AQM_PIPELINE_RUN_RECORD_H
#define AQM_PIPELINE_RUN_RECORD_H

#include "pipeline/frame.h"

typedef enum AqmFrameState { AQM_FRAME_DONE, AQM_FRAME_FAILED, AQM_FRAME_SKIPPED } AqmFrameState;

/* run.json in memory. Entries of frames that an earlier run wrote are kept until redone. */
typedef struct AqmRunRecord AqmRunRecord;

/* The frames that a run was asked for. */
typedef struct AqmFrameChoice {
    int start, stop, step; /* stop -1 = to the end */
    int shard_index, shard_count;
    bool force;
} AqmFrameChoice;

/* Reads what `path` holds of earlier runs (anything unreadable counts as nothing) and begins anew.
 */
AqmStatus aqm_run_record_create(AqmRunRecord **out, const char *path, const AqmConfig *config,
                                const AqmFrameChoice *choice, AqmDiag *diag);
/* Does the record at `path` say that the run it tells of came to its end? */
bool aqm_run_record_is_done(const char *path);
void aqm_run_record_destroy(AqmRunRecord **record);

/* Takes a frame's outcome in; `reason` for failed ones. What an earlier run told of a skipped frame
 * stays, unless it was a failure. */
AqmStatus aqm_run_record_add(AqmRunRecord *record, const AqmFrameJob *job, AqmFrameState state,
                             const AqmFrameReport *report, const char *reason, AqmDiag *diag);
/* A message of the run as a whole. */
AqmStatus aqm_run_record_warn(AqmRunRecord *record, const char *message, AqmDiag *diag);
/* "running", "done", "interrupted", or "failed" where the run as a whole could not go on. */
AqmStatus aqm_run_record_write(AqmRunRecord *record, const char *state, double elapsed_s,
                               AqmDiag *diag);

/* What a finished frame was made of and with: 16 hexadecimal digits each, "" where frame.json does
 * not say. */
typedef struct AqmFrameOrigin {
    char configuration[17]; /* aqm_configuration_digest */
    char inputs[17];        /* aqm_input_digest_frame */
} AqmFrameOrigin;

/* The same bytes whenever and however often a frame is made: no times, no hosts. */
AqmStatus aqm_frame_json_write(const AqmFrameJob *job, const AqmFrameReport *report,
                               const AqmFrameOrigin *origin, AqmDiag *diag);
/* False if the frame is not finished. */
bool aqm_frame_json_read(const char *folder, AqmFrameOrigin *origin);

/* 16 hexadecimal digits over all keys that have to do with results. Others do not count: threads,
 * device, verbosity, pictures, the frames chosen, the preset (the numbers it gave do), and all
 * paths, whose contents count elsewhere. */
AqmStatus aqm_configuration_digest(const AqmConfig *config, char digest[17], AqmDiag *diag);

#endif
