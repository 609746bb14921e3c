/* Points into cells: a hash table (open addressing, linear probing) finds the cells in one pass, a
 * counting sort puts the points in order. Cells are ordered by y, z, x, so a row of three of them
 * is one run of points and what surrounds a cell is nine runs.
 *
 * Cost: about 40 ns a point; 20 bytes a point and 92 a cell. */
#include "stages/surface/bpa_grid.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"

/* ---- cells ----------------------------------------------------------------------------------- */

/* Slots hold the number of a cell, or AQM_BPA_NONE. While cells are found, `first` counts their
 * points. */
typedef struct Table {
    uint32_t *slots;
    size_t mask; /* slots - 1, a power of two less one */
    AqmBpaCell *cells;
    size_t count, capacity;
} Table;

static size_t hash(int32_t x, int32_t y, int32_t z) {
    uint64_t h = (uint64_t)(uint32_t)x << 32 | (uint32_t)y;
    h = (h ^ h >> 31) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    h = (h ^ h >> 29 ^ (uint32_t)z) * 0x9e3779b97f4a7c15u;
    return (size_t)(h ^ h >> 29);
}

/* The slot of cell (x, y, z), or the free one where it would stand. */
static size_t find_slot(const Table *table, int32_t x, int32_t y, int32_t z) {
    size_t slot = hash(x, y, z) & table->mask;
    while (table->slots[slot] != AQM_BPA_NONE) {
        const AqmBpaCell *cell = &table->cells[table->slots[slot]];
        if (cell->x == x && cell->y == y && cell->z == z)
            break;
        slot = (slot + 1) & table->mask;
    }
    return slot;
}

static AqmStatus grow(Table *table, AqmDiag *diag) {
    const size_t capacity = table->capacity ? 2 * table->capacity : 256;
    AqmBpaCell *cells = aqm_realloc(table->cells, capacity + 1, sizeof *cells);
    if (!cells)
        return aqm_fail_memory(diag, "ball pivoting: cells", capacity, sizeof *cells);
    table->cells = cells;
    uint32_t *slots = aqm_alloc(2 * capacity, sizeof *slots);
    if (!slots)
        return aqm_fail_memory(diag, "ball pivoting: cells", 2 * capacity, sizeof *slots);
    aqm_free(table->slots);
    table->slots = slots;
    table->mask = 2 * capacity - 1;
    table->capacity = capacity;
    memset(slots, 0xff, 2 * capacity * sizeof *slots);
    for (size_t i = 0; i < table->count; i++)
        slots[find_slot(table, cells[i].x, cells[i].y, cells[i].z)] = (uint32_t)i;
    return AQM_OK;
}

static AqmStatus find_or_add(Table *table, const AqmBpaCell *wanted, uint32_t *found,
                             AqmDiag *diag) {
    if (table->count == table->capacity)
        AQM_TRY(grow(table, diag));
    const size_t slot = find_slot(table, wanted->x, wanted->y, wanted->z);
    if (table->slots[slot] == AQM_BPA_NONE) {
        table->slots[slot] = (uint32_t)table->count;
        table->cells[table->count++] = *wanted;
    }
    *found = table->slots[slot];
    return AQM_OK;
}

static bool cell_at(const float *position, double scale, AqmBpaCell *cell) {
    const double x = floor((double)position[0] * scale), y = floor((double)position[1] * scale);
    const double z = floor((double)position[2] * scale);
    if (!(fabs(x) < 0x1p30 && fabs(y) < 0x1p30 && fabs(z) < 0x1p30))
        return false;
    *cell = (AqmBpaCell){(int32_t)x, (int32_t)y, (int32_t)z, 0};
    return true;
}

/* Writes every point's cell to cell_of and counts the points of each. */
static AqmStatus assign(Table *table, AqmBpaGrid *grid, const float *position,
                        const uint32_t *which, size_t count, AqmDiag *diag) {
    for (size_t k = 0; k < count; k++) {
        const size_t i = which ? which[k] : k;
        AqmBpaCell cell;
        if (!cell_at(position + 3 * i, 1.0 / grid->cell_m, &cell))
            continue;
        AQM_TRY(find_or_add(table, &cell, &grid->cell_of[i], diag));
        table->cells[grid->cell_of[i]].first++;
        grid->count++;
    }
    return AQM_OK;
}

