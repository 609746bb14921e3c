/* One case: its scene, its configuration, its runs.
 *
 * In a repeat every number of threads has its turn, so that what else the machine does meets all
 * of them alike; how much faster more threads are is the median of the ratios within the repeats.
 */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/evaluate.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "base/trace.h"
#include "bench.h"
#include "config/config.h"
#include "stages.h"

/* ---- scenes and configurations --------------------------------------------------------------- */

AqmStatus stages_render(const StagesCase *what, const StagesPlan *plan, char path[STAGES_PATH_MAX],
                        AqmDiag *diag) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = what->scene;
    options.rig = what->rig;
    options.width = what->width;
    options.height = what->height;
    char truth[STAGES_PATH_MAX + 32];
    if (snprintf(path, STAGES_PATH_MAX, "%s/scene_%d_%d_%dx%d", plan->folder, (int)what->scene,
                 (int)what->rig, what->width, what->height) >= STAGES_PATH_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "the name of the folder is too long");
    (void)snprintf(truth, sizeof truth, "%s/gt/scene.json", path);
    return access(truth, F_OK) == 0 ? AQM_OK : aqm_synth_write(&options, path, NULL, diag);
}

/* The configuration that the scene came with, and what the case says. */
static AqmStatus configure(const StagesCase *what, const char *folder, AqmConfig **out,
                           AqmDiag *diag) {
    char path[STAGES_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/config.yaml", folder);
    AqmConfig *config = NULL;
    AQM_TRY(aqm_config_read(path, NULL, 0, NULL, &config, diag));
    aqm_config_apply_preset(config, what->preset);
    config->reconstruction.stereo.search = what->search;
    if (what->depths > 0)
        config->reconstruction.stereo.num_depths = what->depths;
    config->sparse_matching.num_neighbors = what->sources;
    const AqmStatus status = aqm_stereo_options_validate(&config->reconstruction.stereo, diag);
    if (status == AQM_OK)
        *out = config;
    else
        aqm_config_destroy(&config);
    return status;
}

/* ---- the memory of the process --------------------------------------------------------------- */

/* Lets the peak begin anew, at what is held now. */
static void reset_peak(void) {
    (void)malloc_trim(0);
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return;
    (void)fputs("5", file);
    (void)fclose(file);
}

static double peak_mb(void) {
    char line[256];
    double kilobytes = NAN;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        (void)sscanf(line, "VmHWM: %lf", &kilobytes);
    if (file)
        (void)fclose(file);
    return kilobytes * 1024e-6;
}

/* ---- other programs -------------------------------------------------------------------------- */

static const double disturbed_pct = 3.0; /* of the machine: what a system by itself stays below */

/* CPU seconds that all programs have taken since the machine was started; NaN = not known. */
static double machine_s(void) {
    double user, nice, system, idle, wait, irq, soft_irq;
    FILE *file = fopen("/proc/stat", "r");
    const bool is_read = file && fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf", &user, &nice,
                                        &system, &idle, &wait, &irq, &soft_irq) == 7;
    if (file)
        (void)fclose(file);
    return is_read ? (user + nice + system + irq + soft_irq) / (double)sysconf(_SC_CLK_TCK) : NAN;
}

