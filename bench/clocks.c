/* Clocks and medians. */
#include <stdlib.h>
#include <time.h>

#include "bench.h"

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_thread_s(void) {
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

double bench_process_s(void) {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}

static double time_calls(void (*work)(void *user), void *user, long calls) {
    const double start = bench_thread_s();
    for (long k = 0; k < calls; k++)
        work(user);
    return bench_thread_s() - start;
}

double bench_median_s(void (*work)(void *user), void *user, int repeats) {
    long calls = 1;
    while (time_calls(work, user, calls) < 2e-3 && calls < 1L << 30)
        calls *= 2;
    double times[BENCH_MAX_REPEATS];
    for (int r = 0; r < repeats; r++)
        times[r] = time_calls(work, user, calls) / (double)calls;
    return bench_median(times, repeats);
}
