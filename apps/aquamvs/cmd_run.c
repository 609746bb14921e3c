/* aquamvs run: reads the configuration, runs it, shows how far it is. */
#include <aquamvs/pipeline.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "frame_slice.h"
#include "interruption.h"

/* ---- progress ----------------------------------------------------------------------------------
 */

typedef struct Display {
    CliLog *log;
    bool on_terminal;
    size_t failed; /* frames reported so far */
    bool skipped_is_told;
} Display;

static void format_time(double seconds, char text[32]) {
    if (!isfinite(seconds))
        snprintf(text, 32, "?");
    else if (seconds < 90)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(text, 32, "%.0f min", seconds / 60);
    else
        snprintf(text, 32, "%.1f h", seconds / 3600);
}

/* "2.1 s a frame, 9 min left" */
static void format_pace(const AqmProgress *progress, char text[96]) {
    const size_t worked = progress->frames_done + progress->frames_failed;
    char left[32];
    format_time(progress->remaining_s, left);
    if (worked > 0)
        snprintf(text, 96, "%.2f s a frame, %s left", progress->elapsed_s / (double)worked, left);
    else
        snprintf(text, 96, "%s left", left);
}

/* Says once how many frames there is nothing to do for; -v has that from the run itself. */
static void tell_skipped(Display *display, size_t count) {
    if (count > 0 && !display->skipped_is_told && display->log->verbosity == 0) {
        cli_clear_line(display->log);
        fprintf(stderr, "%zu %s finished before and %s skipped\n", count,
                count == 1 ? "frame was" : "frames were", count == 1 ? "is" : "are");
    }
    display->skipped_is_told = true;
}

static void show_progress(void *user, const AqmProgress *progress) {
    Display *display = user;
    tell_skipped(display, progress->frames_skipped);
    const size_t ended = progress->frames_done + progress->frames_skipped + progress->frames_failed;
    char pace[96];
    format_pace(progress, pace);
    if (display->on_terminal) {
        fprintf(stderr, "\r\033[K[%zu/%zu] frame %d: %s, %.0f %%, %s", ended,
                progress->frames_total, progress->frame, progress->stage, 100 * progress->fraction,
                pace);
        fflush(stderr);
        display->log->line_open = true;
    } else if (progress->frame_finished) {
        const char *end = progress->frames_failed > display->failed ? "failed" : "done";
        fprintf(stderr, "frame %d %s, %zu of %zu, %s\n", progress->frame, end, ended,
                progress->frames_total, pace);
    }
    display->failed = progress->frames_failed;
}

/* ---- arguments ---------------------------------------------------------------------------------
 */

typedef struct RunArguments {
    const char *config, *frames, *shard, *device;
    int threads; /* -1 = as configured */
    bool force, quiet;
    int verbosity;
    CliList set;
} RunArguments;

static void print_keys(void) {
    printf("\nkeys of CONFIG, for --set too (key, type, limits, default):\n");
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOptionInfo *option = aqm_option_info(i);
        char name[96], limits[96];
        snprintf(name, sizeof name, "%s%s%s", option->section, *option->section ? "." : "",
                 option->key);
        snprintf(limits, sizeof limits, "%s%s%s%s%s", option->type, *option->range ? " " : "",
                 option->range, *option->unit ? " " : "", option->unit);
        printf("  %-40s %s; %s\n      %s\n", name, limits,
               *option->default_value ? option->default_value : "must be given", option->help);
    }
}

static int parse_arguments(int argc, char **argv, RunArguments *a) {
    const CliOption options[] = {
        {0, "frames", "START:STOP:STEP", CLI_TEXT, &a->frames, 0, 0,
         "frames to do, as a slice: 5, 5:10, ::10 (default: as configured)"},
        {0, "threads", "N", CLI_INT, &a->threads, 0, 1024,
         "threads, 0 = all cores (default: as configured)"},
        {0, "device", "cpu|cuda|auto", CLI_TEXT, &a->device, 0, 0,
         "cuda: an error where there is none (default: as configured)"},
        {0, "shard", "K/N", CLI_TEXT, &a->shard, 0, 0,
         "only the K-th of N parts of the frames, K from 1 (default: 1/1)"},
        {0, "force", NULL, CLI_FLAG, &a->force, 0, 0, "redo finished frames (default: skip them)"},
        {0, "set", "KEY=VALUE", CLI_LIST, &a->set, 0, 0,
         "replace a key of CONFIG, such as reconstruction.num_depths=64; repeatable"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0,
         "no progress, only warnings (default: off)"},
        {'v', "verbose", NULL, CLI_COUNT, &a->verbosity, 0, 0, "say more (default: off)"},
    };
    const CliVerb verb = {
        .name = "run",
        .arguments = "CONFIG [OPTIONS]",
        .summary = "Reconstructs every frame of CONFIG. Finished frames are kept: a run that was "
                   "stopped goes on where it was.\nExit status: 0 done, 1 some frames failed (see "
                   "run.json), 2 wrong input, nothing started, 130 interrupted.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->config,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "CONFIG",
        .epilogue = print_keys,
    };
    return cli_parse(&verb, argc, argv);
}

