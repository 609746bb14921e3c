#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/recorder.h"

static AqmRecorder *attached(size_t threads, size_t events) {
    AqmRecorder *recorder = NULL;
    assert_int_equal(aqm_recorder_create(&recorder, threads, events, NULL), AQM_OK);
    assert_true(aqm_recorder_attach(recorder));
    return recorder;
}

/* Keeps the processor busy for some time of the thread. */
static void work_for(double seconds) {
    struct timespec from, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((double)(now.tv_sec - from.tv_sec) + 1e-9 * (double)(now.tv_nsec - from.tv_nsec) <
           seconds);
}

static void *compute_a_while(void *user) {
    work_for(0.03);
    return user;
}

static int first_of(const cpu_set_t *set) {
    int core = 0;
    while (!CPU_ISSET(core, set))
        core++;
    return core;
}

static void nothing_is_recorded_unasked(void **state) {
    (void)state;
    const AqmAllocCount before = aqm_alloc_count();
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", "detail");
    assert_null(scope.event);
    aqm_scope_end(&scope);
    assert_int_equal(aqm_alloc_count().calls, before.calls);
}

static void recording_allocates_nothing(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 8);
    const size_t before = aqm_alloc_count().calls;
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", "detail");
    aqm_scope_end(&scope);
    assert_int_equal(aqm_alloc_count().calls, before);
    aqm_recorder_detach(recorder);
    assert_int_equal(aqm_recorder_thread(recorder, 0).count, 1);
    aqm_recorder_destroy(&recorder);
    assert_null(recorder);
    aqm_recorder_destroy(&recorder);
}

static void scopes_nest(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 8);
    const AqmScope stage = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", NULL);
    void *large = aqm_alloc(50000, 1);
    const AqmScope part = aqm_scope_begin(AQM_SCOPE_PART, "part", "one");
    aqm_free(aqm_alloc(1000, 1));
    work_for(0.002);
    aqm_scope_end(&part);
    aqm_free(large);
    const AqmScope other = aqm_scope_begin(AQM_SCOPE_PART, "part", "two");
    aqm_scope_end(&other);
    aqm_scope_end(&stage);
    aqm_recorder_detach(recorder);

    const AqmRecordedThread thread = aqm_recorder_thread(recorder, 0);
    const AqmScopeEvent *e = thread.events;
    assert_int_equal(aqm_recorder_threads(recorder), 1);
    assert_int_equal(thread.id, gettid());
    assert_int_equal(thread.count, 3);
    assert_string_equal(e[0].name, "stage");
    assert_string_equal(e[0].detail, "");
    assert_string_equal(e[1].detail, "one");
    assert_string_equal(e[2].detail, "two");
    assert_int_equal(e[0].depth, 0);
    assert_int_equal(e[1].depth, 1);
    assert_int_equal(e[2].depth, 1);
    assert_int_equal(e[0].kind, AQM_SCOPE_STAGE);
    assert_int_equal(e[1].kind, AQM_SCOPE_PART);
    for (size_t k = 1; k < 3; k++) {
        assert_true(e[k].start_s >= e[0].start_s);
        assert_true(e[k].start_s + e[k].span.wall_s <= e[0].start_s + e[0].span.wall_s);
    }
    assert_true(e[2].start_s >= e[1].start_s + e[1].span.wall_s);
    assert_true(e[1].span.cpu_s >= 0.002 && e[0].span.cpu_s >= e[1].span.cpu_s);
    aqm_recorder_destroy(&recorder);
}

