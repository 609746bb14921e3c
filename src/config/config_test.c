#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config_options.h"
#include "config/config_test_util.h"
#include "math/rng.h"

/* The message without the name of the file. */
static void assert_refused(const char *text, const char *override, const char *message) {
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(read_with(text, override, NULL, &config, &diag), AQM_ERROR_CONFIG);
    assert_null(config);
    const size_t length = strlen(file);
    const char *got = diag.message;
    if (strncmp(got, file, length) == 0)
        got += length + 1;
    assert_string_equal(got, message);
}

static void a_short_file_gets_every_default(void **state) {
    (void)state;
    AqmConfig *config = read_good(BASE, NULL);
    assert_int_equal(config->input_count, 2);
    assert_string_equal(config->inputs[1].camera, "b");
    char expected[128];
    snprintf(expected, sizeof expected, "%s/vb", folder);
    assert_string_equal(config->inputs[1].path, expected);
    assert_null(config->mask_dir);
    assert_int_equal(config->matcher_type, AQM_MATCHER_SIFT);
    assert_int_equal(config->reconstruction.surface_method, AQM_SURFACE_HEIGHTFIELD);
    assert_int_equal(config->preprocessing.frame_stop, -1);
    assert_int_equal(config->reconstruction.stereo.num_depths, 128);
    assert_int_equal(config->reconstruction.stereo.window_size, 11);
    assert_true(config->reconstruction.fusion.voxel_size_m == 0.001);
    assert_int_equal(config->reconstruction.target_faces, 0);
    assert_false(config->reconstruction.has_depth_range);
    assert_int_equal(config->runtime.viz_stages, 0);
    assert_true(config->runtime.keep_intermediates);
    aqm_config_destroy(&config);
    assert_null(config);
}

static void values_reach_their_fields(void **state) {
    (void)state;
    AqmConfig *config = read_good(
        BASE "mask_dir: /m\nreconstruction:\n  depth_range: [0.2, 5e-1]\n  bpa_radii: [1, .5]\n"
             "  target_faces: 1000\n  cost_function: ssim\n  outlier_removal_enabled: No\n"
             "runtime: {viz_stages: [rig], threads: 3}\npreprocessing: {frame_stop: 9}\n",
        "reconstruction.depth_margin=0.25");
    assert_string_equal(config->mask_dir, "/m");
    assert_true(config->reconstruction.has_depth_range);
    assert_true(config->reconstruction.depth_range.min_m == 0.2);
    assert_true(config->reconstruction.depth_range.max_m == 0.5);
    assert_int_equal(config->reconstruction.bpa_radius_count, 2);
    assert_true(config->reconstruction.bpa_radii[1] == 0.5);
    assert_int_equal(config->reconstruction.target_faces, 1000);
    assert_int_equal(config->reconstruction.stereo.cost, AQM_COST_SSIM);
    assert_false(config->reconstruction.fusion.outlier_removal_enabled);
    assert_true(config->reconstruction.depth_margin == 0.25);
    assert_int_equal(config->runtime.viz_stages, 8);
    assert_int_equal(config->reconstruction.fusion.threads, 3);
    assert_int_equal(config->preprocessing.frame_stop, 9);
    aqm_config_destroy(&config);
}

