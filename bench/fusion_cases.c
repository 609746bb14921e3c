/* The kernels of fusion and undistortion: rows of a camera's pixels over a wavy bed that another
 * camera sees as well. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/fusion_kernels.h"
#include "kernels/remap_kernels.h"
#include "math/rng.h"

enum {
    N = 128,
    SIDE = AQM_SLOPES_SIDE,
    AROUND = 3, /* what slopes read around */
    PITCH = SIDE + 2 * AROUND,
    WIDTH = 640,
    HEIGHT = 480,
    MAP_PITCH = WIDTH + 2,
    VIEWS = 8
};
static const float tolerance = 0.005f, bed = 0.3f;

typedef struct Rays {
    float rows[5][N + AQM_FUSION_LANES];
} Rays;

typedef struct Data {
    AqmSightCamera cameras[2];
    AqmSightBend bend;
    Rays here, below;
    float depth[N], confidence[N], deviation[N], slopes[2][N], normal[3][N], position[3][N];
    float facing[N], descent[N], variance[N], shift[N];
    float patch[PITCH][PITCH], beyond[VIEWS][N], weight[VIEWS][N], own[N];
    float share[AQM_FUSION_VIEWS_MAX + 1], doubt[AQM_FUSION_VIEWS_MAX + 1];
    uint8_t count[N], codes[N], color[3 * N];
    uint32_t texels[(HEIGHT + 2) * MAP_PITCH];
    AqmRemapLens lens;
    double raw[2][N], knots[2][N / AQM_REMAP_CELL + 5];
    int32_t footprint[2][N];
    uint8_t image[HEIGHT][3 * WIDTH];
} Data;

typedef struct Result {
    Rays rays;
    float slopes[2][SIDE * SIDE], normal[3][N], beyond[N], weight[N], mean[N], misfit[N];
    float low[AQM_FUSION_LANES], high[AQM_FUSION_LANES];
    int16_t shifts[N];
    uint8_t count[N], codes[N], pixels[3 * N];
    uint32_t texels[N], kept;
    AqmSightBend bend;
    AqmVoxelSums points[N];
    AqmVoxelPlace places[N];
    double raw[2][N];
    int32_t footprint[2][N];
} Result;

static AqmRayRow row_of(const Rays *rays) {
    Rays *r = (Rays *)(uintptr_t)rays; /* the data's are only read */
    return (AqmRayRow){r->rows[0], r->rows[1], {r->rows[2], r->rows[3], r->rows[4]}};
}

/* ---- fusion ---------------------------------------------------------------------------------- */

static void run_rays(const void *kernels, const void *data, void *result) {
    const AqmRayRow row = row_of(&((Result *)result)->rays);
    ((const AqmFusionKernels *)kernels)
        ->rays(&((const Data *)data)->cameras[0], 300.0f, 240.0f, N, &row);
}

static void run_pack(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmDepthRow row = {d->depth, d->confidence, d->deviation};
    const AqmPackRules rules = {0.1f, 2e-4f};
    ((const AqmFusionKernels *)kernels)->pack(&row, &rules, N, ((Result *)result)->texels);
}

static void run_slopes(const void *kernels, const void *data, void *result) {
    Result *r = result;
    ((const AqmFusionKernels *)kernels)
        ->slopes(&((const Data *)data)->patch[AROUND][AROUND], PITCH, tolerance, SIDE, SIDE,
                 r->slopes[0], r->slopes[1]);
}

static void run_normals(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmRayRow here = row_of(&d->here), below = row_of(&d->below);
    float *const normal[3] = {r->normal[0], r->normal[1], r->normal[2]};
    ((const AqmFusionKernels *)kernels)
        ->normals(&here, &below, d->depth, d->slopes[0], d->slopes[1], N, normal);
}

static void run_bend(const void *kernels, const void *data, void *result) {
    const float r2[2] = {0.1f, 0.13f}, h[2] = {bed - 0.01f, bed + 0.01f};
    Result *r = result;
    r->kept = (uint32_t)((const AqmFusionKernels *)kernels)
                  ->bend(&((const Data *)data)->cameras[1], r2, h, &r->bend);
}

