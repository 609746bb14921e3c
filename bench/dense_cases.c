/* The kernels of dense warps, on a chunk of pixels of two cameras over one bed. Demands of a
 * projection: three Newton steps of five pairs of operations and a quotient by a root, the squared
 * distance, a turn of nine products, two pixels, and the quotient by the distance. */
#include <stdlib.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/dense_kernels.h"
#include "math/rng.h"

enum { N = AQM_DENSE_CHUNK };
#define NEWTON 15 /* pairs of operations of the three steps, which have as many roots as steps */

typedef struct Data {
    AqmDenseCamera cameras[2];
    AqmDensePixels pixels, targets;
    AqmDenseRays rays;
    AqmDensePoints points;
    float depth[N];
} Data;

typedef struct Result {
    AqmDenseRays rays;
    AqmDensePoints points;
    AqmDensePixels pixels;
    AqmDenseOffsets offsets;
    AqmDenseMeetings meetings;
    float depth[N];
} Result;

static void run_rays(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmDenseKernels *)kernels)
        ->rays(&d->cameras[0], &d->pixels, N, &((Result *)result)->rays);
}

static void run_points(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmDenseKernels *)kernels)->points(&d->rays, d->depth, N, &((Result *)result)->points);
}

static void run_project(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmDenseKernels *)kernels)
        ->project(&d->cameras[1], &d->points, N, &((Result *)result)->pixels);
}

static void run_sight(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    ((const AqmDenseKernels *)kernels)->sight(&d->cameras[1], &d->points, N, r->depth, &r->rays);
}

static void run_offsets(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmDenseKernels *)kernels)
        ->offsets(&d->cameras[1], &d->rays, d->depth, &d->targets, N, &((Result *)result)->offsets);
}

static void run_meet(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    ((const AqmDenseKernels *)kernels)
        ->meet(&d->cameras[0], &d->rays, &d->cameras[1], &d->targets, N,
               &((Result *)result)->meetings);
}

static const BenchCase cases[] = {
    /* turned, and Snell's law: a unit vector in air, the way to the water, the part downwards */
    {"dense_rays", run_rays, N, {28, 0, 16, 2}},
    {"dense_points", run_points, N, {36, 0, 3, 0}},
    {"dense_project", run_project, N, {20, 0, NEWTON + 12, 4}},
    /* the share of the way under water, its length */
    {"dense_sight", run_sight, N, {28, 0, NEWTON + 7, 4.5}},
    /* a projection and its derivative along the ray */
    {"dense_offsets", run_offsets, N, {56, 0, NEWTON + 30, 5}},
    /* the rays of the targets, the midpoint, and offsets twice */
    {"dense_meet", run_meet, N, {44, 0, 16 + 20 + 2 * (NEWTON + 35), 2 + 0.5 + 11}},
};

static AqmDenseCamera camera_at(float x, float tilt) {
    return (AqmDenseCamera){.R = {1, 0, tilt, 0, 1, 0, -tilt, 0, 1},
                            .x = x,
                            .h_c = 0.98f,
                            .n = 1.333f,
                            .fx = 1400,
                            .fy = 1400,
                            .cx = 800,
                            .cy = 600};
}

static void fill(Data *data) {
    const AqmDenseKernels *kernels = &aqm_dense_kernels_reference;
    AqmRng rng = aqm_rng(41, 0);
    data->cameras[0] = camera_at(0.0f, 0.05f);
    data->cameras[1] = camera_at(0.4f, -0.3f);
    for (int k = 0; k < N; k++) {
        data->pixels.u[k] = (float)(1600.0 * aqm_rng_uniform(&rng));
        data->pixels.v[k] = (float)(1200.0 * aqm_rng_uniform(&rng));
        data->depth[k] = 0.25f + 0.1f * (float)aqm_rng_uniform(&rng);
    }
    kernels->rays(&data->cameras[0], &data->pixels, N, &data->rays);
    kernels->points(&data->rays, data->depth, N, &data->points);
    kernels->project(&data->cameras[1], &data->points, N, &data->targets);
    for (int k = 0; k < N; k++)
        data->targets.u[k] += 3.0f;
}

bool bench_all_dense(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmDenseKernels *fastest = aqm_dense_kernels(aqm_cpu_features());
        const BenchFamily family = {
            &aqm_dense_kernels_reference, fastest, fastest->name, data, results, sizeof *results};
        fill(data);
        is_good = bench_family(options, &family, cases, sizeof cases / sizeof cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