static void wrong_values_are_refused_with_their_place(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {BASE "reconstruction:\n  num_depths: abc\n",
         "5:15: reconstruction.num_depths: 'abc' is not an integer; allowed: 8..4096 planes"},
        {BASE "reconstruction:\n  num_depths: 12.5\n",
         "5:15: reconstruction.num_depths: '12.5' is not an integer; allowed: 8..4096 planes"},
        {BASE "reconstruction:\n  num_depths: 99999999999999999999\n",
         "5:15: reconstruction.num_depths: '99999999999999999999' is out of range; allowed: "
         "8..4096 planes"},
        {BASE "reconstruction:\n  window_size: 8\n",
         "5:16: reconstruction.window_size: '8' is even; allowed: 3..31 px, odd"},
        {BASE "reconstruction:\n  num_depths: [1]\n",
         "5:3: reconstruction.num_depths: a list is not an integer; allowed: 8..4096 planes"},
        {BASE "reconstruction:\n  voxel_size: .nan\n",
         "5:15: reconstruction.voxel_size: '.nan' is not a number; allowed: 1e-6..1000 m"},
        {BASE "reconstruction:\n  voxel_size:\n",
         "5:3: reconstruction.voxel_size: null is not a number; allowed: 1e-6..1000 m"},
        {BASE "reconstruction:\n  depth_range: [1, 0.5]\n",
         "5:3: reconstruction.depth_range: min 1 is not below max 0.5; allowed: 0 <= min < max"},
        {BASE "reconstruction:\n  depth_range: [-1, 0.5]\n",
         "5:17: reconstruction.depth_range: '-1' is out of range; allowed: 0..1000 m, or null"},
        {BASE "runtime:\n  device: gpu\n",
         "5:11: runtime.device: 'gpu' is not a choice; allowed: cpu|cuda|auto"},
        {BASE "runtime:\n  quiet: maybe\n",
         "5:10: runtime.quiet: 'maybe' is not true or false; allowed: true|false"},
        {BASE "runtime:\n  viz_stages: [rig, rug]\n",
         "5:21: runtime.viz_stages: 'rug' is not a stage; allowed: "
         "depth|features|scene|rig|summary"},
        {BASE "runtime: 3\n",
         "4:10: runtime: is a section; `key: value` lines are expected below it"},
        {BASE "preprocessing: {frame_start: 5, frame_stop: 3}\n",
         "4:45: preprocessing.frame_stop: 3 leaves no frame: frame_start is 5; allowed: null or "
         "above that"},
        {"camera_input_map: {}\n", "1:1: camera_input_map: a map without a camera in it; `camera: "
                                   "path` is expected"},
        {"camera_input_map: {a: null}\n",
         "1:23: camera_input_map: a: null is not a path to a video or image folder"},
        {"camera_input_map: {a/b: c}\n",
         "1:20: camera_input_map: 'a/b' is no camera name: it becomes a file name, without '/' and "
         "not starting with '.'"},
        {"calibration_path: a\n",
         " output_dir is missing: folder of the results; made if it is not there"},
        {"calibration_path: ''\n", "1:20: calibration_path: '' is empty; a path is expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i][0], NULL, cases[i][1]);
}

static void texts_that_are_no_configuration_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", " is empty; `aquamvs init` writes a configuration"},
        {"# nothing\n", " is empty; `aquamvs init` writes a configuration"},
        {"just words", "1:1: not a configuration: `key: value` lines are expected"},
        {"- a\n- b\n", "1:1: not a configuration: `key: value` lines are expected"},
        {BASE "runtime:\n\tquiet: true\n",
         "5:1: not YAML: tab character may not be used as indentation"},
        {BASE "runtime:\n  quiet: true\n  quiet: false\n", "6:3: a key that stands there already"},
        {BASE "---\n" BASE, " holds more than one YAML document"},
        {"a: \x01\xff\xfe\n", "1:5: byte 0xff: this is not UTF-8 text"},
        {BASE "mask_dir: *nowhere\n",
         "4:12: mask_dir: an unreadable value is not a path; null is allowed"},
        {"? [a]\n: 3\n", "1:1: a key that is no word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i][0], NULL, cases[i][1]);
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_read("nowhere/c.yaml", NULL, 0, NULL, &config, &diag),
                     AQM_ERROR_IO);
    assert_string_equal(diag.message,
                        "nowhere/c.yaml: cannot be opened: No such file or directory");
    diag = (AqmDiag){0};
    assert_int_equal(aqm_config_read(folder, NULL, 0, NULL, &config, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "Is a directory"));
}

static void wrong_overrides_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"reconstruction.num_depths=abc", "--set reconstruction.num_depths=abc: 'abc' is not an "
                                          "integer; allowed: 8..4096 planes"},
        {"num_depths=3",
         "--set num_depths=3: there is no such key; did you mean reconstruction.num_depths?"},
        {"reconstruction.num_depths",
         "--set reconstruction.num_depths: `section.key=value` is expected"},
        {"qqqqqqqq.x=1", "--set qqqqqqqq.x=1: there is no such key"},
        {"mask_dir=", "--set mask_dir=: '' is empty; a path is expected; null is allowed"},
        {"reconstruction.depth_range=[1,",
         "--set reconstruction.depth_range=[1,: not YAML: did not find expected node content"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(BASE, cases[i][0], cases[i][1]);
}

