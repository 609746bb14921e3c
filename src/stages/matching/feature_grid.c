/* A counting sort by cell: O(features + cells). */
#include "stages/matching/feature_grid.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

/* The cell of a feature; -1 if it has none. */
static ptrdiff_t cell_of(const AqmFeatureGrid *grid, const AqmFeatures *features, size_t k) {
    const double column = floor(((double)features->position[2 * k] + 0.5) / grid->cell_px);
    const double row = floor(((double)features->position[2 * k + 1] + 0.5) / grid->cell_px);
    if (!(column >= 0.0 && row >= 0.0 && column < grid->columns && row < grid->rows))
        return -1;
    return (ptrdiff_t)row * grid->columns + (ptrdiff_t)column;
}

AqmStatus aqm_feature_grid_create(AqmFeatureGrid *out, const AqmFeatures *features, int width,
                                  int height, double cell_px, AqmDiag *diag) {
    AqmFeatureGrid grid = {.cell_px = cell_px,
                           .columns = (int)ceil(width / cell_px),
                           .rows = (int)ceil(height / cell_px)};
    const size_t cells = (size_t)grid.columns * (size_t)grid.rows;
    grid.first = aqm_calloc(cells + 1, sizeof *grid.first);
    grid.order = aqm_alloc(features->count, sizeof *grid.order);
    if (!grid.first || !grid.order) {
        aqm_feature_grid_free(&grid);
        return aqm_fail_memory(diag, "a grid of features", cells + features->count,
                               sizeof *grid.order);
    }
    for (size_t k = 0; k < features->count; k++) {
        const ptrdiff_t cell = cell_of(&grid, features, k);
        if (cell >= 0)
            grid.first[cell + 1]++;
    }
    for (size_t c = 0; c < cells; c++)
        grid.first[c + 1] += grid.first[c];
    const uint32_t total = grid.first[cells];
    /* filled from behind, so that each end moves to its beginning and the order is kept */
    for (size_t k = features->count; k > 0; k--) {
        const ptrdiff_t cell = cell_of(&grid, features, k - 1);
        if (cell >= 0)
            grid.order[--grid.first[cell + 1]] = (uint32_t)(k - 1);
    }
    memmove(grid.first, grid.first + 1, cells * sizeof *grid.first);
    grid.first[cells] = total;
    *out = grid;
    return AQM_OK;
}

void aqm_feature_grid_free(AqmFeatureGrid *grid) {
    aqm_free(grid->first);
    aqm_free(grid->order);
    *grid = (AqmFeatureGrid){.first = NULL};
}
