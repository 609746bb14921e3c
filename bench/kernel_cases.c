/* Each kernel on rows as the sweep gives them: a tile's width with the halo of an 11 x 11 window.
 * A variant is first compared with the reference, then timed. */
#include <assert.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bench.h"
#include "kernels/window_stats.h"
#include "math/rng.h"

enum {
    WINDOW = 11,
    N = 192,     /* windows of a row */
    PITCH = 208, /* columns of a row */
    IMAGE_W = 640,
    IMAGE_H = 480,
    STRIDE = 656,
    SOURCES = 4,
    MANY = 8, /* sources of the second case of join */
    TILE_ROWS = 96,
};

/* Aligned as the sweep's rows are. */
typedef struct Data {
    alignas(64) int16_t image[(IMAGE_H + 1) * STRIDE]; /* present everywhere */
    alignas(64) int16_t holed[(IMAGE_H + 1) * STRIDE];
    alignas(64) uint32_t pairs[IMAGE_H * STRIDE];
    alignas(64) uint32_t holed_pairs[IMAGE_H * STRIDE];
    alignas(64) float u[PITCH];
    alignas(64) float v[PITCH];
    AqmShift shifts[PITCH / AQM_ROW_MULTIPLE];
    alignas(64) int16_t i_new[PITCH]; /* some missing */
    alignas(64) int16_t j_new[PITCH];
    alignas(64) int16_t i_old[PITCH];
    alignas(64) int16_t j_old[PITCH];
    alignas(64) int16_t mean[N];
    alignas(64) int16_t rest[N];
    alignas(64) float variance[N];
    alignas(64) float inverse[N];
    alignas(64) double X[PITCH];
    alignas(64) double Y[PITCH];
    alignas(64) double Z[PITCH];
    float knots[4][PITCH / 8 + 1];
    alignas(64) int16_t scores[MANY][N];
    alignas(64) int32_t masked[6][PITCH]; /* sums of a window's height */
    alignas(64) int32_t whole[6][PITCH];
    alignas(64) int16_t tile_mean[TILE_ROWS * N]; /* each row the same */
    alignas(64) int16_t tile_rest[TILE_ROWS * N];
    alignas(64) float tile_variance[TILE_ROWS * N];
    alignas(64) float tile_inverse[TILE_ROWS * N];
    void *room; /* of a whole tile */
} Data;

/* What a kernel writes; a case uses what it needs. */
typedef struct Result {
    alignas(64) float u[PITCH];
    alignas(64) float v[PITCH];
    alignas(64) float values[N];
    alignas(64) float inverse[N];
    alignas(64) int16_t score[N];
    alignas(64) int16_t sample[AQM_ROW_MULTIPLE * PITCH];
    alignas(64) int32_t sums[6][PITCH];
    alignas(64) int16_t peaks[7][N]; /* the last: planes */
    uint32_t gaps[2];
    int16_t rest[N];
    alignas(64) int16_t tile[2][TILE_ROWS * N];
} Result;

typedef struct Job {
    const AqmKernels *kernels;
    const Data *data;
    Result *result;
    int32_t *scratch;
    void (*run)(const struct Job *job);
} Job;

static AqmColumnSums sums_of(int32_t block[6][PITCH]) {
    return (AqmColumnSums){.j = block[0],
                           .jj = block[1],
                           .ij = block[2],
                           .count = block[3],
                           .i = block[4],
                           .ii = block[5]};
}

/* The kernels only read through it here. */
static AqmColumnSums given_sums(const int32_t block[6][PITCH]) {
    return sums_of((int32_t(*)[PITCH])(uintptr_t)block);
}

static void run_project(const Job *job) {
    static const AqmProjector p = {.R = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                                   .fx = 1400,
                                   .fy = 1400,
                                   .cx = 800,
                                   .cy = 600,
                                   .water_z = 0.98,
                                   .n = 1.333};
    const Data *d = job->data;
    job->kernels->project(&p, d->X, d->Y, d->Z, PITCH, job->result->u, job->result->v);
}

static void run_spread(const Job *job) {
    const Data *d = job->data;
    job->kernels->spread(d->knots[0], d->knots[1], 0.375f, PITCH / 8, job->result->u);
}

