#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "math/stats.h"
#include "stages/matching/test_tracks_scene.h"

static const SceneOptions typical = {
    .points = 1500, .feature_px = 0.4, .match_px = 0.05, .n = 1.333, .seed = 5, .wave_m = 0.004};

typedef struct Errors {
    double median_mm, p95_mm, off_pct, within1_pct, within2_pct, mean_views;
} Errors;

/* Distances of the points to the surface. */
static Errors measure(const Scene *scene, const AqmTracks *tracks) {
    double *away = malloc(tracks->count * sizeof *away);
    Errors errors = {0};
    const double share = 100.0 / (double)tracks->count;
    for (size_t i = 0; i < tracks->count; i++) {
        away[i] = 1e3 * fabs(aqm_surface_distance(scene->surface, tracks->position + 3 * i));
        const double sigma_mm = 1e3 * (double)tracks->sigma_m[i];
        errors.off_pct += away[i] > 5.0 ? share : 0.0;
        errors.within1_pct += away[i] < sigma_mm ? share : 0.0;
        errors.within2_pct += away[i] < 2.0 * sigma_mm ? share : 0.0;
    }
    errors.median_mm = aqm_percentile_f64(away, tracks->count, 50.0);
    errors.p95_mm = aqm_percentile_f64(away, tracks->count, 95.0);
    errors.mean_views = (double)tracks->first[tracks->count] / (double)tracks->count;
    free(away);
    print_message("%zu points, %.2f views each: median %.4f, p95 %.4f mm, %.2f %% off by 5 mm; "
                  "%.1f / %.1f %% within 1 / 2 sigma\n",
                  tracks->count, errors.mean_views, errors.median_mm, errors.p95_mm, errors.off_pct,
                  errors.within1_pct, errors.within2_pct);
    return errors;
}

static Errors build_and_measure(const SceneOptions *options) {
    Scene scene;
    scene_make(&scene, options);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions track_options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
    const Errors errors = measure(&scene, tracks);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
    return errors;
}

static void exact_matches_give_exact_points(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.match_px = 0.0, options.wave_m = 0.0;
    const Errors level = build_and_measure(&options);
    assert_true(level.p95_mm < 0.002 && level.mean_views > 7.0);
    /* steep waves: positions are carried from feature to feature as if the bed were level */
    options.wave_m = typical.wave_m;
    assert_true(build_and_measure(&options).p95_mm < 0.15);
    /* features that were found exactly need no refined positions */
    options.feature_px = 0.0, options.match_px = -1.0;
    assert_true(build_and_measure(&options).p95_mm < 0.002);
    options.n = 1.0;
    assert_true(build_and_measure(&options).p95_mm < 0.002);
}

static void noise_of_the_features_does_not_count(void **state) {
    (void)state;
    const Errors refined = build_and_measure(&typical);
    assert_true(refined.median_mm < 0.06 && refined.p95_mm < 0.2 && refined.off_pct == 0.0);
    SceneOptions options = typical;
    options.match_px = -1.0;
    assert_true(build_and_measure(&options).median_mm > 2.5 * refined.median_mm);
}

static void sigma_tells_the_errors(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.wave_m = 0.001;
    const Errors refined = build_and_measure(&options);
    /* positions two links from the anchor share the errors of those between: a little optimistic */
    assert_true(refined.within1_pct > 52.0 && refined.within1_pct < 76.0);
    assert_true(refined.within2_pct > 85.0 && refined.within2_pct < 98.5);
    options.match_px = -1.0;
    const Errors own = build_and_measure(&options);
    assert_true(own.within1_pct > 63.0 && own.within1_pct < 73.0);
    assert_true(own.within2_pct > 93.0 && own.within2_pct < 97.5);
}

