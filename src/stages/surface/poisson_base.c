/* The complete base level, in doubles: small enough (at most 17^3 nodes) to be solved to the end.
 *
 * The matrices of one cell of side 1 are summed over the cells, so that the nodes on the cube's
 * faces need no care: the function's slope across a face is free (Neumann), and an open sheet
 * leaves the cube as it likes. Between corners a and b of a cell that differ along m axes
 *
 *     k_ab = 1/3, 0, -1/12, -1/12 for m = 0..3,
 *
 * and d_ab . W_b = the integral of grad phi_a . W_b phi_b. Without points' weight the constant is
 * in the null space; conjugate gradients never leave its complement. Cost: 1 ms a step. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "stages/surface/poisson_system.h"

enum { MOST_STEPS = 400 };

static const double TOLERANCE = 1e-7;

typedef struct Base {
    size_t side, nodes; /* cells along an axis; nodes in all */
    double point_weight;
    const AqmPoissonCell *cells;
    size_t cell_count;
    double *value, *residual, *direction, *product, *inverse;
} Base;

static size_t corner_node(const Base *base, size_t x, size_t y, size_t z, int corner) {
    const size_t n = base->side + 1;
    return ((z + (size_t)(corner >> 2)) * n + y + (size_t)(corner >> 1 & 1)) * n + x +
           (size_t)(corner & 1);
}

static void cell_matrix(double matrix[8][8]) {
    static const double k[4] = {1.0 / 3.0, 0.0, -1.0 / 12.0, -1.0 / 12.0};
    for (int a = 0; a < 8; a++)
        for (int b = 0; b < 8; b++)
            matrix[a][b] = k[__builtin_popcount((unsigned)(a ^ b))];
}

/* The integral along one axis or three: of phi_a' phi_b along `axis`, of phi_a phi_b elsewhere. */
static double divergence_entry(int a, int b, int axis) {
    double product = a >> axis & 1 ? 0.5 : -0.5;
    for (int k = 0; k < 3; k++)
        if (k != axis)
            product *= (a ^ b) >> k & 1 ? 1.0 / 6.0 : 1.0 / 3.0;
    return product;
}

static void cell_weights(const AqmPoissonCell *cell, double weights[8]) {
    for (int k = 0; k < 8; k++)
        weights[k] = 1.0;
    for (int k = 0; k < 8; k++)
        for (int a = 0; a < 3; a++)
            weights[k] *= k >> a & 1 ? (double)cell->at[a] : 1.0 - (double)cell->at[a];
}

/* out = (K + S) in */
static void multiply(const Base *base, const double *in, double *out) {
    double matrix[8][8], weights[8];
    cell_matrix(matrix);
    memset(out, 0, base->nodes * sizeof *out);
    for (size_t z = 0; z < base->side; z++)
        for (size_t y = 0; y < base->side; y++)
            for (size_t x = 0; x < base->side; x++) {
                double corner[8];
                for (int b = 0; b < 8; b++)
                    corner[b] = in[corner_node(base, x, y, z, b)];
                for (int a = 0; a < 8; a++) {
                    double sum = 0.0;
                    for (int b = 0; b < 8; b++)
                        sum += matrix[a][b] * corner[b];
                    out[corner_node(base, x, y, z, a)] += sum;
                }
            }
    for (size_t i = 0; i < base->cell_count; i++) {
        const AqmPoissonCell *cell = &base->cells[i];
        const size_t x = (size_t)cell->cell[0], y = (size_t)cell->cell[1];
        const size_t z = (size_t)cell->cell[2];
        double value = 0.0;
        cell_weights(cell, weights);
        for (int k = 0; k < 8; k++)
            value += weights[k] * in[corner_node(base, x, y, z, k)];
        for (int k = 0; k < 8; k++)
            out[corner_node(base, x, y, z, k)] +=
                base->point_weight * (double)cell->area * weights[k] * value;
    }
}

static void set_inverse(const Base *base) {
    double weights[8];
    memset(base->inverse, 0, base->nodes * sizeof *base->inverse);
    for (size_t z = 0; z < base->side; z++)
        for (size_t y = 0; y < base->side; y++)
            for (size_t x = 0; x < base->side; x++)
                for (int a = 0; a < 8; a++)
                    base->inverse[corner_node(base, x, y, z, a)] += 1.0 / 3.0;
    for (size_t i = 0; i < base->cell_count; i++) {
        const AqmPoissonCell *cell = &base->cells[i];
        cell_weights(cell, weights);
        for (int k = 0; k < 8; k++)
            base->inverse[corner_node(base, (size_t)cell->cell[0], (size_t)cell->cell[1],
                                      (size_t)cell->cell[2], k)] +=
                base->point_weight * (double)cell->area * weights[k] * weights[k];
    }
    for (size_t i = 0; i < base->nodes; i++)
        base->inverse[i] = 1.0 / base->inverse[i];
}

