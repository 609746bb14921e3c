/* The solver: coarse to fine, conjugate gradients on each level.
 *
 * Sought is the function u = sum of u_i phi_i over trilinear hats that minimises
 *
 *     E(u) = integral of |V - grad u|^2 + (w / h) sum over the points of a_p u(p)^2
 *
 * (Kazhdan & Hoppe 2013, equation 5): its gradient follows the field V of the normals, and it is to
 * be zero at the points. h is the side of the level's cells, so that on every level w weighs the
 * two terms alike; and a_p is the area that a point stands for. Divided by h, with all lengths in
 * cells,
 *
 *     (K + S) u = b,   K_ij = integral of grad phi_i . grad phi_j,
 *     S_ij = w sum over cells c of (a_c / h^2) phi_i(p_c) phi_j(p_c),
 *
 * the points of a cell as one at their weighted mean, as they propose. K is the same 27 numbers
 * everywhere.
 *
 * Why hats of degree 1 and not 2: the matrix has 27 entries a row and not 125, and the function is
 * known exactly from the corners of its cells, so that the surface cut from those corners is the
 * surface. In one dimension linear elements are exact at the nodes, so a level sheet comes out
 * where it is wherever it lies between the nodes.
 *
 * The complete base level is solved first (poisson_base.c). A finer level exists in a band around
 * the points; its values start as those of the coarser level interpolated, and stay so at the
 * band's border; inside, (K + S) u = b is solved by conjugate gradients with the diagonal as
 * preconditioner. The band is four cells wide, so its matrix is well conditioned: about 10 steps.
 * Coarser values are not corrected afterwards (cascadic, as theirs).
 *
 * All sums go brick by brick and then over the bricks in order: threads do not matter. Cost: a step
 * takes about 8 ns a node; four more floats a node on the level that is being solved. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_system.h"

enum { MOST_STEPS = 60 };

static const double TOLERANCE = 1e-3;
/* A cell that the surface crosses twice, or steeply, may weigh more than a flat one; one whose
 * points are thought to stand for a larger area, being meant for a coarser level, may not. */
static const float MOST_AREA = 2.0f;

/* A cell's constraint as a brick sees it. */
typedef struct Constraint {
    uint16_t corner; /* the cell's lowest node in the brick's halo */
    bool is_own;     /* the cell is the brick's, not that of one below */
    float at[3], area;
} Constraint;

typedef struct Constraints {
    size_t *first; /* of each brick, and the end */
    Constraint *items;
} Constraints;

typedef struct CellList {
    size_t count;
    AqmPoissonCell *cells; /* in Morton order */
} CellList;

typedef struct Work {
    AqmPoissonTree *tree;
    float point_weight;
    CellList cells[AQM_POISSON_MOST_DEPTH + 1];
    Constraints constraints[AQM_POISSON_MOST_DEPTH + 1];
} Work;

/* Vectors over the nodes of a level, zero where a node is not solved for. */
typedef struct Gradients {
    AqmPoissonLevel *level;
    const Constraints *constraints;
    float point_weight;
    int threads;
    float *residual, *direction, *product, *inverse; /* inverse of the diagonal */
    double *sums; /* one for each brick */
} Gradients;

/* ---- constraints ----------------------------------------------------------------------------- */

static void add_to_cell(AqmPoissonCell *cell, const float at[3], float area) {
    const float sum = cell->area + area;
    for (int k = 0; k < 3; k++)
        cell->at[k] += (at[k] - cell->at[k]) * (area / sum);
    cell->area = sum;
}

