/* aquamvs export-mesh: surfaces in the formats of other programs, with fewer triangles if wished.
 */
#include <aquamvs/io.h>
#include <aquamvs/pipeline.h>
#include <aquamvs/surface.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli.h"
#include "commands.h"

typedef AqmStatus WriteMesh(const char *path, const AqmMesh *mesh, const double *rotation,
                            AqmDiag *diag);

typedef struct Format {
    const char *name; /* and the ending of files */
    WriteMesh *write;
} Format;

static const Format formats[] = {{"obj", aqm_obj_write_mesh},
                                 {"stl", aqm_stl_write_mesh},
                                 {"gltf", aqm_gltf_write_mesh},
                                 {"glb", aqm_glb_write_mesh},
                                 {"ply", aqm_ply_write_mesh}};
enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

typedef struct ExportArguments {
    const char *input, *input_dir, *format_name, *output, *output_dir;
    int triangles; /* 0 = all */
    bool quiet;
    const Format *format;
} ExportArguments;

/* ---- what is asked for ------------------------------------------------------------------------
 */

static void print_formats(void) {
    printf("\nformats:\n"
           "  obj     colours after the positions, normals; text\n"
           "  stl     triangles alone: no colours\n"
           "  gltf    colours, normals, sigma; one file with the buffer in it as base64\n"
           "  glb     the same, binary: a third smaller, for large meshes\n"
           "  ply     all that is known; binary\n"
           "\nall in metres; X, Y and Z are those of the world (Z down); gltf and glb come with a\n"
           "rotation that has viewers show them upright\n");
}

static int parse_arguments(int argc, char **argv, ExportArguments *a) {
    const CliOption options[] = {
        {0, "format", "F", CLI_TEXT, &a->format_name, 0, 0,
         "obj, stl, gltf, glb or ply (default: the ending of --output)"},
        {0, "output", "FILE", CLI_TEXT, &a->output, 0, 0,
         "file to write (default: beside the input, with the format's ending)"},
        {0, "simplify", "N", CLI_INT, &a->triangles, 1, INT_MAX,
         "leave about N triangles (default: all)"},
        {0, "input-dir", "D", CLI_TEXT, &a->input_dir, 0, 0,
         "replaces INPUT.ply: every frame_NNNNNN/mesh/surface.ply of a run's folder, or, if it "
         "has no frames, every .ply in it"},
        {0, "output-dir", "D", CLI_TEXT, &a->output_dir, 0, 0,
         "with --input-dir: folder for frame_NNNNNN.FORMAT (default: beside each input)"},
        {'q', "quiet", NULL, CLI_FLAG, &a->quiet, 0, 0, "only errors (default: off)"},
    };
    const CliVerb verb = {
        .name = "export-mesh",
        .arguments = "INPUT.ply --format F [OPTIONS]\n       aquamvs export-mesh --input-dir D "
                     "--format F [OPTIONS]",
        .summary = "Writes a surface for other programs. The input is never written over; with\n"
                   "--input-dir what fails is named and the others go on.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .positionals = &a->input,
        .positional_max = 1,
        .positional_name = "INPUT.ply",
        .epilogue = print_formats,
    };
    return cli_parse(&verb, argc, argv);
}

static const Format *find_format(const char *name) {
    for (size_t i = 0; name && i < FORMAT_COUNT; i++)
        if (strcasecmp(name, formats[i].name) == 0)
            return &formats[i];
    return NULL;
}

/* After the last point of the file's name; NULL without one. */
static const char *ending_of(const char *path) {
    const char *slash = strrchr(path, '/'), *point = strrchr(path, '.');
    return point && (!slash || point > slash) ? point + 1 : NULL;
}

