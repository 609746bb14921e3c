/* matching: features and matches of a scene whose truth is known, judged and timed.
 *
 *     matching CONFIG.yaml [--keypoints N] [--clahe LIMIT] [--threads N] [--range MARGIN_M]
 *
 * The scene is one that `aquamvs synth` has written, or another with the same gt/scene.json.
 * README.md has the columns. */
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/features.h"
#include "aquamvs/matching.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "bench.h"
#include "config/config.h"
#include "evaluate/truth.h"
#include "math/stats.h"
#include "pipeline/frame.h"

typedef struct Settings {
    const char *config;
    AqmFeatureOptions features;
    AqmMatchOptions match;
    double clahe, margin_m; /* NaN: no range */
} Settings;

/* One scene; arrays run over its cameras. */
typedef struct Scene {
    const Settings *settings;
    AqmConfig *config;
    AqmInputs *inputs;
    AqmTruth *truth;
    AqmSurfaceBounds bounds;
    size_t count;
    AqmImage **images, **grays;
    AqmImageView *views;
    AqmFeatures **features;
    AqmMatchView *match_views;
    double features_s; /* CPU time */
} Scene;

typedef struct Score {
    size_t features, matches, within;
    double median_px, cpu_s;
} Score;

/* ---- preparation ----------------------------------------------------------------------------- */

static AqmStatus open_scene(Scene *scene, AqmDiag *diag) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", scene->settings->config);
    AQM_TRY(aqm_config_read(path, NULL, 0, NULL, &scene->config, diag));
    AQM_TRY(aqm_inputs_open(&scene->inputs, scene->config, NULL, diag));
    AQM_TRY(aqm_truth_read(&scene->truth, dirname(path), 0, diag));
    scene->bounds = aqm_surface_bounds(scene->truth->surface, 3.0);
    const size_t count = scene->count = scene->inputs->camera_count;
    scene->images = aqm_calloc(count, sizeof *scene->images);
    scene->grays = aqm_calloc(count, sizeof *scene->grays);
    scene->views = aqm_calloc(count, sizeof *scene->views);
    scene->features = aqm_calloc(count, sizeof *scene->features);
    scene->match_views = aqm_calloc(count, sizeof *scene->match_views);
    if (!scene->images || !scene->grays || !scene->views || !scene->features || !scene->match_views)
        return aqm_fail_memory(diag, "a scene", count, sizeof *scene->views);
    return aqm_frame_read(scene->inputs, 0, scene->settings->match.threads, scene->images, NULL,
                          diag);
}

static AqmStatus prepare_camera(Scene *scene, size_t c, AqmDiag *diag) {
    const AqmInput *input = &scene->inputs->cameras[c];
    const AqmImageView raw = aqm_image_view(scene->images[c]), mask = aqm_image_view(input->mask);
    AqmImage *straight = NULL;
    AQM_TRY(aqm_undistort_image(input->camera, input->K_new, &raw, 1, &straight, diag));
    aqm_image_destroy(&scene->images[c]);
    scene->images[c] = straight;
    const AqmImageView view = aqm_image_view(straight);
    return aqm_features_image(&scene->grays[c], &view, &mask, 255.0, scene->settings->clahe, diag);
}

static AqmStatus detect(Scene *scene, size_t c, AqmDiag *diag) {
    const AqmInput *input = &scene->inputs->cameras[c];
    const AqmImageView mask = aqm_image_view(input->mask);
    scene->views[c] = aqm_image_view(scene->grays[c]);
    AQM_TRY(aqm_features_detect(&scene->features[c], &scene->views[c], &mask,
                                &scene->settings->features, diag));
    scene->match_views[c] = (AqmMatchView){
        .view = &input->view, .gray = &scene->views[c], .features = scene->features[c]};
    return AQM_OK;
}

/* Runs over all cameras at once, as the pipeline does. */
static AqmStatus for_cameras(Scene *scene, AqmStatus (*work)(Scene *, size_t, AqmDiag *),
                             AqmDiag *diag) {
    AqmStatus worst = AQM_OK;
#pragma omp parallel for num_threads(aqm_thread_count(scene->settings->match.threads))             \
    schedule(dynamic, 1)
    for (size_t c = 0; c < scene->count; c++) {
        AqmDiag own = {0};
        const AqmStatus status = work(scene, c, &own);
#pragma omp critical
        if (status != AQM_OK && worst == AQM_OK) {
            worst = status;
            *diag = own;
        }
    }
    return worst;
}