/* Returns when nothing else has run for a second, or after five minutes. */
static void await_quiet(void) {
    for (int k = 0; k < 300; k++) {
        const double start_s = machine_s();
        (void)sleep(1);
        if (!(100.0 * (machine_s() - start_s) / aqm_cpu_cores() > disturbed_pct))
            return;
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct Work {
    AqmConfig *config;
    StagesViews *views; /* of the depth stage */
    StagesResult *result;
} Work;

typedef AqmStatus (*Run)(const Work *work, AqmDiag *diag);

static AqmStatus estimate(const Work *work, AqmDiag *diag) {
    return stages_views_estimate(work->views, work->config, &work->result->pixels,
                                 &work->result->samples, diag);
}

static AqmStatus run_frame(const Work *work, AqmDiag *diag) {
    const AqmRunOptions options = {.force = true};
    AqmRunResult result;
    AQM_TRY(aqm_run(work->config, &options, &result, diag));
    if (result.frames_done != 1)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "the frame failed: see %s", result.record);
    return AQM_OK;
}

typedef struct Times {
    double wall_s[STAGES_MAX_THREADS][STAGES_MAX_REPEATS];
    double cpu_s[STAGES_MAX_THREADS][STAGES_MAX_REPEATS];
    double peak_mb[STAGES_MAX_THREADS][STAGES_MAX_REPEATS];
    int runs;
} Times;

/* One run into times' next place; the share of the machine that others took meanwhile. */
static AqmStatus time_run(Run run, const Work *work, int t, Times *times, double *others_pct,
                          AqmDiag *diag) {
    reset_peak();
    const double cpu_start = bench_process_s(), machine_start = machine_s();
    const double wall_start = aqm_now_s();
    AQM_TRY(run(work, diag));
    const double wall_s = aqm_now_s() - wall_start, cpu_s = bench_process_s() - cpu_start;
    const double others_s = machine_s() - machine_start - cpu_s;
    times->wall_s[t][times->runs] = wall_s;
    times->cpu_s[t][times->runs] = cpu_s;
    times->peak_mb[t][times->runs] = peak_mb();
    *others_pct = 100.0 * (others_s < 0.0 ? 0.0 : others_s) / (wall_s * aqm_cpu_cores());
    return AQM_OK;
}

/* Every number of threads once. */
static AqmStatus run_all(Run run, const Work *work, const StagesPlan *plan, Times *times,
                         AqmDiag *diag) {
    for (int t = 0; t < plan->thread_count; t++) {
        work->config->runtime.threads = plan->threads[t];
        aqm_config_share_threads(work->config);
        double others_pct;
        int retries = plan->retries;
        AQM_TRY(time_run(run, work, t, times, &others_pct, diag));
        while (others_pct > disturbed_pct && retries-- > 0) {
            await_quiet();
            AQM_TRY(time_run(run, work, t, times, &others_pct, diag));
        }
        if (!(others_pct <= work->result->others_pct)) /* not known: so for the case */
            work->result->others_pct = others_pct;
    }
    times->runs++;
    return AQM_OK;
}

static StagesCost cost_of(Times *times, int t, const double first_wall_s[STAGES_MAX_REPEATS]) {
    double ratios[STAGES_MAX_REPEATS];
    for (int r = 0; r < times->runs; r++)
        ratios[r] = first_wall_s[r] / times->wall_s[t][r];
    return (StagesCost){
        bench_median(times->wall_s[t], times->runs), bench_median(times->cpu_s[t], times->runs),
        bench_median(times->peak_mb[t], times->runs), bench_median(ratios, times->runs)};
}

static AqmStatus time_work(Run run, const Work *work, const StagesPlan *plan,
                           StagesCost costs[STAGES_MAX_THREADS], AqmDiag *diag) {
    Times times = {.runs = 0};
    const double start_s = aqm_now_s();
    do
        AQM_TRY(run_all(run, work, plan, &times, diag));
    while (times.runs < plan->repeats && aqm_now_s() - start_s < plan->patience_s);
    double first_wall_s[STAGES_MAX_REPEATS]; /* in the order of the repeats, before it is sorted */
    memcpy(first_wall_s, times.wall_s[0], sizeof first_wall_s);
    for (int t = 0; t < plan->thread_count; t++)
        costs[t] = cost_of(&times, t, first_wall_s);
    work->result->runs = times.runs;
    return AQM_OK;
}

static AqmStatus measure_depth(Work *work, const StagesPlan *plan, const char *folder,
                               AqmDiag *diag) {
    AQM_TRY(stages_views_open(&work->views, work->config, folder, diag));
    AqmStatus status = time_work(estimate, work, plan, work->result->depth, diag);
    if (status == AQM_OK)
        status = stages_views_score(work->views, &work->result->score, diag);
    stages_views_close(&work->views);
    return status;
}

static AqmStatus measure_frame(const Work *work, const StagesPlan *plan, const char *folder,
                               AqmDiag *diag) {
    AqmEvaluateOptions options = aqm_evaluate_options_default();
    AqmEvaluation evaluation;
    options.min_views = work->config->reconstruction.fusion.min_consistent_views;
    char path[STAGES_PATH_MAX + 64];
    AQM_TRY(time_work(run_frame, work, plan, work->result->frame, diag));
    (void)snprintf(path, sizeof path, "%s/output/frame_000000/point_cloud/fused.ply", folder);
    AQM_TRY(aqm_evaluate_ply(path, folder, &options, &evaluation, diag));
    const bool is_seen = evaluation.in_region.count > 0;
    work->result->cloud_rms_mm = is_seen ? evaluation.in_region.rms_mm : NAN;
    work->result->coverage_pct = evaluation.coverage_pct[1];
    return AQM_OK;
}

AqmStatus stages_measure(const StagesCase *what, const StagesPlan *plan, const char *folder,
                         StagesResult *result, AqmDiag *diag) {
    *result = (StagesResult){.runs = 0};
    Work work = {.result = result};
    AQM_TRY(configure(what, folder, &work.config, diag));
    result->depths = work.config->reconstruction.stereo.num_depths;
    AqmStatus status = measure_depth(&work, plan, folder, diag);
    if (status == AQM_OK)
        status = measure_frame(&work, plan, folder, diag);
    aqm_config_destroy(&work.config);
    return status;
}