/* ---- order ----------------------------------------------------------------------------------- */

static int by_position(const AqmBpaCell *a, const AqmBpaCell *b) {
    if (a->y != b->y)
        return a->y < b->y ? -1 : 1;
    if (a->z != b->z)
        return a->z < b->z ? -1 : 1;
    return a->x < b->x ? -1 : a->x > b->x;
}

/* A cell, and its number while it was found. */
typedef struct Numbered {
    AqmBpaCell cell;
    uint32_t number;
} Numbered;

static int by_cell(const void *a, const void *b) {
    const Numbered *p = a, *q = b;
    return by_position(&p->cell, &q->cell);
}

/* Puts the cells in order and turns counts into first places; new_number: room for every cell. */
static AqmStatus order_cells(AqmBpaGrid *grid, uint32_t *new_number, AqmDiag *diag) {
    Numbered *sorted = aqm_alloc(grid->cell_count, sizeof *sorted);
    if (!sorted)
        return aqm_fail_memory(diag, "ball pivoting: cells", grid->cell_count, sizeof *sorted);
    for (size_t i = 0; i < grid->cell_count; i++)
        sorted[i] = (Numbered){grid->cells[i], (uint32_t)i};
    qsort(sorted, grid->cell_count, sizeof *sorted, by_cell);
    uint32_t sum = 0;
    for (size_t i = 0; i < grid->cell_count; i++) {
        grid->cells[i] = sorted[i].cell;
        grid->cells[i].first = sum;
        sum += sorted[i].cell.first;
        new_number[sorted[i].number] = (uint32_t)i;
    }
    grid->cells[grid->cell_count] = (AqmBpaCell){INT32_MAX, INT32_MAX, INT32_MAX, sum};
    aqm_free(sorted);
    return AQM_OK;
}

/* Puts the points in order: `first` of the cells serves as a cursor meanwhile. */
static void place_points(AqmBpaGrid *grid, const float *position, size_t count,
                         const uint32_t *new_number) {
    for (size_t i = 0; i < count; i++) {
        if (grid->cell_of[i] == AQM_BPA_NONE)
            continue;
        grid->cell_of[i] = new_number[grid->cell_of[i]];
        const uint32_t place = grid->cells[grid->cell_of[i]].first++;
        grid->x[place] = position[3 * i];
        grid->y[place] = position[3 * i + 1];
        grid->z[place] = position[3 * i + 2];
        grid->point[place] = (uint32_t)i;
    }
    for (size_t i = grid->cell_count; i-- > 1;)
        grid->cells[i].first = grid->cells[i - 1].first;
    grid->cells[0].first = 0;
}

/* Row `row` of what surrounds each cell. The cells and their shifted copies have the same order, so
 * one cursor runs through them all. */
static void link_row(AqmBpaGrid *grid, int row) {
    const int dy = row / 3 - 1, dz = row % 3 - 1;
    uint32_t begin = 0, end = 0;
    for (size_t i = 0; i < grid->cell_count; i++) {
        const AqmBpaCell *cell = &grid->cells[i];
        const AqmBpaCell low = {cell->x - 1, cell->y + dy, cell->z + dz, 0};
        const AqmBpaCell high = {cell->x + 1, cell->y + dy, cell->z + dz, 0};
        while (begin < grid->cell_count && by_position(&grid->cells[begin], &low) < 0)
            begin++;
        end = end < begin ? begin : end;
        while (end < grid->cell_count && by_position(&grid->cells[end], &high) <= 0)
            end++;
        grid->around[i][row] = (AqmBpaRow){begin, end};
    }
}

