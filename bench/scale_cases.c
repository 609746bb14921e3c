/* The kernels of the scale space that features are sought in, on rows of a picture. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/scale_kernels.h"
#include "math/rng.h"

enum {
    N = 1600,
    MARGIN = AQM_SCALE_BLOCK,
    PITCH = N + 2 * MARGIN,
    RADIUS = 6,
    ROWS = 2 * RADIUS + 1
};

typedef struct Result {
    float row[N];
    uint8_t hits[N / 8];
} Result;

typedef struct Data {
    float values[ROWS][PITCH], weights[RADIUS + 1];
    const float *rows[ROWS];
} Data;

static void run_blur_down(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    ((const AqmScaleKernels *)kernels)->blur_down(d->rows, d->weights, RADIUS, N, r->row);
}

static void run_blur_along(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    ((const AqmScaleKernels *)kernels)->blur_along(d->rows[0], d->weights, RADIUS, N, r->row);
}

static void run_extrema(const void *kernels, const void *data, void *result) {
    const Data *d = data;
    Result *r = result;
    ((const AqmScaleKernels *)kernels)->extrema(d->rows, 0.004f, N, r->hits);
}

static const BenchCase cases[] = {
    {"blur_down", run_blur_down, N, {4 * ROWS + 4, 0, RADIUS + 0.5 * (RADIUS + 1), 0}},
    {"blur_along", run_blur_along, N, {8, 0, RADIUS + 0.5 * (RADIUS + 1), 0}},
    /* largest and smallest of a column once, of three columns once more */
    {"extrema", run_extrema, N, {4 * 9 + 0.125, 0, 8 + 2 + 3, 0}},
};

static void fill(Data *data) {
    static const float weights[RADIUS + 1] = {0.2f, 0.17f, 0.11f, 0.07f, 0.03f, 0.015f, 0.005f};
    AqmRng rng = aqm_rng(31, 0);
    memcpy(data->weights, weights, sizeof weights);
    for (int r = 0; r < ROWS; r++) {
        for (int x = 0; x < PITCH; x++)
            data->values[r][x] = 0.02f * ((float)aqm_rng_uniform(&rng) - 0.5f);
        data->rows[r] = data->values[r] + MARGIN;
    }
}

bool bench_all_scale(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = data && results;
    if (is_good) {
        const AqmScaleKernels *fastest = aqm_scale_kernels(aqm_cpu_features());
        const BenchFamily family = {
            &aqm_scale_kernels_reference, fastest, fastest->name, data, results, sizeof *results};
        fill(data);
        is_good = bench_family(options, &family, cases, sizeof cases / sizeof cases[0]);
    }
    free(data);
    free(results);
    return is_good;
}
