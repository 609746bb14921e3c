/* What a path of `aquamvs evaluate A B` may be: a run (a folder with frame_NNNNNN folders), one
 * such folder, a .npz height map, or else a PLY file. */
#include "pipeline/compare_input.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/diag.h"

static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};

void aqm_compare_input_free(AqmCompareInput *input) {
    aqm_cloud_destroy(&input->cloud);
    aqm_height_map_destroy(&input->map);
    *input = (AqmCompareInput){0};
}

/* ---- where the files are --------------------------------------------------------------------- */

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* folder/name into `path` if such a file is there; else "" and false. */
static bool find_file(char path[PATH_MAX], const char *folder, const char *name) {
    struct stat status;
    const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    if (length > 0 && length < PATH_MAX && stat(path, &status) == 0 && S_ISREG(status.st_mode))
        return true;
    path[0] = '\0';
    return false;
}

/* The first and last number of the frame_NNNNNN folders in a folder; returns how many there are. */
static int frames_in(const char *folder, int *first, int *last) {
    DIR *listing = opendir(folder);
    int count = 0;
    if (!listing)
        return 0;
    for (const struct dirent *entry; (entry = readdir(listing));) {
        int number, length = 0;
        if (sscanf(entry->d_name, "frame_%6d%n", &number, &length) != 1 ||
            entry->d_name[length] != '\0' || number < 0)
            continue;
        *first = count == 0 || number < *first ? number : *first;
        *last = count == 0 || number > *last ? number : *last;
        count++;
    }
    (void)closedir(listing);
    return count;
}

static AqmStatus find_in_frame(AqmCompareInput *input, const char *folder, AqmDiag *diag) {
    static const char *const clouds[] = {"point_cloud/fused.ply", "point_cloud/sparse.ply",
                                         "mesh/surface.ply"};
    bool found = find_file(input->map_path, folder, "mesh/height_map.npz");
    for (size_t i = 0; i < sizeof clouds / sizeof clouds[0] && !input->cloud_path[0]; i++)
        found |= find_file(input->cloud_path, folder, clouds[i]);
    if (found)
        return AQM_OK;
    return aqm_fail(diag, AQM_ERROR_IO,
                    "%s: has neither point_cloud/fused.ply nor point_cloud/sparse.ply, "
                    "mesh/surface.ply or mesh/height_map.npz: not a frame of a run, or one that "
                    "was not finished",
                    folder);
}

static AqmStatus find_in_folder(AqmCompareInput *input, const char *path, int frame,
                                const AqmLog *log, AqmDiag *diag) {
    char folder[PATH_MAX], finished[PATH_MAX], name[32] = "";
    int first = 0, last = 0;
    const int frames = frames_in(path, &first, &last);
    if (frames > 0)
        snprintf(name, sizeof name, "/frame_%06d", frame);
    const int length = snprintf(folder, sizeof folder, "%s%s", path, name);
    if (length < 0 || length >= PATH_MAX)
        return aqm_fail(diag, AQM_ERROR_IO, "%s: the name is too long", path);
    if (!is_folder(folder))
        return aqm_fail(diag, AQM_ERROR_IO,
                        "%s: has no frame %d; there are %d, the first is %d, the last %d", path,
                        frame, frames, first, last);
    (void)find_file(input->config_path, path, frames > 0 ? "config.yaml" : "../config.yaml");
    if (!find_file(finished, folder, "frame.json") && input->config_path[0])
        aqm_log(log, AQM_LOG_WARNING, "%s: this frame is not finished", folder);
    return find_in_frame(input, folder, diag);
}

static AqmStatus find_files(AqmCompareInput *input, const char *path, int frame, const AqmLog *log,
                            AqmDiag *diag) {
    const size_t length = strlen(path);
    if (is_folder(path))
        return find_in_folder(input, path, frame, log, diag);
    const bool is_map = length > 4 && strcmp(path + length - 4, ".npz") == 0;
    const int used = snprintf(is_map ? input->map_path : input->cloud_path, PATH_MAX, "%s", path);
    return used >= 0 && used < PATH_MAX
               ? AQM_OK
               : aqm_fail(diag, AQM_ERROR_IO, "%s: the name is too long", path);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The vertices of a mesh as points; sure of each alike. */
static AqmStatus cloud_of_vertices(const AqmMesh *mesh, AqmCloud **out, AqmDiag *diag) {
    AqmCloud *cloud = NULL;
    AQM_TRY(aqm_cloud_create(&cloud, mesh->vertex_count, diag));
    cloud->count = mesh->vertex_count;
    memcpy(cloud->position, mesh->position, 3 * mesh->vertex_count * sizeof *cloud->position);
    memcpy(cloud->normal, mesh->normal, 3 * mesh->vertex_count * sizeof *cloud->normal);
    memcpy(cloud->color, mesh->color, 3 * mesh->vertex_count);
    memcpy(cloud->sigma_m, mesh->sigma_m, mesh->vertex_count * sizeof *cloud->sigma_m);
    for (size_t i = 0; i < cloud->count; i++) {
        cloud->confidence[i] = 1.0f;
        cloud->views[i] = mesh->views[i];
    }
    *out = cloud;
    return AQM_OK;
}

static AqmStatus read_cloud(AqmCompareInput *input, AqmDiag *diag) {
    AqmMesh *mesh = NULL;
    AQM_TRY(aqm_ply_read(input->cloud_path, &input->cloud, &mesh, diag));
    if (!mesh)
        return AQM_OK;
    const AqmStatus status = cloud_of_vertices(mesh, &input->cloud, diag);
    aqm_mesh_destroy(&mesh);
    return status;
}

static AqmStatus read_map(AqmCompareInput *input, AqmDiag *diag) {
    float *rotation = NULL;
    size_t shape[3];
    int dimensions;
    AQM_TRY(aqm_height_map_read(input->map_path, &input->map, diag));
    input->map_is_file = true;
    const AqmStatus status =
        aqm_npz_read(input->map_path, "world_from_rig", &rotation, shape, &dimensions, NULL);
    if (status == AQM_ERROR_MEMORY)
        return aqm_fail_memory(diag, "world_from_rig", 9, sizeof(float));
    if (status != AQM_OK) /* a map of another program: in its own frame */
        return AQM_OK;
    input->has_rotation = dimensions == 2 && shape[0] == 3 && shape[1] == 3;
    for (int i = 0; i < 9 && input->has_rotation; i++)
        input->world_from_rig[i] = (double)rotation[i];
    aqm_free_buffer(rotation);
    return AQM_OK;
}

AqmStatus aqm_compare_input_read(AqmCompareInput *input, const char *path, int frame,
                                 const AqmLog *log, AqmDiag *diag) {
    *input = (AqmCompareInput){0};
    memcpy(input->world_from_rig, identity, sizeof identity);
    AqmStatus status = find_files(input, path, frame, log, diag);
    if (status == AQM_OK && input->cloud_path[0])
        status = read_cloud(input, diag);
    if (status == AQM_OK && input->map_path[0])
        status = read_map(input, diag);
    if (status != AQM_OK)
        aqm_compare_input_free(input);
    return status;
}