static void link_cells(AqmBpaGrid *grid, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(aqm_thread_count(threads))
    for (int row = 0; row < AQM_BPA_ROWS; row++)
        link_row(grid, row);
    for (size_t i = 0; i < grid->cell_count; i++) {
        size_t sum = 0;
        for (int row = 0; row < AQM_BPA_ROWS; row++)
            sum += grid->cells[grid->around[i][row].end].first -
                   grid->cells[grid->around[i][row].begin].first;
        grid->most_around = sum > grid->most_around ? sum : grid->most_around;
    }
}

static AqmStatus sort_points(AqmBpaGrid *grid, const float *position, size_t count, AqmDiag *diag) {
    uint32_t *new_number = aqm_alloc(grid->cell_count, sizeof *new_number);
    grid->x = aqm_alloc(grid->count, sizeof *grid->x);
    grid->y = aqm_alloc(grid->count, sizeof *grid->y);
    grid->z = aqm_alloc(grid->count, sizeof *grid->z);
    grid->point = aqm_alloc(grid->count, sizeof *grid->point);
    grid->around = aqm_alloc(grid->cell_count, sizeof *grid->around);
    AqmStatus status = AQM_OK;
    if (!new_number || !grid->x || !grid->y || !grid->z || !grid->point || !grid->around)
        status = aqm_fail_memory(diag, "ball pivoting: points", grid->count, 4 * sizeof(float));
    else
        status = order_cells(grid, new_number, diag);
    if (status == AQM_OK)
        place_points(grid, position, count, new_number);
    aqm_free(new_number);
    return status;
}

AqmStatus aqm_bpa_grid_create(AqmBpaGrid **out, const float *position, size_t point_count,
                              const uint32_t *which, size_t count, double cell_m, int threads,
                              AqmDiag *diag) {
    if (point_count >= AQM_BPA_NONE)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a cloud of %zu points: at most %u", point_count,
                        (unsigned)AQM_BPA_NONE - 1u);
    AqmBpaGrid *grid = aqm_calloc(1, sizeof *grid);
    if (!grid)
        return aqm_fail_memory(diag, "ball pivoting: cells", 1, sizeof *grid);
    grid->cell_m = cell_m;
    grid->cell_of = aqm_alloc(point_count, sizeof *grid->cell_of);
    Table table = {0};
    AqmStatus status = AQM_OK;
    if (!grid->cell_of)
        status = aqm_fail_memory(diag, "ball pivoting: points", point_count, sizeof *grid->cell_of);
    else
        memset(grid->cell_of, 0xff, point_count * sizeof *grid->cell_of);
    if (status == AQM_OK)
        status = grow(&table, diag);
    if (status == AQM_OK)
        status = assign(&table, grid, position, which, count, diag);
    grid->cells = table.cells;
    grid->cell_count = table.count;
    aqm_free(table.slots);
    if (status == AQM_OK)
        status = sort_points(grid, position, point_count, diag);
    if (status != AQM_OK) {
        aqm_bpa_grid_destroy(&grid);
        return status;
    }
    link_cells(grid, threads);
    *out = grid;
    return AQM_OK;
}

void aqm_bpa_grid_destroy(AqmBpaGrid **grid) {
    if (!grid || !*grid)
        return;
    aqm_free((*grid)->cells);
    aqm_free((*grid)->around);
    aqm_free((*grid)->x);
    aqm_free((*grid)->y);
    aqm_free((*grid)->z);
    aqm_free((*grid)->point);
    aqm_free((*grid)->cell_of);
    aqm_free(*grid);
    *grid = NULL;
}

/* ---- questions ------------------------------------------------------------------------------- */

static double outside(double value, double low, double high) {
    return value < low ? low - value : value > high ? value - high : 0.0;
}

