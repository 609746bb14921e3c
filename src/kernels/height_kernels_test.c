#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/deviation_code.h"
#include "kernels/height_kernels.h"
#include "math/rng.h"

enum { MAX = 256, ROOM = MAX + 16 };

typedef struct Window {
    float x[ROOM], y[ROOM], z[ROOM], base[ROOM], robust[ROOM], error[ROOM];
    uint32_t color[ROOM];
    AqmHeightWindow view;
} Window;

static const AqmHeightKernels *variant(int k) {
    return k == 0 ? &aqm_height_kernels_reference : aqm_height_kernels(aqm_cpu_features());
}

static void prepare(Window *w) {
    memset(w, 0, sizeof *w);
    w->view = (AqmHeightWindow){0, w->x, w->y, w->z, w->base, w->robust, w->error, w->color};
}

static float coordinate[4][ROOM];
static uint32_t color[ROOM];

static AqmHeightPoints random_points(AqmRng *rng) {
    for (int i = 0; i < ROOM; i++) {
        coordinate[0][i] = (float)(0.02 * aqm_rng_uniform(rng));
        coordinate[1][i] = (float)(0.02 * aqm_rng_uniform(rng));
        coordinate[2][i] = (float)(0.001 * aqm_rng_normal(rng));
        coordinate[2][i] += aqm_rng_uniform(rng) < 0.1 ? 0.05f : 0.0f;
        coordinate[3][i] = (float)(0.05 + 0.9 * aqm_rng_uniform(rng));
        color[i] = aqm_rng_u32(rng);
    }
    return (AqmHeightPoints){coordinate[0], coordinate[1], coordinate[2], coordinate[3], color};
}

static void finish(Window *w) {
    memset(w->base + w->view.count, 0, 8 * sizeof(float));
    memset(w->z + w->view.count, 0, 8 * sizeof(float));
}

static void windows_hold_the_points_within_the_radius(void **state) {
    (void)state;
    static Window windows[2];
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 300; trial++) {
        const AqmHeightPoints points = random_points(&rng);
        const size_t first = aqm_rng_u32(&rng) % 20, middle = first + aqm_rng_u32(&rng) % 50;
        const size_t end = middle + aqm_rng_u32(&rng) % (MAX - middle);
        for (int v = 0; v < 2; v++) {
            prepare(&windows[v]);
            variant(v)->collect(&points, first, middle, 0.011f, 0.009f, 200.0f, &windows[v].view);
            variant(v)->collect(&points, middle, end, 0.011f, 0.009f, 200.0f, &windows[v].view);
        }
        const size_t count = windows[0].view.count;
        assert_int_equal(count, windows[1].view.count);
        assert_memory_equal(windows[0].x, windows[1].x, count * sizeof(float));
        assert_memory_equal(windows[0].y, windows[1].y, count * sizeof(float));
        assert_memory_equal(windows[0].z, windows[1].z, count * sizeof(float));
        assert_memory_equal(windows[0].base, windows[1].base, count * sizeof(float));
        assert_memory_equal(windows[0].color, windows[1].color, count * sizeof(uint32_t));
        size_t next = 0;
        for (size_t i = first; i < end; i++) {
            const double dx = 200.0 * ((double)coordinate[0][i] - 0.011);
            const double dy = 200.0 * ((double)coordinate[1][i] - 0.009), r2 = dx * dx + dy * dy;
            if (r2 > 0.9991 || (r2 > 0.9989 && windows[0].z[next] != coordinate[2][i]))
                continue;
            assert_true(next < count && windows[0].color[next] == color[i]);
            assert_true(fabs((double)windows[0].x[next] - dx) < 1e-5);
            assert_true(fabs((double)windows[0].base[next] -
                             (double)coordinate[3][i] * pow(1.0 - r2, 3.0)) < 1e-5);
            next++;
        }
        assert_int_equal(next, count);
    }
}

static double tukey(double residual, double inverse_cut) {
    const double t = residual * inverse_cut;
    return t * t < 1.0 ? (1.0 - t * t) * (1.0 - t * t) : 0.0;
}

