#include "base/perf_counters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>

const AqmPerfEvent aqm_perf_events[AQM_PERF_COUNT] = {
    [AQM_PERF_INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    [AQM_PERF_CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    [AQM_PERF_CACHE_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
};

/* Not a group: those cannot be read over threads that come later. */
static int open_event(const AqmPerfEvent *event) {
    struct perf_event_attr attributes = {
        .type = event->type,
        .size = sizeof attributes,
        .config = event->config,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
        .inherit = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}
#else
const AqmPerfEvent aqm_perf_events[AQM_PERF_COUNT] = {{0, 0}};

static int open_event(const AqmPerfEvent *event) {
    (void)event;
    errno = ENOSYS;
    return -1;
}
#endif

static const char *why(int error) {
    switch (error) {
    case EACCES:
    case EPERM:
        return "not permitted here (perf_event_paranoid, or a container)";
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
        return "not given by this machine (a virtual one, usually)";
    default:
        return strerror(error);
    }
}

bool aqm_perf_open(AqmPerfCounters *counters, const AqmPerfEvent events[AQM_PERF_COUNT],
                   char *reason, size_t size) {
    for (int k = 0; k < AQM_PERF_COUNT; k++)
        counters->descriptors[k] = -1;
    for (int k = 0; k < AQM_PERF_COUNT; k++) {
        counters->descriptors[k] = open_event(&events[k]);
        if (counters->descriptors[k] >= 0)
            continue;
        snprintf(reason, size, "counters of the processor: %s", why(errno));
        aqm_perf_close(counters);
        return false;
    }
    return true;
}

void aqm_perf_close(AqmPerfCounters *counters) {
    for (int k = 0; k < AQM_PERF_COUNT; k++) {
        if (counters->descriptors[k] >= 0)
            (void)close(counters->descriptors[k]);
        counters->descriptors[k] = -1;
    }
}

bool aqm_perf_read(const AqmPerfCounters *counters, int64_t counts[AQM_PERF_COUNT]) {
    bool is_read = true;
    for (int k = 0; k < AQM_PERF_COUNT; k++) {
        uint64_t
            value[AQM_PERF_READ_BYTES / sizeof(uint64_t)]; /* count, time enabled, time running */
        counts[k] = -1;
        if (counters->descriptors[k] < 0 ||
            read(counters->descriptors[k], value, sizeof value) != (ssize_t)sizeof value) {
            is_read = false;
            continue;
        }
        const double scale = value[2] > 0 ? (double)value[1] / (double)value[2] : 1.0;
        counts[k] = (int64_t)((double)value[0] * scale);
    }
    return is_read;
}