size_t aqm_bpa_grid_within(const AqmBpaGrid *grid, uint32_t cell, const double center[3],
                           double reach_m, uint32_t *places) {
    const AqmBpaCell *own = &grid->cells[cell];
    const float cx = (float)center[0], cy = (float)center[1], cz = (float)center[2];
    /* in float the centre is off by up to 2^-24 of its coordinates: no point must be missed */
    const double reach =
        reach_m * (1.0 + 0x1p-20) + 0x1p-22 * (fabs(center[0]) + fabs(center[1]) + fabs(center[2]));
    const float reach2 = (float)(reach * reach);
    size_t count = 0;
    for (int row = 0; row < AQM_BPA_ROWS; row++) {
        const AqmBpaRow cells = grid->around[cell][row];
        const double y = (own->y + row / 3 - 1) * grid->cell_m;
        const double z = (own->z + row % 3 - 1) * grid->cell_m;
        if (cells.begin == cells.end || outside(center[1], y, y + grid->cell_m) > reach ||
            outside(center[2], z, z + grid->cell_m) > reach)
            continue;
        const uint32_t end = grid->cells[cells.end].first;
        for (uint32_t i = grid->cells[cells.begin].first; i < end; i++) {
            const float dx = grid->x[i] - cx, dy = grid->y[i] - cy, dz = grid->z[i] - cz;
            places[count] = i; /* written always: the branch would be a coin's toss */
            count += dx * dx + dy * dy + dz * dz <= reach2;
        }
    }
    return count;
}

/* Whether a point that stays is nearer than distance2 to the one at `place`. The points of a cell
 * that stay stand in kept[first .. first + kept_count - 1]. */
static bool is_crowded(const AqmBpaGrid *grid, uint32_t cell, uint32_t place, double distance2,
                       const uint32_t *kept, const uint32_t *kept_count) {
    for (int row = 0; row < AQM_BPA_ROWS; row++)
        for (uint32_t c = grid->around[cell][row].begin; c < grid->around[cell][row].end; c++) {
            const uint32_t *list = kept + grid->cells[c].first;
            for (uint32_t i = 0; i < kept_count[c]; i++) {
                const double dx = (double)grid->x[list[i]] - (double)grid->x[place];
                const double dy = (double)grid->y[list[i]] - (double)grid->y[place];
                const double dz = (double)grid->z[list[i]] - (double)grid->z[place];
                if (dx * dx + dy * dy + dz * dz < distance2)
                    return true;
            }
        }
    return false;
}

/* The points that stay so far: those of a cell stand from its first place on. */
typedef struct Kept {
    uint32_t *places, *count; /* by place; by cell */
} Kept;

static void keep(const AqmBpaGrid *grid, Kept *kept, uint32_t cell, uint32_t place,
                 uint32_t *chosen, size_t *chosen_count) {
    kept->places[grid->cells[cell].first + kept->count[cell]++] = place;
    chosen[(*chosen_count)++] = grid->point[place];
}

static void choose(const AqmBpaGrid *grid, double distance2, const uint32_t *fixed, Kept *kept,
                   uint32_t *chosen, size_t *chosen_count) {
    for (int round = fixed ? 0 : 1; round < 2; round++)
        for (size_t c = 0; c < grid->cell_count; c++)
            for (uint32_t i = grid->cells[c].first; i < grid->cells[c + 1].first; i++) {
                const bool is_fixed = fixed && fixed[grid->point[i]] != AQM_BPA_NONE;
                if (is_fixed != (round == 0) ||
                    (!is_fixed &&
                     is_crowded(grid, (uint32_t)c, i, distance2, kept->places, kept->count)))
                    continue;
                keep(grid, kept, (uint32_t)c, i, chosen, chosen_count);
            }
}

AqmStatus aqm_bpa_grid_thin(const AqmBpaGrid *grid, double distance_m, const uint32_t *fixed,
                            uint32_t *chosen, size_t *chosen_count, AqmDiag *diag) {
    Kept kept = {.places = aqm_alloc(grid->count, sizeof *kept.places),
                 .count = aqm_calloc(grid->cell_count, sizeof *kept.count)};
    const bool ready = kept.places && kept.count;
    *chosen_count = 0;
    if (ready)
        choose(grid, distance_m * distance_m, fixed, &kept, chosen, chosen_count);
    aqm_free(kept.places);
    aqm_free(kept.count);
    return ready ? AQM_OK
                 : aqm_fail_memory(diag, "ball pivoting: points", grid->count, sizeof(uint32_t));
}
