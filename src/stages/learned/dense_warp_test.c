#include <pthread.h>

#include "base/alloc.h"
#include "stages/learned/test_learned.h"

/* An affine part with a bend: about what two cameras over a slope see of one another. */
static const float COEFFICIENTS[2][6] = {{0.06f, 0.82f, 0.05f, 0.03f, -0.02f, 0.01f},
                                         {-0.04f, -0.06f, 0.79f, 0.02f, 0.015f, -0.03f}};
static const float WEIGHTS[6] = {0.05f, 0.1f, 0.15f, 0.2f, 0.2f, 0.3f};

/* The warp's truth in px, from the px of the first image: all of it in double, none of it ours. */
static void true_target(const AqmImage *first, const AqmImage *second, double u, double v,
                        double target[2]) {
    const double x = 2.0 * (u + 0.5) / first->width - 1.0;
    const double y = 2.0 * (v + 0.5) / first->height - 1.0;
    const double terms[6] = {1.0, x, y, x * x, x * y, y * y};
    const int sides[2] = {second->width, second->height};
    for (int axis = 0; axis < 2; axis++) {
        double sum = 0.0;
        for (int i = 0; i < 6; i++)
            sum += (double)COEFFICIENTS[axis][i] * terms[i];
        target[axis] = (sum + 1.0) / 2.0 * sides[axis] - 0.5;
    }
}

/* The overlap that the graph makes of the pixels that a cell covers, if they were averaged. */
static void check_warp(const AqmWarp *warp, const AqmImage *first, const AqmImage *second) {
    double worst = 0.0;
    size_t known = 0;
    for (int j = 0; j < warp->height; j++)
        for (int i = 0; i < warp->width; i++) {
            const size_t k = (size_t)j * (size_t)warp->width + (size_t)i;
            double target[2];
            true_target(first, second, (i + 0.5) * first->width / warp->width - 0.5,
                        (j + 0.5) * first->height / warp->height - 0.5, target);
            if (isnan(warp->target[2 * k])) {
                assert_true(warp->certainty[k] == 0.0f && isnan(warp->sigma_px[k]));
                continue;
            }
            known++;
            for (size_t axis = 0; axis < 2; axis++)
                worst = fmax(worst, fabs((double)warp->target[2 * k + axis] - target[axis]));
        }
    assert_int_equal(known, (size_t)warp->width * (size_t)warp->height);
    if (!(worst < 0.002))
        fail_msg("%d x %d cells: %g px off", warp->width, warp->height, worst);
}

