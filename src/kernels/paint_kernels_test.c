#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/paint_kernels.h"
#include "math/rng.h"

enum { MAX = AQM_PAINT_BLOCK, ROOM = MAX + 8, CELLS = 64 };

static const AqmPaintKernels *variant(int k) {
    return k == 0 ? &aqm_paint_kernels_reference : aqm_paint_kernels(aqm_cpu_features());
}

static double between(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

/* ---- where vertices are seen ----------------------------------------------------------------- */

typedef struct Vertices {
    float axis[6][ROOM];
    AqmPaintPoints points;
} Vertices;

typedef struct Sights {
    float row[5][ROOM];
    AqmPaintSights view;
} Sights;

static Sights blank_sights(void) {
    Sights s;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < ROOM; k++)
            s.row[i][k] = -7.0f;
    return s;
}

static AqmPaintSights rows_of(Sights *s) {
    return (AqmPaintSights){s->row[0], s->row[1], s->row[2], s->row[3], s->row[4]};
}

/* Tilted by 0.2 about X. */
static AqmSightCamera camera_at(float x, float n) {
    const float c = cosf(0.2f), s = sinf(0.2f);
    return (AqmSightCamera){.R = {1, 0, 0, 0, c, -s, 0, s, c},
                            .C = {x, -0.3f},
                            .water_z = 0.9f,
                            .h_c = 0.95f,
                            .n = n,
                            .fx = 1400,
                            .fy = 1390,
                            .cx = 801.5f,
                            .cy = 598.25f};
}

/* Under water but for a few, one of them behind the camera. */
static void fill_vertices(AqmRng *rng, Vertices *v) {
    for (int k = 0; k < MAX; k++) {
        double normal[3], length = 0.0;
        v->axis[0][k] = (float)between(rng, -0.75, 0.75);
        v->axis[1][k] = (float)between(rng, -0.75, 0.75);
        v->axis[2][k] = k % 17 == 3 ? 0.9f - (float)(k % 2) : (float)between(rng, 0.95, 1.5);
        for (int a = 0; a < 3; a++) {
            normal[a] = aqm_rng_normal(rng);
            length += normal[a] * normal[a];
        }
        for (int a = 0; a < 3; a++)
            v->axis[3 + a][k] = (float)(normal[a] / sqrt(length));
    }
    v->axis[1][40] = -400.0f; /* the tilted camera looks away from it */
    v->points = (AqmPaintPoints){{v->axis[0], v->axis[1], v->axis[2]},
                                 {v->axis[3], v->axis[4], v->axis[5]}};
}

typedef struct Truth {
    double u, v, depth, facing, density;
} Truth;

/* By bisection of Snell's law. */
static Truth truth_of(const AqmSightCamera *c, const Vertices *vertices, int k) {
    const double x = (double)vertices->axis[0][k] - (double)c->C[0];
    const double y = (double)vertices->axis[1][k] - (double)c->C[1];
    const double h = (double)vertices->axis[2][k] - (double)c->water_z, r = hypot(x, y);
    double low = 0.0, high = r;
    for (int i = 0; i < 100; i++) { /* where the ray crosses the surface */
        const double at = 0.5 * (low + high), n = (double)c->n;
        const bool is_far = at / hypot(at, (double)c->h_c) > n * (r - at) / hypot(r - at, h);
        *(is_far ? &high : &low) = at;
    }
    const double depth = hypot(r - low, h), z = (double)c->h_c * (r > 0.0 ? r / low : 1.0);
    const double ray[3] = {x / r * (r - low) / depth, y / r * (r - low) / depth, h / depth};
    double in_camera[3] = {0}, facing = 0.0;
    const double seen[3] = {x, y, z};
    for (int i = 0; i < 9; i++)
        in_camera[i / 3] += (double)c->R[i] * seen[i % 3];
    for (int a = 0; a < 3; a++)
        facing -= ray[a] * (double)vertices->axis[3 + a][k];
    return (Truth){(double)c->fx * in_camera[0] / in_camera[2] + (double)c->cx,
                   (double)c->fy * in_camera[1] / in_camera[2] + (double)c->cy, depth, facing,
                   (double)c->fx / hypot(r, z)};
}

