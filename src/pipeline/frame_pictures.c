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

AqmStatus aqm_frame_draw_features(const AqmFrameJob *job, const char *camera,
                                  const AqmImageView *image, double full_scale,
                                  const AqmFeatures *features, AqmDiag *diag) {
    AqmImage *picture = NULL;
    AQM_TRY(aqm_picture_features(image, full_scale, features, camera, &picture, diag));
    return write_picture(job, "features_", camera, &picture, diag);
}

AqmStatus aqm_frame_draw_matches(const AqmFrameJob *job, const char *const cameras[2],
                                 const AqmImageView *first, const AqmImageView *second,
                                 double full_scale, const AqmMatches *matches, AqmDiag *diag) {
    AqmImage *picture = NULL;
    char name[2 * AQM_NAME_MAX + 1];
    AQM_TRY(aqm_picture_matches(first, second, full_scale, matches, cameras[0], cameras[1],
                                &picture, diag));
    snprintf(name, sizeof name, "%s_%s", cameras[0], cameras[1]);
    return write_picture(job, "matches_", name, &picture, diag);
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
    static const char *const begins[] = {"depth_", "features_", "matches_"};
    const char *ending = strrchr(file, '.');
    bool is_ours = strcmp(file, "scene.png") == 0 || strcmp(file, "rig.png") == 0;
    for (size_t k = 0; k < sizeof begins / sizeof begins[0]; k++)
        is_ours |= strncmp(file, begins[k], strlen(begins[k])) == 0 && ending &&
                   strcmp(ending, ".png") == 0;
    return is_ours;
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
