/* aquamvs synth: writes a data set with a known surface. */
#include <aquamvs/synth.h>

#include <stdio.h>
#include <string.h>

#include "board_options.h"
#include "cli.h"
#include "commands.h"

static const char *const scenes[] = {"plane", "undulating", "sandbed", "board", "mound", "charuco"};
static const char *const rigs[] = {"ring12", "ring5", "pair"};
static const char *const formats[] = {"png", "png16", "video"};

typedef struct SynthArguments {
    AqmSynthOptions options;
    const char *scene, *output_dir, *rig, *size, *format;
    CliBoard board;
    int seed;
    bool gray, quiet;
} SynthArguments;

static void print_scenes(void) {
    printf(
        "\nscenes:\n"
        "  plane                       flat sand, 1 mm deeper every frame\n"
        "  undulating                  waves of sand that travel\n"
        "  sandbed                     fractal relief, ripples that travel, a mound and a crater "
        "that grow\n"
        "  board                       a tilted chequer board in tilted sand; its direction "
        "turns\n"
        "  mound                       a fractal bed that stays; a mound of 4.712e-4 m3 in frame 0 "
        "that is gone afterwards\n"
        "  charuco                     a ChArUco board on a plate, 0.30 to 0.40 m deep over a "
        "level "
        "bed; tilts from 3 to 41 degrees\n"
        "\nrigs:\n"
        "  ring12                      12 cameras of 1600x1200 on a ring of 0.635 m, a fisheye "
        "camera in its centre\n"
        "  ring5                       5 cameras of 640x480 on a ring of 0.25 m\n"
        "  pair                        2 cameras of 640x480, 0.2 m apart\n");
}

static int parse_arguments(int argc, char **argv, SynthArguments *a) {
    AqmSynthOptions *o = &a->options;
    const CliOption options[] = {
        {0, "output-dir", "D", CLI_TEXT, &a->output_dir, 0, 0,
         "the data set: a new or empty folder, or one this command made, which is replaced (must "
         "be given)"},
        {0, "rig", "ring12|ring5|pair", CLI_TEXT, &a->rig, 0, 0, "the cameras (default: ring5)"},
        {0, "size", "WxH", CLI_TEXT, &a->size, 0, 0,
         "image size, px; the focal length follows the width (default: the rig's)"},
        {0, "frames", "N", CLI_INT, &o->frames, 1, 999999, "length of the series (default: 1)"},
        {0, "seed", "N", CLI_INT, &a->seed, 0, 0x7fffffff,
         "of poses, lenses, relief, texture and noise (default: 1)"},
        {0, "noise", "S", CLI_REAL, &o->noise, 0, 0,
         "sensor noise, 1 sigma, levels of 255 (default: 1.5)"},
        {0, "blur", "PX", CLI_REAL, &o->blur_px, 0, 0, "lens blur, sigma, px (default: 0.45)"},
        {0, "gain", "S", CLI_REAL, &o->gain_spread, 0, 0,
         "spread of the cameras' exposures, 1 sigma (default: 0.05)"},
        {0, "contrast", "C", CLI_REAL, &o->contrast, 0, 0, "of the texture; 0 = none (default: 1)"},
        {0, "distortion", "F", CLI_REAL, &o->distortion, 0, 0,
         "times the rig's lens distortion; 0 = perfect lenses (default: 1)"},
        {0, "n-water", "N", CLI_REAL, &o->n_water, 0, 0,
         "refractive index of the water; 1 = no refraction (default: 1.333)"},
        {0, "amplitude", "M", CLI_REAL, &o->amplitude_m, 0, 0,
         "undulating: metres from the mean to a crest (default: 0.005)"},
        {0, "wavelength", "M", CLI_REAL, &o->wavelength_m, 0, 0,
         "undulating: metres from crest to crest (default: 0.05)"},
        {0, "tilt", "DEG", CLI_REAL, &o->tilt_deg, 0, 0,
         "board, and charuco of one frame: its tilt, 0..45 degrees (default: 12)"},
        {0, "board", "WxH", CLI_TEXT, &a->board.squares, 0, 0,
         "charuco: squares along and down (default: 12x9)"},
        {0, "square", "M", CLI_REAL, &o->board.square_m, 0, 0,
         "charuco: side of a square, metres (default: 0.03)"},
        {0, "marker", "M", CLI_REAL, &o->board.marker_m, 0, 0,
         "charuco: side of a marker, metres (default: 0.022)"},
        {0, "dictionary", "NAME", CLI_TEXT, &a->board.dictionary, 0, 0,
         "charuco: 4x4_50 .. 6x6_250 (default: 4x4_100)"},
        {0, "format", "png|png16|video", CLI_TEXT, &a->format, 0, 0,
         "stills of 8 or 16 bits a channel, or a lossless .mkv a camera (default: png)"},
        {0, "gray", NULL, CLI_FLAG, &a->gray, 0, 0,
         "one channel instead of colour (default: colour)"},
        {0, "threads", "N", CLI_INT, &o->threads, 0, 4096,
         "0 = all cores; the files are the same for any number (default: 0)"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0, "no progress (default: a line a view)"},
    };
    const CliVerb verb = {
        .name = "synth",
        .arguments = "SCENE --output-dir D [OPTIONS]",
        .summary =
            "Renders a scene under water whose surface is known exactly, as cameras see it "
            "through\n"
            "the water surface, and writes a data set that `aquamvs run` takes: calibration.json,\n"
            "config.yaml, images/ or videos/, and the truth in gt/ (the surface as a formula and "
            "as\n"
            "a mesh, the ray depth of every raw pixel).",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->scene,
        .positional_min = 1,
        .positional_max = 1,
        .positional_name = "SCENE",
        .epilogue = print_scenes,
    };
    return cli_parse(&verb, argc, argv);
}

