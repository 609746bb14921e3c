#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/remap_kernels.h"
#include "math/rng.h"

enum { W = 37, H = 23, N = 200 };

static const AqmRemapKernels *variant(int k) {
    return k == 0 ? &aqm_remap_kernels_reference : aqm_remap_kernels(aqm_cpu_features());
}

static void check_positions(const AqmRemapLens *curve) {
    double u[2][N], v[2][N];
    for (int k = 0; k < 2; k++)
        variant(k)->pinhole(curve, -0.9, 0.009, 0.3, N, u[k], v[k]);
    assert_memory_equal(u[0], u[1], sizeof u[0]);
    assert_memory_equal(v[0], v[1], sizeof v[0]);
    for (int i = 0; i < N; i++) {
        const double x = -0.9 + 0.009 * i, y = 0.3, q = x * x + y * y, *c = curve->k;
        const double a = (1 + c[0] * q + c[1] * q * q + c[4] * q * q * q) /
                         (1 + c[5] * q + c[6] * q * q + c[7] * q * q * q);
        const double xd = a * x + 2 * c[2] * x * y + c[3] * (q + 2 * x * x);
        const double yd = a * y + c[2] * (q + 2 * y * y) + 2 * c[3] * x * y;
        assert_true(q > 0.5 ? isnan(u[0][i]) : fabs(u[0][i] - (800 * xd + 640)) < 1e-9);
        assert_true(fabs(v[0][i] - (801 * yd + 480)) < 1e-9);
    }
}

/* With and without each part of the denominator. */
static void positions_follow_the_polynomial(void **state) {
    (void)state;
    for (int part = 0; part < 8; part++) {
        const AqmRemapLens curve = {{-0.2, 0.05, 1e-3, -2e-3, 0.01, part & 1 ? 0.02 : 0.0,
                                     part & 2 ? -0.01 : 0.0, part & 4 ? 0.003 : 0.0},
                                    800.0,
                                    640.0,
                                    801.0,
                                    480.0,
                                    0.5};
        check_positions(&curve);
    }
}

