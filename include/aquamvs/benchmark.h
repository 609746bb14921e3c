/* Benchmarks: data sets with truth x configurations, each run through the pipeline and measured;
 * and two such runs compared. docs/benchmarks.md has the suite's keys and every number. */
#ifndef AQUAMVS_BENCHMARK_H
#define AQUAMVS_BENCHMARK_H

#include <stdbool.h>
#include <stddef.h>

#include "aquamvs/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AqmBenchmarkOptions {
    const char *output_dir; /* the run folder: new, empty, or an earlier run's, which is replaced */
    bool visualize;         /* write pictures; default false */
    bool keep;              /* keep data sets and results below work/; default false */
    AqmLog log;             /* a line a run, warnings; may be empty */
    const volatile int *cancel; /* nonzero: stop at the next chance; may be NULL */
} AqmBenchmarkOptions;

enum { AQM_BENCHMARK_NAME_MAX = 64 };

typedef struct AqmBenchmarkResult {
    char name[AQM_BENCHMARK_NAME_MAX]; /* of the suite */
    size_t cells, done, failed, without_models;
} AqmBenchmarkResult;

/* Reads the suite alone and tells its name, e.g. to call a folder after. Errors as below. */
AQM_API AQM_NODISCARD AqmStatus aqm_benchmark_name(const char *suite_path,
                                                   char name[AQM_BENCHMARK_NAME_MAX],
                                                   AqmDiag *diag);

/* Renders the data sets of the suite, runs every configuration on each, `repeats` times in turn,
 * measures them against the truth, and writes to the run folder:
 *
 *   config.yaml               the suite as run, all defaults written out
 *   configurations/D/C.yaml   the whole configuration of each cell
 *   summary.json              every number (docs/benchmarks.md has the schema)
 *   results.csv, report.md    the same as tables
 *   accuracy.png, times.png   with `visualize`: bars; and in pictures/ error maps, and depth maps
 *                             beside the truth
 *
 * summary.json is written last. A cell whose learned matcher has no model files is listed as
 * "models not given", one that fails as "failed" with the reason; neither has figures, and both are
 * counted in *result, which is written whatever is returned.
 *
 * The peak of memory is of the whole process, begun anew before each run where the system permits
 * that; nothing else should go on in the process meanwhile.
 *
 * CONFIG with file:line:column where the suite is wrong; ARGUMENT for a run folder that holds other
 * things; IO, MEMORY; INTERRUPTED (no summary is written then). */
AQM_API AQM_NODISCARD AqmStatus aqm_benchmark_run(const char *suite_path,
                                                  const AqmBenchmarkOptions *options,
                                                  AqmBenchmarkResult *result, AqmDiag *diag);

/* ---- comparison ------------------------------------------------------------------------------ */

typedef enum AqmVerdict {
    AQM_VERDICT_SAME,      /* within the threshold, or within the spread of the runs */
    AQM_VERDICT_BETTER,    /* beyond it for the better */
    AQM_VERDICT_WORSE,     /* beyond it for the worse: a regression */
    AQM_VERDICT_UNJUDGED,  /* no threshold, or too few or disturbed runs: `note` says which */
    AQM_VERDICT_MISSING_A, /* B alone has it */
    AQM_VERDICT_MISSING_B  /* A alone has it: a regression where it would have been judged */
} AqmVerdict;

/* One measure of one cell. */
typedef struct AqmBenchmarkDelta {
    char dataset[AQM_BENCHMARK_NAME_MAX], configuration[AQM_BENCHMARK_NAME_MAX];
    char metric[96];      /* "cloud.rms_mm", "seconds.wall", ...; "status" for the cell itself */
    double a, b;          /* medians; NaN = not there */
    double difference;    /* b - a */
    double percent;       /* of |a|; NaN where a is 0 or one is not there */
    double threshold_pct; /* NaN = not judged */
    int direction;        /* +1 more is better, -1 less is */
    AqmVerdict verdict;
    bool is_regression;
    char note[96];
} AqmBenchmarkDelta;

typedef struct AqmBenchmarkComparison {
    AqmBenchmarkDelta *deltas;
    size_t count, regressions, improvements;
} AqmBenchmarkComparison;

/* Compares run B with run A, each a run folder or a summary.json. Thresholds are those of B's
 * suite. A measure got worse if its median did by more than its threshold; of memory also if no run
 * of B was as good as the worst of A, and by least_mb at least; of times if the median of B is
 * worse than every run of A, by least_seconds at least, and by the threshold and 0.3 times the
 * ranges of the runs of A and of B. Times are judged where both did five runs or more. Where other
 * programs took more than a tenth of the machine, those by the clock are not judged, and those of
 * the CPU count only if the runs of B lie the threshold beyond those of A, and by ten times
 * least_seconds. A cell of A that is done there and not in B is a regression.
 *
 * IO or FORMAT where a file cannot be read or is no summary; MEMORY. The caller destroys *out. */
AQM_API AQM_NODISCARD AqmStatus aqm_benchmark_compare(const char *a, const char *b,
                                                      AqmBenchmarkComparison **out, AqmDiag *diag);
AQM_API void aqm_benchmark_comparison_destroy(AqmBenchmarkComparison **comparison);
/* As a JSON object (*text, freed with aqm_free_buffer). MEMORY; *text is untouched then. */
AQM_API AQM_NODISCARD AqmStatus aqm_benchmark_comparison_to_json(const AqmBenchmarkComparison *c,
                                                                 char **text, AqmDiag *diag);
/* "same", "better", "WORSE", "not judged", "only in B", "only in A". */
AQM_API const char *aqm_verdict_name(AqmVerdict verdict);

/* Writes what a comparison of accuracy, completeness and memory needs of a run to a file that can
 * be compared with: no times, host, date or commit, so that its difference to another shows what
 * results changed. Errors as aqm_benchmark_compare. */
AQM_API AQM_NODISCARD AqmStatus aqm_benchmark_write_baseline(const char *run, const char *path,
                                                             AqmDiag *diag);

#ifdef __cplusplus
}
#endif
#endif
