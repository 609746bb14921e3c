#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/profile_parts.h"

enum { OWN_BYTES = 100 };

/* An event of `wall_s` seconds; it allocates one block of 1000 bytes and moves 10 bytes. */
static AqmScopeEvent event_of(AqmScopeKind kind, const char *name, size_t depth, double start_s,
                              double wall_s, double cpu_s) {
    return (AqmScopeEvent){
        .name = name,
        .kind = kind,
        .depth = depth,
        .start_s = start_s,
        .span = {wall_s, cpu_s, 1000, OWN_BYTES + 5000, 1},
        .wait_s = 0.0,
        .io = {7, 3},
        .counts = {-1, -1, -1},
    };
}

/* A frame of 10 s: read 0..2 with two tasks of each of two threads, stereo 2..9.9 with two views of
 * two parts; and a file that is written from the one to the other. */
typedef struct Sample {
    AqmScopeEvent stages[16], worker[4], writer[4];
    AqmRecordedThread threads[3];
    AqmRecording recording;
} Sample;

static void make_sample(Sample *s) {
    size_t n = 0;
    s->stages[n++] = event_of(AQM_SCOPE_PART, "frame", 0, 0.0, 10.0, 14.0);
    s->stages[n++] = event_of(AQM_SCOPE_STAGE, "read", 1, 0.0, 2.0, 2.0);
    s->stages[n++] = event_of(AQM_SCOPE_TASK, "camera", 2, 0.1, 1.0, 0.5);
    s->stages[n++] = event_of(AQM_SCOPE_TASK, "camera", 2, 1.1, 0.5, 0.25);
    s->stages[n++] = event_of(AQM_SCOPE_STAGE, "stereo", 1, 2.0, 7.9, 12.0);
    for (int view = 0; view < 2; view++) {
        const double from = 2.0 + 3.9 * view;
        s->stages[n++] = event_of(AQM_SCOPE_PART, "view", 2, from, 3.9, 6.0);
        s->stages[n++] = event_of(AQM_SCOPE_PART, "search", 3, from, 3.0, 5.9);
        s->stages[n++] = event_of(AQM_SCOPE_PART, "refine", 3, from + 3.0, 0.8, 0.1);
    }
    s->threads[0] = (AqmRecordedThread){1, n, s->stages};
    s->worker[0] = event_of(AQM_SCOPE_TASK, "camera", 0, 0.1, 1.5, 0.5);
    s->worker[1] = event_of(AQM_SCOPE_TASK, "decode", 1, 0.2, 1.0, 0.5);
    s->threads[1] = (AqmRecordedThread){2, 2, s->worker};
    s->writer[0] = event_of(AQM_SCOPE_TASK, "file", 0, 1.5, 1.0, 0.1);
    s->writer[1] = event_of(AQM_SCOPE_TASK, "file", 0, 3.0, 5.0, 0.1);
    s->threads[2] = (AqmRecordedThread){3, 2, s->writer};
    s->recording = (AqmRecording){3, s->threads, OWN_BYTES};
}

static const AqmProfileEntry *entry_of(const AqmProfile *profile, const char *name) {
    const AqmProfileEntry *found = NULL;
    for (size_t k = 0; k < profile->count; k++)
        if (strcmp(profile->entries[k].name, name) == 0) {
            assert_null(found);
            found = &profile->entries[k];
        }
    assert_non_null(found);
    return found;
}

static void entries_stand_in_order_under_their_parents(void **state) {
    (void)state;
    static const struct {
        const char *name, *parent;
        int level;
        size_t calls;
    } expected[] = {{"read", NULL, 0, 1},     {"camera", "read", 1, 3}, {"decode", "camera", 2, 1},
                    {"file", NULL, 0, 1},     {"stereo", NULL, 0, 1},   {"view", "stereo", 1, 2},
                    {"search", "view", 2, 2}, {"refine", "view", 2, 2}, {"file", "stereo", 1, 1}};
    Sample sample;
    AqmProfile profile = {.threads = 2};
    make_sample(&sample);
    assert_int_equal(aqm_profile_collect(&sample.recording, &profile, NULL), AQM_OK);
    assert_int_equal(profile.count, 9);
    for (size_t k = 0; k < 9; k++) {
        const AqmProfileEntry *entry = &profile.entries[k];
        assert_string_equal(entry->name, expected[k].name);
        assert_int_equal(entry->level, expected[k].level);
        assert_int_equal(entry->calls, expected[k].calls);
        if (expected[k].parent)
            assert_string_equal(profile.entries[entry->parent].name, expected[k].parent);
        else
            assert_int_equal(entry->parent, AQM_PROFILE_FRAME);
    }
    aqm_free(profile.entries);
}