static bool is_same_cell(const int32_t a[3], const int32_t b[3]) {
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

/* Puts a constraint into the last cell of the list or a new one. */
static void add_to_list(CellList *list, const int32_t cell[3], const float at[3], float area) {
    AqmPoissonCell *last = list->count ? &list->cells[list->count - 1] : NULL;
    if (!last || !is_same_cell(last->cell, cell)) {
        last = &list->cells[list->count++];
        *last = (AqmPoissonCell){.cell = {cell[0], cell[1], cell[2]}};
    }
    add_to_cell(last, at, area);
}

static AqmStatus make_room(CellList *list, size_t count, AqmDiag *diag) {
    list->cells = aqm_alloc(count, sizeof *list->cells);
    return list->cells ? AQM_OK : aqm_fail_memory(diag, "octree cells", count, sizeof *list->cells);
}

static AqmStatus cells_of_samples(CellList *list, const AqmPoissonPoints *points, int depth,
                                  AqmDiag *diag) {
    AQM_TRY(make_room(list, points->count, diag));
    for (size_t i = 0; i < points->count; i++) {
        const AqmPoissonSample *sample = &points->samples[i];
        int32_t cell[3];
        float at[3];
        aqm_poisson_cell(sample->at, depth, cell);
        for (int k = 0; k < 3; k++)
            at[k] = sample->at[k] * (float)(1 << depth) - (float)cell[k];
        add_to_list(list, cell, at, ldexpf(sample->area, 2 * depth) * sample->mass);
    }
    return AQM_OK;
}

static AqmStatus cells_of_children(CellList *list, const CellList *children, AqmDiag *diag) {
    AQM_TRY(make_room(list, children->count, diag));
    for (size_t i = 0; i < children->count; i++) {
        const AqmPoissonCell *child = &children->cells[i];
        int32_t cell[3];
        float at[3];
        for (int k = 0; k < 3; k++) {
            cell[k] = child->cell[k] >> 1;
            at[k] = 0.5f * (child->at[k] + (float)(child->cell[k] & 1));
        }
        add_to_list(list, cell, at, 0.25f * child->area);
    }
    return AQM_OK;
}

static void limit_areas(CellList *list) {
    for (size_t i = 0; i < list->count; i++)
        list->cells[i].area = fminf(list->cells[i].area, MOST_AREA);
}

static bool has_cell(const AqmBrick *brick, const int32_t cell[3]) {
    return brick->bits[AQM_BITS_CELLS][cell[2] & 7] >> ((cell[1] & 7) * 8 + (cell[0] & 7)) & 1;
}

/* The cells of the list in each brick. */
static AqmStatus ranges_of_cells(const AqmBrickGrid *grid, const CellList *list,
                                 AqmSampleRange **out, AqmDiag *diag) {
    AqmSampleRange *ranges = aqm_calloc(grid->count, sizeof *ranges);
    if (!ranges)
        return aqm_fail_memory(diag, "octree bricks", grid->count, sizeof *ranges);
    uint32_t brick = AQM_NO_BRICK;
    int32_t last[3] = {-1, -1, -1};
    for (size_t i = 0; i < list->count; i++) {
        int32_t at[3];
        for (int k = 0; k < 3; k++)
            at[k] = list->cells[i].cell[k] >> AQM_BRICK_SHIFT;
        if (!is_same_cell(at, last)) {
            memcpy(last, at, sizeof last);
            brick = aqm_bricks_find(grid, at[0], at[1], at[2]);
            if (brick != AQM_NO_BRICK)
                ranges[brick].first = (uint32_t)i;
        }
        if (brick != AQM_NO_BRICK)
            ranges[brick].end = (uint32_t)i + 1;
    }
    *out = ranges;
    return AQM_OK;
}

/* The constraints that touch a brick's nodes: of its cells and of the last ones of the seven bricks
 * below. Only counts them where out is NULL. */
static size_t constraints_of(const AqmBrickGrid *grid, const AqmBrick *brick, const CellList *list,
                             const AqmSampleRange *ranges, Constraint *out) {
    size_t count = 0;
    for (int k = 0; k < 8; k++) {
        const int below[3] = {k & 1, k >> 1 & 1, k >> 2};
        const uint32_t from = aqm_bricks_near(brick, -below[0], -below[1], -below[2]);
        if (from == AQM_NO_BRICK)
            continue;
        for (size_t i = ranges[from].first; i < ranges[from].end; i++) {
            const AqmPoissonCell *cell = &list->cells[i];
            int local[3];
            bool touches = has_cell(&grid->bricks[from], cell->cell);
            for (int a = 0; a < 3; a++) {
                local[a] = (cell->cell[a] & 7) - 8 * below[a];
                touches = touches && local[a] >= -1;
            }
            if (!touches)
                continue;
            if (out)
                out[count] = (Constraint){
                    .corner = (uint16_t)(((local[2] + 1) * AQM_HALO_SIDE + local[1] + 1) *
                                             AQM_HALO_SIDE +
                                         local[0] + 1),
                    .is_own = k == 0,
                    .at = {cell->at[0], cell->at[1], cell->at[2]},
                    .area = cell->area};
            count++;
        }
    }
    return count;
}

static AqmStatus make_constraints(const AqmPoissonLevel *level, const CellList *list, int threads,
                                  Constraints *out, AqmDiag *diag) {
    const AqmBrickGrid *grid = &level->grid;
    AqmSampleRange *ranges = NULL;
    AQM_TRY(ranges_of_cells(grid, list, &ranges, diag));
    AqmStatus status = AQM_OK;
    out->first = aqm_calloc(grid->count + 1, sizeof *out->first);
    if (!out->first) {
        status = aqm_fail_memory(diag, "octree bricks", grid->count + 1, sizeof *out->first);
        goto done;
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (size_t b = 0; b < grid->count; b++)
        out->first[b + 1] = constraints_of(grid, &grid->bricks[b], list, ranges, NULL);
    for (size_t b = 0; b < grid->count; b++)
        out->first[b + 1] += out->first[b];
    out->items = aqm_alloc(out->first[grid->count], sizeof *out->items);
    if (!out->items) {
        status = aqm_fail_memory(diag, "octree cells", out->first[grid->count], sizeof(Constraint));
        goto done;
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (size_t b = 0; b < grid->count; b++)
        (void)constraints_of(grid, &grid->bricks[b], list, ranges, out->items + out->first[b]);
done:
    aqm_free(ranges);
    return status;
}

static AqmStatus constrain(Work *work, const AqmPoissonPoints *points, AqmDiag *diag) {
    const AqmPoissonTree *tree = work->tree;
    AQM_TRY(cells_of_samples(&work->cells[tree->finest], points, tree->finest, diag));
    for (int d = tree->finest; d >= tree->base; d--) {
        if (d > tree->base)
            AQM_TRY(cells_of_children(&work->cells[d - 1], &work->cells[d], diag));
        limit_areas(&work->cells[d]);
        AQM_TRY(make_constraints(&tree->levels[d], &work->cells[d], tree->threads,
                                 &work->constraints[d], diag));
        if (d > tree->base) {
            aqm_free(work->cells[d].cells);
            work->cells[d].cells = NULL;
        }
    }
    return AQM_OK;
}

static void corner_weights(const float at[3], float weights[8]) {
    for (int k = 0; k < 8; k++)
        weights[k] = (k & 1 ? at[0] : 1.0f - at[0]) * (k >> 1 & 1 ? at[1] : 1.0f - at[1]) *
                     (k >> 2 ? at[2] : 1.0f - at[2]);
}

static const int CORNERS[8] = {0, 1, 10, 11, 100, 101, 110, 111}; /* in a halo */

static float value_at(const Constraint *constraint, const float *halo, float weights[8]) {
    float sum = 0.0f;
    corner_weights(constraint->at, weights);
    for (int k = 0; k < 8; k++)
        sum += weights[k] * halo[constraint->corner + CORNERS[k]];
    return sum;
}

/* ---- one level ------------------------------------------------------------------------------- */

/* K has 8/3 on the diagonal, nothing towards the six nearest nodes, -1/6 towards the twelve across
 * an edge, -1/12 towards the eight across a corner. */
void aqm_poisson_stiffness(const float halo[AQM_HALO_SIZE], float out[AQM_HALO_SIZE]) {
    enum { Y = AQM_HALO_SIDE, Z = AQM_HALO_SIDE * AQM_HALO_SIDE };
    for (int z = 1; z <= 8; z++)
        for (int y = 1; y <= 8; y++) {
            const float *at = halo + z * Z + y * Y;
            float near[AQM_HALO_SIDE], across[AQM_HALO_SIDE];
            for (int x = 0; x < AQM_HALO_SIDE; x++) {
                near[x] = (at[x - Y] + at[x + Y]) + (at[x - Z] + at[x + Z]);
                across[x] = (at[x - Y - Z] + at[x + Y - Z]) + (at[x - Y + Z] + at[x + Y + Z]);
            }
            float *to = out + z * Z + y * Y;
            for (int x = 1; x <= 8; x++)
                to[x] = (float)(8.0 / 3.0) * at[x] -
                        (float)(1.0 / 6.0) * (near[x - 1] + near[x + 1] + across[x]) -
                        (float)(1.0 / 12.0) * (across[x - 1] + across[x + 1]);
        }
}

/* (K + S) times the values of a brick; only the brick's own places of `out` mean something. */
static void multiply(const Gradients *g, size_t brick, const float *values,
                     float out[AQM_HALO_SIZE]) {
    float halo[AQM_HALO_SIZE];
    aqm_bricks_halo(&g->level->grid, (uint32_t)brick, values, halo);
    aqm_poisson_stiffness(halo, out);
    for (size_t i = g->constraints->first[brick]; i < g->constraints->first[brick + 1]; i++) {
        const Constraint *constraint = &g->constraints->items[i];
        float weights[8];
        const float pull = g->point_weight * constraint->area * value_at(constraint, halo, weights);
        for (int k = 0; k < 8; k++)
            out[constraint->corner + CORNERS[k]] += pull * weights[k];
    }
}

static void set_inverse(const Gradients *g, size_t brick) {
    float diagonal[AQM_HALO_SIZE];
    for (int i = 0; i < AQM_HALO_SIZE; i++)
        diagonal[i] = (float)(8.0 / 3.0);
    for (size_t i = g->constraints->first[brick]; i < g->constraints->first[brick + 1]; i++) {
        const Constraint *constraint = &g->constraints->items[i];
        float weights[8];
        corner_weights(constraint->at, weights);
        for (int k = 0; k < 8; k++)
            diagonal[constraint->corner + CORNERS[k]] +=
                g->point_weight * constraint->area * weights[k] * weights[k];
    }
    const uint64_t *inner = g->level->grid.bricks[brick].bits[AQM_BITS_INNER];
    float *inverse = g->inverse + brick * AQM_BRICK_SIZE;
    for (int i = 0; i < AQM_BRICK_SIZE; i++) {
        const int at = ((i / 64 + 1) * AQM_HALO_SIDE + i / 8 % 8 + 1) * AQM_HALO_SIDE + i % 8 + 1;
        inverse[i] = inner[i / 64] >> (i % 64) & 1 ? 1.0f / diagonal[at] : 0.0f;
    }
}

/* Copies a brick's own places out of a halo. */
static void from_halo(const float *halo, float out[AQM_BRICK_SIZE]) {
    for (int row = 0; row < 64; row++)
        memcpy(out + 8 * row,
               halo + ((row / 8 + 1) * AQM_HALO_SIDE + row % 8 + 1) * AQM_HALO_SIDE + 1,
               8 * sizeof *out);
}

static double sum_bricks(const Gradients *g) {
    double sum = 0.0;
    for (size_t b = 0; b < g->level->grid.count; b++)
        sum += g->sums[b];
    return sum;
}

/* Residual and first direction; returns residual . inverse * residual. */
static double begin(const Gradients *g) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(g->threads)
    for (size_t b = 0; b < g->level->grid.count; b++) {
        const size_t first = b * AQM_BRICK_SIZE;
        float product[AQM_HALO_SIZE];
        double sum = 0.0;
        set_inverse(g, b);
        multiply(g, b, g->level->value, product);
        from_halo(product, g->residual + first);
        for (size_t i = first; i < first + AQM_BRICK_SIZE; i++) {
            const float r =
                g->inverse[i] > 0.0f ? g->level->source[i] - g->residual[i] : 0.0f;
            g->residual[i] = r;
            g->direction[i] = g->inverse[i] * r;
            sum += (double)(r * g->direction[i]);
        }
        g->sums[b] = sum;
    }
    return sum_bricks(g);
}

/* product = (K + S) direction; returns direction . product. */
static double multiply_direction(const Gradients *g) {
#pragma omp parallel for schedule(dynamic, 16) num_threads(g->threads)
    for (size_t b = 0; b < g->level->grid.count; b++) {
        float product[AQM_HALO_SIZE];
        double sum = 0.0;
        multiply(g, b, g->direction, product);
        from_halo(product, g->product + b * AQM_BRICK_SIZE);
        for (size_t i = b * AQM_BRICK_SIZE; i < (b + 1) * AQM_BRICK_SIZE; i++)
            sum += (double)(g->direction[i] * g->product[i]);
        g->sums[b] = sum;
    }
    return sum_bricks(g);
}

/* Goes along the direction; returns the new residual . inverse * residual. */
static double advance(const Gradients *g, float length) {
#pragma omp parallel for schedule(static) num_threads(g->threads)
    for (size_t b = 0; b < g->level->grid.count; b++) {
        double sum = 0.0;
        for (size_t i = b * AQM_BRICK_SIZE; i < (b + 1) * AQM_BRICK_SIZE; i++) {
            g->level->value[i] += length * g->direction[i];
            /* the product is not zero at nodes that are not solved for, the inverse is */
            g->residual[i] -= length * g->product[i];
            sum += (double)(g->residual[i] * g->residual[i] * g->inverse[i]);
        }
        g->sums[b] = sum;
    }
    return sum_bricks(g);
}

static void turn(const Gradients *g, float share) {
#pragma omp parallel for schedule(static) num_threads(g->threads)
    for (size_t b = 0; b < g->level->grid.count; b++)
        for (size_t i = b * AQM_BRICK_SIZE; i < (b + 1) * AQM_BRICK_SIZE; i++)
            g->direction[i] = g->inverse[i] * g->residual[i] + share * g->direction[i];
}

static void descend(const Gradients *g) {
    double now = begin(g);
    const double enough = TOLERANCE * TOLERANCE * now;
    for (int step = 0; step < MOST_STEPS && now > enough; step++) {
        const double curvature = multiply_direction(g);
        if (!(curvature > 0.0))
            return; /* only by rounding, when there is nothing left to gain */
        const double next = advance(g, (float)(now / curvature));
        turn(g, (float)(next / now));
        now = next;
    }
}

static AqmStatus solve_level(const Work *work, int depth, AqmDiag *diag) {
    AqmPoissonLevel *level = &work->tree->levels[depth];
    const AqmPoissonLevel *coarse = &work->tree->levels[depth - 1];
    Gradients g = {.level = level,
                   .constraints = &work->constraints[depth],
                   .point_weight = work->point_weight,
                   .threads = work->tree->threads};
#pragma omp parallel for schedule(dynamic, 16) num_threads(g.threads)
    for (size_t b = 0; b < level->grid.count; b++)
        aqm_poisson_refine(&coarse->grid, coarse->value, &level->grid.bricks[b],
                           level->value + b * AQM_BRICK_SIZE);
    const size_t nodes = aqm_poisson_nodes(level);
    g.residual = aqm_alloc(nodes, sizeof(float));
    g.direction = aqm_alloc(nodes, sizeof(float));
    g.product = aqm_alloc(nodes, sizeof(float));
    g.inverse = aqm_alloc(nodes, sizeof(float));
    g.sums = aqm_alloc(level->grid.count, sizeof(double));
    AqmStatus status = AQM_OK;
    if (g.residual && g.direction && g.product && g.inverse && g.sums)
        descend(&g);
    else
        status = aqm_fail_memory(diag, "octree nodes", nodes, 4 * sizeof(float));
    aqm_free(g.residual);
    aqm_free(g.direction);
    aqm_free(g.product);
    aqm_free(g.inverse);
    aqm_free(g.sums);
    return status;
}

/* ---- all levels ------------------------------------------------------------------------------ */

/* Adds the values at the points of the cells that have no children, weighted. */
static void add_leaf_values(const Work *work, int depth, double *values, double *weights) {
    const AqmPoissonLevel *level = &work->tree->levels[depth];
    const Constraints *constraints = &work->constraints[depth];
    for (size_t b = 0; b < level->grid.count; b++) {
        float halo[AQM_HALO_SIZE], corner[8];
        if (constraints->first[b] == constraints->first[b + 1])
            continue;
        aqm_bricks_halo(&level->grid, (uint32_t)b, level->value, halo);
        for (size_t i = constraints->first[b]; i < constraints->first[b + 1]; i++) {
            const Constraint *constraint = &constraints->items[i];
            const int x = constraint->corner % 10 - 1, y = constraint->corner / 10 % 10 - 1;
            const int z = constraint->corner / 100 - 1;
            if (!constraint->is_own || level->grid.bricks[b].bits[AQM_BITS_REFINED][z] >> (8 * y + x) & 1)
                continue;
            *values += (double)(constraint->area * value_at(constraint, halo, corner));
            *weights += (double)constraint->area;
        }
    }
}

/* Subtracts from all values their mean at the points. */
static void center_values(const Work *work) {
    double values = 0.0, weights = 0.0;
    for (int d = work->tree->base; d <= work->tree->finest; d++)
        add_leaf_values(work, d, &values, &weights);
    const float mean = weights > 0.0 ? (float)(values / weights) : 0.0f;
    for (int d = work->tree->base; d <= work->tree->finest; d++) {
        AqmPoissonLevel *level = &work->tree->levels[d];
        const size_t nodes = aqm_poisson_nodes(level);
        for (size_t i = 0; i < nodes; i++)
            level->value[i] -= mean;
    }
}

static AqmStatus solve_all(Work *work, const AqmPoissonPoints *points, AqmDiag *diag) {
    AqmPoissonTree *tree = work->tree;
    AQM_TRY(constrain(work, points, diag));
    AQM_TRY(aqm_poisson_solve_base(&tree->levels[tree->base], work->cells[tree->base].cells,
                                   work->cells[tree->base].count, (double)work->point_weight, diag));
    for (int d = tree->base + 1; d <= tree->finest; d++)
        AQM_TRY(solve_level(work, d, diag));
    center_values(work);
    return AQM_OK;
}

AqmStatus aqm_poisson_solve(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                            double point_weight, AqmDiag *diag) {
    Work work = {.tree = tree, .point_weight = (float)point_weight};
    const AqmStatus status = solve_all(&work, points, diag);
    for (int d = 0; d <= AQM_POISSON_MOST_DEPTH; d++) {
        aqm_free(work.cells[d].cells);
        aqm_free(work.constraints[d].first);
        aqm_free(work.constraints[d].items);
    }
    return status;
}
