/* Where the time of a frame goes: makes one frame of a configuration as a run would, and measures
 * its stages and their parts. docs/profile.md tells the method and every number.
 *
 * The process is what is measured: other work in it meanwhile is measured with it. */
#ifndef AQUAMVS_PROFILE_H
#define AQUAMVS_PROFILE_H

#include <stdint.h>

#include "aquamvs/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What something cost. Of the frame, its stages and their parts the figures are those of the whole
 * process while it was open. Of a task (work of one thread, beside others) they are its thread's
 * alone, summed over its calls; its allocations and counts are 0 and -1. */
typedef struct AqmProfileFigures {
    double wall_s, cpu_s;
    double wait_s; /* threads were ready and had no core: other programs. NaN = not known */
    size_t allocations, allocated_bytes;
    size_t peak_bytes; /* the most that was allocated at a time, by anything, while it was open */
    /* through read and write calls: files, whether on a disk or in the page cache. -1 = not known
     */
    int64_t read_bytes, written_bytes;
    int64_t instructions, cycles, cache_misses; /* -1 = not known */
} AqmProfileFigures;

/* A stage, or something within one; what bears the same name at the same place is one entry. */
typedef struct AqmProfileEntry {
    const char *name; /* lives as long as the library */
    size_t parent;    /* entry; AQM_PROFILE_FRAME for stages */
    int level;        /* 0 = a stage */
    bool is_task;
    size_t calls;
    AqmProfileFigures figures;
} AqmProfileEntry;

#define AQM_PROFILE_FRAME ((size_t)-1)

/* What keeps something from being faster, by rules that docs/profile.md states. */
typedef enum AqmProfileLimit {
    AQM_LIMIT_COMPUTE, /* all threads have something to compute */
    AQM_LIMIT_PARTLY,  /* some threads wait for others */
    AQM_LIMIT_SERIAL,  /* one thread computes */
    AQM_LIMIT_FILES,   /* hardly a thread does, and bytes are read or written */
    AQM_LIMIT_WAITING  /* hardly a thread does, and none are */
} AqmProfileLimit;

typedef struct AqmProfileFinding {
    size_t entry;
    double share;         /* of the frame's wall time */
    double threads_busy;  /* CPU time / wall time */
    double threads_ready; /* those that had no core as well: what it would be without others */
    double efficiency;    /* threads_busy / threads configured: 1 = all compute all the time */
    AqmProfileLimit limit;
    char text[512]; /* the same in words */
} AqmProfileFinding;

enum { AQM_PROFILE_FINDINGS_MAX = 3 };

typedef struct AqmProfile {
    int frame;
    int threads;      /* as configured; all cores where that is 0 */
    double prepare_s; /* opening the input, before the frame; no part of what follows */
    AqmProfileFigures total;
    size_t count;
    AqmProfileEntry *entries; /* each before its parts, in the order they began */
    double stages_s;          /* sum of the stages' wall times */
    double rest_s;            /* of the frame, in no stage */
    size_t finding_count;
    AqmProfileFinding findings[AQM_PROFILE_FINDINGS_MAX]; /* longest first */
    size_t scopes;                                        /* recorded */
    size_t dropped;                                       /* not recorded for want of room */
    char
        no_counts[128]; /* why instructions, cycles and cache misses are not known; "" = they are */
} AqmProfile;

typedef struct AqmProfileOptions {
    const char *trace_path; /* also writes all scopes as Chrome trace events; NULL = not */
    const char
        *work_dir; /* where the frame's files go while they are there; NULL = beside output_dir */
    bool require_device; /* as AqmRunOptions */
    AqmLog log;
    const volatile int *cancel; /* nonzero: stop cleanly at the next chance; may be NULL */
} AqmProfileOptions;

/* Makes one frame and measures it. Its files go to a folder of their own within work_dir, or within
 * the folder that output_dir is in, and are removed: nothing in output_dir is read or touched. The
 * caller destroys *out, which is NULL on failure.
 *
 * NO_DATA where there is no such frame; UNSUPPORTED while another profile is made in this process;
 * IO where the folder or the trace cannot be written; all that aqm_run can return before its first
 * frame; what the frame itself fails with; INTERRUPTED; MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_profile(const AqmConfig *config, int frame,
                                            const AqmProfileOptions *options, AqmProfile **out,
                                            AqmDiag *diag);
AQM_API void aqm_profile_destroy(AqmProfile **profile);

/* Writes all of it as JSON. IO, MEMORY. */
AQM_API AQM_NODISCARD AqmStatus aqm_profile_write_json(const char *path, const AqmProfile *profile,
                                                       AqmDiag *diag);

/* "compute", "partly", "serial", "files", "waiting" */
AQM_API const char *aqm_profile_limit_name(AqmProfileLimit limit);

#ifdef __cplusplus
}
#endif
#endif
