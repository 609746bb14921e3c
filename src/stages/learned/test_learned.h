/* For tests of this stage: ONNX Runtime or a clear skip, a folder for models, images.
 *
 * Each program of tests keeps one AqmOnnx in its group's state; where the library is not there the
 * tests that need it say so and are skipped. */
#ifndef AQM_LEARNED_TEST_LEARNED_H
#define AQM_LEARNED_TEST_LEARNED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aquamvs/learned.h"
#include "math/rng.h"
#include "stages/learned/test_models.h"

typedef struct TestLearned {
    AqmOnnx *onnx; /* NULL: not on this machine */
    char folder[64];
    char path[128]; /* of the last model that was written */
} TestLearned;

/* Of this program; set when its tests begin. */
static bool test_onnx_is_missing;

static inline int test_learned_begin(void **state) {
    TestLearned *t = calloc(1, sizeof *t);
    AqmDiag diag = {0};
    snprintf(t->folder, sizeof t->folder, "%.40s/learned-XXXXXX",
             getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(t->folder));
    snprintf(t->path, sizeof t->path, "%s/model.onnx", t->folder);
    test_onnx_is_missing = aqm_onnx_open(&t->onnx, &diag) != AQM_OK;
    if (test_onnx_is_missing)
        print_message("skipping what needs ONNX Runtime: %s\n", diag.message);
    *state = t;
    return 0;
}

static inline int test_learned_end(void **state) {
    TestLearned *t = *state;
    unlink(t->path);
    rmdir(t->folder);
    aqm_onnx_close(&t->onnx);
    free(t);
    return 0;
}

/* For main(): runs the tests, all of which need ONNX Runtime. Without it the program ends with 77,
 * which meson counts as skipped. */
#define TEST_LEARNED_RUN(tests)                                                                    \
    (cmocka_run_group_tests(tests, test_learned_begin, test_learned_end) ? 1                       \
     : test_onnx_is_missing                                              ? 77                      \
                                                                         : 0)

/* The state, or a skipped test. */
static inline TestLearned *test_learned(void **state) {
    TestLearned *t = *state;
    if (!t->onnx)
        skip();
    return t;
}

/* The model that was just written to t->path. */
static inline AqmModel *test_open_model(const TestLearned *t, bool is_written, AqmModelKind kind) {
    AqmModel *model = NULL;
    AqmDiag diag = {0};
    assert_true(is_written);
    if (aqm_model_open(&model, t->onnx, t->path, 1, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    assert_int_equal(aqm_model_kind(model), kind);
    return model;
}

/* Noise over a ramp, each channel of its own brightness. */
static inline AqmImage *test_image(int width, int height, int channels, uint64_t seed) {
    AqmImage *image = NULL;
    AqmRng rng = aqm_rng(seed, 1);
    assert_int_equal(aqm_image_create(&image, width, height, channels, AQM_U8, NULL), AQM_OK);
    double top[3];
    for (int c = 0; c < 3; c++)
        top[c] = 80.0 + 170.0 * aqm_rng_uniform(&rng);
    for (int y = 0; y < height; y++) {
        uint8_t *row = (uint8_t *)image->data + (size_t)y * image->stride;
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                row[x * channels + c] = (uint8_t)(top[c] * (0.3 + 0.4 * aqm_rng_uniform(&rng) +
                                                            0.3 * (x + y) / (width + height)));
    }
    return image;
}

/* Fails with its sentence unless the call ended with this status; the words must be in it. */
static inline void test_expect(AqmStatus status, AqmStatus expected, const AqmDiag *diag,
                               const char *words) {
    if (status != expected || (words && !strstr(diag->message, words)))
        fail_msg("%s, not %s with \"%s\": %s", aqm_status_name(status), aqm_status_name(expected),
                 words ? words : "", diag->message);
}

#endif
