#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "aquamvs/benchmark.h"
#include "aquamvs/io.h"
#include "base/alloc.h"
#include "io/io_test_util.h"

#define HEAD                                                                                       \
    "{\"kind\": \"aquamvs benchmark\", \"schema\": 1, \"suite\": \"s\", \"commit\": \"abc\", "     \
    "\"seed\": 1, \"ground_truth_tolerance_mm\": 1.0, "
#define THRESHOLDS "\"thresholds\": {\"accuracy\": 5, \"time\": 10, \"least_seconds\": 0.05}, "
#define CELL "\"cells\": [{\"dataset\": \"d\", \"configuration\": \"c\", \"status\": \"done\", "
#define RUN(body) HEAD THRESHOLDS CELL body "}]}"
#define TIMES(median, min, max)                                                                    \
    "{\"median\": " #median ", \"min\": " #min ", \"max\": " #max ", \"runs\": [1, 1, 1, 1, 1]}"

static AqmBenchmarkComparison *compare(const char *folder, const char *a, const char *b) {
    char paths[2][PATH_MAX];
    AqmBenchmarkComparison *c = NULL;
    AqmDiag diag = {0};
    write_bytes(in_folder(paths[0], folder, "a.json"), a, strlen(a));
    write_bytes(in_folder(paths[1], folder, "b.json"), b, strlen(b));
    if (aqm_benchmark_compare(paths[0], paths[1], &c, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return c;
}

/* The verdict of the only measure. */
static void verdict_is(const char *folder, const char *a, const char *b, AqmVerdict verdict,
                       bool is_regression) {
    AqmBenchmarkComparison *c = compare(folder, a, b);
    assert_int_equal(c->count, 1);
    if (c->deltas[0].verdict != verdict || c->deltas[0].is_regression != is_regression)
        fail_msg("%s: %s (%s), wanted %s", c->deltas[0].metric,
                 aqm_verdict_name(c->deltas[0].verdict), c->deltas[0].note,
                 aqm_verdict_name(verdict));
    assert_int_equal(c->regressions, is_regression);
    assert_int_equal(c->improvements, verdict == AQM_VERDICT_BETTER);
    aqm_benchmark_comparison_destroy(&c);
}

static void errors_go_by_their_threshold_and_direction(void **state) {
    const char *a = RUN("\"cloud\": {\"rms_mm\": 0.4}");
    verdict_is(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.4}"), AQM_VERDICT_SAME, false);
    verdict_is(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.419}"), AQM_VERDICT_SAME, false);
    verdict_is(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.421}"), AQM_VERDICT_WORSE, true);
    verdict_is(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.381}"), AQM_VERDICT_SAME, false);
    verdict_is(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.379}"), AQM_VERDICT_BETTER, false);
    AqmBenchmarkComparison *c = compare(*state, a, RUN("\"cloud\": {\"rms_mm\": 0.5}"));
    const AqmBenchmarkDelta *d = c->deltas;
    assert_true(fabs(d->difference - 0.1) < 1e-12 && fabs(d->percent - 25.0) < 1e-9);
    assert_true(d->a == 0.4 && d->b == 0.5 && d->threshold_pct == 5.0 && d->direction == -1);
    assert_string_equal(d->metric, "cloud.rms_mm");
    assert_string_equal(d->dataset, "d");
    aqm_benchmark_comparison_destroy(&c);
    /* from nothing anything is worse, and there is no percentage */
    verdict_is(*state, RUN("\"cloud\": {\"rms_mm\": 0}"), RUN("\"cloud\": {\"rms_mm\": 0.1}"),
               AQM_VERDICT_WORSE, true);
    /* of completeness more is better */
    const char *full = RUN("\"mesh\": {\"completeness_pct\": 90}");
    verdict_is(*state, full, RUN("\"mesh\": {\"completeness_pct\": 85.4}"), AQM_VERDICT_WORSE,
               true);
    verdict_is(*state, full, RUN("\"mesh\": {\"completeness_pct\": 95}"), AQM_VERDICT_BETTER,
               false);
    verdict_is(*state, RUN("\"cloud\": {\"points\": 10}"), RUN("\"cloud\": {\"points\": 5}"),
               AQM_VERDICT_UNJUDGED, false);
}

static void times_count_beyond_the_spread_alone(void **state) {
    const char *a = RUN("\"seconds\": {\"cpu\": " TIMES(1.0, 0.9, 1.15) "}");
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(1.3, 1.2, 1.4) "}"),
               AQM_VERDICT_WORSE, true);
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(1.26, 1.1, 1.4) "}"),
               AQM_VERDICT_SAME, false); /* 10 % and 0.3 (0.25 + 0.3) are 0.265 */
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(1.27, 1.1, 1.4) "}"),
               AQM_VERDICT_WORSE, true);
    verdict_is(*state, RUN("\"seconds\": {\"cpu\": " TIMES(1.0, 0.9, 1.45) "}"),
               RUN("\"seconds\": {\"cpu\": " TIMES(1.44, 1.43, 1.46) "}"), AQM_VERDICT_SAME,
               false); /* one was as slow */
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(1.09, 1.16, 1.2) "}"),
               AQM_VERDICT_SAME, false); /* below ten percent */
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(0.7, 0.6, 0.8) "}"),
               AQM_VERDICT_BETTER, false);
    verdict_is(*state, a, RUN("\"seconds\": {\"cpu\": " TIMES(0.7, 0.5, 1.0) "}"), AQM_VERDICT_SAME,
               false);
    /* 30 ms are none, whatever part of the whole */
    verdict_is(*state, RUN("\"stages\": {\"read\": {\"cpu\": " TIMES(0.03, 0.03, 0.03) "}}"),
               RUN("\"stages\": {\"read\": {\"cpu\": " TIMES(0.06, 0.06, 0.06) "}}"),
               AQM_VERDICT_SAME, false);
    /* one run tells nothing of the spread */
    verdict_is(*state, RUN("\"seconds\": {\"cpu\": 1.0}"), RUN("\"seconds\": {\"cpu\": 9.0}"),
               AQM_VERDICT_UNJUDGED, false);
}

