#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aquamvs/info.h"
#include "aquamvs/io.h"
#include "aquamvs/pipeline.h"
#include "base/alloc.h"

static char folder[64], calibration[96];

static void make_file(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void write_calibration(void) {
    AqmRig *rig = NULL;
    assert_int_equal(aqm_rig_create(&rig, 3, NULL), AQM_OK);
    rig->water_z = 1;
    rig->n_air = 1;
    rig->n_water = 1.333;
    for (int i = 0; i < 3; i++) {
        rig->cameras[i] = (AqmCamera){.width = 640,
                                      .height = 480,
                                      .K = {700, 0, 320, 0, 700, 240, 0, 0, 1},
                                      .R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                                      .t = {0.1 * i, 0, 0}};
        snprintf(rig->cameras[i].name, sizeof rig->cameras[i].name, "cam%d", i);
    }
    assert_int_equal(aqm_calibration_write(calibration, rig, NULL), AQM_OK);
    aqm_rig_destroy(&rig);
}

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "discover_test.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(calibration, sizeof calibration, "%s/calibration.json", folder);
    write_calibration();
    make_file("cam1_day2.MP4");
    make_file("cam0_day2.avi");
    make_file("cam0_day3.avi");
    make_file("cam7_day2.avi");
    make_file("cam2_day2.txt");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void hear(void *user, AqmLogLevel level, const char *message) {
    char *heard = user;
    const size_t length = strlen(heard);
    snprintf(heard + length, 2048 - length, "%d %s\n", (int)level, message);
}

static AqmStatus discover(const char *pattern, AqmConfig **config, char heard[2048],
                          AqmDiag *diag) {
    const AqmLog log = {hear, heard};
    heard[0] = '\0';
    *diag = (AqmDiag){0};
    assert_int_equal(aqm_config_create(config, NULL), AQM_OK);
    assert_int_equal(aqm_config_set(*config, "calibration_path", calibration, NULL), AQM_OK);
    return aqm_config_discover(*config, folder, pattern, &log, diag);
}

static void cameras_are_found_by_name(void **state) {
    (void)state;
    AqmConfig *config = NULL;
    AqmDiag diag;
    char heard[2048], expected[2048];
    assert_int_equal(discover("^(cam[0-9])_day2", &config, heard, &diag), AQM_OK);
    assert_int_equal(config->input_count, 2);
    assert_string_equal(config->inputs[0].camera, "cam0");
    snprintf(expected, sizeof expected, "%s/cam1_day2.MP4", folder);
    assert_string_equal(config->inputs[1].path, expected);
    snprintf(expected, sizeof expected,
             "0 %s/cam2_day2.txt matches but is neither a folder nor a video", folder);
    assert_non_null(strstr(heard, expected));
    assert_non_null(strstr(heard, "0 camera cam2 of the calibration has no input"));
    assert_non_null(strstr(heard, "cam7_day2.avi: the calibration has no camera cam7; left out"));
    aqm_config_destroy(&config);
}

static void folders_count_as_inputs(void **state) {
    (void)state;
    char path[96], heard[2048];
    snprintf(path, sizeof path, "%s/cam2", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    AqmConfig *config = NULL;
    AqmDiag diag;
    assert_int_equal(discover("^(cam[0-9])$", &config, heard, &diag), AQM_OK);
    assert_int_equal(config->input_count, 1);
    assert_string_equal(config->inputs[0].path, path);
    aqm_config_destroy(&config);
}

static void what_cannot_be_told_is_an_error(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        AqmStatus status;
        const char *message;
    } cases[] = {
        {"(cam[0-9])_day[23]", AQM_ERROR_CONFIG, "both cam0_day2.avi and cam0_day3.avi match"},
        {"cam[0-9]", AQM_ERROR_ARGUMENT, "has no group"},
        {"(cam[0-9]", AQM_ERROR_ARGUMENT, "pattern '(cam[0-9]'"},
        {"(cam\\d)", AQM_ERROR_ARGUMENT, "\\d is not POSIX"},
        {"(kam)", AQM_ERROR_NO_DATA, "the pattern matches 0"},
        {"(day3)", AQM_ERROR_NO_DATA, "of which 1 name a camera"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmConfig *config = NULL;
        AqmDiag diag;
        char heard[2048];
        assert_int_equal(discover(cases[i].pattern, &config, heard, &diag), cases[i].status);
        assert_non_null(strstr(diag.message, cases[i].message));
        aqm_config_destroy(&config);
    }
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
    assert_int_equal(aqm_config_set(config, "calibration_path", calibration, NULL), AQM_OK);
    assert_int_equal(aqm_config_discover(config, "nowhere", "(a)", NULL, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "nowhere: cannot be opened as a folder"));
    aqm_config_destroy(&config);
}

static void failed_allocations_leak_nothing(void **state) {
    (void)state;
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status != AQM_OK; n++) {
        AqmConfig *config = NULL;
        assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
        assert_int_equal(aqm_config_set(config, "calibration_path", calibration, NULL), AQM_OK);
        aqm_alloc_fail_from(n);
        status = aqm_config_discover(config, folder, "^(cam[0-9])_day2", NULL, NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
        aqm_config_destroy(&config);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
}

static void info_names_this_machine(void **state) {
    (void)state;
    AqmInfo info;
    aqm_info(&info);
    assert_string_equal(info.version, aqm_version());
    assert_true(info.cores >= 1);
    assert_true(strlen(info.commit) >= 7);
    assert_true(strstr(info.compiler, "gcc ") == info.compiler ||
                strstr(info.compiler, "clang ") == info.compiler);
    setenv("AQUAMVS_CPU_MASK", "255", 1);
    aqm_info(&info);
    assert_string_equal(info.cpu_features, "");
    assert_string_equal(info.kernels, "reference");
    unsetenv("AQUAMVS_CPU_MASK");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cameras_are_found_by_name),
        cmocka_unit_test(folders_count_as_inputs),
        cmocka_unit_test(what_cannot_be_told_is_an_error),
        cmocka_unit_test(failed_allocations_leak_nothing),
        cmocka_unit_test(info_names_this_machine),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
