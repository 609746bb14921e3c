/* Depth ranges, and depth maps by the plane sweep. */
#include <math.h>

#include "base/cpu.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_work.h"

/* ---- ranges ---------------------------------------------------------------------------------- */

/* The range that the points give. */
static AqmStatus sparse_range(const AqmFrameWork *work, const AqmCloud *others, size_t v,
                              double margin_m, AqmDiag *diag) {
    return work->views[v].is_auxiliary
               ? AQM_OK
               : aqm_tracks_depth_range(work->tracks, others, work->views[v].view, margin_m,
                                        &work->ranges[v], diag);
}

/* Of all cameras, or of none: where one has too few points the others may have too few as well.
 * others: one a view, or NULL. */
static AqmStatus sparse_ranges(const AqmFrameWork *work, AqmCloud *const *others, double margin_m,
                               bool *are_known, AqmDiag *diag) {
    AqmStatus status[AQM_CAMERAS_MAX];
    AqmDiag why[AQM_CAMERAS_MAX] = {0};
    const int threads = aqm_thread_count(work->job->config->runtime.threads);
    *are_known = work->tracks != NULL;
    if (!work->tracks)
        return AQM_OK;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t v = 0; v < work->view_count; v++)
        status[v] = sparse_range(work, others ? others[v] : NULL, v, margin_m, &why[v]);
    for (size_t v = 0; v < work->view_count; v++) {
        if (status[v] != AQM_OK && status[v] != AQM_ERROR_NO_DATA)
            return aqm_fail(diag, status[v], "%s", why[v].message);
        *are_known &= status[v] == AQM_OK;
    }
    return AQM_OK;
}

/* What two ranges share, or the first of two that do not meet. */
static void keep_common(double low, double high, double *min_m, double *max_m) {
    if (fmax(low, *min_m) < fmin(high, *max_m))
        *min_m = fmax(low, *min_m), *max_m = fmin(high, *max_m);
}

static void widen(double margin_m, double *min_m, double *max_m) {
    *min_m = fmax(*min_m - margin_m, 0.0);
    *max_m += margin_m;
}

/* The ranges that are known are swept at a low resolution, which reaches the corners that matches
 * do not, and are found again with what that shows. Either way they hold; the narrower ends stay.
 * Images too small for that keep what their matches say. */
static AqmStatus tighten_ranges(AqmFrameWork *work, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const double margin_m = config->reconstruction.depth_margin;
    AqmCloud *others[AQM_CAMERAS_MAX];
    AqmDepthRange known[AQM_CAMERAS_MAX];
    bool are_known;
    for (size_t v = 0; v < work->view_count; v++)
        known[v] = work->ranges[v];
    AQM_TRY(aqm_frame_need_stereo_images(work, diag));
    AqmDiag why = {0};
    AqmStatus status = aqm_stereo_find_points(
        work->views, work->view_count, config->sparse_matching.num_neighbors,
        config->sparse_matching.include_center, known, config->runtime.threads, others, &why);
    if (status != AQM_OK && status != AQM_ERROR_NO_DATA)
        return aqm_fail(diag, status, "%s", why.message);
    status = sparse_ranges(work, others, 0.0, &are_known, diag);
    for (size_t v = 0; v < work->view_count; v++) {
        aqm_cloud_destroy(&others[v]);
        AqmDepthRange *found = &work->ranges[v];
        keep_common(found->min_m, found->max_m, &known[v].min_m, &known[v].max_m);
        keep_common(found->down_min_m, found->down_max_m, &known[v].down_min_m,
                    &known[v].down_max_m);
        widen(margin_m, &known[v].min_m, &known[v].max_m);
        widen(margin_m, &known[v].down_min_m, &known[v].down_max_m);
        if (!work->views[v].is_auxiliary)
            *found = known[v];
    }
    return status;
}

