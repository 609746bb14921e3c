/* Which cameras a run uses, and which of their images are one frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/inputs.h"
#include "pipeline/pipeline_test_util.h"

enum { CAMERAS = 3, SIDE = 32 };

static void write_png(const char *path, int width, int height, int value) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, width, height, 1, AQM_U8, NULL), AQM_OK);
    memset(image->data, value, image->stride * (size_t)height);
    const AqmImageView view = aqm_image_view(image);
    assert_int_equal(aqm_png_write(path, &view, NULL), AQM_OK);
    aqm_image_destroy(&image);
}

/* Images {folder}/{camera}/{name} for a list of names that ends with NULL. */
static void write_stills(const char *folder, const char *camera, const char *const *names) {
    char own[PATH_MAX], path[PATH_MAX];
    assert_int_equal(aqm_make_folders(in_folder(own, folder, camera), NULL), AQM_OK);
    for (; *names; names++)
        write_png(in_folder(path, own, *names), SIDE, SIDE, 100);
}

static void write_calibration(const char *folder, bool all_auxiliary) {
    char path[PATH_MAX];
    AqmRig *rig = NULL;
    assert_int_equal(aqm_rig_create(&rig, CAMERAS, NULL), AQM_OK);
    rig->water_z = 1;
    rig->n_air = 1;
    rig->n_water = 1.333;
    for (int i = 0; i < CAMERAS; i++) {
        rig->cameras[i] = (AqmCamera){.width = SIDE,
                                      .height = SIDE,
                                      .K = {40, 0, 16, 0, 40, 16, 0, 0, 1},
                                      .R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                                      .t = {0.1 * i, 0, 0},
                                      .is_auxiliary = all_auxiliary};
        snprintf(rig->cameras[i].name, sizeof rig->cameras[i].name, "cam%d", i);
    }
    assert_int_equal(aqm_calibration_write(in_folder(path, folder, "calibration.json"), rig, NULL),
                     AQM_OK);
    aqm_rig_destroy(&rig);
}

/* A configuration of the cameras named, each with the folder (or video) {folder}/{source}. */
static AqmConfig *config_of(const char *folder, const char *const (*cameras)[2], size_t count) {
    char path[PATH_MAX];
    AqmConfig *config = NULL;
    assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
    assert_int_equal(aqm_config_set(config, "calibration_path",
                                    in_folder(path, folder, "calibration.json"), NULL),
                     AQM_OK);
    assert_int_equal(aqm_config_set(config, "reconstruction.min_consistent_views", "2", NULL),
                     AQM_OK);
    for (size_t k = 0; k < count; k++)
        assert_int_equal(aqm_config_add_input(config, cameras[k][0],
                                              in_folder(path, folder, cameras[k][1]), NULL),
                         AQM_OK);
    return config;
}

static const char *const two_cameras[][2] = {{"cam0", "cam0"}, {"cam1", "cam1"}};