static void vertices_are_seen_where_snell_has_them(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(1, 1);
    Vertices vertices;
    for (int trial = 0; trial < 60; trial++) {
        const AqmSightCamera camera =
            camera_at((float)between(&rng, -0.4, 0.4), trial % 5 == 4 ? 1.0f : 1.333f);
        const size_t n = 8 * (1 + aqm_rng_u32(&rng) % (MAX / 8));
        Sights sights[2] = {blank_sights(), blank_sights()};
        fill_vertices(&rng, &vertices);
        for (int v = 0; v < 2; v++) {
            const AqmPaintSights rows = rows_of(&sights[v]);
            variant(v)->sights(&camera, &vertices.points, n, &rows);
            assert_true(sights[v].row[0][n] == -7.0f && sights[v].row[4][n] == -7.0f);
        }
        for (int k = 0; k < (int)n; k++) {
            const bool is_seen = vertices.axis[2][k] > 0.9f && k != 40;
            assert_true(isnan(sights[0].row[0][k]) == !is_seen);
            assert_true(isnan(sights[0].row[0][k]) == isnan(sights[0].row[1][k]));
            assert_true(isnan(sights[0].row[0][k]) == isnan(sights[1].row[0][k]));
            if (!is_seen)
                continue;
            for (int i = 0; i < 5; i++)
                assert_memory_equal(&sights[0].row[i][k], &sights[1].row[i][k], sizeof(float));
            const Truth truth = truth_of(&camera, &vertices, k);
            assert_true(fabs((double)sights[0].row[0][k] - truth.u) < 2e-3);
            assert_true(fabs((double)sights[0].row[1][k] - truth.v) < 2e-3);
            assert_true(fabs((double)sights[0].row[2][k] - truth.depth) < 1e-6);
            assert_true(fabs((double)sights[0].row[3][k] - truth.facing) < 2e-6);
            assert_true(fabs((double)sights[0].row[4][k] - truth.density) < 2e-6 * truth.density);
        }
    }
}

static void cells_are_the_nearest_ones(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(2, 2);
    Vertices vertices;
    static const AqmPaintCells cells = {500, 300, 150000}; /* of 998 x 598 px: not all are in */
    int inside = 0;
    for (int trial = 0; trial < 40; trial++) {
        const AqmSightCamera camera = camera_at((float)between(&rng, -0.4, 0.4), 1.333f);
        Sights sights[3] = {blank_sights(), blank_sights(), blank_sights()};
        int32_t cell[2][ROOM];
        fill_vertices(&rng, &vertices);
        for (int v = 0; v < 2; v++) {
            const AqmPaintSights rows = rows_of(&sights[v]);
            variant(v)->places(&camera, &cells, vertices.points.position, MAX, &rows, cell[v]);
        }
        const AqmPaintSights rows = rows_of(&sights[2]);
        variant(1)->sights(&camera, &vertices.points, MAX, &rows);
        assert_memory_equal(cell[0], cell[1], MAX * sizeof(int32_t));
        for (int k = 0; k < MAX; k++) {
            const double u = (double)sights[0].row[0][k], v = (double)sights[0].row[1][k];
            assert_true(isnan(u) == isnan(sights[1].row[0][k]));
            if (isnan(u)) {
                assert_int_equal(cell[0][k], cells.none);
                continue;
            }
            for (int i = 0; i < 3; i++)
                assert_memory_equal(&sights[0].row[i][k], &sights[1].row[i][k], sizeof(float));
            assert_true(u == (double)sights[2].row[0][k] && v == (double)sights[2].row[1][k]);
            assert_true(fabsf(sights[0].row[2][k] - sights[2].row[2][k]) < 1e-6f);
            const double i = floor(u / 2.0 + 0.5), j = floor(v / 2.0 + 0.5);
            const bool is_in = i >= 0.0 && j >= 0.0 && i < 500.0 && j < 300.0;
            assert_int_equal(cell[0][k], is_in ? (int)(500.0 * j + i) : cells.none);
            inside += is_in;
        }
    }
    print_message("%d of %d in a cell\n", inside, 40 * MAX);
    assert_true(inside > 1000 && inside < 8000);
}

/* ---- what a view is worth -------------------------------------------------------------------- */

/* Memory that ends where the last row does. */
static void *exact(size_t stride, int height, size_t row_bytes) {
    void *memory = malloc(stride * (size_t)(height - 1) + row_bytes);
    assert_non_null(memory);
    return memory;
}

static void fill_bytes(AqmRng *rng, uint8_t *bytes, size_t count, bool is_mask) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(is_mask ? aqm_rng_u32(rng) % 3 : aqm_rng_u32(rng));
}

