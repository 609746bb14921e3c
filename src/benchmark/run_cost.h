/* What a run of the pipeline takes, as seen from outside of it. */
#ifndef AQM_BENCHMARK_RUN_COST_H
#define AQM_BENCHMARK_RUN_COST_H

#include <stdbool.h>

/* Seconds, and CPU seconds: of this process, and of all programs on the machine (NaN = not known).
 */
typedef struct AqmRunClock {
    double wall_s, process_s, machine_s;
    bool is_peak_new; /* the peak of memory is that since then */
} AqmRunClock;

typedef struct AqmRunCost {
    double wall_s, cpu_s;
    double others_pct;  /* of the machine's CPU time, taken by other programs; NaN = not known */
    double resident_mb; /* peak, 10^6 bytes; NaN where the system does not let it begin anew */
} AqmRunCost;

/* Begins; memory that was freed is given back to the system first, so that the peak is the run's.
 */
AqmRunClock aqm_run_clock_start(void);
AqmRunCost aqm_run_clock_stop(const AqmRunClock *start);

#endif
