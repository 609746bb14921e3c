/* What a run leaves behind about itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "pipeline/pipeline_test_util.h"
#include "pipeline/run_record.h"

static AqmConfig *some_config(void) {
    AqmConfig *config = NULL;
    assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
    assert_int_equal(aqm_config_set(config, "calibration_path", "/c/calibration.json", NULL),
                     AQM_OK);
    assert_int_equal(aqm_config_set(config, "output_dir", "/c/out", NULL), AQM_OK);
    assert_int_equal(aqm_config_add_input(config, "cam0", "/c/cam0", NULL), AQM_OK);
    return config;
}

/* The digest after one more setting; key may be NULL. */
static void digest_with(const char *key, const char *value, char digest[17]) {
    AqmConfig *config = some_config();
    if (key)
        assert_int_equal(aqm_config_set(config, key, value, NULL), AQM_OK);
    assert_int_equal(aqm_configuration_digest(config, digest, NULL), AQM_OK);
    assert_int_equal(strlen(digest), 16);
    aqm_config_destroy(&config);
}

static void the_digest_knows_what_makes_a_difference(void **state) {
    (void)state;
    static const char *const indifferent[][2] = {
        {"runtime.threads", "3"},           {"runtime.device", "cuda"},
        {"runtime.quiet", "true"},          {"output_dir", "/elsewhere"},
        {"preprocessing.frame_start", "5"}, {"preprocessing.frame_stop", "9"},
        {"preprocessing.frame_step", "2"},  {"calibration_path", "/c/other.json"},
        {"mask_dir", "/c/masks"},           {"runtime.viz_enabled", "true"},
        {"runtime.viz_stages", "[depth]"},  {"runtime.models_dir", "/m"},
        {"quality_preset", "fast"},         {"reconstruction.depth_batch_size", "9"},
    };
    static const char *const decisive[][2] = {
        {"reconstruction.num_depths", "64"},         {"reconstruction.voxel_size", "0.002"},
        {"reconstruction.depth_range", "[0.1,0.3]"}, {"preprocessing.color_norm_enabled", "true"},
        {"runtime.save_consistency_maps", "true"},
    };
    char plain[17], other[17];
    digest_with(NULL, NULL, plain);
    for (size_t k = 0; k < sizeof indifferent / sizeof indifferent[0]; k++) {
        digest_with(indifferent[k][0], indifferent[k][1], other);
        assert_string_equal(other, plain);
    }
    for (size_t k = 0; k < sizeof decisive / sizeof decisive[0]; k++) {
        digest_with(decisive[k][0], decisive[k][1], other);
        assert_string_not_equal(other, plain);
    }
}

/* A job of two cameras, the second without a depth range, and its report. */
typedef struct Sample {
    AqmCamera cameras[2];
    AqmInput input[2];
    AqmInputs inputs;
    AqmDepthRange ranges[2];
    AqmFrameReport report;
    AqmFrameJob job;
} Sample;

static void fill_sample(Sample *s, const char *folder, int frame) {
    memset(s, 0, sizeof *s);
    snprintf(s->cameras[0].name, sizeof s->cameras[0].name, "cam0");
    snprintf(s->cameras[1].name, sizeof s->cameras[1].name, "cam1");
    s->input[0].camera = &s->cameras[0];
    s->input[1].camera = &s->cameras[1];
    s->inputs.cameras = s->input;
    s->inputs.camera_count = 2;
    s->ranges[0] = (AqmDepthRange){0.1, 0.3, 0.0, 0.0};
    s->ranges[1] = (AqmDepthRange){(double)NAN, (double)NAN, 0.0, 0.0};
    s->report.ranges = s->ranges;
    s->report.cameras_used = 2;
    s->report.points = 1234567;
    s->report.spans[AQM_STAGE_STEREO] = (AqmTraceSpan){1.5, 2.5, 100, 50, 3};
    snprintf(s->report.warnings, sizeof s->report.warnings, "one\nna\xefve.png \xc3\xa9\n");
    s->job = (AqmFrameJob){.inputs = &s->inputs, .frame = frame, .folder = folder};
}