static void figures_are_sums(void **state) {
    (void)state;
    Sample sample;
    AqmProfile profile = {.threads = 2};
    make_sample(&sample);
    assert_int_equal(aqm_profile_collect(&sample.recording, &profile, NULL), AQM_OK);
    const AqmProfileEntry *search = entry_of(&profile, "search");
    assert_true(fabs(search->figures.wall_s - 6.0) < 1e-12);
    assert_true(fabs(search->figures.cpu_s - 11.8) < 1e-12);
    assert_int_equal(search->figures.allocations, 2);
    assert_int_equal(search->figures.allocated_bytes, 2000);
    assert_int_equal(search->figures.peak_bytes, 5000); /* the larger, without the recorder's own */
    assert_int_equal(search->figures.read_bytes, 14);
    assert_int_equal(search->figures.written_bytes, 6);
    assert_int_equal(search->figures.cycles, -1);
    const AqmProfileEntry *camera = entry_of(&profile, "camera");
    assert_true(camera->is_task && fabs(camera->figures.wall_s - 3.0) < 1e-12);
    assert_true(fabs(profile.total.wall_s - 10.0) < 1e-12);
    assert_true(fabs(profile.stages_s - 9.9) < 1e-12); /* files beside stages are none */
    assert_true(fabs(profile.rest_s - 0.1) < 1e-12);
    assert_int_equal(profile.scopes, 15);
    aqm_free(profile.entries);
}

static void what_one_event_does_not_know_the_sum_does_not(void **state) {
    (void)state;
    Sample sample;
    AqmProfile profile = {.threads = 2};
    make_sample(&sample);
    sample.stages[6].io.read_bytes = -1;
    sample.stages[6].wait_s = (double)NAN;
    for (size_t k = 0; k < 11; k++)
        sample.stages[k].counts[AQM_PERF_CYCLES] = 5;
    assert_int_equal(aqm_profile_collect(&sample.recording, &profile, NULL), AQM_OK);
    const AqmProfileEntry *search = entry_of(&profile, "search");
    assert_int_equal(search->figures.read_bytes, -1);
    assert_true(isnan(search->figures.wait_s));
    assert_int_equal(search->figures.cycles, 10);
    assert_int_equal(search->figures.instructions, -1);
    aqm_free(profile.entries);
}

static void a_frame_alone_is_all_rest(void **state) {
    (void)state;
    AqmScopeEvent frame = event_of(AQM_SCOPE_PART, "frame", 0, 5.0, 1.0, 1.0);
    AqmRecordedThread thread = {1, 1, &frame};
    const AqmRecording recording = {1, &thread, 0};
    AqmProfile profile = {.threads = 1};
    assert_int_equal(aqm_profile_collect(&recording, &profile, NULL), AQM_OK);
    aqm_profile_find(&profile);
    assert_int_equal(profile.count, 0);
    assert_int_equal(profile.finding_count, 0);
    assert_true(profile.rest_s == 1.0 && profile.stages_s == 0.0);
    aqm_free(profile.entries);
}

static void memory_may_be_out(void **state) {
    (void)state;
    Sample sample;
    make_sample(&sample);
    const size_t live = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmProfile profile = {.threads = 2};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_profile_collect(&sample.recording, &profile, NULL);
        aqm_alloc_fail_from(0);
        if (status != AQM_OK)
            assert_null(profile.entries);
        aqm_free(profile.entries);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 3);
}

/* ---- findings -------------------------------------------------------------------------------- */

static void the_longest_are_found_by_their_parts(void **state) {
    (void)state;
    Sample sample;
    AqmProfile profile = {.threads = 2};
    make_sample(&sample);
    assert_int_equal(aqm_profile_collect(&sample.recording, &profile, NULL), AQM_OK);
    aqm_profile_find(&profile);
    assert_int_equal(profile.finding_count, 3);
    const char *const names[] = {"search", "read", "refine"};
    for (size_t k = 0; k < 3; k++)
        assert_string_equal(profile.entries[profile.findings[k].entry].name, names[k]);
    const AqmProfileFinding *first = &profile.findings[0];
    assert_true(fabs(first->share - 0.6) < 1e-12);
    assert_true(fabs(first->threads_busy - 11.8 / 6.0) < 1e-12);
    assert_true(fabs(first->efficiency - 11.8 / 12.0) < 1e-12);
    assert_int_equal(first->limit, AQM_LIMIT_COMPUTE);
    assert_non_null(strstr(first->text, "1.97 of 2 threads busy (98 %): bound by computing"));
    aqm_free(profile.entries);
}

