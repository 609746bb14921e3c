#include "pipeline/frame_stale.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

/* Is `file` the map of a camera that has one? */
static bool is_map_of_frame(const AqmFrameWork *work, const char *file) {
    for (size_t c = 0; c < work->count; c++) {
        const char *name = work->job->inputs->cameras[c].camera->name;
        const size_t length = strlen(name);
        if (work->has_map[c] && strncmp(file, name, length) == 0 &&
            strcmp(file + length, ".npz") == 0)
            return true;
    }
    return false;
}

/* Removes the .npz files in a folder that this making of the frame did not write: those of cameras
 * that have no map now, or are no longer in the configuration, or all of them. */
static void remove_stale_maps(const AqmFrameWork *work, const char *folder, bool is_wanted) {
    char path[PATH_MAX];
    aqm_frame_path(work, path, "%s", folder);
    DIR *listing = opendir(path);
    if (!listing)
        return;
    for (const struct dirent *entry; (entry = readdir(listing));) {
        const char *ending = strrchr(entry->d_name, '.');
        aqm_frame_path(work, path, "%s/%s", folder, entry->d_name);
        if (ending && strcmp(ending, ".npz") == 0 &&
            !(is_wanted && is_map_of_frame(work, entry->d_name)))
            (void)unlink(path);
    }
    closedir(listing);
    aqm_frame_path(work, path, "%s", folder);
    (void)rmdir(path); /* stays unless it is empty */
}

/* Removes a file, and its folder if that leaves nothing in it. */
static void remove_file(const AqmFrameWork *work, const char *folder, const char *file) {
    char path[PATH_MAX];
    aqm_frame_path(work, path, "%s/%s", folder, file);
    (void)unlink(path);
    aqm_frame_path(work, path, "%s", folder);
    (void)rmdir(path);
}

void aqm_frame_remove_stale(const AqmFrameWork *work) {
    const AqmConfig *config = work->job->config;
    const bool is_sparse = config->pipeline_mode == AQM_MODE_SPARSE;
    remove_stale_maps(work, "depth_maps", config->runtime.keep_intermediates);
    remove_stale_maps(work, "consistency_maps",
                      !is_sparse && config->runtime.save_consistency_maps);
    if (!config->runtime.save_features || aqm_matches_densely(config))
        remove_stale_maps(work, "features", false);
    if (!aqm_stage_is_wanted(config, AQM_STAGE_TRIANGULATION))
        remove_file(work, "sparse", "sparse_cloud.ply");
    remove_file(work, "point_cloud", is_sparse ? "fused.ply" : "sparse.ply");
    if (!work->mesh)
        remove_file(work, "mesh", "surface.ply");
}
