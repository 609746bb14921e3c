/* aquamvs info: this build and this machine; and the configuration's keys as a document. */
#include <aquamvs/config.h>
#include <aquamvs/info.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"

static void print_text(const AqmInfo *info) {
    printf("aquamvs %s, commit %s, %s\n", info->version, info->commit, info->compiler);
    printf("processor         %s\n", info->cpu);
    printf("cores             %d\n", info->cores);
    printf("features          %s\n", *info->cpu_features ? info->cpu_features : "none known");
    printf("kernels           %s\n", info->kernels);
    printf("CUDA              %s\n", info->has_cuda ? "yes" : "no");
    printf("matchers          built in: sift, dense; with model files (docs/models.md): lightglue, "
           "roma\n");
    if (*info->onnx_version)
        printf("ONNX Runtime      %s, %s\n", info->onnx_version, info->onnx_path);
    else
        printf("ONNX Runtime      none: %s\n", info->onnx_missing);
}

static void print_json_text(const char *key, const char *text) {
    printf("  \"%s\": \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 32)
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    printf("\",\n");
}

static void print_json(const AqmInfo *info) {
    printf("{\n");
    print_json_text("version", info->version);
    print_json_text("commit", info->commit);
    print_json_text("compiler", info->compiler);
    print_json_text("cpu", info->cpu);
    print_json_text("cpu_features", info->cpu_features);
    print_json_text("kernels", info->kernels);
    print_json_text("onnx_runtime", info->onnx_version);
    print_json_text("onnx_runtime_path", info->onnx_path);
    printf("  \"cores\": %d,\n", info->cores);
    printf("  \"cuda\": %s\n}\n", info->has_cuda ? "true" : "false");
}

/* ---- docs/configuration.md ----------------------------------------------------------------------
 */

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `aquamvs info --options` from the option table; change that, not this. -->\n"
    "\n"
    "A run is described by one YAML file. `aquamvs init` writes it; a config.yaml of AquaMVS "
    "works\n"
    "as it is (see the end). Relative paths are relative to the file. A key that is left out has\n"
    "its default; an unknown key is ignored with a warning that names the key most like it; a "
    "value\n"
    "of the wrong type or out of range is an error with file, line and column, and nothing is\n"
    "started. `--set section.key=value` replaces a key for one run, and is held to the same "
    "limits.\n"
    "\n"
    "The file as run, with every default written out, is `config.yaml` in the output folder.\n";

static const char conclusion[] = "\n"
                                 "## Presets\n"
                                 "\n"
                                 "`quality_preset` gives numbers to keys that neither the file nor "
                                 "`--set` gives; what you wrote\n"
                                 "stays. `aquamvs init --preset` writes the numbers themselves and "
                                 "leaves `quality_preset` null.\n"
                                 "\n";

static const char differences[] =
    "\n"
    "## Where this differs from AquaMVS\n"
    "\n"
    "- `min_consistent_views` counts the reference view: 3 means that two other cameras agree.\n"
    "  AquaMVS does not count it, so with the same number it asks for one camera more and loses "
    "the\n"
    "  rim of the surface.\n"
    "- `matcher_type` is `sift` where the key is left out (AquaMVS: `lightglue`). `sift` and "
    "`dense`\n"
    "  are built in. `lightglue` and `roma` need ONNX Runtime and model files (docs/models.md); "
    "where\n"
    "  one is missing it is an error that names it, never replaced in silence.\n"
    "- `pair_selection` is new: by `overlap` and angle, where AquaMVS takes the nearest cameras.\n"
    "- `dense` uses every pixel: `max_correspondences` is for `roma`, and for sparse clouds.\n"
    "- `surface_method` is `heightfield` where the key is left out (AquaMVS: `poisson`): a bed "
    "seen\n"
    "  from above is one, and each of its heights has a standard deviation.\n"
    "- `depth_range` is new. Left out, each camera's range is that of its sparse points, and "
    "where\n"
    "  those are too few, or with `dense`, that of a coarse sweep from the water surface down; "
    "widened\n"
    "  by `depth_margin`.\n";

static void print_range(const AqmOptionInfo *option) {
    printf("%s%s%s", option->range, *option->range && *option->unit ? " " : "", option->unit);
}

/* A bar ends a column of the table. */
static void print_cell(const char *text) {
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_sections(void) {
    const char *section = NULL;
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOptionInfo *option = aqm_option_info(i);
        if (!section || strcmp(section, option->section) != 0) {
            section = option->section;
            printf("\n## %s\n\n| key | type | limits | default | |\n|---|---|---|---|---|\n",
                   *section ? section : "Top level");
        }
        printf("| `%s` | ", option->key);
        print_cell(option->type);
        printf(" | ");
        print_range(option);
        printf(" | %s | ", *option->default_value ? option->default_value : "must be given");
        print_cell(option->help);
        printf(" |\n");
    }
}

/* What each preset gives, asked of the library itself. */
static int print_presets(void) {
    AqmConfig *presets[3] = {NULL, NULL, NULL};
    AqmDiag diag = {0};
    AqmStatus status = AQM_OK;
    for (int i = 0; status == AQM_OK && i < 3; i++) {
        status = aqm_config_create(&presets[i], &diag);
        if (status == AQM_OK)
            aqm_config_apply_preset(presets[i], (AqmPreset)(AQM_PRESET_FAST + i));
    }
    static const char *const names[] = {"fast", "balanced", "quality"};
    printf("| preset | num_depths | window_size | depth_batch_size | max_keypoints | voxel_size | "
           "poisson_depth |\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; status == AQM_OK && i < 3; i++) {
        const AqmConfig *p = presets[i];
        printf("| %s | %d | %d | %d | %d | %g | %d |\n", names[i],
               p->reconstruction.stereo.num_depths, p->reconstruction.stereo.window_size,
               p->reconstruction.stereo.depth_batch_size, p->sparse_matching.max_keypoints,
               p->reconstruction.fusion.voxel_size_m, p->reconstruction.poisson_depth);
    }
    for (int i = 0; i < 3; i++)
        aqm_config_destroy(&presets[i]);
    return status == AQM_OK ? CLI_DONE : cli_fail_diag("info", &diag);
}

static int print_document(void) {
    fputs(introduction, stdout);
    print_sections();
    fputs(conclusion, stdout);
    const int status = print_presets();
    fputs(differences, stdout);
    return status;
}

int aqm_cmd_info(int argc, char **argv) {
    bool json = false, document = false;
    const CliOption options[] = {
        {0, "json", NULL, CLI_FLAG, &json, 0, 0, "as JSON (default: readable)"},
        {0, "options", NULL, CLI_FLAG, &document, 0, 0,
         "instead: every key of a configuration, as Markdown"},
    };
    const CliVerb verb = {
        .name = "info",
        .arguments = "[OPTIONS]",
        .summary = "Says what this build and this machine can do.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const int status = cli_parse(&verb, argc, argv);
    if (status != CLI_NEXT)
        return status;
    if (document)
        return print_document();
    AqmInfo info;
    aqm_info(&info);
    if (json)
        print_json(&info);
    else
        print_text(&info);
    return CLI_DONE;
}
