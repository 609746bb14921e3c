/* The pictures of a benchmark, as files. */
#ifndef AQM_BENCHMARK_BENCHMARK_PICTURES_H
#define AQM_BENCHMARK_BENCHMARK_PICTURES_H

#include "benchmark/results.h"

/* The error map of a cell and, where it has depth maps, the first of them beside the truth; into
 * `folder`, while the run's files are there. */
AQM_NODISCARD AqmStatus aqm_cell_draw(const AqmCell *cell, const AqmCellPlace *place,
                                      const AqmConfig *config, const char *folder, AqmDiag *diag);

/* accuracy.png and times.png into `folder`. */
AQM_NODISCARD AqmStatus aqm_results_draw(const AqmResults *results, const char *folder,
                                         AqmDiag *diag);

#endif
