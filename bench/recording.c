/* recording: what recording scopes costs.
 *
 *     recording CONFIG.yaml [--repeats N] [--threads N]
 *
 * First a scope by itself, unattended and recorded. Then frame 0 of the configuration, in turns
 * with and without a recorder attached, to a folder that is removed. README.md has the columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/config.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/recorder.h"
#include "bench.h"
#include "pipeline/run_frame.h"
#include "pipeline/scratch_folder.h"

enum { EVENTS = 4096, MORE_THREADS = 4 };

typedef struct Bench {
    AqmConfig *config;
    AqmInputs *inputs;
    AqmInputDigest input;
    char configuration[17], scratch[PATH_MAX];
    AqmFrameReport *report;
    AqmDepthRange *ranges;
} Bench;

/* ---- a scope --------------------------------------------------------------------------------- */

typedef struct ScopeCase {
    const char *name;
    AqmScopeKind kind;
    bool is_recorded;
} ScopeCase;

static double scope_s(const ScopeCase *c) {
    enum { SCOPES = 2000 };
    AqmRecorder *recorder = NULL;
    if (aqm_recorder_create(&recorder, 2, SCOPES, NULL) != AQM_OK)
        return 0.0;
    if (c->is_recorded)
        (void)aqm_recorder_attach(recorder);
    const double start = bench_process_s();
    for (int k = 0; k < SCOPES; k++) {
        const AqmScope scope = aqm_scope_begin(c->kind, "scope", "detail");
        aqm_scope_end(&scope);
    }
    const double seconds = bench_process_s() - start;
    aqm_recorder_detach(recorder);
    aqm_recorder_destroy(&recorder);
    return seconds / SCOPES;
}

enum { CASE_COUNT = 4 };
static const ScopeCase cases[CASE_COUNT] = {{"off", AQM_SCOPE_PART, false},
                                            {"stage", AQM_SCOPE_STAGE, true},
                                            {"part", AQM_SCOPE_PART, true},
                                            {"task", AQM_SCOPE_TASK, true}};

/* cost_s: of each case. */
static void bench_scopes(int repeats, double cost_s[CASE_COUNT]) {
    double times[BENCH_MAX_REPEATS];
    printf("scope,cpu_ns\n");
    for (size_t k = 0; k < CASE_COUNT; k++) {
        for (int r = 0; r < repeats; r++)
            times[r] = scope_s(&cases[k]);
        cost_s[k] = bench_median(times, repeats);
        printf("%s,%.1f\n", cases[k].name, 1e9 * cost_s[k]);
    }
}

/* ---- a frame --------------------------------------------------------------------------------- */

static AqmStatus bench_open(Bench *bench, const char *path, const char *threads, AqmDiag *diag) {
    AQM_TRY(aqm_config_read(path, &threads, 1, NULL, &bench->config, diag));
    AQM_TRY(aqm_inputs_open(&bench->inputs, bench->config, NULL, diag));
    AQM_TRY(aqm_configuration_digest(bench->config, bench->configuration, diag));
    AQM_TRY(aqm_input_digest_create(&bench->input, bench->config, bench->inputs, diag));
    bench->report = aqm_calloc(1, sizeof *bench->report);
    bench->ranges = aqm_calloc(bench->inputs->camera_count, sizeof *bench->ranges);
    if (!bench->report || !bench->ranges)
        return aqm_fail_memory(diag, "a frame", 1, sizeof *bench->report);
    return aqm_scratch_create(bench->config->output_dir, NULL, bench->scratch, diag);
}

static void bench_close(Bench *bench) {
    if (bench->scratch[0])
        aqm_scratch_remove(bench->scratch);
    aqm_free(bench->report);
    aqm_free(bench->ranges);
    aqm_input_digest_destroy(&bench->input);
    aqm_inputs_close(&bench->inputs);
    aqm_config_destroy(&bench->config);
}

