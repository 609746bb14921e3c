#include "pipeline/frame_pictures.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/diag.h"

bool aqm_picture_wanted(const AqmConfig *config, AqmPicture picture) {
    return config->runtime.viz_enabled && (config->runtime.viz_stages >> picture & 1u);
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

AqmStatus aqm_frame_draw_results(const AqmFrameJob *job, const AqmPictureCamera *cameras,
                                 size_t count, const AqmMesh *mesh, AqmDiag *diag) {
    AqmImage *picture = NULL;
    if (mesh && aqm_picture_wanted(job->config, AQM_PICTURE_SCENE)) {
        AQM_TRY(aqm_picture_scene(mesh, job->inputs->rig->water_z, &picture, diag));
        AQM_TRY(write_picture(job, "scene", "", &picture, diag));
    }
    if (!aqm_picture_wanted(job->config, AQM_PICTURE_RIG))
        return AQM_OK;
    AQM_TRY(aqm_picture_rig(cameras, count, mesh, &picture, diag));
    return write_picture(job, "rig", "", &picture, diag);
}

void aqm_frame_remove_pictures(const AqmFrameJob *job) {
    char path[PATH_MAX];
    for (size_t c = 0; c < job->inputs->camera_count; c++) {
        path_of(job, path, "depth_", job->inputs->cameras[c].camera->name);
        (void)unlink(path);
    }
    path_of(job, path, "scene", "");
    (void)unlink(path);
    path_of(job, path, "rig", "");
    (void)unlink(path);
    snprintf(path, sizeof path, "%s/viz", job->folder);
    (void)rmdir(path); /* where it is empty now */
}
