/* What this version cannot do warns. */
#include "config/config_test_util.h"
#include "config/supported.h"

static void check(const char *text, const char *override, Heard *heard) {
    AqmConfig *config = read_good(text, override);
    const AqmLog log = {hear, heard};
    aqm_config_warn_unsupported(config, &log);
    aqm_config_destroy(&config);
}

static void what_is_left_out_warns(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"reconstruction.surface_method=poisson", "0 reconstruction.surface_method: poisson comes"},
        {"reconstruction.surface_method=bpa", "0 reconstruction.surface_method: bpa comes"},
        {"reconstruction.target_faces=100", "come later: reconstruction.target_faces"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Heard heard = {""};
        check(BASE, cases[i][0], &heard);
        assert_non_null(strstr(heard.text, cases[i][1]));
    }
    static const char *const silent[] = {NULL,
                                         "quality_preset=quality",
                                         "reconstruction.depth_range=[0, 1]",
                                         "runtime.save_features=true",
                                         "runtime.icp_max_distance=0.5",
                                         "sparse_matching.clahe_enabled=true",
                                         "matcher_type=roma",
                                         "pipeline_mode=sparse"};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        Heard heard = {""};
        check(BASE, silent[i], &heard);
        assert_null(strstr(heard.text, "0 "));
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
        {"runtime: {viz_enabled: true, viz_stages: [depth, features]}\n", NULL},
        {"runtime: {viz_enabled: true, viz_stages: [summary]}\n", "summary is not in this version"},
        {"runtime: {viz_enabled: true, viz_stages: [depth, features, scene, rig, summary]}\n",
         "summary is not in this version"},
        {"matcher_type: dense\nruntime: {viz_enabled: true, viz_stages: [features]}\n",
         "features: dense matching has none"},
        {"matcher_type: dense\nruntime: {viz_enabled: true}\n", NULL},
        {"matcher_type: roma\nruntime: {save_features: true}\n",
         "runtime.save_features: dense matching has no features"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", BASE, cases[i].lines);
        Heard heard = {""};
        check(text, NULL, &heard);
        if (cases[i].warning)
            assert_non_null(strstr(heard.text, cases[i].warning));
        else
            assert_null(strstr(heard.text, "0 "));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_warns),
        cmocka_unit_test(pictures_that_are_not_there_warn_only_when_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