static json_t *load(const char *folder, const char *name) {
    char path[PATH_MAX];
    json_t *root = json_load_file(in_folder(path, folder, name), 0, NULL);
    assert_non_null(root);
    return root;
}

static const AqmFrameOrigin origin = {"0123456789abcdef", "fedcba9876543210"};

static void frame_json_says_the_same_whenever_it_is_written(void **state) {
    char again[PATH_MAX];
    AqmFrameOrigin read;
    Sample s;
    fill_sample(&s, *state, 7);
    assert_false(aqm_frame_json_read(*state, &read));
    assert_int_equal(aqm_frame_json_write(&s.job, &s.report, &origin, NULL), AQM_OK);
    assert_true(aqm_frame_json_read(*state, &read));
    assert_string_equal(read.configuration, origin.configuration);
    assert_string_equal(read.inputs, origin.inputs);
    /* other times, same bytes */
    assert_int_equal(aqm_make_folders(in_folder(again, *state, "again"), NULL), AQM_OK);
    s.report.spans[AQM_STAGE_STEREO].wall_s = 99.0;
    s.job.folder = again;
    assert_int_equal(aqm_frame_json_write(&s.job, &s.report, &origin, NULL), AQM_OK);
    assert_same_file(*state, again, "frame.json");
    json_t *root = load(*state, "frame.json");
    assert_int_equal(json_integer_value(json_object_get(root, "points")), 1234567);
    const json_t *cameras = json_object_get(root, "cameras");
    const json_t *range = json_object_get(json_object_get(cameras, "cam0"), "depth_range_m");
    assert_true(json_real_value(json_array_get(range, 1)) == 0.3);
    assert_int_equal(json_object_size(json_object_get(cameras, "cam1")), 0);
    json_decref(root);
}

static void names_that_are_not_utf8_do_not_stop_the_record(void **state) {
    Sample s;
    fill_sample(&s, *state, 0);
    assert_int_equal(aqm_frame_json_write(&s.job, &s.report, &origin, NULL), AQM_OK);
    json_t *root = load(*state, "frame.json");
    const json_t *warnings = json_object_get(root, "warnings");
    assert_int_equal(json_array_size(warnings), 2);
    assert_string_equal(json_string_value(json_array_get(warnings, 0)), "one");
    assert_string_equal(json_string_value(json_array_get(warnings, 1)), "na?ve.png \xc3\xa9");
    json_decref(root);
}

static void a_damaged_frame_json_is_finished_but_of_no_known_configuration(void **state) {
    static const char *const damaged[] = {"",
                                          "{",
                                          "{}",
                                          "[1]",
                                          "{\"configuration\": 5, \"inputs\": []}",
                                          "{\"configuration\": \"0123\"}"};
    char path[PATH_MAX];
    AqmFrameOrigin read;
    for (size_t k = 0; k < sizeof damaged / sizeof damaged[0]; k++) {
        write_bytes(in_folder(path, *state, "frame.json"), damaged[k], strlen(damaged[k]));
        assert_true(aqm_frame_json_read(*state, &read));
        assert_string_equal(read.configuration, "");
        assert_string_equal(read.inputs, "");
    }
}

static AqmRunRecord *open_record(const char *folder, const AqmConfig *config) {
    char path[PATH_MAX];
    const AqmFrameChoice choice = {2, -1, 3, 1, 4, true};
    AqmRunRecord *record = NULL;
    assert_int_equal(
        aqm_run_record_create(&record, in_folder(path, folder, "run.json"), config, &choice, NULL),
        AQM_OK);
    return record;
}

