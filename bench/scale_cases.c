/* The kernels of the scale space that features are sought in, on rows of a picture: each variant is
 * first compared with the reference, bit for bit, then timed. */
#include <stdio.h>
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

typedef struct Job {
    const AqmScaleKernels *kernels;
    const float *rows[ROWS];
    float weights[RADIUS + 1];
    Result *result;
    void (*run)(const struct Job *job);
} Job;

static void run_blur_down(const Job *job) {
    job->kernels->blur_down(job->rows, job->weights, RADIUS, N, job->result->row);
}

static void run_blur_along(const Job *job) {
    job->kernels->blur_along(job->rows[0], job->weights, RADIUS, N, job->result->row);
}

static void run_extrema(const Job *job) {
    job->kernels->extrema(job->rows, 0.004f, N, job->result->hits);
}

static const struct {
    const char *name;
    void (*run)(const Job *job);
    BenchDemand demand; /* of a value */
} cases[] = {
    {"blur_down", run_blur_down, {4 * ROWS + 4, 0, RADIUS + 0.5 * (RADIUS + 1), 0}},
    {"blur_along", run_blur_along, {8, 0, RADIUS + 0.5 * (RADIUS + 1), 0}},
    /* largest and smallest of a column once, of three columns once more */
    {"extrema", run_extrema, {4 * 9 + 0.125, 0, 8 + 2 + 3, 0}},
};

static void run_job(void *user) {
    const Job *job = user;
    job->run(job);
}

static bool run_case(size_t c, Job *job, Result *results, int repeats) {
    const AqmScaleKernels *variants[2] = {&aqm_scale_kernels_reference,
                                          aqm_scale_kernels(aqm_cpu_features())};
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
        const double ns = bench_row(cases[c].name, variants[k]->name, run_job, job, N,
                                    cases[c].demand, reference_ns, repeats);
        reference_ns = k == 0 ? ns : reference_ns;
    }
    return true;
}

bool bench_all_scale(const BenchOptions *options) {
    float(*rows)[PITCH] = malloc(ROWS * sizeof *rows);
    Result *results = malloc(2 * sizeof *results);
    bool is_good = rows && results;
    Job job = {.weights = {0.2f, 0.17f, 0.11f, 0.07f, 0.03f, 0.015f, 0.005f}};
    AqmRng rng = aqm_rng(31, 0);
    for (int r = 0; is_good && r < ROWS; r++) {
        for (int x = 0; x < PITCH; x++)
            rows[r][x] = 0.02f * ((float)aqm_rng_uniform(&rng) - 0.5f);
        job.rows[r] = rows[r] + MARGIN;
    }
    for (size_t c = 0; is_good && c < sizeof cases / sizeof cases[0]; c++)
        is_good = !bench_is_wanted(options, cases[c].name) ||
                  run_case(c, &job, results, options->repeats);
    free(rows);
    free(results);
    return is_good;
}