static void see(const void *kernels, const Data *d, const AqmSightBend *bend, Result *r) {
    const AqmSightMap map = {d->texels + MAP_PITCH + 1, MAP_PITCH, WIDTH, HEIGHT};
    const AqmSightPoints points = {{d->position[0], d->position[1], d->position[2]},
                                   {d->normal[0], d->normal[1], d->normal[2]},
                                   d->facing,
                                   d->descent};
    ((const AqmFusionKernels *)kernels)
        ->sight(&d->cameras[1], bend, &map, &points, d->variance, tolerance, N, r->beyond,
                r->weight);
}

static void run_sight(const void *kernels, const void *data, void *result) {
    see(kernels, data, NULL, result);
}

static void run_sight_bent(const void *kernels, const void *data, void *result) {
    see(kernels, data, &((const Data *)data)->bend, result);
}

static void run_settle(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmSettled settled = {r->mean, r->misfit, r->count};
    ((const AqmFusionKernels *)kernels)
        ->settle(d->beyond[0], d->weight[0], VIEWS, d->own, tolerance, N, &settled);
}

static void run_spread(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmVoted voted = {d->count,  d->variance, d->variance, d->variance,
                            d->facing, d->share,    d->doubt};
    ((const AqmFusionKernels *)kernels)->spread(&voted, N, ((Result *)result)->codes);
}

static void run_keep(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmKeepRow row = {d->depth, d->here.rows[1], d->here.rows[3], d->shift, d->count, 0.1f};
    const AqmKeepRules rules = {tolerance, tolerance / AQM_SHIFT_STEPS, 3};
    for (int k = 0; k < AQM_FUSION_LANES; k++)
        r->low[k] = INFINITY, r->high[k] = -INFINITY;
    r->kept =
        ((const AqmFusionKernels *)kernels)->keep(&row, &rules, N, r->shifts, r->low, r->high);
}

static void run_arrive(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    const AqmVoxelGrid grid = {1e-3, 1e3, {-500.0, -500.0, 1000.0}};
    const AqmPointRow row = {{d->position[0], d->position[1], d->position[2]},
                             {d->normal[0], d->normal[1], d->normal[2]},
                             d->confidence,
                             d->codes,
                             d->count,
                             d->color};
    ((const AqmFusionKernels *)kernels)->arrive(&grid, &row, N, r->points, r->places);
}

static const BenchCase fusion_cases[] = {
    /* turned, Snell's law: a unit vector in air, the way to the water, the part downwards */
    {"fusion_rays", run_rays, N, {20, 0, 12, 2}},
    {"fusion_pack", run_pack, N, {16, 0, 5, 0.5}},
    /* running sums over five lines of two differences and what they have to satisfy, both ways */
    {"fusion_slopes", run_slopes, SIDE *SIDE, {12, 0, 2 * 8, 1}},
    /* two tangents, their cross product, its length */
    {"fusion_normals", run_normals, N, {64, 0, 9 + 5 + 3, 1}},
    /* 15 nodes and 6 factors of each of two quadratics, three Newton steps of five pairs a node */
    {"fusion_bend", run_bend, 1, {100, 0, 15 * (15 + 12) + 60, 15 * 4}},
    /* two Newton steps, a turn and two pixels; a bilinear depth, the ray's depth, two variances */
    {"fusion_sight", run_sight, N, {32 + 8, 1, 10 + 12 + 8 + 12, 2 + 0.5 + 2}},
    /* two quadratics of five pairs in place of the Newton steps and the ray's depth */
    {"fusion_sight_bent", run_sight_bent, N, {32 + 8, 1, 2 * 5 + 3 + 12 + 8 + 8, 0.5 + 1}},
    /* of each view: three rounds of a weight and two sums, the misfit */
    {"fusion_settle", run_settle, N, {8 * VIEWS + 16, 0, VIEWS *(3 * 4 + 3), 1.5}},
    {"fusion_spread", run_spread, N, {4 * 4 + 1 + 8 + 1, 0, 5, 0.5}},
    {"fusion_keep", run_keep, N, {4 * 4 + 1 + 2, 0, 6, 0}},
    /* 64 bytes of sums and 8 of a place; three voxel numbers, 12 products, the hash */
    {"fusion_arrive", run_arrive, N, {28 + 6 + 72, 0, 3 * 4 + 12 + 12, 0}},
};

