/* The peak of resident memory is VmHWM of /proc/self/status, which writing 5 to
 * /proc/self/clear_refs sets back to what is resident now (Linux, proc(5)). */
#include "benchmark/run_cost.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/trace.h"

static double process_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Since the machine was started. */
static double machine_s(void) {
    double user, nice, system, idle, wait, irq, soft_irq;
    FILE *file = fopen("/proc/stat", "r");
    const bool is_read = file && fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf", &user, &nice,
                                        &system, &idle, &wait, &irq, &soft_irq) == 7;
    if (file)
        (void)fclose(file);
    return is_read ? (user + nice + system + irq + soft_irq) / (double)sysconf(_SC_CLK_TCK)
                   : (double)NAN;
}

static bool reset_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return false;
    const bool is_written = fputs("5", file) >= 0;
    return fclose(file) == 0 && is_written;
}

static double peak_mb(void) {
    char line[256];
    double kilobytes = (double)NAN;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        (void)sscanf(line, "VmHWM: %lf", &kilobytes);
    if (file)
        (void)fclose(file);
    return kilobytes * 1024e-6;
}

AqmRunClock aqm_run_clock_start(void) {
    (void)malloc_trim(0);
    const bool is_new = reset_peak();
    return (AqmRunClock){.is_peak_new = is_new,
                         .wall_s = aqm_now_s(),
                         .process_s = process_s(),
                         .machine_s = machine_s()};
}

AqmRunCost aqm_run_clock_stop(const AqmRunClock *start) {
    const double wall_s = aqm_now_s() - start->wall_s, cpu_s = process_s() - start->process_s;
    const double others_s = fmax(machine_s() - start->machine_s - cpu_s, 0.0);
    const double known = isnan(machine_s()) ? (double)NAN : others_s;
    return (AqmRunCost){.wall_s = wall_s,
                        .cpu_s = cpu_s,
                        .others_pct = 100.0 * known / (wall_s * aqm_cpu_cores()),
                        .resident_mb = start->is_peak_new ? peak_mb() : (double)NAN};
}
