#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "aquamvs/verify.h"
#include "base/alloc.h"
#include "pipeline/pipeline_test_util.h"
#include "stages/picture/fontconfig_leak.h"

/* 5 x 4 squares of 70 mm, so that a small image resolves the markers. */
static const AqmBoard board = {5, 4, 0.07, 0.052, AQM_DICTIONARY_4X4_50, false};

static void write_boards(const char *folder, const char *name, AqmScene kind, int frames) {
    char path[PATH_MAX];
    AqmSynthOptions options = aqm_synth_options_default();
    options.scene = kind;
    options.board = board;
    options.rig = AQM_RIG_RING5;
    options.width = 256;
    options.height = 192;
    options.frames = frames;
    AqmDiag diag = {0};
    if (aqm_synth_write(&options, in_folder(path, folder, name), NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
}

static AqmVerifyOptions options_for(Heard *heard) {
    AqmVerifyOptions options = aqm_verify_options_default();
    options.board = board;
    options.corners_only = true;
    options.log = (AqmLog){hear, heard};
    return options;
}

/* Largest distance of the triangulated corners from where gt/scene.json has them, mm. */
static double largest_error_mm(const char *folder, const AqmVerification *v) {
    char path[PATH_MAX];
    json_t *scene = json_load_file(in_folder(path, folder, "boards/gt/scene.json"), 0, NULL);
    assert_non_null(scene);
    double largest = 0.0;
    for (size_t k = 0; k < v->count; k++) {
        const json_t *frame =
            json_array_get(json_object_get(scene, "frames"), (size_t)v->poses[k].frame);
        const json_t *corners = json_object_get(json_object_get(frame, "board"), "corners");
        assert_int_equal(json_array_size(corners), 12);
        for (size_t i = 0; i < 12; i++) {
            const AqmBoardPoint *p = &v->poses[k].points[i];
            double sum = 0.0;
            for (size_t a = 0; a < 3 && p->views > 0; a++) {
                const double off =
                    p->position[a] - json_real_value(json_array_get(json_array_get(corners, i), a));
                sum += off * off;
            }
            largest = fmax(largest, 1000.0 * sqrt(sum));
        }
    }
    json_decref(scene);
    return largest;
}

/* Rendered, detected, undistorted, triangulated: half a pixel anywhere on the way is 1.5 mm here.
 */
static void corners_are_where_they_were_rendered(void **state) {
    char path[PATH_MAX], out[PATH_MAX];
    Heard heard = {0};
    AqmDiag diag = {0};
    write_boards(*state, "boards", AQM_SCENE_CHARUCO, 2);
    AqmConfig *config = scene_config(*state, "boards", "out");
    AqmVerifyOptions options = options_for(&heard);
    options.output_dir = in_folder(out, *state, "out");
    AqmVerification *v = NULL;
    if (aqm_verify(config, &options, &v, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(v->count, 2);
    for (size_t k = 0; k < 2; k++) {
        const AqmBoardMeasures *m = &v->poses[k].measures;
        assert_true(m->corners >= 10 && m->cameras >= 4);
        assert_true(m->grid_rms_mm < 0.4 && fabs(m->square_error_pct) < 0.2);
        assert_true(fabs(m->tilt_deg - (k == 0 ? 3.0 : 41.0)) < 0.2);
        assert_true(isnan(m->flatness_mm));
    }
    const double largest = largest_error_mm(*state, v);
    if (!(largest < 0.9))
        fail_msg("a corner is off by %g mm", largest);
    assert_true(exists(out, "verify.json") && exists(out, "verify.csv"));
    assert_true(exists(out, "corners/frame_000001_cam02.png"));
    assert_true(exists(out, "boards/frame_000000.png"));
    assert_false(exists(out, "run.json"));
    json_t *json = json_load_file(in_folder(path, out, "verify.json"), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "poses")), 2);
    json_decref(json);
    aqm_verification_destroy(&v);
    aqm_config_destroy(&config);
}

static void the_number_of_threads_changes_nothing(void **state) {
    char one[PATH_MAX], three[PATH_MAX];
    Heard heard = {0};
    write_boards(*state, "boards", AQM_SCENE_CHARUCO, 1);
    AqmConfig *config = scene_config(*state, "boards", "out");
    AqmVerifyOptions options = options_for(&heard);
    AqmVerification *v = NULL;
    options.output_dir = in_folder(one, *state, "one");
    assert_int_equal(aqm_verify(config, &options, &v, NULL), AQM_OK);
    aqm_verification_destroy(&v);
    options.output_dir = in_folder(three, *state, "three");
    config->runtime.threads = 3;
    assert_int_equal(aqm_verify(config, &options, &v, NULL), AQM_OK);
    aqm_verification_destroy(&v);
    assert_same_file(one, three, "verify.json");
    assert_same_file(one, three, "verify.csv");
    assert_same_file(one, three, "corners/frame_000000_cam03.png");
    aqm_config_destroy(&config);
}

static void a_scene_without_the_board_is_a_sentence(void **state) {
    char out[PATH_MAX];
    Heard heard = {0};
    AqmDiag diag = {0};
    write_boards(*state, "sand", AQM_SCENE_PLANE, 1);
    AqmConfig *config = scene_config(*state, "sand", "out");
    AqmVerifyOptions options = options_for(&heard);
    options.output_dir = in_folder(out, *state, "out");
    options.corners_only = false; /* nothing is reconstructed for nothing */
    AqmVerification *v = NULL;
    assert_int_equal(aqm_verify(config, &options, &v, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "no camera sees the board"));
    assert_non_null(strstr(diag.message, "4x4_50"));
    assert_null(v);
    assert_false(exists(*state, "out"));
    /* nor is there another frame, a board that cannot be, or a surface in sparse mode */
    options.has_frames = true, options.frame_start = 4, options.frame_stop = -1;
    options.frame_step = 1;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_verify(config, &options, &v, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "has 1 frames"));
    options.frame_step = 0;
    assert_int_equal(aqm_verify(config, &options, &v, NULL), AQM_ERROR_ARGUMENT);
    options.board.squares_x = 0;
    assert_int_equal(aqm_verify(config, &options, &v, NULL), AQM_ERROR_ARGUMENT);
    options.board = board;
    config->pipeline_mode = AQM_MODE_SPARSE;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_verify(config, &options, &v, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "sparse"));
    aqm_config_destroy(&config);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(corners_are_where_they_were_rendered),
        IN_FOLDER(the_number_of_threads_changes_nothing),
        IN_FOLDER(a_scene_without_the_board_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
