/* The cascade and the standard deviation it comes with, on scenes whose surface is a formula; one
 * pixel of disparity is about 2 mm here. */
#define SCENE_SCALE 2
#include "stages/stereo/cascade.h"
#include "stages/stereo/test_scene.h"

/* The first of `others` are the sources, then come the spares. */
static AqmDepthMap *estimate_with(const Scene *scene, const size_t *others, size_t sources,
                                  size_t spares, const AqmStereoOptions *options) {
    const AqmDepthRange range = {.min_m = 0.15, .max_m = 0.3};
    AqmDepthMap *map = NULL;
    assert_int_equal(aqm_stereo_estimate(scene->stereo, VIEWS, 0, others, sources, spares, &range,
                                         options, &map, NULL),
                     AQM_OK);
    return map;
}

/* The share of known pixels that are off by less than `sigmas` of their own standard deviations. */
static double share_within(const Scene *scene, const AqmDepthMap *map, double sigmas) {
    size_t known = 0, within = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        assert_int_equal(isnan(map->depth_m[p]), isnan(map->sigma_m[p]));
        if (isnan(map->depth_m[p]))
            continue;
        const double error = fabs((double)map->depth_m[p] - (double)scene->truth[p]);
        assert_true(map->sigma_m[p] > 0.0f);
        known++;
        within += error < sigmas * (double)map->sigma_m[p];
    }
    assert_true(known > WIDTH * HEIGHT * 9 / 10);
    return (double)within / (double)known;
}

static void share_of_sigmas(double noise, double *one, double *two) {
    const Scene plan = {.n = 1.333, .amplitude_m = 0.004, .wavelength_m = 0.1, .noise = noise};
    Scene *scene = scene_create_as(&plan);
    const AqmStereoOptions options = small_options();
    AqmDepthMap *map = estimate(scene, &options);
    const Errors e = errors_of(scene, map);
    *one = share_within(scene, map, 1.0), *two = share_within(scene, map, 2.0);
    print_message("noise %.0f: within 1 sigma %.3f, within 2 %.3f; median %.3f mm, bias %.3f mm\n",
                  noise, *one, *two, e.median_mm, e.bias_mm);
    assert_true(fabs(e.bias_mm) < 0.2);
    assert_true(e.median_mm < (noise > 1.0 ? 0.9 : 0.35));
    aqm_depth_map_destroy(&map);
    scene_free(scene);
}

/* Of a normal error 68 and 95 %. Cleaner images do better than their sigma says: part of it stands
 * for errors of calibration, which this scene does not have. */
static void sigma_says_how_far_off_a_depth_is(void **state) {
    (void)state;
    double one, two;
    share_of_sigmas(3.0, &one, &two);
    assert_true(one > 0.60 && one < 0.76);
    assert_true(two > 0.90 && two < 0.99);
    share_of_sigmas(1.0, &one, &two);
    assert_true(one > 0.76 && one < 0.97);
}

static void both_searches_find_the_same_surface(void **state) {
    (void)state;
    static double differences[WIDTH * HEIGHT];
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    AqmStereoOptions options = small_options();
    AqmDepthMap *cascade = estimate(scene, &options);
    options.search = AQM_SEARCH_EXHAUSTIVE;
    options.num_depths = 96;
    AqmDepthMap *exhaustive = estimate(scene, &options);
    size_t n = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        if (!isnan(cascade->depth_m[p]) && !isnan(exhaustive->depth_m[p]))
            differences[n++] =
                1000.0 * fabs((double)cascade->depth_m[p] - (double)exhaustive->depth_m[p]);
    assert_true(n > WIDTH * HEIGHT * 9 / 10);
    const double median = aqm_percentile_f64(differences, n, 50);
    const double most = aqm_percentile_f64(differences, n, 90);
    print_message("differences: median %.4f mm, 90 %% below %.4f mm\n", median, most);
    assert_true(median < 0.2);
    assert_true(most < 0.5);
    aqm_depth_map_destroy(&cascade);
    aqm_depth_map_destroy(&exhaustive);
    scene_free(scene);
}

/* The column where a row goes from nearer one plane to nearer the other: the one that the fewest
 * pixels contradict. */
static int step_column(const Scene *scene, const AqmView *view, const float *depth, int y) {
    int balance[WIDTH + 1] = {0}, best = 0;
    for (int x = 0; x < WIDTH; x++) {
        AqmRay ray;
        assert_true(aqm_view_cast(view, x, y, &ray));
        const double h = (double)depth[y * WIDTH + x] * ray.direction[2];
        const int is_high = h < bed_z - water_z - 0.5 * scene->step_m;
        balance[x + 1] = balance[x] + (isnan(h) ? 0 : is_high ? -1 : 1);
        best = balance[x + 1] > balance[best] ? x + 1 : best;
    }
    return best;
}

static void a_step_is_where_it_is(void **state) {
    (void)state;
    static double offsets[HEIGHT];
    const Scene plan = {
        .n = 1.333, .wavelength_m = 1.0, .noise = 1.0, .step_x = 0.0, .step_m = 0.03};
    Scene *scene = scene_create_as(&plan);
    const AqmStereoOptions options = small_options();
    AqmDepthMap *map = estimate(scene, &options);
    const Errors e = errors_of(scene, map);
    double mean = 0.0;
    for (int y = 0; y < HEIGHT; y++) {
        const int found = step_column(scene, &scene->views[0], map->depth_m, y);
        const int truth = step_column(scene, &scene->views[0], scene->truth, y);
        assert_true(truth > WIDTH / 4 && truth < WIDTH * 3 / 4);
        offsets[y] = abs(found - truth);
        mean += (double)(found - truth) / HEIGHT;
    }
    const double median = aqm_percentile_f64(offsets, HEIGHT, 50);
    const double most = aqm_percentile_f64(offsets, HEIGHT, 90);
    print_message(
        "step off by %.1f px (median), 90 %% below %.1f px, mean %.2f px; depths %.3f mm\n", median,
        most, mean, e.median_mm);
    assert_true(median <= 2.0);
    assert_true(most <= 3.0);
    assert_true(e.median_mm < 0.5);
    aqm_depth_map_destroy(&map);
    scene_free(scene);
}

