#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "pipeline/background.h"

typedef struct Notes {
    char text[64];
    atomic_int held; /* jobs wait while it is 1 */
} Notes;

/* Notes the path's first letter. */
static AqmStatus note(const char *path, const void *subject, const void *detail, AqmDiag *diag) {
    Notes *notes = (Notes *)(uintptr_t)subject;
    while (atomic_load(&notes->held))
        usleep(1000);
    strncat(notes->text, path, 1);
    return detail ? aqm_fail(diag, AQM_ERROR_IO, "%s is refused", path) : AQM_OK;
}

static void jobs_are_done_in_order(void **state) {
    (void)state;
    static Notes notes;
    AqmBackground *background = NULL;
    assert_int_equal(aqm_background_start(&background, NULL), AQM_OK);
    assert_int_equal(aqm_background_wait(background, NULL), AQM_OK); /* there are none */
    atomic_store(&notes.held, 1);
    for (const char *path = "abcdef"; *path; path++)
        assert_int_equal(aqm_background_add(background, note, path, &notes, NULL, NULL), AQM_OK);
    atomic_store(&notes.held, 0);
    assert_int_equal(aqm_background_wait(background, NULL), AQM_OK);
    assert_string_equal(notes.text, "abcdef");
    assert_int_equal(aqm_background_add(background, note, "g", &notes, NULL, NULL), AQM_OK);
    assert_int_equal(aqm_background_wait(background, NULL), AQM_OK);
    assert_string_equal(notes.text, "abcdefg");
    aqm_background_stop(&background);
    assert_null(background);
    aqm_background_stop(&background);
}

static void the_first_failure_is_told_and_ends_it(void **state) {
    (void)state;
    static Notes notes;
    AqmBackground *background = NULL;
    AqmDiag diag = {0};
    assert_int_equal(aqm_background_start(&background, NULL), AQM_OK);
    assert_int_equal(aqm_background_add(background, note, "a", &notes, NULL, NULL), AQM_OK);
    assert_int_equal(aqm_background_add(background, note, "bad", &notes, "", NULL), AQM_OK);
    assert_int_equal(aqm_background_add(background, note, "worse", &notes, "", NULL), AQM_OK);
    assert_int_equal(aqm_background_wait(background, &diag), AQM_ERROR_IO);
    assert_string_equal(diag.message, "bad is refused");
    assert_string_equal(notes.text, "ab");
    aqm_background_stop(&background);
}

static void jobs_that_wait_are_dropped_at_the_end(void **state) {
    (void)state;
    static Notes notes;
    const size_t before = aqm_alloc_count().live_bytes;
    AqmBackground *background = NULL;
    assert_int_equal(aqm_background_start(&background, NULL), AQM_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(aqm_background_add(background, note, "x", &notes, NULL, NULL), AQM_OK);
    aqm_background_stop(&background);
    assert_true(strlen(notes.text) <= 50);
    assert_int_equal(aqm_alloc_count().live_bytes, before);
}

static void lack_of_memory_is_told(void **state) {
    (void)state;
    static Notes notes;
    const size_t before = aqm_alloc_count().live_bytes;
    AqmBackground *background = NULL;
    aqm_alloc_fail_from(1);
    assert_int_equal(aqm_background_start(&background, NULL), AQM_ERROR_MEMORY);
    aqm_alloc_fail_from(0);
    assert_null(background);
    assert_int_equal(aqm_background_start(&background, NULL), AQM_OK);
    for (size_t n = 1; n <= 2; n++) {
        aqm_alloc_fail_from(n);
        assert_int_equal(aqm_background_add(background, note, "x", &notes, NULL, NULL),
                         AQM_ERROR_MEMORY);
        aqm_alloc_fail_from(0);
    }
    aqm_background_stop(&background);
    assert_int_equal(aqm_alloc_count().live_bytes, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_order),
        cmocka_unit_test(the_first_failure_is_told_and_ends_it),
        cmocka_unit_test(jobs_that_wait_are_dropped_at_the_end),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