/* ---- undistortion ---------------------------------------------------------------------------- */

static void run_pinhole(const void *kernels, const void *data, void *result) {
    Result *r = result;
    ((const AqmRemapKernels *)kernels)
        ->pinhole(&((const Data *)data)->lens, -0.1, 1.0 / 560, 0.2, N, r->raw[0], r->raw[1]);
}

static AqmFootprints footprints_of(const int32_t *rows) {
    int32_t *r = (int32_t *)(uintptr_t)rows; /* the data's are only read */
    return (AqmFootprints){r, r + N};
}

static void run_footprints(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmFootprints out = footprints_of(((Result *)result)->footprint[0]);
    ((const AqmRemapKernels *)kernels)->footprints(d->raw[0], d->raw[1], N, WIDTH, HEIGHT, &out);
}

static void run_between(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmFootprints out = footprints_of(((Result *)result)->footprint[0]);
    (void)((const AqmRemapKernels *)kernels)
        ->between(d->knots[0], d->knots[1], N / AQM_REMAP_CELL, WIDTH, HEIGHT, &out);
}

static void run_sample3(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    const AqmFootprints at = footprints_of(d->footprint[0]);
    const AqmRemapImage image = {d->image[0], 3 * WIDTH, sizeof d->image, WIDTH, HEIGHT};
    ((const AqmRemapKernels *)kernels)->sample3(&image, &at, N, ((Result *)result)->pixels);
}

static const BenchCase remap_cases[] = {
    /* in double precision; without a denominator */
    {"remap_pinhole", run_pinhole, N, {32, 0, 2 * 12, 0}},
    {"remap_footprints", run_footprints, N, {32 + 16, 0, 2 * 2 + 4, 0}},
    /* two cubics and what is inside; a sixteenth of the cubics themselves */
    {"remap_between", run_between, N, {2 + 16, 0, 2 * 3 + 4 + 1, 0}},
    /* two pixels of three bytes above each other; weights shared by the channels */
    {"remap_sample3", run_sample3, N, {16 + 12 + 3, 2, 4 + 3 * 2, 0}},
};

/* ---- data ------------------------------------------------------------------------------------ */

static AqmSightCamera camera_at(float x) {
    return (AqmSightCamera){.R = {0.98f, 0, 0.199f, 0, 1, 0, -0.199f, 0, 0.98f},
                            .C = {x, 0.1f},
                            .water_z = 0.98f,
                            .h_c = 0.98f,
                            .n = 1.333f,
                            .fx = 560,
                            .fy = 560,
                            .cx = 320,
                            .cy = 240};
}

/* A bed of constant Z but for 0.1 mm of noise, seen along the rays. */
static void fill_points(Data *d, AqmRng *rng) {
    for (int k = 0; k < N; k++) {
        d->descent[k] = d->here.rows[4][k];
        d->depth[k] = (bed + 1e-4f * (float)aqm_rng_normal(rng)) / d->descent[k];
        d->position[0][k] =
            d->cameras[0].C[0] + d->here.rows[0][k] + d->depth[k] * d->here.rows[2][k];
        d->position[1][k] =
            d->cameras[0].C[1] + d->here.rows[1][k] + d->depth[k] * d->here.rows[3][k];
        d->position[2][k] = d->cameras[0].water_z + d->depth[k] * d->descent[k];
        d->normal[2][k] = -1.0f, d->facing[k] = -d->descent[k];
        d->confidence[k] = 0.5f + 0.5f * (float)aqm_rng_uniform(rng);
        d->deviation[k] = 2e-4f, d->variance[k] = 4e-8f, d->own[k] = 2.5e7f;
        d->slopes[0][k] = 1e-4f, d->slopes[1][k] = -1e-4f;
        d->shift[k] = 1e-4f * (float)aqm_rng_normal(rng);
        d->count[k] = (uint8_t)(2 + aqm_rng_u32(rng) % 8);
        d->codes[k] = 40;
        for (int v = 0; v < VIEWS; v++) {
            d->beyond[v][k] = (k + v) % 5 ? 2e-4f * (float)aqm_rng_normal(rng) : NAN;
            d->weight[v][k] = (k + v) % 5 ? 1e7f : 0.0f;
        }
    }
}

