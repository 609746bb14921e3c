/* The right-hand side: normals spread over the nodes, and their divergence.
 *
 * On level d, side h, a sample of m points with area a each and sum of normals n adds to the vector
 * field V = sum_j V_j phi_j the coefficients V_j = a n phi_j(p) / h^3, phi_j the trilinear hat of
 * node j, on the level that suits the density around it (Kazhdan, Bolitho & Hoppe 2006, section
 * 4.5, who share it between two levels). Stored is W = h V, so that
 *
 *     integral of grad phi_i . V = h sum_j D_ij . W_j,
 *     D = (G x M x M, M x G x M, M x M x G),  G = (1/2, 0, -1/2),  M = (1/6, 2/3, 1/6),
 *
 * and all equations are divided by h. A field of level d acts on finer levels interpolated and on
 * coarser ones through the transposed interpolation, both exact as the spaces are nested; the
 * division by h turns into the factors 1/2. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_system.h"

enum { SPREAD_SIDE = 9, SPREAD_SIZE = 729 };

static void spread_sample(const AqmPoissonSample *sample, int depth, float weight,
                          float out[3][SPREAD_SIZE]) {
    int32_t cell[3];
    float f[3];
    aqm_poisson_cell(sample->at, depth, cell);
    for (int k = 0; k < 3; k++)
        f[k] = sample->at[k] * (float)(1 << depth) - (float)cell[k];
    for (int corner = 0; corner < 8; corner++) {
        const int x = corner & 1, y = corner >> 1 & 1, z = corner >> 2;
        const int at = (((cell[2] & 7) + z) * SPREAD_SIDE + (cell[1] & 7) + y) * SPREAD_SIDE +
                       (cell[0] & 7) + x;
        const float w =
            weight * (x ? f[0] : 1.0f - f[0]) * (y ? f[1] : 1.0f - f[1]) * (z ? f[2] : 1.0f - f[2]);
        for (int k = 0; k < 3; k++)
            out[k][at] += w * sample->normal[k];
    }
}

static bool spread_range(const AqmPoissonPoints *points, AqmSampleRange range, int depth,
                         float out[3][SPREAD_SIZE]) {
    bool any = false;
    for (size_t i = range.first; i < range.end; i++) {
        const AqmPoissonSample *sample = &points->samples[i];
        if (aqm_poisson_sample_level(sample) != depth)
            continue;
        if (!any)
            memset(out, 0, 3 * SPREAD_SIZE * sizeof(float));
        any = true;
        spread_sample(sample, depth, ldexpf(sample->area, 2 * depth), out);
    }
    return any;
}

/* Adds the nodes of a brick's cells to it and to the seven above. */
static void add_spread(AqmPoissonLevel *level, const AqmBrick *brick,
                       const float spread[3][SPREAD_SIZE]) {
    for (int z = 0; z < SPREAD_SIDE; z++)
        for (int y = 0; y < SPREAD_SIDE; y++)
            for (int x = 0; x < SPREAD_SIDE; x++) {
                const uint32_t to = aqm_bricks_near(brick, x, y, z);
                if (to == AQM_NO_BRICK)
                    continue; /* no cell there, so nothing to add */
                const size_t node = (size_t)to * AQM_BRICK_SIZE + aqm_brick_node(x, y, z);
                const int from = (z * SPREAD_SIDE + y) * SPREAD_SIDE + x;
                for (int k = 0; k < 3; k++)
                    level->field[k][node] += spread[k][from];
            }
}

static AqmStatus add_field(AqmPoissonLevel *level, AqmDiag *diag) {
    const size_t nodes = aqm_poisson_nodes(level);
    for (int k = 0; k < 3; k++) {
        level->field[k] = aqm_calloc(nodes, sizeof *level->field[k]);
        if (!level->field[k])
            return aqm_fail_memory(diag, "octree nodes", nodes, sizeof *level->field[k]);
    }
    return AQM_OK;
}

static void free_field(AqmPoissonLevel *level) {
    for (int k = 0; k < 3; k++) {
        aqm_free(level->field[k]);
        level->field[k] = NULL;
    }
}

/* Bricks of one colour, of eight by parity, touch no node in common: their order does not matter.
 */
static AqmStatus spread_level(AqmPoissonLevel *level, const AqmPoissonPoints *points,
                              AqmDiag *diag) {
    bool any = false;
    for (size_t i = 0; i < points->count && !any; i++)
        any = aqm_poisson_sample_level(&points->samples[i]) == level->depth;
    if (!any)
        return AQM_OK;
    AQM_TRY(add_field(level, diag));
    for (int color = 0; color < 8; color++) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
        for (size_t b = 0; b < level->grid.count; b++) {
            const AqmBrick *brick = &level->grid.bricks[b];
            const int parity =
                (brick->at[0] & 1) | (brick->at[1] & 1) << 1 | (brick->at[2] & 1) << 2;
            float spread[3][SPREAD_SIZE];
            if (parity == color && spread_range(points, level->ranges[b], level->depth, spread))
                add_spread(level, brick, (const float(*)[SPREAD_SIZE])spread);
        }
    }
    return AQM_OK;
}

