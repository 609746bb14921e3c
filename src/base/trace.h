/* What a part of the work costs: wall time, CPU time of the process, allocations, peak. Always on;
 * what is recorded on request, in more detail, is base/recorder.h. */
#ifndef AQM_BASE_TRACE_H
#define AQM_BASE_TRACE_H

#include <stddef.h>

typedef struct AqmTraceScope {
    double wall_start_s, cpu_start_s;
    size_t bytes_start, calls_start;
    size_t outer_peak_bytes; /* of the scopes around this one, so far */
} AqmTraceScope;

typedef struct AqmTraceSpan {
    double wall_s, cpu_s;
    size_t allocated_bytes, peak_bytes;
    size_t allocations;
} AqmTraceSpan;

/* Begins a scope. Scopes may nest, in one thread at a time: the peak counter starts anew in each
 * and is given back to the one around it. */
AqmTraceScope aqm_trace_begin(void);
/* Ends it and adds to `span` (peak: the larger). */
void aqm_trace_end(const AqmTraceScope *scope, AqmTraceSpan *span);

/* Seconds on a clock that never goes back. */
double aqm_now_s(void);

#endif
