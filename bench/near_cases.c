/* The kernels of semi-global paths and of matching near a surface, on rows as the cascade gives
 * them: each variant is first compared with the reference, bit for bit, then timed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/near_kernels.h"
#include "kernels/paths_kernels.h"
#include "kernels/window_stats.h"
#include "math/rng.h"

enum {
    N = 192,
    PITCH = 208,
    WINDOW = 7,
    SOURCES = 4,
    LENGTH = 5, /* hypotheses */
    TAPS = 5,
    PLANES = 64,
    PATH_PITCH = PLANES + 2 * AQM_PATH_PAD,
    PATH_ROW = (N + 2) * PATH_PITCH,
    SUMS = 10
};

/* A row that comes in, one that leaves, and column sums. */
typedef struct Pairs {
    int16_t in[3][PITCH], out[3][PITCH];
    int32_t sums[SUMS][PITCH];
} Pairs;

typedef struct Data {
    uint8_t cost[N * PLANES], jump[N], before[3][PATH_ROW], before_least[3][N + 2];
    int16_t mean[N], rest[N];
    uint16_t totals[N * PLANES];
    Pairs whole, gappy;
    float variance[N], fits[SOURCES][3][N], rows[TAPS][N], reach[N];
    int16_t scores[SOURCES * LENGTH * N];
    float knots[12][N / 8 + 1]; /* two rows of six coefficients */
} Data;

/* What a kernel writes; a case uses what it needs. */
typedef struct Result {
    uint8_t now[3][PATH_ROW], now_least[3][N + 2], along[2 * PATH_PITCH], along_least[2];
    uint16_t total[N * PLANES];
    size_t lowest[N];
    int32_t sums[SUMS][PITCH];
    float values[4][N];
} Result;

typedef struct Job {
    const AqmPathKernels *paths;
    const AqmNearKernels *near_by;
    const Data *data;
    Result *result;
    int32_t *scratch;
    void (*run)(const struct Job *job);
} Job;

/* A pass only reads the rows before. */
static AqmPathRow path_row(const uint8_t *cost, const uint8_t *least) {
    return (AqmPathRow){(uint8_t *)(uintptr_t)cost + PATH_PITCH + AQM_PATH_PAD,
                        (uint8_t *)(uintptr_t)least + 1};
}

static void run_aggregate(const Job *job) {
    Result *r = job->result;
    AqmPass pass = {.width = N,
                    .planes = PLANES,
                    .pitch = PATH_PITCH,
                    .step = 1,
                    .jump_one = 8,
                    .jump = job->data->jump,
                    .along = {r->along + AQM_PATH_PAD, r->along_least}};
    for (int k = 0; k < 3; k++) {
        pass.before[k] = path_row(job->data->before[k], job->data->before_least[k]);
        pass.now[k] = path_row(r->now[k], r->now_least[k]);
    }
    job->paths->aggregate(&pass, job->data->cost, r->total);
}

static void run_lowest(const Job *job) {
    for (size_t x = 0; x < N; x++)
        job->result->lowest[x] = job->paths->lowest(job->data->totals + x * PLANES, PLANES);
}

static AqmPairSums pair_sums(int32_t s[SUMS][PITCH]) {
    return (AqmPairSums){s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]};
}

/* There and back again, so that the sums never grow; a third time, which is seen in the result. */
static void move_columns(const Job *job, const Pairs *p, bool is_masked) {
    const AqmPairRow in = {p->in[0], p->in[1], p->in[2]}, out = {p->out[0], p->out[1], p->out[2]};
    memset(job->result->sums, 0, sizeof job->result->sums);
    const AqmPairSums sums = pair_sums(job->result->sums);
    for (int k = 0; k < 3; k++)
        (is_masked ? job->near_by->pair_columns_masked : job->near_by->pair_columns)(
            k == 1 ? &out : &in, k == 1 ? &in : &out, PITCH, &sums);
}

static void run_pair_columns(const Job *job) {
    move_columns(job, &job->data->whole, false);
}

static void run_pair_columns_masked(const Job *job) {
    move_columns(job, &job->data->gappy, true);
}

static AqmPairFit fit_to(float rows[3][N]) {
    return (AqmPairFit){rows[0], rows[1], rows[2]};
}

static void run_pair_fit(const Job *job) {
    const Data *d = job->data;
    const AqmPairSums sums = pair_sums((int32_t(*)[PITCH])(uintptr_t)d->whole.sums); /* only read */
    const AqmReferenceStats stats = {d->mean, d->rest, d->variance, d->variance};
    const AqmPairFit fit = fit_to(job->result->values);
    job->near_by->pair_fit(&sums, &stats, WINDOW, 0.5f, N, job->scratch, &fit);
}