/* ---- divergence ------------------------------------------------------------------------------ */

static const float G[3] = {0.5f, 0.0f, -0.5f};
static const float M[3] = {1.0f / 6.0f, 2.0f / 3.0f, 1.0f / 6.0f};

/* Adds component k's share of D W: the sum over the nine rows around each, then along the row. */
static void add_divergence(const float *halo, int k, float out[AQM_BRICK_SIZE]) {
    const float *along = k == 0 ? G : M;
    for (int row = 0; row < 64; row++) {
        float sums[AQM_HALO_SIDE] = {0};
        for (int near = 0; near < 9; near++) {
            const int y = near % 3, z = near / 3;
            const float weight = (k == 1 ? G : M)[y] * (k == 2 ? G : M)[z];
            const float *from =
                halo + ((row / 8 + z) * AQM_HALO_SIDE + row % 8 + y) * AQM_HALO_SIDE;
            for (int x = 0; weight != 0.0f && x < AQM_HALO_SIDE; x++)
                sums[x] += weight * from[x];
        }
        for (int x = 0; x < 8; x++)
            out[8 * row + x] +=
                along[0] * sums[x] + along[1] * sums[x + 1] + along[2] * sums[x + 2];
    }
}

/* Adds the divergence of a field of this level to its sources. */
static void add_sources(AqmPoissonLevel *level, float *const field[3]) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
    for (size_t b = 0; b < level->grid.count; b++)
        for (int k = 0; k < 3; k++) {
            float halo[AQM_HALO_SIZE];
            aqm_bricks_halo(&level->grid, (uint32_t)b, field[k], halo);
            add_divergence(halo, k, level->source + b * AQM_BRICK_SIZE);
        }
}

static void pass_down(AqmPoissonLevel *coarse, const AqmPoissonLevel *fine) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(coarse->threads)
    for (size_t b = 0; b < coarse->grid.count; b++) {
        float sums[AQM_BRICK_SIZE];
        aqm_poisson_gather(&fine->grid, fine->source, &coarse->grid.bricks[b], sums);
        for (int i = 0; i < AQM_BRICK_SIZE; i++)
            coarse->source[b * AQM_BRICK_SIZE + (size_t)i] += 0.5f * sums[i];
    }
}

/* The field of the coarser level on this one: adds its sources, then the field itself. */
static AqmStatus pass_up(const AqmPoissonLevel *coarse, AqmPoissonLevel *fine, AqmDiag *diag) {
    if (!coarse->field[0])
        return AQM_OK;
    AqmPoissonLevel passed = *fine;
    memset(passed.field, 0, sizeof passed.field);
    const AqmStatus status = add_field(&passed, diag);
    if (status == AQM_OK) {
        for (int k = 0; k < 3; k++) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(fine->threads)
            for (size_t b = 0; b < fine->grid.count; b++) {
                float *to = passed.field[k] + b * AQM_BRICK_SIZE;
                aqm_poisson_refine(&coarse->grid, coarse->field[k], &fine->grid.bricks[b], to);
                for (int i = 0; i < AQM_BRICK_SIZE; i++)
                    to[i] *= 0.5f;
            }
        }
        add_sources(fine, passed.field);
        for (int k = 0; k < 3; k++)
            for (size_t i = 0; fine->field[k] && i < aqm_poisson_nodes(fine); i++)
                passed.field[k][i] += fine->field[k][i];
    }
    for (int k = 0; k < 3; k++) {
        aqm_free(fine->field[k]);
        fine->field[k] = passed.field[k];
    }
    return status;
}

AqmStatus aqm_poisson_field(AqmPoissonTree *tree, const AqmPoissonPoints *points, AqmDiag *diag) {
    for (int d = tree->finest; d >= tree->base; d--) {
        AqmPoissonLevel *level = &tree->levels[d];
        AQM_TRY(spread_level(level, points, diag));
        if (d > tree->base && level->field[0])
            add_sources(level, level->field);
        if (d == tree->finest && d > tree->base)
            free_field(level); /* acts on no finer one */
    }
    for (int d = tree->finest; d > tree->base; d--)
        pass_down(&tree->levels[d - 1], &tree->levels[d]);
    for (int d = tree->base + 1; d <= tree->finest; d++) {
        AQM_TRY(pass_up(&tree->levels[d - 1], &tree->levels[d], diag));
        if (d - 1 > tree->base)
            free_field(&tree->levels[d - 1]);
    }
    if (tree->finest > tree->base)
        free_field(&tree->levels[tree->finest]);
    return AQM_OK;
}