static void the_clock_is_not_judged_where_others_ran(void **state) {
#define WITH_OTHERS(times, others)                                                                 \
    RUN("\"seconds\": {\"wall\": " times "}, \"others_pct\": " others)
    const char *quiet =
        WITH_OTHERS(TIMES(1.0, 0.9, 1.1), "{\"median\": 1, \"min\": 0, \"max\": 2}");
    const char *slow = WITH_OTHERS(TIMES(2.0, 1.9, 2.1), "{\"median\": 1, \"min\": 0, \"max\": 9}");
    const char *loud =
        WITH_OTHERS(TIMES(2.0, 1.9, 2.1), "{\"median\": 1, \"min\": 0, \"max\": 11}");
    AqmBenchmarkComparison *c = compare(*state, quiet, slow);
    assert_int_equal(c->regressions, 1);
    aqm_benchmark_comparison_destroy(&c);
    c = compare(*state, quiet, loud);
    assert_int_equal(c->regressions, 0);
    assert_int_equal(c->deltas[0].verdict, AQM_VERDICT_UNJUDGED);
    assert_non_null(strstr(c->deltas[0].note, "other programs"));
    aqm_benchmark_comparison_destroy(&c);
}

static void cpu_times_must_lie_further_apart_where_others_ran(void **state) {
#define CPU(times, others)                                                                         \
    RUN("\"seconds\": {\"cpu\": " times "}, \"others_pct\": {\"median\": 50, \"min\": 0, "         \
        "\"max\": " others "}")
    const char *a = CPU(TIMES(1.0, 0.9, 1.1), "50");
    AqmBenchmarkComparison *far = compare(*state, a, CPU(TIMES(1.6, 1.5, 1.7), "1"));
    assert_int_equal(far->regressions, 1);
    aqm_benchmark_comparison_destroy(&far);
    far = compare(*state, CPU(TIMES(1.0, 0.9, 1.1), "1"), CPU(TIMES(1.3, 1.25, 1.4), "1"));
    assert_int_equal(far->regressions, 1);
    aqm_benchmark_comparison_destroy(&far);
    const char *close = CPU(TIMES(1.24, 1.18, 1.3), "50");
    AqmBenchmarkComparison *c = compare(*state, a, close);
    for (size_t k = 0; k < c->count; k++)
        assert_false(c->deltas[k].is_regression);
    aqm_benchmark_comparison_destroy(&c);
    c = compare(*state, CPU(TIMES(1.0, 0.9, 1.1), "2"), CPU(TIMES(1.24, 1.18, 1.3), "2"));
    assert_int_equal(c->regressions, 1);
    aqm_benchmark_comparison_destroy(&c);
}

