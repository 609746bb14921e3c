/* What the files of the benchmark share: clocks, medians, and the rows it prints. */
#ifndef AQM_BENCH_BENCH_H
#define AQM_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

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

/* What an item needs at the least, however it is programmed: bytes read and written, groups of
 * four neighbouring pixels fetched from an image, pairs of two operations on 32-bit numbers (a
 * product and a sum, say), and quotients by a root. README.md says how they were counted. */
typedef struct BenchDemand {
    double bytes, texels, multiply_adds, roots;
} BenchDemand;

/* Nanoseconds of one of each, at best. */
typedef struct BenchCeilings {
    double byte_ns, texel_ns, multiply_add_ns, root_ns;
} BenchCeilings;

/* The time that the scarcest of an item's demands takes, and which that is. ns 0: not known. */
typedef struct BenchCeiling {
    double ns;
    const char *bound;
} BenchCeiling;

/* Measures the ceilings of every table that this processor can run, and prints them. */
bool bench_measure_ceilings(int repeats);
/* `variant`: the name of a table. */
BenchCeiling bench_ceiling(const char *variant, BenchDemand demand);
/* What an item of a kernel of kernel_cases.c needs; asserts that there is such a kernel. */
BenchDemand bench_demand(const char *kernel);

/* A row of the table; `ceiling` NULL: has none. */
void bench_print(const char *kernel, const char *variant, double ns_per_item, double ratio,
                 const BenchCeiling *ceiling);

/* Times `run` (whole: all items) and prints the row; reference_ns is that of the reference, 0 for
 * the reference itself. Returns ns per item. */
double bench_row(const char *kernel, const char *variant, void (*run)(void *user), void *user,
                 int items, BenchDemand demand, double reference_ns, int repeats);

/* A kernel of a family at work: `run` calls it from a table of `kernels` on `data`; what it writes
 * goes into `result`, which is 0 before. */
typedef struct BenchCase {
    const char *name;
    void (*run)(const void *kernels, const void *data, void *result);
    int items; /* of one run */
    BenchDemand demand;
} BenchCase;

/* Kernels that have a table for each instruction set: the reference, and the fastest here, which
 * may be the same. Two results, of result_size bytes each. */
typedef struct BenchFamily {
    const void *reference, *fastest;
    const char *fastest_name;
    const void *data;
    void *results;
    size_t result_size;
} BenchFamily;

/* Runs those cases that are wanted: compares the fastest variant's result with the reference's, bit
 * for bit, then times both. False where they differ, having said so. */
bool bench_family(const BenchOptions *options, const BenchFamily *family, const BenchCase *cases,
                  size_t count);

/* Each returns false where a result is not what it must be, having said so on stderr. */
bool bench_all_kernels(const BenchOptions *options);
bool bench_all_near(const BenchOptions *options);
bool bench_all_scale(const BenchOptions *options);
bool bench_all_patches(const BenchOptions *options);
bool bench_all_dense(const BenchOptions *options);
bool bench_all_fusion(const BenchOptions *options);
bool bench_all_surface(const BenchOptions *options);
bool bench_all_paint(const BenchOptions *options);
bool bench_all_sweeps(const BenchOptions *options);
/* Prints the rows of two tables side by side; false where one cannot be read. */
bool bench_compare(const char *before, const char *after);

#endif