/* An inner scope has a peak of its own, and does not hide from the outer one what was before it. */
static void peaks_are_each_scopes_own(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 8);
    const size_t live = aqm_alloc_count().live_bytes;
    const AqmScope stage = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", NULL);
    aqm_free(aqm_alloc(50000, 1));
    const AqmScope part = aqm_scope_begin(AQM_SCOPE_PART, "part", NULL);
    void *kept = aqm_alloc(1000, 1);
    aqm_scope_end(&part);
    aqm_scope_end(&stage);
    aqm_free(kept);
    aqm_recorder_detach(recorder);
    const AqmScopeEvent *e = aqm_recorder_thread(recorder, 0).events;
    assert_int_equal(e[0].span.peak_bytes, live + 50000);
    assert_int_equal(e[1].span.peak_bytes, live + 1000);
    assert_int_equal(e[0].span.allocations, 2);
    assert_int_equal(e[1].span.allocations, 1);
    assert_int_equal(e[0].span.allocated_bytes, 51000);
    assert_int_equal(e[1].span.allocated_bytes, 1000);
    assert_int_equal(e[1].live_start_bytes, live);
    assert_int_equal(e[1].live_end_bytes, live + 1000);
    aqm_recorder_destroy(&recorder);
}

static void bytes_are_counted_without_the_counting(void **state) {
    (void)state;
    char text[4000] = "";
    FILE *file = tmpfile();
    assert_non_null(file);
    AqmRecorder *recorder = attached(1, 8);
    const AqmScope stage = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", NULL);
    const AqmScope part = aqm_scope_begin(AQM_SCOPE_PART, "part", NULL);
    assert_int_equal(pwrite(fileno(file), text, 4000, 0), 4000);
    aqm_scope_end(&part);
    const AqmScope task = aqm_scope_begin(AQM_SCOPE_TASK, "task", NULL);
    assert_int_equal(pread(fileno(file), text, 3000, 0), 3000);
    aqm_scope_end(&task);
    aqm_scope_end(&stage);
    aqm_recorder_detach(recorder);
    fclose(file);
    const AqmScopeEvent *e = aqm_recorder_thread(recorder, 0).events;
    if (e[0].io.read_bytes < 0) {
        aqm_recorder_destroy(&recorder);
        skip(); /* no /proc/self/io */
    }
    assert_int_equal(e[0].io.read_bytes, 3000);
    assert_int_equal(e[0].io.written_bytes, 4000);
    assert_int_equal(e[1].io.read_bytes, 0);
    assert_int_equal(e[1].io.written_bytes, 4000);
    assert_int_equal(e[2].io.read_bytes, 3000);
    assert_int_equal(e[2].io.written_bytes, 0);
    aqm_recorder_destroy(&recorder);
}

static void what_finds_no_room_is_counted(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 2);
    const AqmScope outer = aqm_scope_begin(AQM_SCOPE_STAGE, "outer", NULL);
    for (int k = 0; k < 5; k++) {
        const AqmScope scope = aqm_scope_begin(AQM_SCOPE_PART, "inner", NULL);
        aqm_scope_end(&scope);
    }
    aqm_scope_end(&outer);
    aqm_recorder_detach(recorder);
    assert_int_equal(aqm_recorder_thread(recorder, 0).count, 2);
    assert_int_equal(aqm_recorder_dropped(recorder), 4);
    assert_true(aqm_recorder_thread(recorder, 0).events[0].span.wall_s > 0.0);
    aqm_recorder_destroy(&recorder);
}

static void a_long_detail_is_cut(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 2);
    char text[200];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", text);
    aqm_scope_end(&scope);
    aqm_recorder_detach(recorder);
    assert_int_equal(strlen(aqm_recorder_thread(recorder, 0).events[0].detail),
                     AQM_SCOPE_DETAIL_MAX - 1);
    aqm_recorder_destroy(&recorder);
}

static void there_is_one_recorder(void **state) {
    (void)state;
    AqmRecorder *first = attached(1, 2), *second = NULL;
    assert_int_equal(aqm_recorder_create(&second, 1, 2, NULL), AQM_OK);
    assert_false(aqm_recorder_attach(second));
    aqm_recorder_detach(second); /* takes nothing from the first */
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", NULL);
    assert_non_null(scope.event);
    aqm_scope_end(&scope);
    aqm_recorder_detach(first);
    assert_true(aqm_recorder_attach(second));
    aqm_recorder_detach(second);
    aqm_recorder_destroy(&first);
    aqm_recorder_destroy(&second);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, SCOPES = 200 };

