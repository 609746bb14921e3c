/* aquamvs export-refs: the undistorted images of one frame, the size and place masks are drawn in.
 */
#include <aquamvs/pipeline.h>

#include <stdio.h>

#include "cli.h"
#include "commands.h"

typedef struct ExportArguments {
    const char *config;
    int frame; /* -1 = the first one configured */
    bool quiet;
    int verbosity;
    CliList set;
} ExportArguments;

static int parse_arguments(int argc, char **argv, ExportArguments *a) {
    const CliOption options[] = {
        {0, "frame", "N", CLI_INT, &a->frame, 0, 1000000000,
         "which frame, from 0 (default: preprocessing.frame_start)"},
        {0, "set", "KEY=VALUE", CLI_LIST, &a->set, 0, 0,
         "replace a key of CONFIG (see aquamvs run --help); repeatable"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0, "only warnings (default: off)"},
        {'v', "verbose", NULL, CLI_COUNT, &a->verbosity, 0, 0, "say more (default: off)"},
    };
    const CliVerb verb = {
        .name = "export-refs",
        .arguments = "CONFIG [OPTIONS]",
        .summary = "Writes the undistorted image of every camera of one frame to\n"
                   "{output_dir}/reference_images/{camera}.png.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->config,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "CONFIG",
    };
    return cli_parse(&verb, argc, argv);
}

int aqm_cmd_export_refs(int argc, char **argv) {
    ExportArguments a = {.frame = -1};
    const int status = parse_arguments(argc, argv, &a);
    if (status != CLI_NEXT)
        return status;
    CliLog messages = {.verbosity = a.quiet ? 0 : a.verbosity};
    const AqmLog log = cli_log(&messages);
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    if (aqm_config_read(a.config, a.set.items, a.set.count, &log, &config, &diag))
        return cli_fail_diag("export-refs", &diag);
    const int frame = a.frame >= 0 ? a.frame : config->preprocessing.frame_start;
    if (aqm_export_references(config, frame, &log, &diag) == AQM_OK && !a.quiet)
        fprintf(stderr, "frame %d: undistorted images in %s/reference_images\n", frame,
                config->output_dir);
    aqm_config_destroy(&config);
    return diag.status == AQM_OK ? CLI_DONE : cli_fail_diag("export-refs", &diag);
}
