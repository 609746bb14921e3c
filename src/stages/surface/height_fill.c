/* Small holes between fitted nodes.
 *
 * A node without a fit is filled where fitted nodes surround it closely: on at least three of the
 * four lines through it (along X, Y and the two diagonals) there is a fitted node on both sides, no
 * more than HOLE_SPAN steps apart. On each such line the height is the cubic through both ends with
 * their slopes (Hermite), which does not flatten a crest as a chord would; the node gets the mean,
 * short lines counting more. So a hole of up to HOLE_SPAN - 1 cells closes, and a larger one keeps
 * its shape: next to its rim at most one line is short.
 *
 * The standard deviation of such a height is at least that of the less certain end of each line
 * (what the ends have in common the node has, too), and grows with how far the lines differ:
 * nothing else is known of what lies in the hole. */
#include <math.h>

#include "stages/surface/height_grid.h"

enum { HOLE_SPAN = 5, HOLE_LINES = 3 };

/* Sums over the lines through a node, each times its weight; variance: the larger one of each
 * line's ends. */
typedef struct Filling {
    double z, z_squared, slope_x, slope_y, color[3], variance, weight;
    double level; /* heights are relative to it */
    int lines;
} Filling;

/* Steps from (i, j) to the nearest fitted node along (di, dj), at most HOLE_SPAN - 1; 0 = none. */
static int steps_to_fitted(const AqmHeightGrid *grid, size_t block, int i, int j, int di, int dj,
                           size_t *found) {
    for (int step = 1; step < HOLE_SPAN; step++) {
        *found = aqm_height_node(grid, block, i + step * di, j + step * dj);
        if (*found != SIZE_MAX && grid->fitted[*found])
            return step;
    }
    return 0;
}

/* Adds what the line between nodes a and b says at a distance of `before` steps from a. */
static void add_line(const AqmHeightGrid *grid, const AqmHeightNode *a, const AqmHeightNode *b,
                     int before, int after, int di, int dj, Filling *sum) {
    const double g = grid->blocks->resolution_m, span = before + after, t = before / span;
    const double dx = span * di * g, dy = span * dj * g;
    const double rise_a = a->slope_x * dx + a->slope_y * dy;
    const double rise_b = b->slope_x * dx + b->slope_y * dy;
    const double s = 1.0 - t;
    const double z = s * s * (1.0 + 2.0 * t) * a->z + t * s * s * rise_a +
                     t * t * (3.0 - 2.0 * t) * b->z - t * t * s * rise_b;
    const double weight = 1.0 / (dx * dx + dy * dy);
    const double off = z - sum->level, sigma = fmax((double)a->sigma, (double)b->sigma);
    sum->z += weight * off;
    sum->z_squared += weight * off * off;
    /* fmax passes over a NaN: neither end may be one */
    sum->variance += weight * (a->sigma == a->sigma && b->sigma == b->sigma ? sigma * sigma : NAN);
    sum->slope_x += weight * (s * a->slope_x + t * b->slope_x);
    sum->slope_y += weight * (s * a->slope_y + t * b->slope_y);
    for (int k = 0; k < 3; k++)
        sum->color[k] += weight * (s * a->color[k] + t * b->color[k]);
    sum->weight += weight;
    sum->lines++;
}

/* The height of the lines' mean; its variance is that of their ends and how far they are apart. */
static AqmHeightNode filled_node(const Filling *sum) {
    const double off = sum->z / sum->weight;
    const double sx = sum->slope_x / sum->weight, sy = sum->slope_y / sum->weight;
    const double apart = fmax(sum->z_squared / sum->weight - off * off, 0.0);
    const double along_normal = apart / (1.0 + sx * sx + sy * sy);
    AqmHeightNode node = {.z = (float)(sum->level + off),
                          .slope_x = (float)sx,
                          .slope_y = (float)sy,
                          .sigma = (float)sqrt(sum->variance / sum->weight + along_normal)};
    for (int k = 0; k < 3; k++)
        node.color[k] = (uint8_t)(sum->color[k] / sum->weight + 0.5);
    return node;
}

static bool fill_node(const AqmHeightGrid *grid, size_t block, int i, int j, AqmHeightNode *out) {
    static const int lines[4][2] = {{1, 0}, {0, 1}, {1, 1}, {1, -1}};
    Filling sum = {0};
    for (int k = 0; k < 4; k++) {
        size_t a = 0, b = 0;
        const int di = lines[k][0], dj = lines[k][1];
        const int before = steps_to_fitted(grid, block, i, j, -di, -dj, &a);
        const int after = before ? steps_to_fitted(grid, block, i, j, di, dj, &b) : 0;
        if (!after || before + after > HOLE_SPAN)
            continue;
        sum.level = sum.lines ? sum.level : (double)grid->nodes[a].z;
        add_line(grid, &grid->nodes[a], &grid->nodes[b], before, after, di, dj, &sum);
    }
    if (sum.lines < HOLE_LINES)
        return false;
    *out = filled_node(&sum);
    return true;
}

void aqm_height_grid_fill(AqmHeightGrid *grid) {
#pragma omp parallel for schedule(dynamic) num_threads(grid->threads)
    for (size_t block = 0; block < grid->blocks->count; block++) {
        const uint32_t ordinal = grid->blocks->blocks[block].ordinal;
        if (ordinal == AQM_NO_BLOCK)
            continue;
        for (int node = 0; node < AQM_BLOCK_NODES; node++) {
            const size_t at = (size_t)ordinal * AQM_BLOCK_NODES + (size_t)node;
            if (!grid->fitted[at])
                grid->present[at] = fill_node(grid, block, node % AQM_BLOCK_SIDE,
                                              node / AQM_BLOCK_SIDE, &grid->nodes[at]);
        }
    }
}
