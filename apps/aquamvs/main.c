/* aquamvs VERB ...: finds the verb and hands over. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <aquamvs/status.h>

#include "cli.h"
#include "commands.h"

typedef struct Verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} Verb;

static const Verb verbs[] = {
    {"init", aqm_cmd_init, "write a config.yaml for a folder of videos or image folders"},
    {"run", aqm_cmd_run, "reconstruct: depth maps, fused cloud and surface of every frame"},
    {"export-refs", aqm_cmd_export_refs, "write the undistorted images, to draw masks on"},
    {"export-mesh", aqm_cmd_export_mesh, "write surfaces as OBJ, STL, glTF or PLY"},
    {"profile", aqm_cmd_profile, "tell where the time of a frame goes"},
    {"synth", aqm_cmd_synth, "render a scene under water whose surface is known exactly"},
    {"evaluate", aqm_cmd_evaluate, "measure a cloud or mesh against such a scene"},
    {"benchmark", aqm_cmd_benchmark,
     "measure configurations on scenes with truth, or compare two such runs"},
    {"verify", aqm_cmd_verify, "measure a rig and its surfaces on a ChArUco board under water"},
    {"info", aqm_cmd_info, "what this build and this machine can do"},
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static void print_usage(FILE *file) {
    fprintf(file, "usage: aquamvs VERB [ARGUMENTS]\n\n"
                  "Surfaces under water from synchronised cameras that look through the water's "
                  "surface.\n\nverbs:\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(file, "  %-14s%s\n", verbs[i].name, verbs[i].help);
    fprintf(file, "\n`aquamvs VERB --help` says more about each; `aquamvs --version`.\n");
}

static int fail_unknown(const char *word) {
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verbs[i].name;
    const char *nearest = cli_nearest(word, names, VERB_COUNT);
    return cli_fail("", "there is no verb '%s'%s%s%s; see aquamvs --help", word,
                    nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* Every view of a frame asks for blocks of the same sizes. By default large ones go back to the
 * system each time, to be cleared and mapped anew page by page, a twentieth of the CPU time of a
 * frame of 12 x 1600x1200; kept in one arena they serve again. The peak is 80 MB more there, and
 * 120 MB less on the dense pathway, where threads would have had arenas of their own. */
static void keep_memory(void) {
#if defined(__GLIBC__)
    enum { LARGEST_KEPT = 128 << 20, MOST_KEPT = 256 << 20 };
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT);
    (void)mallopt(M_TRIM_THRESHOLD, MOST_KEPT);
#endif
}

int main(int argc, char **argv) {
    keep_memory();
    if (argc < 2) {
        print_usage(stderr);
        return CLI_WRONG;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("aquamvs %s\n", aqm_version());
        return CLI_DONE;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return fail_unknown(argv[1]);
}
