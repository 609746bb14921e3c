/* frame.json, which says that a frame is done, and run.json, which says how it went. */
#ifndef AQM_PIPELINE_RUN_RECORD_H
#define AQM_PIPELINE_RUN_RECORD_H

#include "pipeline/frame.h"

typedef enum AqmFrameState { AQM_FRAME_DONE, AQM_FRAME_FAILED, AQM_FRAME_SKIPPED } AqmFrameState;

/* run.json in memory. Entries of frames that an earlier run wrote are kept until redone. */
typedef struct AqmRunRecord AqmRunRecord;

/* Reads what `path` holds of earlier runs (anything unreadable counts as nothing) and begins anew.
 */
AqmStatus aqm_run_record_create(AqmRunRecord **out, const char *path, const AqmConfig *config,
                                AqmDiag *diag);
void aqm_run_record_destroy(AqmRunRecord **record);

/* Takes a frame's outcome in; `reason` for failed ones. */
AqmStatus aqm_run_record_add(AqmRunRecord *record, const AqmFrameJob *job, AqmFrameState state,
                             const AqmFrameReport *report, const char *reason, AqmDiag *diag);
/* A message of the run as a whole. */
AqmStatus aqm_run_record_warn(AqmRunRecord *record, const char *message, AqmDiag *diag);
/* "running", "done", "interrupted", or "failed" where the run as a whole could not go on. */
AqmStatus aqm_run_record_write(AqmRunRecord *record, const char *state, double elapsed_s,
                               AqmDiag *diag);

/* The same bytes whenever and however often a frame is made: no times, no hosts. */
AqmStatus aqm_frame_json_write(const AqmFrameJob *job, const AqmFrameReport *report,
                               const char *configuration, AqmDiag *diag);
/* The configuration a finished frame was made with (as aqm_configuration_digest gives it), "" if
 * frame.json does not say; false if the frame is not finished. */
bool aqm_frame_json_read(const char *folder, char configuration[17]);

/* 16 hexadecimal digits over all keys that have to do with results: threads, device, verbosity, the
 * frames chosen and the place of the output do not. */
AqmStatus aqm_configuration_digest(const AqmConfig *config, char digest[17], AqmDiag *diag);

#endif
