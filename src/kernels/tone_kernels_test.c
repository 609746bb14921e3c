/* Every variant against the reference, bit for bit, on rows of any length that end with their
 * memory; the reference against its contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/kernels.h"
#include "kernels/tone_kernels.h"
#include "math/rng.h"

enum { N = 77 };
static const float scale = (float)(AQM_GRAY_WHITE / 255.0), unit = 16.0f;

static const AqmToneKernels *variant(int k) {
    return k == 0 ? &aqm_tone_kernels_reference : aqm_tone_kernels(aqm_cpu_features());
}

/* Random bytes in memory of their own, so that a sanitizer sees what is read behind them. */
static uint8_t *random_pixels(AqmRng *rng, size_t n) {
    uint8_t *rgb = malloc(3 * n);
    assert_non_null(rgb);
    for (size_t k = 0; k < 3 * n; k++) /* white and black among them */
        rgb[k] = (uint8_t)fmax(0.0, fmin(255.0, 300.0 * aqm_rng_uniform(rng) - 20.0));
    return rgb;
}

static void variants_give_the_same_bits(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(3, 3);
    for (size_t n = 1; n <= N; n++) {
        uint8_t *rgb = random_pixels(&rng, n);
        int16_t gray[2][N + 1];
        int8_t tint[2][2 * N + 1];
        for (int k = 0; k < 2; k++) {
            gray[k][n] = 77, tint[k][2 * n] = 77;
            variant(k)->gray(rgb, n, scale, gray[k]);
            variant(k)->tint(rgb, gray[0], n, scale / unit, 1.0f / unit, tint[k]);
            assert_true(gray[k][n] == 77 && tint[k][2 * n] == 77);
        }
        assert_memory_equal(gray[0], gray[1], n * sizeof(int16_t));
        assert_memory_equal(tint[0], tint[1], 2 * n);
        free(rgb);
    }
}

/* Rows in memory of their own again, some pixels of which are missing. */
static void halves_are_the_same_bits(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(5, 5);
    for (size_t n = 1; n <= N; n++) {
        int16_t *gray[2], half_gray[2][N + 1];
        int8_t *tint[2], half_tint[2][2 * N + 1];
        for (int row = 0; row < 2; row++) {
            gray[row] = malloc(2 * n * sizeof **gray), tint[row] = malloc(4 * n);
            assert_true(gray[row] && tint[row]);
            for (size_t k = 0; k < 2 * n; k++)
                gray[row][k] = aqm_rng_u32(&rng) % 9 ? (int16_t)(aqm_rng_u32(&rng) % 2048 - 1024)
                                                     : AQM_GRAY_MISSING;
            for (size_t k = 0; k < 4 * n; k++)
                tint[row][k] = (int8_t)(aqm_rng_u32(&rng) % 5 ? aqm_rng_u32(&rng) % 256 : 128);
        }
        for (int k = 0; k < 2; k++) {
            half_gray[k][n] = 77, half_tint[k][2 * n] = 77;
            variant(k)->halve_gray(gray[0], gray[1], n, half_gray[k]);
            variant(k)->halve_tint(tint[0], tint[1], n, half_tint[k]);
            assert_true(half_gray[k][n] == 77 && half_tint[k][2 * n] == 77);
        }
        assert_memory_equal(half_gray[0], half_gray[1], n * sizeof(int16_t));
        assert_memory_equal(half_tint[0], half_tint[1], 2 * n);
        free(gray[0]), free(gray[1]), free(tint[0]), free(tint[1]);
    }
}

static void gray_is_luminance(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(4, 4);
    uint8_t *rgb = random_pixels(&rng, N);
    int16_t gray[N];
    memset(rgb, 0, 3), memset(rgb + 3, 255, 3);
    aqm_tone_kernels_reference.gray(rgb, N, scale, gray);
    assert_int_equal(gray[0], AQM_GRAY_MIN);
    assert_int_equal(gray[1], AQM_GRAY_MAX);
    for (int k = 0; k < N; k++) {
        const uint8_t *p = rgb + 3 * k;
        const double level = (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) * AQM_GRAY_WHITE / 255.0;
        assert_true(fabs(gray[k] + AQM_GRAY_CENTER - level) <= 0.5003);
    }
    /* twice as bright as white is white */
    aqm_tone_kernels_reference.gray(rgb + 3, 1, 2.0f * scale, gray);
    assert_int_equal(gray[0], AQM_GRAY_MAX);
    free(rgb);
}

static void tint_is_color_less_luminance(void **state) {
    (void)state;
    const uint8_t rgb[9] = {200, 100, 50, 90, 90, 90, 0, 0, 255};
    int16_t gray[3];
    int8_t tint[6];
    aqm_tone_kernels_reference.gray(rgb, 3, scale, gray);
    aqm_tone_kernels_reference.tint(rgb, gray, 3, scale / unit, 1.0f / unit, tint);
    for (int k = 0; k < 3; k++) {
        const double level = (gray[k] + AQM_GRAY_CENTER) / 16.0;
        for (int c = 0; c < 2; c++) {
            const double color = rgb[3 * k + (c == 0 ? 2 : 0)] * AQM_GRAY_WHITE / 255.0 / 16.0;
            assert_true(fabs(tint[2 * k + c] - fmax(-128.0, fmin(127.0, color - level))) < 1.0);
        }
    }
    /* of a gray pixel none: what is left is the rounding of the gray value */
    assert_true(tint[2] == 0 && tint[3] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_give_the_same_bits),
        cmocka_unit_test(halves_are_the_same_bits),
        cmocka_unit_test(gray_is_luminance),
        cmocka_unit_test(tint_is_color_less_luminance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
