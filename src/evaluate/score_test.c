#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "evaluate/mesh_samples.h"
#include "evaluate/score.h"
#include "io/io_test_util.h"

static const char scene_text[] =
    "{\"frames\": [{\"index\": 3, \"water_z\": 0.6, \"footprint\": [-0.3, 0.3, -0.25, 0.25],"
    " \"surface\": [{\"kind\": \"plane\", \"z0\": 0.8, \"gx\": 0.05},"
    " {\"kind\": \"sines\", \"amp\": [0.003], \"kx\": [100], \"ky\": [20], \"phase\": [0.3]}]}]}";

/* Four cameras 0.6 m over the water, looking down, and an auxiliary one that must not count. */
static void write_calibration(const char *folder) {
    char path[PATH_MAX];
    AqmRig *rig = NULL;
    assert_int_equal(aqm_rig_create(&rig, 5, NULL), AQM_OK);
    rig->water_z = 0.6;
    rig->n_water = 1.333;
    for (size_t i = 0; i < 5; i++) {
        AqmCamera *camera = &rig->cameras[i];
        (void)snprintf(camera->name, sizeof camera->name, "cam%zu", i);
        camera->width = 640, camera->height = 480;
        const double K[9] = {560, 0, 319.5, 0, 560, 239.5, 0, 0, 1};
        memcpy(camera->K, K, sizeof K);
        camera->distortion[0] = -0.1, camera->distortion[1] = 0.06;
        camera->R[0] = camera->R[4] = camera->R[8] = 1.0;
        camera->t[0] = i % 2 ? 0.1 : -0.1, camera->t[1] = i / 2 % 2 ? 0.1 : -0.1;
        camera->is_auxiliary = i == 4;
    }
    assert_int_equal(aqm_calibration_write(in_folder(path, folder, "calibration.json"), rig, NULL),
                     AQM_OK);
    aqm_rig_destroy(&rig);
}