static AqmWarp *warp_of(AqmModel *model, const AqmImage *first, const AqmImage *second, int width,
                        int height) {
    AqmWarp *warp = NULL;
    AqmDiag diag = {0};
    const AqmImageView a = aqm_image_view(first), b = aqm_image_view(second);
    if (aqm_learned_warp(&warp, model, &a, &b, width, height, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return warp;
}

static void half_pixels_are_kept_at_every_size(void **state) {
    TestLearned *t = test_learned(state);
    static const int images[][2] = {{96, 96}, {160, 120}, {101, 67}, {40, 30}};
    AqmModel *any =
        test_open_model(t, test_write_dense_formula(t->path, "H", "W", COEFFICIENTS, WEIGHTS, NULL),
                        AQM_MODEL_DENSE);
    AqmModel *fixed = test_open_model(
        t, test_write_dense_formula(t->path, "64", "64", COEFFICIENTS, WEIGHTS, NULL),
        AQM_MODEL_DENSE);
    for (int i = 0; i < 4; i++) {
        AqmImage *first = test_image(images[i][0], images[i][1], 3, 1);
        AqmImage *second = test_image(images[3 - i][0], images[3 - i][1], i % 2 ? 1 : 3, 2);
        AqmWarp *warps[3] = {warp_of(any, first, second, 48, 48),
                             warp_of(any, first, second, first->width, first->height),
                             warp_of(fixed, first, second, 512, 512)};
        assert_int_equal(warps[2]->width, 64); /* its own size wins */
        for (int k = 0; k < 3; k++) {
            check_warp(warps[k], first, second);
            aqm_warp_destroy(&warps[k]);
        }
        aqm_image_destroy(&first);
        aqm_image_destroy(&second);
    }
    aqm_model_close(&any);
    aqm_model_close(&fixed);
}

/* The overlap is a mixture of all channels of both images: a byte in the wrong place shows. */
static void every_pixel_arrives_in_its_place(void **state) {
    TestLearned *t = test_learned(state);
    AqmModel *model =
        test_open_model(t, test_write_dense_formula(t->path, "H", "W", COEFFICIENTS, WEIGHTS, NULL),
                        AQM_MODEL_DENSE);
    AqmImage *first = test_image(70, 50, 3, 3), *second = test_image(70, 50, 3, 4);
    AqmWarp *warp = warp_of(model, first, second, 70, 50);
    for (size_t y = 0; y < 50; y++)
        for (size_t x = 0; x < 70; x++) {
            const uint8_t *a = (const uint8_t *)first->data + y * first->stride + 3 * x;
            const uint8_t *b = (const uint8_t *)second->data + y * second->stride + 3 * x;
            double sum = 0.0;
            for (size_t c = 0; c < 3; c++)
                sum += ((double)WEIGHTS[c] * a[c] + (double)WEIGHTS[3 + c] * b[c]) / 255.0;
            assert_true(fabs((double)warp->certainty[y * 70 + x] - sum) < 1e-5);
        }
    aqm_warp_destroy(&warp);
    aqm_image_destroy(&first);
    aqm_image_destroy(&second);
    aqm_model_close(&model);
}

/* A ramp stays the same ramp where it is made smaller, whatever the ratio: not a hundredth of a
 * pixel moves. The first and last cells lie over the ends, where it is level. */
static void making_smaller_moves_nothing(void **state) {
    TestLearned *t = test_learned(state);
    const float weights[6] = {1.0f};
    AqmModel *model =
        test_open_model(t, test_write_dense_formula(t->path, "H", "W", COEFFICIENTS, weights, NULL),
                        AQM_MODEL_DENSE);
    AqmImage *ramp = test_image(200, 200, 1, 5);
    for (size_t y = 0; y < 200; y++)
        for (size_t x = 0; x < 200; x++)
            ((uint8_t *)ramp->data)[y * ramp->stride + x] = (uint8_t)(x + (y > 100 ? 50 : 30));
    for (int cells = 37; cells < 200; cells += 27) {
        AqmWarp *warp = warp_of(model, ramp, ramp, cells, 200);
        for (int i = 2; i < cells - 2; i++) {
            const double u = (i + 0.5) * 200 / cells - 0.5;
            const double seen = 255.0 * (double)warp->certainty[20 * cells + i] - 30.0;
            if (!(fabs(seen - u) < 0.005))
                fail_msg("cell %d of %d is at %g, not at %g", i, cells, seen, u);
        }
        aqm_warp_destroy(&warp);
    }
    aqm_image_destroy(&ramp);
    aqm_model_close(&model);
}

static void precision_becomes_pixels_of_the_second_image(void **state) {
    TestLearned *t = test_learned(state);
    /* covariance {{0.09, 0.03}, {0.03, 0.16}} px^2 of the model's images */
    const double a = 0.09, b = 0.03, d = 0.16, determinant = a * d - b * b;
    const float precision[4] = {(float)(d / determinant), (float)(-b / determinant),
                                (float)(-b / determinant), (float)(a / determinant)};
    AqmModel *model = test_open_model(
        t, test_write_dense_formula(t->path, "32", "64", COEFFICIENTS, WEIGHTS, precision),
        AQM_MODEL_DENSE);
    AqmImage *first = test_image(90, 60, 3, 6), *second = test_image(128, 128, 3, 7);
    AqmWarp *warp = warp_of(model, first, second, 0, 0);
    const double sigma = sqrt(0.5 * (a * 4.0 + d * 16.0)); /* (128 / 64)^2, (128 / 32)^2 */
    for (int k = 0; k < 64 * 32; k++)
        assert_true(fabs((double)warp->sigma_px[k] - sigma) < 1e-4);
    aqm_warp_destroy(&warp);
    aqm_model_close(&model);
    const float nothing[4] = {0.0f, 0.0f, 0.0f, 4.0f};
    model = test_open_model(
        t, test_write_dense_formula(t->path, "32", "64", COEFFICIENTS, WEIGHTS, nothing),
        AQM_MODEL_DENSE);
    warp = warp_of(model, first, second, 0, 0);
    assert_true(isnan(warp->sigma_px[0]) && !isnan(warp->target[0]));
    aqm_warp_destroy(&warp);
    aqm_model_close(&model);
    aqm_image_destroy(&first);
    aqm_image_destroy(&second);
}

/* What leads out of the second image is not known. */
static void targets_outside_are_not_known(void **state) {
    TestLearned *t = test_learned(state);
    const float shift[2][6] = {{0.5f, 1.0f}, {0.0f, 0.0f, 1.0f}};
    AqmModel *model = test_open_model(
        t, test_write_dense_formula(t->path, "H", "W", shift, WEIGHTS, NULL), AQM_MODEL_DENSE);
    AqmImage *image = test_image(64, 64, 3, 8);
    AqmWarp *warp = warp_of(model, image, image, 64, 64);
    for (size_t i = 0; i < 64; i++) /* half of -1..1 is 16 px */
        if (i < 48)
            assert_true(fabs((double)warp->target[2 * i] - (double)i - 16.0) < 0.002);
        else
            assert_true(isnan(warp->target[2 * i]) && isnan(warp->target[2 * i + 1]) &&
                        warp->certainty[i] == 0.0f);
    aqm_warp_destroy(&warp);
    aqm_image_destroy(&image);
    aqm_model_close(&model);
}

/* The row of the table that belongs to the pair, by the images' means at the model's size. */
static void a_table_knows_its_images(void **state) {
    TestLearned *t = test_learned(state);
    enum { ROWS = 3, W = 40, H = 24, CELLS = W * H };
    AqmImage *images[ROWS + 1];
    float keys[ROWS][6], *targets = malloc(ROWS * CELLS * 2 * sizeof *targets);
    for (int i = 0; i <= ROWS; i++)
        images[i] = test_image(160, 120, 3, 10 + (uint64_t)i);
    for (int r = 0; r < ROWS; r++) {
        const AqmImageView a = aqm_image_view(images[r]), b = aqm_image_view(images[r + 1]);
        test_image_key(&a, 3, keys[r]);
        test_image_key(&b, 3, keys[r] + 3);
        for (int k = 0; k < 2 * CELLS; k++)
            targets[r * 2 * CELLS + k] = 0.1f * (float)r + 0.0001f * (float)(k % 977);
    }
    const TestWarps table = {ROWS, W, H, keys[0], targets, NULL, NULL, 0};
    AqmModel *model = test_open_model(t, test_write_dense_table(t->path, &table), AQM_MODEL_DENSE);
    for (int r = 0; r < ROWS; r++) {
        AqmWarp *warp = warp_of(model, images[r], images[r + 1], 0, 0);
        for (int k = 0; k < 2 * CELLS; k++) {
            const double side = k % 2 ? 120.0 : 160.0;
            const double x = (double)targets[r * 2 * CELLS + k];
            assert_true(fabs((double)warp->target[k] - ((x + 1.0) / 2.0 * side - 0.5)) < 1e-4);
        }
        aqm_warp_destroy(&warp);
    }
    for (int i = 0; i <= ROWS; i++)
        aqm_image_destroy(&images[i]);
    free(targets);
    aqm_model_close(&model);
}

static void answers_that_cannot_be_are_refused(void **state) {
    TestLearned *t = test_learned(state);
    enum { CELLS = 4 * 4 };
    static const TestPort inputs[] = {{"img_A", TEST_FLOAT, "1 3 4 4", NULL, NULL},
                                      {"img_B", TEST_FLOAT, "1 3 4 4", NULL, NULL}};
    AqmImage *image = test_image(16, 16, 3, 20);
    const AqmImageView view = aqm_image_view(image);
    float warp[2 * CELLS] = {0}, overlap[CELLS] = {0}, *const values[] = {warp, overlap};
    const struct {
        int which;
        float value;
        const char *shape, *words;
    } faults[] = {{0, NAN, "1 4 4 2", "warp_AB holds nan"},
                  {0, INFINITY, "1 4 4 2", "warp_AB holds inf"},
                  {1, NAN, "1 4 4 2", "overlap_AB holds nan"},
                  {1, 1.5f, "1 4 4 2", "0 to 1 is expected"},
                  {0, 0.0f, "1 2 8 2", "warp_AB is float [1 2 8 2]; expected is float [1 4 4 2]"}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        values[faults[i].which][7] = faults[i].value;
        const TestPort outputs[] = {{"warp_AB", TEST_FLOAT, "1 H W 2", faults[i].shape, warp},
                                    {"overlap_AB", TEST_FLOAT, "1 H W 1", "1 4 4 1", overlap}};
        AqmModel *model = test_open_model(t, test_write_constant(t->path, inputs, 2, outputs, 2),
                                          AQM_MODEL_DENSE);
        AqmWarp *out = NULL;
        AqmDiag diag = {0};
        test_expect(aqm_learned_warp(&out, model, &view, &view, 0, 0, &diag), AQM_ERROR_FORMAT,
                    &diag, faults[i].words);
        assert_null(out);
        values[faults[i].which][7] = 0.0f;
        aqm_model_close(&model);
    }
    aqm_image_destroy(&image);
}

static void arguments_and_memory_are_errors(void **state) {
    TestLearned *t = test_learned(state);
    AqmModel *model =
        test_open_model(t, test_write_dense_formula(t->path, "H", "W", COEFFICIENTS, WEIGHTS, NULL),
                        AQM_MODEL_DENSE);
    AqmImage *image = test_image(32, 32, 3, 21);
    const AqmImageView view = aqm_image_view(image);
    AqmWarp *warp = NULL;
    AqmFeatures *features = NULL;
    AqmDiag diag = {0};
    test_expect(aqm_learned_warp(&warp, model, &view, &view, 0, 32, &diag), AQM_ERROR_ARGUMENT,
                &diag, "0 x 32");
    diag = (AqmDiag){0};
    test_expect(aqm_learned_extract(&features, model, &view, NULL, 10, 0.0, &diag),
                AQM_ERROR_ARGUMENT, &diag, "is a dense matcher; an extractor is wanted");
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        aqm_alloc_fail_from(n);
        status = aqm_learned_warp(&warp, model, &view, &view, 16, 16, NULL);
        aqm_alloc_fail_from(0);
        assert_true((status == AQM_OK) == (warp != NULL));
    }
    assert_int_equal(status, AQM_OK);
    aqm_warp_destroy(&warp);
    aqm_image_destroy(&image);
    aqm_model_close(&model);
}

/* ---- threads --------------------------------------------------------------------------------- */

typedef struct Worker {
    const TestLearned *test;
    const AqmImage *first, *second;
    int threads;
    AqmWarp *warp; /* NULL: failed */
} Worker;

/* A model of its own on the runtime that all share. */
static void *work(void *argument) {
    Worker *w = argument;
    AqmModel *model = NULL;
    const AqmImageView a = aqm_image_view(w->first), b = aqm_image_view(w->second);
    for (int run = 0; run < 3; run++) {
        aqm_warp_destroy(&w->warp);
        if (aqm_model_open(&model, w->test->onnx, w->test->path, w->threads, NULL) != AQM_OK ||
            aqm_learned_warp(&w->warp, model, &a, &b, 64, 48, NULL) != AQM_OK)
            w->warp = NULL;
        aqm_model_close(&model);
    }
    return NULL;
}

static void several_threads_share_one_runtime(void **state) {
    TestLearned *t = test_learned(state);
    enum { WORKERS = 4 };
    pthread_t threads[WORKERS];
    Worker workers[WORKERS];
    AqmImage *first = test_image(90, 60, 3, 30), *second = test_image(90, 60, 3, 31);
    assert_true(test_write_dense_formula(t->path, "H", "W", COEFFICIENTS, WEIGHTS, NULL));
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (Worker){t, first, second, 1 + i % 2, NULL};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        const AqmWarp *warp = workers[i].warp;
        assert_non_null(warp);
        assert_memory_equal(warp->target, workers[0].warp->target, 64 * 48 * 8);
        assert_memory_equal(warp->certainty, workers[0].warp->certainty, 64 * 48 * 4);
    }
    for (int i = 0; i < WORKERS; i++)
        aqm_warp_destroy(&workers[i].warp);
    aqm_image_destroy(&first);
    aqm_image_destroy(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_pixels_are_kept_at_every_size),
        cmocka_unit_test(every_pixel_arrives_in_its_place),
        cmocka_unit_test(making_smaller_moves_nothing),
        cmocka_unit_test(precision_becomes_pixels_of_the_second_image),
        cmocka_unit_test(targets_outside_are_not_known),
        cmocka_unit_test(a_table_knows_its_images),
        cmocka_unit_test(answers_that_cannot_be_are_refused),
        cmocka_unit_test(arguments_and_memory_are_errors),
        cmocka_unit_test(several_threads_share_one_runtime),
    };
    return TEST_LEARNED_RUN(tests);
}
