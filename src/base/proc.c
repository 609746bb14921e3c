#include "base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const AqmProcIo unknown = {-1, -1};

int aqm_proc_io_open(bool of_thread) {
    return open(of_thread ? "/proc/thread-self/io" : "/proc/self/io", O_RDONLY | O_CLOEXEC);
}

void aqm_proc_io_close(int descriptor) {
    if (descriptor >= 0)
        (void)close(descriptor);
}

AqmProcIo aqm_proc_io_read(int descriptor, size_t *own_bytes) {
    char text[512];
    AqmProcIo io;
    *own_bytes = 0;
    if (descriptor < 0)
        return unknown;
    const ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    if (size <= 0)
        return unknown;
    text[size] = '\0';
    *own_bytes = (size_t)size;
    if (sscanf(text, "rchar: %" SCNd64 " wchar: %" SCNd64, &io.read_bytes, &io.written_bytes) != 2)
        return unknown;
    return io;
}

/* ---- waiting --------------------------------------------------------------------------------- */

int aqm_proc_wait_open(void) {
    return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

/* The account is "RUN WAIT SLICES", nanoseconds. */
double aqm_proc_wait_read_one(int descriptor, size_t *own_bytes) {
    char text[128];
    unsigned long long run_ns, wait_ns;
    *own_bytes = 0;
    const ssize_t size = descriptor < 0 ? -1 : pread(descriptor, text, sizeof text - 1, 0);
    if (size <= 0)
        return (double)NAN;
    text[size] = '\0';
    *own_bytes = (size_t)size;
    if (sscanf(text, "%llu %llu", &run_ns, &wait_ns) != 2)
        return (double)NAN;
    return 1e-9 * (double)wait_ns;
}

static bool is_found(const AqmProcWait *wait, long id) {
    for (size_t k = 0; k < wait->count; k++)
        if (wait->threads[k].id == id)
            return true;
    return false;
}

void aqm_proc_wait_find(AqmProcWait *wait) {
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return;
    for (const struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char path[300];
        const long id = strtol(entry->d_name, NULL, 10);
        if (id <= 0 || is_found(wait, id) || wait->count == AQM_PROC_THREADS_MAX)
            continue;
        snprintf(path, sizeof path, "%s/schedstat", entry->d_name);
        const int descriptor = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
        if (descriptor < 0)
            continue;
        wait->threads[wait->count].id = id;
        wait->threads[wait->count].descriptor = descriptor;
        wait->threads[wait->count++].wait_s = 0.0;
    }
    closedir(tasks);
}

double aqm_proc_wait_read(AqmProcWait *wait, size_t *own_bytes) {
    double total = wait->count > 0 ? 0.0 : (double)NAN;
    *own_bytes = 0;
    for (size_t k = 0; k < wait->count; k++) {
        size_t bytes;
        const double wait_s = aqm_proc_wait_read_one(wait->threads[k].descriptor, &bytes);
        if (!isnan(wait_s))
            wait->threads[k].wait_s = wait_s;
        total += wait->threads[k].wait_s;
        *own_bytes += bytes;
    }
    return total;
}

void aqm_proc_wait_close(AqmProcWait *wait) {
    while (wait->count > 0)
        (void)close(wait->threads[--wait->count].descriptor);
}
