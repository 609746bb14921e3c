/* Building the octree, finest level first, and passing values between its levels.
 *
 * A "marked" cell is one that must have all its neighbours: a sample's, or a refined one. Of marked
 * cell x the neighbours x - 1 .. x + 1 have two parents along each axis; these eight are refined,
 * hence marked on their level, and so on down to the base. A sheet so lies in the middle of a band
 * of four cells on every level. Cost: about 0.3 us a marked cell. */
#include "stages/surface/poisson_tree.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

/* A level of fewer bricks is done before other threads have woken up. */
enum { THREAD_BRICKS = 512 };

enum { REFINE_SIDE = 5, GATHER_SIDE = 17 };

int aqm_poisson_sample_level(const AqmPoissonSample *sample) {
    return (int)floorf(sample->depth + 0.5f);
}

/* ---- building -------------------------------------------------------------------------------- */

/* Passes `fits` on as false by returning NO_DATA with nothing in diag. */
static AqmStatus add_brick(AqmPoissonTree *tree, int depth, const int32_t cell[3], uint32_t *found,
                           AqmDiag *diag) {
    AqmBrickGrid *grid = &tree->levels[depth].grid;
    const size_t before = grid->count;
    AQM_TRY(aqm_bricks_insert(grid, cell[0] >> AQM_BRICK_SHIFT, cell[1] >> AQM_BRICK_SHIFT,
                              cell[2] >> AQM_BRICK_SHIFT, found, diag));
    tree->brick_count += grid->count - before;
    return tree->brick_count > tree->brick_budget ? AQM_ERROR_NO_DATA : AQM_OK;
}

static void set_bit(AqmBrick *brick, AqmBrickBits kind, const int32_t cell[3]) {
    brick->bits[kind][cell[2] & 7] |= (uint64_t)1 << ((cell[1] & 7) * 8 + (cell[0] & 7));
}

static AqmStatus add_base(AqmPoissonTree *tree, AqmDiag *diag) {
    const int32_t side = (int32_t)1 << tree->base;
    int32_t at[3];
    for (at[2] = 0; at[2] <= side; at[2]++)
        for (at[1] = 0; at[1] <= side; at[1]++)
            for (at[0] = 0; at[0] <= side; at[0]++) {
                uint32_t brick;
                AQM_TRY(add_brick(tree, tree->base, at, &brick, diag));
                if (at[0] < side && at[1] < side && at[2] < side)
                    set_bit(&tree->levels[tree->base].grid.bricks[brick], AQM_BITS_CELLS, at);
            }
    return AQM_OK;
}

static AqmStatus mark_samples(AqmPoissonTree *tree, const AqmPoissonPoints *points, AqmDiag *diag) {
    for (size_t i = 0; i < points->count; i++) {
        const int level = aqm_poisson_sample_level(&points->samples[i]);
        int32_t cell[3];
        uint32_t brick;
        aqm_poisson_cell(points->samples[i].at, level, cell);
        AQM_TRY(add_brick(tree, level, cell, &brick, diag));
        set_bit(&tree->levels[level].grid.bricks[brick], AQM_BITS_INNER, cell);
    }
    return AQM_OK;
}

/* Refines and marks the eight parents of a marked cell's neighbourhood. */
static AqmStatus refine_around(AqmPoissonTree *tree, int depth, const int32_t cell[3],
                               AqmDiag *diag) {
    const int32_t side = (int32_t)1 << depth;
    for (int k = 0; k < 8; k++) {
        int32_t parent[3];
        bool is_inside = true;
        for (int a = 0; a < 3; a++) {
            parent[a] = (cell[a] >> 1) + (k >> a & 1 ? (cell[a] & 1 ? 1 : -1) : 0);
            is_inside = is_inside && parent[a] >= 0 && parent[a] < side;
        }
        if (!is_inside)
            continue;
        uint32_t brick;
        AQM_TRY(add_brick(tree, depth, parent, &brick, diag));
        set_bit(&tree->levels[depth].grid.bricks[brick], AQM_BITS_REFINED, parent);
        set_bit(&tree->levels[depth].grid.bricks[brick], AQM_BITS_INNER, parent);
    }
    return AQM_OK;
}

/* Makes the children of a refined cell, and the bricks of their upper nodes. */
static AqmStatus add_children(AqmPoissonTree *tree, int depth, const int32_t parent[3],
                              AqmDiag *diag) {
    for (int k = 0; k < 8; k++) {
        uint32_t brick;
        int32_t cell[3], upper[3];
        for (int a = 0; a < 3; a++) {
            cell[a] = 2 * parent[a] + (k >> a & 1);
            upper[a] = 2 * parent[a] + 2 * (k >> a & 1);
        }
        AQM_TRY(add_brick(tree, depth, cell, &brick, diag));
        set_bit(&tree->levels[depth].grid.bricks[brick], AQM_BITS_CELLS, cell);
        AQM_TRY(add_brick(tree, depth, upper, &brick, diag));
    }
    return AQM_OK;
}