/* ---- truth ----------------------------------------------------------------------------------- */

static bool true_depth(const Scene *scene, const AqmView *view, double u, double v, double *depth_m,
                       double point[3]) {
    AqmRay ray;
    if (!aqm_view_cast(view, u, v, &ray) ||
        !aqm_surface_intersect(scene->truth->surface, &scene->bounds, &ray, NAN, depth_m))
        return false;
    for (int k = 0; k < 3; k++)
        point[k] = ray.origin[k] + *depth_m * ray.direction[k];
    return true;
}

/* The range of ray depths in the image, widened. */
static AqmStatus set_range(Scene *scene, size_t c, AqmDiag *diag) {
    const AqmView *view = &scene->inputs->cameras[c].view;
    AqmDepthRange range = {.min_m = INFINITY, .max_m = -INFINITY};
    (void)diag;
    for (int v = 0; v < view->height; v += 20)
        for (int u = 0; u < view->width; u += 20) {
            double depth_m, point[3];
            if (!true_depth(scene, view, u, v, &depth_m, point))
                continue;
            range.min_m = fmin(range.min_m, depth_m - scene->settings->margin_m);
            range.max_m = fmax(range.max_m, depth_m + scene->settings->margin_m);
        }
    range.min_m = fmax(range.min_m, 0.0);
    scene->match_views[c].range = range;
    return AQM_OK;
}

/* How far the counterpart is from where the true surface's point is seen; no truth: far. */
static double error_px(const Scene *scene, size_t first, size_t second, const AqmMatches *matches,
                       size_t m) {
    const float *p = matches->first_position + 2 * m, *q = matches->second_position + 2 * m;
    double depth_m, point[3], pixel[2];
    if (!true_depth(scene, scene->match_views[first].view, (double)p[0], (double)p[1], &depth_m,
                    point) ||
        !aqm_view_project(scene->match_views[second].view, point, pixel))
        return INFINITY;
    return hypot(pixel[0] - (double)q[0], pixel[1] - (double)q[1]);
}

