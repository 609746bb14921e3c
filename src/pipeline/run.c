/* The loop over frames: which are wanted, which are finished, what is told to whom.
 *
 * Everything that can be refused is refused before the first byte is written. Then the output
 * folder gets config.yaml and undistorted_K.json, and each frame its own folder; frame.json comes
 * last and marks the frame as done, so a run that stops at any moment is taken up where it was. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "config/supported.h"
#include "io/atomic_file.h"
#include "pipeline/run_record.h"

typedef struct Run {
    const AqmConfig *config;
    const AqmRunOptions *options;
    AqmInputs *inputs;
    AqmRunRecord *record;
    char digest[17];
    int *frames; /* those wanted, in order */
    size_t frame_count;
    AqmLog log; /* passes on, and keeps warnings of the run as a whole */
    char early_warnings[4096];
    AqmProgress progress;
    double start_s, worked_s; /* when the run began; time spent on frames that were made */
    double frame_start_s;
} Run;

/* ---- messages -------------------------------------------------------------------------------- */

static void keep_warning(void *user, AqmLogLevel level, const char *message) {
    Run *run = user;
    aqm_log(&run->options->log, level, "%s", message);
    if (level != AQM_LOG_WARNING)
        return;
    if (run->record) {
        (void)!aqm_run_record_warn(run->record, message, NULL);
        return;
    }
    const size_t used = strlen(run->early_warnings);
    snprintf(run->early_warnings + used, sizeof run->early_warnings - used, "%s\n", message);
}

static bool is_cancelled(const Run *run) {
    return run->options->cancel && *run->options->cancel;
}

/* Shares of a frame's time, about, for the progress within it. */
static const double stage_share[AQM_STAGE_COUNT] = {0.02, 0.01, 0.02, 0.05, 0.74, 0.01,
                                                    0.08, 0.03, 0.03, 0.00, 0.01};

static void report_progress(Run *run, double frame_fraction, bool is_finished) {
    AqmProgress *p = &run->progress;
    const size_t ended = p->frames_done + p->frames_skipped + p->frames_failed;
    const size_t made = p->frames_done + p->frames_failed;
    const double now = aqm_now_s();
    p->fraction =
        p->frames_total ? ((double)ended + frame_fraction) / (double)p->frames_total : 1.0;
    p->elapsed_s = now - run->start_s;
    p->frame_finished = is_finished;
    const double part = (double)made + frame_fraction;
    const double worked = run->worked_s + (is_finished ? 0.0 : now - run->frame_start_s);
    const double left = (double)p->frames_total - (double)ended - frame_fraction;
    p->remaining_s = part > 0.02 ? worked / part * left : (double)NAN;
    if (run->options->progress)
        run->options->progress(run->options->progress_user, p);
}

static bool enter_stage(void *user, AqmStage stage, size_t done, size_t total) {
    Run *run = user;
    double before = 0.0;
    for (int s = 0; s < (int)stage; s++)
        before += stage_share[s];
    before += stage_share[stage] * (double)done / (double)(total ? total : 1);
    run->progress.stage = aqm_stage_name(stage);
    report_progress(run, before, false);
    return is_cancelled(run);
}

/* ---- before the first frame ------------------------------------------------------------------ */

static AqmStatus check_device(Run *run, AqmDiag *diag) {
    if (run->config->runtime.device != AQM_DEVICE_CUDA)
        return AQM_OK;
    if (run->options->require_device)
        return aqm_fail(diag, AQM_ERROR_DEVICE,
                        "device cuda: this build has no CUDA backend; leave "
                        "--device out, or give --device cpu");
    aqm_log(&run->log, AQM_LOG_WARNING,
            "runtime.device is cuda, but this build has no CUDA backend: running on the CPU");
    return AQM_OK;
}

/* A program may ask for anything; the command line and the configuration have checked before. */
static AqmStatus check_choice(int start, int step, const AqmRunOptions *o, AqmDiag *diag) {
    if (start < 0 || step < 1)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "frames from %d in steps of %d: must be 0 or more and 1 or more", start,
                        step);
    if (o->shard_count < 0 ||
        (o->shard_count > 0 && (o->shard_index < 1 || o->shard_index > o->shard_count)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "shard %d of %d: must be one of 1..count",
                        o->shard_index, o->shard_count);
    return AQM_OK;
}

