/* Scopes as Chrome trace events ("Trace Event Format", Google 2016), which Perfetto and
 * chrome://tracing open: an "X" (complete) event a scope with ts and dur in microseconds from the
 * beginning of the frame, an "M" (metadata) event a thread for its name, and "C" (counter) events
 * of the bytes allocated, at every beginning and end. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "pipeline/json_text.h"
#include "pipeline/profile_parts.h"

/* Live bytes at a moment. */
typedef struct Sample {
    double time_s;
    size_t bytes;
} Sample;

typedef struct Trace {
    const AqmRecording *recording;
    double start_s;
    json_int_t process;
    json_t *events; /* borrowed from the root */
    int error;
} Trace;

/* Microseconds to the nanosecond. */
static double microseconds(const Trace *trace, double time_s) {
    return round(1e9 * (time_s - trace->start_s)) / 1000.0;
}

static void add(Trace *trace, json_t *event) {
    trace->error |= json_array_append_new(trace->events, event);
}

static void set_known(Trace *trace, json_t *object, const char *key, int64_t value) {
    if (value >= 0)
        trace->error |= json_object_set_new(object, key, json_integer(value));
}

static json_t *arguments_of(Trace *trace, const AqmScopeEvent *event) {
    json_t *arguments = json_pack("{s:f}", "cpu_ms", 1e3 * event->span.cpu_s);
    if (event->detail[0])
        trace->error |= json_object_set_new(arguments, "of",
                                            aqm_json_text(event->detail, strlen(event->detail)));
    if (!isnan(event->wait_s))
        trace->error |= json_object_set_new(arguments, "wait_ms", json_real(1e3 * event->wait_s));
    set_known(trace, arguments, "read_bytes", event->io.read_bytes);
    set_known(trace, arguments, "written_bytes", event->io.written_bytes);
    if (event->kind == AQM_SCOPE_TASK)
        return arguments;
    const size_t own = trace->recording->own_bytes, peak = event->span.peak_bytes;
    set_known(trace, arguments, "allocations", (int64_t)event->span.allocations);
    set_known(trace, arguments, "allocated_bytes", (int64_t)event->span.allocated_bytes);
    set_known(trace, arguments, "peak_bytes", peak > own ? (int64_t)(peak - own) : 0);
    set_known(trace, arguments, "instructions", event->counts[AQM_PERF_INSTRUCTIONS]);
    set_known(trace, arguments, "cycles", event->counts[AQM_PERF_CYCLES]);
    set_known(trace, arguments, "cache_misses", event->counts[AQM_PERF_CACHE_MISSES]);
    return arguments;
}

static void add_scope(Trace *trace, long thread, const AqmScopeEvent *event) {
    static const char *const categories[] = {"stage", "part", "task"};
    const double from = microseconds(trace, event->start_s);
    const double to = microseconds(trace, event->start_s + event->span.wall_s);
    add(trace,
        json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:o}", "name", event->name, "cat",
                  categories[event->kind], "ph", "X", "ts", from, "dur", to - from, "pid",
                  trace->process, "tid", (json_int_t)thread, "args", arguments_of(trace, event)));
}

static void add_name(Trace *trace, const char *kind, long thread, const char *name) {
    add(trace, json_pack("{s:s, s:s, s:I, s:I, s:{s:s}}", "name", kind, "ph", "M", "pid",
                         trace->process, "tid", (json_int_t)thread, "args", "name", name));
}

static int by_time(const void *a, const void *b) {
    const Sample *p = a, *q = b;
    return p->time_s < q->time_s ? -1 : p->time_s > q->time_s;
}

static void add_memory(Trace *trace, Sample *samples, size_t count) {
    const size_t own = trace->recording->own_bytes;
    qsort(samples, count, sizeof *samples, by_time);
    for (size_t k = 0; k < count; k++)
        add(trace, json_pack("{s:s, s:s, s:f, s:I, s:{s:I}}", "name", "memory", "ph", "C", "ts",
                             microseconds(trace, samples[k].time_s), "pid", trace->process, "args",
                             "allocated_bytes",
                             (json_int_t)(samples[k].bytes > own ? samples[k].bytes - own : 0)));
}

static void add_threads(Trace *trace, Sample *samples) {
    size_t sample_count = 0;
    for (size_t t = 0; t < trace->recording->thread_count; t++) {
        const AqmRecordedThread *thread = &trace->recording->threads[t];
        char name[40] = "stages";
        if (t > 0)
            snprintf(name, sizeof name, "thread %zu", t);
        add_name(trace, "thread_name", thread->id, name);
        for (size_t k = 0; k < thread->count; k++) {
            const AqmScopeEvent *event = &thread->events[k];
            add_scope(trace, thread->id, event);
            samples[sample_count++] = (Sample){event->start_s, event->live_start_bytes};
            samples[sample_count++] =
                (Sample){event->start_s + event->span.wall_s, event->live_end_bytes};
        }
    }
    add_memory(trace, samples, sample_count);
}

AqmStatus aqm_profile_write_trace(FILE *file, const char *path, const AqmRecording *recording,
                                  AqmDiag *diag) {
    size_t scopes = 0;
    for (size_t t = 0; t < recording->thread_count; t++)
        scopes += recording->threads[t].count;
    Sample *samples = aqm_alloc(2 * scopes, sizeof *samples);
    json_t *root = json_pack("{s:[], s:s}", "traceEvents", "displayTimeUnit", "ms");
    Trace trace = {.recording = recording,
                   .start_s = recording->threads[0].events[0].start_s,
                   .process = (json_int_t)getpid(),
                   .events = json_object_get(root, "traceEvents"),
                   .error = !samples || !root};
    if (!trace.error) {
        add_name(&trace, "process_name", recording->threads[0].id, "aquamvs");
        add_threads(&trace, samples);
    }
    AqmStatus status = AQM_OK;
    if (trace.error)
        status = aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: writing %s", path);
    else if (json_dumpf(root, file, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0)
        status = aqm_fail(diag, AQM_ERROR_IO, "cannot write %s", path);
    json_decref(root);
    aqm_free(samples);
    return status;
}
