/* From features to the sparse cloud: SIFT and matching along refracted curves, or learned models;
 * then tracks. */
#include <math.h>
#include <string.h>

#include "aquamvs/features.h"
#include "aquamvs/io.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "pipeline/frame_pictures.h"
#include "pipeline/frame_work.h"
#include "pipeline/models.h"

/* ---- features -------------------------------------------------------------------------------- */

/* What features of view v are sought in: gray, equalised if that is asked for. */
static AqmStatus make_gray(AqmFrameWork *work, size_t v, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const size_t c = work->camera_of[v];
    const AqmImageView image = aqm_image_view(work->images[c]);
    const AqmImageView mask = aqm_image_view(aqm_frame_input(work, v)->mask);
    const double limit =
        config->sparse_matching.clahe_enabled ? config->sparse_matching.clahe_clip_limit : 0.0;
    AQM_TRY(aqm_features_image(&work->grays[v], &image, &mask, work->full_scale[c], limit, diag));
    work->gray_views[v] = aqm_image_view(work->grays[v]);
    return AQM_OK;
}

static AqmStatus detect(AqmFrameWork *work, size_t v, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const AqmImageView mask = aqm_image_view(aqm_frame_input(work, v)->mask);
    const AqmFeatureOptions options = {config->sparse_matching.max_keypoints,
                                       config->sparse_matching.detection_threshold};
    AQM_TRY(make_gray(work, v, diag));
    if (aqm_matches_by_models(config))
        return AQM_OK; /* a model is used by one thread at a time */
    return aqm_features_detect(&work->features[v], &work->gray_views[v], &mask, &options, diag);
}

/* What a model is shown: the image itself, but the gray one where that was equalised, or where the
 * image has more than 8 bits. */
static AqmImageView model_view(const AqmFrameWork *work, size_t v) {
    const AqmImage *image = work->images[work->camera_of[v]];
    const bool is_plain =
        image->type == AQM_U8 && !work->job->config->sparse_matching.clahe_enabled;
    return is_plain ? aqm_image_view(image) : work->gray_views[v];
}

static AqmStatus extract(AqmFrameWork *work, size_t v, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const AqmImageView image = model_view(work, v);
    const AqmImageView mask = aqm_image_view(aqm_frame_input(work, v)->mask);
    return aqm_learned_extract(&work->features[v], work->job->models->extractor, &image, &mask,
                               config->sparse_matching.max_keypoints,
                               config->sparse_matching.detection_threshold, diag);
}

/* Passes an error on, with the name of the view it belongs to. */
static AqmStatus pass_on(const AqmFrameWork *work, size_t v, AqmStatus status, const AqmDiag *why,
                         AqmDiag *diag) {
    return aqm_fail(diag, status, "camera %s: %s", aqm_frame_view_name(work, v), why->message);
}

AqmStatus aqm_frame_find_features(AqmFrameWork *work, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    AqmStatus statuses[AQM_CAMERAS_MAX] = {AQM_OK};
    AqmDiag diags[AQM_CAMERAS_MAX] = {0};
#pragma omp parallel for schedule(dynamic, 1) num_threads(aqm_thread_count(config->runtime.threads))
    for (size_t v = 0; v < work->view_count; v++) {
        const AqmScope scope =
            aqm_scope_begin(AQM_SCOPE_TASK, "camera", aqm_frame_view_name(work, v));
        statuses[v] = detect(work, v, &diags[v]);
        aqm_scope_end(&scope);
    }
    for (size_t v = 0; v < work->view_count; v++) {
        if (statuses[v] == AQM_OK && work->job->models && work->job->models->extractor)
            statuses[v] = extract(work, v, &diags[v]);
        if (statuses[v] != AQM_OK)
            return pass_on(work, v, statuses[v], &diags[v], diag);
    }
    return AQM_OK;
}

/* ---- matches --------------------------------------------------------------------------------- */

