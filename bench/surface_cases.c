/* The kernels of surfaces and clouds: local fits of a heightfield on a window of a few hundred
 * points, and the search for nearest points in the leaves of a tree. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/height_kernels.h"
#include "kernels/nearest_kernels.h"
#include "math/rng.h"

enum {
    POINTS = 512, /* of which pi / 4 lie in the window */
    ROOM = POINTS + AQM_HEIGHT_LANES,
    LEAF = 32,
    NEIGHBORS = 20
};

typedef struct Data {
    float x[ROOM], y[ROOM], z[ROOM], weight[ROOM], values[ROOM];
    uint32_t color[ROOM];
    AqmHeightWindow window; /* over these: */
    float at_x[ROOM], at_y[ROOM], at_z[ROOM], base[ROOM], robust[ROOM], error[ROOM];
    uint32_t window_color[ROOM];
    float limit;
} Data;

typedef struct Result {
    float x[ROOM], y[ROOM], z[ROOM], base[ROOM], robust[ROOM], error[ROOM];
    uint32_t color[ROOM];
    AqmHeightSums sums;
    float values[ROOM], color_sums[AQM_HEIGHT_COLOR_SUMS], bound;
    double sum;
    size_t count;
} Result;

/* 1 mm of waves in a radius of 1, as the robust fit sees them. */
static const float surface[AQM_HEIGHT_TERMS] = {0.3f, 1e-3f, -5e-4f, 2e-4f, 1e-4f, -2e-4f};

/* What kernels only read may be the data's. */
static AqmHeightWindow window_of(const Data *d, Result *r) {
    AqmHeightWindow window = d->window;
    window.robust = r->robust;
    window.error = r->error;
    return window;
}

/* ---- heightfield ----------------------------------------------------------------------------- */

static AqmHeightPoints points_of(const Data *data) {
    Data *d = (Data *)(uintptr_t)data; /* only read */
    return (AqmHeightPoints){d->x, d->y, d->z, d->weight, d->color};
}

static void run_collect(const void *kernels, const void *data, void *result) {
    const AqmHeightPoints points = points_of(data);
    Result *r = result;
    AqmHeightWindow window = {0, r->x, r->y, r->z, r->base, r->robust, r->error, r->color};
    ((const AqmHeightKernels *)kernels)->collect(&points, 0, POINTS, 0.0f, 0.0f, 1.0f, &window);
    r->count = window.count;
    for (size_t k = r->count; k < r->count + AQM_HEIGHT_LANES; k++) /* anything */
        r->x[k] = r->y[k] = r->z[k] = r->base[k] = 0.0f, r->color[k] = 0;
}

static void run_weigh(const void *kernels, const void *data, void *result) {
    Result *r = result;
    AqmHeightWindow window = window_of(data, r);
    ((const AqmHeightKernels *)kernels)->weigh(&window, surface, 1.0f / 0.004f, 0, &r->sums);
}

static void run_errors(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    AqmHeightWindow window = window_of(d, result);
    window.robust = d->window.robust;
    ((const AqmHeightKernels *)kernels)->errors(&window, surface);
}

static void run_colors(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmHeightKernels *)kernels)->colors(&d->window, ((Result *)result)->color_sums);
}

static const BenchCase height_cases[] = {
    /* a squared distance, the cube of what is left, five values copied */
    {"height_collect", run_collect, POINTS, {20 + 20, 0, 1.5 + 2, 0}},
    /* a residual, a biweight, 15 moments and 6 heights with the products they are made of */
    {"height_weigh", run_weigh, POINTS, {16 + 4, 0, 5 + 2 + 15 + 6 + 6, 0}},
    {"height_errors", run_errors, POINTS, {16 + 4, 0, 5, 0}},
    {"height_colors", run_colors, POINTS, {8, 0, 6, 0}},
};

/* ---- nearest points -------------------------------------------------------------------------- */

static const float query[3] = {0.1f, -0.2f, 0.3f};

static void run_distances2(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    r->count = ((const AqmNearestKernels *)kernels)
                   ->distances2(d->x, d->y, d->z, POINTS, query, r->values);
}

