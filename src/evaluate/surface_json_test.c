#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "evaluate/surface_json.h"

static AqmSurfaceModel *parse(const char *text, AqmStatus expected, AqmDiag *diag) {
    json_error_t error;
    json_t *terms = json_loads(text, 0, &error);
    assert_non_null(terms);
    AqmSurfaceModel *model = NULL;
    assert_int_equal(aqm_surface_from_json(terms, &model, diag), expected);
    json_decref(terms);
    return model;
}

static const char scene[] =
    "[{\"kind\": \"plane\", \"z0\": 0.9},"
    " {\"kind\": \"sines\", \"amp\": [0.1, 0.2], \"kx\": [1, 2], \"ky\": [3, 4], \"phase\": [5, "
    "6]},"
    " {\"kind\": \"gauss\", \"a\": 0.03, \"cx\": 0.1, \"cy\": -0.2, \"sigma\": 0.05},"
    " {\"kind\": \"annulus\", \"a\": 1, \"cx\": 0, \"cy\": 0, \"r0\": 0.1, \"sigma\": 0.3}]";

static void every_kind_of_term_is_read(void **state) {
    (void)state;
    AqmSurfaceModel *model = parse(scene, AQM_OK, NULL);
    assert_int_equal(model->count, 5);
    assert_true(model->terms[0].plane.gx == 0.0);
    assert_true(model->terms[1].sine.kx == 1.0 && model->terms[1].sine.phase == 5.0);
    assert_true(model->terms[2].sine.amplitude == 0.2 && model->terms[2].sine.ky == 4.0);
    assert_true(model->terms[3].hill.cy == -0.2 && model->terms[3].hill.radius == 0.0);
    assert_true(model->terms[4].hill.radius == 0.1);
    aqm_surface_model_destroy(&model);
}

static void a_wrong_term_is_named(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "[]",
        "[{\"kind\": \"cube\"}]",
        "[{\"z0\": 1}]",
        "[{\"kind\": \"plane\"}]",
        "[{\"kind\": \"plane\", \"z0\": \"deep\"}]",
        "[{\"kind\": \"sines\", \"amp\": [1], \"kx\": [1], \"ky\": [1], \"phase\": []}]",
        "[{\"kind\": \"sines\", \"amp\": [1], \"kx\": [1], \"ky\": [1], \"phase\": [null]}]",
        "[{\"kind\": \"annulus\", \"a\": 1, \"cx\": 0, \"cy\": 0, \"sigma\": 0.3}]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AqmDiag diag = {0};
        assert_null(parse(wrong[i], AQM_ERROR_FORMAT, &diag));
        assert_non_null(strstr(diag.message, "surface"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_term_is_read),
        cmocka_unit_test(a_wrong_term_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