static void run_sample(const Job *job) {
    const AqmGray gray = {job->data->image, job->data->pairs, STRIDE, IMAGE_W, IMAGE_H};
    job->kernels->sample(&gray, job->data->u, job->data->v, PITCH, job->result->sample);
}

static void run_sample_masked(const Job *job) {
    const AqmGray gray = {job->data->holed, job->data->holed_pairs, STRIDE, IMAGE_W, IMAGE_H};
    job->kernels->sample_masked(&gray, job->data->u, job->data->v, PITCH, job->result->sample);
}

static void run_shift(const Job *job) {
    const Data *d = job->data;
    job->kernels->shift(d->image, STRIDE, d->shifts, PITCH, AQM_ROW_MULTIPLE, job->result->sample,
                        PITCH);
}

static void run_shift_masked(const Job *job) {
    const Data *d = job->data;
    job->kernels->shift_masked(d->holed, STRIDE, d->shifts, PITCH, AQM_ROW_MULTIPLE,
                               job->result->sample, PITCH);
}

static void run_gaps(const Job *job) {
    job->result->gaps[0] = job->kernels->gaps(job->data->image, PITCH);
    job->result->gaps[1] = job->kernels->gaps(job->data->holed, PITCH);
}

/* There and back again, so that the sums never grow. */
static void run_columns(const Job *job) {
    const AqmColumnSums sums = sums_of(job->result->sums);
    const int16_t *row = job->data->image;
    job->kernels->columns(row, row + STRIDE, row + 2 * STRIDE, row + 3 * STRIDE, PITCH, &sums);
    job->kernels->columns(row + 2 * STRIDE, row + 3 * STRIDE, row, row + STRIDE, PITCH, &sums);
    job->kernels->columns(row, row + STRIDE, row + 2 * STRIDE, row + 3 * STRIDE, PITCH, &sums);
    job->kernels->columns(row + 2 * STRIDE, row + 3 * STRIDE, row, row + STRIDE, PITCH, &sums);
}

static void run_columns_masked(const Job *job) {
    const Data *d = job->data;
    const AqmColumnSums sums = sums_of(job->result->sums);
    for (int k = 0; k < 2; k++) {
        job->kernels->columns_masked(d->i_new, d->j_new, d->i_old, d->j_old, PITCH, &sums);
        job->kernels->columns_masked(d->i_old, d->j_old, d->i_new, d->j_new, PITCH, &sums);
    }
}

static AqmReferenceStats stats_of(const Data *d) {
    return (AqmReferenceStats){d->mean, d->rest, d->variance, d->inverse};
}

static void run_ncc(const Job *job) {
    const AqmColumnSums sums = given_sums(job->data->whole);
    const AqmReferenceStats stats = stats_of(job->data);
    job->kernels->ncc(&sums, &stats, WINDOW, N, job->scratch, job->result->score);
}

static void run_statistics(const Job *job) {
    const AqmColumnSums sums = given_sums(job->data->whole);
    Result *r = job->result;
    const AqmWindowRow row = {r->sample, r->rest, r->values, r->inverse};
    job->kernels->statistics(&sums, WINDOW, N, job->scratch, &row);
}

static AqmWholeTile whole_tile(const Data *d) {
    return (AqmWholeTile){
        .i = d->image,
        .pitch = STRIDE,
        .width = N,
        .height = TILE_ROWS,
        .window = WINDOW,
        .score_pitch = N,
        .reference = {d->tile_mean, d->tile_rest, d->tile_variance, d->tile_inverse},
        .room = d->room};
}

/* What was loaded serves all planes and sources, so it is not timed. */
static void run_whole_ncc(const Job *job) {
    const AqmWholeTile tile = whole_tile(job->data);
    const int16_t *const rows[2] = {job->data->image + (size_t)200 * STRIDE,
                                    job->data->image + (size_t)201 * STRIDE};
    int16_t *const scores[2] = {job->result->tile[0], job->result->tile[1]};
    job->kernels->whole_ncc(&tile, rows, job->scratch, scores);
}