static void *record_some(void *user) {
    (void)user;
    for (int k = 0; k < SCOPES; k++) {
        const AqmScope outer = aqm_scope_begin(AQM_SCOPE_PART, "outer", NULL);
        const AqmScope inner = aqm_scope_begin(AQM_SCOPE_TASK, "inner", NULL);
        aqm_scope_end(&inner);
        aqm_scope_end(&outer);
    }
    return NULL;
}

static void threads_have_lanes_of_their_own(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1 + THREADS, 2 * SCOPES);
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, record_some, NULL), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    aqm_recorder_detach(recorder);
    size_t total = aqm_recorder_dropped(recorder);
    for (size_t t = 0; t < aqm_recorder_threads(recorder); t++) {
        const AqmRecordedThread thread = aqm_recorder_thread(recorder, t);
        total += thread.count;
        for (size_t k = 0; k < thread.count; k++) {
            const AqmScopeEvent *e = &thread.events[k];
            assert_int_equal(e->depth, k % 2);
            assert_int_equal(e->kind, AQM_SCOPE_TASK); /* parts too: not the stages' thread */
            assert_int_equal(e->counts[AQM_PERF_CYCLES], -1);
            assert_true(k == 0 || e->start_s >= e[-1].start_s);
        }
    }
    assert_int_equal(total, THREADS * 2 * SCOPES); /* with lanes shared by thread ids used again */
    aqm_recorder_destroy(&recorder);
}

static void a_thread_without_a_lane_is_dropped(void **state) {
    (void)state;
    AqmRecorder *recorder = attached(1, 8);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, record_some, NULL), 0);
    pthread_join(thread, NULL);
    aqm_recorder_detach(recorder);
    assert_int_equal(aqm_recorder_dropped(recorder), 2 * SCOPES);
    assert_int_equal(aqm_recorder_thread(recorder, 0).count, 0);
    aqm_recorder_destroy(&recorder);
}

static atomic_int must_stop;

static void *record_until_stopped(void *user) {
    (void)user;
    while (!atomic_load(&must_stop))
        record_some(NULL);
    return NULL;
}

/* Recorders come and go while other threads are in the middle of scopes. */
static void recorders_go_while_others_record(void **state) {
    (void)state;
    pthread_t threads[2];
    atomic_store(&must_stop, 0);
    for (int t = 0; t < 2; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, record_until_stopped, NULL), 0);
    size_t seen = 0;
    for (int k = 0; k < 50; k++) {
        AqmRecorder *recorder = attached(3, 1000);
        usleep(500);
        aqm_recorder_detach(recorder);
        for (size_t t = 0; t < aqm_recorder_threads(recorder); t++)
            seen += aqm_recorder_thread(recorder, t).count;
        aqm_recorder_destroy(&recorder);
    }
    atomic_store(&must_stop, 1);
    for (int t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    assert_true(seen > 0);
}

/* ---- what may fail or be missing ------------------------------------------------------------- */

static void memory_may_be_out(void **state) {
    (void)state;
    const size_t live = aqm_alloc_count().live_bytes;
    for (size_t n = 1; n <= 3; n++) {
        AqmRecorder *recorder = NULL;
        AqmDiag diag = {0};
        aqm_alloc_fail_from(n);
        const AqmStatus status = aqm_recorder_create(&recorder, 2, 10, &diag);
        aqm_alloc_fail_from(0);
        assert_int_equal(status, AQM_ERROR_MEMORY);
        assert_null(recorder);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
    }
}

static void its_own_bytes_are_known(void **state) {
    (void)state;
    const size_t live = aqm_alloc_count().live_bytes;
    AqmRecorder *recorder = NULL;
    assert_int_equal(aqm_recorder_create(&recorder, 3, 100, NULL), AQM_OK);
    assert_int_equal(aqm_recorder_bytes(recorder), aqm_alloc_count().live_bytes - live);
    aqm_recorder_destroy(&recorder);
}

