#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "benchmark/suite.h"
#include "io/io_test_util.h"

static const char full[] =
    "name: all_of-it.1\n"
    "seed: 7\n"
    "repeats: 4\n"
    "ground_truth_tolerance_mm: 0.5\n"
    "thresholds: {accuracy: 3, time: null, least_seconds: 0.2, cloud.rms_mm: 1.5}\n"
    "common:\n"
    "  matcher: sift\n"
    "  preset: fast\n"
    "  set: {runtime.threads: 2, reconstruction.num_depths: 48}\n"
    "datasets:\n"
    "  - scene: synthetic_plane\n"
    "    rig: pair\n"
    "    size: 320x240\n"
    "  - name: sand\n"
    "    scene: sandbed\n"
    "    seed: 9\n"
    "    frame: 2\n"
    "    noise: 0.5\n"
    "    min_views: 4\n"
    "  - name: lab\n"
    "    folder: data/lab 1\n"
    "configurations:\n"
    "  - name: a\n"
    "  - name: b\n"
    "    matcher: lightglue\n"
    "    extractor: disk\n"
    "    clahe: true\n"
    "    mode: sparse\n"
    "    surface: bpa\n"
    "    preset: null\n"
    "    set:\n"
    "      reconstruction.num_depths: 96\n"
    "      reconstruction.depth_range: [0.2, 0.5]\n"
    "      runtime.models_dir: \"mo\\\"dels\"\n";

static AqmStatus read_text(const char *folder, const char *text, AqmSuite **suite, AqmDiag *diag) {
    char path[PATH_MAX];
    write_bytes(in_folder(path, folder, "suite.yaml"), text, strlen(text));
    return aqm_suite_read(path, suite, diag);
}

static const char *setting(const AqmSuiteConfiguration *c, const char *name) {
    for (size_t k = 0; k < c->setting_count; k++)
        if (strcmp(c->settings[k].name, name) == 0)
            return c->settings[k].value;
    return "";
}

