/* Matching on two views whose images and features are made by formula: a textured plane under
 * water, level or sloping, and features that are projections of points of it. */
#include "stages/matching/test_views.h"

#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "math/rng.h"
#include "math/stats.h"
#include "stages/matching/match_refine.h"

enum { POINTS = 300, SIZE = 128, WAVES = 24 };

typedef struct Scene {
    double slope; /* of the bed along X */
    AqmView views[2];
    AqmImage *images[2];
    AqmImageView grays[2];
    AqmFeatures *features[2];
    AqmMatchView match_views[2];
    uint32_t partner[POINTS]; /* which feature of the second image is which of the first */
} Scene;

/* The bed's brightness: waves of 6 mm (4 px) and more, so that pixels sample them well. */
typedef struct Waves {
    double kx[WAVES], ky[WAVES], phase[WAVES];
} Waves;

static void make_waves(Waves *waves) {
    AqmRng rng = aqm_rng(21, 0);
    for (int k = 0; k < WAVES; k++) {
        const double number = 6.283185307179586 / (0.006 + 0.03 * aqm_rng_uniform(&rng));
        const double angle = 6.2832 * aqm_rng_uniform(&rng);
        waves->kx[k] = number * cos(angle);
        waves->ky[k] = number * sin(angle);
        waves->phase[k] = 6.2832 * aqm_rng_uniform(&rng);
    }
}

static double texture(const Waves *waves, double x, double y) {
    double sum = 0.0;
    for (int k = 0; k < WAVES; k++)
        sum += sin(waves->kx[k] * x + waves->ky[k] * y + waves->phase[k]);
    return sum / sqrt(WAVES);
}

