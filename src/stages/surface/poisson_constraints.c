/* Samples to constraints, level by level from the finest.
 *
 * The samples of a cell become one, at their mean weighted by area (Kazhdan & Hoppe 2013, section
 * 4.2), the cells of a level from those of the next finer one. A brick's nodes are touched by its
 * own cells and by the last ones of the seven bricks below; each brick has a list of all of these,
 * so that bricks can be worked on independently. 20 bytes for each cell with samples, times 1.4.
 */
#include "stages/surface/poisson_constraints.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

/* A cell that the surface crosses twice, or steeply, may weigh more than a flat one; one whose
 * points are thought to stand for a larger area, being meant for a coarser level, may not. */
static const float MOST_AREA = 2.0f;

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
static void add_to_list(AqmCellList *list, const int32_t cell[3], const float at[3], float area) {
    AqmPoissonCell *last = list->count ? &list->cells[list->count - 1] : NULL;
    if (!last || !is_same_cell(last->cell, cell)) {
        last = &list->cells[list->count++];
        *last = (AqmPoissonCell){.cell = {cell[0], cell[1], cell[2]}};
    }
    add_to_cell(last, at, area);
}

static AqmStatus make_room(AqmCellList *list, size_t count, AqmDiag *diag) {
    list->cells = aqm_alloc(count, sizeof *list->cells);
    return list->cells ? AQM_OK : aqm_fail_memory(diag, "octree cells", count, sizeof *list->cells);
}

static AqmStatus cells_of_samples(AqmCellList *list, const AqmPoissonPoints *points, int depth,
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

static AqmStatus cells_of_children(AqmCellList *list, const AqmCellList *children, AqmDiag *diag) {
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

static void limit_areas(AqmCellList *list) {
    for (size_t i = 0; i < list->count; i++)
        list->cells[i].area = fminf(list->cells[i].area, MOST_AREA);
}

static bool has_cell(const AqmBrick *brick, const int32_t cell[3]) {
    return brick->bits[AQM_BITS_CELLS][cell[2] & 7] >> ((cell[1] & 7) * 8 + (cell[0] & 7)) & 1;
}

/* The cells of the list in each brick. */
static AqmStatus ranges_of_cells(const AqmBrickGrid *grid, const AqmCellList *list,
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
static size_t constraints_of(const AqmBrickGrid *grid, const AqmBrick *brick,
                             const AqmCellList *list, const AqmSampleRange *ranges,
                             AqmConstraint *out) {
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
                out[count] = (AqmConstraint){
                    .corner =
                        (uint16_t)(((local[2] + 1) * AQM_HALO_SIDE + local[1] + 1) * AQM_HALO_SIDE +
                                   local[0] + 1),
                    .is_own = k == 0,
                    .at = {cell->at[0], cell->at[1], cell->at[2]},
                    .area = fminf(cell->area, MOST_AREA)};
            count++;
        }
    }
    return count;
}

static AqmStatus make_constraints(const AqmPoissonLevel *level, const AqmCellList *list,
                                  AqmLevelConstraints *out, AqmDiag *diag) {
    const AqmBrickGrid *grid = &level->grid;
    AqmSampleRange *ranges = NULL;
    AQM_TRY(ranges_of_cells(grid, list, &ranges, diag));
    AqmStatus status = AQM_OK;
    out->first = aqm_calloc(grid->count + 1, sizeof *out->first);
    if (!out->first) {
        status = aqm_fail_memory(diag, "octree bricks", grid->count + 1, sizeof *out->first);
        goto done;
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
    for (size_t b = 0; b < grid->count; b++)
        out->first[b + 1] = constraints_of(grid, &grid->bricks[b], list, ranges, NULL);
    for (size_t b = 0; b < grid->count; b++)
        out->first[b + 1] += out->first[b];
    out->items = aqm_alloc(out->first[grid->count], sizeof *out->items);
    if (!out->items) {
        status =
            aqm_fail_memory(diag, "octree cells", out->first[grid->count], sizeof(AqmConstraint));
        goto done;
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(level->threads)
    for (size_t b = 0; b < grid->count; b++)
        (void)constraints_of(grid, &grid->bricks[b], list, ranges, out->items + out->first[b]);
done:
    aqm_free(ranges);
    return status;
}

AqmStatus aqm_constraints_create(AqmConstraints *out, const AqmPoissonTree *tree,
                                 const AqmPoissonPoints *points, AqmDiag *diag) {
    AqmCellList list = {0};
    AqmStatus status = cells_of_samples(&list, points, tree->finest, diag);
    for (int d = tree->finest; status == AQM_OK && d >= tree->base; d--) {
        AqmCellList coarser = {0};
        status = make_constraints(&tree->levels[d], &list, &out->levels[d], diag);
        if (d == tree->base) {
            limit_areas(&list);
            out->base = list;
            return status;
        }
        if (status == AQM_OK)
            status = cells_of_children(&coarser, &list, diag);
        aqm_free(list.cells);
        list = coarser;
    }
    aqm_free(list.cells);
    return status;
}

void aqm_constraints_free(AqmConstraints *constraints) {
    for (int d = 0; d <= AQM_POISSON_MOST_DEPTH; d++) {
        aqm_free(constraints->levels[d].first);
        aqm_free(constraints->levels[d].items);
    }
    aqm_free(constraints->base.cells);
    *constraints = (AqmConstraints){0};
}
