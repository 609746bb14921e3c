/* What this version cannot do: errors with a way out, and warnings. */
#include "config/config_test_util.h"
#include "config/supported.h"

static AqmStatus check(const char *override, Heard *heard, AqmDiag *diag) {
    AqmConfig *config = read_good(BASE, override);
    const AqmLog log = {hear, heard};
    const AqmStatus status = aqm_config_check_supported(config, &log, diag);
    aqm_config_destroy(&config);
    return status;
}

static void missing_pathways_are_errors_with_a_way_out(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"matcher_type=lightglue", "lightglue: this version has no learned matchers; use --set "
                                   "matcher_type=sift. "},
        {"matcher_type=lightglue",
         "superpoint.onnx and lightglue_superpoint.onnx, "
         "looked for in /x/aquamvs/models (runtime.models_dir): 0 of 2 found"},
        {"matcher_type=lightglue", "ONNX exports of the published weights"},
        {"matcher_type=roma", "roma.onnx, looked for in /x/aquamvs/models"},
        {"matcher_type=dense", "--set matcher_type=sift"},
        {"pipeline_mode=sparse", "--set pipeline_mode=full"},
    };
    setenv("XDG_DATA_HOME", "/x", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmDiag diag = {0};
        Heard heard = {""};
        assert_int_equal(check(cases[i][0], &heard, &diag), AQM_ERROR_UNSUPPORTED);
        assert_non_null(strstr(diag.message, cases[i][1]));
    }
    unsetenv("XDG_DATA_HOME");
}

static void what_is_left_out_warns(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"reconstruction.surface_method=poisson", "0 reconstruction.surface_method: poisson comes"},
        {"reconstruction.surface_method=bpa", "0 reconstruction.surface_method: bpa comes"},
        {"runtime.save_features=true", "0 runtime.save_features"},
        {"reconstruction.target_faces=100", "come later: reconstruction.target_faces"},
        {"sparse_matching.clahe_enabled=true", "come later: sparse_matching.clahe_enabled"},
        {"sparse_matching.max_keypoints=1000", "come later: sparse_matching.max_keypoints"},
        {"runtime.icp_max_distance=0.5", "come later: runtime.icp_max_distance"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmDiag diag = {0};
        Heard heard = {""};
        assert_int_equal(check(cases[i][0], &heard, &diag), AQM_OK);
        assert_non_null(strstr(heard.text, cases[i][1]));
    }
    static const char *const silent[] = {NULL, "quality_preset=quality",
                                         "reconstruction.depth_range=[0, 1]"};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        AqmDiag diag = {0};
        Heard heard = {""};
        assert_int_equal(check(silent[i], &heard, &diag), AQM_OK);
        assert_null(strstr(heard.text, "0 "));
        assert_non_null(strstr(heard.text, "depth ranges: "));
    }
}

static void pictures_that_are_not_there_warn_only_when_named(void **state) {
    (void)state;
    static const struct {
        const char *lines, *warning; /* NULL: silent */
    } cases[] = {
        {"runtime: {viz_enabled: true}\n", NULL},
        {"runtime: {viz_enabled: true, viz_stages: []}\n", NULL},
        {"runtime: {viz_enabled: true, viz_stages: [depth, scene, rig]}\n", NULL},
        {"runtime: {viz_enabled: false, viz_stages: [features]}\n", NULL},
        {"runtime: {viz_enabled: true, viz_stages: [depth, features]}\n", "not drawn: features;"},
        {"runtime: {viz_enabled: true, viz_stages: [summary]}\n", "not drawn: summary;"},
        {"runtime: {viz_enabled: true, viz_stages: [features, summary]}\n",
         "not drawn: features, summary;"},
        {"runtime: {viz_enabled: true, viz_stages: [depth, features, scene, rig, summary]}\n",
         "not drawn: features, summary;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", BASE, cases[i].lines);
        AqmConfig *config = read_good(text, NULL);
        AqmDiag diag = {0};
        Heard heard = {""};
        const AqmLog log = {hear, &heard};
        assert_int_equal(aqm_config_check_supported(config, &log, &diag), AQM_OK);
        if (cases[i].warning)
            assert_non_null(strstr(heard.text, cases[i].warning));
        else
            assert_null(strstr(heard.text, "0 "));
        aqm_config_destroy(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_pathways_are_errors_with_a_way_out),
        cmocka_unit_test(what_is_left_out_warns),
        cmocka_unit_test(pictures_that_are_not_there_warn_only_when_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