/* Features and their descriptors are there; a model matches them. */
static AqmStatus match_apart(AqmFrameWork *work, AqmFramePair *pair, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    const AqmView *first = work->views[pair->first].view, *second = work->views[pair->second].view;
    const int first_size[2] = {first->width, first->height};
    const int second_size[2] = {second->width, second->height};
    return aqm_learned_match(&pair->matches, work->job->models->matcher,
                             work->features[pair->first], first_size, work->features[pair->second],
                             second_size, config->sparse_matching.filter_threshold, diag);
}

/* Which of the features of a view one at (u, v) is; its count if it is none of them. */
static size_t find_feature(const AqmFeatures *features, const float position[2]) {
    size_t k = 0;
    while (k < features->count && (features->position[2 * k] != position[0] ||
                                   features->position[2 * k + 1] != position[1]))
        k++;
    return k;
}

/* Adds what a view's side of some matches names and the view does not have yet (a joined model may
 * find other features beside another image), and gives the matches their numbers there. */
static AqmStatus adopt(AqmFeatures **kept, const float *position, uint32_t *number, size_t count,
                       AqmDiag *diag) {
    const size_t before = *kept ? (*kept)->count : 0;
    AqmFeatures *all = NULL;
    AQM_TRY(aqm_features_create(&all, before + count, 1, diag));
    if (*kept)
        memcpy(all->position, (*kept)->position, 2 * before * sizeof(float));
    all->count = before;
    for (size_t m = 0; m < count; m++) {
        const size_t at = find_feature(all, position + 2 * m);
        number[m] = (uint32_t)at;
        if (at < all->count)
            continue;
        memcpy(all->position + 2 * at, position + 2 * m, 2 * sizeof(float));
        all->count++;
    }
    for (size_t k = 0; k < all->count; k++)
        all->scale[k] = all->orientation[k] = NAN;
    aqm_features_destroy(kept);
    *kept = all;
    return AQM_OK;
}

/* A joined model knows nothing of masks. */
static void drop_masked(const AqmFrameWork *work, const AqmFramePair *pair) {
    AqmMatches *m = pair->matches;
    size_t kept = 0;
    for (size_t k = 0; k < m->count; k++) {
        if (aqm_frame_is_masked(work, pair->first, m->first_position + 2 * k) ||
            aqm_frame_is_masked(work, pair->second, m->second_position + 2 * k))
            continue;
        m->first[kept] = m->first[k];
        m->second[kept] = m->second[k];
        m->score[kept] = m->score[k];
        memmove(m->first_position + 2 * kept, m->first_position + 2 * k, 2 * sizeof(float));
        memmove(m->second_position + 2 * kept, m->second_position + 2 * k, 2 * sizeof(float));
        kept++;
    }
    m->count = kept;
}

static AqmStatus match_joined(AqmFrameWork *work, AqmFramePair *pair, AqmDiag *diag) {
    const AqmImageView first = model_view(work, pair->first);
    const AqmImageView second = model_view(work, pair->second);
    AqmFeatures *found[2] = {NULL, NULL};
    AQM_TRY(aqm_learned_match_images(&found[0], &found[1], &pair->matches,
                                     work->job->models->joined, &first, &second,
                                     work->job->config->sparse_matching.filter_threshold, diag));
    aqm_features_destroy(&found[0]);
    aqm_features_destroy(&found[1]);
    drop_masked(work, pair);
    AqmMatches *m = pair->matches;
    AQM_TRY(adopt(&work->features[pair->first], m->first_position, m->first, m->count, diag));
    return adopt(&work->features[pair->second], m->second_position, m->second, m->count, diag);
}

