/* aquamvs init: from a folder of videos or image folders and a calibration to a config.yaml. */
#include <aquamvs/io.h>
#include <aquamvs/pipeline.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"

typedef struct InitArguments {
    const char *input_dir, *pattern, *calibration, *output_dir, *config, *preset;
    bool force;
} InitArguments;

static int parse_arguments(int argc, char **argv, InitArguments *a) {
    const CliOption options[] = {
        {0, "input-dir", "D", CLI_TEXT, &a->input_dir, 0, 0,
         "folder with a video or an image folder per camera (must be given)"},
        {0, "pattern", "REGEX", CLI_TEXT, &a->pattern, 0, 0,
         "POSIX extended regular expression for the names in D; its first group is the camera, "
         "such as '^([^_]+)_.*\\.mp4$' (must be given)"},
        {0, "calibration", "C", CLI_TEXT, &a->calibration, 0, 0,
         "calibration.json of AquaCal (must be given)"},
        {0, "output-dir", "O", CLI_TEXT, &a->output_dir, 0, 0,
         "folder for the results of the run (must be given)"},
        {0, "config", "F", CLI_TEXT, &a->config, 0, 0,
         "the configuration to write (default: config.yaml)"},
        {0, "preset", "fast|balanced|quality", CLI_TEXT, &a->preset, 0, 0,
         "write the numbers of a preset (default: balanced)"},
        {0, "force", NULL, CLI_FLAG, &a->force, 0, 0,
         "write over F if it is there (default: refuse)"},
    };
    const CliVerb verb = {
        .name = "init",
        .arguments = "--input-dir D --pattern REGEX --calibration C --output-dir O [OPTIONS]",
        .summary = "Finds the cameras' videos or image folders, compares them with the "
                   "calibration, and writes a\nconfiguration with every key and its value.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    return cli_parse(&verb, argc, argv);
}

static int check_arguments(const InitArguments *a, AqmPreset *preset) {
    const struct {
        const char *name, *value;
    } needed[] = {{"input-dir", a->input_dir},
                  {"pattern", a->pattern},
                  {"calibration", a->calibration},
                  {"output-dir", a->output_dir}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!needed[i].value)
            return cli_fail("init", "--%s is missing; see aquamvs init --help", needed[i].name);
    static const char *const words[] = {"fast", "balanced", "quality"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(a->preset, words[i]) == 0)
            *preset = (AqmPreset)(AQM_PRESET_FAST + i);
    if (*preset == AQM_PRESET_NONE)
        return cli_fail("init", "--preset: '%s' is none of fast, balanced, quality", a->preset);
    if (!a->force && access(a->config, F_OK) == 0)
        return cli_fail("init", "%s is there already; --force writes over it", a->config);
    return CLI_NEXT;
}

static AqmStatus fill(AqmConfig *config, const InitArguments *a, AqmPreset preset,
                      const AqmLog *log, AqmDiag *diag) {
    AqmStatus status = aqm_config_set(config, "calibration_path", a->calibration, diag);
    if (status == AQM_OK)
        status = aqm_config_set(config, "output_dir", a->output_dir, diag);
    if (status == AQM_OK) {
        aqm_config_apply_preset(config, preset);
        status = aqm_config_discover(config, a->input_dir, a->pattern, log, diag);
    }
    return status;
}

static AqmStatus write_config(const AqmConfig *config, const char *path, AqmDiag *diag) {
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
    char *text = NULL;
    AqmStatus status = aqm_config_to_yaml(config, folder, &text, diag);
    if (status == AQM_OK)
        status = aqm_make_folders(folder, diag);
    if (status == AQM_OK)
        status = aqm_text_write(path, text, diag);
    aqm_free_buffer(text);
    return status;
}

int aqm_cmd_init(int argc, char **argv) {
    InitArguments a = {.config = "config.yaml", .preset = "balanced"};
    AqmPreset preset = AQM_PRESET_NONE;
    int exit_status = parse_arguments(argc, argv, &a);
    if (exit_status == CLI_NEXT)
        exit_status = check_arguments(&a, &preset);
    if (exit_status != CLI_NEXT)
        return exit_status;
    CliLog messages = {0};
    const AqmLog log = cli_log(&messages);
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    AqmStatus status = aqm_config_create(&config, &diag);
    if (status == AQM_OK)
        status = fill(config, &a, preset, &log, &diag);
    if (status == AQM_OK)
        status = write_config(config, a.config, &diag);
    if (status == AQM_OK) {
        for (size_t i = 0; i < config->input_count; i++)
            printf("  %-16s %s\n", config->inputs[i].camera, config->inputs[i].path);
        printf("%zu cameras; wrote %s; next: aquamvs run %s\n", config->input_count, a.config,
               a.config);
    }
    aqm_config_destroy(&config);
    return status == AQM_OK ? CLI_DONE : cli_fail_diag("init", &diag);
}