static void run_pair_fit_masked(const Job *job) {
    const AqmPairSums sums = pair_sums((int32_t(*)[PITCH])(uintptr_t)job->data->gappy.sums);
    const AqmPairFit fit = fit_to(job->result->values);
    job->near_by->pair_fit_masked(&sums, WINDOW, WINDOW * WINDOW / 4, 0.5f, N, job->scratch, &fit);
}

static void run_pair_solve(const Job *job) {
    static const AqmPairRules rules = {0.6f, 0.8f, 0.5f, 0.07f, 1.0f, 0.05f, 0.04f, 0.2f, 0.4f};
    AqmPairFit fits[SOURCES];
    Result *r = job->result;
    for (int s = 0; s < SOURCES; s++)
        fits[s] = fit_to((float(*)[N])(uintptr_t)job->data->fits[s]); /* only read */
    job->near_by->pair_solve(fits, SOURCES, &rules, N, r->values[0], r->values[1], r->values[2]);
}

static void run_curve_peak(const Job *job) {
    static const bool is_seen[SOURCES] = {true, true, true, true};
    static const float penalty[LENGTH] = {0.005f, 0.001f, 0.0f, 0.001f, 0.005f};
    const AqmCurves curves = {job->data->scores, is_seen, SOURCES, N, LENGTH, 0.6f, 0.8f, penalty};
    job->near_by->curve_peak(&curves, N, job->result->values[0], job->result->values[1]);
}

static void run_median_row(const Job *job) {
    const Data *d = job->data;
    job->near_by->median_row(d->rows[0], d->rows[1], d->rows[2], N, job->result->values[0]);
}

static void run_bend_row(const Job *job) {
    AqmBentKnots knots = {.down = 0.375f, .scale = 0.1f};
    float *out[4];
    for (size_t k = 0; k < 6; k++) {
        knots.top[k] = job->data->knots[k];
        knots.bottom[k] = job->data->knots[6 + k];
    }
    for (size_t k = 0; k < 4; k++)
        out[k] = job->result->values[k];
    job->near_by->bend_row(&knots, job->data->rows[0], N / 8, 0.25f, out);
}

static void run_mean_row(const Job *job) {
    static const int shift[TAPS] = {-2, -1, 0, 1, 2};
    const float *rows[TAPS];
    for (int k = 0; k < TAPS; k++)
        rows[k] = job->data->rows[k];
    const AqmMeanLine line = {rows, NULL, shift, TAPS, job->data->reach};
    job->near_by->mean_row(&line, N, job->result->values[0], job->result->values[1]);
}

/* ---- data ------------------------------------------------------------------------------------ */

static float uniform(AqmRng *rng, double low, double high) {
    return (float)(low + (high - low) * aqm_rng_uniform(rng));
}

static void fill_paths(Data *d, AqmRng *rng) {
    for (int k = 0; k < N * PLANES; k++)
        d->totals[k] = (uint16_t)(aqm_rng_u32(rng) % 1900);
    for (int k = 0; k < N * PLANES; k++)
        d->cost[k] = (uint8_t)(aqm_rng_u32(rng) % (AQM_COST_MAX + 1));
    memset(d->jump, 60, sizeof d->jump);
    memset(d->before, 255, sizeof d->before);
    for (int k = 0; k < 3 * (N + 2); k++) {
        uint8_t *row = d->before[k / (N + 2)] + k % (N + 2) * PATH_PITCH + AQM_PATH_PAD;
        uint8_t *least = &d->before_least[k / (N + 2)][k % (N + 2)];
        *least = 255;
        for (int p = 0; p < PLANES; p++) {
            row[p] = (uint8_t)(aqm_rng_u32(rng) % 180);
            *least = row[p] < *least ? row[p] : *least;
        }
    }
}

/* Of `gaps` in a hundred pixels, one of the three values is missing. */
static void fill_pairs(Pairs *p, AqmRng *rng, unsigned gaps) {
    for (int k = 0; k < 3 * PITCH; k++)
        for (int is_out = 0; is_out < 2; is_out++) {
            const bool is_missing = aqm_rng_u32(rng) % 300 < gaps;
            const int gray = (int)(aqm_rng_u32(rng) % 2048) - 1024;
            (is_out ? p->out : p->in)[k / PITCH][k % PITCH] =
                (int16_t)(is_missing ? AQM_GRAY_MISSING : gray);
        }
    for (int k = 0; k < WINDOW * PITCH; k++) {
        const int c = k % PITCH, i = (int)(aqm_rng_u32(rng) % 1024) - 512;
        const int a = i + (int)(aqm_rng_u32(rng) % 200), b = i + (int)(aqm_rng_u32(rng) % 200);
        const bool is_present = aqm_rng_u32(rng) % 100 >= gaps;
        const int own[SUMS] = {a, b, a * a, a * b, b * b, i * a, i * b, 1, i, i * i};
        for (int s = 0; is_present && s < SUMS; s++)
            p->sums[s][c] += own[s];
    }
}

