/* The results of a suite, and the files that tell them. */
#ifndef AQM_BENCHMARK_RESULTS_H
#define AQM_BENCHMARK_RESULTS_H

#include "benchmark/cell.h"

typedef struct AqmResults {
    const AqmSuite *suite; /* borrowed */
    AqmCell *cells;        /* data set by data set, in each the configurations in order */
    size_t cell_count;
    char date[32]; /* UTC, ISO 8601 */
    bool has_pictures;
} AqmResults;

/* What else a run took: of each measure its name in summary.json and where its values are. */
typedef struct AqmRunMetric {
    char name[96];
    const double *values; /* runs.count of them */
} AqmRunMetric;
enum { AQM_RUN_METRICS_MAX = 4 + 2 * AQM_STAGE_COUNT };
/* seconds.wall, seconds.cpu, memory_mb.resident, memory_mb.allocated, stages.NAME.wall and .cpu of
 * the stages that were part of the runs. Returns how many. */
size_t aqm_run_metrics(const AqmCell *cell, AqmRunMetric metrics[AQM_RUN_METRICS_MAX]);

/* summary.json, results.csv, report.md as text, freed with aqm_free. MEMORY; *text is NULL then. */
AQM_NODISCARD AqmStatus aqm_results_to_json(const AqmResults *results, char **text, AqmDiag *diag);
AQM_NODISCARD AqmStatus aqm_results_to_csv(const AqmResults *results, char **text, AqmDiag *diag);
AQM_NODISCARD AqmStatus aqm_results_to_report(const AqmResults *results, char **text,
                                              AqmDiag *diag);

/* Names of the picture files of a cell below pictures/. */
void aqm_error_map_name(const AqmCell *cell, char name[2 * AQM_SUITE_NAME_MAX + 32]);
void aqm_depth_picture_name(const AqmCell *cell, char name[2 * AQM_SUITE_NAME_MAX + 32]);
/* Whether there is a depth map to compare: only full mode makes them. */
bool aqm_cell_has_depth_maps(const AqmCell *cell);

#endif