static void run_ncc_masked(const Job *job) {
    const AqmColumnSums sums = given_sums(job->data->masked);
    job->kernels->ncc_masked(&sums, WINDOW, 61, N, job->scratch, job->result->score);
}

static void run_ssim(const Job *job) {
    const AqmColumnSums sums = given_sums(job->data->whole);
    const AqmReferenceStats stats = stats_of(job->data);
    job->kernels->ssim(&sums, &stats, WINDOW, N, job->scratch, job->result->score);
}

static void run_ssim_masked(const Job *job) {
    const AqmColumnSums sums = given_sums(job->data->masked);
    job->kernels->ssim_masked(&sums, WINDOW, 61, N, job->scratch, job->result->score);
}

static void join(const Job *job, size_t sources) {
    const int16_t *rows[MANY];
    for (size_t s = 0; s < sources; s++)
        rows[s] = job->data->scores[s];
    job->kernels->join(rows, sources, N, job->result->score);
}

static void run_join(const Job *job) {
    join(job, SOURCES);
}

static void run_join_many(const Job *job) {
    join(job, MANY);
}

static void run_track(const Job *job) {
    Result *r = job->result;
    const AqmPeaks peaks = {r->peaks[0], r->peaks[1], r->peaks[2], r->peaks[3],
                            r->peaks[4], r->peaks[6], r->peaks[5]};
    job->kernels->track(job->data->scores[0], N, 2, SOURCES, 2, N, &peaks);
}

/* ---- data ------------------------------------------------------------------------------------ */

static int16_t random_gray(AqmRng *rng) {
    return (int16_t)((int)(aqm_rng_u32(rng) % 2048) - 1024);
}

static int16_t random_holed(AqmRng *rng) {
    return aqm_rng_u32(rng) % 20 == 0 ? AQM_GRAY_MISSING : random_gray(rng);
}

/* Sums of a window's height, and of the full reference windows, by definition. */
static void fill_sums(Data *d) {
    for (int r = 0; r < WINDOW; r++)
        for (int c = 0; c < PITCH; c++) {
            const int i = d->image[r * STRIDE + c], j = d->image[(r + 1) * STRIDE + c];
            const int own[6] = {j, j * j, i * j, 1, i, i * i};
            const bool has = d->holed[r * STRIDE + c] != AQM_GRAY_MISSING;
            for (int k = 0; k < 6; k++) {
                d->whole[k][c] += own[k];
                d->masked[k][c] += has ? own[k] : 0;
            }
        }
    for (int x = 0; x < N; x++) {
        int32_t sum = 0, squares = 0;
        for (int c = x; c < x + WINDOW; c++) {
            sum += d->whole[4][c];
            squares += d->whole[5][c];
        }
        const AqmWindowStats s =
            aqm_window_stats(sum, squares, WINDOW * WINDOW, 1.0f / (WINDOW * WINDOW));
        d->mean[x] = (int16_t)s.mean;
        d->rest[x] = (int16_t)s.rest;
        d->variance[x] = s.variance;
        d->inverse[x] = aqm_inverse_deviation(s.variance, aqm_flat_variance(WINDOW * WINDOW));
    }
    for (int k = 0; k < TILE_ROWS * N; k++) {
        d->tile_mean[k] = d->mean[k % N];
        d->tile_rest[k] = d->rest[k % N];
        d->tile_variance[k] = d->variance[k % N];
        d->tile_inverse[k] = d->inverse[k % N];
    }
}

static uint32_t pair_of(const int16_t *image, int k) {
    return (uint16_t)image[k] | (uint32_t)(uint16_t)image[k + STRIDE] << 16;
}