/* Opens the two cameras' stills and compares the pairing: pairs of indices, -1 = none. */
static void assert_pairs(const char *folder, const int (*expected)[2], size_t count, Heard *heard) {
    write_calibration(folder, false);
    AqmConfig *config = config_of(folder, two_cameras, 2);
    AqmInputs *inputs = NULL;
    const AqmLog log = {hear, heard};
    AqmDiag diag = {0};
    if (aqm_inputs_open(&inputs, config, &log, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(inputs->camera_count, 2);
    assert_int_equal(inputs->frame_count, count);
    for (size_t f = 0; f < count; f++)
        for (size_t c = 0; c < 2; c++)
            assert_int_equal(inputs->index[2 * f + c], expected[f][c]);
    aqm_inputs_close(&inputs);
    assert_null(inputs);
    aqm_config_destroy(&config);
}

static void stills_of_one_name_are_one_frame_in_natural_order(void **state) {
    static const char *const all[] = {"img10.png", "img2.png", "img1.png", NULL};
    static const char *const some[] = {"img1.png", "img10.png", "img11.png", NULL};
    static const int expected[][2] = {{0, 0}, {1, -1}, {2, 1}, {-1, 2}};
    Heard heard = {""};
    write_stills(*state, "cam0", all);
    write_stills(*state, "cam1", some);
    assert_pairs(*state, expected, 4, &heard);
    assert_string_equal(heard.text, "info: camera cam2 of the calibration has no input and is not "
                                    "used\n");
}

static void endings_do_not_count(void **state) {
    static const char *const mixed[] = {"a.PNG", "b.tif", "c.bmp", NULL};
    static const char *const plain[] = {"a.png", "b.png", "c.png", NULL};
    static const int expected[][2] = {{0, 0}, {1, 1}, {2, 2}};
    Heard heard = {""};
    write_stills(*state, "cam0", mixed);
    write_stills(*state, "cam1", plain);
    assert_pairs(*state, expected, 3, &heard);
}

/* With its ending "dive-1.png" comes before "dive.png", without it after. */
static void names_that_begin_alike_keep_their_pairs(void **state) {
    static const char *const both[] = {"dive.png", "dive-1.png", "dive (2).png", NULL};
    static const char *const one[] = {"dive.png", NULL};
    static const int expected[][2] = {{2, 0}, {0, -1}, {1, -1}};
    Heard heard = {""};
    write_stills(*state, "cam0", both);
    write_stills(*state, "cam1", one);
    assert_pairs(*state, expected, 3, &heard);
}

static void a_second_file_of_the_same_name_is_no_frame(void **state) {
    static const char *const doubled[] = {"a.bmp", "a.png", "b.png", NULL};
    static const char *const plain[] = {"a.png", "b.png", NULL};
    static const int expected[][2] = {{0, 0}, {2, 1}};
    Heard heard = {""};
    write_stills(*state, "cam0", doubled);
    write_stills(*state, "cam1", plain);
    assert_pairs(*state, expected, 2, &heard);
    assert_true(was_heard(&heard, "warning: 1 images are left out"));
}

static void without_common_names_the_order_counts(void **state) {
    static const char *const left[] = {"l2.png", "l10.png", "l11.png", NULL};
    static const char *const right[] = {"r3.png", "r20.png", NULL};
    static const int expected[][2] = {{0, 0}, {1, 1}, {2, -1}};
    Heard heard = {""};
    write_stills(*state, "cam0", left);
    write_stills(*state, "cam1", right);
    assert_pairs(*state, expected, 3, &heard);
    assert_true(was_heard(&heard, "warning: no file name occurs for two cameras"));
}

static void write_video(const char *path, int frames) {
    AqmVideoWriter *writer = NULL;
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, SIDE, SIDE, 3, AQM_U8, NULL), AQM_OK);
    assert_int_equal(aqm_video_writer_open(&writer, path, SIDE, SIDE, 25.0, NULL), AQM_OK);
    const AqmImageView view = aqm_image_view(image);
    for (int f = 0; f < frames; f++)
        assert_int_equal(aqm_video_writer_add(writer, &view, NULL), AQM_OK);
    assert_int_equal(aqm_video_writer_close(&writer, NULL), AQM_OK);
    aqm_image_destroy(&image);
}

static void a_video_is_paired_by_frame_number(void **state) {
    static const char *const stills[] = {"x5.png", "x7.png", NULL};
    static const char *const cameras[][2] = {{"cam0", "cam0.mkv"}, {"cam1", "cam1"}};
    char path[PATH_MAX];
    write_video(in_folder(path, *state, "cam0.mkv"), 3);
    write_stills(*state, "cam1", stills);
    write_calibration(*state, false);
    AqmConfig *config = config_of(*state, cameras, 2);
    AqmInputs *inputs = NULL;
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, NULL), AQM_OK);
    static const int expected[] = {0, 0, 1, 1, 2, -1};
    assert_int_equal(inputs->frame_count, 3);
    assert_memory_equal(inputs->index, expected, sizeof expected);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void cameras_that_cannot_be_used_are_left_out_by_name(void **state) {
    static const char *const stills[] = {"a.png", NULL};
    static const char *const none[] = {NULL};
    static const char *const cameras[][2] = {
        {"stranger", "cam0"}, {"cam0", "cam0"}, {"cam1", "nowhere"}, {"cam2", "cam2"}};
    write_calibration(*state, false);
    write_stills(*state, "cam0", stills);
    write_stills(*state, "cam2", stills);
    Heard heard = {""};
    const AqmLog log = {hear, &heard};
    AqmConfig *config = config_of(*state, cameras, 4);
    AqmInputs *inputs = NULL;
    assert_int_equal(aqm_inputs_open(&inputs, config, &log, NULL), AQM_OK);
    assert_int_equal(inputs->camera_count, 2);
    assert_string_equal(inputs->cameras[0].camera->name, "cam0");
    assert_string_equal(inputs->cameras[1].camera->name, "cam2");
    assert_true(was_heard(&heard, "warning: camera stranger ("));
    assert_true(was_heard(&heard, "does not know this camera"));
    assert_true(was_heard(&heard, "warning: camera cam1 ("));
    aqm_inputs_close(&inputs);
    /* one more gone, and there is nothing to compare: the error says which and why */
    char own[PATH_MAX], path[PATH_MAX];
    in_folder(own, *state, "cam2");
    assert_int_equal(unlink(in_folder(path, own, "a.png")), 0);
    write_stills(*state, "cam2", none);
    AqmDiag diag = {0};
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_NO_DATA);
    assert_null(inputs);
    assert_non_null(strstr(diag.message, "1 of the 4"));
    assert_non_null(strstr(diag.message, "stranger: "));
    assert_non_null(strstr(diag.message, "cam1: "));
    assert_non_null(strstr(diag.message, "cam2: "));
    aqm_config_destroy(&config);
}