static void memory_needs_both(void **state) {
    const char *a = RUN("\"memory_mb\": {\"allocated\": 100}");
    verdict_is(*state, a, RUN("\"memory_mb\": {\"allocated\": 109}"), AQM_VERDICT_SAME, false);
    verdict_is(*state, a, RUN("\"memory_mb\": {\"allocated\": 111}"), AQM_VERDICT_WORSE, true);
    /* a percentage of little is nothing: 2 MB at least */
    verdict_is(*state, RUN("\"memory_mb\": {\"allocated\": 2.7}"),
               RUN("\"memory_mb\": {\"allocated\": 3.3}"), AQM_VERDICT_SAME, false);
}

/* A run that was made and is no more is worse than any figure. */
static void what_is_missing(void **state) {
    const char *done = RUN("\"cloud\": {\"rms_mm\": 0.4}");
    const char *failed = HEAD "\"cells\": [{\"dataset\": \"d\", \"configuration\": \"c\", "
                              "\"status\": \"failed\"}]}";
    const char *none = HEAD "\"cells\": []}", *bare = RUN("\"others_pct\": 1");
    verdict_is(*state, done, failed, AQM_VERDICT_MISSING_B, true);
    verdict_is(*state, done, none, AQM_VERDICT_MISSING_B, true);
    verdict_is(*state, failed, done, AQM_VERDICT_MISSING_A, false);
    verdict_is(*state, none, done, AQM_VERDICT_MISSING_A, false);
    AqmBenchmarkComparison *c = compare(*state, failed, failed);
    assert_int_equal(c->count, 0);
    aqm_benchmark_comparison_destroy(&c);
    c = compare(*state, done, bare); /* a measure that was there */
    assert_int_equal(c->regressions, 1);
    aqm_benchmark_comparison_destroy(&c);
    /* but not every system can measure memory and time alike */
    verdict_is(*state, RUN("\"memory_mb\": {\"resident\": 100}"), RUN("\"memory_mb\": {}"),
               AQM_VERDICT_MISSING_B, false);
}

static void thresholds_are_those_of_b(void **state) {
    const char *a = RUN("\"cloud\": {\"rms_mm\": 0.4}");
    verdict_is(*state, a,
               HEAD "\"thresholds\": {\"accuracy\": 5, \"cloud.rms_mm\": 50}, " CELL
                    "\"cloud\": {\"rms_mm\": 0.5}}]}",
               AQM_VERDICT_SAME, false);
    verdict_is(*state, a,
               HEAD "\"thresholds\": {\"accuracy\": null}, " CELL "\"cloud\": {\"rms_mm\": 0.5}}]}",
               AQM_VERDICT_UNJUDGED, false);
}