/* Anywhere in the image and around it, at its very edges, and nowhere. */
static float place(AqmRng *rng, int size, int k) {
    if (k % 11 == 5)
        return k % 2 ? 0.0f : (float)(size - 1);
    return k % 31 == 7 ? NAN : (float)between(rng, -0.3 * size, 1.3 * size);
}

static void fill_sights(AqmRng *rng, int width, int height, Sights *s) {
    *s = blank_sights();
    for (int k = 0; k < MAX; k++) {
        s->row[0][k] = place(rng, width, k);
        s->row[1][k] = isnan(s->row[0][k]) ? NAN : place(rng, height, k + 2);
        s->row[2][k] = (float)between(rng, 0.3, 0.6);
        s->row[3][k] = k % 13 == 0 ? 1.0000001f : (float)between(rng, -0.2, 1.0);
        s->row[4][k] = (float)between(rng, 600.0, 1500.0);
    }
}

static double smooth(double t) {
    return t * t * (3.0 - 2.0 * t);
}

static double weight_by_definition(const AqmPaintView *view, const AqmPaintRules *rules,
                                   const Sights *s, int k) {
    const double u = (double)s->row[0][k], v = (double)s->row[1][k];
    const double facing = (double)s->row[3][k], density = (double)s->row[4][k];
    if (!(u >= 0.0 && v >= 0.0 && u <= view->width - 1.0 && v <= view->height - 1.0 &&
          facing >= (double)rules->least_facing))
        return 0.0;
    if (view->mask && !view->mask[(size_t)(v + 0.5) * view->mask_stride + (size_t)(u + 0.5)])
        return 0.0;
    const float nearest = view->nearest[(int)(v / 2.0) * view->columns + (int)(u / 2.0)];
    const double tolerance =
        fmax((double)rules->tolerance_px / density, (double)rules->tolerance_m);
    if ((double)s->row[2][k] > (double)nearest + tolerance)
        return 0.0;
    const double inside = fmin(fmin(u, view->width - 1.0 - u), fmin(v, view->height - 1.0 - v));
    return pow(fmin(facing, 1.0), 8.0) * density * density *
               smooth(fmin(inside * (double)view->inverse_border, 1.0)) +
           (double)rules->least_weight;
}

static void weights_are_those_of_the_definition(void **state) {
    (void)state;
    static const int sizes[][2] = {{61, 47}, {100, 30}, {1, 1}, {3, 1}, {4, 1}, {2, 5}};
    AqmRng rng = aqm_rng(3, 3);
    AqmPaintRules rules = {0.174f, 1e-6f, 5e-4f, 16.0f, {0}};
    size_t counted = 0;
    for (int i = 0; i <= AQM_PAINT_POWERS; i++)
        rules.powers[i] = (float)pow(i / (double)AQM_PAINT_POWERS, 8.0);
    for (int trial = 0; trial < 240; trial++) {
        const int width = sizes[trial % 6][0], height = sizes[trial % 6][1];
        const size_t stride = (size_t)(width + trial % 4);
        const size_t n = 8 * (1 + aqm_rng_u32(&rng) % (MAX / 8));
        uint8_t *mask = exact(stride, height, (size_t)width);
        float nearest[CELLS * CELLS];
        fill_bytes(&rng, mask, stride * (size_t)(height - 1) + (size_t)width, true);
        for (int i = 0; i < CELLS * CELLS; i++)
            nearest[i] = aqm_rng_u32(&rng) % 3 ? (float)between(&rng, 0.4, 0.6) : INFINITY;
        const AqmPaintView view = {.width = width,
                                   .height = height,
                                   .mask = trial % 3 ? mask : NULL,
                                   .mask_stride = stride,
                                   .inverse_border = 0.25f,
                                   .nearest = nearest,
                                   .columns = width / 2 + 1};
        Sights sights;
        float weight[2][ROOM];
        fill_sights(&rng, width, height, &sights);
        const AqmPaintSights rows = rows_of(&sights);
        size_t seen = 0;
        for (int v = 0; v < 2; v++) {
            weight[v][n] = -7.0f;
            seen = variant(v)->weigh(&view, &rules, &rows, n, weight[v]);
            size_t positive = 0;
            for (size_t k = 0; k < n; k++)
                positive += weight[v][k] > 0.0f;
            assert_int_equal(seen, positive);
            assert_true(weight[v][n] == -7.0f);
        }
        assert_memory_equal(weight[0], weight[1], n * sizeof(float));
        for (int k = 0; k < (int)n; k++) {
            const double truth = weight_by_definition(&view, &rules, &sights, k);
            assert_true(fabs((double)weight[0][k] - truth) <= 2e-3 * truth);
        }
        counted += seen;
        free(mask);
    }
    assert_true(counted > 1000);
}