static AqmTruth *make_truth_of(const char *folder, const char *scene) {
    char path[PATH_MAX];
    write_calibration(folder);
    assert_int_equal(aqm_make_folders(in_folder(path, folder, "gt"), NULL), AQM_OK);
    write_bytes(in_folder(path, folder, "gt/scene.json"), scene, strlen(scene));
    AqmTruth *truth = NULL;
    AqmDiag diag = {0};
    if (aqm_truth_read(&truth, folder, 3, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return truth;
}

static AqmTruth *make_truth(const char *folder) {
    return make_truth_of(folder, scene_text);
}

enum { COLUMNS = 301, ROWS = 251, POINTS = COLUMNS * ROWS };

/* Points every 2 mm over the footprint, `off_m` from the surface along its normal. */
static float *make_cloud(const AqmTruth *truth, double off_m) {
    float *points = malloc(POINTS * 3 * sizeof *points);
    assert_non_null(points);
    for (int i = 0; i < POINTS; i++) {
        const double x = -0.3 + 0.002 * (i % COLUMNS), y = -0.25 + 0.002 * (i / COLUMNS);
        double g[2];
        const double z = aqm_surface_gradient(truth->surface, x, y, g);
        const double norm = sqrt(1.0 + g[0] * g[0] + g[1] * g[1]);
        points[3 * i] = (float)(x - off_m * g[0] / norm);
        points[3 * i + 1] = (float)(y - off_m * g[1] / norm);
        points[3 * i + 2] = (float)(z + off_m / norm);
    }
    return points;
}

static AqmEvaluation score(const AqmTruth *truth, const float *points, int min_views, int threads) {
    AqmEvaluateOptions options = aqm_evaluate_options_default();
    options.min_views = min_views;
    options.threads = threads;
    AqmEvaluation result;
    memset(&result, 0, sizeof result);
    assert_int_equal(aqm_score_points(truth, points, POINTS, &options, &result, NULL), AQM_OK);
    return result;
}

static void near_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", value, expected, tolerance);
}

static void a_cloud_off_by_a_known_distance_has_that_error(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *points = make_cloud(truth, 0.0007);
    const AqmEvaluation e = score(truth, points, 3, 1);
    assert_int_equal(e.points, POINTS);
    assert_int_equal(e.all.count, POINTS);
    assert_int_equal(e.non_finite, 0);
    const double values[] = {e.all.bias_mm,       e.all.mean_mm,       e.all.median_mm,
                             e.all.rms_mm,        e.all.p90_mm,        e.all.p99_mm,
                             e.in_region.bias_mm, e.in_region.rms_mm,  e.in_region.p95_mm,
                             e.all.max_mm,        e.in_region.mean_mm, e.all.p95_mm};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        near_to(values[i], 0.7, 2e-4); /* float positions */
    near_to(e.precision_pct[0], 0.0, 0.0);
    near_to(e.precision_pct[1], 100.0, 0.0);
    near_to(e.completeness_pct[1], 100.0, 0.0);
    near_to(e.coverage_pct[0], 0.0, 0.0);
    near_to(e.coverage_pct[1], 100.0, 0.0);
    near_to(e.fscore_pct[1], 100.0, 1e-12);
    near_to(e.off_by_5mm_pct, 0.0, 0.0);
    /* the cameras do not see the corners: part of the points lies in the region, not all */
    assert_true(e.in_region.count > POINTS / 2 && e.in_region.count < POINTS);
    free(points);
    aqm_truth_destroy(&truth);
}

static void missing_and_wrong_points_show_where_they_must(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *points = make_cloud(truth, -0.0002);
    int lost = 0, floating = 0, lost_right = 0;
    for (int i = 0; i < POINTS;
         i++) { /* no points right of the axis; every tenth floats 20 mm up */
        if (i % COLUMNS > COLUMNS / 2)
            points[3 * i] = NAN, lost++, lost_right++;
        else if (i % 10 == 0)
            points[3 * i + 2] -= 0.02f, floating++;
    }
    const AqmEvaluation e = score(truth, points, 1, 1);
    assert_int_equal(e.non_finite, lost);
    assert_int_equal(e.all.count, POINTS - lost);
    near_to(e.off_by_5mm_pct, 100.0 * floating / (POINTS - lost), 1e-9);
    near_to(e.precision_pct[0], 100.0 - 100.0 * floating / (POINTS - lost), 1e-9);
    near_to(e.all.median_mm, 0.2, 2e-4);
    assert_true(e.all.bias_mm < -1.5 && e.all.max_mm > 18.0);
    /* a strip of one sample beyond the last column is still within 2 mm */
    const double left = 100.0 * (COLUMNS / 2 + 1) / (COLUMNS - 1);
    near_to(e.coverage_pct[1], left, 1.0);
    near_to(e.completeness_pct[1], 0.9 * left, 1.0); /* floaters leave their own place empty */
    near_to(e.completeness_pct[3], left, 2.0);
    near_to(e.fscore_pct[1],
            2 * e.precision_pct[1] * e.completeness_pct[1] /
                (e.precision_pct[1] + e.completeness_pct[1]),
            1e-9);
    free(points);
    aqm_truth_destroy(&truth);
}

static void the_number_of_threads_changes_nothing(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *points = make_cloud(truth, 0.0004);
    const AqmEvaluation one = score(truth, points, 2, 1), four = score(truth, points, 2, 4);
    assert_memory_equal(&one.all, &four.all, sizeof one.all);
    assert_memory_equal(&one.in_region, &four.in_region, sizeof one.in_region);
    assert_memory_equal(one.completeness_pct, four.completeness_pct, sizeof one.completeness_pct);
    assert_memory_equal(one.coverage_pct, four.coverage_pct, sizeof one.coverage_pct);
    free(points);
    aqm_truth_destroy(&truth);
}

/* Points alternately 0.3 mm too high and 0.9 mm too deep: bias 0.3 mm, standard deviation 0.6. */
static void spread_and_a_tolerance_of_ones_own(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *high = make_cloud(truth, -0.0003), *points = make_cloud(truth, 0.0009);
    for (int i = 0; i < POINTS; i += 2)
        for (int k = 0; k < 3; k++)
            points[3 * i + k] = high[3 * i + k];
    AqmEvaluateOptions options = aqm_evaluate_options_default();
    options.tolerance_m = 0.0006;
    AqmEvaluation e = {0};
    assert_int_equal(aqm_score_points(truth, points, POINTS, &options, &e, NULL), AQM_OK);
    near_to(e.all.bias_mm, 0.3, 2e-4);
    near_to(e.all.std_mm, 0.6, 2e-4);
    near_to(e.all.rms_mm, sqrt(0.3 * 0.3 + 0.6 * 0.6), 2e-4);
    near_to(e.tolerance_mm, 0.6, 1e-12);
    near_to(e.tolerance_precision_pct, 50.0, 0.01);
    near_to(e.tolerance_coverage_pct, 100.0, 1.0); /* a good point lies 2 mm away, about */
    near_to(e.raw_completeness_pct, 100.0, 0.0);
    /* every sample has a point of its own; half of these are 0.9 mm away */
    near_to(e.tolerance_completeness_pct, 50.0, 1.0);
    assert_true(isnan(e.plane_fit_rmse_mm)); /* waves */
    options.tolerance_m = 0.03;              /* beyond the largest of the limits */
    assert_int_equal(aqm_score_points(truth, points, POINTS, &options, &e, NULL), AQM_OK);
    near_to(e.tolerance_completeness_pct, 100.0, 0.0);
    near_to(e.completeness_pct[1], 100.0, 0.0);
    free(high);
    free(points);
    aqm_truth_destroy(&truth);
}

/* Raw completeness does not ask how wrong a point is. */
static void any_point_makes_raw_completeness(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *points = make_cloud(truth, 0.02);
    for (int i = 0; i < POINTS; i++)
        if (i % COLUMNS > COLUMNS / 2)
            points[3 * i] = NAN;
    const AqmEvaluation e = score(truth, points, 1, 1);
    near_to(e.raw_completeness_pct, 100.0 * (COLUMNS / 2 + 1) / (COLUMNS - 1), 1.0);
    near_to(e.tolerance_completeness_pct, 0.0, 0.0);
    free(points);
    aqm_truth_destroy(&truth);
}

/* The plane that fits best knows nothing of the true one: a cloud that is off, and tilted, by far
 * more than its noise of 0.2 mm has that noise left. */
static void the_plane_that_fits_best(void **state) {
    AqmTruth *truth = make_truth_of(
        *state, "{\"frames\": [{\"index\": 3, \"water_z\": 0.6, \"footprint\": [-0.3, 0.3, -0.25, "
                "0.25], \"surface\": [{\"kind\": \"plane\", \"z0\": 0.8, \"gx\": 0.05}]}]}");
    float *points = make_cloud(truth, 0.003);
    for (int i = 0; i < POINTS; i++)
        points[3 * i + 2] += 0.01f * points[3 * i + 1] + (i % 2 ? 0.0002f : -0.0002f);
    const AqmEvaluation e = score(truth, points, 3, 1);
    const double slant = 1.0 / sqrt(1.0 + 0.05 * 0.05 + 0.01 * 0.01);
    near_to(e.plane_fit_rmse_mm, 0.2 * slant, 1e-3);
    assert_true(e.all.rms_mm > 2.5);
    const AqmEvaluation nothing = score(truth, points, 5, 1);
    assert_true(isnan(nothing.plane_fit_rmse_mm));
    free(points);
    aqm_truth_destroy(&truth);
}

static void auxiliary_cameras_do_not_widen_the_region(void **state) {
    AqmTruth *truth = make_truth(*state);
    const double below[3] = {0.0, 0.0, 0.8}, dry[3] = {0.0, 0.0, 0.55}, far[3] = {5.0, 0.0, 0.8};
    assert_int_equal(aqm_truth_count_views(truth, below), 4);
    assert_int_equal(aqm_truth_count_views(truth, dry), 0);
    assert_int_equal(aqm_truth_count_views(truth, far), 0);
    float *points = make_cloud(truth, 0.0);
    const AqmEvaluation e = score(truth, points, 5, 1);
    assert_int_equal(e.in_region.count, 0);
    near_to(e.coverage_pct[3], 0.0, 0.0);
    near_to(e.all.rms_mm, 0.0, 2e-4);
    free(points);
    aqm_truth_destroy(&truth);
}

static const char plate_text[] =
    "{\"frames\": [{\"index\": 3, \"water_z\": 0.6, \"footprint\": [-0.3, 0.3, -0.25, 0.25],"
    " \"surface\": [{\"kind\": \"plane\", \"z0\": 0.8}],"
    " \"plate\": {\"corner\": [-0.05, -0.06, 0.7], \"x_axis\": [1, 0, 0], \"y_axis\": [0, 1, 0],"
    " \"size_m\": [0.1, 0.12]}}]}";

static void a_plate_counts_and_hides_what_lies_behind_it(void **state) {
    AqmTruth *truth = make_truth_of(*state, plate_text);
    /* half a millimetre beyond the rim the two cameras on the other side see less than the bed */
    static const double points[6][3] = {{0.0, 0.0, 0.8},  {0.0, 0.0, 0.7},   {0.056, 0.0, 0.8},
                                        {0.09, 0.0, 0.8}, {0.0, 0.0, 0.705}, {0.0, 0.0, 0.699}};
    static const int views[6] = {0, 4, 2, 4, 0, 4};
    static const double distances_mm[6] = {0.0, 0.0, 0.0, 0.0, 5.0, -1.0};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(aqm_truth_count_views(truth, points[i]), views[i]);
        near_to(1000.0 * aqm_truth_distance(truth, points[i]), distances_mm[i], 1e-9);
    }
    double top[3];
    aqm_truth_top(truth, 0.049, -0.059, top);
    near_to(top[2], 0.7, 1e-12);
    aqm_truth_top(truth, 0.049, -0.061, top);
    near_to(top[2], 0.8, 1e-12);
    aqm_truth_destroy(&truth);
}

