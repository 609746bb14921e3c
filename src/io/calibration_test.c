#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"
#include "math/vec.h"

/* Two cameras 1 m over the water, written in the two layouts that AquaCal has used. */
static const char *const good =
    "{\"version\": \"1.0\",\n"
    " \"cameras\": {\n"
    "  \"cam00\": {\"name\": \"cam00\",\n"
    "   \"intrinsics\": {\"K\": [[800.5, 0, 320], [0, 801.25, 240], [0, 0, 1]],\n"
    "     \"dist_coeffs\": [-0.1, 0.02, 0.001, -0.002, 0.003], \"image_size\": [640, 480]},\n"
    "   \"extrinsics\": {\"R\": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], \"t\": [0.25, 0, 0.5]},\n"
    "   \"water_z\": 0.75},\n"
    "  \"cam01\": {\"name\": \"cam01\",\n"
    "   \"intrinsics\": {\"K\": [[500, 0, 330], [0, 500, 250], [0, 0, 1]],\n"
    "     \"dist_coeffs\": [[0.1, 0.2, 0.3, 0.4]], \"image_size\": [656, 492],\n"
    "     \"is_fisheye\": true},\n"
    "   \"extrinsics\": {\"R\": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],\n"
    "     \"t\": [[0.5], [0.25], [0.125]]},\n"
    "   \"interface_distance\": 0.75, \"is_auxiliary\": true}},\n"
    " \"interface\": {\"normal\": [0.0, 0.0, -1.0], \"n_air\": 1.0, \"n_water\": 1.333},\n"
    " \"board\": {\"anything\": null}}\n";

typedef struct Messages {
    int count;
    char last[AQM_DIAG_MAX];
} Messages;

static void keep_message(void *user, AqmLogLevel level, const char *message) {
    (void)level;
    Messages *messages = user;
    messages->count++;
    snprintf(messages->last, sizeof messages->last, "%s", message);
}

static AqmStatus read_text(const char *folder, const char *text, size_t size, AqmRig **rig,
                           Messages *messages, AqmDiag *diag) {
    char path[PATH_MAX];
    write_bytes(in_folder(path, folder, "calibration.json"), text, size);
    const AqmLog log = {keep_message, messages};
    return aqm_calibration_read(path, messages ? &log : NULL, rig, diag);
}

