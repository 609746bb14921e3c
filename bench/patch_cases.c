/* The kernels of patches, from which features are described and matches refined, on patches of the
 * sizes used there. */
#include <stdlib.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/patch_kernels.h"
#include "math/rng.h"

enum {
    WIDTH = 256,
    HEIGHT = 200,
    SIDE = 22, /* of the patch a descriptor is made from */
    VALUES = SIDE * SIDE,
    INNER = VALUES - 2 * SIDE - 2,
    SAMPLES = 128 /* of the patch a match is refined with, with what fills its last block */
};

typedef struct Data {
    float level[HEIGHT][WIDTH], patch[VALUES], right[SAMPLES], down[SAMPLES];
    uint8_t image[HEIGHT][WIDTH];
} Data;

typedef struct Result {
    float values[2][VALUES];
} Result;

static void run_grid(const void *kernels, const void *data, void *result) {
    const AqmPatchGrid grid = {.x = 100.3f, .y = 60.7f, .dx = 1.4f, .dy = 0.9f, .side = SIDE};
    const Data *d = data;
    Result *r = result;
    ((const AqmPatchKernels *)kernels)->grid(d->level[0], WIDTH, &grid, r->values[0]);
}

static void run_gradients(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    ((const AqmPatchKernels *)kernels)
        ->gradients(d->patch + SIDE + 1, SIDE, INNER, r->values[0], r->values[1]);
}

static void run_cubic(const void *kernels, const void *data, void *result) {
    const AqmPatchPlace place = {.x = 0.3f, .y = 0.6f, .M = {1.1f, 0.2f, -0.15f, 0.9f}};
    const Data *d = data;
    Result *r = result;
    ((const AqmPatchKernels *)kernels)
        ->cubic(&d->image[100][128], WIDTH, &place, d->right, d->down, SAMPLES, r->values[0]);
}

static const BenchCase cases[] = {
    /* a place, its fractions and three times a value between two */
    {"grid", run_grid, VALUES, {4, 2, 4 + 2 + 3, 0}},
    /* two differences and the sum of their squares; the polynomial; a root and a quotient */
    {"gradients", run_gradients, INNER, {4 * 3 + 8, 0, 3 + 4 + 4, 2}},
    /* a place, its fractions, eight weights of three steps, five sums of four products */
    {"cubic", run_cubic, SAMPLES, {8 + 4, 4, 4 + 2 + 24 + 20, 0}},
};

static void fill(Data *data) {
    AqmRng rng = aqm_rng(33, 0);
    for (int k = 0; k < WIDTH * HEIGHT; k++) {
        data->level[k / WIDTH][k % WIDTH] = (float)aqm_rng_uniform(&rng);
        data->image[k / WIDTH][k % WIDTH] = (uint8_t)(256.0 * aqm_rng_uniform(&rng));
    }
    for (int k = 0; k < VALUES; k++)
        data->patch[k] = (float)aqm_rng_uniform(&rng);
    for (int k = 0; k < SAMPLES; k++)
        data->right[k] = (float)(k % 11 - 5), data->down[k] = (float)(k / 11 - 5);
}

bool bench_all_patches(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmPatchKernels *fastest = aqm_patch_kernels(aqm_cpu_features());
        const BenchFamily family = {
            &aqm_patch_kernels_reference, fastest, fastest->name, data, results, sizeof *results};
        fill(data);
        is_good = bench_family(options, &family, cases, sizeof cases / sizeof cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