static int choose_format(ExportArguments *a) {
    const Format *by_ending = a->output ? find_format(ending_of(a->output)) : NULL;
    a->format = a->format_name ? find_format(a->format_name) : by_ending;
    if (a->format_name && !a->format)
        return cli_fail("export-mesh", "--format: '%s' is none of obj, stl, gltf, glb, ply",
                        a->format_name);
    if (!a->format)
        return cli_fail("export-mesh",
                        "--format is missing: obj, stl, gltf, glb or ply%s%s%s; see aquamvs "
                        "export-mesh --help",
                        a->output ? " ('" : "", a->output ? a->output : "",
                        a->output ? "' does not end in one of them)" : "");
    if (by_ending && by_ending != a->format)
        return cli_fail("export-mesh", "--format %s, but --output %s ends as a file of .%s",
                        a->format->name, a->output, by_ending->name);
    return CLI_NEXT;
}

static int check_arguments(ExportArguments *a) {
    if (a->input && a->input_dir)
        return cli_fail("export-mesh", "INPUT.ply and --input-dir do not go together");
    if (!a->input && !a->input_dir)
        return cli_fail("export-mesh",
                        "INPUT.ply or --input-dir is missing; see aquamvs export-mesh --help");
    if (a->input && a->output_dir)
        return cli_fail("export-mesh", "--output-dir goes with --input-dir; use --output");
    if (a->input_dir && a->output)
        return cli_fail("export-mesh", "--output goes with INPUT.ply; use --output-dir");
    return choose_format(a);
}

/* ---- one mesh ---------------------------------------------------------------------------------
 */