/* `gain` and `offset`: exposures differ. */
static void render(Scene *scene, int k, double gain, double offset, double noise) {
    AqmRng rng = aqm_rng(5, (uint64_t)k);
    Waves waves;
    make_waves(&waves);
    assert_int_equal(aqm_image_create(&scene->images[k], WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    scene->grays[k] = aqm_image_view(scene->images[k]);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            AqmRay ray;
            double point[3];
            assert_true(aqm_view_cast(&scene->views[k], u, v, &ray));
            hit_bed(&ray, scene->slope, point);
            const double level = gain * (110.0 + 35.0 * texture(&waves, point[0], point[1])) +
                                 offset + noise * aqm_rng_normal(&rng);
            ((uint8_t *)scene->images[k]->data)[(size_t)v * scene->images[k]->stride + (size_t)u] =
                (uint8_t)fmin(fmax(level + 0.5, 0.0), 255.0);
        }
}

static void random_unit(AqmRng *rng, float *out) {
    float sum = 0.0f;
    for (int i = 0; i < SIZE; i++) {
        out[i] = fabsf((float)aqm_rng_normal(rng));
        sum += out[i] * out[i];
    }
    for (int i = 0; i < SIZE; i++)
        out[i] /= sqrtf(sum);
}

/* The second image's features are in another order, `jitter_px` off, and know neither scale nor
 * orientation. */
static void place_features(Scene *scene, double jitter_px) {
    AqmRng rng = aqm_rng(3, 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(aqm_features_create(&scene->features[k], POINTS, SIZE, NULL), AQM_OK);
    for (uint32_t k = 0; k < POINTS; k++) {
        AqmFeatures *a = scene->features[0], *b = scene->features[1];
        const uint32_t other = scene->partner[k] = (k * 7 + 11) % POINTS;
        double there[2];
        do {
            a->position[2 * k] = (float)(20.0 + (WIDTH - 40.0) * aqm_rng_uniform(&rng));
            a->position[2 * k + 1] = (float)(20.0 + (HEIGHT - 40.0) * aqm_rng_uniform(&rng));
        } while (!true_counterpart(&scene->views[0], &scene->views[1], scene->slope,
                                   (double)a->position[2 * k], (double)a->position[2 * k + 1],
                                   there) ||
                 there[0] < 20 || there[1] < 20 || there[0] > WIDTH - 20 || there[1] > HEIGHT - 20);
        for (int i = 0; i < 2; i++)
            b->position[2 * other + (uint32_t)i] =
                (float)(there[i] + jitter_px * (2.0 * aqm_rng_uniform(&rng) - 1.0));
        random_unit(&rng, a->descriptor + (size_t)SIZE * k);
        memcpy(b->descriptor + (size_t)SIZE * other, a->descriptor + (size_t)SIZE * k,
               SIZE * sizeof(float));
        b->descriptor[(size_t)SIZE * other] += 0.1f;
        a->scale[k] = b->scale[k] = a->orientation[k] = b->orientation[k] = NAN;
    }
}

static Scene *scene_create(double n, double slope, double jitter_px, bool with_images) {
    Scene *scene = aqm_calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->slope = slope;
    scene->views[0] = ring_view(n, 0.2, 0.0, 0.25);
    scene->views[1] = ring_view(n, 0.2, 0.9, 0.25);
    if (with_images) {
        render(scene, 0, 1.0, 0.0, 1.5);
        render(scene, 1, 0.8, 15.0, 1.5);
    }
    place_features(scene, jitter_px);
    for (int k = 0; k < 2; k++)
        scene->match_views[k] = (AqmMatchView){.view = &scene->views[k],
                                               .gray = with_images ? &scene->grays[k] : NULL,
                                               .features = scene->features[k]};
    return scene;
}

static void scene_free(Scene *scene) {
    for (int k = 0; k < 2; k++) {
        aqm_image_destroy(&scene->images[k]);
        aqm_features_destroy(&scene->features[k]);
    }
    aqm_free(scene);
}

static AqmMatches *match_with(const Scene *scene, const AqmMatchOptions *options) {
    AqmMatches *matches = NULL;
    AqmDiag diag = {0};
    if (aqm_match_features(&matches, &scene->match_views[0], &scene->match_views[1], options,
                           &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return matches;
}

static AqmMatches *match(const Scene *scene) {
    const AqmMatchOptions options = aqm_match_options_default();
    return match_with(scene, &options);
}

static size_t count_true(const Scene *scene, const AqmMatches *matches) {
    size_t count = 0;
    for (size_t m = 0; m < matches->count; m++)
        count += matches->second[m] == scene->partner[matches->first[m]];
    return count;
}

/* Median and worst distance of the counterparts from the truth, px. */
static double median_error(const Scene *scene, const AqmMatches *matches, double *worst) {
    double errors[POINTS];
    *worst = 0.0;
    for (size_t m = 0; m < matches->count; m++) {
        const float *p = matches->first_position + 2 * m, *q = matches->second_position + 2 * m;
        double there[2];
        assert_true(true_counterpart(&scene->views[0], &scene->views[1], scene->slope, (double)p[0],
                                     (double)p[1], there));
        errors[m] = hypot(there[0] - (double)q[0], there[1] - (double)q[1]);
        *worst = fmax(*worst, errors[m]);
    }
    return aqm_select_f64(errors, matches->count, matches->count / 2);
}

static void counterparts_on_the_curve_are_found(void **state) {
    (void)state;
    const double indices[] = {1.333, 1.0};
    for (int k = 0; k < 2; k++) {
        Scene *scene = scene_create(indices[k], 0.15, 0.5, false);
        AqmMatches *matches = match(scene);
        assert_true(matches->count > POINTS * 98 / 100);
        assert_int_equal(count_true(scene, matches), matches->count);
        for (size_t m = 0; m < matches->count; m++) {
            assert_true(m == 0 || matches->first[m] > matches->first[m - 1]);
            assert_true(matches->score[m] >= 0.1f && matches->score[m] <= 1.0f);
            assert_memory_equal(matches->second_position + 2 * m,
                                scene->features[1]->position + 2 * (size_t)matches->second[m], 8);
        }
        aqm_matches_destroy(&matches);
        scene_free(scene);
    }
}

static void what_lies_off_the_curve_or_out_of_range_is_not_matched(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.0, false);
    const AqmView pinhole[2] = {ring_view(1.0, 0.2, 0.0, 0.25), ring_view(1.0, 0.2, 0.9, 0.25)};
    AqmMatchOptions options = aqm_match_options_default();
    options.epipolar_px = 0.5;
    AqmMatches *matches = match_with(scene, &options);
    assert_true(matches->count > POINTS * 98 / 100);
    aqm_matches_destroy(&matches);
    scene->match_views[0].range = (AqmDepthRange){.min_m = 0.3, .max_m = 0.5}; /* bed: 0.25..0.28 */
    matches = match_with(scene, &options);
    assert_int_equal(matches->count, 0);
    aqm_matches_destroy(&matches);
    scene->match_views[0].range = (AqmDepthRange){.min_m = 0.2, .max_m = 0.4};
    matches = match_with(scene, &options);
    assert_true(matches->count > POINTS * 98 / 100);
    aqm_matches_destroy(&matches);
    scene->match_views[0].range =
        (AqmDepthRange){.min_m = 0.2, .max_m = 0.4, .down_min_m = 0.26, .down_max_m = 0.4};
    matches = match_with(scene, &options);
    assert_true(matches->count < POINTS / 10);
    aqm_matches_destroy(&matches);
    /* without refraction the curve is another */
    scene->match_views[0].range = (AqmDepthRange){0};
    for (int k = 0; k < 2; k++)
        scene->match_views[k].view = &pinhole[k];
    matches = match_with(scene, &options);
    assert_true(matches->count < POINTS * 8 / 10);
    aqm_matches_destroy(&matches);
    scene_free(scene);
}

/* With the scale and the orientation that a level bed gives nothing is lost; with others all is. */
static void scale_and_orientation_must_fit(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.1, 0.3, false);
    for (int round = 0; round < 3; round++) {
        for (uint32_t k = 0; k < POINTS; k++) {
            AqmFeatures *a = scene->features[0], *b = scene->features[1];
            const uint32_t other = scene->partner[k];
            const double u = (double)a->position[2 * k], v = (double)a->position[2 * k + 1];
            const double angle = 0.02 * k;
            double here[2], there[2];
            assert_true(true_counterpart(&scene->views[0], &scene->views[1], 0.1, u, v, here));
            assert_true(true_counterpart(&scene->views[0], &scene->views[1], 0.1, u + cos(angle),
                                         v + sin(angle), there));
            a->scale[k] = 3.0f;
            b->scale[other] = round == 1 ? 6.0f : 3.0f;
            a->orientation[k] = (float)angle;
            b->orientation[other] =
                (float)(atan2(there[1] - here[1], there[0] - here[0]) + (round == 2 ? 1.2 : 0.1));
        }
        AqmMatches *matches = match(scene);
        const size_t count = count_true(scene, matches);
        assert_true(round == 0 ? count > POINTS * 97 / 100 : count == 0);
        aqm_matches_destroy(&matches);
    }
    scene_free(scene);
}

static void the_ratio_test_sees_rivals_on_the_curve_only(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.0, false);
    AqmFeatures *a = scene->features[0], *b = scene->features[1];
    /* a second feature with the descriptor of the first: elsewhere it is no rival ... */
    const uint32_t own = scene->partner[0], rival = scene->partner[1];
    memcpy(b->descriptor + (size_t)SIZE * rival, a->descriptor, SIZE * sizeof(float));
    AqmMatches *matches = match(scene);
    assert_int_equal(matches->first[0], 0);
    assert_int_equal(matches->second[0], own);
    aqm_matches_destroy(&matches);
    /* ... on the curve, as good as the true one, it is */
    AqmRay ray;
    double pixel[2], point[3];
    assert_true(
        aqm_view_cast(&scene->views[0], (double)a->position[0], (double)a->position[1], &ray));
    hit_bed(&ray, 0.0, point);
    for (int i = 0; i < 3; i++)
        point[i] += 0.06 * ray.direction[i];
    assert_true(aqm_view_project(&scene->views[1], point, pixel));
    assert_true(hypot(pixel[0] - (double)b->position[2 * own],
                      pixel[1] - (double)b->position[2 * own + 1]) > 5.0);
    b->position[2 * rival] = (float)pixel[0], b->position[2 * rival + 1] = (float)pixel[1];
    memcpy(b->descriptor + (size_t)SIZE * rival, b->descriptor + (size_t)SIZE * own,
           SIZE * sizeof(float));
    matches = match(scene);
    assert_true(matches->count > 0 && matches->first[0] != 0);
    aqm_matches_destroy(&matches);
    /* ... and at the same place it is not: a point found at two scales */
    memcpy(b->position + 2 * rival, b->position + 2 * own, 8);
    matches = match(scene);
    assert_int_equal(matches->first[0], 0);
    aqm_matches_destroy(&matches);
    scene_free(scene);
}

static void positions_are_refined_below_a_tenth_of_a_pixel(void **state) {
    (void)state;
    const double slopes[] = {0.0, 0.2, -0.35}, indices[] = {1.333, 1.333, 1.0};
    for (int k = 0; k < 3; k++) {
        Scene *scene = scene_create(indices[k], slopes[k], 0.7, true);
        AqmMatches *matches = match(scene);
        double worst;
        const double median = median_error(scene, matches, &worst);
        print_message("slope %5.2f: %zu matches, median %.4f px, worst %.3f px\n", slopes[k],
                      matches->count, median, worst);
        assert_true(matches->count > POINTS * 9 / 10);
        assert_true(median < 0.05 && worst < 0.5);
        aqm_matches_destroy(&matches);
        scene_free(scene);
    }
}

static void what_does_not_settle_is_dropped(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.3, true);
    /* the second image shows something else in its left half */
    AqmRng rng = aqm_rng(4, 4);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < 200; u++)
            ((uint8_t *)scene->images[1]->data)[(size_t)v * scene->images[1]->stride + (size_t)u] =
                (uint8_t)(80 + aqm_rng_u32(&rng) % 80);
    AqmMatches *matches = match(scene);
    assert_true(matches->count > 50);
    for (size_t m = 0; m < matches->count; m++)
        assert_true(matches->second_position[2 * m] > 194.0f);
    aqm_matches_destroy(&matches);
    /* flat images settle nothing */
    for (int k = 0; k < 2; k++)
        memset(scene->images[k]->data, 90, scene->images[k]->stride * HEIGHT);
    matches = match(scene);
    assert_int_equal(matches->count, 0);
    aqm_matches_destroy(&matches);
    scene_free(scene);
}

