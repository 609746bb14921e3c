#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "aquamvs/undistort.h"
#include "base/alloc.h"
#include "math/rng.h"

enum { WIDTH = 611, HEIGHT = 403 };

static AqmCamera camera_with(AqmLens lens, const double *k, int count) {
    AqmCamera camera = {.name = "east",
                        .width = WIDTH,
                        .height = HEIGHT,
                        .K = {520, 0, 309, 0, 515, 198, 0, 0, 1},
                        .lens = lens};
    for (int i = 0; i < count; i++)
        camera.distortion[i] = k[i];
    return camera;
}

static const double BROWN5[] = {-0.2, 0.07, 0.001, -0.002, -0.015};
static const double RATIONAL8[] = {0.4, -0.1, 0.0005, 0.0004, 0.02, 0.7, -0.05, 0.03};
static const double FISHEYE4[] = {-0.02, 0.01, -0.004, 0.0008};

static double sample_of(const AqmImage *image, int x, int y, int c) {
    const char *row = (const char *)image->data + (size_t)y * image->stride;
    const int i = x * image->channels + c;
    return image->type == AQM_U8 ? ((const uint8_t *)row)[i] : ((const uint16_t *)row)[i];
}

static AqmImage *noise_image(int channels, AqmSampleType type) {
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, channels, type, NULL), AQM_OK);
    AqmRng rng = aqm_rng(5, (uint64_t)channels);
    uint8_t *bytes = image->data;
    for (size_t i = 0; i < image->stride * HEIGHT; i++)
        bytes[i] = (uint8_t)aqm_rng_u32(&rng);
    return image;
}

/* Compares every pixel with the definition: bilinear in double at aqm_raw_from_undistorted. */
static void check_against_definition(const AqmCamera *camera, const double K_new[9],
                                     const AqmImage *raw, const AqmImage *got,
                                     const AqmImage *mask) {
    const double range = raw->type == AQM_U8 ? 255.0 : 65535.0;
    size_t inside = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            double u, v;
            aqm_raw_from_undistorted(camera, K_new, x, y, &u, &v);
            const double edge = fmin(fmin(u, v), fmin(WIDTH - 1 - u, HEIGHT - 1 - v));
            const bool kept = sample_of(mask, x, y, 0) == 255.0;
            if (fabs(edge) > 1e-3)
                assert_int_equal(kept, edge > 0);
            if (edge < -1e-3)
                for (int c = 0; c < raw->channels; c++)
                    assert_true(sample_of(got, x, y, c) == 0.0);
            if (edge < 1e-3)
                continue;
            inside++;
            const int x0 = (int)u, y0 = (int)v;
            const double a = u - x0, b = v - y0;
            for (int c = 0; c < raw->channels; c++) {
                const double want = (1 - b) * ((1 - a) * sample_of(raw, x0, y0, c) +
                                               a * sample_of(raw, x0 + 1, y0, c)) +
                                    b * ((1 - a) * sample_of(raw, x0, y0 + 1, c) +
                                         a * sample_of(raw, x0 + 1, y0 + 1, c));
                /* rounding, and half a step of 1/2048 px and 1e-4 px between knots on each axis
                 * over full contrast */
                assert_true(fabs(sample_of(got, x, y, c) - want) <
                            0.501 + range * (1.0 / 2048.0 + 2e-4));
            }
        }
    assert_true(inside > (size_t)WIDTH * HEIGHT / 4);
}

static void images_are_the_bilinear_remap(void **state) {
    (void)state;
    const AqmCamera cameras[] = {
        camera_with(AQM_LENS_PINHOLE, BROWN5, 5), camera_with(AQM_LENS_PINHOLE, RATIONAL8, 8),
        camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4), camera_with(AQM_LENS_PINHOLE, NULL, 0)};
    /* the usual matrix, and a wide one that shows what lies beyond the raw image */
    const double wide[9] = {380, 0, 290.4, 0, 375, 205.1, 0, 0, 1};
    for (int i = 0; i < 8; i++) {
        double K_new[9];
        const AqmCamera *camera = &cameras[i / 2];
        assert_int_equal(aqm_new_camera_matrix(camera, K_new, NULL), AQM_OK);
        if (i % 2)
            memcpy(K_new, wide, sizeof wide);
        AqmImage *raw = noise_image(i % 4 < 2 ? 3 : 1, i < 4 ? AQM_U8 : AQM_U16);
        AqmImage *got = NULL, *mask = NULL;
        const AqmImageView view = aqm_image_view(raw);
        assert_int_equal(aqm_undistort_image(camera, K_new, &view, 2, &got, NULL), AQM_OK);
        assert_int_equal(aqm_undistort_mask(camera, K_new, NULL, 2, &mask, NULL), AQM_OK);
        assert_int_equal(got->channels, raw->channels);
        assert_int_equal(got->type, raw->type);
        check_against_definition(camera, K_new, raw, got, mask);
        aqm_image_destroy(&raw);
        aqm_image_destroy(&got);
        aqm_image_destroy(&mask);
    }
}