static void run_near_distances2(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    r->count = ((const AqmNearestKernels *)kernels)
                   ->near_distances2(d->x, d->y, d->z, POINTS, query, d->limit, r->values);
    memset(r->values + r->count, 0, AQM_NEAREST_LANES * sizeof *r->values); /* anything */
}

static void run_gaps2(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const float *sides[6] = {d->x, d->y, d->z, d->weight, d->weight, d->weight};
    ((const AqmNearestKernels *)kernels)->gaps2(sides, POINTS, query, ((Result *)result)->values);
}

static void run_bound(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((Result *)result)->bound =
        ((const AqmNearestKernels *)kernels)->bound(d->values, POINTS, NEIGHBORS, 8, 0.01f);
}

static void run_sum_of_roots(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((Result *)result)->sum =
        ((const AqmNearestKernels *)kernels)->sum_of_roots(d->values, POINTS, NEIGHBORS, d->limit);
}

static void run_roots_of_few(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    float values[LEAF + AQM_NEAREST_FEW + AQM_NEAREST_LANES];
    memcpy(values, d->values, LEAF * sizeof *values);
    r->values[0] =
        ((const AqmNearestKernels *)kernels)->roots_of_few(values, LEAF, NEIGHBORS, &r->values[1]);
}

static const BenchCase nearest_cases[] = {
    {"distances2", run_distances2, POINTS, {16, 0, 3, 0}},
    {"near_distances2", run_near_distances2, POINTS, {16, 0, 3.5, 0}},
    {"gaps2", run_gaps2, POINTS, {28, 0, 6, 0}},
    {"bound", run_bound, POINTS, {4, 0, 1, 0}},
    {"sum_of_roots", run_sum_of_roots, POINTS, {4, 0, 1, 0}},
    /* a sorting network of 32 values has 191 comparators of two operations */
    {"roots_of_few", run_roots_of_few, LEAF, {4, 0, 191.0 / LEAF, 0.5}},
};

/* ---- both ------------------------------------------------------------------------------------ */

static void fill(Data *d) {
    AqmRng rng = aqm_rng(43, 0);
    memset(d, 0, sizeof *d);
    for (int k = 0; k < POINTS; k++) {
        d->x[k] = 2.0f * (float)aqm_rng_uniform(&rng) - 1.0f;
        d->y[k] = 2.0f * (float)aqm_rng_uniform(&rng) - 1.0f;
        d->z[k] = 0.3f + 0.002f * (float)aqm_rng_uniform(&rng);
        d->weight[k] = 1.0f + (float)aqm_rng_uniform(&rng);
        d->color[k] = (uint32_t)(4294967296.0 * aqm_rng_uniform(&rng));
        d->values[k] = (float)aqm_rng_uniform(&rng);
    }
    d->window = (AqmHeightWindow){0,       d->at_x,   d->at_y,  d->at_z,
                                  d->base, d->robust, d->error, d->window_color};
    const AqmHeightPoints points = points_of(d);
    AqmHeightSums sums;
    aqm_height_kernels_reference.collect(&points, 0, POINTS, 0.0f, 0.0f, 1.0f, &d->window);
    aqm_height_kernels_reference.weigh(&d->window, surface, 1.0f / 0.004f, 0, &sums);
    d->limit = aqm_nearest_kernels_reference.bound(d->values, POINTS, NEIGHBORS, 0, 0.0f);
}

bool bench_all_surface(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmHeightKernels *height = aqm_height_kernels(aqm_cpu_features());
        const AqmNearestKernels *nearest = aqm_nearest_kernels(aqm_cpu_features());
        const BenchFamily families[2] = {
            {&aqm_height_kernels_reference, height, height->name, data, results, sizeof *results},
            {&aqm_nearest_kernels_reference, nearest, nearest->name, data, results,
             sizeof *results}};
        fill(data);
        is_good = bench_family(options, &families[0], height_cases,
                               sizeof height_cases / sizeof height_cases[0]) &&
                  bench_family(options, &families[1], nearest_cases,
                               sizeof nearest_cases / sizeof nearest_cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