static void the_same_bytes_for_any_number_of_threads(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.1, 0.5, true);
    AqmMatchOptions options = aqm_match_options_default();
    options.threads = 1;
    AqmMatches *expected = match_with(scene, &options);
    for (int threads = 2; threads <= 5; threads++) {
        options.threads = threads;
        AqmMatches *matches = match_with(scene, &options);
        assert_int_equal(matches->count, expected->count);
        assert_memory_equal(matches->first, expected->first, 4 * expected->count);
        assert_memory_equal(matches->second, expected->second, 4 * expected->count);
        assert_memory_equal(matches->second_position, expected->second_position,
                            8 * expected->count);
        assert_memory_equal(matches->score, expected->score, 4 * expected->count);
        aqm_matches_destroy(&matches);
    }
    aqm_matches_destroy(&expected);
    scene_free(scene);
}

static void nothing_in_common_gives_no_matches(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.0, false);
    const AqmView far = ring_view(1.333, 30.0, 0.0, 0.0);
    scene->match_views[1].view = &far;
    AqmMatches *matches = match(scene);
    assert_int_equal(matches->count, 0);
    aqm_matches_destroy(&matches);
    AqmFeatures *none = NULL;
    assert_int_equal(aqm_features_create(&none, 0, SIZE, NULL), AQM_OK);
    scene->match_views[1] = (AqmMatchView){.view = &scene->views[1], .features = none};
    matches = match(scene);
    assert_int_equal(matches->count, 0);
    aqm_matches_destroy(&matches);
    scene->match_views[0].features = none;
    matches = match(scene);
    assert_int_equal(matches->count, 0);
    aqm_matches_destroy(&matches);
    aqm_features_destroy(&none);
    scene_free(scene);
}