static AqmStatus choose_ranges(AqmFrameWork *work, const char **from, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    bool are_known = config->reconstruction.has_depth_range;
    *from = "configured";
    for (size_t v = 0; v < work->view_count; v++)
        work->ranges[v] = config->reconstruction.depth_range;
    if (are_known)
        return AQM_OK;
    if (config->matcher_type == AQM_MATCHER_ROMA) { /* which looks everywhere by itself */
        for (size_t v = 0; v < work->view_count; v++)
            work->ranges[v] = (AqmDepthRange){0};
        *from = "everywhere";
        return AQM_OK;
    }
    *from = "from matches";
    AQM_TRY(sparse_ranges(work, NULL, 0.0, &are_known, diag));
    if (are_known)
        return tighten_ranges(work, diag);
    *from = "from a coarse sweep";
    AQM_TRY(aqm_frame_need_stereo_images(work, diag));
    return aqm_stereo_find_ranges(
        work->views, work->view_count, config->sparse_matching.num_neighbors,
        config->sparse_matching.include_center, config->reconstruction.depth_margin,
        config->runtime.threads, work->ranges, diag);
}

AqmStatus aqm_frame_find_ranges(AqmFrameWork *work, AqmDiag *diag) {
    const char *from;
    AQM_TRY(choose_ranges(work, &from, diag));
    for (size_t v = 0; v < work->view_count; v++) {
        if (work->views[v].is_auxiliary || !(work->ranges[v].max_m > 0.0))
            continue;
        work->report->ranges[work->camera_of[v]] = work->ranges[v];
        aqm_log(&work->log, AQM_LOG_INFO, "frame %d: camera %s: depth range %.4f..%.4f m, %s",
                work->job->frame, aqm_frame_view_name(work, v), work->ranges[v].min_m,
                work->ranges[v].max_m, from);
    }
    return AQM_OK;
}

/* ---- depth maps ------------------------------------------------------------------------------ */

static AqmStatus write_map(const char *path, const void *map, const void *detail, AqmDiag *diag) {
    (void)detail;
    return aqm_depth_map_write(path, map, diag);
}

AqmStatus aqm_frame_take_map(AqmFrameWork *work, size_t view, AqmDepthMap *map, AqmDiag *diag) {
    work->maps[view] = map;
    work->has_map[work->camera_of[view]] = true;
    if (!work->job->config->runtime.keep_intermediates)
        return AQM_OK;
    char path[PATH_MAX];
    AQM_TRY(aqm_frame_folder(work, "depth_maps", diag));
    aqm_frame_path(work, path, "depth_maps/%s.npz", aqm_frame_view_name(work, view));
    return aqm_background_add(work->writer, write_map, path, map, NULL, diag);
}

static AqmStatus estimate_view(AqmFrameWork *work, size_t v, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    size_t sources[AQM_CAMERAS_MAX], count = 0, spare_count = 0;
    aqm_frame_sources(work, v, &work->ranges[v], sources, &count, &spare_count);
    if (count == 0) {
        aqm_log(&work->log, AQM_LOG_WARNING,
                "frame %d: camera %s sees nothing that another camera sees; it has no depth map",
                work->job->frame, aqm_frame_view_name(work, v));
        return AQM_OK;
    }
    AqmDepthMap *map = NULL;
    AQM_TRY(aqm_stereo_estimate(work->views, work->view_count, v, sources, count, spare_count,
                                &work->ranges[v], &config->reconstruction.stereo, &map, diag));
    return aqm_frame_take_map(work, v, map, diag);
}

AqmStatus aqm_frame_estimate_depths(AqmFrameWork *work, AqmDiag *diag) {
    size_t done = 0;
    AQM_TRY(aqm_frame_need_stereo_images(work, diag));
    for (size_t v = 0; v < work->view_count; v++) {
        if (work->views[v].is_auxiliary)
            continue;
        AQM_TRY(aqm_frame_enter(work, AQM_STAGE_STEREO, done++, work->report->references, diag));
        const AqmScope scope =
            aqm_scope_begin(AQM_SCOPE_PART, "view", aqm_frame_view_name(work, v));
        const AqmStatus status = estimate_view(work, v, diag);
        aqm_scope_end(&scope);
        AQM_TRY(status);
    }
    aqm_frame_drop_stereo_images(work);
    return AQM_OK;
}