/* The place of `word` in a list; -1, and a sentence, if it is not there. */
static int choose(const char *what, const char *word, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    const char *nearest = cli_nearest(word, words, (size_t)count);
    (void)cli_fail("synth", "%s '%s' is not known%s%s%s; see aquamvs synth --help", what, word,
                   nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return -1;
}

/* CLI_NEXT, or the exit status. */
static int fill_options(SynthArguments *a) {
    AqmSynthOptions *o = &a->options;
    const int scene = choose("scene", a->scene, scenes, sizeof scenes / sizeof scenes[0]);
    const int rig = scene < 0 ? -1 : choose("--rig", a->rig, rigs, 3);
    const int format = rig < 0 ? -1 : choose("--format", a->format, formats, 3);
    if (format < 0)
        return CLI_WRONG;
    char rest;
    if (a->size && (sscanf(a->size, "%5dx%5d%c", &o->width, &o->height, &rest) != 2 ||
                    o->width < 1 || o->height < 1))
        return cli_fail("synth", "--size: '%s' is not like 640x480", a->size);
    if (cli_board("synth", &a->board, &o->board) != CLI_NEXT)
        return CLI_WRONG;
    if (!a->output_dir || !*a->output_dir)
        return cli_fail("synth", "--output-dir is missing; see aquamvs synth --help");
    o->scene = (AqmScene)scene;
    o->rig = (AqmRigKind)rig;
    o->format = (AqmFrameFormat)format;
    o->seed = (uint64_t)a->seed;
    o->color = !a->gray;
    return CLI_NEXT;
}

int aqm_cmd_synth(int argc, char **argv) {
    SynthArguments arguments = {
        .options = aqm_synth_options_default(), .rig = "ring5", .format = "png", .seed = 1};
    int status = parse_arguments(argc, argv, &arguments);
    if (status == CLI_NEXT)
        status = fill_options(&arguments);
    if (status != CLI_NEXT)
        return status;
    CliLog messages = {.verbosity = arguments.quiet ? 0 : 1};
    const AqmLog log = cli_log(&messages);
    AqmDiag diag = {0};
    if (aqm_synth_write(&arguments.options, arguments.output_dir, &log, &diag) != AQM_OK)
        return cli_fail_diag("synth", &diag);
    printf("%s/config.yaml\n", arguments.output_dir);
    return CLI_DONE;
}