/* ---- what a view shows ----------------------------------------------------------------------- */

typedef struct Sums {
    float row[4][ROOM];
    int32_t views[ROOM];
} Sums;

static double sample(const AqmPaintView *view, int x, int y, int channel) {
    const uint8_t *row = (const uint8_t *)view->pixels + (size_t)y * view->stride;
    const int at = x * view->channels + (view->channels == 3 ? channel : 0);
    uint16_t word;
    memcpy(&word, row + (view->is_16_bit ? 2 * at : 0), sizeof word);
    return view->is_16_bit ? word : row[at];
}

static double bilinear(const AqmPaintView *view, double u, double v, int channel) {
    const int x = (int)u, y = (int)v;
    const int x1 = x + 1 < view->width ? x + 1 : x, y1 = y + 1 < view->height ? y + 1 : y;
    const double p = u - x, q = v - y;
    return (1 - q) * ((1 - p) * sample(view, x, y, channel) + p * sample(view, x1, y, channel)) +
           q * ((1 - p) * sample(view, x, y1, channel) + p * sample(view, x1, y1, channel));
}

static void sums_are_those_of_bilinear_samples(void **state) {
    (void)state;
    static const int sizes[][2] = {{61, 47}, {100, 30}, {2, 1}, {3, 1}, {1, 4}, {5, 2}};
    AqmRng rng = aqm_rng(4, 4);
    for (int trial = 0; trial < 240; trial++) {
        const int width = sizes[trial % 6][0], height = sizes[trial % 6][1];
        const bool is_16_bit = trial % 4 == 3;
        const int channels = trial % 5 == 4 ? 1 : 3;
        const size_t row = (size_t)width * (size_t)channels * (is_16_bit ? 2 : 1);
        const size_t stride = row + (size_t)(trial % 3) * 2;
        const size_t n = 8 * (1 + aqm_rng_u32(&rng) % (MAX / 8));
        uint8_t *pixels = exact(stride, height, row < 2 ? 2 : row);
        fill_bytes(&rng, pixels, stride * (size_t)(height - 1) + row, false);
        const AqmPaintView view = {.width = width,
                                   .height = height,
                                   .pixels = pixels,
                                   .stride = stride,
                                   .channels = channels,
                                   .is_16_bit = is_16_bit,
                                   .scale = is_16_bit ? 255.0f / 65535.0f : 1.0f};
        Sights sights;
        Sums sums[2];
        float weight[ROOM];
        memset(sums, 0, sizeof sums);
        fill_sights(&rng, width, height, &sights);
        for (size_t k = 0; k < n; k++) {
            const float u = sights.row[0][k], v = sights.row[1][k];
            const bool is_in =
                u >= 0 && v >= 0 && u <= (float)(width - 1) && v <= (float)(height - 1);
            weight[k] = is_in && k % 4 ? sights.row[4][k] : 0.0f;
            for (int i = 0; i < 4; i++)
                sums[0].row[i][k] = sums[1].row[i][k] = (float)(k % 5);
            sums[0].views[k] = sums[1].views[k] = (int32_t)(k % 3);
        }
        for (int v = 0; v < 2; v++) {
            float(*r)[ROOM] = sums[v].row;
            const AqmPaintSums out = {r[0], {r[1], r[2], r[3]}, sums[v].views};
            variant(v)->blend(&view, sights.row[0], sights.row[1], weight, n, &out);
        }
        assert_memory_equal(&sums[0], &sums[1], sizeof sums[0]);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(sums[0].views[k], (int)(k % 3) + (weight[k] > 0.0f));
            assert_true(fabsf(sums[0].row[0][k] - (float)(k % 5) - weight[k]) < 1e-3f);
            for (int i = 0; i < 3 && weight[k] > 0.0f; i++) {
                const double color =
                    bilinear(&view, (double)sights.row[0][k], (double)sights.row[1][k], i);
                const double truth =
                    (double)(k % 5) + (double)weight[k] * (double)view.scale * color;
                assert_true(fabs((double)sums[0].row[1 + i][k] - truth) <= 1e-3 * truth + 1e-3);
            }
        }
        free(pixels);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vertices_are_seen_where_snell_has_them),
        cmocka_unit_test(cells_are_the_nearest_ones),
        cmocka_unit_test(weights_are_those_of_the_definition),
        cmocka_unit_test(sums_are_those_of_bilinear_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