/* The bed below the plate need not be found; the plate must be. */
static void the_uppermost_surface_must_be_complete(void **state) {
    AqmTruth *truth = make_truth_of(*state, plate_text);
    float *points = make_cloud(truth, 0.0);
    const AqmEvaluation bed = score(truth, points, 3, 1);
    for (size_t i = 0; i < POINTS; i++) {
        double top[3];
        aqm_truth_top(truth, (double)points[3 * i], (double)points[3 * i + 1], top);
        points[3 * i + 2] = (float)top[2];
    }
    const AqmEvaluation both = score(truth, points, 3, 1);
    near_to(bed.all.rms_mm, 0.0, 1e-4);
    near_to(both.all.rms_mm, 0.0, 1e-4);
    assert_true(bed.completeness_pct[3] < 97.0);  /* the plate is a 20th of what is seen */
    assert_true(both.completeness_pct[1] > 99.0); /* but the strip that two cameras see */
    assert_true(isnan(both.plane_fit_rmse_mm));
    free(points);
    aqm_truth_destroy(&truth);
}

static void failed_allocations_leave_the_result_alone(void **state) {
    AqmTruth *truth = make_truth(*state);
    float *points = make_cloud(truth, 0.0);
    const AqmEvaluateOptions options = aqm_evaluate_options_default();
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK && n < 50; n++) {
        AqmEvaluation result = {.points = 7};
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        status = aqm_score_points(truth, points, 1000, &options, &result, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_int_equal(result.points, status == AQM_OK ? 1000 : 7);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
    }
    assert_true(n > 4 && n < 50);
    free(points);
    aqm_truth_destroy(&truth);
}