/* A ramp along u and v is reproduced where the lookup says, on average far below a grey level: a
 * half-pixel slip would show as 32 of its levels. */
static void a_ramp_shows_no_shift(void **state) {
    (void)state;
    const AqmCamera camera = camera_with(AQM_LENS_PINHOLE, BROWN5, 5);
    double K_new[9], sum = 0.0, worst = 0.0;
    size_t count = 0;
    assert_int_equal(aqm_new_camera_matrix(&camera, K_new, NULL), AQM_OK);
    AqmImage *raw = NULL, *got = NULL;
    assert_int_equal(aqm_image_create(&raw, WIDTH, HEIGHT, 1, AQM_U16, NULL), AQM_OK);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            ((uint16_t *)raw->data)[y * WIDTH + x] = (uint16_t)(64 * x + 32 * y);
    const AqmImageView view = aqm_image_view(raw);
    assert_int_equal(aqm_undistort_image(&camera, K_new, &view, 1, &got, NULL), AQM_OK);
    for (int y = 1; y < HEIGHT - 1; y++)
        for (int x = 1; x < WIDTH - 1; x++) {
            double u, v;
            aqm_raw_from_undistorted(&camera, K_new, x, y, &u, &v);
            if (u < 0 || v < 0 || u > WIDTH - 1 || v > HEIGHT - 1)
                continue;
            const double error = sample_of(got, x, y, 0) - (64 * u + 32 * v);
            sum += error;
            worst = fmax(worst, fabs(error));
            count++;
        }
    assert_true(count > (size_t)WIDTH * HEIGHT * 9 / 10);
    assert_true(fabs(sum / (double)count) < 0.01 && worst < 0.6);
    aqm_image_destroy(&raw);
    aqm_image_destroy(&got);
}

static void an_ideal_lens_copies_the_image(void **state) {
    (void)state;
    const AqmCamera camera = camera_with(AQM_LENS_PINHOLE, NULL, 0);
    for (int type = 1; type <= 2; type++) {
        AqmImage *raw = noise_image(3, (AqmSampleType)type), *got = NULL, *mask = NULL;
        const AqmImageView view = aqm_image_view(raw);
        assert_int_equal(aqm_undistort_image(&camera, camera.K, &view, 2, &got, NULL), AQM_OK);
        assert_memory_equal(got->data, raw->data, raw->stride * HEIGHT);
        assert_int_equal(aqm_undistort_mask(&camera, camera.K, NULL, 2, &mask, NULL), AQM_OK);
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            assert_int_equal(((uint8_t *)mask->data)[i], 255);
        aqm_image_destroy(&raw);
        aqm_image_destroy(&got);
        aqm_image_destroy(&mask);
    }
}

static void a_mask_is_one_of_the_undistorted_image(void **state) {
    (void)state;
    const AqmCamera camera = camera_with(AQM_LENS_PINHOLE, BROWN5, 5);
    /* wide: the rim shows nothing, whatever the mask says */
    const double K_new[9] = {380, 0, 290.4, 0, 375, 205.1, 0, 0, 1};
    AqmImage *keep = NULL, *mask = NULL, *all = NULL;
    assert_int_equal(aqm_image_create(&keep, WIDTH, HEIGHT, 3, AQM_U16, NULL), AQM_OK);
    uint16_t *samples = keep->data;
    for (int y = 0; y < 300; y++) /* any nonzero sample keeps */
        for (int x = 0; x < 400; x++)
            samples[3 * (y * WIDTH + x) + (x + y) % 3] = (uint16_t)(x % 2 ? 1 : 256);
    const AqmImageView view = aqm_image_view(keep);
    assert_int_equal(aqm_undistort_mask(&camera, K_new, &view, 2, &mask, NULL), AQM_OK);
    assert_int_equal(aqm_undistort_mask(&camera, K_new, NULL, 1, &all, NULL), AQM_OK);
    size_t kept = 0, dark = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const double valid = sample_of(all, x, y, 0);
            assert_true(sample_of(mask, x, y, 0) == (x < 400 && y < 300 ? valid : 0.0));
            kept += x < 400 && y < 300 && valid == 255.0;
            dark += x < 400 && y < 300 && valid == 0.0;
        }
    assert_true(kept > 10000 && dark > 1000);
    aqm_image_destroy(&keep);
    aqm_image_destroy(&mask);
    aqm_image_destroy(&all);
}