static double share_known(const AqmDepthMap *map) {
    size_t known = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        known += isnan(map->depth_m[p]) ? 0 : 1;
    return (double)known / (WIDTH * HEIGHT);
}

/* Turns a view to the side by 1.2 rad, where nothing of the bed in front of it is to be seen. */
static void look_away(AqmView *view) {
    const double c = cos(1.2), s = sin(1.2);
    const double R[9] = {c, 0, -s, 0, 1, 0, s, 0, c};
    memcpy(view->R, R, sizeof R);
    for (int i = 0; i < 3; i++)
        view->t[i] =
            -(R[3 * i] * view->C[0] + R[3 * i + 1] * view->C[1] + R[3 * i + 2] * view->C[2]);
}

/* The only source looks away: without the spare nothing would be known. */
static void a_spare_stands_in_where_a_source_sees_nothing(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.004, 0.1);
    look_away(&scene->views[1]);
    const AqmStereoOptions options = small_options();
    const size_t blind[2] = {1, 2}, seeing[1] = {2};
    AqmDepthMap *alone = estimate_with(scene, blind, 1, 0, &options);
    AqmDepthMap *helped = estimate_with(scene, blind, 1, 1, &options);
    AqmDepthMap *best = estimate_with(scene, seeing, 1, 0, &options);
    const Errors e = errors_of(scene, helped);
    print_message("known: %.3f alone, %.3f with a spare (by itself %.3f), median %.3f mm\n",
                  share_known(alone), e.valid, share_known(best), e.median_mm);
    assert_true(share_known(alone) == 0.0);
    assert_true(e.valid > 0.5); /* what the two views share */
    assert_true(e.valid > 0.95 * share_known(best));
    assert_true(e.median_mm < 0.6);
    aqm_depth_map_destroy(&alone);
    aqm_depth_map_destroy(&helped);
    aqm_depth_map_destroy(&best);
    scene_free(scene);
}

/* The median error, in mm, of what is blank; at least half of it has a depth. */
static double blank_error(const Scene *scene, AqmSearch search) {
    static double errors[WIDTH * HEIGHT];
    AqmStereoOptions options = small_options();
    options.search = search;
    AqmDepthMap *map = estimate(scene, &options);
    size_t n = 0, blank = 0;
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        double point[3];
        (void)hit(scene, &scene->views[0], p % WIDTH, p / WIDTH, point);
        if (point[0] < scene->blank_x)
            continue;
        blank++;
        if (!isnan(map->depth_m[p]))
            errors[n++] = 1000.0 * fabs((double)(map->depth_m[p] - scene->truth[p]));
    }
    const double median = aqm_percentile_f64(errors, n, 50);
    print_message("%.3f of what is blank has a depth, median error %.3f mm, 90 %% below %.3f mm\n",
                  (double)n / (double)blank, median, aqm_percentile_f64(errors, n, 90));
    assert_true(blank > WIDTH * HEIGHT / 4 && n > blank / 2);
    aqm_depth_map_destroy(&map);
    return median;
}

/* A bed whose right half shows nothing but noise: what depth it gets is that of the bed beside it,
 * to a fifteenth of the range, where the best match of each window by itself is anywhere. */
static void what_has_no_texture_follows_its_neighbourhood(void **state) {
    (void)state;
    const Scene plan = {
        .n = 1.333, .wavelength_m = 1.0, .noise = 1.0, .blank_x = 0.0, .blank_to = 9.0};
    Scene *scene = scene_create_as(&plan);
    const double cascade = blank_error(scene, AQM_SEARCH_CASCADE);
    const double exhaustive = blank_error(scene, AQM_SEARCH_EXHAUSTIVE);
    assert_true(cascade < 10.0);
    assert_true(cascade < exhaustive / 2.5);
    scene_free(scene);
}

/* Above a quarter of the resolution the full one costs more too: 0.84 million cells here, of which
 * 48 depths can pay for, and 40 cannot. */
static void the_start_is_what_the_effort_can_pay(void **state) {
    (void)state;
    static float disparity[WIDTH * HEIGHT], confidence[WIDTH * HEIGHT];
    const size_t sources[3] = {1, 2, 3};
    Scene *scene = scene_create(1.333, 0.0, 1.0);
    AqmStereoOptions options = small_options();
    int halvings[2];
    for (int k = 0; k < 2; k++) {
        options.num_depths = k == 0 ? 48 : 40;
        /* narrow, so that the search itself is cheap */
        assert_int_equal(aqm_cascade(scene->stereo, VIEWS, 0, sources, 3, 0, 0.195, 0.205, &options,
                                     disparity, confidence, &halvings[k], NULL),
                         AQM_OK);
    }
    assert_true(halvings[0] < 2);
    assert_int_equal(halvings[1], 2);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_is_what_the_effort_can_pay),
        cmocka_unit_test(sigma_says_how_far_off_a_depth_is),
        cmocka_unit_test(both_searches_find_the_same_surface),
        cmocka_unit_test(a_step_is_where_it_is),
        cmocka_unit_test(a_spare_stands_in_where_a_source_sees_nothing),
        cmocka_unit_test(what_has_no_texture_follows_its_neighbourhood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