static void broken_truth_is_refused_by_name(void **state) {
    static const char *const wrong[] = {
        "{",
        "{\"frames\": []}",
        "{\"frames\": [{\"index\": 3}]}",
        "{\"frames\": [{\"index\": 3, \"water_z\": 0.6}]}",
        "{\"frames\": [{\"index\": 3, \"water_z\": 1, \"footprint\": [0, 1, 0, 1]}]}",
        "{\"frames\": [{\"index\": 3, \"water_z\": 1, \"footprint\": [0, 1, 0, 1], \"surface\": "
        "[{\"kind\": \"plane\", \"z0\": 2}], \"plate\": {\"corner\": [0, 0, 1]}}]}",
        "{\"frames\": [{\"index\": 3, \"water_z\": 1, \"footprint\": [0, 1, 0, 1], \"surface\": "
        "[{\"kind\": \"plane\", \"z0\": 2}], \"plate\": {\"corner\": [0, 0, 1], \"x_axis\": [2, 0, "
        "0], "
        "\"y_axis\": [0, 1, 0], \"size_m\": [1, 1]}}]}",
    };
    char path[PATH_MAX];
    AqmTruth *truth = NULL;
    AqmDiag missing = {0};
    assert_int_equal(aqm_truth_read(&truth, *state, 3, &missing), AQM_ERROR_IO);
    assert_non_null(strstr(missing.message, "gt/scene.json"));
    write_calibration(*state);
    assert_int_equal(aqm_make_folders(in_folder(path, *state, "gt"), NULL), AQM_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AqmDiag diag = {0};
        write_bytes(in_folder(path, *state, "gt/scene.json"), wrong[i], strlen(wrong[i]));
        assert_int_equal(aqm_truth_read(&truth, *state, 3, &diag), AQM_ERROR_FORMAT);
        assert_non_null(strstr(diag.message, "scene.json"));
        assert_null(truth);
    }
}

