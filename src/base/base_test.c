#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/trace.h"

static void first_error_wins(void **state) {
    (void)state;
    AqmDiag diag = {0};
    assert_int_equal(aqm_fail(&diag, AQM_ERROR_IO, "a %d", 1), AQM_ERROR_IO);
    assert_int_equal(aqm_fail(&diag, AQM_ERROR_FORMAT, "b"), AQM_ERROR_FORMAT);
    assert_int_equal(diag.status, AQM_ERROR_IO);
    aqm_diag_prefix(&diag, "camera %s: ", "cam00");
    assert_string_equal(diag.message, "camera cam00: a 1");
    assert_int_equal(aqm_fail(NULL, AQM_ERROR_IO, "nobody listens"), AQM_ERROR_IO);
}

static void a_prefix_never_overflows(void **state) {
    (void)state;
    AqmDiag diag = {0};
    char text[AQM_DIAG_MAX + 100];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)aqm_fail(&diag, AQM_ERROR_IO, "%s", text);
    aqm_diag_prefix(&diag, "camera: ");
    assert_int_equal(strlen(diag.message), AQM_DIAG_MAX - 1);
    assert_memory_equal(diag.message, "camera: xxx", 11);
}

static void blocks_are_counted_aligned_and_checked(void **state) {
    (void)state;
    const size_t before = aqm_alloc_count().live_bytes;
    char *block = aqm_calloc(10, 7);
    assert_int_equal((uintptr_t)block % 64, 0);
    assert_int_equal(aqm_alloc_count().live_bytes - before, 70);
    memset(block, 5, 70);
    block = aqm_realloc(block, 100, 7);
    assert_int_equal(block[69], 5);
    assert_int_equal(aqm_alloc_count().live_bytes - before, 700);
    aqm_free(block);
    assert_int_equal(aqm_alloc_count().live_bytes, before);
    assert_null(aqm_alloc(SIZE_MAX / 2, 3));
    assert_null(aqm_alloc(SIZE_MAX, 1));
}

static void injected_failures_begin_where_asked(void **state) {
    (void)state;
    aqm_alloc_fail_from(2);
    void *first = aqm_alloc(1, 1), *second = aqm_alloc(1, 1), *third = aqm_alloc(1, 1);
    aqm_alloc_fail_from(0);
    assert_non_null(first);
    assert_null(second);
    assert_null(third);
    aqm_free(first);
}

static void a_masked_feature_is_gone(void **state) {
    (void)state;
    setenv("AQUAMVS_CPU_MASK", "15", 1);
    assert_int_equal(aqm_cpu_features(), 0);
    unsetenv("AQUAMVS_CPU_MASK");
    assert_true(aqm_cpu_cores() >= 1);
    assert_int_equal(aqm_thread_count(3), 3);
    assert_int_equal(aqm_thread_count(0), aqm_cpu_cores());
}

static void a_scope_sees_its_allocations(void **state) {
    (void)state;
    AqmTraceSpan span = {0};
    const AqmTraceScope scope = aqm_trace_begin();
    void *block = aqm_alloc(1000, 1);
    aqm_free(block);
    aqm_trace_end(&scope, &span);
    assert_int_equal(span.allocated_bytes, 1000);
    assert_true(span.peak_bytes >= 1000);
    assert_true(span.wall_s >= 0.0 && span.cpu_s >= 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(a_prefix_never_overflows),
        cmocka_unit_test(blocks_are_counted_aligned_and_checked),
        cmocka_unit_test(injected_failures_begin_where_asked),
        cmocka_unit_test(a_masked_feature_is_gone),
        cmocka_unit_test(a_scope_sees_its_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
