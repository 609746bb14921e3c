#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "aquamvs/profile.h"
#include "base/alloc.h"
#include "base/recorder.h"
#include "pipeline/pipeline_test_util.h"

/* ---- a trace, read back ---------------------------------------------------------------------- */

enum { DEEPEST = 32, THREADS_MAX = 16 };

/* The events that are open in one thread at some time: the ends of those that hold the last one. */
typedef struct Track {
    json_int_t id;
    double last_us, ends_us[DEEPEST];
    size_t depth;
} Track;

static double number_of(const json_t *event, const char *key) {
    const json_t *value = json_object_get(event, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static Track *track_of(Track *tracks, size_t *count, json_int_t id) {
    for (size_t k = 0; k < *count; k++)
        if (tracks[k].id == id)
            return &tracks[k];
    assert_true(*count < THREADS_MAX);
    tracks[*count] = (Track){.id = id};
    return &tracks[(*count)++];
}

/* Events of a thread begin one after the other, and each lies within those that are open. */
static void check_scope(Track *tracks, size_t *count, const json_t *event) {
    const double from = number_of(event, "ts"), to = from + number_of(event, "dur");
    const double slack = 1e-3; /* a nanosecond: numbers are rounded to that */
    Track *track = track_of(tracks, count, (json_int_t)number_of(event, "tid"));
    assert_true(json_is_string(json_object_get(event, "name")));
    assert_true(json_is_string(json_object_get(event, "cat")));
    assert_true(number_of(event, "dur") >= 0.0 && from >= track->last_us - slack);
    while (track->depth > 0 && from >= track->ends_us[track->depth - 1] - slack)
        track->depth--;
    if (track->depth > 0)
        assert_true(to <= track->ends_us[track->depth - 1] + slack);
    assert_true(track->depth < DEEPEST);
    track->ends_us[track->depth++] = to;
    track->last_us = from;
}

/* Returns the number of scopes. */
static size_t check_trace(const char *path) {
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    const json_t *events = json_object_get(root, "traceEvents");
    Track tracks[THREADS_MAX];
    size_t track_count = 0, scopes = 0, names = 0, samples = 0;
    double last_us = 0.0, most = 0.0;
    for (size_t k = 0; k < json_array_size(events); k++) {
        const json_t *event = json_array_get(events, k);
        const char *phase = json_string_value(json_object_get(event, "ph"));
        assert_non_null(phase);
        assert_true(number_of(event, "pid") > 0.0);
        switch (phase[0]) {
        case 'X':
            check_scope(tracks, &track_count, event);
            scopes++;
            break;
        case 'M':
            names++;
            break;
        default:
            assert_string_equal(phase, "C");
            assert_true(number_of(event, "ts") >= last_us);
            last_us = number_of(event, "ts");
            most = fmax(most, number_of(json_object_get(event, "args"), "allocated_bytes"));
            samples++;
        }
    }
    assert_int_equal(names, 1 + track_count); /* the process and each thread */
    assert_int_equal(samples, 2 * scopes);
    assert_true(most > 64.0 * 48.0);
    json_decref(root);
    return scopes;
}

/* ---- profiles -------------------------------------------------------------------------------- */

static const AqmProfileEntry *stage_of(const AqmProfile *profile, const char *name) {
    for (size_t k = 0; k < profile->count; k++)
        if (profile->entries[k].level == 0 && strcmp(profile->entries[k].name, name) == 0)
            return &profile->entries[k];
    fail_msg("there is no stage %s", name);
    return NULL;
}

static AqmProfile *profile_of(const AqmConfig *config, int frame, const char *trace) {
    const AqmProfileOptions options = {.trace_path = trace};
    AqmProfile *profile = NULL;
    AqmDiag diag = {0};
    if (aqm_profile(config, frame, &options, &profile, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_non_null(profile);
    return profile;
}

static void a_frame_is_measured_and_leaves_nothing(void **state) {
    char trace[PATH_MAX];
    write_scene(*state, "scene", AQM_RIG_PAIR, 2);
    AqmConfig *config = scene_config(*state, "scene", "out");
    const size_t live = aqm_alloc_count().live_bytes;
    AqmProfile *profile = profile_of(config, 1, in_folder(trace, *state, "trace.json"));
    assert_int_equal(profile->frame, 1);
    assert_int_equal(profile->threads, 1);
    assert_int_equal(profile->dropped, 0);
    assert_true(profile->total.wall_s > 0.0 && profile->total.cpu_s > 0.0);
    assert_true(profile->stages_s > 0.0 && profile->rest_s >= 0.0);
    assert_true(fabs(profile->stages_s + profile->rest_s - profile->total.wall_s) < 1e-9);
    assert_int_equal(profile->finding_count, 3);
    assert_int_equal(check_trace(trace), profile->scopes);

    const AqmProfileFigures *read = &stage_of(profile, "read")->figures;
    const AqmProfileFigures *stereo = &stage_of(profile, "stereo")->figures;
    assert_true(read->read_bytes < 0 || read->read_bytes > 1000); /* two images */
    assert_true(stereo->allocations > 10 && stereo->allocated_bytes > 64 * 48 * 8);
    assert_true(stereo->peak_bytes > 64 * 48 * 8 &&
                stereo->peak_bytes <= profile->total.peak_bytes);
    assert_true(profile->total.peak_bytes < 100 * 1000 * 1000); /* without the recorder's */
    assert_int_equal(count_files(*state), 2);                   /* the scene and the trace */
    aqm_profile_destroy(&profile);
    assert_null(profile);
    assert_int_equal(aqm_alloc_count().live_bytes, live);
    aqm_config_destroy(&config);
}

static void the_results_of_a_run_stay(void **state) {
    static const char *const files[] = {"config.yaml", "run.json", "undistorted_K.json",
                                        "frame_000000/frame.json",
                                        "frame_000000/point_cloud/fused.ply"};
    char out[PATH_MAX], kept[PATH_MAX], command[3 * PATH_MAX];
    write_scene(*state, "scene", AQM_RIG_PAIR, 1);
    AqmConfig *config = scene_config(*state, "scene", "out");
    const AqmRunOptions options = {.log = {0}};
    AqmRunResult result;
    assert_int_equal(aqm_run(config, &options, &result, NULL), AQM_OK);
    in_folder(out, *state, "out");
    in_folder(kept, *state, "kept");
    snprintf(command, sizeof command, "cp -a '%s' '%s'", out, kept);
    assert_int_equal(system(command), 0);
    AqmProfile *profile = profile_of(config, 0, NULL);
    aqm_profile_destroy(&profile);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
        assert_same_file(out, kept, files[k]);
    assert_int_equal(count_files(*state), 3);
    snprintf(command, sizeof command, "rm -r '%s' '%s'", out, kept);
    assert_int_equal(system(command), 0);
    aqm_config_destroy(&config);
}

static void json_says_the_same(void **state) {
    char path[PATH_MAX];
    write_scene(*state, "scene", AQM_RIG_PAIR, 1);
    AqmConfig *config = scene_config(*state, "scene", "out");
    AqmProfile *profile = profile_of(config, 0, NULL);
    assert_int_equal(aqm_profile_write_json(in_folder(path, *state, "p.json"), profile, NULL),
                     AQM_OK);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    assert_true(fabs(number_of(root, "stages_s") - profile->stages_s) < 1e-8);
    assert_true(fabs(number_of(json_object_get(root, "total"), "cpu_s") - profile->total.cpu_s) <
                1e-8);
    const json_t *stages = json_object_get(root, "stages");
    double sum = 0.0;
    size_t nested = 0;
    for (size_t k = 0; k < json_array_size(stages); k++) {
        const json_t *stage = json_array_get(stages, k);
        sum += json_is_true(json_object_get(stage, "task")) ? 0.0 : number_of(stage, "wall_s");
        nested += json_array_size(json_object_get(stage, "parts"));
    }
    assert_true(fabs(sum - profile->stages_s) < 1e-6);
    assert_true(nested > 5);
    assert_int_equal(json_array_size(json_object_get(root, "bottlenecks")), 3);
    json_decref(root);
    AqmDiag diag = {0};
    assert_int_equal(aqm_profile_write_json("/nowhere/p.json", profile, &diag), AQM_ERROR_IO);
    aqm_profile_destroy(&profile);
    aqm_profile_destroy(&profile);
    aqm_config_destroy(&config);
}

/* ---- what cannot be done --------------------------------------------------------------------- */

static void assert_fails(const AqmConfig *config, int frame, const AqmProfileOptions *options,
                         AqmStatus expected, const char *words) {
    AqmProfile *profile = (AqmProfile *)8;
    AqmDiag diag = {0};
    const size_t live = aqm_alloc_count().live_bytes;
    assert_int_equal(aqm_profile(config, frame, options, &profile, &diag), expected);
    assert_null(profile);
    if (!strstr(diag.message, words))
        fail_msg("'%s' is not in '%s'", words, diag.message);
    assert_int_equal(aqm_alloc_count().live_bytes, live);
}

static void what_cannot_be_is_told(void **state) {
    char trace[PATH_MAX];
    static const int cancelled = 1;
    write_scene(*state, "scene", AQM_RIG_PAIR, 1);
    AqmConfig *config = scene_config(*state, "scene", "out");
    assert_fails(config, 1, &(AqmProfileOptions){0}, AQM_ERROR_NO_DATA, "no frame 1");
    assert_fails(config, -1, &(AqmProfileOptions){0}, AQM_ERROR_NO_DATA, "no frame -1");
    assert_fails(config, 0, &(AqmProfileOptions){.trace_path = "/nowhere/t.json"}, AQM_ERROR_IO,
                 "/nowhere/t.json");
    assert_fails(config, 0, &(AqmProfileOptions){.work_dir = "/nowhere"}, AQM_ERROR_IO,
                 "in /nowhere");
    const AqmProfileOptions stopped = {.cancel = &cancelled,
                                       .trace_path = in_folder(trace, *state, "t.json")};
    assert_fails(config, 0, &stopped, AQM_ERROR_INTERRUPTED, "interrupted");
    AqmRecorder *recorder = NULL;
    assert_int_equal(aqm_recorder_create(&recorder, 4, 64, NULL), AQM_OK);
    assert_true(aqm_recorder_attach(recorder));
    assert_fails(config, 0, &(AqmProfileOptions){0}, AQM_ERROR_UNSUPPORTED, "another profile");
    aqm_recorder_detach(recorder);
    aqm_recorder_destroy(&recorder);
    assert_int_equal(count_files(*state), 1); /* no trace, no folder is left */
    aqm_config_destroy(&config);
}

/* A frame that fails leaves nothing attached and nothing behind. */
static void a_frame_that_fails_is_told(void **state) {
    char path[PATH_MAX];
    write_scene(*state, "scene", AQM_RIG_PAIR, 2);
    AqmConfig *config = scene_config(*state, "scene", "out");
    write_bytes(in_folder(path, *state, "scene/images/cam01/frame_000001.png"), "no", 2);
    assert_fails(config, 1, &(AqmProfileOptions){0}, AQM_ERROR_NO_DATA, "frame 1: 1 of 2 cameras");
    assert_int_equal(count_files(*state), 1);
    AqmProfile *profile = profile_of(config, 0, NULL);
    aqm_profile_destroy(&profile);
    aqm_config_destroy(&config);
}

static void memory_may_be_out(void **state) {
    char trace[PATH_MAX];
    write_scene(*state, "scene", AQM_RIG_PAIR, 1);
    AqmConfig *config = scene_config(*state, "scene", "out");
    const AqmProfileOptions options = {.trace_path = in_folder(trace, *state, "t.json")};
    const size_t live = aqm_alloc_count().live_bytes, before = aqm_alloc_count().calls;
    AqmProfile *profile = profile_of(config, 0, trace);
    const size_t calls = aqm_alloc_count().calls - before;
    aqm_profile_destroy(&profile);
    for (size_t n = 1; n <= calls; n += n > 40 && n + 40 < calls ? 17 : 1) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_profile(config, 0, &options, &profile, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(status == AQM_OK, profile != NULL);
        if (status != AQM_OK)
            assert_true(diag.message[0] != '\0');
        aqm_profile_destroy(&profile);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
    profile = profile_of(config, 0, trace);
    assert_int_equal(check_trace(trace), profile->scopes);
    aqm_profile_destroy(&profile);
    assert_int_equal(count_files(*state), 2);
    aqm_config_destroy(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_is_measured_and_leaves_nothing, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(the_results_of_a_run_stay, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(json_says_the_same, make_test_folder, remove_test_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_told, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(a_frame_that_fails_is_told, make_test_folder,
                                        remove_test_folder),
        cmocka_unit_test_setup_teardown(memory_may_be_out, make_test_folder, remove_test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