enum { STRIPS = 20 };

/* A square of 0.1 m at z = 0.5, cut into half of it and a fan of strips over the other half; one
 * more triangle has no area and one a corner that is not finite. */
static AqmMesh *make_square(void) {
    AqmMesh *mesh = NULL;
    assert_int_equal(aqm_mesh_create(&mesh, STRIPS + 6, STRIPS + 3, NULL), AQM_OK);
    const float corners[4][2] = {{0, 0}, {0.1f, 0}, {0, 0.1f}, {0.1f, 0.1f}};
    for (size_t i = 0; i < mesh->vertex_count; i++) {
        const float along = 0.1f * ((float)i - 4.0f) / STRIPS;
        mesh->position[3 * i] = i < 4 ? corners[i][0] : 0.1f - along;
        mesh->position[3 * i + 1] = i < 4 ? corners[i][1] : along;
        mesh->position[3 * i + 2] = 0.5f;
    }
    mesh->position[3 * (STRIPS + 5)] = NAN;
    const uint32_t special[3][3] = {{0, 1, 2}, {1, 2, 2}, {0, 1, STRIPS + 5}};
    memcpy(mesh->triangles, special, sizeof special);
    for (uint32_t i = 0; i < STRIPS; i++) {
        const uint32_t strip[3] = {4 + i, 5 + i, 3};
        memcpy(mesh->triangles + 3 * (i + 3), strip, sizeof strip);
    }
    return mesh;
}

static void mesh_samples_are_even(void **state) {
    (void)state;
    AqmMesh *mesh = make_square();
    float *points = NULL;
    size_t count = 0, tiles[5][5] = {{0}};
    assert_int_equal(aqm_mesh_samples(mesh, 0.0005, &points, &count, NULL), AQM_OK);
    near_to((double)count, 40000.0, 1.0);
    for (size_t i = 0; i < count; i++) {
        const float *p = points + 3 * i;
        assert_true(p[0] >= 0 && p[0] < 0.1001f && p[1] >= 0 && p[1] < 0.1001f && p[2] == 0.5f);
        tiles[(int)fminf(p[0] * 50, 4)][(int)fminf(p[1] * 50, 4)]++;
    }
    for (int i = 0; i < 25; i++)
        near_to((double)tiles[i / 5][i % 5], 1600.0, 4.5 * 40.0); /* Poisson: sigma 40 */
    aqm_free(points);
    aqm_mesh_destroy(&mesh);
}

static void meshes_without_area_or_with_wrong_indices_are_refused(void **state) {
    (void)state;
    AqmMesh *mesh = make_square();
    float *points = NULL;
    size_t count = 0;
    AqmDiag diag = {0};
    mesh->triangles[0] = 1000;
    assert_int_equal(aqm_mesh_samples(mesh, 0.001, &points, &count, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "1000"));
    aqm_mesh_destroy(&mesh);
    assert_int_equal(aqm_mesh_create(&mesh, 3, 1, NULL), AQM_OK);
    assert_int_equal(aqm_mesh_samples(mesh, 0.001, &points, &count, NULL), AQM_ERROR_NO_DATA);
    aqm_mesh_destroy(&mesh);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_cloud_off_by_a_known_distance_has_that_error),
        IN_FOLDER(missing_and_wrong_points_show_where_they_must),
        IN_FOLDER(the_number_of_threads_changes_nothing),
        IN_FOLDER(spread_and_a_tolerance_of_ones_own),
        IN_FOLDER(any_point_makes_raw_completeness),
        IN_FOLDER(the_plane_that_fits_best),
        IN_FOLDER(auxiliary_cameras_do_not_widen_the_region),
        IN_FOLDER(a_plate_counts_and_hides_what_lies_behind_it),
        IN_FOLDER(the_uppermost_surface_must_be_complete),
        IN_FOLDER(failed_allocations_leave_the_result_alone),
        IN_FOLDER(broken_truth_is_refused_by_name),
        cmocka_unit_test(mesh_samples_are_even),
        cmocka_unit_test(meshes_without_area_or_with_wrong_indices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