static AqmStatus choose_frames(Run *run, AqmDiag *diag) {
    const AqmRunOptions *o = run->options;
    const bool own = o->has_frames;
    const int start = own ? o->frame_start : run->config->preprocessing.frame_start;
    const int stop = own ? o->frame_stop : run->config->preprocessing.frame_stop;
    const int step = own ? o->frame_step : run->config->preprocessing.frame_step;
    AQM_TRY(check_choice(start, step, o, diag));
    const size_t exist = run->inputs->frame_count;
    const size_t end = stop < 0 || (size_t)stop > exist ? exist : (size_t)stop;
    run->frames = aqm_alloc(exist + 1, sizeof *run->frames);
    if (!run->frames)
        return aqm_fail_memory(diag, "the list of frames", exist, sizeof *run->frames);
    size_t wanted = 0;
    for (size_t f = (size_t)start; f < end; f += (size_t)step, wanted++)
        if (o->shard_count == 0 || wanted % (size_t)o->shard_count == (size_t)o->shard_index - 1)
            run->frames[run->frame_count++] = (int)f;
    if (wanted == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "no frame to do: the input has frames 0..%zu, asked for are %d:%s%.0d:%d",
                        exist ? exist - 1 : 0, start, stop < 0 ? "end" : "", stop < 0 ? 0 : stop,
                        step);
    return AQM_OK;
}

static AqmStatus write_matrices(const Run *run, AqmDiag *diag) {
    json_t *root = json_object();
    int error = root == NULL;
    for (size_t c = 0; c < run->inputs->camera_count; c++) {
        const AqmInput *input = &run->inputs->cameras[c];
        const double *K = input->K_new;
        error |= json_object_set_new(root, input->camera->name,
                                     json_pack("[[f,f,f],[f,f,f],[f,f,f]]", K[0], K[1], K[2], K[3],
                                               K[4], K[5], K[6], K[7], K[8]));
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/undistorted_K.json", run->config->output_dir);
    char *text = error ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    if (!text)
        return aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: writing %s", path);
    const AqmStatus status = aqm_text_write(path, text, diag);
    free(text);
    return status;
}

static AqmStatus write_configuration(const Run *run, AqmDiag *diag) {
    char *text = NULL, path[PATH_MAX];
    AQM_TRY(aqm_config_to_yaml(run->config, run->config->output_dir, &text, diag));
    snprintf(path, sizeof path, "%s/config.yaml", run->config->output_dir);
    const AqmStatus status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    return status;
}

/* Shards share everything but the record: each writes its own. */
static AqmStatus open_record(Run *run, AqmDiag *diag) {
    char path[PATH_MAX];
    if (run->options->shard_count > 1)
        snprintf(path, sizeof path, "%s/run_%d_of_%d.json", run->config->output_dir,
                 run->options->shard_index, run->options->shard_count);
    else
        snprintf(path, sizeof path, "%s/run.json", run->config->output_dir);
    AQM_TRY(aqm_run_record_create(&run->record, path, run->config, diag));
    for (const char *line = run->early_warnings; *line;) {
        char message[sizeof run->early_warnings];
        const size_t length = strcspn(line, "\n");
        memcpy(message, line, length);
        message[length] = '\0';
        AQM_TRY(aqm_run_record_warn(run->record, message, diag));
        line += length + (line[length] == '\n');
    }
    return aqm_run_record_write(run->record, "running", 0.0, diag);
}

static AqmStatus prepare(Run *run, AqmDiag *diag) {
    AQM_TRY(aqm_config_check_supported(run->config, &run->log, diag));
    AQM_TRY(check_device(run, diag));
    AQM_TRY(aqm_inputs_open(&run->inputs, run->config, &run->log, diag));
    AQM_TRY(choose_frames(run, diag));
    AQM_TRY(aqm_configuration_digest(run->config, run->digest, diag));
    AQM_TRY(aqm_make_folders(run->config->output_dir, diag));
    AQM_TRY(write_configuration(run, diag));
    AQM_TRY(write_matrices(run, diag));
    return open_record(run, diag);
}

/* ---- a frame --------------------------------------------------------------------------------- */

static AqmStatus make_frame(Run *run, const AqmFrameJob *job, AqmFrameReport *report,
                            AqmDiag *diag) {
    AQM_TRY(aqm_make_folders(job->folder, diag));
    aqm_remove_temporaries(job->folder);
    char mark[PATH_MAX];
    snprintf(mark, sizeof mark, "%s/frame.json", job->folder);
    (void)unlink(mark); /* --force: not done until it is again */
    AQM_TRY(aqm_frame_make(job, report, diag));
    return aqm_frame_json_write(job, report, run->digest, diag);
}

/* Is the frame finished, and to be left alone? */
static bool skip_frame(Run *run, const AqmFrameJob *job) {
    char digest[17];
    if (run->options->force || !aqm_frame_json_read(job->folder, digest))
        return false;
    if (strcmp(digest, run->digest) != 0)
        aqm_log(&run->log, AQM_LOG_WARNING,
                "frame %d is finished, but was made with another configuration; --force redoes it",
                job->frame);
    return true;
}

/* Counts and records a frame that was made or failed. */
static AqmStatus end_frame(Run *run, const AqmFrameJob *job, const AqmFrameReport *report,
                           AqmStatus status, const char *reason, AqmDiag *diag) {
    const bool is_done = status == AQM_OK;
    if (is_done)
        run->progress.frames_done++;
    else
        run->progress.frames_failed++;
    if (!is_done)
        aqm_log(&run->options->log, AQM_LOG_WARNING, "frame %d failed: %s", job->frame, reason);
    AQM_TRY(aqm_run_record_add(run->record, job, is_done ? AQM_FRAME_DONE : AQM_FRAME_FAILED,
                               report, reason, diag));
    AqmDiag full = {0};
    if (aqm_run_record_write(run->record, "running", aqm_now_s() - run->start_s, &full) != AQM_OK)
        aqm_log(&run->options->log, AQM_LOG_WARNING, "%s", full.message);
    return AQM_OK;
}

/* Makes or skips one frame; INTERRUPTED and errors of the record are the only ones it returns. */
static AqmStatus do_frame(Run *run, int number, AqmFrameReport *report, AqmDiag *diag) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/frame_%06d", run->config->output_dir, number);
    const AqmFrameJob job = {run->config,        run->inputs, number, folder,
                             &run->options->log, enter_stage, run};
    run->progress.frame = number;
    run->frame_start_s = aqm_now_s();
    if (skip_frame(run, &job)) {
        run->progress.frames_skipped++;
        return aqm_run_record_add(run->record, &job, AQM_FRAME_SKIPPED, report, NULL, diag);
    }
    AqmDiag why = {0};
    const AqmStatus status = make_frame(run, &job, report, &why);
    run->worked_s += aqm_now_s() - run->frame_start_s;
    if (status == AQM_ERROR_INTERRUPTED)
        return aqm_fail(diag, status, "frame %d: %s", number, why.message);
    AQM_TRY(end_frame(run, &job, report, status, why.message, diag));
    report_progress(run, 0.0, true);
    return AQM_OK;
}