/* `good` with one stretch of text replaced; freed by the caller. */
static char *changed(const char *from, const char *to) {
    const char *at = strstr(good, from);
    assert_non_null(at);
    char *text = malloc(strlen(good) + strlen(to) + 1);
    assert_non_null(text);
    sprintf(text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return text;
}

static void both_layouts_are_read(void **state) {
    AqmRig *rig = NULL;
    Messages messages = {0};
    AqmDiag diag = {0};
    assert_int_equal(read_text(*state, good, strlen(good), &rig, &messages, &diag), AQM_OK);
    assert_int_equal(messages.count, 0);
    assert_int_equal(rig->camera_count, 2);
    const AqmCamera *a = &rig->cameras[0], *b = &rig->cameras[1];
    assert_string_equal(a->name, "cam00");
    assert_true(a->width == 640 && a->height == 480 && b->width == 656 && b->height == 492);
    assert_true(a->K[0] == 800.5 && a->K[4] == 801.25 && a->K[2] == 320 && a->K[8] == 1);
    assert_true(a->lens == AQM_LENS_PINHOLE && b->lens == AQM_LENS_FISHEYE);
    assert_true(a->distortion[4] == 0.003 && a->distortion[5] == 0 && b->distortion[3] == 0.4);
    assert_true(b->t[0] == 0.5 && b->t[1] == 0.25 && b->t[2] == 0.125 && b->R[1] == -1);
    assert_true(!a->is_auxiliary && b->is_auxiliary);
    assert_true(rig->water_z == 0.75 && rig->n_air == 1 && rig->n_water == 1.333);
    for (int i = 0; i < 9; i++)
        assert_true(rig->world_from_rig[i] == (i % 4 == 0 ? 1 : 0));
    aqm_rig_destroy(&rig);
}

static void what_is_written_reads_back_identically(void **state) {
    AqmRig *rig = NULL, *again = NULL;
    char path[PATH_MAX];
    assert_int_equal(read_text(*state, good, strlen(good), &rig, NULL, NULL), AQM_OK);
    for (int i = 0; i < 9; i++)
        rig->cameras[0].K[i] *= i == 8 ? 1 : 1.0 / 3;
    rig->cameras[0].distortion[7] = 0.1 / 7;
    AqmDiag diag = {0};
    in_folder(path, *state, "written.json");
    assert_int_equal(aqm_calibration_write(path, rig, &diag), AQM_OK);
    assert_int_equal(aqm_calibration_read(path, NULL, &again, &diag), AQM_OK);
    assert_int_equal(again->camera_count, rig->camera_count);
    assert_memory_equal(again->cameras, rig->cameras, 2 * sizeof *rig->cameras);
    assert_true(again->water_z == rig->water_z && again->n_water == rig->n_water);
    assert_memory_equal(again->world_from_rig, rig->world_from_rig, sizeof rig->world_from_rig);
    aqm_rig_destroy(&rig);
    aqm_rig_destroy(&again);
}

/* Change, and what the sentence must name. */
typedef struct Defect {
    const char *from, *to, *says;
} Defect;

static const Defect defects[] = {
    {"\"1.0\"", "\"2.0\"", "version is \"2.0\""},
    {"\"1.0\"", "1", "version"},
    {"\"cameras\"", "\"cams\"", "\"cameras\" is missing"},
    {"\"cam01\": {", "\"cam00\": {", "duplicate"},
    {"\"cam01\": {", "\"\": {", "empty name"},
    {"\"cam01\": {", "\"a/b\": {", "\"a/b\" cannot be a file name"},
    {"\"cam01\": {", "\"..\": {", "\"..\" cannot be a file name"},
    {"\"cam01\": {", "\"0123456789012345678901234567890123456789012345678901234567890123\": {",
     "has 64 bytes, at most 63"},
    {"\"name\": \"cam01\"", "\"name\": \"cam1\"", "\"cam01\" has the name \"cam1\""},
    {"\"name\": \"cam01\"", "\"name\": 7", "must be a string"},
    {"[[800.5, 0, 320], [0, 801.25, 240], [0, 0, 1]]", "[[1, 0], [0, 1]]", "\"K\" is a list of 2"},
    {"[800.5, 0, 320]", "[800.5, 0]", "row 0 of \"K\" is a list of 2"},
    {"[800.5, 0, 320]", "[NaN, 0, 320]", "camera \"cam00\": K[0][0] is \"NaN\""},
    {"[800.5, 0, 320]", "[-Infinity, 0, 320]", "K[0][0] is \"-Infinity\""},
    {"[800.5, 0, 320]", "[800.5, 0.5, 320]", "K[0][1] is 0.5"},
    {"[800.5, 0, 320]", "[-800.5, 0, 320]", "(-800.5, 801.25)"},
    {"801.25", "0", "must be positive"},
    {"240], [0, 0, 1]", "240], [0, 0, 2]", "not a camera matrix"},
    {"[1, 0, 0], [0, 1, 0]", "[1, 0, 0], [0, NaN, 0]", "cam00\": R[1][1] is \"NaN\""},
    {"[1, 0, 0], [0, 1, 0]", "[1, 0, 0], [0, \"1\", 0]", "R[1][1] is \"1\""},
    {"[1, 0, 0], [0, 1, 0]", "[1, 0, 0], [0, 1.01, 0]", "R is not a rotation: R^T R differs"},
    {"[1, 0, 0], [0, 1, 0]", "[1, 0, 0], [0, -1, 0]", "determinant is -1"},
    {"[0.25, 0, 0.5]", "[0.25, 0]", "\"t\" has 2 numbers"},
    {"[0.25, 0, 0.5]", "[0.25, 0, 0.5, 1]", "\"t\" has more than 3"},
    {"[0.25, 0, 0.5]", "[0.25, 0, null]", "t[2] is null"},
    {"[0.25, 0, 0.5]", "0.25", "\"t\" is 0.25"},
    {"[0.25, 0, 0.5]", "[0.25, 0, -0.75]", "not above the water: its centre lies at Z = 0.75 m"},
    {"[0.25, 0, 0.5]", "[0.25, 0, -5]", "water_z = 0.75"},
    {", 0.003]", ", 0.003, 1]", "\"dist_coeffs\" has 6 numbers"},
    {", 0.003]", ", Infinity]", "dist_coeffs[4] is \"Infinity\""},
    {"[[0.1, 0.2, 0.3, 0.4]]", "[0.1, 0.2, 0.3, 0.4, 0.5]", "fisheye lens must have 4"},
    {"[[0.1, 0.2, 0.3, 0.4]]", "[[[0.1]]]", "dist_coeffs[0] is a list of 1"},
    {"[640, 480]", "[640]", "must have 2"},
    {"[640, 480]", "[640, 0]", "image_size[1] is 0"},
    {"[640, 480]", "[640.5, 480]", "image_size[0] is 640.5"},
    {"\"image_size\": [640", "\"size\": [640", "\"image_size\" is missing"},
    {"\"is_fisheye\": true", "\"is_fisheye\": 1", "\"is_fisheye\" is 1"},
    {"\"water_z\": 0.75", "\"water_z\": 0.76", "camera \"cam01\": water_z is 0.75 m, but 0.76 m"},
    {"\"water_z\": 0.75", "\"water_z\": NaN", "\"water_z\" is \"NaN\""},
    {"\"water_z\": 0.75", "\"other\": 0.75", "\"water_z\" is missing"},
    {"\"interface\":", "\"Interface\":", "\"interface\" is missing"},
    {"\"n_water\": 1.333", "\"n_water\": 0", "n_water is 0"},
    {"\"n_water\": 1.333", "\"n_water\": 2.5", "n_water is 2.5"},
    {"\"n_air\": 1.0", "\"n_air\": 1.4", "n_water 1.333 is less than n_air 1.4"},
    {"\"n_air\": 1.0", "\"n_air\": \"1\"", "\"n_air\" is \"1\""},
    {"[0.0, 0.0, -1.0]", "[0, 0, 0]", "interface normal"},
    {"[0.0, 0.0, -1.0]", "[0, -1]", "has 2 numbers"},
    {"[0.0, 0.0, -1.0]", "[1, 0, -0.1]", "not near vertical"},
    {"\"intrinsics\": {\"K\": [[500", "\"intrinsics\": 3, \"x\": {\"K\": [[500",
     "camera \"cam01\": \"intrinsics\" is 3"},
};

static void every_defect_is_named_with_file_camera_and_value(void **state) {
    for (size_t i = 0; i < sizeof defects / sizeof defects[0]; i++) {
        char *text = changed(defects[i].from, defects[i].to);
        AqmRig *rig = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = read_text(*state, text, strlen(text), &rig, NULL, &diag);
        if (status != AQM_ERROR_FORMAT || !strstr(diag.message, defects[i].says) ||
            !strstr(diag.message, "calibration.json"))
            fail_msg("%s -> %s: status %d, \"%s\"", defects[i].from, defects[i].to, (int)status,
                     diag.message);
        assert_null(rig);
        free(text);
    }
}

static void missing_empty_and_truncated_files_are_sentences(void **state) {
    AqmRig *rig = NULL;
    AqmDiag diag = {0};
    char path[PATH_MAX];
    in_folder(path, *state, "none.json");
    assert_int_equal(aqm_calibration_read(path, NULL, &rig, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "none.json: No such file"));
    diag = (AqmDiag){0};
    assert_int_equal(read_text(*state, "", 0, &rig, NULL, &diag), AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "empty"));
    diag = (AqmDiag){0};
    assert_int_equal(read_text(*state, "[1]", 3, &rig, NULL, &diag), AQM_ERROR_FORMAT);
    diag = (AqmDiag){0};
    const char *no_camera = "{\"version\": \"1.0\", \"cameras\": {}}";
    assert_int_equal(read_text(*state, no_camera, strlen(no_camera), &rig, NULL, &diag),
                     AQM_ERROR_FORMAT);
    assert_non_null(strstr(diag.message, "no camera"));
    diag = (AqmDiag){0};
    const size_t half = strlen(good) / 2;
    assert_int_equal(read_text(*state, good, half, &rig, NULL, &diag), AQM_ERROR_FORMAT);
    char place[40];
    int line = 1;
    for (size_t i = 0; i < half; i++)
        line += good[i] == '\n';
    snprintf(place, sizeof place, "calibration.json:%d:", line);
    assert_non_null(strstr(diag.message, place));
}