static void fill(Data *d) {
    AqmRng rng = aqm_rng(1, 1);
    memset(d, 0, sizeof *d);
    for (size_t k = 0; k < sizeof d->image / sizeof d->image[0]; k++) {
        d->image[k] = random_gray(&rng);
        d->holed[k] = aqm_rng_u32(&rng) % 50 == 0 ? AQM_GRAY_MISSING : d->image[k];
    }
    for (int k = 0; k < IMAGE_H * STRIDE; k++) {
        d->pairs[k] = pair_of(d->image, k);
        d->holed_pairs[k] = pair_of(d->holed, k);
    }
    for (int c = 0; c < PITCH; c++) { /* a row through the source, slightly turned and shrunk */
        d->u[c] = 100.3f + 0.97f * (float)c;
        d->v[c] = 200.6f + 0.04f * (float)c;
        d->i_new[c] = random_holed(&rng);
        d->j_new[c] = random_holed(&rng);
        d->i_old[c] = random_holed(&rng);
        d->j_old[c] = random_holed(&rng);
        d->X[c] = aqm_rng_uniform(&rng) - 0.5;
        d->Y[c] = aqm_rng_uniform(&rng) - 0.5;
        d->Z[c] = 1.0 + 0.5 * aqm_rng_uniform(&rng);
    }
    for (int b = 0; b < PITCH / AQM_ROW_MULTIPLE; b++) /* by some pixels, a little more each */
        d->shifts[b] =
            (AqmShift){203 * STRIDE + 103 + b / 4, (int16_t)(2000 * b), (int16_t)(20000 - 500 * b)};
    for (int k = 0; k < 4; k++)
        for (int c = 0; c <= PITCH / 8; c++)
            d->knots[k][c] = (float)(100.0 + 7.8 * c + aqm_rng_uniform(&rng));
    for (int s = 0; s < MANY; s++)
        for (int x = 0; x < N; x++)
            d->scores[s][x] = aqm_rng_u32(&rng) % 10 == 0
                                  ? AQM_SCORE_MISSING
                                  : aqm_score_of((float)(2.0 * aqm_rng_uniform(&rng) - 1.0));
    fill_sums(d);
}

/* ---- checks and times ------------------------------------------------------------------------ */

/* A case is a line here and a function that runs it. The demands (README.md): bytes, texels,
 * multiply_adds, roots of an item. */
static const struct {
    const char *name;
    void (*run)(const Job *job);
    int items; /* of one run */
    BenchDemand demand;
} cases[] = {
    {"project", run_project, PITCH, {32, 0, 60, 7}},
    {"spread", run_spread, PITCH, {4, 0, 1, 0}},
    {"sample", run_sample, PITCH, {10, 1, 4, 0}},
    {"sample_masked", run_sample_masked, PITCH, {10, 1, 7, 0}},
    {"shift", run_shift, AQM_ROW_MULTIPLE *PITCH, {4, 0, 1.5, 0}},
    {"shift_masked", run_shift_masked, AQM_ROW_MULTIPLE *PITCH, {4, 0, 2.5, 0}},
    {"gaps", run_gaps, 2 * PITCH, {2, 0, 0.25, 0}},
    {"columns", run_columns, 4 * PITCH, {32, 0, 5, 0}},
    {"columns_masked", run_columns_masked, 4 * PITCH, {56, 0, 10, 0}},
    {"statistics", run_statistics, N, {20, 0, 7, 1}},
    {"ncc", run_ncc, N, {22, 0, 14, 1}},
    {"whole_ncc", run_whole_ncc, 2 * TILE_ROWS *N, {74, 0, 19, 1}}, /* columns and ncc in one */
    {"ncc_masked", run_ncc_masked, N, {26, 0, 27, 2}},
    {"ssim", run_ssim, N, {22, 0, 21, 0.5}},
    {"ssim_masked", run_ssim_masked, N, {26, 0, 34, 1}},
    {"join", run_join, N, {2 * SOURCES + 2, 0, SOURCES, 0}},
    {"join_8", run_join_many, N, {2 * MANY + 2, 0, 2.25 * MANY, 0}},
    {"track", run_track, SOURCES *N, {28.0 / SOURCES + 2, 0, 5, 0}},
};

BenchDemand bench_demand(const char *kernel) {
    size_t c = 0;
    while (strcmp(cases[c].name, kernel) != 0) {
        c++;
        assert(c < sizeof cases / sizeof cases[0]);
    }
    return cases[c].demand;
}

static void clear(Result *result) {
    memset(result, 0, sizeof *result);
    for (int x = 0; x < N; x++) {
        for (int k = 0; k < 6; k++)
            result->peaks[k][x] = AQM_SCORE_MISSING;
        result->peaks[6][x] = -1;
    }
}

