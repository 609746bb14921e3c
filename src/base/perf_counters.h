/* Counters of the processor: instructions, cycles, cache misses, by perf_event_open. Many
 * containers and virtual machines do not give them: then there is a sentence that says so. */
#ifndef AQM_BASE_PERF_COUNTERS_H
#define AQM_BASE_PERF_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AQM_PERF_INSTRUCTIONS, AQM_PERF_CYCLES, AQM_PERF_CACHE_MISSES, AQM_PERF_COUNT };

/* An event as the kernel numbers it. */
typedef struct AqmPerfEvent {
    uint32_t type;
    uint64_t config;
} AqmPerfEvent;

typedef struct AqmPerfCounters {
    int descriptors[AQM_PERF_COUNT]; /* -1 = closed */
} AqmPerfCounters;

/* The three events that the names above stand for. */
extern const AqmPerfEvent aqm_perf_events[AQM_PERF_COUNT];

/* Opens counters of this thread and of the threads that it starts from here on, user code alone.
 * All or none: false, with a sentence in `reason`, where one is refused. */
bool aqm_perf_open(AqmPerfCounters *counters, const AqmPerfEvent events[AQM_PERF_COUNT],
                   char *reason, size_t size);
void aqm_perf_close(AqmPerfCounters *counters);

/* What aqm_perf_read reads for each counter that is open. */
enum { AQM_PERF_READ_BYTES = 24 };

/* Counts since they were opened, scaled up where the processor had to take turns between counters;
 * false, and -1 each, where there are none. */
bool aqm_perf_read(const AqmPerfCounters *counters, int64_t counts[AQM_PERF_COUNT]);

#endif
