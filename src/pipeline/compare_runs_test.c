#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "aquamvs/compare.h"
#include "aquamvs/io.h"
#include "base/alloc.h"
#include "math/vec.h"
#include "pipeline/pipeline_test_util.h"
#include "stages/picture/fontconfig_leak.h"

#define CONFIG                                                                                     \
    "calibration_path: c.json\noutput_dir: out\ncamera_input_map: {a: va, b: vb}\n"                \
    "runtime:\n  icp_max_distance: 1.0e-7\n"

/* Sand every 1.25 mm over 0.3 x 0.24 m; in A a mound of 10 mm and 15 mm sigma lies on it. */
enum { COLUMNS = 241, ROWS = 193, COUNT = COLUMNS * ROWS };
static const double mound_m3 = 0.01 * 2.0 * 3.14159265358979 * 0.015 * 0.015;

static AqmCloud *make_cloud(bool with_mound, double sigma_m, uint64_t seed) {
    AqmCloud *cloud = NULL;
    AqmRng rng = aqm_rng(seed, 8);
    assert_int_equal(aqm_cloud_create(&cloud, COUNT, NULL), AQM_OK);
    cloud->count = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        const double x = 0.00125 * (double)(i % COLUMNS) - 0.15;
        const double y = 0.00125 * (double)(i / COLUMNS) - 0.12;
        const double hill = exp(-(x * x + y * y) / (2.0 * 0.015 * 0.015));
        double z = 0.8 + 0.006 * sin(40.0 * x) + 0.005 * cos(35.0 * y + 20.0 * x);
        double gx = 0.24 * cos(40.0 * x) - 0.1 * sin(35.0 * y + 20.0 * x);
        double gy = -0.175 * sin(35.0 * y + 20.0 * x);
        if (with_mound) {
            z -= 0.01 * hill;
            gx += 0.01 * hill * x / (0.015 * 0.015), gy += 0.01 * hill * y / (0.015 * 0.015);
        }
        const double norm = sqrt(1.0 + gx * gx + gy * gy);
        const double p[3] = {x, y, z + sigma_m * aqm_rng_normal(&rng)};
        const double n[3] = {gx / norm, gy / norm, -1.0 / norm};
        for (size_t k = 0; k < 3; k++) {
            cloud->position[3 * i + k] = (float)p[k];
            cloud->normal[3 * i + k] = (float)n[k];
        }
        cloud->confidence[i] = 1.0f;
        cloud->sigma_m[i] = (float)sigma_m;
    }
    return cloud;
}

static void put_cloud(const char *path, AqmCloud *cloud) {
    assert_int_equal(aqm_ply_write_cloud(path, cloud, NULL, NULL), AQM_OK);
    aqm_cloud_destroy(&cloud);
}

/* folder/run with frames 0 (mound) and 3 (none), and the same as single files a.ply and b.ply. */
static int make_runs(void **state) {
    char path[PATH_MAX];
    if (make_test_folder(state) != 0)
        return -1;
    for (int k = 0; k < 2; k++) {
        const char *frame = k ? "run/frame_000003" : "run/frame_000000";
        char folder[PATH_MAX];
        (void)in_folder(folder, *state, frame);
        assert_int_equal(aqm_make_folders(in_folder(path, folder, "point_cloud"), NULL), AQM_OK);
        put_cloud(in_folder(path, folder, "point_cloud/fused.ply"),
                  make_cloud(k == 0, 1e-4, (uint64_t)k));
        write_bytes(in_folder(path, folder, "frame.json"), "{}", 2);
        put_cloud(in_folder(path, *state, k ? "b.ply" : "a.ply"),
                  make_cloud(k == 0, 1e-4, (uint64_t)k));
    }
    return 0;
}

