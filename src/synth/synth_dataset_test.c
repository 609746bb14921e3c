#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aquamvs/io.h"
#include "aquamvs/synth.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

static AqmSynthOptions tiny(void) {
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = AQM_SCENE_UNDULATING;
    options.rig = AQM_RIG_PAIR;
    options.width = 64, options.height = 48;
    options.frames = 2;
    options.threads = 1;
    return options;
}

static void must_write(const AqmSynthOptions *options, const char *folder, const char *name) {
    char path[PATH_MAX];
    AqmDiag diag = {0};
    if (aqm_synth_write(options, in_folder(path, folder, name), NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

static void same_file(const char *folder, const char *a, const char *b, const char *name) {
    char path_a[PATH_MAX], path_b[PATH_MAX], data_set[PATH_MAX];
    size_t size_a, size_b;
    (void)in_folder(path_a, in_folder(data_set, folder, a), name);
    (void)in_folder(path_b, in_folder(data_set, folder, b), name);
    unsigned char *bytes_a = read_bytes(path_a, &size_a), *bytes_b = read_bytes(path_b, &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(bytes_a, bytes_b, size_a);
    free(bytes_a);
    free(bytes_b);
}

static void the_number_of_threads_changes_no_byte(void **state) {
    static const char *const names[] = {"calibration.json",
                                        "config.yaml",
                                        "gt/scene.json",
                                        "gt/frame_000000/surface.ply",
                                        "gt/frame_000001/surface.ply",
                                        "gt/frame_000001/cam01_depth_raw.npz",
                                        "images/cam00/frame_000000.png",
                                        "images/cam00/frame_000001.png",
                                        "images/cam01/frame_000000.png",
                                        "images/cam01/frame_000001.png"};
    AqmSynthOptions options = tiny();
    must_write(&options, *state, "one");
    options.threads = 3;
    must_write(&options, *state, "three");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        same_file(*state, "one", "three", names[i]);
}

static AqmImage *read_frame(const char *folder, const char *name, size_t index) {
    char path[PATH_MAX];
    AqmFrameSource *source = NULL;
    AqmImage *image = NULL;
    AqmDiag diag = {0};
    if (aqm_frame_source_open(&source, in_folder(path, folder, name), &diag) != AQM_OK ||
        aqm_frame_source_read(source, index, &image, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(aqm_frame_source_count(source), 2);
    aqm_frame_source_close(&source);
    return image;
}

static void frames_differ_and_a_video_holds_the_same_as_stills(void **state) {
    AqmSynthOptions options = tiny();
    must_write(&options, *state, "stills");
    options.format = AQM_FRAMES_VIDEO;
    must_write(&options, *state, "film");
    AqmImage *first = read_frame(*state, "stills/images/cam01", 0);
    AqmImage *still = read_frame(*state, "stills/images/cam01", 1);
    AqmImage *film = read_frame(*state, "film/videos/cam01.mkv", 1);
    assert_true(film->channels == 3 && film->width == 64 && film->height == 48);
    int moved = 0;
    for (size_t v = 0; v < 48; v++) {
        const uint8_t *a = (const uint8_t *)still->data + v * still->stride;
        const uint8_t *b = (const uint8_t *)film->data + v * film->stride;
        const uint8_t *c = (const uint8_t *)first->data + v * first->stride;
        assert_memory_equal(a, b, 3 * 64);
        moved += memcmp(a, c, 3 * 64) != 0;
    }
    assert_true(moved > 40);
    aqm_image_destroy(&first);
    aqm_image_destroy(&still);
    aqm_image_destroy(&film);
}

static void a_folder_with_other_files_is_left_alone(void **state) {
    char path[PATH_MAX];
    const AqmSynthOptions options = tiny();
    AqmDiag diag = {0};
    write_bytes(in_folder(path, *state, "calibration.json"), "mine", 4);
    assert_int_equal(aqm_synth_write(&options, *state, NULL, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, *state));
    assert_int_equal(count_files(*state), 1);
    /* nor is a file in the folder's place */
    AqmDiag file = {0};
    assert_int_equal(aqm_synth_write(&options, path, NULL, &file), AQM_ERROR_ARGUMENT);
    size_t size;
    unsigned char *kept = read_bytes(path, &size);
    assert_int_equal(size, 4);
    free(kept);
}

static void a_shorter_series_leaves_none_of_the_longer(void **state) {
    char path[PATH_MAX];
    AqmSynthOptions options = tiny();
    must_write(&options, *state, "scene");
    assert_int_equal(count_files(in_folder(path, *state, "scene/images/cam00")), 2);
    options.frames = 1;
    must_write(&options, *state, "scene");
    assert_int_equal(count_files(in_folder(path, *state, "scene/images/cam00")), 1);
}

static void fail_allocations_of(AqmScene scene_kind, const char *folder) {
    char path[PATH_MAX];
    AqmSynthOptions options = tiny();
    options.scene = scene_kind;
    options.frames = 1;
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; n < 400 && status != AQM_OK; n++) {
        char name[32];
        (void)snprintf(name, sizeof name, "scene%d_%zu", (int)scene_kind, n);
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        status = aqm_synth_write(&options, in_folder(path, folder, name), NULL, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        assert_int_equal(status, diag.status);
        char scene[PATH_MAX]; /* no data set looks whole that is not */
        assert_true(status == AQM_OK || access(in_folder(scene, path, "gt/scene.json"), F_OK) != 0);
    }
    assert_int_equal(status, AQM_OK);
}

static void failed_allocations_are_reported_without_a_leak(void **state) {
    fail_allocations_of(AQM_SCENE_PLANE, *state);
    fail_allocations_of(AQM_SCENE_CHARUCO, *state);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_number_of_threads_changes_no_byte),
        IN_FOLDER(frames_differ_and_a_video_holds_the_same_as_stills),
        IN_FOLDER(a_folder_with_other_files_is_left_alone),
        IN_FOLDER(failed_allocations_are_reported_without_a_leak),
        IN_FOLDER(a_shorter_series_leaves_none_of_the_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
