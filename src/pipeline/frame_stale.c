#include "pipeline/frame_stale.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Is `file` `name` with the ending .npz? */
static bool is_npz_of(const char *file, const char *name) {
    const size_t length = strlen(name);
    return strncmp(file, name, length) == 0 && strcmp(file + length, ".npz") == 0;
}

/* Is `file` the map of a camera that has one? */
static bool is_map_of_frame(const AqmFrameWork *work, const char *file) {
    for (size_t c = 0; c < work->count; c++)
        if (work->has_map[c] && is_npz_of(file, work->job->inputs->cameras[c].camera->name))
            return true;
    return false;
}

/* Is `file` what features or matches of the frame were saved as? */
static bool is_feature_file(const AqmFrameWork *work, const char *file) {
    char name[2 * AQM_NAME_MAX + 16];
    for (size_t v = 0; v < work->view_count; v++)
        if (is_npz_of(file, aqm_frame_view_name(work, v)))
            return true;
    for (size_t p = 0; p < work->pair_count; p++) {
        snprintf(name, sizeof name, "matches_%s_%s",
                 aqm_frame_view_name(work, work->pairs[p].first),
                 aqm_frame_view_name(work, work->pairs[p].second));
        if (is_npz_of(file, name))
            return true;
    }
    return false;
}

static bool is_nothing(const AqmFrameWork *work, const char *file) {
    (void)work, (void)file;
    return false;
}

/* Removes the .npz files in a folder that this making of the frame did not write: those of cameras
 * that have no map now, or are no longer in the configuration, or all of them. */
static void remove_stale_files(const AqmFrameWork *work, const char *folder,
                               bool (*is_new)(const AqmFrameWork *work, const char *file)) {
    char path[PATH_MAX];
    aqm_frame_path(work, path, "%s", folder);
    DIR *listing = opendir(path);
    if (!listing)
        return;
    for (const struct dirent *entry; (entry = readdir(listing));) {
        const char *ending = strrchr(entry->d_name, '.');
        aqm_frame_path(work, path, "%s/%s", folder, entry->d_name);
        if (ending && strcmp(ending, ".npz") == 0 && !is_new(work, entry->d_name))
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
    const bool has_features = config->runtime.save_features && !aqm_matches_densely(config);
    const bool has_maps = !is_sparse && config->runtime.save_consistency_maps;
    remove_stale_files(work, "depth_maps",
                       config->runtime.keep_intermediates ? is_map_of_frame : is_nothing);
    remove_stale_files(work, "consistency_maps", has_maps ? is_map_of_frame : is_nothing);
    remove_stale_files(work, "features", has_features ? is_feature_file : is_nothing);
    if (!aqm_stage_is_wanted(config, AQM_STAGE_TRIANGULATION))
        remove_file(work, "sparse", "sparse_cloud.ply");
    remove_file(work, "point_cloud", is_sparse ? "fused.ply" : "sparse.ply");
    if (!work->height_map) {
        remove_file(work, "mesh", "height_map.npz");
        remove_file(work, "mesh", "height_map.tif");
    }
    if (!work->mesh)
        remove_file(work, "mesh", "surface.ply");
}