static AqmStatus match_by_model(AqmFrameWork *work, AqmDiag *diag) {
    for (size_t p = 0; p < work->pair_count; p++) {
        AqmFramePair *pair = &work->pairs[p];
        AQM_TRY(aqm_frame_enter(work, AQM_STAGE_MATCHING, p, work->pair_count, diag));
        const AqmStatus status = work->job->models->joined ? match_joined(work, pair, diag)
                                                           : match_apart(work, pair, diag);
        if (status != AQM_OK) {
            aqm_diag_prefix(diag, "cameras %s and %s: ", aqm_frame_view_name(work, pair->first),
                            aqm_frame_view_name(work, pair->second));
            return status;
        }
    }
    /* views in no pair, or without a match */
    for (size_t v = 0; v < work->view_count; v++)
        if (!work->features[v])
            AQM_TRY(aqm_features_create(&work->features[v], 0, 1, diag));
    return AQM_OK;
}

static void fill_match_views(AqmFrameWork *work) {
    const AqmConfig *config = work->job->config;
    for (size_t v = 0; v < work->view_count; v++) {
        work->match_views[v] = (AqmMatchView){work->views[v].view,
                                              &work->gray_views[v],
                                              work->features[v],
                                              {.min_m = 0.0, .max_m = 0.0}};
        if (config->reconstruction.has_depth_range)
            work->match_views[v].range = config->reconstruction.depth_range;
    }
}

/* The pairs side by side, each by one thread. */
static AqmStatus match_by_curves(AqmFrameWork *work, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    AqmMatchOptions options = aqm_match_options_default();
    options.filter_threshold = config->sparse_matching.filter_threshold;
    options.threads = 1;
    AqmStatus worst = AQM_OK;
    AqmDiag worst_why = {0};
    size_t worst_pair = work->pair_count;
    fill_match_views(work);
#pragma omp parallel for schedule(dynamic, 1) num_threads(aqm_thread_count(config->runtime.threads))
    for (size_t p = 0; p < work->pair_count; p++) {
        AqmFramePair *pair = &work->pairs[p];
        AqmDiag why = {0};
        const AqmScope scope = aqm_scope_begin(AQM_SCOPE_TASK, "pair", NULL);
        const AqmStatus status =
            aqm_match_features(&pair->matches, &work->match_views[pair->first],
                               &work->match_views[pair->second], &options, &why);
        aqm_scope_end(&scope);
#pragma omp critical
        if (status != AQM_OK && p < worst_pair) {
            worst = status;
            worst_pair = p;
            worst_why = why;
        }
    }
    return worst == AQM_OK ? AQM_OK : aqm_fail(diag, worst, "%s", worst_why.message);
}

/* ---- files and pictures ---------------------------------------------------------------------- */

static AqmStatus save(AqmFrameWork *work, AqmDiag *diag) {
    char path[PATH_MAX];
    AQM_TRY(aqm_frame_folder(work, "features", diag));
    for (size_t v = 0; v < work->view_count; v++) {
        aqm_frame_path(work, path, "features/%s.npz", aqm_frame_view_name(work, v));
        AQM_TRY(aqm_features_write(path, work->features[v], diag));
    }
    for (size_t p = 0; p < work->pair_count; p++) {
        const AqmFramePair *pair = &work->pairs[p];
        aqm_frame_path(work, path, "features/matches_%s_%s.npz",
                       aqm_frame_view_name(work, pair->first),
                       aqm_frame_view_name(work, pair->second));
        AQM_TRY(aqm_matches_write(path, pair->matches, diag));
    }
    return AQM_OK;
}

static AqmImageView image_of(const AqmFrameWork *work, size_t v) {
    return aqm_image_view(work->images[work->camera_of[v]]);
}

static void draw(AqmFrameWork *work) {
    for (size_t v = 0; v < work->view_count; v++) {
        AqmDiag why = {0};
        const AqmImageView image = image_of(work, v);
        aqm_frame_tell_picture(work,
                               aqm_frame_draw_features(work->job, aqm_frame_view_name(work, v),
                                                       &image, work->full_scale[work->camera_of[v]],
                                                       work->features[v], &why),
                               &why);
    }
    for (size_t p = 0; p < work->pair_count; p++) {
        const AqmFramePair *pair = &work->pairs[p];
        AqmDiag why = {0};
        const AqmImageView first = image_of(work, pair->first);
        const AqmImageView second = image_of(work, pair->second);
        const char *const names[2] = {aqm_frame_view_name(work, pair->first),
                                      aqm_frame_view_name(work, pair->second)};
        aqm_frame_tell_picture(
            work,
            aqm_frame_draw_matches(work->job, names, &first, &second,
                                   work->full_scale[work->camera_of[pair->first]], pair->matches,
                                   &why),
            &why);
    }
}