/* What the second camera shows of the bed: in every texel the depth straight on, near enough. */
static void fill_map(Data *d) {
    const AqmFusionKernels *kernels = &aqm_fusion_kernels_reference;
    static const AqmPackRules rules = {0.1f, 2e-4f};
    Rays rays;
    float depth[N], confidence[N], deviation[N];
    const AqmRayRow out = row_of(&rays);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x += N) {
            kernels->rays(&d->cameras[1], (float)x, (float)y, N, &out);
            for (int k = 0; k < N; k++)
                depth[k] = bed / rays.rows[4][k], confidence[k] = 0.9f, deviation[k] = 2e-4f;
            const AqmDepthRow row = {depth, confidence, deviation};
            kernels->pack(&row, &rules, N, d->texels + (size_t)(y + 1) * MAP_PITCH + 1 + (size_t)x);
        }
}

static void fill(Data *d) {
    AqmRng rng = aqm_rng(53, 0);
    memset(d, 0, sizeof *d);
    d->cameras[0] = camera_at(-0.2f), d->cameras[1] = camera_at(0.1f);
    const AqmRayRow here = row_of(&d->here), below = row_of(&d->below);
    aqm_fusion_kernels_reference.rays(&d->cameras[0], 300.0f, 240.0f, N + AQM_FUSION_LANES, &here);
    aqm_fusion_kernels_reference.rays(&d->cameras[0], 300.0f, 241.0f, N + AQM_FUSION_LANES, &below);
    fill_points(d, &rng);
    fill_map(d);
    for (int k = 0; k < PITCH * PITCH; k++)
        d->patch[k / PITCH][k % PITCH] =
            bed + 1e-4f * (float)(k % PITCH) + 5e-5f * (float)aqm_rng_normal(&rng);
    for (int k = 0; k <= AQM_FUSION_VIEWS_MAX; k++)
        d->share[k] = 1.0f / (float)(k + 1), d->doubt[k] = 0.3f / (float)(k + 1);
    float r2[2] = {INFINITY, 0.0f};
    for (int k = 0; k < N; k++) {
        const float x = d->position[0][k] - d->cameras[1].C[0];
        const float y = d->position[1][k] - d->cameras[1].C[1], square = x * x + y * y;
        r2[0] = fminf(r2[0], square), r2[1] = fmaxf(r2[1], square);
    }
    const float h[2] = {bed - 0.001f, bed + 0.001f};
    (void)aqm_fusion_kernels_reference.bend(&d->cameras[1], r2, h, &d->bend);
    d->lens = (AqmRemapLens){{-0.2, 0.05, 1e-4, -2e-4, 0.0}, 560, 320, 560, 240, 4.0};
    for (int k = 0; k < HEIGHT * 3 * WIDTH; k++)
        d->image[k / (3 * WIDTH)][k % (3 * WIDTH)] = (uint8_t)(256.0 * aqm_rng_uniform(&rng));
    const AqmFootprints out = footprints_of(d->footprint[0]);
    aqm_remap_kernels_reference.pinhole(&d->lens, -0.1, 1.0 / 560, 0.2, N, d->raw[0], d->raw[1]);
    aqm_remap_kernels_reference.pinhole(&d->lens, -0.1 - 2.0 * AQM_REMAP_CELL / 560,
                                        AQM_REMAP_CELL / 560.0, 0.2, N / AQM_REMAP_CELL + 5,
                                        d->knots[0], d->knots[1]);
    aqm_remap_kernels_reference.footprints(d->raw[0], d->raw[1], N, WIDTH, HEIGHT, &out);
}

bool bench_all_fusion(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmFusionKernels *fusion = aqm_fusion_kernels(aqm_cpu_features());
        const AqmRemapKernels *remap = aqm_remap_kernels(aqm_cpu_features());
        const BenchFamily families[2] = {
            {&aqm_fusion_kernels_reference, fusion, fusion->name, data, results, sizeof *results},
            {&aqm_remap_kernels_reference, remap, remap->name, data, results, sizeof *results}};
        fill(data);
        is_good = bench_family(options, &families[0], fusion_cases,
                               sizeof fusion_cases / sizeof fusion_cases[0]) &&
                  bench_family(options, &families[1], remap_cases,
                               sizeof remap_cases / sizeof remap_cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