/* The place of a node in the level's arrays. */
static size_t level_node(const Base *base, const AqmPoissonLevel *level, size_t node) {
    const size_t n = base->side + 1;
    const int x = (int)(node % n), y = (int)(node / n % n), z = (int)(node / n / n);
    return (size_t)aqm_bricks_find(&level->grid, x >> 3, y >> 3, z >> 3) * AQM_BRICK_SIZE +
           aqm_brick_node(x, y, z);
}

/* Adds what the base's own field gives to the right-hand side. */
static void add_field(const Base *base, const AqmPoissonLevel *level, double *source) {
    double entries[3][8][8];
    for (int k = 0; k < 3; k++)
        for (int a = 0; a < 8; a++)
            for (int b = 0; b < 8; b++)
                entries[k][a][b] = divergence_entry(a, b, k);
    for (size_t z = 0; z < base->side; z++)
        for (size_t y = 0; y < base->side; y++)
            for (size_t x = 0; x < base->side; x++)
                for (int b = 0; b < 8; b++) {
                    const size_t from = level_node(base, level, corner_node(base, x, y, z, b));
                    for (int k = 0; k < 3; k++)
                        for (int a = 0; a < 8; a++)
                            source[corner_node(base, x, y, z, a)] +=
                                entries[k][a][b] * (double)level->field[k][from];
                }
}

static double dot(const Base *base, const double *a, const double *b, const double *c) {
    double sum = 0.0;
    for (size_t i = 0; i < base->nodes; i++)
        sum += a[i] * b[i] * c[i];
    return sum;
}

/* From value = 0 and residual = right-hand side. */
static void descend(const Base *base) {
    set_inverse(base);
    double now = dot(base, base->residual, base->residual, base->inverse);
    const double enough = TOLERANCE * TOLERANCE * now;
    for (size_t i = 0; i < base->nodes; i++)
        base->direction[i] = base->inverse[i] * base->residual[i];
    for (int step = 0; step < MOST_STEPS && now > enough; step++) {
        double curvature = 0.0;
        multiply(base, base->direction, base->product);
        for (size_t i = 0; i < base->nodes; i++)
            curvature += base->direction[i] * base->product[i];
        if (!(curvature > 0.0))
            return;
        const double length = now / curvature;
        for (size_t i = 0; i < base->nodes; i++) {
            base->value[i] += length * base->direction[i];
            base->residual[i] -= length * base->product[i];
        }
        const double next = dot(base, base->residual, base->residual, base->inverse);
        for (size_t i = 0; i < base->nodes; i++)
            base->direction[i] =
                base->inverse[i] * base->residual[i] + next / now * base->direction[i];
        now = next;
    }
}

AqmStatus aqm_poisson_solve_base(AqmPoissonLevel *level, const AqmCellList *cells,
                                 double point_weight, AqmDiag *diag) {
    Base base = {.side = (size_t)1 << level->depth,
                 .point_weight = point_weight,
                 .cells = cells->cells,
                 .cell_count = cells->count};
    base.nodes = (base.side + 1) * (base.side + 1) * (base.side + 1);
    double *arrays = aqm_calloc(5 * base.nodes, sizeof *arrays);
    if (!arrays)
        return aqm_fail_memory(diag, "octree nodes", 5 * base.nodes, sizeof *arrays);
    base.value = arrays;
    base.residual = arrays + base.nodes;
    base.direction = arrays + 2 * base.nodes;
    base.product = arrays + 3 * base.nodes;
    base.inverse = arrays + 4 * base.nodes;
    for (size_t i = 0; i < base.nodes; i++)
        base.residual[i] = (double)level->source[level_node(&base, level, i)];
    if (level->field[0])
        add_field(&base, level, base.residual);
    descend(&base);
    for (size_t i = 0; i < base.nodes; i++)
        level->value[level_node(&base, level, i)] = (float)base.value[i];
    aqm_free(arrays);
    return AQM_OK;
}