static bool parse_frames(const char *text, AqmRunOptions *options) {
    options->has_frames = true;
    return parse_frame_slice(text, &options->frame_start, &options->frame_stop,
                             &options->frame_step);
}

static bool parse_shard(const char *text, AqmRunOptions *options) {
    int used = 0;
    return sscanf(text, "%9d/%9d%n", &options->shard_index, &options->shard_count, &used) == 2 &&
           text[used] == '\0' && options->shard_index >= 1 &&
           options->shard_index <= options->shard_count;
}

static int fill_options(const RunArguments *a, AqmRunOptions *options) {
    options->force = a->force;
    if (a->frames && (!*a->frames || !parse_frames(a->frames, options)))
        return cli_fail("run", "--frames: '%s' is no slice START:STOP:STEP of frames", a->frames);
    if (a->shard && !parse_shard(a->shard, options))
        return cli_fail("run", "--shard: '%s' is not K/N with K in 1..N", a->shard);
    if (a->device && strcmp(a->device, "cpu") != 0 && strcmp(a->device, "cuda") != 0 &&
        strcmp(a->device, "auto") != 0)
        return cli_fail("run", "--device: '%s' is none of cpu, cuda, auto", a->device);
    options->require_device = a->device && strcmp(a->device, "cuda") == 0;
    return CLI_NEXT;
}

/* The options that are keys of the configuration, as overrides after those of --set. */
typedef struct Overrides {
    const char *items[CLI_LIST_MAX + 2];
    size_t count;
    char threads[32], device[32];
} Overrides;

static void collect_overrides(const RunArguments *a, Overrides *o) {
    for (size_t i = 0; i < a->set.count; i++)
        o->items[o->count++] = a->set.items[i];
    if (a->threads >= 0) {
        snprintf(o->threads, sizeof o->threads, "runtime.threads=%d", a->threads);
        o->items[o->count++] = o->threads;
    }
    if (a->device) {
        snprintf(o->device, sizeof o->device, "runtime.device=%s", a->device);
        o->items[o->count++] = o->device;
    }
}

/* ---- the run -----------------------------------------------------------------------------------
 */

static int run(const AqmConfig *config, AqmRunOptions *options, CliLog *log, bool quiet) {
    Display display = {.log = log, .on_terminal = isatty(STDERR_FILENO) != 0};
    if (!quiet) {
        options->progress = show_progress;
        options->progress_user = &display;
    }
    options->cancel = catch_interruption();
    AqmRunResult result = {0};
    AqmDiag diag = {0};
    const AqmStatus status = aqm_run(config, options, &result, &diag);
    cli_clear_line(log);
    if (!quiet)
        tell_skipped(&display, result.frames_skipped);
    if (status != AQM_OK)
        return cli_fail_diag("run", &diag);
    if (!quiet || result.frames_failed > 0)
        fprintf(stderr, "%zu frames: %zu done, %zu finished before, %zu failed; %.1f s; %s\n",
                result.frames_total, result.frames_done, result.frames_skipped,
                result.frames_failed, result.elapsed_s, config->output_dir);
    if (result.frames_failed > 0)
        fprintf(stderr, "what failed, and why, is in %s\n", result.record);
    return result.frames_failed > 0 ? CLI_SOME_FAILED : CLI_DONE;
}

int aqm_cmd_run(int argc, char **argv) {
    RunArguments a = {.threads = -1};
    AqmRunOptions options = {0};
    Overrides overrides = {.count = 0};
    int status = parse_arguments(argc, argv, &a);
    if (status == CLI_NEXT)
        status = fill_options(&a, &options);
    if (status != CLI_NEXT)
        return status;
    collect_overrides(&a, &overrides);
    CliLog log = {.verbosity = a.quiet ? 0 : a.verbosity};
    options.log = cli_log(&log);
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    if (aqm_config_read(a.config, overrides.items, overrides.count, &options.log, &config, &diag))
        return cli_fail_diag("run", &diag);
    const bool quiet = a.quiet || config->runtime.quiet;
    log.verbosity = quiet ? 0 : a.verbosity;
    status = run(config, &options, &log, quiet);
    aqm_config_destroy(&config);
    return status;
}
