/* Every variant against the reference, bit for bit, on patches of odd sizes with guards behind
 * them; the reference against its contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/patch_kernels.h"
#include "math/rng.h"

enum { WIDTH = 67, HEIGHT = 53, SIDE_MOST = 24, VALUES = SIDE_MOST * SIDE_MOST };
static const float guard = 12345.0f;
static const double tau = 6.283185307179586;

static const AqmPatchKernels *variant(int k) {
    return k == 0 ? &aqm_patch_kernels_reference : aqm_patch_kernels(aqm_cpu_features());
}

static double between(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

/* ---- bilinear -------------------------------------------------------------------------------- */

static float level[HEIGHT][WIDTH];

static void fill_level(void) {
    AqmRng rng = aqm_rng(1, 1);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            level[y][x] = (float)between(&rng, -1.0, 1.0);
}

/* Turned by `angle` about the middle of the level, as large as fits. */
static AqmPatchGrid turned_grid(double angle, int side) {
    const double step = 25.0 / (fabs(cos(angle)) + fabs(sin(angle))) / (side > 1 ? side - 1 : 1);
    const double c = step * cos(angle), s = step * sin(angle), half = 0.5 * (side - 1);
    return (AqmPatchGrid){.x = (float)(0.5 * WIDTH - half * (c - s)),
                          .y = (float)(0.5 * HEIGHT - half * (c + s)),
                          .dx = (float)c,
                          .dy = (float)s,
                          .side = side};
}

static void grids_are_the_same_to_the_bit(void **state) {
    (void)state;
    float out[2][VALUES + 1];
    fill_level();
    for (int side = 1; side <= SIDE_MOST; side++)
        for (double angle = 0.0; angle < tau; angle += 0.37) {
            const AqmPatchGrid grid = turned_grid(angle, side);
            const int n = side * side;
            for (int k = 0; k < 2; k++) {
                out[k][n] = guard;
                variant(k)->grid(level[0], WIDTH, &grid, out[k]);
                assert_true(out[k][n] == guard);
            }
            assert_memory_equal(out[0], out[1], (size_t)n * sizeof(float));
        }
}

/* A plane is sampled without an error. */
static void a_grid_lies_where_it_is_said_to(void **state) {
    (void)state;
    enum { SIDE = 9 };
    float out[SIDE * SIDE];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            level[y][x] = (float)(3 * x - 2 * y);
    const AqmPatchGrid grid = turned_grid(0.4, SIDE);
    aqm_patch_kernels_reference.grid(level[0], WIDTH, &grid, out);
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++) {
            const double dx = (double)grid.dx, dy = (double)grid.dy;
            const double x = (double)grid.x + i * dx - j * dy, y = (double)grid.y + i * dy + j * dx;
            assert_true(fabs((double)out[j * SIDE + i] - (3.0 * x - 2.0 * y)) < 1e-4);
        }
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void gradients_are_the_same_to_the_bit(void **state) {
    (void)state;
    float patch[VALUES], size[2][VALUES + 1], turn[2][VALUES + 1];
    AqmRng rng = aqm_rng(5, 1);
    for (int k = 0; k < VALUES; k++) /* with many gradients of 0 and along an axis */
        patch[k] = (float)floor(between(&rng, 0.0, k < VALUES / 2 ? 3.0 : 1000.0));
    for (size_t pitch = 3; pitch <= SIDE_MOST; pitch++) {
        const size_t n = pitch * pitch - 2 * pitch - 2;
        for (int k = 0; k < 2; k++) {
            size[k][n] = turn[k][n] = guard;
            variant(k)->gradients(patch + pitch + 1, pitch, n, size[k], turn[k]);
            assert_true(size[k][n] == guard && turn[k][n] == guard);
        }
        assert_memory_equal(size[0], size[1], n * sizeof(float));
        assert_memory_equal(turn[0], turn[1], n * sizeof(float));
    }
}