/* Three levels of folders: remove_folder goes down two. */
static int remove_runs(void **state) {
    static const char *const folders[] = {"run/frame_000000", "run/frame_000003", "run", "out"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        remove_folder(in_folder(path, *state, folders[i]));
    return remove_test_folder(state);
}

static AqmComparison *compare(const char *folder, const char *a, const char *b,
                              const AqmCompareOptions *options) {
    char path_a[PATH_MAX], path_b[PATH_MAX];
    AqmComparison *comparison = NULL;
    AqmDiag diag = {0};
    if (aqm_compare(in_folder(path_a, folder, a), in_folder(path_b, folder, b), options,
                    &comparison, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return comparison;
}

static void near_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", value, expected, tolerance);
}

static void a_mound_that_is_gone_is_eroded(void **state) {
    static const char *const pairs[][2] = {
        {"a.ply", "b.ply"}, {"run", "run"}, {"run/frame_000000", "b.ply"}};
    AqmCompareOptions options = aqm_compare_options_default();
    options.frame_b = 3;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AqmComparison *c = compare(*state, pairs[i][0], pairs[i][1], &options);
        near_to(-c->volume.all.net_m3, mound_m3, 0.01 * mound_m3);
        near_to(-c->volume.all.net_m3, mound_m3, 2.0 * c->volume.all.net_95_m3);
        assert_true(c->volume.is_measured);
        assert_true(c->has_distances && !c->is_aligned);
        near_to(c->max_abs_m, 0.01, 5e-4);
        assert_true(c->a_to_b.max_mm > 5.0 && c->a_to_b.signed_mean_mm < 0.0 &&
                    c->b_to_a.signed_mean_mm > 0.0); /* B lies deeper */
        assert_true(c->difference->step_m == 0.002);
        aqm_comparison_destroy(&c);
        assert_null(c);
    }
    options.has_region = true;
    const double flank[4] = {0.0, -0.12, 0.15, 0.12}; /* half of the mound, but for half a cell */
    memcpy(options.region, flank, sizeof flank);
    AqmComparison *c = compare(*state, "a.ply", "b.ply", &options);
    near_to(-c->volume.all.net_m3, 0.5 * mound_m3, 0.05 * mound_m3);
    aqm_comparison_destroy(&c);
}

static void maps_of_the_frame_are_used_where_they_fit(void **state) {
    char path[PATH_MAX], folder[PATH_MAX];
    AqmHeightMap *map = NULL;
    AqmCompareOptions options = aqm_compare_options_default();
    options.frame_b = 3;
    assert_int_equal(aqm_height_map_create(&map, 40, 30, NULL), AQM_OK);
    map->first_column = -20, map->first_row = -15, map->step_m = 0.003;
    for (int c = 0; c < 1200; c++) /* so deep that it cannot come from the points */
        map->z_m[c] = 1.8f + 1e-4f * (float)(c % 7), map->sigma_m[c] = 2e-4f;
    (void)in_folder(folder, *state, "run/frame_000003/mesh");
    assert_int_equal(aqm_make_folders(folder, NULL), AQM_OK);
    assert_int_equal(
        aqm_height_map_write(in_folder(path, folder, "height_map.npz"), map, NULL, NULL), AQM_OK);
    AqmComparison *c = compare(*state, "run", "run", &options);
    near_to(c->median_m, 1.0, 0.02);
    near_to(c->difference->step_m, 0.003, 1e-12); /* that of the map there is */
    assert_non_null(strstr(c->name_b, "height_map.npz"));
    assert_non_null(strstr(c->name_a, "fused.ply"));
    aqm_comparison_destroy(&c);
    options.grid_step_m = 0.004; /* another step: from the points */
    c = compare(*state, "run", "run", &options);
    near_to(c->median_m, 0.0, 1e-3);
    assert_non_null(strstr(c->name_b, "fused.ply"));
    aqm_comparison_destroy(&c);
    /* a map alone: no distances, and no other step */
    options.grid_step_m = 0.0;
    c = compare(*state, "a.ply", "run/frame_000003/mesh/height_map.npz", &options);
    assert_false(c->has_distances);
    aqm_comparison_destroy(&c);
    AqmDiag diag = {0};
    char a[PATH_MAX];
    options.grid_step_m = 0.004;
    assert_int_equal(aqm_compare(in_folder(a, *state, "a.ply"),
                                 in_folder(path, folder, "height_map.npz"), &options, &c, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "0.004"));
    aqm_height_map_destroy(&map);
}

static void alignment_is_done_when_it_is_asked_for(void **state) {
    char path[PATH_MAX];
    const double R[9] = {1, -0.003, 0, 0.003, 1, 0, 0, 0, 1}, t[3] = {0.002, -0.001, 0.003};
    AqmCloud *moved = make_cloud(false, 1e-4, 5);
    aqm_cloud_move(moved, R, t);
    put_cloud(in_folder(path, *state, "moved.ply"), moved);
    AqmCompareOptions options = aqm_compare_options_default();
    AqmComparison *c = compare(*state, "a.ply", "moved.ply", &options);
    assert_true(fabs(-c->volume.all.net_m3 - mound_m3) > mound_m3); /* 3 mm over all */
    aqm_comparison_destroy(&c);
    options.align = true;
    c = compare(*state, "a.ply", "moved.ply", &options);
    assert_true(c->is_aligned && c->alignment.converged);
    near_to(c->alignment.t[2], -0.003, 2e-4);
    near_to(-c->volume.all.net_m3, mound_m3, 2.0 * c->volume.all.net_95_m3);
    near_to(-c->volume.all.net_m3, mound_m3, 0.02 * mound_m3);
    aqm_comparison_destroy(&c);
    /* how far it reaches is in the configuration of A */
    write_bytes(in_folder(path, *state, "run/config.yaml"), CONFIG, sizeof CONFIG - 1);
    char a[PATH_MAX], b[PATH_MAX];
    AqmDiag diag = {0};
    const AqmStatus status = aqm_compare(in_folder(a, *state, "run"),
                                         in_folder(b, *state, "moved.ply"), &options, &c, &diag);
    assert_int_equal(status, AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "1e-07 m"));
    options.icp_max_distance_m = 0.01;
    c = compare(*state, "run", "moved.ply", &options);
    assert_true(c->alignment.converged);
    aqm_comparison_destroy(&c);
    unlink(path);
}

