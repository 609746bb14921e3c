/* From a cloud to samples: cube, sorting, averaging.
 *
 * The cube is 1.1 times as long as the longest side of the points' bounding box and has its centre;
 * a stray point a kilometre off would make all cells metres large, so the box is that of the points
 * near the bulk of them. The bulk is known from percentiles of at most 65 536 points.
 *
 * Points are sorted by the Morton code of cells half as large as the finest (radix sort, in chunks
 * whose number does not depend on that of the threads, so that neither does the order), and those
 * of one such cell are averaged: the octree cannot tell them apart, and all that follows works on
 * at most a few hundred thousand samples where the cloud has millions of points. A mean over half a
 * cell of width s on a surface of curvature k is off by k s^2 / 24: for 5 mm waves of 50 mm and s =
 * 1 mm, 0.003 mm.
 *
 * Cost: about 60 ns a point. Memory while sorting: 24 bytes a point. */
#include "stages/surface/poisson_points.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"

enum { CHUNKS = 32, MOST_DIGITS = 2048, DIGIT_BITS = 11, BULK_POINTS = 65536 };

static const double BULK_SHARE = 0.01, BULK_MARGIN = 0.5, CUBE_SCALE = 1.1;
/* Coordinates beyond this are outliers wherever the bulk is: their squares are not finite. */
static const float FARTHEST = 1e18f;

typedef struct Box {
    double low[3], high[3];
} Box;

/* Keys and which point each is of, to be sorted; the second pair of arrays is scratch. */
typedef struct Sorting {
    size_t count;
    uint64_t *keys, *keys_scratch;
    uint32_t *order, *order_scratch;
} Sorting;

static bool is_usable(const AqmCloud *cloud, size_t i) {
    const float *p = cloud->position + 3 * i, *n = cloud->normal + 3 * i;
    const float length2 = n[0] * n[0] + n[1] * n[1] + n[2] * n[2];
    return fabsf(p[0]) <= FARTHEST && fabsf(p[1]) <= FARTHEST && fabsf(p[2]) <= FARTHEST &&
           length2 > 1e-12f && length2 <= 1e12f;
}

static bool is_inside(const Box *box, const float *p) {
    for (int k = 0; k < 3; k++)
        if (!((double)p[k] >= box->low[k] && (double)p[k] <= box->high[k]))
            return false;
    return true;
}

static size_t chunk_start(size_t count, size_t chunk) {
    return count / CHUNKS * chunk + (chunk < count % CHUNKS ? chunk : count % CHUNKS);
}

/* ---- the cube -------------------------------------------------------------------------------- */

static size_t count_usable(const AqmCloud *cloud, int threads) {
    size_t sum = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : sum)
    for (size_t i = 0; i < cloud->count; i++)
        sum += is_usable(cloud, i);
    return sum;
}

/* Coordinates of about BULK_POINTS usable points, one of every `stride`, which one of them by a
 * hash: a fixed one would be blind to a cloud in rows. values[k * BULK_POINTS + i]. */
static size_t pick_points(const AqmCloud *cloud, size_t usable, float *values) {
    const size_t stride = (usable + BULK_POINTS - 1) / BULK_POINTS;
    size_t ordinal = 0, picked = 0;
    for (size_t i = 0; i < cloud->count; i++) {
        if (!is_usable(cloud, i))
            continue;
        const uint64_t jitter = (ordinal / stride + 1) * 0x9e3779b97f4a7c15u >> 32;
        if (ordinal % stride == jitter % stride) {
            for (size_t k = 0; k < 3; k++)
                values[k * BULK_POINTS + picked] = cloud->position[3 * i + k];
            picked++;
        }
        ordinal++;
    }
    return picked;
}