/* r - r^3/3 turns at r = 1; at r = 1.5 it is back inside the image. */
static void a_lens_that_folds_shows_nothing_twice(void **state) {
    (void)state;
    const double k[] = {-1.0 / 3.0};
    const AqmCamera camera = camera_with(AQM_LENS_PINHOLE, k, 1);
    const double K_new[9] = {150, 0, 305, 0, 150, 200, 0, 0, 1};
    AqmImage *raw = noise_image(1, AQM_U8), *got = NULL, *mask = NULL;
    const AqmImageView view = aqm_image_view(raw);
    assert_int_equal(aqm_undistort_image(&camera, K_new, &view, 2, &got, NULL), AQM_OK);
    assert_int_equal(aqm_undistort_mask(&camera, K_new, NULL, 2, &mask, NULL), AQM_OK);
    double u, v;
    aqm_raw_from_undistorted(&camera, K_new, 305 + 225, 200, &u, &v);
    assert_true(u > 0 && u < WIDTH && v > 0 && v < HEIGHT);
    for (int x = 305; x < WIDTH; x++) {
        const bool seen = x <= 305 + 150 && sample_of(mask, x, 200, 0) == 255.0;
        assert_int_equal(sample_of(mask, x, 200, 0), seen ? 255 : 0);
        assert_true(seen || sample_of(got, x, 200, 0) == 0.0);
        assert_true(seen || x > 305 + 50);
    }
    aqm_image_destroy(&raw);
    aqm_image_destroy(&got);
    aqm_image_destroy(&mask);
}

static void padded_rows_and_any_thread_count_give_the_same_bytes(void **state) {
    (void)state;
    const AqmCamera camera = camera_with(AQM_LENS_FISHEYE, FISHEYE4, 4);
    double K_new[9];
    assert_int_equal(aqm_new_camera_matrix(&camera, K_new, NULL), AQM_OK);
    AqmImage *raw = noise_image(3, AQM_U8), *one = NULL, *many = NULL;
    AqmImageView view = aqm_image_view(raw);
    assert_int_equal(aqm_undistort_image(&camera, K_new, &view, 1, &one, NULL), AQM_OK);
    char *padded = aqm_calloc(HEIGHT, raw->stride + 13);
    assert_non_null(padded);
    for (size_t y = 0; y < HEIGHT; y++)
        memcpy(padded + y * (raw->stride + 13), (char *)raw->data + y * raw->stride, raw->stride);
    view.data = padded;
    view.stride += 13;
    assert_int_equal(aqm_undistort_image(&camera, K_new, &view, 4, &many, NULL), AQM_OK);
    assert_memory_equal(one->data, many->data, one->stride * HEIGHT);
    aqm_free(padded);
    aqm_image_destroy(&raw);
    aqm_image_destroy(&one);
    aqm_image_destroy(&many);
}

static void wrong_sizes_and_lack_of_memory_are_refused(void **state) {
    (void)state;
    AqmCamera camera = camera_with(AQM_LENS_PINHOLE, BROWN5, 5);
    AqmImage *raw = noise_image(1, AQM_U8), *out = NULL;
    const AqmImageView view = aqm_image_view(raw);
    const size_t before = aqm_alloc_count().live_bytes;
    aqm_alloc_fail_from(1);
    assert_int_equal(aqm_undistort_image(&camera, camera.K, &view, 1, &out, NULL),
                     AQM_ERROR_MEMORY);
    assert_int_equal(aqm_undistort_mask(&camera, camera.K, &view, 1, &out, NULL), AQM_ERROR_MEMORY);
    aqm_alloc_fail_from(0);
    camera.width++;
    AqmDiag diag = {0};
    assert_int_equal(aqm_undistort_image(&camera, camera.K, &view, 1, &out, &diag),
                     AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "camera east"));
    assert_non_null(strstr(diag.message, "612 x 403"));
    assert_int_equal(aqm_undistort_mask(&camera, camera.K, &view, 1, &out, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_null(out);
    assert_int_equal(aqm_alloc_count().live_bytes, before);
    aqm_image_destroy(&raw);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_the_bilinear_remap),
        cmocka_unit_test(a_ramp_shows_no_shift),
        cmocka_unit_test(an_ideal_lens_copies_the_image),
        cmocka_unit_test(a_mask_is_one_of_the_undistorted_image),
        cmocka_unit_test(a_lens_that_folds_shows_nothing_twice),
        cmocka_unit_test(padded_rows_and_any_thread_count_give_the_same_bytes),
        cmocka_unit_test(wrong_sizes_and_lack_of_memory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
