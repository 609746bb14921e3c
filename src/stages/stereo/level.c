#include "stages/stereo/level.h"

#include "base/alloc.h"

void aqm_level_free(AqmLevel *level) {
    aqm_free(level->views);
    aqm_free(level->stereo);
    *level = (AqmLevel){0};
}

static AqmStatus halve_view(AqmLevel *level, size_t k, int times, AqmDiag *diag) {
    for (; times > 0; times--) {
        const AqmStereoImage *image = level->stereo[k].image;
        if (!image->half)
            return aqm_fail(diag, AQM_ERROR_NO_DATA, "an image of %d x %d px is too small to halve",
                            image->width, image->height);
        level->stereo[k].image = image->half;
        level->views[k] = aqm_view_halve(&level->views[k]);
    }
    return AQM_OK;
}

AqmStatus aqm_level_create(AqmLevel *level, const AqmStereoView *views, size_t view_count,
                           const int *halvings, AqmDiag *diag) {
    *level = (AqmLevel){
        .view_count = view_count,
        .stereo = aqm_calloc(view_count, sizeof *level->stereo),
        .views = aqm_calloc(view_count, sizeof *level->views),
    };
    AqmStatus status = AQM_OK;
    if (!level->stereo || !level->views)
        status = aqm_fail_memory(diag, "views at low resolution", view_count, sizeof *level->views);
    for (size_t k = 0; k < view_count && status == AQM_OK; k++) {
        level->views[k] = *views[k].view;
        level->stereo[k] = (AqmStereoView){&level->views[k], views[k].image, views[k].is_auxiliary};
        status = halve_view(level, k, halvings[k], diag);
    }
    if (status != AQM_OK)
        aqm_level_free(level);
    return status;
}
