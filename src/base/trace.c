#include "base/trace.h"

#include <time.h>

#include "base/alloc.h"

static double clock_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double aqm_now_s(void) {
    return clock_s(CLOCK_MONOTONIC);
}

AqmTraceScope aqm_trace_begin(void) {
    const AqmAllocCount count = aqm_alloc_count();
    aqm_alloc_reset_peak();
    return (AqmTraceScope){
        .wall_start_s = clock_s(CLOCK_MONOTONIC),
        .cpu_start_s = clock_s(CLOCK_PROCESS_CPUTIME_ID),
        .bytes_start = count.total_bytes,
        .calls_start = count.calls,
        .outer_peak_bytes = count.peak_bytes,
    };
}

void aqm_trace_end(const AqmTraceScope *scope, AqmTraceSpan *span) {
    const AqmAllocCount count = aqm_alloc_count();
    span->wall_s += clock_s(CLOCK_MONOTONIC) - scope->wall_start_s;
    span->cpu_s += clock_s(CLOCK_PROCESS_CPUTIME_ID) - scope->cpu_start_s;
    span->allocated_bytes += count.total_bytes - scope->bytes_start;
    if (count.peak_bytes > span->peak_bytes)
        span->peak_bytes = count.peak_bytes;
    span->allocations += count.calls - scope->calls_start;
    aqm_alloc_raise_peak(scope->outer_peak_bytes);
}