static void auxiliary_cameras_alone_have_nothing_to_refer_to(void **state) {
    static const char *const stills[] = {"a.png", NULL};
    write_calibration(*state, true);
    write_stills(*state, "cam0", stills);
    write_stills(*state, "cam1", stills);
    AqmConfig *config = config_of(*state, two_cameras, 2);
    AqmInputs *inputs = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "a camera that is not auxiliary; all 2"));
    aqm_config_destroy(&config);
}

/* Three cameras with an image each, and an empty folder "masks". */
static AqmConfig *with_masks(const char *folder, char masks[PATH_MAX]) {
    static const char *const stills[] = {"a.png", NULL};
    static const char *const cameras[][2] = {{"cam0", "cam0"}, {"cam1", "cam1"}, {"cam2", "cam2"}};
    for (size_t c = 0; c < 3; c++)
        write_stills(folder, cameras[c][0], stills);
    write_calibration(folder, false);
    assert_int_equal(aqm_make_folders(in_folder(masks, folder, "masks"), NULL), AQM_OK);
    AqmConfig *config = config_of(folder, cameras, 3);
    assert_int_equal(aqm_config_set(config, "mask_dir", masks, NULL), AQM_OK);
    return config;
}

static void masks_are_taken_or_missed(void **state) {
    char masks[PATH_MAX], path[PATH_MAX];
    AqmConfig *config = with_masks(*state, masks);
    write_png(in_folder(path, masks, "cam0.png"), SIDE, SIDE, 0);
    write_png(in_folder(path, masks, "cam2.png"), SIDE, SIDE, 1);
    Heard heard = {""};
    const AqmLog log = {hear, &heard};
    AqmInputs *inputs = NULL;
    assert_int_equal(aqm_inputs_open(&inputs, config, &log, NULL), AQM_OK);
    assert_int_equal(inputs->camera_count, 3);
    assert_true(was_heard(&heard, "warning: camera cam1: no mask "));
    const size_t middle = SIDE / 2 * inputs->cameras[0].mask->stride + SIDE / 2;
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(((const uint8_t *)inputs->cameras[c].mask->data)[middle], c ? 255 : 0);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void masks_that_do_not_fit_are_refused(void **state) {
    char masks[PATH_MAX], path[PATH_MAX];
    AqmConfig *config = with_masks(*state, masks);
    write_png(in_folder(path, masks, "cam2.png"), SIDE, SIDE - 1, 255);
    AqmInputs *inputs = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_FORMAT);
    assert_null(inputs);
    assert_non_null(strstr(diag.message, "masks/cam2.png is 32 x 31 px"));
    assert_non_null(strstr(diag.message, "are 32 x 32 px"));
    assert_int_equal(aqm_config_set(config, "mask_dir", in_folder(path, masks, "gone"), NULL),
                     AQM_OK);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "masks/gone is not there"));
    /* reading images alone asks for no masks */
    assert_int_equal(aqm_inputs_open_images(&inputs, config, NULL, NULL), AQM_OK);
    assert_null(inputs->cameras[2].mask);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void too_few_cameras_to_agree_are_told_at_once(void **state) {
    static const char *const stills[] = {"a.png", NULL};
    AqmInputs *inputs = NULL;
    AqmDiag diag = {0};
    write_calibration(*state, false);
    write_stills(*state, "cam0", stills);
    write_stills(*state, "cam1", stills);
    AqmConfig *config = config_of(*state, two_cameras, 2);
    assert_int_equal(aqm_config_set(config, "reconstruction.min_consistent_views", "3", NULL),
                     AQM_OK);
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "--set reconstruction.min_consistent_views=2"));
    assert_int_equal(aqm_inputs_open_images(&inputs, config, NULL, NULL), AQM_OK);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

