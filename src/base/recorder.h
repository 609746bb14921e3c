/* Scopes that are recorded while somebody asks for it: what a profile and a trace are made of.
 *
 * A stage says `scope = aqm_scope_begin(...)` and `aqm_scope_end(&scope)` around work worth seeing.
 * Nothing comes of it, and it costs the look at one pointer, unless a recorder is attached. While
 * one is, a scope costs some 30 microseconds, most of it system calls: scopes stand around
 * milliseconds of work, never in inner loops.
 *
 * There is one attached recorder in a process, and it sees every thread of it: like CPU time,
 * allocated bytes and bytes read, which the system counts for the process as a whole, it cannot
 * tell one run from another beside it. */
#ifndef AQM_BASE_RECORDER_H
#define AQM_BASE_RECORDER_H

#include "base/diag.h"
#include "base/perf_counters.h"
#include "base/proc.h"
#include "base/trace.h"

typedef enum AqmScopeKind {
    AQM_SCOPE_STAGE, /* of a frame */
    AQM_SCOPE_PART,  /* of a stage, in the thread that runs the stages; may use others itself */
    AQM_SCOPE_TASK   /* done by one thread, beside others */
} AqmScopeKind;

enum { AQM_SCOPE_DETAIL_MAX = 40 };

/* Of a stage or part the figures are the process's while it was open; of a task its thread's, and
 * nothing is known of its allocations and counts. A part that is begun within a task, or not by the
 * thread that attached the recorder, is a task. */
typedef struct AqmScopeEvent {
    const char *name;
    char detail[AQM_SCOPE_DETAIL_MAX]; /* which camera, which file; "" = nothing to tell */
    AqmScopeKind kind;
    size_t depth;      /* scopes of its thread around it */
    double start_s;    /* on the clock of aqm_now_s */
    AqmTraceSpan span; /* peak: of all live bytes */
    size_t live_start_bytes, live_end_bytes;
    double wait_s; /* threads were ready and had no core; NaN = not known */
    AqmProcIo io;
    int64_t counts[AQM_PERF_COUNT]; /* -1 = not known */
} AqmScopeEvent;

typedef struct AqmRecorder AqmRecorder;

/* Room for `events` scopes in each of `threads` threads; what finds no room is dropped and counted.
 * Opens the processor's counters, which count the threads that this one starts afterwards. MEMORY.
 */
AQM_NODISCARD AqmStatus aqm_recorder_create(AqmRecorder **out, size_t threads, size_t events,
                                            AqmDiag *diag);
/* Not while it is attached. */
void aqm_recorder_destroy(AqmRecorder **recorder);

/* From here on scopes are recorded; the calling thread is the one that runs the stages. False where
 * another recorder is attached. */
bool aqm_recorder_attach(AqmRecorder *recorder);
/* Ends it, by the same thread with no scope of its own open. Waits until other threads have ended
 * theirs: afterwards nobody touches the recorder, and it can be read. */
void aqm_recorder_detach(AqmRecorder *recorder);

/* A thread's events, in the order they began. The first thread is the one that attached it. */
typedef struct AqmRecordedThread {
    long id; /* the system's */
    size_t count;
    const AqmScopeEvent *events;
} AqmRecordedThread;

size_t aqm_recorder_threads(const AqmRecorder *recorder);
AqmRecordedThread aqm_recorder_thread(const AqmRecorder *recorder, size_t index);
size_t aqm_recorder_dropped(const AqmRecorder *recorder);
/* What the recorder itself holds, of all live bytes. */
size_t aqm_recorder_bytes(const AqmRecorder *recorder);
/* Why the processor's counters are not known; "" where they are. */
const char *aqm_recorder_no_counts(const AqmRecorder *recorder);

/* Between begin and end. */
typedef struct AqmScope {
    AqmRecorder *recorder;
    AqmScopeEvent *event; /* NULL: not recorded */
    void *lane;
    AqmTraceScope trace;
} AqmScope;

/* `name` must outlive the recorder: a literal. `detail` is copied, may be NULL. Never allocates,
 * never fails. Scopes of a thread end in the opposite order of their beginnings. */
AqmScope aqm_scope_begin(AqmScopeKind kind, const char *name, const char *detail);
void aqm_scope_end(const AqmScope *scope);

/* AQM_TRY of an expression that is a part of a stage by itself. */
#define AQM_TRY_PART(name, expression)                                                             \
    do {                                                                                           \
        const AqmScope aqm_try_scope_ = aqm_scope_begin(AQM_SCOPE_PART, name, NULL);               \
        const AqmStatus aqm_part_status_ = (expression);                                           \
        aqm_scope_end(&aqm_try_scope_);                                                            \
        if (aqm_part_status_ != AQM_OK)                                                            \
            return aqm_part_status_;                                                               \
    } while (0)

#endif
