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
#include <sys/stat.h>

#include "aquamvs/pipeline.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "config/supported.h"
#include "io/atomic_file.h"
#include "io/file_read.h"
#include "pipeline/input_digest.h"
#include "pipeline/models.h"
#include "pipeline/run_frame.h"
#include "pipeline/run_record.h"

typedef struct Run {
    const AqmConfig *config;
    const AqmRunOptions *options;
    AqmInputs *inputs;
    AqmModels *models; /* NULL: none are needed */
    AqmRunRecord *record;
    AqmFolderLock lock;
    AqmFrameChoice choice;
    char configuration[17]; /* digest of the keys */
    AqmInputDigest input;
    int *frames;       /* those wanted, in order */
    bool *is_finished; /* of these: to be skipped */
    size_t frame_count;
    char record_path[PATH_MAX];
    AqmLog log; /* passes on, and keeps warnings of the run as a whole */
    char early_warnings[4096];
    AqmProgress progress;
    double start_s, worked_s; /* when the run began; time spent on frames that were made */
    double frame_start_s;
    double share[AQM_STAGE_COUNT];   /* of a frame's time, about; they add up to 1 */
    double stage_s[AQM_STAGE_COUNT]; /* time spent on frames that were made */
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

/* The stages' shares of a frame's time as they are once frames have been made; before that as they
 * usually are (five cameras of 800 x 600 px on two cores, and pictures). */
static void set_shares(Run *run) {
    static const double usual[AQM_STAGE_COUNT] = {
        [AQM_STAGE_READ] = 0.01,           [AQM_STAGE_NORMALIZE] = 0.01,
        [AQM_STAGE_UNDISTORT] = 0.01,      [AQM_STAGE_FEATURES] = 0.05,
        [AQM_STAGE_MATCHING] = 0.05,       [AQM_STAGE_TRIANGULATION] = 0.01,
        [AQM_STAGE_RANGES] = 0.01,         [AQM_STAGE_STEREO] = 0.70,
        [AQM_STAGE_WRITE] = 0.005,         [AQM_STAGE_FUSION] = 0.06,
        [AQM_STAGE_DEPTH_PICTURES] = 0.02, [AQM_STAGE_OUTLIERS] = 0.06,
        [AQM_STAGE_SURFACE] = 0.08,        [AQM_STAGE_PICTURES] = 0.02};
    double total = 0.0;
    for (int s = 0; s < AQM_STAGE_COUNT; s++) {
        const bool is_wanted = aqm_stage_is_wanted(run->config, (AqmStage)s);
        run->share[s] = run->progress.frames_done > 0 ? run->stage_s[s] : is_wanted * usual[s];
        if (s == AQM_STAGE_RANGES && run->config->reconstruction.has_depth_range)
            run->share[s] = 0.0; /* nothing is sought */
        total += run->share[s];
    }
    for (int s = 0; s < AQM_STAGE_COUNT && total > 0.0; s++)
        run->share[s] /= total;
}

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
        before += run->share[s];
    before += run->share[stage] * (double)done / (double)(total ? total : 1);
    run->progress.stage = aqm_stage_name(stage);
    report_progress(run, before, false);
    return is_cancelled(run);
}

/* ---- before the first frame ------------------------------------------------------------------ */

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

static AqmFrameChoice asked_for(const AqmConfig *config, const AqmRunOptions *o) {
    const bool own = o->has_frames;
    return (AqmFrameChoice){
        .start = own ? o->frame_start : config->preprocessing.frame_start,
        .stop = own ? o->frame_stop : config->preprocessing.frame_stop,
        .step = own ? o->frame_step : config->preprocessing.frame_step,
        .shard_index = o->shard_index,
        .shard_count = o->shard_count,
        .force = o->force,
    };
}