/* An error of our own. */
static AqmStatus fail(AqmDiag *diag, AqmStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static AqmStatus fail(AqmDiag *diag, AqmStatus status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    diag->status = status;
    vsnprintf(diag->message, sizeof diag->message, format, arguments);
    va_end(arguments);
    return status;
}

/* Whether two names lead to one file. */
static bool is_same_file(const char *a, const char *b) {
    struct stat about_a, about_b;
    return stat(a, &about_a) == 0 && stat(b, &about_b) == 0 && about_a.st_dev == about_b.st_dev &&
           about_a.st_ino == about_b.st_ino;
}

/* A cloud has no faces to write; as PLY it is written again as it is. */
static AqmStatus export_cloud(const ExportArguments *a, const char *input, const char *output,
                              const AqmCloud *cloud, AqmDiag *diag) {
    if (strcmp(a->format->name, "ply") != 0 || a->triangles > 0)
        return fail(diag, AQM_ERROR_NO_DATA,
                    "%s is a cloud of %zu points without faces, and export-mesh needs a surface: "
                    "frame_NNNNNN/mesh/surface.ply of `aquamvs run` is one; the points themselves "
                    "can be had with --format ply",
                    input, cloud->count);
    AqmStatus status = aqm_ply_write_cloud(output, cloud, NULL, diag);
    if (status == AQM_OK && !a->quiet)
        fprintf(stderr, "%s: %zu points\n", output, cloud->count);
    return status;
}

static AqmStatus export_mesh(const ExportArguments *a, const char *output, const AqmMesh *mesh,
                             AqmDiag *diag) {
    AqmMesh *simple = NULL;
    double error_m = 0;
    AqmStatus status = AQM_OK;
    if (a->triangles > 0)
        status = aqm_mesh_simplify(mesh, (size_t)a->triangles, &simple, &error_m, diag);
    const AqmMesh *result = simple ? simple : mesh;
    if (status == AQM_OK)
        status = a->format->write(output, result, NULL, diag);
    if (status == AQM_OK && !a->quiet) {
        fprintf(stderr, "%s: %zu vertices, %zu triangles", output, result->vertex_count,
                result->triangle_count);
        if (simple)
            fprintf(stderr, " of %zu, off by at most %.3g mm", mesh->triangle_count, 1e3 * error_m);
        fputc('\n', stderr);
    }
    aqm_mesh_destroy(&simple);
    return status;
}

static AqmStatus export_file(const ExportArguments *a, const char *input, const char *output,
                             AqmDiag *diag) {
    AqmCloud *cloud = NULL;
    AqmMesh *mesh = NULL;
    if (is_same_file(input, output))
        return fail(diag, AQM_ERROR_ARGUMENT,
                    "%s would be written over itself; choose another place with --output%s", input,
                    a->input_dir ? "-dir" : "");
    AqmStatus status = aqm_ply_read(input, &cloud, &mesh, diag);
    if (status == AQM_OK)
        status =
            mesh ? export_mesh(a, output, mesh, diag) : export_cloud(a, input, output, cloud, diag);
    aqm_cloud_destroy(&cloud);
    aqm_mesh_destroy(&mesh);
    return status;
}

/* ---- where it goes ----------------------------------------------------------------------------
 */

/* The input's name with another ending. */
static AqmStatus name_beside(char path[PATH_MAX], const char *input, const char *ending,
                             AqmDiag *diag) {
    const char *old = ending_of(input);
    const int stem = (int)(old ? (size_t)(old - input) - 1 : strlen(input));
    const int length = snprintf(path, PATH_MAX, "%.*s.%s", stem, input, ending);
    return length < PATH_MAX ? AQM_OK
                             : fail(diag, AQM_ERROR_ARGUMENT, "%s: the name is too long", input);
}

static AqmStatus name_in_folder(char path[PATH_MAX], const char *folder, const char *name,
                                const char *ending, AqmDiag *diag) {
    const int length = snprintf(path, PATH_MAX, "%s/%s.%s", folder, name, ending);
    return length < PATH_MAX
               ? AQM_OK
               : fail(diag, AQM_ERROR_ARGUMENT, "%s/%s: the name is too long", folder, name);
}

static int export_single(const ExportArguments *a) {
    char beside[PATH_MAX] = "";
    AqmDiag diag = {0};
    AqmStatus status = AQM_OK;
    if (!a->output)
        status = name_beside(beside, a->input, a->format->name, &diag);
    if (status == AQM_OK)
        status = export_file(a, a->input, a->output ? a->output : beside, &diag);
    return status == AQM_OK ? CLI_DONE : cli_fail_diag("export-mesh", &diag);
}

static AqmStatus export_one_of_many(const ExportArguments *a, const AqmMeshFile *file,
                                    AqmDiag *diag) {
    char output[PATH_MAX];
    const AqmStatus status =
        a->output_dir ? name_in_folder(output, a->output_dir, file->name, a->format->name, diag)
                      : name_beside(output, file->path, a->format->name, diag);
    return status == AQM_OK ? export_file(a, file->path, output, diag) : status;
}

static int export_all(const ExportArguments *a) {
    AqmMeshFiles *files = NULL;
    AqmDiag diag = {0};
    if (aqm_mesh_files_find(a->input_dir, &files, &diag) != AQM_OK ||
        (a->output_dir && aqm_make_folders(a->output_dir, &diag) != AQM_OK)) {
        aqm_mesh_files_destroy(&files);
        return cli_fail_diag("export-mesh", &diag);
    }
    size_t failed = 0;
    for (size_t i = 0; i < files->count; i++) {
        AqmDiag why = {0};
        if (export_one_of_many(a, &files->files[i], &why) != AQM_OK) {
            (void)cli_fail_diag("export-mesh", &why);
            failed++;
        }
    }
    if (failed > 0 || !a->quiet)
        fprintf(stderr, "%zu of %zu written\n", files->count - failed, files->count);
    aqm_mesh_files_destroy(&files);
    return failed > 0 ? CLI_SOME_FAILED : CLI_DONE;
}

int aqm_cmd_export_mesh(int argc, char **argv) {
    ExportArguments a = {0};
    int status = parse_arguments(argc, argv, &a);
    if (status == CLI_NEXT)
        status = check_arguments(&a);
    if (status != CLI_NEXT)
        return status;
    if (strcmp(a.format->name, "stl") == 0 && !a.quiet)
        fprintf(stderr,
                "note: STL holds triangles alone; colours, normals and sigma are left out\n");
    return a.input ? export_single(&a) : export_all(&a);
}