/* Parts that leave much of a stage untold do not stand for it. */
static void parts_that_are_not_all_do_not_replace(void **state) {
    (void)state;
    Sample sample;
    AqmProfile profile = {.threads = 2};
    make_sample(&sample);
    sample.stages[6].span.wall_s = sample.stages[9].span.wall_s = 2.0; /* both searches */
    assert_int_equal(aqm_profile_collect(&sample.recording, &profile, NULL), AQM_OK);
    aqm_profile_find(&profile);
    assert_int_equal(profile.finding_count, 2);
    assert_string_equal(profile.entries[profile.findings[0].entry].name, "view");
    aqm_free(profile.entries);
}

static AqmProfileFinding finding_of(double wall_s, double cpu_s, double wait_s, int64_t bytes,
                                    int threads) {
    AqmProfileEntry entry = {.name = "stage",
                             .parent = AQM_PROFILE_FRAME,
                             .calls = 1,
                             .figures = {.wall_s = wall_s,
                                         .cpu_s = cpu_s,
                                         .wait_s = wait_s,
                                         .read_bytes = bytes,
                                         .written_bytes = 0,
                                         .instructions = 3000,
                                         .cycles = 1500,
                                         .cache_misses = 6}};
    AqmProfile profile = {
        .threads = threads, .count = 1, .entries = &entry, .total = {.wall_s = 10.0}};
    aqm_profile_find(&profile);
    assert_int_equal(profile.finding_count, 1);
    return profile.findings[0];
}

static void assert_finding(double cpu_s, double wait_s, int64_t bytes, int threads,
                           AqmProfileLimit limit, const char *words) {
    const AqmProfileFinding finding = finding_of(2.0, cpu_s, wait_s, bytes, threads);
    assert_int_equal(finding.limit, limit);
    if (!strstr(finding.text, words))
        fail_msg("'%s' is not in '%s'", words, finding.text);
}

static void limits_follow_from_the_numbers(void **state) {
    (void)state;
    assert_finding(6.5, 0.0, 0, 4, AQM_LIMIT_COMPUTE, "bound by computing");
    assert_finding(6.3, 0.0, 0, 4, AQM_LIMIT_PARTLY, "would take 0.425 s less");
    assert_finding(2.0, 0.0, 0, 4, AQM_LIMIT_SERIAL, "would take 1.500 s less");
    assert_finding(2.0, 0.0, 0, 1, AQM_LIMIT_COMPUTE, "1.00 of 1 thread busy (100 %)");
    assert_finding(1.2, 0.0, 0, 1, AQM_LIMIT_PARTLY, "0.60 of 1 thread");
    assert_finding(0.5, 0.0, 40000000, 4, AQM_LIMIT_FILES, "20.0 MB/s");
    assert_finding(0.5, 0.0, 1000, 4, AQM_LIMIT_WAITING, "not for bytes");
    assert_finding(0.5, 0.0, -1, 4, AQM_LIMIT_WAITING, "; 2.00 instructions a cycle, 2.00 cache");
    assert_finding(0.5, (double)NAN, 1000, 4, AQM_LIMIT_WAITING, "0.25 of 4");
}

/* A machine that others use as well makes a stage longer, not another one. */
static void other_programs_do_not_change_the_limit(void **state) {
    (void)state;
    assert_finding(2.0, 5.0, 0, 4, AQM_LIMIT_COMPUTE, "2.50 more ready without a core");
    assert_finding(0.5, 1.5, 0, 4, AQM_LIMIT_SERIAL, "would take 0.375 s less");
    assert_finding(0.1, 0.1, 40000000, 4, AQM_LIMIT_FILES, "0.05 of 4");
}

static void nothing_measured_is_no_division(void **state) {
    (void)state;
    const AqmProfileFinding finding = finding_of(0.0, 0.0, 0.0, 0, 2);
    assert_true(finding.threads_busy == 0.0 && finding.efficiency == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stand_in_order_under_their_parents),
        cmocka_unit_test(figures_are_sums),
        cmocka_unit_test(what_one_event_does_not_know_the_sum_does_not),
        cmocka_unit_test(a_frame_alone_is_all_rest),
        cmocka_unit_test(memory_may_be_out),
        cmocka_unit_test(the_longest_are_found_by_their_parts),
        cmocka_unit_test(parts_that_are_not_all_do_not_replace),
        cmocka_unit_test(limits_follow_from_the_numbers),
        cmocka_unit_test(other_programs_do_not_change_the_limit),
        cmocka_unit_test(nothing_measured_is_no_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