static void wrong_matches_are_dropped(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.wrong = 0.05;
    Scene scene;
    scene_make(&scene, &options);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions track_options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
    const Errors before = measure(&scene, tracks);
    const size_t count = tracks->count;
    assert_int_equal(aqm_tracks_remove_outliers(tracks, NULL), AQM_OK);
    const Errors after = measure(&scene, tracks);
    assert_true(count > 1300 && tracks->count > count - count / 30);
    assert_true(before.off_pct > 0.05 && before.off_pct < 3.0 && after.off_pct < 0.1 &&
                after.median_mm < 0.1);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

/* ---- depth ranges ---------------------------------------------------------------------------- */

/* The ranges of ray depth and of depth straight down that a view sees, on a grid of pixels. */
static AqmDepthRange true_range(const Scene *scene, size_t v) {
    const AqmView *view = &scene->views[v];
    AqmDepthRange range = {(double)INFINITY, 0.0, (double)INFINITY, 0.0};
    for (int y = 0; y < view->height; y += 21)
        for (int x = 0; x < view->width; x += 23) {
            AqmRay ray;
            double s = 0.32;
            assert_true(aqm_view_cast(view, x, y, &ray));
            assert_true(aqm_surface_intersect(scene->surface, &scene->bounds, &ray, s, &s));
            const double h = s * ray.direction[2];
            range.min_m = fmin(range.min_m, s), range.max_m = fmax(range.max_m, s);
            range.down_min_m = fmin(range.down_min_m, h);
            range.down_max_m = fmax(range.down_max_m, h);
        }
    return range;
}

typedef struct Widths {
    double ray, down; /* largest, of the truth */
    int ray_misses, down_misses;
} Widths;

static void compare_ranges(const Scene *scene, const AqmTracks *tracks, double margin_m,
                           Widths *widths) {
    for (size_t v = 0; v < SCENE_VIEWS; v++) {
        const AqmDepthRange truth = true_range(scene, v);
        AqmDepthRange found;
        assert_int_equal(
            aqm_tracks_depth_range(tracks, NULL, &scene->views[v], margin_m, &found, NULL), AQM_OK);
        widths->ray_misses += found.min_m > truth.min_m || found.max_m < truth.max_m;
        widths->down_misses +=
            found.down_min_m > truth.down_min_m || found.down_max_m < truth.down_max_m;
        widths->ray = fmax(widths->ray, (found.max_m - found.min_m) / (truth.max_m - truth.min_m));
        widths->down = fmax(widths->down, (found.down_max_m - found.down_min_m) /
                                              (truth.down_max_m - truth.down_min_m));
    }
}

static void ranges_hold_the_true_ones(void **state) {
    (void)state;
    const double slopes[3] = {0.0, 0.2, 0.05}, waves[3] = {0.004, 0.002, 0.008};
    for (int kind = 0; kind < 3; kind++) {
        Widths widths = {0};
        for (uint64_t seed = 1; seed <= 20; seed++) {
            SceneOptions options = typical;
            options.seed = seed, options.slope = slopes[kind], options.wave_m = waves[kind];
            options.wrong = 0.03, options.points = 1000;
            Scene scene;
            scene_make(&scene, &options);
            AqmTracks *tracks = NULL;
            const AqmTrackOptions track_options = aqm_track_options_default();
            assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
            assert_int_equal(aqm_tracks_remove_outliers(tracks, NULL), AQM_OK);
            compare_ranges(&scene, tracks, 0.0, &widths);
            aqm_tracks_destroy(&tracks);
            scene_free(&scene);
        }
        print_message("waves %g m, slope %g: up to %.2f (ray depth) and %.2f (straight down) times "
                      "as wide; %d and %d misses\n",
                      waves[kind], slopes[kind], widths.ray, widths.down, widths.ray_misses,
                      widths.down_misses);
        assert_int_equal(widths.ray_misses + widths.down_misses, 0);
        assert_true(widths.ray < 1.5 && widths.down < 1.5);
    }
}

/* A hole of 6 cm about the axis, in the middle of the images. */
static double hole_at(double x, double y) {
    return 0.06 * exp(-(x * x + y * y) / (2.0 * 0.05 * 0.05));
}

/* Keeps what lies in the middle of the image, and digs the hole. */
static void keep_middle(const AqmView *view, AqmTracks *tracks) {
    size_t kept = 0;
    for (size_t i = 0; i < tracks->count; i++) {
        const double *from = tracks->position + 3 * i;
        double pixel[2];
        if (!aqm_view_project(view, from, pixel) || fabs(pixel[0] - 800.0) > 450.0 ||
            fabs(pixel[1] - 600.0) > 350.0)
            continue;
        double *to = tracks->position + 3 * kept++;
        memmove(to, from, 3 * sizeof *from);
        to[2] += hole_at(to[0], to[1]);
    }
    tracks->count = kept;
}

/* What a coarse map shows of view v: points all over it, 1 mm off one way or the other. */
static AqmCloud *coarse_points(const Scene *scene, const AqmView *view, bool has_hole) {
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_cloud_create(&cloud, 80 * 60, NULL), AQM_OK);
    for (int y = 10; y < view->height; y += 20)
        for (int x = 10; x < view->width; x += 20) {
            AqmRay ray;
            double s = 0.32;
            assert_true(aqm_view_cast(view, x, y, &ray));
            assert_true(aqm_surface_intersect(scene->surface, &scene->bounds, &ray, s, &s));
            s += (x / 20 + y / 20) % 2 ? 0.001 : -0.001;
            for (size_t k = 0; k < 3; k++)
                cloud->position[3 * cloud->count + k] =
                    (float)(ray.origin[k] + s * ray.direction[k]);
            float *at = cloud->position + 3 * cloud->count++;
            at[2] += has_hole ? (float)hole_at((double)at[0], (double)at[1]) : 0.0f;
        }
    return cloud;
}