static void keys_can_be_set_by_name(void **state) {
    (void)state;
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_create(&config, &diag), AQM_OK);
    assert_int_equal(aqm_config_set(config, "runtime.threads", "2", &diag), AQM_OK);
    assert_int_equal(config->reconstruction.stereo.threads, 2);
    assert_int_equal(aqm_config_set(config, "output_dir", "here", &diag), AQM_OK);
    assert_string_equal(config->output_dir, "here");
    assert_int_equal(aqm_config_set(config, "runtime.threads", "-2", &diag), AQM_ERROR_CONFIG);
    assert_string_equal(diag.message, "runtime.threads: '-2' is out of range; allowed: 0..1024");
    assert_int_equal(config->runtime.threads, 2);
    diag = (AqmDiag){0};
    assert_int_equal(aqm_config_set(config, "threads", "2", &diag), AQM_ERROR_CONFIG);
    assert_string_equal(diag.message,
                        "threads: there is no such key; did you mean runtime.threads?");
    aqm_config_destroy(&config);
}

static void unknown_keys_warn_with_the_nearest_name(void **state) {
    (void)state;
    Heard heard = {""};
    AqmConfig *config = NULL;
    AqmDiag diag = {0};
    assert_int_equal(read_with(BASE "reconstruction:\n  num_dephts: 12\nnum_depths: 3\nzebra: {}\n",
                               NULL, &heard, &config, &diag),
                     AQM_OK);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "0 %s:5:3: unknown key reconstruction.num_dephts is ignored; did you mean "
             "reconstruction.num_depths?\n"
             "0 %s:6:1: unknown key num_depths is ignored; did you mean "
             "reconstruction.num_depths?\n"
             "0 %s:7:1: unknown key zebra is ignored\n",
             file, file, file);
    assert_string_equal(heard.text, expected);
    assert_int_equal(config->reconstruction.stereo.num_depths, 128);
    aqm_config_destroy(&config);
}

static void presets_fill_only_what_was_left_out(void **state) {
    (void)state;
    AqmConfig *config = read_good(BASE "quality_preset: fast\nreconstruction: {window_size: 11}\n",
                                  "reconstruction.voxel_size=0.001");
    assert_int_equal(config->reconstruction.stereo.num_depths, 64);
    assert_int_equal(config->reconstruction.stereo.window_size, 11);
    assert_int_equal(config->reconstruction.stereo.depth_batch_size, 8);
    assert_true(config->reconstruction.fusion.voxel_size_m == 0.001);
    assert_int_equal(config->reconstruction.poisson_depth, 8);
    assert_int_equal(config->sparse_matching.max_keypoints, 1024);
    aqm_config_apply_preset(config, AQM_PRESET_QUALITY);
    assert_int_equal(config->reconstruction.stereo.num_depths, 256);
    assert_int_equal(config->reconstruction.stereo.window_size, 15);
    assert_true(config->reconstruction.fusion.voxel_size_m == 0.0005);
    aqm_config_destroy(&config);
}

/* `init` writes every key; a preset named beside them must not be passed over in silence. */
static void a_preset_without_a_key_left_warns(void **state) {
    (void)state;
    AqmConfig *config = read_good(BASE, NULL);
    char *text = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_to_yaml(config, folder, &text, &diag), AQM_OK);
    aqm_config_destroy(&config);
    static const struct {
        const char *override;
        bool warns;
    } cases[] = {{"quality_preset=fast", true},
                 {"quality_preset=balanced", false}, /* these are its numbers */
                 {"quality_preset=null", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Heard heard = {""};
        assert_int_equal(read_with(text, cases[i].override, &heard, &config, &diag), AQM_OK);
        assert_int_equal(config->reconstruction.stereo.num_depths, 128);
        char expected[160];
        snprintf(expected, sizeof expected,
                 "0 quality_preset fast changes nothing: all its keys are set in %s", file);
        if (cases[i].warns)
            assert_non_null(strstr(heard.text, expected));
        else
            assert_string_equal(heard.text, "");
        aqm_config_destroy(&config);
    }
    Heard heard = {""};
    assert_int_equal(read_with(BASE "reconstruction: {num_depths: 9}\n", "quality_preset=fast",
                               &heard, &config, &diag),
                     AQM_OK);
    assert_string_equal(heard.text, ""); /* the other keys are left to it */
    aqm_config_destroy(&config);
    aqm_free(text);
}

