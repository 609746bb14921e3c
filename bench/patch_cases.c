/* The kernels of patches, from which features are described and matches refined, on patches of the
 * sizes used there: each variant is first compared with the reference, bit for bit, then timed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

typedef struct Job {
    const AqmPatchKernels *kernels;
    const Data *data;
    Result *result;
    void (*run)(const struct Job *job);
} Job;

static void run_grid(const Job *job) {
    const AqmPatchGrid grid = {.x = 100.3f, .y = 60.7f, .dx = 1.4f, .dy = 0.9f, .side = SIDE};
    job->kernels->grid(job->data->level[0], WIDTH, &grid, job->result->values[0]);
}

static void run_gradients(const Job *job) {
    job->kernels->gradients(job->data->patch + SIDE + 1, SIDE, INNER, job->result->values[0],
                            job->result->values[1]);
}

static void run_cubic(const Job *job) {
    const AqmPatchPlace place = {.x = 0.3f, .y = 0.6f, .M = {1.1f, 0.2f, -0.15f, 0.9f}};
    job->kernels->cubic(&job->data->image[100][128], WIDTH, &place, job->data->right,
                        job->data->down, SAMPLES, job->result->values[0]);
}

static const struct {
    const char *name;
    void (*run)(const Job *job);
    int items;
    BenchDemand demand; /* of a value */
} cases[] = {
    /* a place, its fractions and three times a value between two */
    {"grid", run_grid, VALUES, {4, 2, 4 + 2 + 3, 0}},
    /* two differences and the sum of their squares; the polynomial; a root and a quotient */
    {"gradients", run_gradients, INNER, {4 * 3 + 8, 0, 3 + 4 + 4, 2}},
    /* a place, its fractions, eight weights of three steps, five sums of four products */
    {"cubic", run_cubic, SAMPLES, {8 + 4, 4, 4 + 2 + 24 + 20, 0}},
};

static void run_job(void *user) {
    const Job *job = user;
    job->run(job);
}

static bool run_case(size_t c, Job *job, Result *results, int repeats) {
    const AqmPatchKernels *variants[2] = {&aqm_patch_kernels_reference,
                                          aqm_patch_kernels(aqm_cpu_features())};
    double reference_ns = 0.0;
    for (int k = 0; k < (variants[1] == variants[0] ? 1 : 2); k++) {
        job->kernels = variants[k];
        job->run = cases[c].run;
        job->result = &results[k];
        memset(&results[k], 0, sizeof results[k]);
        job->run(job);
        if (k > 0 && memcmp(&results[0], &results[1], sizeof results[0]) != 0) {
            fprintf(stderr, "%s: %s differs from the reference\n", cases[c].name,
                    variants[k]->name);
            return false;
        }
        const double ns = bench_row(cases[c].name, variants[k]->name, run_job, job, cases[c].items,
                                    cases[c].demand, reference_ns, repeats);
        reference_ns = k == 0 ? ns : reference_ns;
    }
    return true;
}

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
    Job job = {.data = data};
    if (is_good)
        fill(data);
    for (size_t c = 0; is_good && c < sizeof cases / sizeof cases[0]; c++)
        is_good = !bench_is_wanted(options, cases[c].name) ||
                  run_case(c, &job, results, options->repeats);
    free(data);
    free(results);
    return is_good;
}