typedef AqmStatus CellFunction(AqmPoissonTree *tree, int depth, const int32_t cell[3],
                               AqmDiag *diag);

/* Calls a function, with the depth `to`, for all cells of a level that have a bit set. */
static AqmStatus for_cells(AqmPoissonTree *tree, int from, AqmBrickBits kind, int to,
                           CellFunction *function, AqmDiag *diag) {
    const AqmBrickGrid *grid = &tree->levels[from].grid;
    for (size_t b = 0; b < grid->count; b++)
        for (int z = 0; z < AQM_BRICK_SIDE; z++)
            for (uint64_t bits = grid->bricks[b].bits[kind][z]; bits; bits &= bits - 1) {
                const int i = __builtin_ctzll(bits);
                const int32_t *at = grid->bricks[b].at;
                const int32_t cell[3] = {8 * at[0] + i % 8, 8 * at[1] + i / 8, 8 * at[2] + z};
                AQM_TRY(function(tree, to, cell, diag));
            }
    return AQM_OK;
}

/* Nodes with all eight cells around them. */
static void find_inner(AqmBrickGrid *grid, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t b = 0; b < grid->count; b++)
        for (int z = 0; z < AQM_BRICK_SIDE; z++) {
            uint64_t inner = ~(uint64_t)0;
            for (int k = 0; k < 8; k++)
                inner &= aqm_bricks_layer(grid, &grid->bricks[b], AQM_BITS_CELLS, z - (k >> 2),
                                          -(k & 1), -(k >> 1 & 1));
            grid->bricks[b].bits[AQM_BITS_INNER][z] = inner;
        }
}

static AqmStatus add_arrays(AqmPoissonLevel *level, const AqmPoissonPoints *points, int threads,
                            AqmDiag *diag) {
    level->threads = level->grid.count < THREAD_BRICKS ? 1 : threads;
    aqm_bricks_link(&level->grid, level->threads);
    find_inner(&level->grid, level->threads);
    AQM_TRY(aqm_poisson_ranges(points, level->depth, &level->grid, &level->ranges, diag));
    const size_t nodes = aqm_poisson_nodes(level);
    level->value = aqm_calloc(nodes, sizeof *level->value);
    level->source = aqm_calloc(nodes, sizeof *level->source);
    if (!level->value || !level->source)
        return aqm_fail_memory(diag, "octree nodes", nodes, 2 * sizeof *level->value);
    return AQM_OK;
}

static AqmStatus build(AqmPoissonTree *tree, const AqmPoissonPoints *points, AqmDiag *diag) {
    AQM_TRY(add_base(tree, diag));
    AQM_TRY(mark_samples(tree, points, diag));
    for (int d = tree->finest; d > tree->base; d--)
        AQM_TRY(for_cells(tree, d, AQM_BITS_INNER, d - 1, refine_around, diag));
    for (int d = tree->base; d < tree->finest; d++)
        AQM_TRY(for_cells(tree, d, AQM_BITS_REFINED, d + 1, add_children, diag));
    for (int d = tree->base; d <= tree->finest; d++)
        AQM_TRY(add_arrays(&tree->levels[d], points, tree->threads, diag));
    return AQM_OK;
}

AqmStatus aqm_poisson_tree_create(AqmPoissonTree *out, const AqmPoissonPoints *points, int base,
                                  size_t brick_budget, int threads, bool *fits, AqmDiag *diag) {
    AqmPoissonTree tree = {.base = base, .finest = base, .threads = threads};
    tree.brick_budget = brick_budget;
    for (size_t i = 0; i < points->count; i++) {
        const int level = aqm_poisson_sample_level(&points->samples[i]);
        tree.finest = level > tree.finest ? level : tree.finest;
    }
    for (int d = 0; d <= AQM_POISSON_MOST_DEPTH; d++)
        tree.levels[d].depth = d;
    const AqmStatus status = build(&tree, points, diag);
    *fits = status == AQM_OK;
    if (status == AQM_OK)
        *out = tree;
    else
        aqm_poisson_tree_free(&tree);
    return status == AQM_ERROR_NO_DATA ? AQM_OK : status;
}