/* What was asked for is written, not what it stands for: "all" stays "all" in a later version. */
static void pictures_are_written_as_they_were_asked_for(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {NULL, "viz_stages: []\n"},
        {"runtime.viz_stages=[rig, depth]", "viz_stages: [depth, rig]\n"},
        {"runtime.viz_stages=[depth, features, scene, rig, summary]",
         "viz_stages: [depth, features, scene, rig, summary]\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AqmConfig *config = read_good(BASE, cases[i][0]);
        char *text = NULL;
        AqmDiag diag = {0};
        assert_int_equal(aqm_config_to_yaml(config, folder, &text, &diag), AQM_OK);
        assert_non_null(strstr(text, cases[i][1]));
        aqm_free(text);
        aqm_config_destroy(&config);
    }
}

static void the_search_is_written_as_it_was_asked_for(void **state) {
    (void)state;
    static const char *const names[] = {"cascade", "exhaustive"};
    static const AqmSearch searches[] = {AQM_SEARCH_CASCADE, AQM_SEARCH_EXHAUSTIVE};
    for (size_t i = 0; i < 2; i++) {
        char override[64], line[64];
        snprintf(override, sizeof override, "reconstruction.search=%s", names[i]);
        snprintf(line, sizeof line, "  search: %s", names[i]);
        AqmConfig *config = read_good(BASE, override);
        char *text = NULL;
        AqmDiag diag = {0};
        assert_int_equal(config->reconstruction.stereo.search, searches[i]);
        assert_int_equal(aqm_config_to_yaml(config, folder, &text, &diag), AQM_OK);
        aqm_config_destroy(&config);
        assert_non_null(strstr(text, line));
        config = read_good(text, NULL);
        assert_int_equal(config->reconstruction.stereo.search, searches[i]);
        aqm_free(text);
        aqm_config_destroy(&config);
    }
    assert_refused(BASE, "reconstruction.search=thorough",
                   "--set reconstruction.search=thorough: 'thorough' is not a choice; allowed: "
                   "cascade|exhaustive");
}

static void anchors_and_merged_maps_work(void **state) {
    (void)state;
    AqmConfig *config = read_good(
        BASE "calm: &calm {num_depths: 64, window_size: 7}\nreconstruction:\n  <<: *calm\n"
             "  window_size: &w 9\n  poisson_depth: *w\n",
        NULL);
    assert_int_equal(config->reconstruction.stereo.num_depths, 64);
    assert_int_equal(config->reconstruction.stereo.window_size, 9);
    assert_int_equal(config->reconstruction.poisson_depth, 9);
    aqm_config_destroy(&config);
    assert_refused(BASE "l: &l [&m {threads: 1}, *m, *m, *m, *m, *m, *m, *m, *m, *m]\n"
                        "k: &k [*l, *l, *l, *l, *l, *l, *l, *l, *l]\nruntime: {<<: [*k, *k]}\n",
                   NULL, "4:34: too many maps are merged with '<<'");
}

/* Writes, reads back, writes again: the same text. */
static void assert_round_trip(const AqmConfig *config, const char *relative_to) {
    char *text = NULL, *again = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_to_yaml(config, relative_to, &text, &diag), AQM_OK);
    AqmConfig *back = read_good(text, NULL);
    assert_int_equal(aqm_config_to_yaml(back, relative_to, &again, &diag), AQM_OK);
    assert_string_equal(text, again);
    aqm_config_destroy(&back);
    aqm_free(text);
    aqm_free(again);
}

static void what_is_written_reads_back_the_same(void **state) {
    (void)state;
    AqmConfig *config = read_good(
        BASE "mask_dir: \"odd: # \\\"name\\\" \\t\\u00e9\"\nquality_preset: quality\n"
             "reconstruction: {depth_range: [0.1, 0.30000000000000004], bpa_radii: [1e-5, 2, "
             "1e+2], depth_tolerance: 3.3333333333333333e-7}\n",
        NULL);
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_add_input(config, "no", "true", &diag), AQM_OK);
    assert_int_equal(aqm_config_add_input(config, "- 12", "/x y/../z", &diag), AQM_OK);
    assert_int_equal(aqm_config_add_input(config, "a", "twice", &diag), AQM_ERROR_CONFIG);
    assert_round_trip(config, NULL);
    assert_round_trip(config, folder);
    char *text = NULL;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_config_to_yaml(config, folder, &text, &diag), AQM_OK);
    assert_non_null(strstr(text, "\noutput_dir: out\n"));
    assert_non_null(strstr(text, "  \"- 12\": \"/x y/../z\"\n"));
    assert_non_null(strstr(text, "bpa_radii: [1.0e-05, 2.0, 100.0]"));
    aqm_free(text);
    aqm_config_destroy(&config);
}