static AqmStatus do_frames(Run *run, AqmDiag *diag) {
    AqmDepthRange *ranges = aqm_alloc(run->inputs->camera_count, sizeof *ranges);
    AqmFrameReport *report = aqm_alloc(1, sizeof *report);
    AqmStatus status =
        ranges && report ? AQM_OK : aqm_fail_memory(diag, "a frame", 1, sizeof *report);
    for (size_t k = 0; k < run->frame_count && status == AQM_OK; k++) {
        *report = (AqmFrameReport){.ranges = ranges};
        for (size_t c = 0; c < run->inputs->camera_count; c++)
            ranges[c] = (AqmDepthRange){(double)NAN, (double)NAN};
        status = is_cancelled(run) ? aqm_fail(diag, AQM_ERROR_INTERRUPTED,
                                              "interrupted before frame %d", run->frames[k])
                                   : do_frame(run, run->frames[k], report, diag);
    }
    aqm_free(ranges);
    aqm_free(report);
    return status;
}

AqmStatus aqm_run(const AqmConfig *config, const AqmRunOptions *options, AqmRunResult *result,
                  AqmDiag *diag) {
    Run run = {.config = config, .options = options, .start_s = aqm_now_s()};
    run.log = (AqmLog){keep_warning, &run};
    run.progress.frame = -1;
    run.progress.stage = "";
    AqmStatus status = prepare(&run, diag);
    run.progress.frames_total = run.frame_count;
    if (status == AQM_OK) {
        if (options->shard_count <= 1)
            aqm_remove_temporaries(config->output_dir);
        status = do_frames(&run, diag);
        AqmDiag full = {0};
        const char *state = status == AQM_OK                  ? "done"
                            : status == AQM_ERROR_INTERRUPTED ? "interrupted"
                                                              : "failed";
        if (aqm_run_record_write(run.record, state, aqm_now_s() - run.start_s, &full) != AQM_OK)
            aqm_log(&options->log, AQM_LOG_WARNING, "%s", full.message);
    }
    if (run.progress.frames_skipped > 0)
        aqm_log(&options->log, AQM_LOG_INFO, "%zu frames were finished before and are skipped",
                run.progress.frames_skipped);
    *result = (AqmRunResult){
        .frames_total = run.frame_count,
        .frames_done = run.progress.frames_done,
        .frames_skipped = run.progress.frames_skipped,
        .frames_failed = run.progress.frames_failed,
        .elapsed_s = aqm_now_s() - run.start_s,
    };
    aqm_run_record_destroy(&run.record);
    aqm_inputs_close(&run.inputs);
    aqm_free(run.frames);
    return status;
}
