/* The parts of a profile: what was recorded as a tree, what it says, and as files. */
#ifndef AQM_PIPELINE_PROFILE_PARTS_H
#define AQM_PIPELINE_PROFILE_PARTS_H

#include <stdio.h>

#include "aquamvs/profile.h"
#include "base/recorder.h"

/* What was recorded, in the threads that recorded something. The first thread's first event is the
 * frame; own_bytes were allocated for recording. */
typedef struct AqmRecording {
    size_t thread_count;
    const AqmRecordedThread *threads;
    size_t own_bytes;
} AqmRecording;

/* Fills total, entries, stages_s, rest_s and scopes. The parent of a stage or part is the one it
 * was begun in; of a task, the innermost stage that holds all of it (the frame, where none does),
 * or the task it was begun in. MEMORY; entries is NULL then. */
AqmStatus aqm_profile_collect(const AqmRecording *recording, AqmProfile *profile, AqmDiag *diag);

/* Fills the findings: the longest stages, each replaced by its parts where these make up 90 % of
 * it. */
void aqm_profile_find(AqmProfile *profile);

/* Writes all events in the Chrome trace format. IO, MEMORY. */
AqmStatus aqm_profile_write_trace(FILE *file, const char *path, const AqmRecording *recording,
                                  AqmDiag *diag);

#endif
