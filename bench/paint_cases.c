/* The kernels of colours: a block of vertices of a wavy mesh and one view of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/paint_kernels.h"
#include "math/rng.h"

enum { N = AQM_PAINT_BLOCK, WIDTH = 640, HEIGHT = 480, COLUMNS = WIDTH / 2, ROWS = HEIGHT / 2 };

typedef struct Data {
    AqmSightCamera camera;
    AqmPaintView view;
    AqmPaintRules rules;
    float position[3][N], normal[3][N], sights[5][N], weight[N];
    uint8_t image[HEIGHT][3 * WIDTH], mask[HEIGHT][WIDTH];
    float nearest[ROWS * COLUMNS];
} Data;

typedef struct Result {
    float sights[5][N], weight[N], sums[4][N];
    int32_t cell[N], views[N];
    size_t count;
} Result;

static AqmPaintSights rows_of(float rows[5][N]) {
    return (AqmPaintSights){rows[0], rows[1], rows[2], rows[3], rows[4]};
}

/* Only read. */
static AqmPaintSights known_sights(const Data *d) {
    return rows_of(((Data *)(uintptr_t)d)->sights);
}

static void run_sights(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmPaintPoints points = {{d->position[0], d->position[1], d->position[2]},
                                   {d->normal[0], d->normal[1], d->normal[2]}};
    const AqmPaintSights sights = rows_of(((Result *)result)->sights);
    ((const AqmPaintKernels *)kernels)->sights(&d->camera, &points, N, &sights);
}

static void run_places(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const float *const position[3] = {d->position[0], d->position[1], d->position[2]};
    const AqmPaintCells cells = {COLUMNS, ROWS, COLUMNS * ROWS};
    const AqmPaintSights sights = rows_of(r->sights);
    ((const AqmPaintKernels *)kernels)->places(&d->camera, &cells, position, N, &sights, r->cell);
}

static void run_weigh(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmPaintSights sights = known_sights(d);
    r->count =
        ((const AqmPaintKernels *)kernels)->weigh(&d->view, &d->rules, &sights, N, r->weight);
}

static void run_blend(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmPaintSums sums = {r->sums[0], {r->sums[1], r->sums[2], r->sums[3]}, r->views};
    memset(r->sums, 0, sizeof r->sums);
    memset(r->views, 0, sizeof r->views);
    ((const AqmPaintKernels *)kernels)
        ->blend(&d->view, d->sights[0], d->sights[1], d->weight, N, &sums);
}

static const BenchCase cases[] = {
    /* three Newton steps of five pairs of operations, a turn, two pixels; two angles, their cosine
     */
    {"paint_sights", run_sights, N, {24 + 20, 0, 15 + 12 + 12, 3 + 0.5 + 2.5}},
    {"paint_places", run_places, N, {12 + 16, 0, 15 + 12 + 4, 3 + 0.5 + 1}},
    {"paint_weigh", run_weigh, N, {20 + 4, 2, 14, 0}},
    /* three channels of a bilinear sample */
    {"paint_blend", run_blend, N, {12 + 40, 2, 4 + 3 * 4 + 2, 0}},
};

static void fill_images(Data *d, AqmRng *rng) {
    for (int k = 0; k < HEIGHT * 3 * WIDTH; k++)
        d->image[k / (3 * WIDTH)][k % (3 * WIDTH)] = (uint8_t)(256.0 * aqm_rng_uniform(rng));
    memset(d->mask, 255, sizeof d->mask);
    for (int k = 0; k < ROWS * COLUMNS; k++)
        d->nearest[k] = 0.3f;
}

static void fill(Data *d) {
    AqmRng rng = aqm_rng(47, 0);
    d->camera = (AqmSightCamera){.R = {1, 0, 0, 0, 0.98f, -0.199f, 0, 0.199f, 0.98f},
                                 .C = {0.1f, -0.3f},
                                 .water_z = 0.98f,
                                 .h_c = 0.98f,
                                 .n = 1.333f,
                                 .fx = 560,
                                 .fy = 560,
                                 .cx = 320,
                                 .cy = 240};
    d->view = (AqmPaintView){.width = WIDTH,
                             .height = HEIGHT,
                             .pixels = d->image,
                             .stride = 3 * WIDTH,
                             .channels = 3,
                             .scale = 1.0f,
                             .mask = d->mask[0],
                             .mask_stride = WIDTH,
                             .inverse_border = 1.0f / 32,
                             .nearest = d->nearest,
                             .columns = COLUMNS};
    d->rules = (AqmPaintRules){
        .least_facing = 0.2f, .least_weight = 1e-3f, .tolerance_m = 0.01f, .tolerance_px = 2.0f};
    for (int k = 0; k <= AQM_PAINT_POWERS; k++)
        d->rules.powers[k] = (float)pow((double)k / AQM_PAINT_POWERS, 8.0);
    fill_images(d, &rng);
    for (int k = 0; k < N; k++) {
        const double x = 0.3 * aqm_rng_uniform(&rng), y = 0.3 * aqm_rng_uniform(&rng);
        d->position[0][k] = (float)x, d->position[1][k] = (float)y;
        d->position[2][k] = (float)(1.28 + 0.005 * sin(100.0 * x));
        d->normal[0][k] = 0.1f, d->normal[1][k] = 0.0f, d->normal[2][k] = -0.995f;
    }
    const AqmPaintPoints points = {{d->position[0], d->position[1], d->position[2]},
                                   {d->normal[0], d->normal[1], d->normal[2]}};
    const AqmPaintSights sights = rows_of(d->sights);
    aqm_paint_kernels_reference.sights(&d->camera, &points, N, &sights);
    aqm_paint_kernels_reference.weigh(&d->view, &d->rules, &sights, N, d->weight);
}

bool bench_all_paint(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmPaintKernels *fastest = aqm_paint_kernels(aqm_cpu_features());
        const BenchFamily family = {
            &aqm_paint_kernels_reference, fastest, fastest->name, data, results, sizeof *results};
        fill(data);
        is_good = bench_family(options, &family, cases, sizeof cases / sizeof cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
