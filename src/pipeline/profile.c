/* Makes one frame while a recorder is attached. */
#include "aquamvs/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "config/supported.h"
#include "io/atomic_file.h"
#include "pipeline/models.h"
#include "pipeline/profile_parts.h"
#include "pipeline/run_frame.h"
#include "pipeline/scratch_folder.h"

/* Room for scopes in each thread (a ring of 12 cameras begins some 200), and for threads beside
 * those that compute: the one that writes files, and some that a program may have. */
enum { EVENTS = 4096, MORE_THREADS = 4 };

typedef struct Profiling {
    const AqmConfig *config;
    const AqmProfileOptions *options;
    int frame;
    AqmInputs *inputs;
    AqmModels *models;
    AqmInputDigest input;
    char configuration[17];
    char scratch[PATH_MAX]; /* "" = there is none */
    AqmDepthRange *ranges;
    AqmFrameReport *report;
    AqmRecorder *recorder;
    AqmRecordedThread *threads;
    AqmRecording recording;
    AqmProfile *profile;
} Profiling;

static bool is_cancelled(void *user, AqmStage stage, size_t done, size_t total) {
    const Profiling *p = user;
    (void)stage;
    (void)done;
    (void)total;
    return p->options->cancel && *p->options->cancel;
}

/* The processor's counters count threads that begin after them, so the recorder comes first. */
static AqmStatus create(Profiling *p, AqmDiag *diag) {
    const size_t threads = (size_t)aqm_thread_count(p->config->runtime.threads) + MORE_THREADS;
    AQM_TRY(aqm_recorder_create(&p->recorder, threads, EVENTS, diag));
    p->profile = aqm_calloc(1, sizeof *p->profile);
    p->report = aqm_calloc(1, sizeof *p->report);
    p->threads = aqm_alloc(threads, sizeof *p->threads);
    return p->profile && p->report && p->threads
               ? AQM_OK
               : aqm_fail_memory(diag, "a profile", 1, sizeof *p->report);
}

/* What a run does before its first frame. */
static AqmStatus prepare(Profiling *p, AqmDiag *diag) {
    const AqmConfig *config = p->config;
    aqm_config_warn_unsupported(config, &p->options->log);
    AQM_TRY(aqm_run_check_device(config, p->options->require_device, &p->options->log, diag));
    AQM_TRY(aqm_models_open(&p->models, config, diag));
    AQM_TRY(aqm_inputs_open(&p->inputs, config, &p->options->log, diag));
    if (p->frame < 0 || (size_t)p->frame >= p->inputs->frame_count)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "there is no frame %d: the input has frames 0..%zu", p->frame,
                        p->inputs->frame_count ? p->inputs->frame_count - 1 : 0);
    AQM_TRY(aqm_configuration_digest(config, p->configuration, diag));
    AQM_TRY(aqm_input_digest_create(&p->input, config, p->inputs, diag));
    p->ranges = aqm_alloc(p->inputs->camera_count, sizeof *p->ranges);
    if (!p->ranges)
        return aqm_fail_memory(diag, "a frame", p->inputs->camera_count, sizeof *p->ranges);
    for (size_t c = 0; c < p->inputs->camera_count; c++)
        p->ranges[c] = (AqmDepthRange){.min_m = (double)NAN, .max_m = (double)NAN};
    p->report->ranges = p->ranges;
    if (is_cancelled(p, AQM_STAGE_READ, 0, 1))
        return aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted before frame %d", p->frame);
    return AQM_OK;
}

static AqmStatus make_frame(Profiling *p, AqmDiag *diag) {
    char folder[PATH_MAX + 32];
    snprintf(folder, sizeof folder, "%s/frame_%06d", p->scratch, p->frame);
    const AqmFrameJob job = {p->config, p->inputs,        p->models,    p->frame,
                             folder,    &p->options->log, is_cancelled, p};
    if (!aqm_recorder_attach(p->recorder))
        return aqm_fail(diag, AQM_ERROR_UNSUPPORTED,
                        "another profile is being made in this process: it would be measured with "
                        "this one");
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "frame", NULL);
    AqmStatus status = aqm_run_frame(&job, p->configuration, &p->input, p->report, diag);
    aqm_scope_end(&scope);
    aqm_recorder_detach(p->recorder);
    if (status != AQM_OK)
        aqm_diag_prefix(diag, "frame %d: ", p->frame);
    return status;
}

static AqmStatus evaluate(Profiling *p, AqmDiag *diag) {
    AqmProfile *profile = p->profile;
    p->recording = (AqmRecording){.thread_count = aqm_recorder_threads(p->recorder),
                                  .threads = p->threads,
                                  .own_bytes = aqm_recorder_bytes(p->recorder)};
    for (size_t t = 0; t < p->recording.thread_count; t++)
        p->threads[t] = aqm_recorder_thread(p->recorder, t);
    profile->frame = p->frame;
    profile->threads = aqm_thread_count(p->config->runtime.threads);
    profile->dropped = aqm_recorder_dropped(p->recorder);
    snprintf(profile->no_counts, sizeof profile->no_counts, "%s",
             aqm_recorder_no_counts(p->recorder));
    AQM_TRY(aqm_profile_collect(&p->recording, profile, diag));
    aqm_profile_find(profile);
    return AQM_OK;
}

static void release(Profiling *p) {
    if (p->scratch[0])
        aqm_scratch_remove(p->scratch);
    aqm_input_digest_destroy(&p->input);
    aqm_models_close(&p->models);
    aqm_inputs_close(&p->inputs);
    aqm_free(p->ranges);
    aqm_free(p->report);
    aqm_free(p->threads);
    aqm_recorder_destroy(&p->recorder);
}

static AqmStatus profile_frame(Profiling *p, AqmAtomicFile *trace, AqmDiag *diag) {
    const double start_s = aqm_now_s();
    AQM_TRY(create(p, diag));
    AQM_TRY(prepare(p, diag));
    AQM_TRY(aqm_scratch_create(p->config->output_dir, p->options->work_dir, p->scratch, diag));
    p->profile->prepare_s = aqm_now_s() - start_s;
    AQM_TRY(make_frame(p, diag));
    AQM_TRY(evaluate(p, diag));
    return trace->stream
               ? aqm_profile_write_trace(trace->stream, p->options->trace_path, &p->recording, diag)
               : AQM_OK;
}

AqmStatus aqm_profile(const AqmConfig *config, int frame, const AqmProfileOptions *options,
                      AqmProfile **out, AqmDiag *diag) {
    Profiling p = {.config = config, .options = options, .frame = frame};
    AqmAtomicFile trace = {0};
    *out = NULL;
    if (options->trace_path) /* first: a frame is too long a wait to learn that it cannot be */
        AQM_TRY(aqm_atomic_open(&trace, options->trace_path, diag));
    AqmStatus status = profile_frame(&p, &trace, diag);
    if (options->trace_path)
        status = aqm_atomic_finish(&trace, status, diag);
    release(&p);
    if (status == AQM_OK)
        *out = p.profile;
    else
        aqm_profile_destroy(&p.profile);
    return status;
}

void aqm_profile_destroy(AqmProfile **profile) {
    if (!profile || !*profile)
        return;
    aqm_free((*profile)->entries);
    aqm_free(*profile);
    *profile = NULL;
}