/* Events of the kernel's own clock are given where those of the processor are not. */
static void counters_count_or_say_why(void **state) {
    (void)state;
    static const AqmPerfEvent clocks[AQM_PERF_COUNT] = {{1, 1}, {1, 1}, {1, 1}};
    static const AqmPerfEvent wrong[AQM_PERF_COUNT] = {{1, 1}, {1, 1}, {12345, 1}};
    AqmPerfCounters counters;
    int64_t before[AQM_PERF_COUNT], after[AQM_PERF_COUNT];
    char reason[128] = "";
    assert_false(aqm_perf_open(&counters, wrong, reason, sizeof reason));
    assert_true(strlen(reason) > 20);
    assert_false(aqm_perf_read(&counters, before));
    assert_int_equal(before[0], -1);
    if (!aqm_perf_open(&counters, clocks, reason, sizeof reason))
        skip();
    assert_true(aqm_perf_read(&counters, before));
    work_for(0.005);
    assert_true(aqm_perf_read(&counters, after));
    for (int k = 0; k < AQM_PERF_COUNT; k++)
        assert_in_range(after[k] - before[k], 4900000, 100000000); /* nanoseconds */
    aqm_perf_close(&counters);
}

static void waiting_only_grows(void **state) {
    (void)state;
    AqmProcWait wait = {.count = 0};
    size_t bytes;
    assert_true(isnan(aqm_proc_wait_read(&wait, &bytes)));
    aqm_proc_wait_find(&wait);
    if (wait.count == 0)
        skip();
    const double before = aqm_proc_wait_read(&wait, &bytes);
    assert_true(before >= 0.0 && bytes > 0);
    const size_t count = wait.count;
    aqm_proc_wait_find(&wait); /* the same threads */
    assert_int_equal(wait.count, count);
    usleep(1000);
    assert_true(aqm_proc_wait_read(&wait, &bytes) >= before);
    aqm_proc_wait_close(&wait);
    assert_int_equal(wait.count, 0);
}

/* Two threads on one core: each is ready while the other runs. */
static void threads_without_a_core_wait(void **state) {
    (void)state;
    cpu_set_t all, one;
    pthread_t thread;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    CPU_SET(first_of(&all), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    AqmRecorder *recorder = attached(2, 8);
    assert_int_equal(pthread_create(&thread, NULL, compute_a_while, NULL), 0);
    const AqmScope scope = aqm_scope_begin(AQM_SCOPE_STAGE, "stage", NULL);
    work_for(0.03);
    pthread_join(thread, NULL);
    aqm_scope_end(&scope);
    aqm_recorder_detach(recorder);
    (void)sched_setaffinity(0, sizeof all, &all);
    const AqmScopeEvent event = aqm_recorder_thread(recorder, 0).events[0];
    aqm_recorder_destroy(&recorder);
    if (isnan(event.wait_s))
        skip();
    assert_true(event.wait_s >= 0.02 && event.wait_s <= 2.0 * event.span.wall_s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_recorded_unasked),
        cmocka_unit_test(recording_allocates_nothing),
        cmocka_unit_test(scopes_nest),
        cmocka_unit_test(peaks_are_each_scopes_own),
        cmocka_unit_test(bytes_are_counted_without_the_counting),
        cmocka_unit_test(what_finds_no_room_is_counted),
        cmocka_unit_test(a_long_detail_is_cut),
        cmocka_unit_test(there_is_one_recorder),
        cmocka_unit_test(threads_have_lanes_of_their_own),
        cmocka_unit_test(a_thread_without_a_lane_is_dropped),
        cmocka_unit_test(recorders_go_while_others_record),
        cmocka_unit_test(memory_may_be_out),
        cmocka_unit_test(its_own_bytes_are_known),
        cmocka_unit_test(counters_count_or_say_why),
        cmocka_unit_test(waiting_only_grows),
        cmocka_unit_test(threads_without_a_core_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