static bool are_near(const float *a, const float *b, size_t n, double bound) {
    for (size_t k = 0; k < n; k++)
        if (!(fabs((double)a[k] - (double)b[k]) <= bound))
            return false;
    return true;
}

/* Bit for bit; positions within a rounding at 1000 px. */
static bool agree(const Result *a, const Result *b) {
    return memcmp(a->sample, b->sample, sizeof a->sample) == 0 &&
           memcmp(a->gaps, b->gaps, sizeof a->gaps) == 0 &&
           memcmp(a->sums, b->sums, sizeof a->sums) == 0 &&
           memcmp(a->rest, b->rest, sizeof a->rest) == 0 &&
           memcmp(a->peaks, b->peaks, sizeof a->peaks) == 0 &&
           memcmp(a->score, b->score, sizeof a->score) == 0 &&
           memcmp(a->tile, b->tile, sizeof a->tile) == 0 && are_near(a->u, b->u, PITCH, 1.3e-4) &&
           are_near(a->v, b->v, PITCH, 1.3e-4) && are_near(a->values, b->values, N, 0.0) &&
           are_near(a->inverse, b->inverse, N, 0.0);
}

static void run_job(void *user) {
    const Job *job = user;
    job->run(job);
}

/* Columns leave nothing behind when they went there and back: there alone tells more. */
static void run_once(const Job *job, bool is_masked) {
    const AqmColumnSums sums = sums_of(job->result->sums);
    const Data *d = job->data;
    const int16_t *row = d->image;
    if (is_masked)
        job->kernels->columns_masked(d->i_new, d->j_new, d->i_old, d->j_old, PITCH, &sums);
    else
        job->kernels->columns(row, row + STRIDE, row + 2 * STRIDE, row + 3 * STRIDE, PITCH, &sums);
}

static void run_for_check(const Job *job) {
    clear(job->result);
    job->run(job);
    if (job->run == run_columns || job->run == run_columns_masked)
        run_once(job, job->run == run_columns_masked);
}

static bool run_case(size_t c, const Data *data, int32_t *scratch, Result *results, int repeats) {
    const AqmKernels *variants[AQM_KERNEL_TABLES];
    const int count = aqm_kernel_tables(aqm_cpu_features(), variants);
    double reference_ns = 0.0;
    for (int k = 0; k < count; k++) {
        Job job = {variants[k], data, &results[k > 0], scratch, cases[c].run};
        const AqmWholeTile tile = whole_tile(data);
        if (job.run == run_whole_ncc)
            variants[k]->whole_load(&tile);
        run_for_check(&job);
        if (k > 0 && !agree(&results[0], &results[1])) {
            fprintf(stderr, "%s: %s differs from the reference\n", cases[c].name,
                    variants[k]->name);
            return false;
        }
        job.result = &results[1];
        const double ns = bench_row(cases[c].name, variants[k]->name, run_job, &job, cases[c].items,
                                    cases[c].demand, reference_ns, repeats);
        reference_ns = k == 0 ? ns : reference_ns;
    }
    return true;
}

bool bench_all_kernels(const BenchOptions *options) {
    Data *data = aligned_alloc(64, sizeof *data);
    Result *results = aligned_alloc(64, 2 * sizeof *results);
    const size_t row = 8 * (size_t)(PITCH + WINDOW + AQM_ROW_MULTIPLE), sums = 3 * (size_t)STRIDE;
    int32_t *scratch = malloc((row + sums) * sizeof *scratch);
    const size_t room = (aqm_whole_room(N, TILE_ROWS, WINDOW) + 63) / 64 * 64;
    bool is_good = data && results && scratch;
    if (is_good) {
        fill(data);
        data->room = aligned_alloc(64, room);
        is_good = data->room != NULL;
    }
    for (size_t c = 0; is_good && c < sizeof cases / sizeof cases[0]; c++)
        is_good = !bench_is_wanted(options, cases[c].name) ||
                  run_case(c, data, scratch, results, options->repeats);
    if (data && results && scratch)
        free(data->room);
    free(data);
    free(results);
    free(scratch);
    return is_good;
}