static void what_is_odd_but_usable_is_said(void **state) {
    static const Defect odd[] = {
        {"\"version\": \"1.0\",", "", "there is no \"version\""},
        {"\"normal\": [0.0, 0.0, -1.0],", "", "no \"normal\""},
        {"[0.0, 0.0, -1.0]", "[0, 0, 1]", "turned round"},
        {"[0.0, 0.0, -1.0]", "[0, 0, -2]", "scaled to 1"},
        {"[1, 0, 0], [0, 1, 0]", "[1, 0, 0], [0.0004, 1, 0]", "made orthonormal"},
        {"[800.5, 0, 320]", "[800.5, 0, 700]", "outside"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char *text = changed(odd[i].from, odd[i].to);
        AqmRig *rig = NULL;
        AqmDiag diag = {0};
        Messages messages = {0};
        assert_int_equal(read_text(*state, text, strlen(text), &rig, &messages, &diag), AQM_OK);
        assert_int_equal(messages.count, 1);
        assert_non_null(strstr(messages.last, odd[i].says));
        const double *R = rig->cameras[0].R;
        assert_true(fabs(aqm_dot3(R, R + 3)) < 1e-15 && fabs(aqm_det33(R) - 1) < 1e-15);
        assert_true(rig->world_from_rig[8] == 1);
        aqm_rig_destroy(&rig);
        free(text);
    }
}

/* In the rig frame a point must be seen where it is seen in the world, and the water be level. */
static void tilted_water_is_turned_level(void **state) {
    const double tilt = 0.1, normal[3] = {sin(tilt) * 0.6, sin(tilt) * 0.8, -cos(tilt)};
    char text_normal[100];
    snprintf(text_normal, sizeof text_normal, "[%.17g, %.17g, %.17g]", normal[0], normal[1],
             normal[2]);
    char *text = changed("[0.0, 0.0, -1.0]", text_normal), path[PATH_MAX];
    AqmRig *flat = NULL, *rig = NULL, *again = NULL;
    Messages messages = {0};
    assert_int_equal(read_text(*state, good, strlen(good), &flat, NULL, NULL), AQM_OK);
    assert_int_equal(read_text(*state, text, strlen(text), &rig, &messages, NULL), AQM_OK);
    assert_non_null(strstr(messages.last, "tilted by 5.730 degrees"));
    const double *W = rig->world_from_rig;
    for (int i = 0; i < 3; i++)
        assert_true(fabs(-W[3 * i + 2] - normal[i]) < 1e-15);
    assert_true(fabs(aqm_det33(W) - 1) < 1e-15);
    /* the plane passes through (0, 0, water_z) of the world */
    const double on_water[3] = {0, 0, 0.75}, world[3] = {0.3, -0.2, 1.1};
    double in_rig[3], seen[3], expected[3];
    aqm_mul33tv(W, on_water, in_rig);
    assert_true(fabs(in_rig[2] - rig->water_z) < 1e-15);
    aqm_mul33tv(W, world, in_rig);
    for (size_t c = 0; c < 2; c++) {
        aqm_mul33v(rig->cameras[c].R, in_rig, seen);
        aqm_mul33v(flat->cameras[c].R, world, expected);
        for (int i = 0; i < 3; i++)
            assert_true(fabs(seen[i] - expected[i]) < 1e-15);
        assert_memory_equal(rig->cameras[c].t, flat->cameras[c].t, sizeof flat->cameras[c].t);
    }
    in_folder(path, *state, "tilted.json");
    assert_int_equal(aqm_calibration_write(path, rig, NULL), AQM_OK);
    assert_int_equal(aqm_calibration_read(path, NULL, &again, NULL), AQM_OK);
    assert_true(fabs(again->water_z - rig->water_z) < 1e-15);
    for (int i = 0; i < 9; i++) {
        assert_true(fabs(again->cameras[1].R[i] - rig->cameras[1].R[i]) < 1e-15);
        assert_true(fabs(again->world_from_rig[i] - W[i]) < 1e-15);
    }
    aqm_rig_destroy(&flat);
    aqm_rig_destroy(&rig);
    aqm_rig_destroy(&again);
    free(text);
}

static void calibrations_of_others_are_read(void **state) {
    (void)state;
    static const char *const files[] = {"rendered/r5-board", "real/rf_tank", "real/mv_temple",
                                        "real/v2_cones", "real/me3_Motorcycle"};
    char relative[64], path[PATH_MAX];
    for (size_t i = 0; i < 5; i++) {
        snprintf(relative, sizeof relative, "data/%s/calibration.json", files[i]);
        shared_path(path, relative);
        AqmRig *rig = NULL;
        AqmDiag diag = {0};
        if (aqm_calibration_read(path, NULL, &rig, &diag) != AQM_OK)
            fail_msg("%s", diag.message);
        assert_true(rig->camera_count >= 2 && rig->n_water >= 1);
        aqm_rig_destroy(&rig);
    }
}

static void damaged_files_never_crash(void **state) {
    AqmRng rng = aqm_rng(1, 1);
    const size_t size = strlen(good);
    unsigned char *text = malloc(2 * size);
    assert_non_null(text);
    int refused = 0;
    for (int i = 0; i < 1000; i++) {
        const size_t length = damage((const unsigned char *)good, size, &rng, text);
        AqmRig *rig = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = read_text(*state, (char *)text, length, &rig, NULL, &diag);
        assert_true((status == AQM_OK) == (rig != NULL));
        assert_true((status == AQM_OK) == (diag.message[0] == '\0'));
        refused += status != AQM_OK;
        aqm_rig_destroy(&rig);
    }
    assert_true(refused > 500);
    free(text);
}

static void every_failed_allocation_is_survived(void **state) {
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK; n++) {
        AqmRig *rig = NULL;
        aqm_alloc_fail_from(n);
        status = read_text(*state, good, strlen(good), &rig, NULL, NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
        aqm_rig_destroy(&rig);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 4);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(both_layouts_are_read),
        IN_FOLDER(what_is_written_reads_back_identically),
        IN_FOLDER(every_defect_is_named_with_file_camera_and_value),
        IN_FOLDER(missing_empty_and_truncated_files_are_sentences),
        IN_FOLDER(what_is_odd_but_usable_is_said),
        IN_FOLDER(tilted_water_is_turned_level),
        cmocka_unit_test(calibrations_of_others_are_read),
        IN_FOLDER(damaged_files_never_crash),
        IN_FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