/* The box of the percentiles, widened. */
static AqmStatus find_bulk(const AqmCloud *cloud, size_t usable, Box *bulk, AqmDiag *diag) {
    float *values = aqm_alloc(3 * BULK_POINTS, sizeof *values);
    if (!values)
        return aqm_fail_memory(diag, "points", 3 * BULK_POINTS, sizeof *values);
    const size_t count = pick_points(cloud, usable, values);
    size_t rank = (size_t)(BULK_SHARE * (double)count);
    if (rank == 0 && count >= 8) /* even a small cloud may have one outlier */
        rank = 1;
    double longest = 0.0;
    for (size_t k = 0; k < 3; k++) {
        float *axis = values + k * BULK_POINTS;
        bulk->low[k] = (double)aqm_select_f32(axis, count, rank);
        bulk->high[k] = (double)aqm_select_f32(axis, count, count - 1 - rank);
        longest = fmax(longest, bulk->high[k] - bulk->low[k]);
    }
    for (int k = 0; k < 3; k++) {
        bulk->low[k] -= BULK_MARGIN * longest;
        bulk->high[k] += BULK_MARGIN * longest;
    }
    aqm_free(values);
    return AQM_OK;
}

/* The bounding box of the usable points inside `bulk`, and how many each chunk has. */
static Box bounds_inside(const AqmCloud *cloud, const Box *bulk, int threads,
                         size_t counts[CHUNKS]) {
    Box boxes[CHUNKS];
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++) {
        boxes[c] = (Box){{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
        counts[c] = 0;
        const size_t end = chunk_start(cloud->count, c + 1);
        for (size_t i = chunk_start(cloud->count, c); i < end; i++) {
            const float *p = cloud->position + 3 * i;
            if (!is_usable(cloud, i) || !is_inside(bulk, p))
                continue;
            counts[c]++;
            for (int k = 0; k < 3; k++) {
                boxes[c].low[k] = fmin(boxes[c].low[k], (double)p[k]);
                boxes[c].high[k] = fmax(boxes[c].high[k], (double)p[k]);
            }
        }
    }
    Box sum = boxes[0];
    for (int c = 1; c < CHUNKS; c++)
        for (int k = 0; k < 3; k++) {
            sum.low[k] = fmin(sum.low[k], boxes[c].low[k]);
            sum.high[k] = fmax(sum.high[k], boxes[c].high[k]);
        }
    return sum;
}

static AqmStatus lay_cube(AqmPoissonPoints *points, const AqmCloud *cloud, Box *bulk, int threads,
                          size_t counts[CHUNKS], AqmDiag *diag) {
    const size_t usable = count_usable(cloud, threads);
    if (usable < 3)
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "%zu of the cloud's %zu points are finite and have a normal: a Poisson "
                        "surface needs at least 3",
                        usable, cloud->count);
    AQM_TRY(find_bulk(cloud, usable, bulk, diag));
    const Box box = bounds_inside(cloud, bulk, threads, counts);
    double longest = 0.0;
    for (int k = 0; k < 3; k++)
        longest = fmax(longest, box.high[k] - box.low[k]);
    points->size_m = CUBE_SCALE * longest;
    if (!(points->size_m > 0.0)) /* also where the bulk is in one place */
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "the cloud's %zu points with a normal lie in one place: no Poisson surface",
                        usable);
    for (int k = 0; k < 3; k++)
        points->origin[k] = 0.5 * (box.low[k] + box.high[k] - points->size_m);
    return AQM_OK;
}

/* ---- sorting --------------------------------------------------------------------------------- */

/* The bits of i with two zeros between each and the next. */
static uint64_t spread_bits(uint64_t i) {
    i = (i | i << 32) & 0x001f00000000ffffu;
    i = (i | i << 16) & 0x001f0000ff0000ffu;
    i = (i | i << 8) & 0x100f00f00f00f00fu;
    i = (i | i << 4) & 0x10c30c30c30c30c3u;
    return (i | i << 2) & 0x1249249249249249u;
}

static void place_of(const AqmPoissonPoints *points, const float *p, float at[3]) {
    for (int k = 0; k < 3; k++)
        at[k] = (float)(((double)p[k] - points->origin[k]) / points->size_m);
}

