#include "base/alloc.h"
#include "stages/learned/onnx_runtime.h"
#include "stages/learned/test_learned.h"

/* Opens with $AQUAMVS_ONNXRUNTIME as given and puts it back. */
static AqmStatus open_with(const char *file, AqmDiag *diag) {
    const char *was = getenv("AQUAMVS_ONNXRUNTIME");
    char *kept = was ? strdup(was) : NULL;
    AqmOnnx *onnx = NULL;
    *diag = (AqmDiag){0};
    setenv("AQUAMVS_ONNXRUNTIME", file, 1);
    const AqmStatus status = aqm_onnx_open(&onnx, diag);
    aqm_onnx_close(&onnx);
    if (kept)
        setenv("AQUAMVS_ONNXRUNTIME", kept, 1);
    else
        unsetenv("AQUAMVS_ONNXRUNTIME");
    free(kept);
    return status;
}

static void a_library_that_is_not_there_is_a_sentence(void **state) {
    (void)state;
    AqmDiag diag;
    test_expect(open_with("/nonexistent", &diag), AQM_ERROR_UNSUPPORTED, &diag, "/nonexistent");
    assert_non_null(strstr(diag.message, "$AQUAMVS_ONNXRUNTIME"));
}

static void a_library_of_something_else_is_a_sentence(void **state) {
    (void)state;
    AqmDiag diag;
    test_expect(open_with("libm.so.6", &diag), AQM_ERROR_UNSUPPORTED, &diag,
                "is not ONNX Runtime: it has no function OrtGetApiBase");
    assert_non_null(strstr(diag.message, "tools/get-onnxruntime"));
    test_expect(open_with("/proc/self/cmdline", &diag), AQM_ERROR_UNSUPPORTED, &diag, "cmdline");
}

/* No home, no data folder, and a loader that does not know it: every place is named. */
static void where_it_was_looked_for_is_said(void **state) {
    (void)state;
    AqmDiag diag = {0};
    AqmOnnx *onnx = NULL;
    static const char *const names[] = {"AQUAMVS_ONNXRUNTIME", "XDG_DATA_HOME"};
    char *kept[2];
    for (int i = 0; i < 2; i++)
        kept[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
    unsetenv("AQUAMVS_ONNXRUNTIME");
    setenv("XDG_DATA_HOME", "/nonexistent/data", 1);
    const AqmStatus status = aqm_onnx_open(&onnx, &diag);
    for (int i = 0; i < 2; i++) {
        if (kept[i])
            setenv(names[i], kept[i], 1);
        else
            unsetenv(names[i]);
        free(kept[i]);
    }
    if (status == AQM_OK) { /* the system has one */
        aqm_onnx_close(&onnx);
        skip();
    }
    test_expect(status, AQM_ERROR_UNSUPPORTED, &diag, "libonnxruntime.so.1");
    assert_non_null(strstr(diag.message,
                           "/nonexistent/data/aquamvs/onnxruntime/libonnxruntime.so.1 cannot be"));
    assert_non_null(strstr(diag.message, "tools/get-onnxruntime"));
}

static void says_its_version_and_file(void **state) {
    const TestLearned *t = test_learned(state);
    print_message("ONNX Runtime %s: %s\n", aqm_onnx_version(t->onnx), aqm_onnx_path(t->onnx));
    assert_true(aqm_onnx_version(t->onnx)[0] == '1');
    assert_int_equal(access(aqm_onnx_path(t->onnx), R_OK), 0);
    AqmDiag diag;
    test_expect(open_with(aqm_onnx_path(t->onnx), &diag), AQM_OK, &diag, NULL);
}

static void memory_that_is_out_is_an_error(void **state) {
    (void)test_learned(state);
    AqmStatus status = AQM_ERROR_MEMORY;
    size_t n = 0;
    while (status == AQM_ERROR_MEMORY) {
        AqmOnnx *onnx = NULL;
        aqm_alloc_fail_from(++n);
        status = aqm_onnx_open(&onnx, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (onnx != NULL));
        aqm_onnx_close(&onnx);
    }
    assert_int_equal(status, AQM_OK);
    assert_true(n > 3);
}

int main(void) {
    /* Before it is loaded for the others: a library that is in the process is always found. */
    const struct CMUnitTest first[] = {cmocka_unit_test(where_it_was_looked_for_is_said)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_that_is_not_there_is_a_sentence),
        cmocka_unit_test(a_library_of_something_else_is_a_sentence),
        cmocka_unit_test(says_its_version_and_file),
        cmocka_unit_test(memory_that_is_out_is_an_error),
    };
    const int failed = cmocka_run_group_tests(first, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, test_learned_begin, test_learned_end);
}
