/* Profiler scopes: wall time, CPU time of the process, bytes allocated, peak. */
#ifndef AQM_BASE_TRACE_H
#define AQM_BASE_TRACE_H

#include <stddef.h>

typedef struct AqmTraceScope {
    double wall_start_s, cpu_start_s;
    size_t bytes_start;
} AqmTraceScope;

typedef struct AqmTraceSpan {
    double wall_s, cpu_s;
    size_t allocated_bytes, peak_bytes;
} AqmTraceSpan;

/* Begins a scope (the peak counter starts anew: scopes do not nest). */
AqmTraceScope aqm_trace_begin(void);
/* Ends it and adds to `span` (peak: the larger). */
void aqm_trace_end(const AqmTraceScope *scope, AqmTraceSpan *span);

/* Seconds on a clock that never goes back. */
double aqm_now_s(void);

#endif