static void other_points_tell_of_the_rim(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.slope = 0.05, options.wave_m = 0.008;
    Scene scene;
    scene_make(&scene, &options);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions track_options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
    const AqmView *view = &scene.views[0];
    keep_middle(view, tracks);
    AqmCloud *others = coarse_points(&scene, view, true);
    const AqmDepthRange truth = true_range(&scene, 0);
    AqmDepthRange without, with, same;
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.0, &without, NULL), AQM_OK);
    assert_int_equal(aqm_tracks_depth_range(tracks, others, view, 0.0, &with, NULL), AQM_OK);
    const double width = truth.max_m - truth.min_m;
    const double before = (without.max_m - without.min_m) / width;
    const double after = (with.max_m - with.min_m) / width;
    print_message("%zu matched points: %.2f times as wide, %.2f with %zu others\n", tracks->count,
                  before, after, others->count);
    assert_true(with.min_m < truth.min_m && with.max_m > truth.max_m);
    /* by the matches alone the rim may be as deep as the hole */
    assert_true(before > 1.5 && after < 1.45);
    /* fewer than 20 are as none */
    others->count = 19;
    assert_int_equal(aqm_tracks_depth_range(tracks, others, view, 0.0, &same, NULL), AQM_OK);
    assert_memory_equal(&same, &without, sizeof same);
    aqm_cloud_destroy(&others);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

/* A small body that ten matches show stands, whatever the many others say. */
static void others_do_not_outvote_a_matched_body(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, &typical);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions track_options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
    for (size_t i = 0; i < 10; i++) {
        tracks->position[3 * i] = tracks->position[3 * i + 1] = 0.002 * (double)i;
        tracks->position[3 * i + 2] = 1.18 + 0.001 * (double)i;
    }
    AqmCloud *others = coarse_points(&scene, &scene.views[0], false);
    AqmDepthRange found;
    assert_int_equal(aqm_tracks_depth_range(tracks, others, &scene.views[0], 0.0, &found, NULL),
                     AQM_OK);
    assert_true(found.down_min_m < 0.2);
    aqm_cloud_destroy(&others);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

