#include "pipeline/frame_pictures.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"

bool aqm_picture_wanted(const AqmConfig *config, AqmPicture picture) {
    const unsigned stages = config->runtime.viz_stages;
    return config->runtime.viz_enabled && (stages == 0 || stages >> picture & 1u);
}

static void path_of(const AqmFrameJob *job, char path[PATH_MAX], const char *prefix,
                    const char *name) {
    snprintf(path, PATH_MAX, "%s/viz/%s%s.png", job->folder, prefix, name);
}

/* Writes the picture and destroys it. */
static AqmStatus write_picture(const AqmFrameJob *job, const char *prefix, const char *name,
                               AqmImage **picture, AqmDiag *diag) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/viz", job->folder);
    AqmStatus status = aqm_make_folders(path, diag);
    const AqmImageView view = aqm_image_view(*picture);
    path_of(job, path, prefix, name);
    if (status == AQM_OK)
        status = aqm_png_write(path, &view, diag);
    aqm_image_destroy(picture);
    return status;
}

AqmStatus aqm_frame_draw_depth(const AqmFrameJob *job, const char *camera, const AqmDepthMap *map,
                               AqmDiag *diag) {
    AqmImage *picture = NULL;
    AQM_TRY(aqm_picture_depth(map, camera, &picture, diag));
    return write_picture(job, "depth_", camera, &picture, diag);
}

AqmStatus aqm_frame_draw_scene(const AqmFrameJob *job, const AqmMesh *mesh, AqmDiag *diag) {
    AqmImage *picture = NULL;
    if (!mesh || !aqm_picture_wanted(job->config, AQM_PICTURE_SCENE))
        return AQM_OK;
    AQM_TRY(aqm_picture_scene(mesh, job->inputs->rig->water_z, &picture, diag));
    return write_picture(job, "scene", "", &picture, diag);
}

AqmStatus aqm_frame_draw_rig(const AqmFrameJob *job, const AqmPictureCamera *cameras, size_t count,
                             const AqmMesh *mesh, AqmDiag *diag) {
    AqmImage *picture = NULL;
    if (!aqm_picture_wanted(job->config, AQM_PICTURE_RIG))
        return AQM_OK;
    AQM_TRY(aqm_picture_rig(cameras, count, mesh, &picture, diag));
    return write_picture(job, "rig", "", &picture, diag);
}

static bool is_picture(const char *file) {
    const char *ending = strrchr(file, '.');
    return strcmp(file, "scene.png") == 0 || strcmp(file, "rig.png") == 0 ||
           (strncmp(file, "depth_", 6) == 0 && ending && strcmp(ending, ".png") == 0);
}

void aqm_frame_remove_pictures(const AqmFrameJob *job) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/viz", job->folder);
    DIR *listing = opendir(folder);
    if (!listing)
        return;
    for (const struct dirent *entry; (entry = readdir(listing));)
        if (is_picture(entry->d_name))
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
    (void)rmdir(folder); /* stays unless it is empty */
}