static void run_json_keeps_what_earlier_runs_told(void **state) {
    AqmConfig *config = some_config();
    Sample s;
    AqmRunRecord *record = open_record(*state, config);
    fill_sample(&s, *state, 3);
    assert_int_equal(aqm_run_record_add(record, &s.job, AQM_FRAME_DONE, &s.report, NULL, NULL),
                     AQM_OK);
    s.job.frame = 4;
    assert_int_equal(
        aqm_run_record_add(record, &s.job, AQM_FRAME_FAILED, &s.report, "no \xff image", NULL),
        AQM_OK);
    assert_int_equal(aqm_run_record_warn(record, "old", NULL), AQM_OK);
    assert_int_equal(aqm_run_record_write(record, "interrupted", 2.0, NULL), AQM_OK);
    aqm_run_record_destroy(&record);
    assert_null(record);

    record = open_record(*state, config);
    memset(s.report.spans, 0, sizeof s.report.spans);
    s.job.frame = 3;
    assert_int_equal(aqm_run_record_add(record, &s.job, AQM_FRAME_SKIPPED, &s.report, NULL, NULL),
                     AQM_OK);
    s.job.frame = 5; /* finished, but no record of it */
    assert_int_equal(aqm_run_record_add(record, &s.job, AQM_FRAME_SKIPPED, &s.report, NULL, NULL),
                     AQM_OK);
    assert_int_equal(aqm_run_record_write(record, "done", 1.0, NULL), AQM_OK);
    aqm_run_record_destroy(&record);

    json_t *root = load(*state, "run.json"), *frames = json_object_get(root, "frames");
    assert_string_equal(json_string_value(json_object_get(root, "status")), "done");
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 0);
    const json_t *arguments = json_object_get(root, "arguments");
    assert_int_equal(json_integer_value(json_object_get(arguments, "frame_start")), 2);
    assert_true(json_is_null(json_object_get(arguments, "frame_stop")));
    assert_int_equal(json_integer_value(json_object_get(arguments, "frame_step")), 3);
    assert_string_equal(json_string_value(json_object_get(arguments, "shard")), "1/4");
    assert_true(json_is_true(json_object_get(arguments, "force")));
    assert_int_equal(json_object_size(frames), 3);
    const json_t *third = json_object_get(frames, "000003");
    assert_true(json_real_value(json_object_get(third, "wall_s")) == 1.5);
    const json_t *stages = json_object_get(third, "stages");
    assert_int_equal(json_object_size(stages), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(stages, "stereo"), "peak_bytes")), 50);
    const json_t *fourth = json_object_get(frames, "000004");
    assert_string_equal(json_string_value(json_object_get(fourth, "status")), "failed");
    assert_string_equal(json_string_value(json_object_get(fourth, "reason")), "no ? image");
    json_decref(root);
    aqm_config_destroy(&config);
}

static void an_unreadable_run_json_counts_as_none(void **state) {
    static const char *const damaged[] = {"", "{\"frames\": [1, 2]}", "{\"frames\": {", "[]"};
    AqmConfig *config = some_config();
    char path[PATH_MAX];
    for (size_t k = 0; k < sizeof damaged / sizeof damaged[0]; k++) {
        write_bytes(in_folder(path, *state, "run.json"), damaged[k], strlen(damaged[k]));
        AqmRunRecord *record = open_record(*state, config);
        assert_int_equal(aqm_run_record_write(record, "running", 0.0, NULL), AQM_OK);
        aqm_run_record_destroy(&record);
        json_t *root = load(*state, "run.json");
        assert_int_equal(json_object_size(json_object_get(root, "frames")), 0);
        json_decref(root);
    }
    aqm_config_destroy(&config);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_knows_what_makes_a_difference),
        IN_FOLDER(frame_json_says_the_same_whenever_it_is_written),
        IN_FOLDER(names_that_are_not_utf8_do_not_stop_the_record),
        IN_FOLDER(a_damaged_frame_json_is_finished_but_of_no_known_configuration),
        IN_FOLDER(run_json_keeps_what_earlier_runs_told),
        IN_FOLDER(an_unreadable_run_json_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
