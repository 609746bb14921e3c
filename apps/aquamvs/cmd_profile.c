/* aquamvs profile: makes one frame, keeps nothing of it, and tells where the time went. */
#include <aquamvs/profile.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "interruption.h"
#include "profile_table.h"

typedef struct ProfileArguments {
    const char *config, *trace, *json, *work_dir;
    int frame;   /* -1 = the first one configured */
    int threads; /* -1 = as configured */
    bool quiet;
    int verbosity;
    CliList set;
} ProfileArguments;

static int parse_arguments(int argc, char **argv, ProfileArguments *a) {
    const CliOption options[] = {
        {0, "frame", "N", CLI_INT, &a->frame, 0, 1000000000,
         "which frame, from 0 (default: preprocessing.frame_start)"},
        {0, "trace", "F.json", CLI_TEXT, &a->trace, 0, 0,
         "write all scopes as Chrome trace events, for Perfetto (default: none)"},
        {0, "json", "F.json", CLI_TEXT, &a->json, 0, 0,
         "write the profile as JSON too (default: none)"},
        {0, "work-dir", "D", CLI_TEXT, &a->work_dir, 0, 0,
         "where the frame's files go until they are removed (default: beside output_dir)"},
        {0, "threads", "N", CLI_INT, &a->threads, 0, 1024,
         "threads, 0 = all cores (default: as configured)"},
        {0, "set", "KEY=VALUE", CLI_LIST, &a->set, 0, 0,
         "replace a key of CONFIG (see aquamvs run --help); repeatable"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0, "only warnings on stderr (default: off)"},
        {'v', "verbose", NULL, CLI_COUNT, &a->verbosity, 0, 0, "say more (default: off)"},
    };
    const CliVerb verb = {
        .name = "profile",
        .arguments = "CONFIG [OPTIONS]",
        .summary =
            "Makes one frame as a run would, and prints where its time goes: wall and CPU time,\n"
            "memory and bytes of every stage and its parts, and what limits the longest three.\n"
            "The frame's files go to a folder of their own and are removed; output_dir is not "
            "touched.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->config,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "CONFIG",
    };
    return cli_parse(&verb, argc, argv);
}

/* A frame is too long a wait to learn that its profile cannot be written. */
static int check_folder_of(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    char folder[4096] = ".";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return path && access(folder, W_OK) != 0
               ? cli_fail("profile", "--json: cannot write %s: %s", path, strerror(errno))
               : CLI_NEXT;
}

static int read_config(const ProfileArguments *a, const AqmLog *log, AqmConfig **config) {
    const char *overrides[CLI_LIST_MAX + 1];
    size_t count = 0;
    char threads[32];
    AqmDiag diag = {0};
    for (size_t i = 0; i < a->set.count; i++)
        overrides[count++] = a->set.items[i];
    snprintf(threads, sizeof threads, "runtime.threads=%d", a->threads);
    if (a->threads >= 0)
        overrides[count++] = threads;
    if (aqm_config_read(a->config, overrides, count, log, config, &diag) != AQM_OK)
        return cli_fail_diag("profile", &diag);
    return CLI_NEXT;
}

static int profile(const ProfileArguments *a, const AqmConfig *config, const AqmLog *log) {
    const AqmProfileOptions options = {.trace_path = a->trace,
                                       .work_dir = a->work_dir,
                                       .log = *log,
                                       .cancel = catch_interruption()};
    const int frame = a->frame >= 0 ? a->frame : config->preprocessing.frame_start;
    AqmProfile *profile = NULL;
    AqmDiag diag = {0};
    AqmStatus status = aqm_profile(config, frame, &options, &profile, &diag);
    if (status == AQM_OK) {
        profile_table_print(profile);
        if (a->json)
            status = aqm_profile_write_json(a->json, profile, &diag);
    }
    aqm_profile_destroy(&profile);
    if (status != AQM_OK)
        return cli_fail_diag("profile", &diag);
    if (a->trace && !a->quiet)
        fprintf(stderr, "%s: opens in Perfetto (ui.perfetto.dev) and in chrome://tracing\n",
                a->trace);
    return CLI_DONE;
}

int aqm_cmd_profile(int argc, char **argv) {
    ProfileArguments a = {.frame = -1, .threads = -1};
    int status = parse_arguments(argc, argv, &a);
    if (status == CLI_NEXT)
        status = check_folder_of(a.json);
    if (status != CLI_NEXT)
        return status;
    CliLog messages = {.verbosity = a.quiet ? 0 : a.verbosity};
    const AqmLog log = cli_log(&messages);
    AqmConfig *config = NULL;
    status = read_config(&a, &log, &config);
    if (status == CLI_NEXT)
        status = profile(&a, config, &log);
    aqm_config_destroy(&config);
    return status;
}
