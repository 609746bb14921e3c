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
 * Coarser values are not corrected afterwards (cascadic, as theirs): against levels that are
 * complete down to 64^3 that moves the surface of r5 by 0.012 mm RMS, and its error by 0.000.
 *
 * All sums go brick by brick and then over the bricks in order: threads do not matter. Cost: a step
 * takes about 10 ns a node; four more floats a node on the level that is being solved. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_constraints.h"
#include "stages/surface/poisson_system.h"

enum { MOST_STEPS = 60 };

/* Residual left: 0.0002 mm RMS from the surface of a residual of 1e-6; 1e-2 leaves 0.003 mm. */
static const double TOLERANCE = 1e-3;
/* w = SCREENING * point_weight. With 1 the field's smoothing at the width of a cell shows: on
 * ring12 at depth 9 (cells of 4 mm, points good to 0.084 mm) the surface is off by 0.104 mm, with 4
 * by 0.085; where cells are small against the relief both are as good as the points. */
static const float SCREENING = 4.0f;

typedef struct Work {
    AqmPoissonTree *tree;
    float point_weight;
    AqmConstraints constraints;
} Work;

/* Vectors over the nodes of a level, zero where a node is not solved for. */
typedef struct Gradients {
    AqmPoissonLevel *level;
    const AqmLevelConstraints *constraints;
    float point_weight;
    int threads;
    float *residual, *direction, *product, *inverse; /* inverse of the diagonal */
    double *sums;                                    /* one for each brick */
} Gradients;

/* ---- one level ------------------------------------------------------------------------------- */

/* K has 8/3 on the diagonal, nothing towards the six nearest nodes, -1/6 towards the twelve across
 * an edge, -1/12 towards the eight across a corner. */
static void stiffness(const float halo[AQM_HALO_SIZE], float out[AQM_HALO_SIZE]) {
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

static bool has_inner(const AqmBrick *brick) {
    uint64_t any = 0;
    for (int z = 0; z < AQM_BRICK_SIDE; z++)
        any |= brick->bits[AQM_BITS_INNER][z];
    return any != 0;
}

/* (K + S) times the values of a brick; only the brick's own places of `out` mean something. All 0
 * where none of its nodes is solved for. */
static void multiply(const Gradients *g, size_t brick, const float *values,
                     float out[AQM_HALO_SIZE]) {
    float halo[AQM_HALO_SIZE];
    memset(out, 0, AQM_HALO_SIZE * sizeof *out); /* constraints add to the places around it too */
    if (!has_inner(&g->level->grid.bricks[brick]))
        return;
    aqm_bricks_halo(&g->level->grid, (uint32_t)brick, values, halo);
    stiffness(halo, out);
    for (size_t i = g->constraints->first[brick]; i < g->constraints->first[brick + 1]; i++) {
        const AqmConstraint *constraint = &g->constraints->items[i];
        float weights[8];
        const float pull =
            g->point_weight * constraint->area * aqm_constraint_value(constraint, halo, weights);
        for (int k = 0; k < 8; k++)
            out[constraint->corner + AQM_HALO_CORNERS[k]] += pull * weights[k];
    }
}

static void set_inverse(const Gradients *g, size_t brick) {
    float diagonal[AQM_HALO_SIZE];
    for (int i = 0; i < AQM_HALO_SIZE; i++)
        diagonal[i] = (float)(8.0 / 3.0);
    for (size_t i = g->constraints->first[brick]; i < g->constraints->first[brick + 1]; i++) {
        const AqmConstraint *constraint = &g->constraints->items[i];
        float weights[8];
        aqm_corner_weights(constraint->at, weights);
        for (int k = 0; k < 8; k++)
            diagonal[constraint->corner + AQM_HALO_CORNERS[k]] +=
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
            const float r = g->inverse[i] > 0.0f ? g->level->source[i] - g->residual[i] : 0.0f;
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
                   .constraints = &work->constraints.levels[depth],
                   .point_weight = work->point_weight,
                   .threads = level->threads};
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
    const AqmLevelConstraints *constraints = &work->constraints.levels[depth];
    for (size_t b = 0; b < level->grid.count; b++) {
        float halo[AQM_HALO_SIZE], corner[8];
        if (constraints->first[b] == constraints->first[b + 1])
            continue;
        aqm_bricks_halo(&level->grid, (uint32_t)b, level->value, halo);
        for (size_t i = constraints->first[b]; i < constraints->first[b + 1]; i++) {
            const AqmConstraint *constraint = &constraints->items[i];
            const int x = constraint->corner % 10 - 1, y = constraint->corner / 10 % 10 - 1;
            const int z = constraint->corner / 100 - 1;
            if (!constraint->is_own ||
                level->grid.bricks[b].bits[AQM_BITS_REFINED][z] >> (8 * y + x) & 1)
                continue;
            *values += (double)(constraint->area * aqm_constraint_value(constraint, halo, corner));
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
    AQM_TRY(aqm_constraints_create(&work->constraints, tree, points, diag));
    AQM_TRY(aqm_poisson_solve_base(&tree->levels[tree->base], &work->constraints.base,
                                   (double)work->point_weight, diag));
    for (int d = tree->base + 1; d <= tree->finest; d++)
        AQM_TRY(solve_level(work, d, diag));
    center_values(work);
    return AQM_OK;
}

AqmStatus aqm_poisson_solve(AqmPoissonTree *tree, const AqmPoissonPoints *points,
                            double point_weight, AqmDiag *diag) {
    Work work = {.tree = tree, .point_weight = SCREENING * (float)point_weight};
    const AqmStatus status = solve_all(&work, points, diag);
    aqm_constraints_free(&work.constraints);
    return status;
}
