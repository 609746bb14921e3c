/* From nodes to a map: the box of all nodes with a height, NaN between them.
 *
 * A few points far away, six of them are enough, would make that box as large as they are far.
 * Where the box of all nodes is more than SPARSE times as large as their number, the map so is that
 * of the largest part: the nodes of blocks that touch, corners included. The mesh has them all. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/surface/height_grid.h"

enum { SPARSE = 64 };
/* As many as 4 bytes each and a file of two planes should hold. */
static const double most_nodes = 0x1p30;

/* The columns and rows of some nodes, both ends included, and how many they are. */
typedef struct Extent {
    int64_t x0, x1, y0, y1;
    size_t nodes;
} Extent;

static void extend(Extent *extent, int64_t x, int64_t y) {
    const bool is_first = extent->nodes++ == 0;
    extent->x0 = is_first || x < extent->x0 ? x : extent->x0;
    extent->x1 = is_first || x > extent->x1 ? x : extent->x1;
    extent->y0 = is_first || y < extent->y0 ? y : extent->y0;
    extent->y1 = is_first || y > extent->y1 ? y : extent->y1;
}

static double nodes_in_box(const Extent *extent) {
    return (double)(extent->x1 - extent->x0 + 1) * (double)(extent->y1 - extent->y0 + 1);
}

/* Extends by the present nodes of a block. */
static void extend_by(Extent *extent, const AqmHeightGrid *grid, const AqmHeightBlock *block) {
    const size_t first = (size_t)block->ordinal * AQM_BLOCK_NODES;
    const int64_t x = (int64_t)block->x * AQM_BLOCK_SIDE, y = (int64_t)block->y * AQM_BLOCK_SIDE;
    for (int node = 0; node < AQM_BLOCK_NODES; node++)
        if (grid->present[first + (size_t)node])
            extend(extent, x + node % AQM_BLOCK_SIDE, y + node / AQM_BLOCK_SIDE);
}

static bool has_nodes(const AqmHeightGrid *grid, const AqmHeightBlock *block) {
    return block->ordinal != AQM_NO_BLOCK &&
           memchr(grid->present + (size_t)block->ordinal * AQM_BLOCK_NODES, 1, AQM_BLOCK_NODES);
}

/* Marks the part that block `seed` belongs to with `part`; `stack` has room for all blocks. */
static Extent flood(const AqmHeightGrid *grid, size_t seed, uint32_t part, uint32_t *parts,
                    uint32_t *stack) {
    const AqmHeightBlock *blocks = grid->blocks->blocks;
    Extent extent = {0};
    size_t waiting = 0;
    stack[waiting++] = (uint32_t)seed;
    parts[seed] = part;
    while (waiting > 0) {
        const AqmHeightBlock *block = &blocks[stack[--waiting]];
        extend_by(&extent, grid, block);
        for (int k = 0; k < 9; k++) {
            const uint32_t next = block->around[k];
            if (next == AQM_NO_BLOCK || parts[next] || !has_nodes(grid, &blocks[next]))
                continue;
            parts[next] = part;
            stack[waiting++] = next;
        }
    }
    return extent;
}

/* Marks each block with its part (1, 2, ..; 0 = it has no nodes); returns the largest part, and of
 * equally large ones the first, in *part. */
static AqmStatus find_parts(const AqmHeightGrid *grid, uint32_t *parts, uint32_t *part,
                            Extent *largest, AqmDiag *diag) {
    uint32_t *stack = aqm_alloc(grid->blocks->count, sizeof *stack), count = 0;
    if (!stack)
        return aqm_fail_memory(diag, "a height map", grid->blocks->count, sizeof *stack);
    memset(parts, 0, grid->blocks->count * sizeof *parts);
    *largest = (Extent){0};
    for (size_t i = 0; i < grid->blocks->count; i++) {
        if (parts[i] || !has_nodes(grid, &grid->blocks->blocks[i]))
            continue;
        const Extent extent = flood(grid, i, ++count, parts, stack);
        if (extent.nodes > largest->nodes)
            *largest = extent, *part = count;
    }
    aqm_free(stack);
    return AQM_OK;
}

static void write_block(const AqmHeightGrid *grid, const AqmHeightBlock *block, AqmHeightMap *map) {
    const size_t first = (size_t)block->ordinal * AQM_BLOCK_NODES;
    for (int node = 0; node < AQM_BLOCK_NODES; node++) {
        const AqmHeightNode *from = &grid->nodes[first + (size_t)node];
        if (!grid->present[first + (size_t)node])
            continue;
        const int64_t x = (int64_t)block->x * AQM_BLOCK_SIDE + node % AQM_BLOCK_SIDE;
        const int64_t y = (int64_t)block->y * AQM_BLOCK_SIDE + node / AQM_BLOCK_SIDE;
        const size_t at =
            (size_t)(y - map->first_row) * (size_t)map->columns + (size_t)(x - map->first_column);
        const float sx = from->slope_x, sy = from->slope_y;
        map->z_m[at] = from->z;
        map->sigma_m[at] = from->sigma * sqrtf(1.0f + sx * sx + sy * sy);
    }
}

/* The map of the blocks of one part; of all with nodes where `parts` is NULL. */
static AqmStatus write_map(const AqmHeightGrid *grid, const Extent *extent, const uint32_t *parts,
                           uint32_t part, AqmHeightMap **out, AqmDiag *diag) {
    const int64_t columns = extent->x1 - extent->x0 + 1, rows = extent->y1 - extent->y0 + 1;
    if (nodes_in_box(extent) > most_nodes)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "a height map of %lld x %lld nodes (grid_resolution %g m): at most %.0f",
                        (long long)columns, (long long)rows, grid->blocks->resolution_m,
                        most_nodes);
    AqmHeightMap *map = NULL;
    AQM_TRY(aqm_height_map_create(&map, (int)columns, (int)rows, diag));
    map->first_column = (int32_t)extent->x0;
    map->first_row = (int32_t)extent->y0;
    map->step_m = grid->blocks->resolution_m;
#pragma omp parallel for schedule(dynamic, 4) num_threads(grid->threads)
    for (size_t i = 0; i < grid->blocks->count; i++) {
        const AqmHeightBlock *block = &grid->blocks->blocks[i];
        if (parts ? parts[i] == part : has_nodes(grid, block))
            write_block(grid, block, map);
    }
    *out = map;
    return AQM_OK;
}

AqmStatus aqm_height_grid_map(const AqmHeightGrid *grid, AqmHeightMap **out, AqmDiag *diag) {
    Extent all = {0}, largest = {0};
    for (size_t i = 0; i < grid->blocks->count; i++)
        if (has_nodes(grid, &grid->blocks->blocks[i]))
            extend_by(&all, grid, &grid->blocks->blocks[i]);
    if (all.nodes == 0)
        return aqm_height_grid_no_surface(grid, diag);
    if (nodes_in_box(&all) <= (double)SPARSE * (double)all.nodes)
        return write_map(grid, &all, NULL, 0, out, diag);
    uint32_t *parts = aqm_alloc(grid->blocks->count, sizeof *parts), part = 0;
    if (!parts)
        return aqm_fail_memory(diag, "a height map", grid->blocks->count, sizeof *parts);
    AqmStatus status = find_parts(grid, parts, &part, &largest, diag);
    if (status == AQM_OK)
        status = write_map(grid, &largest, parts, part, out, diag);
    aqm_free(parts);
    return status;
}