AqmStatus aqm_frame_match(AqmFrameWork *work, AqmDiag *diag) {
    const AqmConfig *config = work->job->config;
    AQM_TRY(aqm_frame_find_pairs(work, diag));
    AQM_TRY(aqm_matches_by_models(config) ? match_by_model(work, diag)
                                          : match_by_curves(work, diag));
    if (config->runtime.save_features)
        AQM_TRY(save(work, diag));
    if (aqm_picture_wanted(config, AQM_PICTURE_FEATURES))
        draw(work);
    for (size_t v = 0; v < work->view_count; v++)
        aqm_image_destroy(&work->grays[v]);
    return AQM_OK;
}

/* ---- points ---------------------------------------------------------------------------------- */

static AqmStatus build_tracks(AqmFrameWork *work, AqmDiag *diag) {
    AqmTrackOptions options = aqm_track_options_default();
    options.threads = work->job->config->runtime.threads;
    AqmMatchPair *pairs = aqm_alloc(work->pair_count, sizeof *pairs);
    if (!pairs)
        return aqm_fail_memory(diag, "pairs of views", work->pair_count, sizeof *pairs);
    size_t count = 0;
    for (size_t p = 0; p < work->pair_count; p++) {
        const AqmFramePair *pair = &work->pairs[p];
        pairs[p] = (AqmMatchPair){pair->first, pair->second, pair->matches};
        count += pair->matches->count;
    }
    fill_match_views(work);
    const AqmStatus status = aqm_tracks_build(&work->tracks, work->match_views, work->view_count,
                                              pairs, work->pair_count, &options, diag);
    aqm_free(pairs);
    work->report->matches = count;
    return status;
}

static AqmStatus make_cloud(AqmFrameWork *work, AqmDiag *diag) {
    const AqmView *views[AQM_CAMERAS_MAX];
    AqmImageView images[AQM_CAMERAS_MAX];
    const AqmImageView *colors[AQM_CAMERAS_MAX];
    double full_scale[AQM_CAMERAS_MAX];
    for (size_t v = 0; v < work->view_count; v++) {
        views[v] = work->views[v].view;
        images[v] = image_of(work, v);
        colors[v] = &images[v];
        full_scale[v] = work->full_scale[work->camera_of[v]];
    }
    return aqm_tracks_cloud(&work->sparse_cloud, work->tracks, views, colors, full_scale,
                            work->view_count, diag);
}

AqmStatus aqm_frame_triangulate(AqmFrameWork *work, AqmDiag *diag) {
    AQM_TRY(build_tracks(work, diag));
    AQM_TRY(aqm_tracks_remove_outliers(work->tracks, diag));
    AQM_TRY(make_cloud(work, diag));
    for (size_t v = 0; v < work->view_count; v++)
        aqm_features_destroy(&work->features[v]);
    for (size_t p = 0; p < work->pair_count; p++)
        aqm_matches_destroy(&work->pairs[p].matches);
    work->report->sparse_points = work->tracks->count;
    aqm_log(&work->log, AQM_LOG_INFO, "frame %d: %zu matches in %zu pairs of cameras, %zu points",
            work->job->frame, work->report->matches, work->pair_count, work->tracks->count);
    if (work->tracks->count == 0 && work->job->config->pipeline_mode == AQM_MODE_SPARSE)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "no point could be triangulated from %zu matches in %zu pairs of cameras: "
                        "is there texture that two cameras see, and are the calibration and the "
                        "pairing of the images right?",
                        work->report->matches, work->pair_count);
    return aqm_frame_write_cloud(work, "sparse", "sparse_cloud.ply", work->sparse_cloud, diag);
}
