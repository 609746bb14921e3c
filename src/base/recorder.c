/* Where the state lives: `active`, the recorder that is attached, and `visitors`, the scopes that
 * are open with it, are mutable and global. The other way, a pointer in every options struct down
 * to where work is done, would put a tool of this library's makers into the public options of every
 * stage, and gain nothing: what a scope measures (CPU time, live bytes, bytes read) is counted for
 * the process anyway. Both are atomic, and both are back at nothing once a profile is done.
 *
 * Threads do not meet: each writes to a lane of its own, claimed once by a compare-and-swap, of
 * fixed size. A thread that got the id of one that has ended goes on in its lane.
 *
 * A scope counts itself as a visitor before it looks at `active` a second time, and detaching first
 * clears `active`, then waits for the visitors; so either the scope sees that nobody records any
 * more, or detaching sees the scope. */
#include "base/recorder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

typedef struct Lane {
    atomic_uintptr_t owner; /* pthread_t of its thread; 0 = free. The rest is that thread's alone */
    long id;
    int io, wait; /* its own accounts */
    size_t own_bytes;
    size_t count, depth, open_tasks;
    AqmScopeEvent *events;
} Lane;

struct AqmRecorder {
    size_t lane_count, events_per_lane;
    Lane *lanes;
    AqmScopeEvent *events;
    atomic_size_t dropped;
    int io;                  /* the process's account of bytes */
    atomic_size_t own_bytes; /* of them, read by this file */
    AqmProcWait wait;        /* of the threads; for the thread of lane 0 alone, as the counters */
    AqmPerfCounters counters;
    char no_counts[128];
};

static _Atomic(AqmRecorder *) active;
static atomic_size_t visitors;

/* ---- the recorder ---------------------------------------------------------------------------- */

AqmStatus aqm_recorder_create(AqmRecorder **out, size_t threads, size_t events, AqmDiag *diag) {
    AqmRecorder *recorder = aqm_calloc(1, sizeof *recorder);
    if (!recorder)
        return aqm_fail_memory(diag, "a recorder", 1, sizeof *recorder);
    *recorder = (AqmRecorder){.lane_count = threads,
                              .events_per_lane = events,
                              .lanes = aqm_calloc(threads, sizeof *recorder->lanes),
                              .events = aqm_alloc(threads, events * sizeof *recorder->events),
                              .io = aqm_proc_io_open(false)};
    (void)aqm_perf_open(&recorder->counters, aqm_perf_events, recorder->no_counts,
                        sizeof recorder->no_counts);
    if (!recorder->lanes || !recorder->events) {
        aqm_recorder_destroy(&recorder);
        return aqm_fail_memory(diag, "a recorder", threads * events, sizeof(AqmScopeEvent));
    }
    for (size_t k = 0; k < threads; k++) {
        recorder->lanes[k].events = recorder->events + k * events;
        recorder->lanes[k].io = recorder->lanes[k].wait = -1;
    }
    *out = recorder;
    return AQM_OK;
}

void aqm_recorder_destroy(AqmRecorder **recorder) {
    if (!recorder || !*recorder)
        return;
    for (size_t k = 0; (*recorder)->lanes && k < (*recorder)->lane_count; k++) {
        aqm_proc_io_close((*recorder)->lanes[k].io);
        aqm_proc_io_close((*recorder)->lanes[k].wait);
    }
    aqm_proc_io_close((*recorder)->io);
    aqm_proc_wait_close(&(*recorder)->wait);
    aqm_perf_close(&(*recorder)->counters);
    aqm_free((*recorder)->lanes);
    aqm_free((*recorder)->events);
    aqm_free(*recorder);
    *recorder = NULL;
}

/* The calling thread's lane, claimed if it has none yet; NULL where all are taken. */
static Lane *lane_of_caller(AqmRecorder *recorder) {
    const uintptr_t self = (uintptr_t)pthread_self();
    for (size_t k = 0; k < recorder->lane_count; k++) {
        Lane *lane = &recorder->lanes[k];
        uintptr_t owner = atomic_load(&lane->owner);
        if (owner == self)
            return lane;
        if (owner != 0 || !atomic_compare_exchange_strong(&lane->owner, &owner, self))
            continue;
        lane->id = (long)gettid();
        lane->io = aqm_proc_io_open(true);
        lane->wait = aqm_proc_wait_open();
        return lane;
    }
    return NULL;
}

bool aqm_recorder_attach(AqmRecorder *recorder) {
    AqmRecorder *none = NULL;
    (void)lane_of_caller(recorder); /* the first */
    aqm_proc_wait_find(&recorder->wait);
    return atomic_compare_exchange_strong(&active, &none, recorder);
}

void aqm_recorder_detach(AqmRecorder *recorder) {
    const struct timespec moment = {.tv_nsec = 200000};
    if (atomic_compare_exchange_strong(&active, &(AqmRecorder *){recorder}, NULL))
        while (atomic_load(&visitors) > 0)
            nanosleep(&moment, NULL);
}

size_t aqm_recorder_threads(const AqmRecorder *recorder) {
    size_t count = 0;
    while (count < recorder->lane_count && atomic_load(&recorder->lanes[count].owner) != 0)
        count++;
    return count;
}

AqmRecordedThread aqm_recorder_thread(const AqmRecorder *recorder, size_t index) {
    const Lane *lane = &recorder->lanes[index];
    return (AqmRecordedThread){lane->id, lane->count, lane->events};
}

size_t aqm_recorder_dropped(const AqmRecorder *recorder) {
    return atomic_load(&recorder->dropped);
}

size_t aqm_recorder_bytes(const AqmRecorder *recorder) {
    return sizeof *recorder +
           recorder->lane_count *
               (sizeof *recorder->lanes + recorder->events_per_lane * sizeof *recorder->events);
}