static void a_path_that_is_no_text_cannot_be_written(void **state) {
    (void)state;
    AqmConfig *config = NULL;
    char *text = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
    assert_int_equal(aqm_config_add_input(config, "a", "/\xff", &diag), AQM_OK);
    assert_int_equal(aqm_config_to_yaml(config, NULL, &text, &diag), AQM_ERROR_CONFIG);
    assert_non_null(strstr(diag.message, "not UTF-8"));
    assert_null(text);
    aqm_config_destroy(&config);
}

static void numbers_do_not_depend_on_the_locale(void **state) {
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    AqmConfig *config = read_good(BASE "reconstruction: {voxel_size: 0.25}\n", NULL);
    assert_true(config->reconstruction.fusion.voxel_size_m == 0.25);
    assert_round_trip(config, NULL);
    aqm_config_destroy(&config);
    setlocale(LC_ALL, "C");
}

static void the_table_is_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        const AqmOptionInfo *info = aqm_option_info(i);
        assert_ptr_equal(aqm_option_find(info->section, info->key), option);
        assert_true(strlen(info->help) > 10 && strlen(info->help) < 90);
        if (option->kind == AQM_OPTION_INT || option->kind == AQM_OPTION_FLOAT)
            assert_true(option->min < option->max);
        if (i > 0 && strcmp(info->section, aqm_option_info(i - 1)->section) == 0)
            assert_string_not_equal(info->key, aqm_option_info(i - 1)->key);
    }
}

/* Sets every number to its least (or largest) value; odd ones stay odd. */
static void set_all_to_limit(AqmConfig *config, bool largest) {
    for (size_t i = 0; i < aqm_option_count(); i++) {
        const AqmOption *option = aqm_option_at(i);
        void *field = (char *)config + option->offset;
        const double value = largest ? option->max : option->min;
        if (option->kind == AQM_OPTION_INT)
            *(int *)field = (int)value;
        else if (option->kind == AQM_OPTION_FLOAT)
            *(double *)field = value;
    }
}

static void the_table_agrees_with_the_stages(void **state) {
    (void)state;
    AqmConfig *config = NULL;
    assert_int_equal(aqm_config_create(&config, NULL), AQM_OK);
    const AqmStereoOptions stereo = aqm_stereo_options_default();
    const AqmFusionOptions fusion = aqm_fusion_options_default();
    assert_int_equal(config->reconstruction.stereo.search, stereo.search);
    assert_int_equal(config->reconstruction.stereo.num_depths, stereo.num_depths);
    assert_int_equal(config->reconstruction.stereo.cost, stereo.cost);
    assert_int_equal(config->reconstruction.stereo.window_size, stereo.window_size);
    assert_int_equal(config->reconstruction.stereo.depth_batch_size, stereo.depth_batch_size);
    const AqmFusionOptions *ours = &config->reconstruction.fusion;
    assert_int_equal(ours->min_consistent_views, fusion.min_consistent_views);
    assert_true(ours->depth_tolerance_m == fusion.depth_tolerance_m);
    assert_true(ours->min_confidence == fusion.min_confidence);
    assert_true(ours->voxel_size_m == fusion.voxel_size_m);
    assert_int_equal(ours->matched_views, fusion.matched_views);
    assert_int_equal(ours->outlier_removal_enabled, fusion.outlier_removal_enabled);
    assert_int_equal(ours->outlier_nb_neighbors, fusion.outlier_nb_neighbors);
    assert_true(ours->outlier_std_ratio == fusion.outlier_std_ratio);
    assert_true(config->reconstruction.heightfield.grid_resolution_m ==
                aqm_heightfield_options_default().grid_resolution_m);
    for (int largest = 0; largest < 2; largest++) {
        set_all_to_limit(config, largest);
        assert_int_equal(aqm_stereo_options_validate(&config->reconstruction.stereo, NULL), AQM_OK);
        assert_int_equal(aqm_fusion_options_validate(ours, NULL), AQM_OK);
        assert_int_equal(
            aqm_heightfield_options_validate(&config->reconstruction.heightfield, NULL), AQM_OK);
    }
    aqm_config_destroy(&config);
}