/* Tilted water: maps are in the rig frame, points in the world's. */
static void tilted_water_is_turned_level(void **state) {
    char path[PATH_MAX], folder[PATH_MAX];
    const double a = 0.1, R[9] = {1, 0, 0, 0, cos(a), -sin(a), 0, sin(a), cos(a)};
    static const double none[3] = {0};
    AqmCompareOptions options = aqm_compare_options_default();
    AqmComparison *c = compare(*state, "b.ply", "b.ply", &options);
    AqmHeightMap *map = c->difference; /* any map will do to carry the rotation */
    (void)in_folder(folder, *state, "run/frame_000003/mesh");
    assert_int_equal(aqm_make_folders(folder, NULL), AQM_OK);
    assert_int_equal(aqm_height_map_write(in_folder(path, folder, "height_map.npz"), map, R, NULL),
                     AQM_OK);
    aqm_comparison_destroy(&c);
    AqmCloud *world = make_cloud(true, 1e-4, 0), *bare = make_cloud(false, 1e-4, 1);
    aqm_cloud_move(world, R, none);
    aqm_cloud_move(bare, R, none);
    put_cloud(in_folder(path, *state, "world.ply"), world);
    put_cloud(in_folder(path, *state, "run/frame_000003/point_cloud/fused.ply"), bare);
    options.frame_a = 3, options.grid_step_m = 0.0015; /* not the map's: it is made anew */
    char b[PATH_MAX], run[PATH_MAX];
    AqmDiag diag = {0};
    if (aqm_compare(in_folder(b, *state, "world.ply"), in_folder(run, *state, "run"), &options, &c,
                    &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    near_to(-c->volume.all.net_m3, mound_m3, 0.02 * mound_m3); /* along the rig's Z */
    near_to(c->world_from_rig[7], sin(a), 1e-7);
    aqm_comparison_destroy(&c);
}

static void every_file_is_written_and_says_the_same(void **state) {
    char path[PATH_MAX], folder[PATH_MAX];
    AqmCompareOptions options = aqm_compare_options_default();
    AqmComparison *c = compare(*state, "a.ply", "b.ply", &options);
    (void)in_folder(folder, *state, "out/deep");
    assert_int_equal(aqm_comparison_write(c, folder, NULL), AQM_OK);
    assert_int_equal(count_files(folder), 5);
    json_t *root = json_load_file(in_folder(path, folder, "comparison.json"), 0, NULL);
    const json_t *all = json_object_get(json_object_get(root, "volume"), "all");
    near_to(json_number_value(json_object_get(all, "net_m3")), c->volume.all.net_m3, 1e-12);
    near_to(json_number_value(json_object_get(all, "net_95_m3")), c->volume.all.net_95_m3, 1e-12);
    assert_true(json_is_null(json_object_get(root, "alignment")));
    assert_true(json_is_object(json_object_get(json_object_get(root, "distances"), "b_to_a")));
    json_decref(root);
    size_t size, shape[3];
    int dimensions;
    float *dz = NULL;
    char *csv = (char *)read_bytes(in_folder(path, folder, "comparison.csv"), &size);
    assert_non_null(strstr(csv, "group,measure,value,unit\nvolume_all,area,0.07"));
    assert_non_null(strstr(csv, "\nvolume_significant,net_95,"));
    free(csv);
    assert_int_equal(aqm_npz_read(in_folder(path, folder, "height_difference.npz"), "dz", &dz,
                                  shape, &dimensions, NULL),
                     AQM_OK);
    assert_int_equal(shape[0], c->difference->rows);
    assert_memory_equal(dz, c->difference->z_m, shape[0] * shape[1] * sizeof *dz);
    aqm_free_buffer(dz);
    remove_folder(folder);
    aqm_comparison_destroy(&c);
}

static void the_number_of_threads_changes_nothing(void **state) {
    char *text[2] = {NULL, NULL};
    AqmCompareOptions options = aqm_compare_options_default();
    options.align = true;
    for (int k = 0; k < 2; k++) {
        options.threads = k ? 4 : 1;
        AqmComparison *c = compare(*state, "a.ply", "b.ply", &options);
        assert_int_equal(aqm_comparison_to_json(c, &text[k], NULL), AQM_OK);
        aqm_comparison_destroy(&c);
    }
    assert_string_equal(text[0], text[1]);
    aqm_free_buffer(text[0]);
    aqm_free_buffer(text[1]);
}

static void fails(const char *folder, const char *a, const char *b,
                  const AqmCompareOptions *options, AqmStatus expected, const char *words) {
    char path_a[PATH_MAX], path_b[PATH_MAX];
    AqmComparison *comparison = NULL;
    AqmDiag diag = {0};
    const AqmStatus status = aqm_compare(in_folder(path_a, folder, a), in_folder(path_b, folder, b),
                                         options, &comparison, &diag);
    if (status != expected || !strstr(diag.message, words))
        fail_msg("%s: %s", aqm_status_name(status), diag.message);
    assert_null(comparison);
}

static void what_cannot_be_compared_is_a_sentence(void **state) {
    char path[PATH_MAX];
    const double I[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, far_off[3] = {3, 0, 0};
    AqmCompareOptions o = aqm_compare_options_default();
    fails(*state, "run", "none.ply", &o, AQM_ERROR_IO, "none.ply");
    fails(*state, "a.ply", "run/frame_000000/frame.json", &o, AQM_ERROR_FORMAT, "frame.json");
    o.frame_b = 2;
    fails(*state, "run", "run", &o, AQM_ERROR_IO, "has no frame 2; there are 2, the first is 0");
    assert_int_equal(aqm_make_folders(in_folder(path, *state, "empty"), NULL), AQM_OK);
    fails(*state, "a.ply", "empty", &o, AQM_ERROR_IO, "not a frame of a run");
    AqmCloud *cloud = make_cloud(false, 1e-4, 1);
    aqm_cloud_move(cloud, I, far_off);
    put_cloud(in_folder(path, *state, "far.ply"), cloud);
    fails(*state, "a.ply", "far.ply", &o, AQM_ERROR_NO_DATA, "no ground in common");
    o.align = true;
    fails(*state, "a.ply", "far.ply", &o, AQM_ERROR_NO_DATA, "do not overlap");
    o = aqm_compare_options_default();
    o.grid_step_m = -1.0;
    fails(*state, "a.ply", "b.ply", &o, AQM_ERROR_ARGUMENT, "grid step of -1");
    o = aqm_compare_options_default();
    o.icp_max_distance_m = NAN;
    fails(*state, "a.ply", "b.ply", &o, AQM_ERROR_ARGUMENT, "icp_max_distance");
    o = aqm_compare_options_default();
    o.has_region = true; /* from 0 to 0 */
    fails(*state, "a.ply", "b.ply", &o, AQM_ERROR_ARGUMENT, "region");
    o.region[2] = o.region[3] = 1e-4, o.region[0] = o.region[1] = 5e-5;
    fails(*state, "a.ply", "b.ply", &o, AQM_ERROR_NO_DATA, "region");
    o = aqm_compare_options_default();
    o.frame_a = -1;
    fails(*state, "a.ply", "b.ply", &o, AQM_ERROR_ARGUMENT, "negative");
    cloud = make_cloud(false, 1e-4, 1);
    cloud->count = 0;
    put_cloud(in_folder(path, *state, "nothing.ply"), cloud);
    fails(*state, "a.ply", "nothing.ply", &o, AQM_ERROR_ARGUMENT, "negative");
    o.frame_a = 0;
    fails(*state, "a.ply", "nothing.ply", &o, AQM_ERROR_NO_DATA, "nothing.ply");
}

static void doubts_are_told(void **state) {
    char path[PATH_MAX];
    const double I[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, deeper[3] = {0, 0, 0.002};
    AqmCloud *cloud = make_cloud(false, 1e-4, 3);
    Heard heard = {""};
    AqmCompareOptions options = aqm_compare_options_default();
    options.log = (AqmLog){hear, &heard};
    aqm_cloud_move(cloud, I, deeper);
    put_cloud(in_folder(path, *state, "deeper.ply"), cloud);
    AqmComparison *c = compare(*state, "b.ply", "deeper.ply", &options);
    assert_true(was_heard(&heard, "warning: the ground that seems unchanged lies"));
    assert_true(c->volume.all.net_95_m3 > 1.9e-3 * c->volume.all.area_m2);
    aqm_comparison_destroy(&c);
    unlink(in_folder(path, *state, "run/frame_000003/frame.json"));
    write_bytes(in_folder(path, *state, "run/config.yaml"), "#\n", 2);
    options.frame_a = 3;
    c = compare(*state, "run", "b.ply", &options);
    assert_true(was_heard(&heard, "frame is not finished"));
    aqm_comparison_destroy(&c);
}

static void running_out_of_memory_leaks_nothing(void **state) {
    char path_a[PATH_MAX], path_b[PATH_MAX];
    AqmCompareOptions options = aqm_compare_options_default();
    options.threads = 1, options.align = true, options.grid_step_m = 0.008;
    for (int k = 0; k < 2; k++) {
        AqmCloud *cloud = make_cloud(k == 0, 1e-4, (uint64_t)k);
        for (size_t i = 0; i < COUNT / 16; i++)
            memcpy(cloud->position + 3 * i, cloud->position + 48 * i, 3 * sizeof(float));
        cloud->count = COUNT / 16;
        put_cloud(in_folder(path_a, *state, k ? "few_b.ply" : "few_a.ply"), cloud);
    }
    (void)in_folder(path_a, *state, "few_a.ply");
    (void)in_folder(path_b, *state, "few_b.ply");
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmComparison *comparison = NULL;
        char *text = NULL;
        aqm_alloc_fail_from(n);
        status = aqm_compare(path_a, path_b, &options, &comparison, NULL);
        if (status == AQM_OK)
            status = aqm_comparison_to_json(comparison, &text, NULL);
        aqm_alloc_fail_from(0);
        aqm_comparison_destroy(&comparison);
        aqm_free_buffer(text);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    assert_int_equal(status, AQM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mound_that_is_gone_is_eroded, make_runs, remove_runs),
        cmocka_unit_test_setup_teardown(maps_of_the_frame_are_used_where_they_fit, make_runs,
                                        remove_runs),
        cmocka_unit_test_setup_teardown(alignment_is_done_when_it_is_asked_for, make_runs,
                                        remove_runs),
        cmocka_unit_test_setup_teardown(tilted_water_is_turned_level, make_runs, remove_runs),
        cmocka_unit_test_setup_teardown(every_file_is_written_and_says_the_same, make_runs,
                                        remove_runs),
        cmocka_unit_test_setup_teardown(the_number_of_threads_changes_nothing, make_runs,
                                        remove_runs),
        cmocka_unit_test_setup_teardown(what_cannot_be_compared_is_a_sentence, make_runs,
                                        remove_runs),
        cmocka_unit_test_setup_teardown(doubts_are_told, make_runs, remove_runs),
        cmocka_unit_test_setup_teardown(running_out_of_memory_leaks_nothing, make_runs,
                                        remove_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