const char *aqm_recorder_no_counts(const AqmRecorder *recorder) {
    return recorder->no_counts;
}

/* ---- scopes ---------------------------------------------------------------------------------- */

static double thread_cpu_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The next event of the lane; NULL where it is full. */
static AqmScopeEvent *take_event(AqmRecorder *recorder, Lane *lane, AqmScopeKind kind,
                                 const char *name, const char *detail) {
    if (!lane || lane->count == recorder->events_per_lane) {
        atomic_fetch_add(&recorder->dropped, 1);
        return NULL;
    }
    AqmScopeEvent *event = &lane->events[lane->count++];
    const bool is_task = lane != recorder->lanes || lane->open_tasks > 0;
    *event = (AqmScopeEvent){.name = name,
                             .kind = is_task ? AQM_SCOPE_TASK : kind,
                             .depth = lane->depth++,
                             .live_start_bytes = aqm_alloc_count().live_bytes,
                             .counts = {-1, -1, -1}};
    const size_t length = detail ? strnlen(detail, sizeof event->detail - 1) : 0;
    memcpy(event->detail, detail ? detail : "", length);
    lane->open_tasks += event->kind == AQM_SCOPE_TASK;
    return event;
}

/* What measuring itself reads is kept apart. */
static void count_own(AqmRecorder *recorder, Lane *lane, size_t bytes) {
    lane->own_bytes += bytes;
    atomic_fetch_add(&recorder->own_bytes, bytes);
}

static AqmProcIo read_io(AqmRecorder *recorder, Lane *lane, AqmScopeKind kind) {
    const bool is_task = kind == AQM_SCOPE_TASK;
    const size_t own = is_task ? lane->own_bytes : atomic_load(&recorder->own_bytes);
    size_t bytes;
    AqmProcIo io = aqm_proc_io_read(is_task ? lane->io : recorder->io, &bytes);
    io.read_bytes -= io.read_bytes >= 0 ? (int64_t)own : 0;
    count_own(recorder, lane, bytes);
    return io;
}

static double read_wait(AqmRecorder *recorder, Lane *lane, AqmScopeKind kind) {
    size_t bytes;
    const double wait_s = kind == AQM_SCOPE_TASK ? aqm_proc_wait_read_one(lane->wait, &bytes)
                                                 : aqm_proc_wait_read(&recorder->wait, &bytes);
    count_own(recorder, lane, bytes);
    return wait_s;
}

static void read_counts(AqmRecorder *recorder, Lane *lane, int64_t counts[AQM_PERF_COUNT]) {
    if (aqm_perf_read(&recorder->counters, counts))
        count_own(recorder, lane, AQM_PERF_COUNT * AQM_PERF_READ_BYTES);
}

/* The clocks come last, so that an event is not charged for its own measuring. */
AqmScope aqm_scope_begin(AqmScopeKind kind, const char *name, const char *detail) {
    AqmScope scope = {.event = NULL};
    if (!atomic_load_explicit(&active, memory_order_relaxed))
        return scope;
    atomic_fetch_add(&visitors, 1);
    scope.recorder = atomic_load(&active);
    Lane *lane = scope.recorder ? lane_of_caller(scope.recorder) : NULL;
    if (scope.recorder)
        scope.event = take_event(scope.recorder, lane, kind, name, detail);
    if (!scope.event) {
        atomic_fetch_sub(&visitors, 1);
        return scope;
    }
    AqmScopeEvent *event = scope.event;
    scope.lane = lane;
    if (event->kind == AQM_SCOPE_STAGE)
        aqm_proc_wait_find(&scope.recorder->wait); /* dear; threads come with stages */
    event->io = read_io(scope.recorder, lane, event->kind);
    event->wait_s = read_wait(scope.recorder, lane, event->kind);
    if (event->kind == AQM_SCOPE_TASK) {
        scope.trace = (AqmTraceScope){.cpu_start_s = thread_cpu_s(), .wall_start_s = aqm_now_s()};
    } else {
        read_counts(scope.recorder, lane, event->counts);
        scope.trace = aqm_trace_begin();
    }
    event->start_s = scope.trace.wall_start_s;
    return scope;
}

void aqm_scope_end(const AqmScope *scope) {
    AqmScopeEvent *event = scope->event;
    Lane *lane = scope->lane;
    if (!event)
        return;
    if (event->kind == AQM_SCOPE_TASK) {
        event->span.wall_s = aqm_now_s() - event->start_s;
        event->span.cpu_s = thread_cpu_s() - scope->trace.cpu_start_s;
    } else {
        int64_t counts[AQM_PERF_COUNT];
        aqm_trace_end(&scope->trace, &event->span);
        read_counts(scope->recorder, lane, counts);
        for (int k = 0; k < AQM_PERF_COUNT; k++)
            event->counts[k] =
                counts[k] >= 0 && event->counts[k] >= 0 ? counts[k] - event->counts[k] : -1;
    }
    event->wait_s = read_wait(scope->recorder, lane, event->kind) - event->wait_s;
    event->live_end_bytes = aqm_alloc_count().live_bytes;
    const AqmProcIo io = read_io(scope->recorder, lane, event->kind);
    const bool is_known = io.read_bytes >= 0 && event->io.read_bytes >= 0;
    event->io.read_bytes = is_known ? io.read_bytes - event->io.read_bytes : -1;
    event->io.written_bytes = is_known ? io.written_bytes - event->io.written_bytes : -1;
    lane->depth--;
    lane->open_tasks -= event->kind == AQM_SCOPE_TASK;
    atomic_fetch_sub(&visitors, 1);
}