static AqmStatus judge(const Scene *scene, size_t first, size_t second, const AqmMatches *matches,
                       Score *score, AqmDiag *diag) {
    double *errors = aqm_alloc(matches->count, sizeof *errors);
    if (!errors)
        return aqm_fail_memory(diag, "errors", matches->count, sizeof *errors);
    score->matches = matches->count;
    for (size_t m = 0; m < matches->count; m++) {
        errors[m] = error_px(scene, first, second, matches, m);
        score->within += errors[m] <= 1.0;
    }
    score->median_px =
        matches->count ? aqm_select_f64(errors, matches->count, matches->count / 2) : NAN;
    aqm_free(errors);
    return AQM_OK;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void print_row(const char *pair, const Score *score) {
    printf("%s,%zu,%zu,%.2f,%.4f,%.4f\n", pair, score->features, score->matches,
           score->matches ? 100.0 * (double)score->within / (double)score->matches : NAN,
           score->median_px, score->cpu_s);
}

static AqmStatus match_pair(const Scene *scene, const size_t pair[2], Score *score, AqmDiag *diag) {
    AqmMatches *matches = NULL;
    const double start_s = bench_process_s();
    AQM_TRY(aqm_match_features(&matches, &scene->match_views[pair[0]], &scene->match_views[pair[1]],
                               &scene->settings->match, diag));
    score->cpu_s = bench_process_s() - start_s;
    const AqmStatus status = judge(scene, pair[0], pair[1], matches, score, diag);
    aqm_matches_destroy(&matches);
    return status;
}

static AqmStatus match_pairs(const Scene *scene, size_t (*pairs)[2], size_t count, AqmDiag *diag) {
    Score total = {.median_px = 0.0};
    double *counts = aqm_alloc(2 * count, sizeof *counts), *medians = counts + count;
    if (!counts)
        return aqm_fail_memory(diag, "scores", count, 2 * sizeof *counts);
    for (size_t k = 0; k < count; k++) {
        Score score = {0};
        char name[2 * AQM_NAME_MAX];
        const AqmStatus status = match_pair(scene, pairs[k], &score, diag);
        if (status != AQM_OK) {
            aqm_free(counts);
            return status;
        }
        (void)snprintf(name, sizeof name, "%s-%s", scene->inputs->cameras[pairs[k][0]].camera->name,
                       scene->inputs->cameras[pairs[k][1]].camera->name);
        score.features = scene->features[pairs[k][0]]->count;
        print_row(name, &score);
        counts[k] = (double)score.matches;
        medians[k] = score.median_px;
        total.features += score.features;
        total.matches += score.matches;
        total.within += score.within;
        total.cpu_s += score.cpu_s;
    }
    total.median_px = aqm_percentile_f64(medians, count, 50.0);
    print_row("total", &total);
    printf("# matches a pair: least %.0f, median %.0f; features %.3f s, matching %.3f s of CPU "
           "time\n",
           aqm_percentile_f64(counts, count, 0.0), aqm_percentile_f64(counts, count, 50.0),
           scene->features_s, total.cpu_s);
    aqm_free(counts);
    return AQM_OK;
}

static AqmStatus match_all(const Scene *scene, AqmDiag *diag) {
    const size_t count = scene->count;
    const AqmView **views = aqm_calloc(count, sizeof *views);
    bool *is_auxiliary = aqm_calloc(count, sizeof *is_auxiliary);
    size_t(*pairs)[2] = aqm_calloc(count * count, sizeof *pairs);
    AqmStatus status = AQM_OK;
    if (views && is_auxiliary && pairs) {
        for (size_t c = 0; c < count; c++) {
            views[c] = scene->match_views[c].view;
            is_auxiliary[c] = scene->inputs->cameras[c].camera->is_auxiliary;
        }
        const size_t pair_count = aqm_pairs_by_distance(
            views, is_auxiliary, count, scene->config->sparse_matching.num_neighbors,
            scene->config->sparse_matching.include_center, pairs);
        printf("pair,features,matches,within_1px_pct,median_px,cpu_s\n");
        status = match_pairs(scene, pairs, pair_count, diag);
    } else {
        status = aqm_fail_memory(diag, "pairs", count * count, sizeof *pairs);
    }
    aqm_free(views);
    aqm_free(is_auxiliary);
    aqm_free(pairs);
    return status;
}

static AqmStatus run(Scene *scene, AqmDiag *diag) {
    AQM_TRY(open_scene(scene, diag));
    AQM_TRY(for_cameras(scene, prepare_camera, diag));
    const double start_s = bench_process_s();
    AQM_TRY(for_cameras(scene, detect, diag));
    scene->features_s = bench_process_s() - start_s;
    if (!isnan(scene->settings->margin_m))
        AQM_TRY(for_cameras(scene, set_range, diag));
    return match_all(scene, diag);
}

static void close_scene(Scene *scene) {
    for (size_t c = 0; c < scene->count; c++) {
        aqm_image_destroy(scene->images ? &scene->images[c] : NULL);
        aqm_image_destroy(scene->grays ? &scene->grays[c] : NULL);
        aqm_features_destroy(scene->features ? &scene->features[c] : NULL);
    }
    aqm_free(scene->images);
    aqm_free(scene->grays);
    aqm_free(scene->views);
    aqm_free(scene->features);
    aqm_free(scene->match_views);
    aqm_truth_destroy(&scene->truth);
    aqm_inputs_close(&scene->inputs);
    aqm_config_destroy(&scene->config);
}

static bool parse(int argc, char **argv, Settings *settings) {
    if (argc < 2 || argc % 2 != 0)
        return false;
    settings->config = argv[1];
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--keypoints") == 0)
            settings->features.max_keypoints = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            settings->match.threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--range") == 0)
            settings->margin_m = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--clahe") == 0)
            settings->clahe = atof(argv[i + 1]);
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv) {
    Settings settings = {.features = aqm_feature_options_default(),
                         .match = aqm_match_options_default(),
                         .margin_m = NAN};
    if (!parse(argc, argv, &settings)) {
        fprintf(stderr, "usage: matching CONFIG.yaml [--keypoints N] [--threads N] [--clahe LIMIT] "
                        "[--range MARGIN_M]\n");
        return 2;
    }
    Scene scene = {.settings = &settings};
    AqmDiag diag = {0};
    const AqmStatus status = run(&scene, &diag);
    if (status != AQM_OK)
        fprintf(stderr, "matching: %s\n", diag.message);
    close_scene(&scene);
    return status == AQM_OK ? 0 : 1;
}