static void one_source_for_two_cameras_is_refused(void **state) {
    static const char *const stills[] = {"a.png", NULL};
    static const char *const cameras[][2] = {{"cam0", "cam0"}, {"cam1", "cam1"}, {"cam2", "link"}};
    char path[PATH_MAX];
    AqmInputs *inputs = NULL;
    AqmDiag diag = {0};
    write_calibration(*state, false);
    write_stills(*state, "cam0", stills);
    write_stills(*state, "cam1", stills);
    assert_int_equal(symlink("cam0", in_folder(path, *state, "link")), 0);
    AqmConfig *config = config_of(*state, cameras, 3);
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "cameras cam0 and cam2 both read "));
    aqm_config_destroy(&config);
}

static void one_camera_is_enough_to_export(void **state) {
    static const char *const stills[] = {"a.png", NULL};
    char path[PATH_MAX];
    AqmDiag diag = {0};
    write_calibration(*state, true);
    write_stills(*state, "cam0", stills);
    AqmConfig *config = config_of(*state, two_cameras, 1);
    assert_int_equal(aqm_config_set(config, "output_dir", in_folder(path, *state, "out"), NULL),
                     AQM_OK);
    assert_int_equal(aqm_config_set(config, "mask_dir", in_folder(path, *state, "later"), NULL),
                     AQM_OK);
    if (aqm_export_references(config, 0, NULL, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_true(exists(*state, "out/reference_images/cam0.png"));
    aqm_config_destroy(&config);
}

/* 16-bit stills of one value each, named f0.png, f1.png, ... */
static void write_deep(const char *folder, const char *camera, const uint16_t *values,
                       size_t count) {
    char own[PATH_MAX], path[PATH_MAX], name[32];
    assert_int_equal(aqm_make_folders(in_folder(own, folder, camera), NULL), AQM_OK);
    for (size_t f = 0; f < count; f++) {
        AqmImage *image = NULL;
        assert_int_equal(aqm_image_create(&image, SIDE, SIDE, 1, AQM_U16, NULL), AQM_OK);
        for (int i = 0; i < SIDE * SIDE; i++)
            ((uint16_t *)image->data)[i] = values[f];
        const AqmImageView view = aqm_image_view(image);
        snprintf(name, sizeof name, "f%zu.png", f);
        assert_int_equal(aqm_png_write(in_folder(path, own, name), &view, NULL), AQM_OK);
        aqm_image_destroy(&image);
    }
}

static void white_is_that_of_the_first_frame(void **state) {
    static const uint16_t left[] = {3000, 500}, right[] = {900, 500};
    char path[PATH_MAX];
    AqmInputs *inputs = NULL;
    write_calibration(*state, false);
    write_deep(*state, "cam0", left, 2);
    write_deep(*state, "cam1", right, 2);
    AqmConfig *config = config_of(*state, two_cameras, 2);
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, NULL), AQM_OK);
    assert_true(inputs->white_16 == 4095.0);
    aqm_inputs_close(&inputs);
    /* an image that cannot be read: the camera's next one */
    write_bytes(in_folder(path, *state, "cam0/f0.png"), "no", 2);
    assert_int_equal(aqm_inputs_open(&inputs, config, NULL, NULL), AQM_OK);
    assert_true(inputs->white_16 == 1023.0);
    aqm_inputs_close(&inputs);
    aqm_config_destroy(&config);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(stills_of_one_name_are_one_frame_in_natural_order),
        IN_FOLDER(endings_do_not_count),
        IN_FOLDER(names_that_begin_alike_keep_their_pairs),
        IN_FOLDER(a_second_file_of_the_same_name_is_no_frame),
        IN_FOLDER(without_common_names_the_order_counts),
        IN_FOLDER(a_video_is_paired_by_frame_number),
        IN_FOLDER(cameras_that_cannot_be_used_are_left_out_by_name),
        IN_FOLDER(auxiliary_cameras_alone_have_nothing_to_refer_to),
        IN_FOLDER(masks_are_taken_or_missed),
        IN_FOLDER(masks_that_do_not_fit_are_refused),
        IN_FOLDER(too_few_cameras_to_agree_are_told_at_once),
        IN_FOLDER(one_source_for_two_cameras_is_refused),
        IN_FOLDER(one_camera_is_enough_to_export),
        IN_FOLDER(white_is_that_of_the_first_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