void aqm_poisson_tree_free(AqmPoissonTree *tree) {
    for (int d = 0; d <= AQM_POISSON_MOST_DEPTH; d++) {
        AqmPoissonLevel *level = &tree->levels[d];
        aqm_bricks_free(&level->grid);
        aqm_free(level->ranges);
        aqm_free(level->value);
        aqm_free(level->source);
        for (int k = 0; k < 3; k++)
            aqm_free(level->field[k]);
    }
    memset(tree, 0, sizeof *tree);
}

/* ---- between the levels ---------------------------------------------------------------------- */

/* The part of the block that lies in one brick. */
static void copy_part(const float *brick, const int32_t at[3], const int32_t origin[3], int n,
                      float *out) {
    int from[3], end[3];
    for (int k = 0; k < 3; k++) {
        from[k] = 8 * at[k] > origin[k] ? 8 * at[k] : origin[k];
        end[k] = 8 * at[k] + 8 < origin[k] + n ? 8 * at[k] + 8 : origin[k] + n;
    }
    for (int z = from[2]; z < end[2]; z++)
        for (int y = from[1]; y < end[1]; y++) {
            float *row = out + ((z - origin[2]) * n + y - origin[1]) * n + from[0] - origin[0];
            const size_t count = (size_t)(end[0] - from[0]);
            if (brick)
                memcpy(row, brick + aqm_brick_node(from[0], y, z), count * sizeof *row);
            else
                memset(row, 0, count * sizeof *row);
        }
}

void aqm_poisson_block(const AqmBrickGrid *grid, const float *values, const int32_t origin[3],
                       int n, float *out) {
    int32_t at[3];
    for (at[2] = origin[2] >> 3; at[2] <= (origin[2] + n - 1) >> 3; at[2]++)
        for (at[1] = origin[1] >> 3; at[1] <= (origin[1] + n - 1) >> 3; at[1]++)
            for (at[0] = origin[0] >> 3; at[0] <= (origin[0] + n - 1) >> 3; at[0]++) {
                const uint32_t b = aqm_bricks_find(grid, at[0], at[1], at[2]);
                copy_part(b == AQM_NO_BRICK ? NULL : values + (size_t)b * AQM_BRICK_SIZE, at,
                          origin, n, out);
            }
}

/* 5 values, `stride` apart, to 8. */
static void refine_row(const float *in, size_t stride, float *out, size_t out_stride) {
    for (size_t i = 0; i < REFINE_SIDE - 1; i++) {
        out[2 * i * out_stride] = in[i * stride];
        out[(2 * i + 1) * out_stride] = 0.5f * (in[i * stride] + in[(i + 1) * stride]);
    }
}

void aqm_poisson_refine(const AqmBrickGrid *coarse, const float *values, const AqmBrick *brick,
                        float out[AQM_BRICK_SIZE]) {
    enum { N = REFINE_SIDE };
    float block[N * N * N], along_x[N * N * 8], along_y[N * 8 * 8];
    const int32_t origin[3] = {4 * brick->at[0], 4 * brick->at[1], 4 * brick->at[2]};
    aqm_poisson_block(coarse, values, origin, N, block);
    for (size_t row = 0; row < (size_t)N * N; row++)
        refine_row(block + row * N, 1, along_x + row * 8, 1);
    for (size_t z = 0; z < N; z++)
        for (size_t x = 0; x < 8; x++)
            refine_row(along_x + z * N * 8 + x, 8, along_y + z * 64 + x, 8);
    for (size_t i = 0; i < 64; i++)
        refine_row(along_y + i, 64, out + i, 64);
}

/* 17 values, the first from one step before the first node, to 8. */
static void gather_row(const float *in, size_t stride, float *out, size_t out_stride) {
    for (size_t i = 0; i < 8; i++) {
        const float *at = in + 2 * i * stride;
        out[i * out_stride] = at[stride] + 0.5f * (at[0] + at[2 * stride]);
    }
}

void aqm_poisson_gather(const AqmBrickGrid *fine, const float *values, const AqmBrick *brick,
                        float out[AQM_BRICK_SIZE]) {
    enum { N = GATHER_SIDE };
    float block[N * N * N], along_x[N * N * 8], along_y[N * 8 * 8];
    int32_t origin[3];
    for (int k = 0; k < 3; k++)
        origin[k] = 16 * brick->at[k] - 1;
    aqm_poisson_block(fine, values, origin, N, block);
    for (size_t row = 0; row < (size_t)N * N; row++)
        gather_row(block + row * N, 1, along_x + row * 8, 1);
    for (size_t z = 0; z < N; z++)
        for (size_t x = 0; x < 8; x++)
            gather_row(along_x + z * N * 8 + x, 8, along_y + z * 64 + x, 8);
    for (size_t i = 0; i < 64; i++)
        gather_row(along_y + i, 64, out + i, 64);
}
