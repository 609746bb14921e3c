/* How densely the points lie around each sample, and what follows: the area of the surface that a
 * point stands for and the level of the octree that suits it (Kazhdan, Bolitho & Hoppe 2006,
 * section 4.5).
 *
 * Points are counted in the cells of a level K two above the finest. Around a sample the counts are
 * summed with the weights of a quadratic B-spline at its place. On an even sheet of r points per
 * cell face, in the mean over where the sheet lies between the cells, that is r times the integral
 * of the spline's square against a box, 2/3, so
 *
 *     r = S / (2/3),   area = s_K^2 / r,   depth = K + log2(sqrt(r / samples_per_node)),
 *
 * s_K the side of a cell: cells of that depth hold samples_per_node points. For a given sheet S
 * varies by 15 % with where it lies; that changes the strength of the field, which is the same on
 * both sides of the sheet, and not where it is zero.
 *
 * Where S is below LEAST_SUM the count is too small to say anything and the next coarser level is
 * asked; levels where that would be so nearly everywhere are not looked at. A point stands for no
 * more than a cell of its depth should hold: a stray one that no level suits would otherwise
 * outweigh all else. */
#include <math.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_points.h"

enum {
    COARSER = 2,          /* levels from the finest cells to those that are counted in */
    SAMPLES_PER_BRICK = 8 /* fewer on average, and counts would be too low nearly everywhere */
};

static const float LEAST_SUM = 4.0f;
static const double SHEET_SHARE = 2.0 / 3.0;

typedef struct Counting {
    AqmBrickGrid grid;
    AqmSampleRange *ranges;
    float *counts;
} Counting;

static void brick_of(const AqmPoissonSample *sample, int depth, int32_t brick[3]) {
    aqm_poisson_cell(sample->at, depth, brick);
    for (int k = 0; k < 3; k++)
        brick[k] >>= AQM_BRICK_SHIFT;
}

AqmStatus aqm_poisson_ranges(const AqmPoissonPoints *points, int depth, const AqmBrickGrid *grid,
                             AqmSampleRange **ranges, AqmDiag *diag) {
    AqmSampleRange *result = aqm_calloc(grid->count, sizeof *result);
    if (!result)
        return aqm_fail_memory(diag, "octree bricks", grid->count, sizeof *result);
    int32_t last[3] = {-1, -1, -1}, at[3];
    uint32_t brick = AQM_NO_BRICK;
    for (size_t i = 0; i < points->count; i++) {
        brick_of(&points->samples[i], depth, at);
        if (at[0] != last[0] || at[1] != last[1] || at[2] != last[2]) {
            for (int k = 0; k < 3; k++)
                last[k] = at[k];
            brick = aqm_bricks_find(grid, at[0], at[1], at[2]);
            if (brick != AQM_NO_BRICK)
                result[brick].first = (uint32_t)i;
        }
        if (brick != AQM_NO_BRICK)
            result[brick].end = (uint32_t)i + 1;
    }
    *ranges = result;
    return AQM_OK;
}

static void counting_free(Counting *counting) {
    aqm_bricks_free(&counting->grid);
    aqm_free(counting->ranges);
    aqm_free(counting->counts);
}

/* Counts the points in the cells of a level. On failure the caller frees what is there. */
static AqmStatus count_points(Counting *counting, const AqmPoissonPoints *points, int level,
                              int threads, AqmDiag *diag) {
    int32_t last[3] = {-1, -1, -1}, at[3];
    for (size_t i = 0; i < points->count; i++) {
        uint32_t brick;
        brick_of(&points->samples[i], level, at);
        if (at[0] == last[0] && at[1] == last[1] && at[2] == last[2])
            continue;
        for (int k = 0; k < 3; k++)
            last[k] = at[k];
        AQM_TRY(aqm_bricks_insert(&counting->grid, at[0], at[1], at[2], &brick, diag));
    }
    aqm_bricks_link(&counting->grid, threads);
    AQM_TRY(aqm_poisson_ranges(points, level, &counting->grid, &counting->ranges, diag));
    const size_t cells = counting->grid.count * AQM_BRICK_SIZE;
    counting->counts = aqm_calloc(cells, sizeof *counting->counts);
    if (!counting->counts)
        return aqm_fail_memory(diag, "octree cells", cells, sizeof *counting->counts);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t b = 0; b < counting->grid.count; b++)
        for (size_t i = counting->ranges[b].first; i < counting->ranges[b].end; i++) {
            int32_t cell[3];
            aqm_poisson_cell(points->samples[i].at, level, cell);
            counting->counts[b * AQM_BRICK_SIZE + aqm_brick_node(cell[0], cell[1], cell[2])] +=
                points->samples[i].mass;
        }
    return AQM_OK;
}