static uint64_t key_of(const AqmPoissonPoints *points, const float *p) {
    float at[3];
    int32_t cell[3];
    place_of(points, p, at);
    aqm_poisson_cell(at, points->depth + 1, cell);
    return spread_bits((uint64_t)cell[0]) | spread_bits((uint64_t)cell[1]) << 1 |
           spread_bits((uint64_t)cell[2]) << 2;
}

static void make_keys(const AqmPoissonPoints *points, const AqmCloud *cloud, const Box *bulk,
                      const size_t counts[CHUNKS], Sorting *sorting, int threads) {
    size_t starts[CHUNKS], sum = 0;
    for (int c = 0; c < CHUNKS; c++)
        starts[c] = sum, sum += counts[c];
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++) {
        const size_t end = chunk_start(cloud->count, c + 1);
        size_t to = starts[c];
        for (size_t i = chunk_start(cloud->count, c); i < end; i++) {
            const float *p = cloud->position + 3 * i;
            if (!is_usable(cloud, i) || !is_inside(bulk, p))
                continue;
            sorting->keys[to] = key_of(points, p);
            sorting->order[to++] = (uint32_t)i;
        }
    }
}

/* One stable pass by the digit at `shift`; table: CHUNKS x MOST_DIGITS. */
static void sort_by_digit(Sorting *s, int shift, size_t *table, int threads) {
    const uint64_t mask = MOST_DIGITS - 1;
    memset(table, 0, sizeof *table * CHUNKS * MOST_DIGITS);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++) {
        size_t *counts = table + c * MOST_DIGITS;
        for (size_t i = chunk_start(s->count, c); i < chunk_start(s->count, c + 1); i++)
            counts[s->keys[i] >> shift & mask]++;
    }
    size_t sum = 0;
    for (size_t digit = 0; digit < MOST_DIGITS; digit++)
        for (size_t c = 0; c < CHUNKS; c++) {
            const size_t count = table[c * MOST_DIGITS + digit];
            table[c * MOST_DIGITS + digit] = sum;
            sum += count;
        }
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++) {
        size_t *next = table + c * MOST_DIGITS;
        for (size_t i = chunk_start(s->count, c); i < chunk_start(s->count, c + 1); i++) {
            const size_t to = next[s->keys[i] >> shift & mask]++;
            s->keys_scratch[to] = s->keys[i];
            s->order_scratch[to] = s->order[i];
        }
    }
    uint64_t *keys = s->keys;
    uint32_t *order = s->order;
    s->keys = s->keys_scratch, s->keys_scratch = keys;
    s->order = s->order_scratch, s->order_scratch = order;
}

static AqmStatus sort_keys(Sorting *sorting, int depth, int threads, AqmDiag *diag) {
    size_t *table = aqm_alloc((size_t)CHUNKS * MOST_DIGITS, sizeof *table);
    if (!table)
        return aqm_fail_memory(diag, "points", (size_t)CHUNKS * MOST_DIGITS, sizeof *table);
    for (int shift = 0; shift < 3 * (depth + 1); shift += DIGIT_BITS)
        sort_by_digit(sorting, shift, table, threads);
    aqm_free(table);
    return AQM_OK;
}

/* ---- averaging ------------------------------------------------------------------------------- */

/* The start of a chunk moved up to where a new key begins. */
static size_t chunk_of_keys(const Sorting *s, size_t chunk) {
    size_t i = chunk_start(s->count, chunk);
    while (i > 0 && i < s->count && s->keys[i] == s->keys[i - 1])
        i++;
    return i;
}