static void what_is_no_summary_is_refused(void **state) {
    static const struct {
        const char *text;
        AqmStatus status;
        const char *what;
    } cases[] = {
        {"{", AQM_ERROR_FORMAT, "b.json:1:"},
        {"{}", AQM_ERROR_FORMAT, "not the summary"},
        {"{\"kind\": \"aquamvs benchmark\", \"schema\": 2, \"cells\": []}", AQM_ERROR_FORMAT,
         "not the summary"},
        {"{\"kind\": \"aquamvs benchmark\", \"schema\": 1, \"cells\": [], \"seed\": 2, "
         "\"ground_truth_tolerance_mm\": 1}",
         AQM_ERROR_CONFIG, "seed is 1 in A and 2 in B"},
        {"{\"kind\": \"aquamvs benchmark\", \"schema\": 1, \"cells\": [], \"seed\": 1, "
         "\"ground_truth_tolerance_mm\": 2}",
         AQM_ERROR_CONFIG, "tolerance"},
    };
    char paths[2][PATH_MAX];
    const char *good = RUN("\"cloud\": {\"rms_mm\": 0.4}");
    const size_t before = aqm_alloc_count().live_bytes;
    write_bytes(in_folder(paths[0], *state, "a.json"), good, strlen(good));
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        AqmBenchmarkComparison *c = NULL;
        AqmDiag diag = {0};
        write_bytes(in_folder(paths[1], *state, "b.json"), cases[k].text, strlen(cases[k].text));
        assert_int_equal(aqm_benchmark_compare(paths[0], paths[1], &c, &diag), cases[k].status);
        if (!strstr(diag.message, cases[k].what))
            fail_msg("'%s', wanted '%s'", diag.message, cases[k].what);
        assert_null(c);
    }
    AqmBenchmarkComparison *c = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_benchmark_compare(paths[0], *state, &c, &diag), AQM_ERROR_IO);
    assert_non_null(strstr(diag.message, "summary.json"));
    assert_int_equal(aqm_alloc_count().live_bytes, before);
}

static void a_baseline_holds_results_alone(void **state) {
    char run[PATH_MAX], path[PATH_MAX];
    size_t size;
    const char *a = RUN("\"cloud\": {\"rms_mm\": 0.4}, \"seconds\": {\"cpu\": " TIMES(
        1.0, 0.9, 1.1) "}, \"memory_mb\": {\"resident\": 90, \"allocated\": 12.345}");
    write_bytes(in_folder(run, *state, "a.json"), a, strlen(a));
    (void)in_folder(path, *state, "baseline.json");
    assert_int_equal(aqm_benchmark_write_baseline(run, path, NULL), AQM_OK);
    char *text = (char *)read_bytes(path, &size);
    assert_non_null(strstr(text, "\"allocated\": 12.3"));
    assert_null(strstr(text, "seconds"));
    assert_null(strstr(text, "resident"));
    assert_null(strstr(text, "commit"));
    free(text);
    AqmBenchmarkComparison *c = NULL;
    assert_int_equal(aqm_benchmark_compare(path, run, &c, NULL), AQM_OK);
    assert_int_equal(c->regressions, 0);
    aqm_benchmark_comparison_destroy(&c);
}

static void failed_allocations(void **state) {
    char paths[2][PATH_MAX], *text = NULL;
    const char *a = RUN("\"cloud\": {\"rms_mm\": 0.4}");
    write_bytes(in_folder(paths[0], *state, "a.json"), a, strlen(a));
    write_bytes(in_folder(paths[1], *state, "b.json"), a, strlen(a));
    AqmStatus status = AQM_ERROR_MEMORY;
    AqmBenchmarkComparison *c = NULL;
    size_t n = 1;
    for (; status != AQM_OK && n < 20; n++) {
        aqm_alloc_fail_from(n);
        status = aqm_benchmark_compare(paths[0], paths[1], &c, NULL);
        aqm_alloc_fail_from(0);
        assert_true(status == AQM_OK || (status == AQM_ERROR_MEMORY && !c));
    }
    assert_true(n > 2 && n < 20);
    aqm_alloc_fail_from(1);
    assert_int_equal(aqm_benchmark_comparison_to_json(c, &text, NULL), AQM_ERROR_MEMORY);
    aqm_alloc_fail_from(0);
    assert_null(text);
    assert_int_equal(aqm_benchmark_comparison_to_json(c, &text, NULL), AQM_OK);
    assert_non_null(strstr(text, "\"verdict\": \"same\""));
    aqm_free_buffer(text);
    aqm_benchmark_comparison_destroy(&c);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(errors_go_by_their_threshold_and_direction),
        IN_FOLDER(times_count_beyond_the_spread_alone),
        IN_FOLDER(the_clock_is_not_judged_where_others_ran),
        IN_FOLDER(cpu_times_must_lie_further_apart_where_others_ran),
        IN_FOLDER(memory_needs_both),
        IN_FOLDER(what_is_missing),
        IN_FOLDER(thresholds_are_those_of_b),
        IN_FOLDER(what_is_no_summary_is_refused),
        IN_FOLDER(a_baseline_holds_results_alone),
        IN_FOLDER(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