static void footprints_are_rounded_and_inside(void **state) {
    (void)state;
    static const double odd[] = {NAN,     INFINITY, -INFINITY,    1e300,   -1e300,     -1.0, -1e-9,
                                 -0.0003, W - 1,    W - 1 + 1e-5, W - 0.9, 65535.9999, 0.0};
    double u[N], v[N];
    int32_t out[2][2][N];
    AqmRng rng = aqm_rng(1, 1);
    for (int i = 0; i < N; i++) {
        u[i] = i < 13 ? odd[i] : (W + 2) * aqm_rng_uniform(&rng) - 1.5;
        v[i] = i < 13 ? 5.0 : (H + 2) * aqm_rng_uniform(&rng) - 1.5;
    }
    for (int k = 0; k < 2; k++) {
        const AqmFootprints at = {out[k][0], out[k][1]};
        variant(k)->footprints(u, v, N, W, H, &at);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    for (int i = 0; i < N; i++) {
        const double fine_u = floor(u[i] * 2048.0 + 0.5), fine_v = floor(v[i] * 2048.0 + 0.5);
        const int whole =
            fine_u >= 0 && fine_v >= 0 && fine_u <= (W - 1) * 2048.0 && fine_v <= (H - 1) * 2048.0;
        assert_int_equal(out[0][0][i] >= 0, whole);
        if (whole)
            assert_true(out[0][0][i] == fine_u && out[0][1][i] == fine_v);
    }
}

/* ---- between knots --------------------------------------------------------------------------- */

enum { CELLS = AQM_REMAP_CELLS_MAX, KNOTS = CELLS + 5, PIXELS = CELLS * AQM_REMAP_CELL };
static const AqmRemapLens lens = {
    {-0.3, 0.1, 1e-3, -2e-3, 0.01, 0.0, 0.0, 0.0}, 700.0, 260.0, 705.0, 200.0, 1.0};

typedef struct Knots {
    double u[KNOTS], v[KNOTS];
} Knots;

typedef struct Between {
    bool is_good;
    int32_t u[PIXELS], v[PIXELS];
} Between;

/* Of a row at y of the plane Z = 1 that begins at x = -0.36, 1 / 700 a pixel. */
static Knots knots_at(double y) {
    const double step = AQM_REMAP_CELL / 700.0;
    Knots knots;
    aqm_remap_kernels_reference.pinhole(&lens, -0.36 - 2.0 * step, step, y, KNOTS, knots.u,
                                        knots.v);
    return knots;
}

/* By both variants, which must agree. */
static Between between(const Knots *knots, size_t cells, int32_t width, int32_t height) {
    static Between results[2];
    for (int k = 0; k < 2; k++) {
        memset(&results[k], 7, sizeof results[k]);
        const AqmFootprints at = {results[k].u, results[k].v};
        results[k].is_good = variant(k)->between(knots->u, knots->v, cells, width, height, &at);
    }
    assert_int_equal(results[0].is_good, results[1].is_good);
    if (results[0].is_good) {
        assert_memory_equal(results[0].u, results[1].u, sizeof results[0].u);
        assert_memory_equal(results[0].v, results[1].v, sizeof results[0].v);
    }
    return results[0];
}

/* Exact positions, rounded, differ by what the cubic is off: 1e-4 px. */
static void positions_between_knots_are_near_the_exact_ones(void **state) {
    (void)state;
    size_t inside = 0, outside = 0;
    for (int row = 0; row < 40; row++) {
        const double y = (row - 20) / 70.0;
        const Knots knots = knots_at(y);
        const Between got = between(&knots, CELLS, 440, 330);
        double u[PIXELS], v[PIXELS];
        aqm_remap_kernels_reference.pinhole(&lens, -0.36, 1.0 / 700.0, y, PIXELS, u, v);
        assert_true(got.is_good);
        for (int i = 0; i < PIXELS; i++) {
            const double edge = fmin(fmin(u[i], 439 - u[i]), fmin(v[i], 329 - v[i]));
            if (fabs(edge) > 1e-3)
                assert_int_equal(got.u[i] >= 0, edge > 0.0);
            assert_true(fabs(got.v[i] / 2048.0 - v[i]) < 0.5 / 2048.0 + 1e-4);
            inside += got.u[i] >= 0;
            outside += got.u[i] < 0;
            if (got.u[i] >= 0)
                assert_true(fabs(got.u[i] / 2048.0 - u[i]) < 0.5 / 2048.0 + 1e-4);
        }
    }
    assert_true(inside > 5000 && outside > 5000);
}

static void few_cells_are_written_alone(void **state) {
    (void)state;
    const Knots knots = knots_at(0.1);
    const Between one = between(&knots, 1, 800, 600), all = between(&knots, CELLS, 800, 600);
    assert_true(one.is_good && all.is_good);
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(one.v[i], i < AQM_REMAP_CELL ? all.v[i] : 0x07070707);
}

static void what_a_cubic_cannot_follow_is_refused(void **state) {
    (void)state;
    const double wild[] = {NAN, INFINITY, -INFINITY, 1e9, -2e5};
    const Knots good = knots_at(0.1);
    for (int at = 0; at < KNOTS; at++)
        for (int k = 0; k < 6; k++) {
            Knots bad = good;
            double *p = k % 2 ? bad.u : bad.v;
            p[at] = k < 5 ? wild[k] : p[at] + 2.0 / 256.0; /* less the lens's own, at most 1 */
            assert_false(between(&bad, CELLS, 800, 600).is_good);
        }
    /* far away, or far apart, though straight */
    Knots far = good, apart = good;
    for (int at = 0; at < KNOTS; at++) {
        far.u[at] = 1e5 + at;
        apart.v[at] = 65.0 * at;
    }
    assert_false(between(&far, CELLS, 800, 600).is_good);
    assert_false(between(&apart, CELLS, 800, 600).is_good);
}

/* The image ends where its block of memory does: reading beyond is found by the sanitizer. */
static void samples_are_bilinear(void **state) {
    (void)state;
    const size_t size = (size_t)W * H * 3;
    uint8_t *data = malloc(size), out[2][3 * N];
    assert_non_null(data);
    AqmRng rng = aqm_rng(2, 2);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(aqm_rng_u32(&rng) % 3 ? aqm_rng_u32(&rng) : 255);
    const AqmRemapImage image = {data, 3 * W, size, W, H};
    for (int trial = 0; trial < 50; trial++) {
        double u[N], v[N];
        int32_t fine_u[N], fine_v[N];
        const AqmFootprints at = {fine_u, fine_v};
        for (int i = 0; i < N; i++) {
            u[i] = fmin(W * aqm_rng_uniform(&rng), W - 1),
            v[i] = fmin(H * aqm_rng_uniform(&rng), H - 1);
            u[i] = i % 40 == 0 ? -3.0 : u[i];
        }
        variant(0)->footprints(u, v, N, W, H, &at);
        memset(out, 7, sizeof out);
        for (int k = 0; k < 2; k++)
            variant(k)->sample3(&image, &at, N, out[k]);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        for (int i = 0; i < 3 * N; i++) {
            const int p = i / 3, c = i % 3, x = fine_u[p] >> 11, y = fine_v[p] >> 11;
            if (fine_u[p] < 0) {
                assert_int_equal(out[0][i], 7);
                continue;
            }
            const int x1 = x + 1 < W ? x + 1 : x, y1 = y + 1 < H ? y + 1 : y;
            const double a = fine_u[p] % 2048 / 2048.0, b = fine_v[p] % 2048 / 2048.0;
            const double value =
                (1 - b) * ((1 - a) * data[3 * (y * W + x) + c] + a * data[3 * (y * W + x1) + c]) +
                b * ((1 - a) * data[3 * (y1 * W + x) + c] + a * data[3 * (y1 * W + x1) + c]);
            assert_int_equal(out[0][i], (int)floor(value + 0.5));
        }
    }
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_follow_the_polynomial),
        cmocka_unit_test(footprints_are_rounded_and_inside),
        cmocka_unit_test(positions_between_knots_are_near_the_exact_ones),
        cmocka_unit_test(few_cells_are_written_alone),
        cmocka_unit_test(what_a_cubic_cannot_follow_is_refused),
        cmocka_unit_test(samples_are_bilinear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