static AqmPoissonSample average(const AqmPoissonPoints *points, const AqmCloud *cloud,
                                const uint32_t *order, size_t count) {
    double at[3] = {0}, normal[3] = {0};
    for (size_t i = 0; i < count; i++) {
        const float *n = cloud->normal + 3 * (size_t)order[i];
        const double length = sqrt((double)(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]));
        float place[3];
        place_of(points, cloud->position + 3 * (size_t)order[i], place);
        for (int k = 0; k < 3; k++) {
            at[k] += (double)place[k];
            normal[k] += (double)n[k] / length;
        }
    }
    AqmPoissonSample sample = {.mass = (float)count};
    for (int k = 0; k < 3; k++) {
        sample.at[k] = (float)(at[k] / (double)count);
        sample.normal[k] = (float)normal[k];
    }
    return sample;
}

/* Samples of one chunk; counted only where out is NULL. */
static size_t average_chunk(const AqmPoissonPoints *points, const AqmCloud *cloud, const Sorting *s,
                            size_t chunk, AqmPoissonSample *out) {
    const size_t end = chunk_of_keys(s, chunk + 1);
    size_t made = 0;
    for (size_t i = chunk_of_keys(s, chunk), next; i < end; i = next, made++) {
        for (next = i + 1; next < end && s->keys[next] == s->keys[i]; next++)
            ;
        if (out)
            out[made] = average(points, cloud, s->order + i, next - i);
    }
    return made;
}

static AqmStatus average_all(AqmPoissonPoints *points, const AqmCloud *cloud, const Sorting *s,
                             int threads, AqmDiag *diag) {
    size_t starts[CHUNKS + 1] = {0};
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++)
        starts[c + 1] = average_chunk(points, cloud, s, c, NULL);
    for (int c = 0; c < CHUNKS; c++)
        starts[c + 1] += starts[c];
    points->count = starts[CHUNKS];
    points->samples = aqm_alloc(points->count, sizeof *points->samples);
    if (!points->samples)
        return aqm_fail_memory(diag, "samples", points->count, sizeof *points->samples);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < CHUNKS; c++)
        (void)average_chunk(points, cloud, s, c, points->samples + starts[c]);
    return AQM_OK;
}

static AqmStatus sort_and_average(AqmPoissonPoints *points, const AqmCloud *cloud, const Box *bulk,
                                  const size_t counts[CHUNKS], int threads, AqmDiag *diag) {
    Sorting s = {0};
    for (int c = 0; c < CHUNKS; c++)
        s.count += counts[c];
    s.keys = aqm_alloc(s.count, sizeof *s.keys);
    s.keys_scratch = aqm_alloc(s.count, sizeof *s.keys);
    s.order = aqm_alloc(s.count, sizeof *s.order);
    s.order_scratch = aqm_alloc(s.count, sizeof *s.order);
    AqmStatus status = AQM_OK;
    if (!s.keys || !s.keys_scratch || !s.order || !s.order_scratch)
        status = aqm_fail_memory(diag, "points", s.count, 2 * (sizeof *s.keys + sizeof *s.order));
    if (status == AQM_OK) {
        make_keys(points, cloud, bulk, counts, &s, threads);
        status = sort_keys(&s, points->depth, threads, diag);
    }
    aqm_free(s.keys_scratch);
    aqm_free(s.order_scratch);
    if (status == AQM_OK)
        status = average_all(points, cloud, &s, threads, diag);
    aqm_free(s.keys);
    aqm_free(s.order);
    return status;
}

AqmStatus aqm_poisson_points_create(AqmPoissonPoints *out, const AqmCloud *cloud, int depth,
                                    int threads, AqmDiag *diag) {
    if (cloud->count >= UINT32_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a cloud of %zu points: at most %u", cloud->count,
                        UINT32_MAX - 1u);
    AqmPoissonPoints points = {.depth = depth};
    Box bulk;
    size_t counts[CHUNKS];
    AQM_TRY(lay_cube(&points, cloud, &bulk, threads, counts, diag));
    AQM_TRY(sort_and_average(&points, cloud, &bulk, counts, threads, diag));
    *out = points;
    return AQM_OK;
}

void aqm_poisson_points_free(AqmPoissonPoints *points) {
    aqm_free(points->samples);
    points->samples = NULL;
    points->count = 0;
}
