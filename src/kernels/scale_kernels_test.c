/* Every variant against the reference, bit for bit, on random rows of odd block counts with guards
 * behind them; the reference against its contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/scale_kernels.h"
#include "math/rng.h"

enum { MARGIN = AQM_SCALE_BLOCK, N_MOST = 7 * AQM_SCALE_BLOCK, PITCH = N_MOST + 2 * MARGIN };
enum { ROWS = 2 * AQM_SCALE_RADIUS + 1 };
static const float guard = 12345.0f;

static const AqmScaleKernels *variant(int k) {
    return k == 0 ? &aqm_scale_kernels_reference : aqm_scale_kernels(aqm_cpu_features());
}

static float rows[ROWS][PITCH];

/* `steps` > 0: of that many values only, so that many neighbours are equal. */
static void fill(uint64_t seed, int steps) {
    AqmRng rng = aqm_rng(seed, 3);
    for (int r = 0; r < ROWS; r++)
        for (int x = 0; x < PITCH; x++) {
            const double value = aqm_rng_uniform(&rng) - 0.5;
            rows[r][x] = (float)(steps > 0 ? floor(steps * value) / steps : value);
        }
}

static void blurs_are_the_same_to_the_bit(void **state) {
    (void)state;
    const float *lines[ROWS];
    float weights[AQM_SCALE_RADIUS + 1], out[2][2][N_MOST + 1];
    AqmRng rng = aqm_rng(2, 2);
    for (int i = 0; i <= AQM_SCALE_RADIUS; i++)
        weights[i] = (float)aqm_rng_uniform(&rng);
    fill(1, 0);
    for (int r = 0; r < ROWS; r++)
        lines[r] = rows[r] + MARGIN;
    for (int radius = 0; radius <= AQM_SCALE_RADIUS; radius++)
        for (size_t n = AQM_SCALE_BLOCK; n <= N_MOST; n += AQM_SCALE_BLOCK) {
            for (int k = 0; k < 2; k++) {
                out[k][0][n] = out[k][1][n] = guard;
                variant(k)->blur_down(lines, weights, radius, n, out[k][0]);
                variant(k)->blur_along(lines[5], weights, radius, n, out[k][1]);
                assert_true(out[k][0][n] == guard && out[k][1][n] == guard);
            }
            assert_memory_equal(out[0][0], out[1][0], n * sizeof(float));
            assert_memory_equal(out[0][1], out[1][1], n * sizeof(float));
        }
}

static void a_blur_is_the_sum_of_its_contract(void **state) {
    (void)state;
    const float *lines[5], weights[3] = {0.5f, 0.2f, 0.05f};
    float out[AQM_SCALE_BLOCK];
    fill(4, 0);
    for (int r = 0; r < 5; r++)
        lines[r] = rows[r] + MARGIN;
    aqm_scale_kernels_reference.blur_down(lines, weights, 2, AQM_SCALE_BLOCK, out);
    for (int x = 0; x < AQM_SCALE_BLOCK; x++) {
        const double sum = 0.5 * (double)lines[2][x] +
                           0.2 * ((double)lines[1][x] + (double)lines[3][x]) +
                           0.05 * ((double)lines[0][x] + (double)lines[4][x]);
        assert_true(fabs((double)out[x] - sum) < 1e-6);
    }
    aqm_scale_kernels_reference.blur_along(lines[0], weights, 2, AQM_SCALE_BLOCK, out);
    for (int x = 0; x < AQM_SCALE_BLOCK; x++) {
        const float *at = lines[0] + x;
        const double sum = 0.5 * (double)at[0] + 0.2 * ((double)at[-1] + (double)at[1]) +
                           0.05 * ((double)at[-2] + (double)at[2]);
        assert_true(fabs((double)out[x] - sum) < 1e-6);
    }
}

static bool is_extremum(const float *const lines[9], float threshold, ptrdiff_t x) {
    const float value = lines[4][x];
    bool most = value > threshold, least = value < -threshold;
    for (int k = 0; k < 27; k++) {
        most = most && value >= lines[k / 3][x + k % 3 - 1];
        least = least && value <= lines[k / 3][x + k % 3 - 1];
    }
    return most || least;
}

static void extrema_are_those_of_the_contract(void **state) {
    (void)state;
    const float *lines[9];
    size_t found = 0;
    for (int r = 0; r < 9; r++)
        lines[r] = rows[r] + MARGIN;
    for (int round = 0; round < 200; round++) {
        fill((uint64_t)round, round % 2 ? 3 : 0);
        const size_t n = AQM_SCALE_BLOCK * (1 + (size_t)round % 7);
        for (int k = 0; k < 2; k++) {
            uint8_t hits[N_MOST / 8 + 1];
            hits[n / 8] = 77;
            variant(k)->extrema(lines, 0.1f, n, hits);
            assert_int_equal(hits[n / 8], 77);
            for (size_t x = 0; x < n; x++) {
                const bool hit = hits[x / 8] >> x % 8 & 1;
                assert_int_equal(hit, is_extremum(lines, 0.1f, (ptrdiff_t)x));
                found += hit;
            }
        }
    }
    assert_true(found > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blurs_are_the_same_to_the_bit),
        cmocka_unit_test(a_blur_is_the_sum_of_its_contract),
        cmocka_unit_test(extrema_are_those_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
