/* What the files of the benchmark share: clocks, medians, and the rows it prints. */
#ifndef AQM_BENCH_BENCH_H
#define AQM_BENCH_BENCH_H

#include <stdbool.h>

#include "kernels/kernels.h"

typedef struct BenchOptions {
    int width, height; /* of the views of the sweep */
    int depths, repeats;
    const char *only; /* what the names of the cases to run begin with */
} BenchOptions;

enum { BENCH_MAX_REPEATS = 101 };

/* CPU seconds of the calling thread; of all threads of the program. */
double bench_thread_s(void);
double bench_process_s(void);

/* Runs `work` so often that a run takes some milliseconds, several times over; the median of the
 * CPU seconds that one call takes. */
double bench_median_s(void (*work)(void *user), void *user, int repeats);
/* The median of `count` values, which are sorted. */
double bench_median(double *values, int count);

/* Whether a case is among those to run. */
bool bench_is_wanted(const BenchOptions *options, const char *name);

/* A row of the table. */
void bench_print(const char *kernel, const char *variant, double ns_per_item, double ratio);

/* Each returns false where a result is not what it must be, having said so on stderr. */
bool bench_all_kernels(const BenchOptions *options);
bool bench_all_sweeps(const BenchOptions *options);
/* Prints the rows of two tables side by side; false where one cannot be read. */
bool bench_compare(const char *before, const char *after);

#endif