/* The weighted sum of the counts around a sample; halo: those of its brick. */
static float sum_around(const AqmPoissonSample *sample, int level, const float *halo) {
    int32_t cell[3];
    float weights[3][3];
    aqm_poisson_cell(sample->at, level, cell);
    for (int k = 0; k < 3; k++) {
        const float f = sample->at[k] * (float)(1 << level) - (float)cell[k];
        weights[k][0] = 0.5f * (1.0f - f) * (1.0f - f);
        weights[k][1] = 0.5f + f * (1.0f - f);
        weights[k][2] = 0.5f * f * f;
        cell[k] &= AQM_BRICK_SIDE - 1;
    }
    float sum = 0.0f;
    for (int z = 0; z < 3; z++)
        for (int y = 0; y < 3; y++) {
            const float *row =
                halo + ((cell[2] + z) * AQM_HALO_SIDE + cell[1] + y) * AQM_HALO_SIDE + cell[0];
            sum += weights[2][z] * weights[1][y] *
                   (weights[0][0] * row[0] + weights[0][1] * row[1] + weights[0][2] * row[2]);
        }
    return sum;
}

static void set_density(AqmPoissonSample *sample, float sum, int level, int finest, int base,
                        double samples_per_node) {
    const double density = fmax((double)sum, 1e-6) / SHEET_SHARE; /* points per cell face */
    const double depth = level + 0.5 * log2(density / samples_per_node);
    sample->depth = (float)fmin(fmax(depth, base), finest);
    const double area = pow(4.0, -level) / density;
    sample->area = (float)fmin(area, pow(4.0, -(double)sample->depth) / samples_per_node);
}

/* Sets the samples that this level can tell, and returns how many it cannot. */
static size_t judge(const Counting *counting, AqmPoissonPoints *points, int level, int base,
                    double samples_per_node, int threads) {
    size_t left = 0;
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads) reduction(+ : left)
    for (size_t b = 0; b < counting->grid.count; b++) {
        float halo[AQM_HALO_SIZE];
        aqm_bricks_halo(&counting->grid, (uint32_t)b, counting->counts, halo);
        for (size_t i = counting->ranges[b].first; i < counting->ranges[b].end; i++) {
            AqmPoissonSample *sample = &points->samples[i];
            if (sample->area > 0.0f)
                continue;
            const float sum = sum_around(sample, level, halo);
            if (sum >= LEAST_SUM || level == 0)
                set_density(sample, sum, level, points->depth, base, samples_per_node);
            else
                left++;
        }
    }
    return left;
}

/* In how many bricks of a level there are samples. */
static size_t count_bricks(const AqmPoissonPoints *points, int level) {
    int32_t last[3] = {-1, -1, -1}, at[3];
    size_t count = 0;
    for (size_t i = 0; i < points->count; i++) {
        brick_of(&points->samples[i], level, at);
        count += at[0] != last[0] || at[1] != last[1] || at[2] != last[2];
        for (int k = 0; k < 3; k++)
            last[k] = at[k];
    }
    return count;
}

AqmStatus aqm_poisson_density(AqmPoissonPoints *points, double samples_per_node, int base_depth,
                              size_t brick_budget, int threads, AqmDiag *diag) {
    size_t left = points->count;
    const size_t useful = 64 + points->count / SAMPLES_PER_BRICK;
    const size_t most = useful < brick_budget ? useful : brick_budget;
    int level = points->depth > COARSER ? points->depth - COARSER : 0;
    while (level > 0 && count_bricks(points, level) > most)
        level--;
    for (; left > 0 && level >= 0; level--) {
        Counting counting = {0};
        const AqmStatus status = count_points(&counting, points, level, threads, diag);
        if (status == AQM_OK)
            left = judge(&counting, points, level, base_depth, samples_per_node, threads);
        counting_free(&counting);
        AQM_TRY(status);
    }
    return AQM_OK;
}
