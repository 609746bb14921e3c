#include "base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
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

/* "RUN WAIT SLICES" of one thread, nanoseconds; 0 where it has just ended. */
static double thread_wait_s(int tasks, const char *thread) {
    char path[300], text[128];
    unsigned long long run_ns, wait_ns = 0;
    snprintf(path, sizeof path, "%s/schedstat", thread);
    const int descriptor = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return 0.0;
    const ssize_t size = read(descriptor, text, sizeof text - 1);
    (void)close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    return sscanf(text, "%llu %llu", &run_ns, &wait_ns) == 2 ? 1e-9 * (double)wait_ns : 0.0;
}

double aqm_proc_wait_s(void) {
    if (access("/proc/self/schedstat", R_OK) != 0)
        return (double)NAN;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return (double)NAN;
    double total = 0.0;
    for (const struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks))
        if (entry->d_name[0] != '.')
            total += thread_wait_s(dirfd(tasks), entry->d_name);
    closedir(tasks);
    return total;
}