static AqmStatus choose_frames(Run *run, AqmDiag *diag) {
    const AqmRunOptions *o = run->options;
    const int start = run->choice.start, stop = run->choice.stop, step = run->choice.step;
    AQM_TRY(check_choice(start, step, o, diag));
    const size_t exist = run->inputs->frame_count;
    const size_t end = stop < 0 || (size_t)stop > exist ? exist : (size_t)stop;
    run->frames = aqm_alloc(exist + 1, sizeof *run->frames);
    run->is_finished = aqm_calloc(exist + 1, sizeof *run->is_finished);
    if (!run->frames || !run->is_finished)
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

/* The text of {output_dir}/config.yaml, freed with aqm_free_buffer, and its path. */
static AqmStatus format_configuration(const Run *run, char path[PATH_MAX], char **text,
                                      AqmDiag *diag) {
    snprintf(path, PATH_MAX, "%s/config.yaml", run->config->output_dir);
    return aqm_config_to_yaml(run->config, run->config->output_dir, text, diag);
}

static AqmStatus write_configuration(const Run *run, AqmDiag *diag) {
    char *text = NULL, path[PATH_MAX];
    AQM_TRY(format_configuration(run, path, &text, diag));
    const AqmStatus status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    return status;
}

/* The configuration that is read must not be written over, unless it is one that an earlier run
 * wrote and that would come out the same. */
static AqmStatus spare_configuration(const Run *run, AqmDiag *diag) {
    char *text = NULL, path[PATH_MAX];
    unsigned char *now = NULL;
    size_t size = 0;
    struct stat read, written;
    AQM_TRY(format_configuration(run, path, &text, diag));
    AqmStatus status = AQM_OK;
    if (run->config->path && stat(run->config->path, &read) == 0 && stat(path, &written) == 0 &&
        read.st_dev == written.st_dev && read.st_ino == written.st_ino) {
        status = aqm_file_read(path, &now, &size, diag);
        if (status == AQM_OK && (size != strlen(text) || memcmp(now, text, size) != 0))
            status = aqm_fail(diag, AQM_ERROR_CONFIG,
                              "output_dir: the run would overwrite %s, which is the configuration "
                              "it was given: set output_dir to another folder, or rename the file",
                              run->config->path);
        aqm_free(now);
    }
    aqm_free_buffer(text);
    return status;
}

/* Shards share everything but the record: each writes its own. */
static void name_record(Run *run) {
    const AqmRunOptions *o = run->options;
    if (o->shard_count > 1)
        snprintf(run->record_path, sizeof run->record_path, "%s/run_%d_of_%d.json",
                 run->config->output_dir, o->shard_index, o->shard_count);
    else
        snprintf(run->record_path, sizeof run->record_path, "%s/run.json", run->config->output_dir);
}

static AqmStatus open_record(Run *run, AqmDiag *diag) {
    AQM_TRY(aqm_run_record_create(&run->record, run->record_path, run->config, &run->choice, diag));
    for (const char *line = run->early_warnings; *line;) {
        char message[sizeof run->early_warnings];
        const size_t length = strcspn(line, "\n");
        memcpy(message, line, length);
        message[length] = '\0';
        AQM_TRY(aqm_run_record_warn(run->record, message, diag));
        line += length + (line[length] == '\n');
    }
    for (size_t k = 0; k < run->frame_count; k++)
        if (run->is_finished[k]) {
            const AqmFrameJob job = {.frame = run->frames[k]};
            AQM_TRY(aqm_run_record_add(run->record, &job, AQM_FRAME_SKIPPED, NULL, NULL, diag));
        }
    return aqm_run_record_write(run->record, "running", 0.0, diag);
}

/* The folder, for this run alone; shards share it. */
static AqmStatus take_folder(Run *run, AqmDiag *diag) {
    const char *folder = run->config->output_dir;
    const bool is_shard = run->options->shard_count > 1;
    AQM_TRY(aqm_make_folders(folder, diag));
    AQM_TRY(aqm_folder_lock(folder, !is_shard, &run->lock, diag));
    if (!is_shard && run->lock.is_held)
        aqm_remove_temporaries(folder);
    return AQM_OK;
}

static void frame_folder(const Run *run, int frame, char folder[PATH_MAX]) {
    snprintf(folder, PATH_MAX, "%s/frame_%06d", run->config->output_dir, frame);
}

static AqmStatus check_cancel(const Run *run, int frame, AqmDiag *diag) {
    return is_cancelled(run)
               ? aqm_fail(diag, AQM_ERROR_INTERRUPTED, "interrupted before frame %d", frame)
               : AQM_OK;
}

static void tell_stale(Run *run, size_t count, const char *made) {
    if (count > 0)
        aqm_log(&run->log, AQM_LOG_WARNING,
                "%zu finished %s skipped though made %s; --force redoes %s", count,
                count == 1 ? "frame is" : "frames are", made, count == 1 ? "it" : "them");
}

/* Finds the frames that are finished, and tells if they were made of or with something else. */
static AqmStatus find_finished(Run *run, AqmDiag *diag) {
    size_t other_input = 0, other_configuration = 0, finished = 0;
    for (size_t k = 0; k < run->frame_count && !run->options->force; k++) {
        char folder[PATH_MAX], inputs[17];
        AqmFrameOrigin origin;
        AQM_TRY(check_cancel(run, run->frames[k], diag));
        frame_folder(run, run->frames[k], folder);
        if (!aqm_frame_json_read(folder, &origin))
            continue;
        aqm_input_digest_frame(&run->input, run->inputs, run->frames[k], inputs);
        other_input += strcmp(origin.inputs, inputs) != 0;
        other_configuration += strcmp(origin.configuration, run->configuration) != 0;
        run->is_finished[k] = true;
        finished++;
    }
    tell_stale(run, other_input, "from other input (images, masks or calibration)");
    tell_stale(run, other_configuration, "with another configuration");
    if (finished > 0)
        aqm_log(&run->options->log, AQM_LOG_INFO, "%zu %s finished before and %s skipped", finished,
                finished == 1 ? "frame was" : "frames were", finished == 1 ? "is" : "are");
    run->progress.frames_skipped = finished;
    return AQM_OK;
}

/* What describes the run, if there is anything to describe: a run that makes no frame leaves the
 * folder as it was, but for a record that does not say yet that all is done. */
static AqmStatus describe(Run *run, AqmDiag *diag) {
    name_record(run);
    if (run->progress.frames_skipped == run->frame_count)
        return aqm_run_record_is_done(run->record_path) ? AQM_OK : open_record(run, diag);
    AQM_TRY(write_configuration(run, diag));
    AQM_TRY(write_matrices(run, diag));
    return open_record(run, diag);
}

static AqmStatus prepare(Run *run, AqmDiag *diag) {
    aqm_config_warn_unsupported(run->config, &run->log);
    AQM_TRY(aqm_run_check_device(run->config, run->options->require_device, &run->log, diag));
    AQM_TRY(aqm_models_open(&run->models, run->config, diag));
    AQM_TRY(spare_configuration(run, diag));
    AQM_TRY(aqm_inputs_open(&run->inputs, run->config, &run->log, diag));
    AQM_TRY(choose_frames(run, diag));
    run->progress.frames_total = run->frame_count;
    AQM_TRY(check_cancel(run, run->frame_count ? run->frames[0] : 0, diag));
    AQM_TRY(aqm_configuration_digest(run->config, run->configuration, diag));
    AQM_TRY(aqm_input_digest_create(&run->input, run->config, run->inputs, diag));
    AQM_TRY(take_folder(run, diag));
    AQM_TRY(find_finished(run, diag));
    return describe(run, diag);
}

/* ---- a frame --------------------------------------------------------------------------------- */

/* The time of a frame that was made, stage by stage: what the next ones will take. */
static void learn_shares(Run *run, const AqmFrameReport *report) {
    for (int s = 0; s < AQM_STAGE_COUNT; s++)
        run->stage_s[s] += report->spans[s].wall_s;
    set_shares(run);
}

/* Counts and records a frame that was made or failed. */
static AqmStatus end_frame(Run *run, const AqmFrameJob *job, const AqmFrameReport *report,
                           AqmStatus status, const char *reason, AqmDiag *diag) {
    const bool is_done = status == AQM_OK;
    AqmFrameOrigin earlier;
    if (is_done) {
        run->progress.frames_done++;
        learn_shares(run, report);
    } else {
        run->progress.frames_failed++;
        aqm_log(&run->options->log, AQM_LOG_WARNING, "frame %d failed: %s%s", job->frame, reason,
                aqm_frame_json_read(job->folder, &earlier)
                    ? "; what an earlier run made of it is kept"
                    : "");
    }
    AQM_TRY(aqm_run_record_add(run->record, job, is_done ? AQM_FRAME_DONE : AQM_FRAME_FAILED,
                               report, reason, diag));
    AqmDiag full = {0};
    if (aqm_run_record_write(run->record, "running", aqm_now_s() - run->start_s, &full) != AQM_OK)
        aqm_log(&run->options->log, AQM_LOG_WARNING, "%s", full.message);
    return AQM_OK;
}

/* Makes one frame; INTERRUPTED and errors of the record are the only ones it returns. */
static AqmStatus do_frame(Run *run, int number, AqmFrameReport *report, AqmDiag *diag) {
    char folder[PATH_MAX];
    frame_folder(run, number, folder);
    const AqmFrameJob job = {run->config, run->inputs,        run->models, number,
                             folder,      &run->options->log, enter_stage, run};
    run->progress.frame = number;
    run->frame_start_s = aqm_now_s();
    AqmDiag why = {0};
    const AqmStatus status = aqm_run_frame(&job, run->configuration, &run->input, report, &why);
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
        if (run->is_finished[k])
            continue;
        *report = (AqmFrameReport){.ranges = ranges};
        for (size_t c = 0; c < run->inputs->camera_count; c++)
            ranges[c] = (AqmDepthRange){.min_m = (double)NAN, .max_m = (double)NAN};
        status = check_cancel(run, run->frames[k], diag);
        if (status == AQM_OK)
            status = do_frame(run, run->frames[k], report, diag);
    }
    aqm_free(ranges);
    aqm_free(report);
    return status;
}

