/* One data set with one configuration: run, timed, measured. */
#ifndef AQM_BENCHMARK_CELL_H
#define AQM_BENCHMARK_CELL_H

#include <limits.h>

#include "benchmark/suite.h"
#include "pipeline/frame.h"

typedef enum AqmCellStatus { AQM_CELL_DONE, AQM_CELL_FAILED, AQM_CELL_NO_MODELS } AqmCellStatus;

/* "done", "failed", "models not given". */
const char *aqm_cell_status_name(AqmCellStatus status);

/* What a run took: a place for each repeat; NaN = not known. */
typedef struct AqmCellRuns {
    size_t count;
    double wall_s[AQM_SUITE_REPEATS_MAX], cpu_s[AQM_SUITE_REPEATS_MAX];
    double others_pct[AQM_SUITE_REPEATS_MAX]; /* of the machine, taken by other programs */
    double resident_mb[AQM_SUITE_REPEATS_MAX], allocated_mb[AQM_SUITE_REPEATS_MAX];
    double stage_wall_s[AQM_STAGE_COUNT][AQM_SUITE_REPEATS_MAX];
    double stage_cpu_s[AQM_STAGE_COUNT][AQM_SUITE_REPEATS_MAX];
} AqmCellRuns;

typedef struct AqmCell {
    const AqmSuiteDataset *dataset; /* borrowed, as all pointers here */
    const AqmSuiteConfiguration *configuration;
    AqmCellStatus status;
    char reason[AQM_DIAG_MAX]; /* why not done */
    bool has_cloud, has_mesh;
    AqmEvaluation cloud, mesh;
    AqmCellRuns runs;
} AqmCell;

/* Where things are. */
typedef struct AqmCellPlace {
    const char *truth;  /* folder of the data set */
    const char *output; /* the run's */
} AqmCellPlace;

/* The whole configuration of a cell; the caller destroys *out. */
AQM_NODISCARD AqmStatus aqm_cell_configure(const AqmCell *cell, const AqmCellPlace *place,
                                           AqmConfig **out, AqmDiag *diag);

/* Runs a cell once more and takes down what it took; the first time its results are measured too.
 * What goes wrong with the cell goes into its status and reason; INTERRUPTED is returned. */
AQM_NODISCARD AqmStatus aqm_cell_run(AqmCell *cell, const AqmCellPlace *place, double tolerance_mm,
                                     const AqmLog *log, const volatile int *cancel, AqmDiag *diag);

/* The cloud that a run of this configuration ends with. */
void aqm_cell_cloud_path(const AqmConfig *config, int frame, char path[PATH_MAX]);

#endif