/* ---- robustness -------------------------------------------------------------------------------
 */

static void every_failed_allocation_is_survived_without_a_leak(void **state) {
    (void)state;
    put(BASE "reconstruction: {bpa_radii: [1, 2]}\n", strlen(BASE) + 36);
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (AqmStatus status = AQM_ERROR_MEMORY; status != AQM_OK; n++) {
        AqmConfig *config = NULL;
        char *text = NULL;
        AqmDiag diag = {0};
        const char *override = "mask_dir=x";
        aqm_alloc_fail_from(n);
        status = aqm_config_read(file, &override, 1, NULL, &config, &diag);
        if (status == AQM_OK)
            status = aqm_config_to_yaml(config, folder, &text, &diag);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || status == AQM_ERROR_MEMORY);
        aqm_free(text);
        aqm_config_destroy(&config);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 50);
}

static void mutated_files_never_crash(void **state) {
    (void)state;
    AqmConfig *config = read_good(BASE "base: &b {threads: 2}\nruntime: {<<: *b}\n"
                                       "reconstruction: {depth_range: [0.1, 0.5]}\n",
                                  NULL);
    char *text = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_config_to_yaml(config, NULL, &text, &diag), AQM_OK);
    aqm_config_destroy(&config);
    static const char bytes[] = "{}[]:,&*!|>'\"%@`#-?~<\t\n \0\xff\xc3 9e.";
    AqmRng rng = aqm_rng(5, 0);
    const size_t size = strlen(text);
    char *copy = aqm_alloc(size, 1);
    for (int round = 0; round < 600; round++) {
        memcpy(copy, text, size);
        const size_t kept = round % 5 == 0 ? aqm_rng_u32(&rng) % size : size;
        for (int k = 0; k < 1 + round % 6; k++)
            copy[aqm_rng_u32(&rng) % size] = bytes[aqm_rng_u32(&rng) % (sizeof bytes - 1)];
        put(copy, kept);
        diag = (AqmDiag){0};
        const AqmStatus status = aqm_config_read(file, NULL, 0, NULL, &config, &diag);
        assert_int_equal(status == AQM_OK, config != NULL);
        assert_int_equal(status == AQM_OK, diag.message[0] == '\0');
        aqm_config_destroy(&config);
    }
    aqm_free(copy);
    aqm_free(text);
}

static void the_configurations_of_others_are_read(void **state) {
    (void)state;
    static const char *const names[] = {
        "rendered/r5-undulating/config_aquamvs.yaml", "rendered/r5-undulating/config.yaml",
        "real/mv_temple/config_aquamvs.yaml", "real/rf_tank/config_aquamvs.yaml"};
    const char *shared = getenv("AQUAMVS_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/data/%s", shared ? shared : "", names[0]);
    if (!shared || access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/data/%s", shared, names[i]);
        AqmConfig *config = NULL;
        AqmDiag diag = {0};
        Heard heard = {""};
        const AqmLog log = {hear, &heard};
        assert_int_equal(aqm_config_read(path, NULL, 0, &log, &config, &diag), AQM_OK);
        assert_string_equal(heard.text, "");
        assert_int_equal(access(config->calibration_path, R_OK), 0);
        assert_int_equal(access(config->inputs[0].path, R_OK), 0);
        aqm_config_destroy(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_file_gets_every_default),
        cmocka_unit_test(values_reach_their_fields),
        cmocka_unit_test(wrong_values_are_refused_with_their_place),
        cmocka_unit_test(texts_that_are_no_configuration_are_refused),
        cmocka_unit_test(wrong_overrides_are_refused),
        cmocka_unit_test(keys_can_be_set_by_name),
        cmocka_unit_test(unknown_keys_warn_with_the_nearest_name),
        cmocka_unit_test(presets_fill_only_what_was_left_out),
        cmocka_unit_test(a_preset_without_a_key_left_warns),
        cmocka_unit_test(pictures_are_written_as_they_were_asked_for),
        cmocka_unit_test(the_search_is_written_as_it_was_asked_for),
        cmocka_unit_test(anchors_and_merged_maps_work),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_path_that_is_no_text_cannot_be_written),
        cmocka_unit_test(numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(the_table_agrees_with_the_stages),
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
        cmocka_unit_test(mutated_files_never_crash),
        cmocka_unit_test(the_configurations_of_others_are_read),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
