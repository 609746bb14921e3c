/* aquamvs verify: how well a rig and the pipeline do on a board that was filmed under water. */
#include <aquamvs/io.h>
#include <aquamvs/verify.h>

#include <stdio.h>

#include "board_options.h"
#include "cli.h"
#include "commands.h"
#include "frame_slice.h"
#include "interruption.h"
#include "verify_table.h"

typedef struct VerifyArguments {
    AqmVerifyOptions options;
    CliBoard board;
    CliList set;
    const char *config, *frames, *json;
    bool no_pictures, quiet;
    int threads;
} VerifyArguments;

static void print_measures(void) {
    printf("\nnumbers:\n"
           "  flatness     points of the cloud within the board, distance from the plane that fits "
           "them best\n"
           "  offset       of that plane from the triangulated corners; + = deeper\n"
           "  cross-c.     distance of the points that the depth maps of two cameras give for one "
           "corner\n"
           "  square       mean side of the squares between triangulated corners, less the true "
           "one\n"
           "  grid         triangulated corners against the rigid board, and its parts along and "
           "across the rays\n"
           "docs/verify.md has the formulas and the keys of verify.json.\n");
}

static int parse_arguments(int argc, char **argv, VerifyArguments *a) {
    AqmVerifyOptions *o = &a->options;
    const CliOption options[] = {
        {0, "board", "WxH", CLI_TEXT, &a->board.squares, 0, 0,
         "squares along and down the board (must be given)"},
        {0, "square", "M", CLI_REAL, &o->board.square_m, 0, 0,
         "side of a square, metres (must be given)"},
        {0, "marker", "M", CLI_REAL, &o->board.marker_m, 0, 0,
         "side of a marker with its black frame, metres (must be given)"},
        {0, "dictionary", "NAME", CLI_TEXT, &a->board.dictionary, 0, 0,
         "of OpenCV: 4x4, 5x5 or 6x6 with _50, _100 or _250 (default: 4x4_50)"},
        {0, "legacy-pattern", NULL, CLI_FLAG, &o->board.is_white_first, 0, 0,
         "the square at the upper left is white, as in boards of even height that OpenCV drew "
         "before 4.6 (default: black)"},
        {0, "frames", "START:STOP:STEP", CLI_TEXT, &a->frames, 0, 0,
         "frames with the board, as a slice: 5, 5:10, ::10 (default: as configured)"},
        {0, "output-dir", "D", CLI_TEXT, &o->output_dir, 0, 0,
         "where all goes: the reconstruction, verify.json, verify.csv, corners/, boards/ (default: "
         "verify in the configuration's output_dir)"},
        {0, "corners-only", NULL, CLI_FLAG, &o->corners_only, 0, 0,
         "reconstruct nothing: rig and calibration alone (default: no)"},
        {0, "min-views", "N", CLI_INT, &o->measure.min_views, 2, 64,
         "cameras that must agree on a corner (default: 3)"},
        {0, "max-error", "PX", CLI_REAL, &o->measure.max_error_px, 0, 0,
         "a sighting farther off is left out (default: 1)"},
        {0, "no-pictures", NULL, CLI_FLAG, &a->no_pictures, 0, 0, "draw nothing (default: draw)"},
        {0, "force", NULL, CLI_FLAG, &o->force, 0, 0,
         "reconstruct frames anew that are finished (default: keep them)"},
        {0, "set", "section.key=value", CLI_LIST, &a->set, 0, 0,
         "replace a key of the configuration; again and again (default: none)"},
        {0, "threads", "N", CLI_INT, &a->threads, 0, 4096,
         "0 = all cores; the numbers are the same for any (default: as configured)"},
        {0, "json", "F", CLI_TEXT, &a->json, 0, 0, "write the numbers to F too (default: no file)"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0,
         "only warnings beside the table (default: what is seen, too)"},
    };
    const CliVerb verb = {
        .name = "verify",
        .arguments = "CONFIG --board WxH --square M --marker M [OPTIONS]",
        .summary = "Measures a rig and its reconstruction on a ChArUco board that was filmed under "
                   "water and\nhad no part in the calibration: flatness of the reconstructed "
                   "board, agreement of the\ncameras, size of the squares, shape of the grid.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->config,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "CONFIG",
        .epilogue = print_measures,
    };
    return cli_parse(&verb, argc, argv);
}

/* CLI_NEXT, or the exit status. */
static int check_arguments(VerifyArguments *a) {
    AqmVerifyOptions *o = &a->options;
    if (!a->board.squares || o->board.square_m == 0.0 || o->board.marker_m == 0.0)
        return cli_fail("verify", "--%s is missing; see aquamvs verify --help",
                        !a->board.squares          ? "board"
                        : o->board.square_m == 0.0 ? "square"
                                                   : "marker");
    if (a->frames && !parse_frame_slice(a->frames, &o->frame_start, &o->frame_stop, &o->frame_step))
        return cli_fail("verify", "--frames: '%s' is no slice START:STOP:STEP of frames",
                        a->frames);
    o->has_frames = a->frames != NULL;
    o->pictures = !a->no_pictures;
    return cli_board("verify", &a->board, &o->board);
}

static AqmStatus write_json(const VerifyArguments *a, const AqmVerification *v, AqmDiag *diag) {
    char *text = NULL;
    if (!a->json)
        return AQM_OK;
    AqmStatus status = aqm_verification_to_json(v, &text, diag);
    if (status == AQM_OK)
        status = aqm_text_write(a->json, text, diag);
    aqm_free_buffer(text);
    return status;
}

static int count_failures(const AqmVerification *v) {
    int failures = 0;
    for (size_t k = 0; k < v->count; k++)
        failures += v->poses[k].reason[0] != '\0';
    return failures;
}

int aqm_cmd_verify(int argc, char **argv) {
    VerifyArguments a = {.options = aqm_verify_options_default(), .threads = -1};
    int result = parse_arguments(argc, argv, &a);
    if (result == CLI_NEXT)
        result = check_arguments(&a);
    if (result != CLI_NEXT)
        return result;
    CliLog messages = {.verbosity = a.quiet ? 0 : 1};
    a.options.log = cli_log(&messages);
    a.options.cancel = catch_interruption();
    AqmConfig *config = NULL;
    AqmVerification *verification = NULL;
    AqmDiag diag = {0};
    AqmStatus status =
        aqm_config_read(a.config, a.set.items, a.set.count, &a.options.log, &config, &diag);
    if (status == AQM_OK && a.threads >= 0)
        config->runtime.threads = a.threads;
    if (status == AQM_OK)
        status = aqm_verify(config, &a.options, &verification, &diag);
    if (status == AQM_OK)
        status = write_json(&a, verification, &diag);
    if (status == AQM_OK)
        print_verification(verification);
    result = status != AQM_OK                   ? cli_fail_diag("verify", &diag)
             : count_failures(verification) > 0 ? CLI_SOME_FAILED
                                                : CLI_DONE;
    aqm_verification_destroy(&verification);
    aqm_config_destroy(&config);
    return result;
}