/* The frames, and how it ended for the record; there is none where no frame is to be made. */
static AqmStatus carry_out(Run *run, AqmDiag *diag) {
    if (!run->record)
        return AQM_OK;
    set_shares(run);
    const AqmStatus status = do_frames(run, diag);
    const char *state = status == AQM_OK                  ? "done"
                        : status == AQM_ERROR_INTERRUPTED ? "interrupted"
                                                          : "failed";
    AqmDiag full = {0};
    if (aqm_run_record_write(run->record, state, aqm_now_s() - run->start_s, &full) != AQM_OK)
        aqm_log(&run->options->log, AQM_LOG_WARNING, "%s", full.message);
    return status;
}

AqmStatus aqm_run(const AqmConfig *config, const AqmRunOptions *options, AqmRunResult *result,
                  AqmDiag *diag) {
    Run run = {.config = config,
               .options = options,
               .choice = asked_for(config, options),
               .lock = AQM_FOLDER_UNLOCKED,
               .start_s = aqm_now_s()};
    run.log = (AqmLog){keep_warning, &run};
    run.progress.frame = -1;
    run.progress.stage = "";
    AqmStatus status = prepare(&run, diag);
    if (status == AQM_OK)
        status = carry_out(&run, diag);
    *result = (AqmRunResult){
        .frames_total = run.frame_count,
        .frames_done = run.progress.frames_done,
        .frames_skipped = run.progress.frames_skipped,
        .frames_failed = run.progress.frames_failed,
        .elapsed_s = aqm_now_s() - run.start_s,
    };
    snprintf(result->record, sizeof result->record, "%s", run.record_path);
    aqm_run_record_destroy(&run.record);
    aqm_input_digest_destroy(&run.input);
    aqm_models_close(&run.models);
    aqm_inputs_close(&run.inputs);
    aqm_folder_unlock(&run.lock);
    aqm_free(run.frames);
    aqm_free(run.is_finished);
    return status;
}