/* Positions that are not numbers, or outside, take no part and do no harm. */
static void features_out_of_the_image_are_passed_over(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.0, true);
    const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, -50.0f, 5000.0f, 0.0f};
    for (uint32_t k = 0; k < 8; k++) {
        scene->features[0]->position[2 * k] = odd[k];
        scene->features[1]->position[2 * (k + 20) + 1] = odd[k];
    }
    AqmMatches *matches = match(scene);
    assert_true(matches->count > POINTS / 2);
    for (size_t m = 0; m < matches->count; m++)
        assert_true(isfinite(matches->second_position[2 * m]) && matches->first[m] >= 8);
    aqm_matches_destroy(&matches);
    scene_free(scene);
}

static void wrong_arguments_are_refused_with_the_value(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.0, true);
    AqmMatchOptions options = aqm_match_options_default();
    AqmMatches *matches = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_match_options_validate(&options, NULL), AQM_OK);
    options.epipolar_px = 0.05;
    assert_int_equal(aqm_match_options_validate(&options, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "0.05"));
    options = aqm_match_options_default();
    options.filter_threshold = NAN;
    assert_int_equal(aqm_match_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    options = aqm_match_options_default();
    options.threads = -1;
    assert_int_equal(aqm_match_options_validate(&options, NULL), AQM_ERROR_ARGUMENT);
    options = aqm_match_options_default();
    scene->grays[1].width = 7;
    assert_int_equal(aqm_match_features(&matches, &scene->match_views[0], &scene->match_views[1],
                                        &options, NULL),
                     AQM_ERROR_ARGUMENT);
    scene->match_views[1].gray = NULL;
    scene->features[1]->descriptor_size = 64;
    assert_int_equal(aqm_match_features(&matches, &scene->match_views[0], &scene->match_views[1],
                                        &options, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_null(matches);
    scene_free(scene);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    Scene *scene = scene_create(1.333, 0.0, 0.3, false);
    const AqmMatchOptions options = aqm_match_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmMatches *matches = NULL;
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_match_features(&matches, &scene->match_views[0],
                                                    &scene->match_views[1], &options, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(matches != NULL, status == AQM_OK);
        aqm_matches_destroy(&matches);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 10);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counterparts_on_the_curve_are_found),
        cmocka_unit_test(what_lies_off_the_curve_or_out_of_range_is_not_matched),
        cmocka_unit_test(scale_and_orientation_must_fit),
        cmocka_unit_test(the_ratio_test_sees_rivals_on_the_curve_only),
        cmocka_unit_test(positions_are_refined_below_a_tenth_of_a_pixel),
        cmocka_unit_test(what_does_not_settle_is_dropped),
        cmocka_unit_test(the_same_bytes_for_any_number_of_threads),
        cmocka_unit_test(nothing_in_common_gives_no_matches),
        cmocka_unit_test(features_out_of_the_image_are_passed_over),
        cmocka_unit_test(wrong_arguments_are_refused_with_the_value),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