static void fill(Data *d) {
    AqmRng rng = aqm_rng(3, 3);
    memset(d, 0, sizeof *d);
    fill_paths(d, &rng);
    fill_pairs(&d->whole, &rng, 0);
    fill_pairs(&d->gappy, &rng, 10);
    for (int x = 0; x < N; x++) {
        d->variance[x] = uniform(&rng, 4e6, 5e6);
        d->reach[x] = 1.0f;
    }
    for (int k = 0; k < SOURCES * 3 * N; k++)
        d->fits[k / (3 * N)][k / N % 3][k % N] = uniform(&rng, 0.0, 1.0);
    for (int k = 0; k < SOURCES * LENGTH * N; k++)
        d->scores[k] = aqm_score_of(uniform(&rng, 0.0, 1.0));
    for (int k = 0; k < 12 * (N / 8 + 1); k++)
        d->knots[k / (N / 8 + 1)][k % (N / 8 + 1)] = uniform(&rng, 100.0, 108.0);
    for (int k = 0; k < TAPS * N; k++)
        d->rows[k / N][k % N] = uniform(&rng, 50.0, 52.0);
}

/* ---- checks and times ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run)(const Job *job);
    int items; /* of one run */
    BenchDemand demand;
} cases[] = {
    /* of bytes: four fit the lane of 32 bits that the demands are counted in */
    {"aggregate", run_aggregate, N *PLANES, {11, 0, 4.5, 0}},
    {"lowest", run_lowest, N *PLANES, {2, 0, 0.25, 0}},
    {"bend_row", run_bend_row, N, {20, 0, 15, 0}},
    /* grays have 16 bits: two fit a lane */
    {"pair_columns", run_pair_columns, 3 * PITCH, {68, 0, 6, 0}},
    {"pair_columns_masked", run_pair_columns_masked, 3 * PITCH, {92, 0, 12, 0}},
    {"pair_fit", run_pair_fit, N, {48, 0, 45, 1.5}},
    {"pair_fit_masked", run_pair_fit_masked, N, {52, 0, 64, 2}},
    {"pair_solve", run_pair_solve, N, {12 * SOURCES + 12, 0, 8 * SOURCES + 6, 0.5 * SOURCES + 1.5}},
    {"curve_peak", run_curve_peak, N, {2 * SOURCES * LENGTH + 8, 0, 2 * SOURCES *LENGTH + 12, 1}},
    /* columns sorted once serve three windows */
    {"median_row", run_median_row, N, {16, 0, 11, 0}},
    {"mean_row", run_mean_row, N, {4 * TAPS + 12, 0, 2.5 * (TAPS - 1), 0.5}},
};

static void run_job(void *user) {
    const Job *job = user;
    job->run(job);
}

static void clear(Result *result) {
    memset(result, 0, sizeof *result);
    memset(result->now, 255, sizeof result->now);
    memset(result->along, 255, sizeof result->along);
}

static bool run_case(size_t c, const Data *data, Result *results, int32_t *scratch, int repeats) {
    const unsigned features = aqm_cpu_features();
    const AqmPathKernels *paths[2] = {&aqm_path_kernels_reference, aqm_path_kernels(features)};
    const AqmNearKernels *near_by[2] = {&aqm_near_kernels_reference, aqm_near_kernels(features)};
    double reference_ns = 0.0;
    for (int k = 0; k < (paths[1] == paths[0] ? 1 : 2); k++) {
        Job job = {paths[k], near_by[k], data, &results[k], scratch, cases[c].run};
        clear(&results[k]);
        job.run(&job);
        if (k > 0 && memcmp(&results[0], &results[1], sizeof results[0]) != 0) {
            fprintf(stderr, "%s: %s differs from the reference\n", cases[c].name, paths[k]->name);
            return false;
        }
        job.result = &results[1];
        const double ns = bench_row(cases[c].name, paths[k]->name, run_job, &job, cases[c].items,
                                    cases[c].demand, reference_ns, repeats);
        reference_ns = k == 0 ? ns : reference_ns;
    }
    return true;
}

bool bench_all_near(const BenchOptions *options) {
    Data *data = malloc(sizeof *data);
    Result *results = malloc(2 * sizeof *results);
    int32_t *scratch = malloc(12 * (size_t)(PITCH + WINDOW + AQM_ROW_MULTIPLE) * sizeof *scratch);
    bool is_good = data && results && scratch;
    if (is_good)
        fill(data);
    for (size_t c = 0; is_good && c < sizeof cases / sizeof cases[0]; c++)
        is_good = !bench_is_wanted(options, cases[c].name) ||
                  run_case(c, data, results, scratch, options->repeats);
    free(data);
    free(results);
    free(scratch);
    return is_good;
}