static void weights_and_sums_are_those_of_the_definition(void **state) {
    (void)state;
    static Window windows[2];
    static const float c[6] = {1e-4f, 2e-4f, -3e-4f, 1e-4f, -2e-4f, 5e-5f};
    static const int powers[15][2] = {{0, 0}, {1, 0}, {0, 1}, {2, 0}, {1, 1},
                                      {0, 2}, {3, 0}, {2, 1}, {1, 2}, {0, 3},
                                      {4, 0}, {3, 1}, {2, 2}, {1, 3}, {0, 4}};
    AqmRng rng = aqm_rng(2, 2);
    for (int trial = 0; trial < 200; trial++) {
        const AqmHeightPoints points = random_points(&rng);
        const int is_plane = trial % 2;
        AqmHeightSums sums[2];
        float colors[2][AQM_HEIGHT_COLOR_SUMS];
        double moments[15] = {0}, heights[6] = {0}, reach = 4.0, near2 = 4.0, most[8];
        double squares = 0.0;
        memset(sums, 0, sizeof sums); /* the bytes of padding too */
        for (int v = 0; v < 2; v++) {
            prepare(&windows[v]);
            variant(v)->collect(&points, 0, 8 + (size_t)trial, 0.01f, 0.01f, 120.0f,
                                &windows[v].view);
            finish(&windows[v]);
            variant(v)->weigh(&windows[v].view, c, 250.0f, is_plane, &sums[v]);
            variant(v)->errors(&windows[v].view, c);
            variant(v)->colors(&windows[v].view, colors[v]);
        }
        const Window *w = &windows[0];
        int inliers = 0;
        for (int k = 0; k < 8; k++)
            most[k] = -4.0;
        for (size_t i = 0; i < w->view.count; i++) {
            const double x = (double)w->x[i], y = (double)w->y[i], z = (double)w->z[i];
            double surface = 0.0;
            for (int k = 0; k < 6; k++)
                surface += (double)c[k] * pow(x, powers[k][0]) * pow(y, powers[k][1]);
            const double weight = (double)w->base[i] * tukey(z - surface, 250.0);
            assert_true(fabs((double)w->robust[i] - weight) < 1e-5);
            if (!(w->robust[i] > 0.0f)) {
                assert_true(w->error[i] == INFINITY);
                continue;
            }
            assert_true(fabs((double)w->error[i] - fabs(z - surface)) < 1e-8);
            const double sides[8] = {x,
                                     -x,
                                     y,
                                     -y,
                                     (x + y) / sqrt(2),
                                     -(x + y) / sqrt(2),
                                     (x - y) / sqrt(2),
                                     -(x - y) / sqrt(2)};
            for (int k = 0; k < 8; k++)
                most[k] = fmax(most[k], sides[k]);
            for (int k = 0; k < (is_plane ? 6 : 15); k++)
                moments[k] += weight * pow(x, powers[k][0]) * pow(y, powers[k][1]);
            for (int k = 0; k < (is_plane ? 3 : 6); k++)
                heights[k] += weight * pow(x, powers[k][0]) * pow(y, powers[k][1]) * z;
            squares += weight * z * z;
            near2 = fmin(near2, x * x + y * y);
            inliers++;
        }
        for (int k = 0; k < 8; k++)
            reach = fmin(reach, most[k]);
        assert_int_equal(inliers, sums[0].inliers);
        assert_true(fabs((double)sums[0].reach - reach) < 1e-5);
        assert_true(fabs((double)sums[0].nearest2 - near2) < 1e-5);
        for (int k = 0; k < 15; k++)
            assert_true(fabs((double)sums[0].moments[k] - moments[k]) < 1e-5 * (1.0 + moments[0]));
        for (int k = 0; k < 6; k++)
            assert_true(fabs((double)sums[0].heights[k] - heights[k]) < 1e-8 * (1.0 + moments[0]));
        assert_true(fabs((double)sums[0].squares - squares) < 1e-9 * (1.0 + moments[0]));
        assert_memory_equal(&sums[0], &sums[1], sizeof sums[0]);
        assert_memory_equal(windows[0].robust, windows[1].robust, sizeof windows[0].robust);
        assert_memory_equal(windows[0].error, windows[1].error, sizeof windows[0].error);
        assert_memory_equal(colors[0], colors[1], sizeof colors[0]);
    }
}

static void colors_are_weighted_by_the_squares(void **state) {
    (void)state;
    static Window w;
    for (int v = 0; v < 2; v++) {
        float sums[AQM_HEIGHT_COLOR_SUMS];
        const uint32_t code = aqm_deviation_code(0.25f); /* a power of two: without rounding */
        prepare(&w);
        w.view.count = 3;
        w.robust[0] = 1.0f, w.robust[1] = 0.5f, w.robust[2] = 0.0f;
        w.color[0] = 10 | 20 << 8 | 30 << 16, w.color[1] = 255 << 8 | code << 24;
        w.color[2] = 0xffffff | code << 24;
        variant(v)->colors(&w.view, sums);
        assert_true(sums[0] == 10.0f && sums[1] == 20.0f + 63.75f && sums[2] == 30.0f);
        assert_true(sums[3] == 1.25f);
        assert_true(sums[4] == 0.0625f && sums[5] == 0.25f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_hold_the_points_within_the_radius),
        cmocka_unit_test(weights_and_sums_are_those_of_the_definition),
        cmocka_unit_test(colors_are_weighted_by_the_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