static void gradients_have_size_and_direction(void **state) {
    (void)state;
    for (int k = 0; k < 1000; k++) {
        const double angle = tau * k / 1000, length = 0.25 + 0.01 * k;
        const float x = (float)(0.5 * length * cos(angle)), y = (float)(0.5 * length * sin(angle));
        const float patch[9] = {0, -y, 0, -x, 0, x, 0, y, 0};
        float size, turn;
        aqm_patch_kernels_reference.gradients(patch + 4, 3, 1, &size, &turn);
        assert_true(fabs((double)size - length) < 1e-5 * length);
        assert_true(turn >= 0.0f && turn <= 1.0f);
        assert_true(fabs(remainder((double)turn - angle / tau, 1.0)) < 2e-4);
    }
    const float flat[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float size = guard, turn = guard;
    aqm_patch_kernels_reference.gradients(flat + 4, 3, 1, &size, &turn);
    assert_true(size == 0.0f && turn == 0.0f);
}

/* ---- cubic ----------------------------------------------------------------------------------- */

static uint8_t image[HEIGHT][WIDTH];

static void places(AqmRng *rng, size_t n, double reach, float *right, float *down) {
    for (size_t k = 0; k < n; k++) {
        right[k] = (float)between(rng, -reach, reach);
        down[k] = (float)between(rng, -reach, reach);
    }
}

static void cubic_samples_are_the_same_to_the_bit(void **state) {
    (void)state;
    float right[VALUES], down[VALUES], out[2][VALUES + 1];
    AqmRng rng = aqm_rng(8, 1);
    for (int k = 0; k < WIDTH * HEIGHT; k++)
        image[k / WIDTH][k % WIDTH] = (uint8_t)between(&rng, 0.0, 256.0);
    places(&rng, VALUES, 1.0, right, down);
    right[0] = down[0] = 0.0f;
    for (size_t n = AQM_PATCH_BLOCK; n <= 5 * AQM_PATCH_BLOCK; n += AQM_PATCH_BLOCK) {
        const double a = between(&rng, 0.0, tau), c = 16.0 * cos(a), s = 16.0 * sin(a);
        const AqmPatchPlace place = {.x = (float)between(&rng, 0.0, 1.0),
                                     .y = n == AQM_PATCH_BLOCK ? 0.0f : 0.999f,
                                     .M = {(float)c, (float)-s, (float)s, (float)c}};
        for (int k = 0; k < 2; k++) {
            out[k][n] = guard;
            variant(k)->cubic(&image[25][33], WIDTH, &place, right, down, n, out[k]);
            assert_true(out[k][n] == guard);
        }
        assert_memory_equal(out[0], out[1], n * sizeof(float));
    }
}

/* Keys' cubic gives every parabola back. */
static void a_parabola_is_sampled_exactly(void **state) {
    (void)state;
    enum { N = 2 * AQM_PATCH_BLOCK, SIZE = 15, MIDDLE = 7 };
    uint8_t bowl[SIZE][SIZE];
    float right[N], down[N], out[N];
    AqmRng rng = aqm_rng(9, 1);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++)
            bowl[y][x] = (uint8_t)(2 * (x - MIDDLE) * (x - MIDDLE) + (y - 4) * (y - 4));
    places(&rng, N, 2.0, right, down);
    const AqmPatchPlace place = {.x = 0.25f, .y = 0.75f, .M = {1.5f, 0.5f, -0.5f, 2.0f}};
    aqm_patch_kernels_reference.cubic(&bowl[MIDDLE][MIDDLE], SIZE, &place, right, down, N, out);
    for (int k = 0; k < N; k++) {
        const double r = (double)right[k], d = (double)down[k];
        const double x = 0.25 + 1.5 * r + 0.5 * d, y = MIDDLE + 0.75 - 0.5 * r + 2.0 * d;
        assert_true(fabs((double)out[k] - (2.0 * x * x + (y - 4.0) * (y - 4.0))) < 1e-4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_are_the_same_to_the_bit),
        cmocka_unit_test(a_grid_lies_where_it_is_said_to),
        cmocka_unit_test(gradients_are_the_same_to_the_bit),
        cmocka_unit_test(gradients_have_size_and_direction),
        cmocka_unit_test(cubic_samples_are_the_same_to_the_bit),
        cmocka_unit_test(a_parabola_is_sampled_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