static void ranges_stand_strays_and_want_points(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, &typical);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &options, &tracks), AQM_OK);
    AqmDepthRange clean, found, margin;
    const AqmView *view = &scene.views[0];
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.0, &clean, NULL), AQM_OK);
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.02, &margin, NULL), AQM_OK);
    assert_true(fabs(clean.min_m - margin.min_m - 0.02) < 1e-12);
    assert_true(fabs(margin.down_max_m - clean.down_max_m - 0.02) < 1e-12);
    /* single points far off do not count, a body of them does */
    for (size_t i = 0; i < 24; i++) {
        tracks->position[3 * i] = tracks->position[3 * i + 1] = 0.002 * (double)i;
        tracks->position[3 * i + 2] = 1.28 + (i < 3 ? 0.2 : 0.0);
    }
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.0, &found, NULL), AQM_OK);
    assert_true(fabs(found.down_max_m - clean.down_max_m) < 0.002);
    for (size_t i = 0; i < 24; i++)
        tracks->position[3 * i + 2] = 1.48 + 0.0005 * (double)i;
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.0, &found, NULL), AQM_OK);
    assert_true(found.down_max_m > 0.51 && found.down_max_m < 0.6);

    tracks->count = 19;
    AqmDepthRange untouched = {1, 2, 3, 4};
    assert_int_equal(aqm_tracks_depth_range(tracks, NULL, view, 0.0, &untouched, NULL),
                     AQM_ERROR_NO_DATA);
    assert_true(untouched.min_m == 1 && untouched.down_max_m == 4);
    tracks->count = 1500;
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void ranges_and_angles_leave_points_out(void **state) {
    (void)state;
    SceneOptions few = typical;
    few.points = 200;
    Scene scene;
    scene_make(&scene, &few);
    AqmTracks *tracks = NULL;
    AqmTrackOptions options = aqm_track_options_default();
    options.min_angle_deg = 75.0; /* no two cameras are so far apart */
    assert_int_equal(scene_tracks(&scene, &options, &tracks), AQM_OK);
    assert_int_equal(tracks->count, 0);
    aqm_tracks_destroy(&tracks);
    options = aqm_track_options_default();
    scene.match_views[0].range = (AqmDepthRange){0.1, 0.2, 0.0, 0.0};
    scene.match_views[1].range = (AqmDepthRange){0.1, 1.0, 0.35, 0.4};
    assert_int_equal(scene_tracks(&scene, &options, &tracks), AQM_OK);
    assert_true(tracks->count > 0);
    for (size_t i = 0; i < tracks->count; i++)
        assert_true(tracks->observation[tracks->first[i]].view > 1);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

static void nothing_to_go_by_gives_no_points(void **state) {
    (void)state;
    SceneOptions few = typical;
    few.points = 50;
    Scene scene;
    scene_make(&scene, &few);
    AqmTracks *tracks = NULL;
    AqmTrackOptions options = aqm_track_options_default();
    assert_int_equal(aqm_tracks_build(&tracks, NULL, 0, NULL, 0, &options, NULL), AQM_OK);
    assert_int_equal(tracks->count, 0);
    assert_int_equal(aqm_tracks_remove_outliers(tracks, NULL), AQM_OK);
    aqm_tracks_destroy(&tracks);
    /* the same camera twice: parallel rays */
    options.min_angle_deg = 0.0;
    const AqmMatchView twice[2] = {scene.match_views[0], scene.match_views[0]};
    AqmMatches *matches = scene.matches[0];
    for (size_t k = 0; k < matches->count; k++) {
        matches->first[k] = matches->second[k] = (uint32_t)k;
        for (size_t j = 2 * k; j < 2 * k + 2; j++)
            matches->first_position[j] = matches->second_position[j] =
                scene.features[0]->position[j];
    }
    assert_int_equal(aqm_tracks_build(&tracks, twice, 2, scene.pairs, 1, &options, NULL), AQM_OK);
    assert_int_equal(tracks->count, 0);
    aqm_tracks_destroy(&tracks);
    /* above the water: pixels of a point in air, between cameras and surface */
    for (size_t v = 0; v < 2; v++) {
        AqmView air = scene.views[v];
        double pixel[2];
        air.water_z = 0.01, air.n = 1.0;
        assert_true(aqm_view_project(&air, (const double[3]){0.0, 0.0, 0.7}, pixel));
        scene.features[v]->position[0] = (float)pixel[0];
        scene.features[v]->position[1] = (float)pixel[1];
    }
    matches->count = 1;
    for (size_t j = 0; j < 2; j++) {
        matches->first_position[j] = scene.features[0]->position[j];
        matches->second_position[j] = scene.features[1]->position[j];
    }
    assert_int_equal(
        aqm_tracks_build(&tracks, scene.match_views, 2, scene.pairs, 1, &options, NULL), AQM_OK);
    assert_int_equal(tracks->count, 0);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

static void options_out_of_range_are_refused(void **state) {
    (void)state;
    AqmTracks *tracks = NULL;
    const AqmTrackOptions bad[4] = {
        {0.0, 1.0, 0}, {(double)NAN, 1.0, 0}, {1.0, 91.0, 0}, {1.0, 1.0, -1}};
    for (int k = 0; k < 4; k++)
        assert_int_equal(aqm_tracks_build(&tracks, NULL, 0, NULL, 0, &bad[k], NULL),
                         AQM_ERROR_ARGUMENT);
    assert_null(tracks);
}

/* ---- clouds, threads, memory ----------------------------------------------------------------- */

static void a_cloud_shows_points_and_colors(void **state) {
    (void)state;
    SceneOptions few = typical;
    few.points = 100;
    Scene scene;
    scene_make(&scene, &few);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &options, &tracks), AQM_OK);
    const AqmView *views[SCENE_VIEWS];
    const AqmImageView *colors[SCENE_VIEWS] = {NULL};
    double full_scale[SCENE_VIEWS];
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        views[v] = &scene.views[v], full_scale[v] = 1600.0;
    AqmCloud *cloud = NULL;
    assert_int_equal(aqm_tracks_cloud(&cloud, tracks, views, NULL, NULL, SCENE_VIEWS, NULL),
                     AQM_OK);
    assert_int_equal(cloud->color[0], 128);
    aqm_cloud_destroy(&cloud);
    /* one view's image: red is the column, green the row */
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, 1600, 1200, 3, AQM_U16, NULL), AQM_OK);
    for (int y = 0; y < 1200; y++)
        for (int x = 0; x < 1600; x++) {
            uint16_t *rgb = (uint16_t *)((char *)image->data + (size_t)y * image->stride) + 3 * x;
            rgb[0] = (uint16_t)x, rgb[1] = (uint16_t)y;
        }
    const AqmImageView color = aqm_image_view(image);
    colors[0] = &color;
    assert_int_equal(aqm_tracks_cloud(&cloud, tracks, views, colors, full_scale, SCENE_VIEWS, NULL),
                     AQM_OK);
    assert_int_equal(cloud->count, tracks->count);
    for (size_t i = 0; i < cloud->count; i++) {
        const AqmObservation *seen = &tracks->observation[tracks->first[i]];
        assert_int_equal(cloud->views[i], tracks->first[i + 1] - tracks->first[i]);
        assert_true(cloud->normal[3 * i + 2] < -0.6f);
        if (seen->view != 0)
            continue;
        assert_true(fabs(cloud->color[3 * i] - 255.0 / 1600.0 * (double)seen->u) < 0.501);
        assert_true(fabs(cloud->color[3 * i + 1] - 255.0 / 1600.0 * (double)seen->v) < 0.501);
        assert_int_equal(cloud->color[3 * i + 2], 0);
    }
    aqm_cloud_destroy(&cloud);
    full_scale[0] = 0.0;
    assert_int_equal(aqm_tracks_cloud(&cloud, tracks, views, colors, full_scale, SCENE_VIEWS, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_int_equal(aqm_tracks_cloud(&cloud, tracks, views, NULL, NULL, 2, NULL),
                     AQM_ERROR_ARGUMENT);
    aqm_image_destroy(&image);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

static void any_number_of_threads_gives_the_same(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.wrong = 0.05, options.points = 600;
    Scene scene;
    scene_make(&scene, &options);
    AqmTracks *one = NULL, *three = NULL;
    AqmTrackOptions track_options = aqm_track_options_default();
    track_options.threads = 1;
    assert_int_equal(scene_tracks(&scene, &track_options, &one), AQM_OK);
    track_options.threads = 3;
    assert_int_equal(scene_tracks(&scene, &track_options, &three), AQM_OK);
    assert_int_equal(one->count, three->count);
    assert_memory_equal(one->position, three->position, one->count * 3 * sizeof(double));
    assert_memory_equal(one->sigma_m, three->sigma_m, one->count * sizeof(float));
    assert_memory_equal(one->first, three->first, (one->count + 1) * sizeof(size_t));
    assert_memory_equal(one->observation, three->observation,
                        one->first[one->count] * sizeof(AqmObservation));
    aqm_tracks_destroy(&one);
    aqm_tracks_destroy(&three);
    scene_free(&scene);
}

/* Everything that allocates, one after the other. */
static AqmStatus do_all(const Scene *scene, AqmTracks *ready, AqmDiag *diag) {
    const AqmTrackOptions options = {.max_error_px = 1.5, .min_angle_deg = 1.5, .threads = 1};
    const AqmView *views[SCENE_VIEWS];
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        views[v] = &scene->views[v];
    AqmTracks *tracks = NULL;
    AqmCloud *cloud = NULL;
    AqmDepthRange range;
    AqmStatus status = aqm_tracks_build(&tracks, scene->match_views, SCENE_VIEWS, scene->pairs,
                                        scene->pair_count, &options, diag);
    if (status == AQM_OK)
        status = aqm_tracks_depth_range(tracks, NULL, views[0], 0.0, &range, diag);
    if (status == AQM_OK)
        status = aqm_tracks_cloud(&cloud, tracks, views, NULL, NULL, SCENE_VIEWS, diag);
    if (status == AQM_OK)
        status = aqm_tracks_remove_outliers(ready, diag);
    aqm_tracks_destroy(&tracks);
    aqm_cloud_destroy(&cloud);
    return status;
}

static void failed_allocations_are_survived(void **state) {
    (void)state;
    SceneOptions options = typical;
    options.points = 60;
    Scene scene;
    scene_make(&scene, &options);
    AqmTracks *tracks = NULL;
    const AqmTrackOptions track_options = aqm_track_options_default();
    assert_int_equal(scene_tracks(&scene, &track_options, &tracks), AQM_OK);
    const size_t before = aqm_alloc_count().live_bytes, count = tracks->count;
    size_t n = 1;
    for (;; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = do_all(&scene, tracks, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_int_equal(tracks->count, count);
    }
    assert_true(n > 25);
    aqm_tracks_destroy(&tracks);
    scene_free(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_matches_give_exact_points),
        cmocka_unit_test(noise_of_the_features_does_not_count),
        cmocka_unit_test(sigma_tells_the_errors),
        cmocka_unit_test(ranges_hold_the_true_ones),
        cmocka_unit_test(wrong_matches_are_dropped),
        cmocka_unit_test(other_points_tell_of_the_rim),
        cmocka_unit_test(others_do_not_outvote_a_matched_body),
        cmocka_unit_test(ranges_stand_strays_and_want_points),
        cmocka_unit_test(ranges_and_angles_leave_points_out),
        cmocka_unit_test(nothing_to_go_by_gives_no_points),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_cloud_shows_points_and_colors),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