/* kinds: how many scopes there were of each kind. */
static AqmStatus make_frame(Bench *bench, bool is_recorded, double *cpu_s, size_t kinds[3],
                            AqmDiag *diag) {
    char folder[PATH_MAX + 16];
    const AqmFrameJob job = {
        .config = bench->config, .inputs = bench->inputs, .folder = folder, .log = NULL};
    AqmRecorder *recorder = NULL;
    snprintf(folder, sizeof folder, "%s/frame", bench->scratch);
    *bench->report = (AqmFrameReport){.ranges = bench->ranges};
    const size_t threads = (size_t)aqm_thread_count(bench->config->runtime.threads) + MORE_THREADS;
    AQM_TRY(aqm_recorder_create(&recorder, threads, EVENTS, diag));
    if (is_recorded)
        (void)aqm_recorder_attach(recorder);
    const double start = bench_process_s();
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "frame", NULL);
    const AqmStatus status =
        aqm_run_frame(&job, bench->configuration, &bench->input, bench->report, diag);
    aqm_scope_end(&scope);
    *cpu_s = bench_process_s() - start;
    aqm_recorder_detach(recorder);
    kinds[0] = kinds[1] = kinds[2] = 0;
    for (size_t t = 0; t < aqm_recorder_threads(recorder); t++) {
        const AqmRecordedThread thread = aqm_recorder_thread(recorder, t);
        for (size_t k = 0; k < thread.count; k++)
            kinds[thread.events[k].kind]++;
    }
    aqm_recorder_destroy(&recorder);
    return status;
}

static AqmStatus bench_frames(Bench *bench, int repeats, const double cost_s[CASE_COUNT],
                              AqmDiag *diag) {
    double without[BENCH_MAX_REPEATS], with[BENCH_MAX_REPEATS];
    size_t kinds[3] = {0}, none[3];
    AQM_TRY(make_frame(bench, false, &without[0], none, diag)); /* warms up */
    for (int r = 0; r < repeats; r++) {
        const bool with_first = r % 2 == 1;
        if (with_first)
            AQM_TRY(make_frame(bench, true, &with[r], kinds, diag));
        AQM_TRY(make_frame(bench, false, &without[r], none, diag));
        if (!with_first)
            AQM_TRY(make_frame(bench, true, &with[r], kinds, diag));
    }
    double cost = 0.0;
    for (int k = 0; k < 3; k++)
        cost += (double)kinds[k] * cost_s[1 + k];
    const double median = bench_median(without, repeats), median_with = bench_median(with, repeats);
    printf("\nscopes,without_cpu_s,with_cpu_s,least_without_cpu_s,least_with_cpu_s,scopes_pct\n"
           "%zu,%.4f,%.4f,%.4f,%.4f,%.3f\n",
           kinds[0] + kinds[1] + kinds[2], median, median_with, without[0], with[0],
           100.0 * cost / without[0]); /* they are sorted */
    return AQM_OK;
}

int main(int argc, char **argv) {
    int repeats = 15;
    char threads[32] = "runtime.threads=0";
    for (int k = 2; k + 1 < argc; k += 2) {
        if (strcmp(argv[k], "--repeats") == 0)
            repeats = atoi(argv[k + 1]);
        else if (strcmp(argv[k], "--threads") == 0)
            snprintf(threads, sizeof threads, "runtime.threads=%d", atoi(argv[k + 1]));
    }
    if (argc < 2 || argc % 2 == 1 || repeats < 1 || repeats > BENCH_MAX_REPEATS) {
        fprintf(stderr, "usage: recording CONFIG.yaml [--repeats 1..%d] [--threads N]\n",
                BENCH_MAX_REPEATS);
        return 2;
    }
    Bench bench = {.config = NULL};
    AqmDiag diag = {0};
    double cost_s[CASE_COUNT];
    bench_scopes(repeats, cost_s);
    AqmStatus status = bench_open(&bench, argv[1], threads, &diag);
    if (status == AQM_OK)
        status = bench_frames(&bench, repeats, cost_s, &diag);
    bench_close(&bench);
    if (status != AQM_OK)
        fprintf(stderr, "recording: %s\n", diag.message);
    return status == AQM_OK ? 0 : 1;
}