static void a_whole_suite_is_read(void **state) {
    AqmSuite *s = NULL;
    AqmDiag diag = {0};
    char path[PATH_MAX];
    if (read_text(*state, full, &s, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_string_equal(s->name, "all_of-it.1");
    assert_int_equal(s->seed, 7);
    assert_int_equal(s->repeats, 4);
    assert_true(s->tolerance_mm == 0.5 && s->thresholds.least_s == 0.2);
    assert_true(s->thresholds.group_percent[AQM_GROUP_ACCURACY] == 3.0);
    assert_true(isnan(s->thresholds.group_percent[AQM_GROUP_TIME]));
    assert_true(aqm_threshold_of(&s->thresholds, "cloud.rms_mm") == 1.5);
    assert_int_equal(s->dataset_count, 3);
    const AqmSuiteDataset *d = s->datasets;
    assert_string_equal(d[0].name, "synthetic_plane");
    assert_true(d[0].synth.seed == 7 && d[0].synth.width == 320 && d[0].synth.height == 240);
    assert_int_equal(d[0].min_views, 2); /* a pair has no more */
    assert_true(d[1].synth.seed == 9 && d[1].frame == 2 && d[1].synth.frames == 3);
    assert_true(d[1].synth.noise == 0.5 && d[1].min_views == 4);
    assert_int_equal(d[1].synth.scene, AQM_SCENE_SANDBED);
    assert_string_equal(d[2].folder, in_folder(path, *state, "data/lab 1"));
    assert_int_equal(s->configuration_count, 2);
    const AqmSuiteConfiguration *c = s->configurations;
    assert_int_equal(c[0].preset, AQM_PRESET_FAST);
    assert_string_equal(setting(&c[0], "matcher_type"), "sift");
    assert_string_equal(setting(&c[0], "reconstruction.num_depths"), "48");
    assert_int_equal(c[1].preset, AQM_PRESET_NONE);
    assert_string_equal(setting(&c[1], "matcher_type"), "lightglue");
    assert_string_equal(setting(&c[1], "sparse_matching.extractor_type"), "disk");
    assert_string_equal(setting(&c[1], "sparse_matching.clahe_enabled"), "true");
    assert_string_equal(setting(&c[1], "pipeline_mode"), "sparse");
    assert_string_equal(setting(&c[1], "reconstruction.surface_method"), "bpa");
    assert_string_equal(setting(&c[1], "reconstruction.num_depths"), "96");
    assert_string_equal(setting(&c[1], "reconstruction.depth_range"), "[0.2, 0.5]");
    assert_string_equal(setting(&c[1], "runtime.threads"), "2");
    assert_string_equal(setting(&c[1], "runtime.models_dir"), in_folder(path, *state, "mo\"dels"));
    aqm_suite_destroy(&s);
}

static void what_is_written_reads_the_same(void **state) {
    AqmSuite *first = NULL, *second = NULL;
    AqmTextBuffer once = {0}, twice = {0};
    AqmDiag diag = {0};
    assert_int_equal(read_text(*state, full, &first, &diag), AQM_OK);
    aqm_suite_write(first, &once);
    if (read_text(*state, once.text, &second, &diag) != AQM_OK)
        fail_msg("%s in\n%s", diag.message, once.text);
    aqm_suite_write(second, &twice);
    assert_string_equal(once.text, twice.text);
    assert_non_null(strstr(once.text, "wavelength_m: 0.05")); /* defaults too */
    assert_non_null(strstr(once.text, "time: null"));
    aqm_free(once.text);
    aqm_free(twice.text);
    aqm_suite_destroy(&first);
    aqm_suite_destroy(&second);
}

#define REST "datasets: [{scene: sandbed}]\nconfigurations: [{name: a}]\n"
#define SETS(x) "name: x\nconfigurations: [{name: a}]\ndatasets:\n  - " x
#define WAYS(x) "name: x\ndatasets: [{scene: sandbed}]\nconfigurations:\n  - " x

static void every_mistake_is_told_with_its_place(void **state) {
    static const struct {
        const char *text, *place, *what;
    } cases[] = {
        {"", ":1:1:", "`key: value`"},
        {"name: [\n", "suite.yaml:", "not YAML"},
        {REST, ":1:1:", "name is missing"},
        {"name: x\nconfigurations: [{name: a}]\n", ":1:1:", "datasets is missing"},
        {"name: x\ndatasets: [{scene: sandbed}]\n", ":1:1:", "configurations is missing"},
        {"name: a/b\n" REST, ":1:7:", "letters, digits"},
        {"name: x\nseed: -1\n" REST, ":2:7:", "seed: '-1'"},
        {"name: x\nrepeats: 0\n" REST, ":2:10:", "1..50"},
        {"name: x\nrepeat: 2\n" REST, ":2:1:", "no key 'repeat'"},
        {"name: x\nground_truth_tolerance_mm: 0\n" REST, ":2:28:", "0.001..100"},
        {"name: x\nthresholds: {speed: 3}\n" REST, ":2:14:", "'speed'"},
        {"name: x\nthresholds: {time: -3}\n" REST, ":2:20:", "'-3'"},
        {"name: x\nthresholds: 5\n" REST, ":2:13:", "`key: value`"},
        {"name: x\ncommon: {name: b}\n" REST, ":2:10:", "no key 'name'"},
        {"name: x\ndatasets: []\nconfigurations: [{name: a}]\n", ":2:1:", "1 to 256 items"},
        {SETS("scene: lake\n"), ":4:12:", "allowed: synthetic_plane|"},
        {SETS("scene: sandbed\n    size: 12\n"), ":5:11:", "640x480"},
        {SETS("scene: sandbed\n    size: 4x4\n"), ":4:5:", "width"},
        {SETS("scene: sandbed\n    noise: loud\n"), ":5:12:", "'loud'"},
        {SETS("scene: sandbed\n    noise: 1e5\n"), ":4:5:", "noise"},
        {SETS("scene: sandbed\n    rig: ring6\n"), ":5:10:", "ring12|ring5|pair"},
        {SETS("scene: sandbed\n    folder: x\n"), ":4:5:", "either a scene or a folder"},
        {SETS("name: q\n"), ":4:5:", "either a scene or a folder"},
        {SETS("folder: x\n"), ":4:5:", "wants a name"},
        {SETS("folder: x\n    name: q\n    seed: 3\n"), ":4:5:", "not rendered"},
        {SETS("scene: sandbed\n    colour: red\n"), ":5:5:", "no key 'colour'"},
        {SETS("scene: sandbed\n  - scene: sandbed\n"), ":5:5:", "two data sets"},
        {SETS("sandbed\n"), ":4:5:", "`key: value`"},
        {WAYS("matcher: sift\n"), ":4:5:", "wants a name"},
        {WAYS("name: a\n  - name: a\n"), ":5:5:", "two configurations"},
        {WAYS("name: a\n    matcher: orb\n"), ":5:14:", "orb"},
        {WAYS("name: a\n    clahe: 3\n"), ":5:12:", "clahe_enabled"},
        {WAYS("name: a\n    preset: best\n"), ":5:13:", "fast|balanced|quality"},
        {WAYS("name: a\n    set: {reconstruction.num_depth: 3}\n"),
         ":5:11:", "did you mean reconstruction.num_depths?"},
        {WAYS("name: a\n    set: {reconstruction.num_depths: 1}\n"), ":5:38:", "num_depths"},
        {WAYS("name: a\n    set: {output_dir: x}\n"), ":5:11:", "given by the benchmark"},
        {WAYS("name: a\n    set: [1]\n"), ":5:5:", "`key: value`"},
        {WAYS("name: a\n    colour: red\n"), ":5:5:", "no key 'colour'"},
    };
    const size_t before = aqm_alloc_count().live_bytes;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        AqmSuite *s = NULL;
        AqmDiag diag = {0};
        const AqmStatus status = read_text(*state, cases[k].text, &s, &diag);
        if (status != AQM_ERROR_CONFIG || s || !strstr(diag.message, cases[k].place) ||
            !strstr(diag.message, cases[k].what))
            fail_msg("case %zu: %s: '%s', wanted '%s' and '%s'", k, aqm_status_name(status),
                     diag.message, cases[k].place, cases[k].what);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
}

static void a_missing_file_and_failed_allocations(void **state) {
    char path[PATH_MAX];
    AqmSuite *s = NULL;
    AqmDiag missing = {0};
    assert_int_equal(aqm_suite_read(in_folder(path, *state, "none.yaml"), &s, &missing),
                     AQM_ERROR_IO);
    assert_null(s);
    write_bytes(in_folder(path, *state, "suite.yaml"), full, strlen(full));
    const size_t before = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 1;
    for (; status != AQM_OK && n < 500; n++) {
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        status = aqm_suite_read(path, &s, &diag);
        aqm_alloc_fail_from(0);
        if (status != AQM_OK && status != AQM_ERROR_MEMORY)
            fail_msg("allocation %zu: %s", n, diag.message);
        assert_true((status == AQM_OK) == (s != NULL));
        aqm_suite_destroy(&s);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
    assert_true(n > 20 && n < 500);
}

static void damaged_suites_do_no_harm(void **state) {
    AqmRng rng = aqm_rng(5, 1);
    unsigned char damaged[2 * sizeof full];
    char path[PATH_MAX];
    (void)in_folder(path, *state, "suite.yaml");
    const size_t before = aqm_alloc_count().live_bytes;
    for (int k = 0; k < 500; k++) {
        AqmSuite *s = NULL;
        AqmDiag diag = {0};
        const size_t size = damage((const unsigned char *)full, sizeof full - 1, &rng, damaged);
        write_bytes(path, damaged, size);
        const AqmStatus status = aqm_suite_read(path, &s, &diag);
        assert_true(status == AQM_OK || (status == AQM_ERROR_CONFIG && *diag.message));
        aqm_suite_destroy(&s);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_whole_suite_is_read),
        IN_FOLDER(what_is_written_reads_the_same),
        IN_FOLDER(every_mistake_is_told_with_its_place),
        IN_FOLDER(a_missing_file_and_failed_allocations),
        IN_FOLDER(damaged_suites_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
