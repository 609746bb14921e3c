#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "benchmark/metrics.h"

static void near_to(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-12))
        fail_msg("%g, expected %g", value, expected);
}

static void spread_of_odd_even_one_and_none(void **state) {
    (void)state;
    const double odd[] = {3.0, 1.0, 2.0}, even[] = {4.0, 1.0, 3.0, 2.0};
    AqmSpread s = aqm_spread_of(odd, 3);
    assert_int_equal(s.count, 3);
    near_to(s.median, 2.0), near_to(s.least, 1.0), near_to(s.most, 3.0);
    near_to(odd[0], 3.0); /* as it was */
    s = aqm_spread_of(even, 4);
    near_to(s.median, 2.5), near_to(s.least, 1.0), near_to(s.most, 4.0);
    s = aqm_spread_of(odd, 1);
    assert_int_equal(s.count, 1);
    near_to(s.median, 3.0), near_to(s.least, 3.0), near_to(s.most, 3.0);
    s = aqm_spread_of(NULL, 0);
    assert_int_equal(s.count, 0);
    assert_true(isnan(s.median) && isnan(s.least) && isnan(s.most));
}

static void spread_passes_over_what_is_not_known(void **state) {
    (void)state;
    const double values[] = {NAN, 5.0, NAN, 1.0}, none[] = {NAN, NAN};
    const AqmSpread s = aqm_spread_of(values, 4);
    assert_int_equal(s.count, 2);
    near_to(s.median, 3.0), near_to(s.least, 1.0), near_to(s.most, 5.0);
    assert_int_equal(aqm_spread_of(none, 2).count, 0);
}

static void groups_and_directions(void **state) {
    (void)state;
    static const struct {
        const char *name;
        AqmMetricGroup group;
        int direction;
    } cases[] = {
        {"cloud.rms_mm", AQM_GROUP_ACCURACY, -1},
        {"mesh.plane_fit_rmse_mm", AQM_GROUP_ACCURACY, -1},
        {"cloud.precision_pct", AQM_GROUP_COMPLETENESS, 1},
        {"mesh.raw_completeness_pct", AQM_GROUP_COMPLETENESS, 1},
        {"cloud.points", AQM_GROUP_NONE, 0},
        {"cloud.rms", AQM_GROUP_NONE, 0},
        {"seconds.cpu", AQM_GROUP_TIME, -1},
        {"stages.stereo.wall", AQM_GROUP_TIME, -1},
        {"memory_mb.allocated", AQM_GROUP_MEMORY, -1},
        {"others_pct", AQM_GROUP_NONE, 0},
        {"rms_mm", AQM_GROUP_NONE, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const AqmMetricGroup group = aqm_metric_group(cases[k].name);
        if (group != cases[k].group || aqm_group_direction(group) != cases[k].direction)
            fail_msg("%s: %s, %d", cases[k].name, aqm_group_name(group),
                     aqm_group_direction(group));
    }
}

static AqmThresholds with_own(const char *name, double percent, AqmThresholds t) {
    strcpy(t.own[t.own_count].name, name);
    t.own[t.own_count++].percent = percent;
    return t;
}

static void the_longest_name_that_fits_is_the_threshold(void **state) {
    (void)state;
    AqmThresholds t = aqm_thresholds_default();
    near_to(aqm_threshold_of(&t, "cloud.rms_mm"), 5.0);
    near_to(aqm_threshold_of(&t, "seconds.wall"), 10.0);
    assert_true(isnan(aqm_threshold_of(&t, "cloud.points")));
    t = with_own("cloud", 3.0, with_own("cloud.rms_mm", 2.0, with_own("stages.stereo", NAN, t)));
    near_to(aqm_threshold_of(&t, "cloud.rms_mm"), 2.0);
    near_to(aqm_threshold_of(&t, "cloud.p95_mm"), 3.0);
    near_to(aqm_threshold_of(&t, "mesh.rms_mm"), 5.0);
    assert_true(isnan(aqm_threshold_of(&t, "stages.stereo.cpu")));
    near_to(aqm_threshold_of(&t, "stages.surface.cpu"), 10.0);
    t = with_own("stages.ster", 1.0, aqm_thresholds_default());
    near_to(aqm_threshold_of(&t, "stages.stereo.cpu"), 10.0); /* part of a word is no name */
}

static void names_of_thresholds(void **state) {
    (void)state;
    static const char *const good[] = {"accuracy",    "time",          "cloud",
                                       "mesh.rms_mm", "stages.stereo", "memory_mb.resident"};
    static const char *const bad[] = {"",        "speed", "rms_mm", "cloud.rms", "cloud.points",
                                      "stages.", "none"};
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++)
        assert_true(aqm_threshold_is_known(good[k]));
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        if (aqm_threshold_is_known(bad[k]))
            fail_msg("%s is taken", bad[k]);
}

static void measures_of_no_points_are_not_known(void **state) {
    (void)state;
    AqmEvaluation e = {.points = 5, .plane_fit_rmse_mm = NAN, .tolerance_precision_pct = 40.0};
    int known = 0;
    for (int k = 0; k < AQM_SURFACE_METRICS; k++)
        known += !isnan(aqm_surface_metrics[k].value(&e));
    assert_int_equal(known, 4); /* points and three shares */
    e.in_region = (AqmErrorStats){.count = 3, .median_mm = 0.25};
    near_to(aqm_surface_metrics[2].value(&e), 0.25);
    assert_string_equal(aqm_surface_metrics[2].name, "median_mm");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spread_of_odd_even_one_and_none),
        cmocka_unit_test(spread_passes_over_what_is_not_known),
        cmocka_unit_test(groups_and_directions),
        cmocka_unit_test(the_longest_name_that_fits_is_the_threshold),
        cmocka_unit_test(names_of_thresholds),
        cmocka_unit_test(measures_of_no_points_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
