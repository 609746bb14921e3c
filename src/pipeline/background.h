/* Files written while other things are computed: one thread that does jobs in their order. */
#ifndef AQM_PIPELINE_BACKGROUND_H
#define AQM_PIPELINE_BACKGROUND_H

#include "aquamvs/status.h"

/* Writes `subject` to `path`; `detail` is whatever else the job needs. */
typedef AqmStatus (*AqmBackgroundWrite)(const char *path, const void *subject, const void *detail,
                                        AqmDiag *diag);

typedef struct AqmBackground AqmBackground;

/* Starts the thread. MEMORY, also where no thread can be had. */
AQM_NODISCARD AqmStatus aqm_background_start(AqmBackground **out, AqmDiag *diag);

/* Adds a job. What subject and detail point to stays as it is until aqm_background_wait. After a
 * job that failed no other is begun. MEMORY. */
AQM_NODISCARD AqmStatus aqm_background_add(AqmBackground *background, AqmBackgroundWrite write,
                                           const char *path, const void *subject,
                                           const void *detail, AqmDiag *diag);

/* Waits until all jobs are done; the first failure of any. More may be added afterwards. */
AQM_NODISCARD AqmStatus aqm_background_wait(AqmBackground *background, AqmDiag *diag);

/* Ends the thread; jobs that wait are dropped, the one at work is finished. NULL and *background ==
 * NULL are fine. */
void aqm_background_stop(AqmBackground **background);

#endif
