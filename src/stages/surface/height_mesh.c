/* From nodes to triangles: two for each grid square with four nodes, cut along the diagonal with
 * the smaller step in height, one for each with three. Every edge so belongs to one or two
 * triangles. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/surface/height_grid.h"

/* The corners (i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1); SIZE_MAX where none is present.
 * Returns how many are. */
static int square(const AqmHeightGrid *grid, size_t block, int i, int j, size_t corners[4]) {
    int count = 0;
    for (int k = 0; k < 4; k++) {
        corners[k] = aqm_height_node(grid, block, i + k % 2, j + k / 2);
        if (corners[k] != SIZE_MAX && !grid->present[corners[k]])
            corners[k] = SIZE_MAX;
        count += corners[k] != SIZE_MAX;
    }
    return count;
}

/* A present node is a vertex if any of the squares around it has a triangle (and so it a part). */
static bool is_vertex(const AqmHeightGrid *grid, size_t block, int i, int j) {
    size_t corners[4];
    for (int k = 0; k < 4; k++)
        if (square(grid, block, i - k % 2, j - k / 2, corners) >= 3)
            return true;
    return false;
}

/* Corner numbers of the triangles of a square, wound to face -Z (X right, Y down: up, then right).
 * Returns how many. */
static int triangles_of(const AqmHeightGrid *grid, const size_t corners[4], int triangles[6]) {
    static const int without[4][3] = {{1, 2, 3}, {0, 2, 3}, {0, 3, 1}, {0, 2, 1}};
    static const int falling[6] = {0, 3, 1, 0, 2, 3}, rising[6] = {0, 2, 1, 1, 2, 3};
    for (int k = 0; k < 4; k++)
        if (corners[k] == SIZE_MAX) {
            memcpy(triangles, without[k], sizeof without[k]);
            return 1;
        }
    const AqmHeightNode *n = grid->nodes;
    const bool cut_falling =
        fabsf(n[corners[0]].z - n[corners[3]].z) <= fabsf(n[corners[1]].z - n[corners[2]].z);
    memcpy(triangles, cut_falling ? falling : rising, sizeof falling);
    return 2;
}

/* What stands before each supported block, and in the end the totals. */
typedef struct Offsets {
    size_t vertices, triangles;
} Offsets;

/* Numbers the block's vertices from 0 in `numbers` (UINT32_MAX = none), counts its triangles. */
static Offsets count_block(const AqmHeightGrid *grid, size_t block, uint32_t *numbers) {
    const size_t first = (size_t)grid->blocks->blocks[block].ordinal * AQM_BLOCK_NODES;
    Offsets count = {0};
    for (int node = 0; node < AQM_BLOCK_NODES; node++) {
        const int i = node % AQM_BLOCK_SIDE, j = node / AQM_BLOCK_SIDE;
        const size_t at = first + (size_t)node;
        size_t corners[4];
        const int present = square(grid, block, i, j, corners);
        count.triangles += present == 4 ? 2 : present == 3 ? 1 : 0;
        numbers[at] = UINT32_MAX;
        if (grid->present[at] && is_vertex(grid, block, i, j))
            numbers[at] = (uint32_t)count.vertices++;
    }
    return count;
}

static void add_offset(uint32_t *numbers, size_t offset) {
    for (int node = 0; node < AQM_BLOCK_NODES; node++)
        if (numbers[node] != UINT32_MAX)
            numbers[node] += (uint32_t)offset;
}

static void write_vertex(const AqmHeightGrid *grid, const AqmHeightBlock *block, int node,
                         const AqmHeightNode *from, size_t at, AqmMesh *mesh) {
    const double i = (double)block->x * AQM_BLOCK_SIDE + node % AQM_BLOCK_SIDE;
    const double j = (double)block->y * AQM_BLOCK_SIDE + node / AQM_BLOCK_SIDE;
    const double sx = from->slope_x, sy = from->slope_y, length = sqrt(1.0 + sx * sx + sy * sy);
    mesh->position[3 * at] = (float)(i * grid->blocks->resolution_m);
    mesh->position[3 * at + 1] = (float)(j * grid->blocks->resolution_m);
    mesh->position[3 * at + 2] = from->z;
    mesh->normal[3 * at] = (float)(sx / length);
    mesh->normal[3 * at + 1] = (float)(sy / length);
    mesh->normal[3 * at + 2] = (float)(-1.0 / length);
    memcpy(mesh->color + 3 * at, from->color, 3);
    mesh->sigma_m[at] = from->sigma;
}

static void write_block(const AqmHeightGrid *grid, size_t index, const uint32_t *numbers,
                        size_t first_triangle, AqmMesh *mesh) {
    const AqmHeightBlock *block = &grid->blocks->blocks[index];
    uint32_t *next = mesh->triangles + 3 * first_triangle;
    for (int node = 0; node < AQM_BLOCK_NODES; node++) {
        const size_t at = (size_t)block->ordinal * AQM_BLOCK_NODES + (size_t)node;
        size_t corners[4];
        int triangles[6];
        if (numbers[at] != UINT32_MAX)
            write_vertex(grid, block, node, &grid->nodes[at], numbers[at], mesh);
        if (square(grid, index, node % AQM_BLOCK_SIDE, node / AQM_BLOCK_SIDE, corners) < 3)
            continue;
        const int count = triangles_of(grid, corners, triangles);
        for (int k = 0; k < 3 * count; k++)
            *next++ = numbers[corners[triangles[k]]];
    }
}

/* Counts by block, numbers the vertices of the whole mesh, and leaves in offsets[i] what stands
 * before supported block i; returns the totals. */
static Offsets number_vertices(const AqmHeightGrid *grid, Offsets *offsets, uint32_t *numbers) {
    const AqmHeightBlocks *blocks = grid->blocks;
#pragma omp parallel for schedule(dynamic) num_threads(grid->threads)
    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->blocks[i].ordinal != AQM_NO_BLOCK)
            offsets[blocks->blocks[i].ordinal] = count_block(grid, i, numbers);
    Offsets sum = {0};
    for (size_t i = 0; i < blocks->supported; i++) {
        const Offsets count = offsets[i];
        offsets[i] = sum;
        sum.vertices += count.vertices;
        sum.triangles += count.triangles;
        add_offset(numbers + i * AQM_BLOCK_NODES, offsets[i].vertices);
    }
    return sum;
}

AqmStatus aqm_height_grid_mesh(const AqmHeightGrid *grid, AqmMesh **out, AqmDiag *diag) {
    const AqmHeightBlocks *blocks = grid->blocks;
    const size_t nodes = blocks->supported * AQM_BLOCK_NODES;
    Offsets *offsets = aqm_alloc(blocks->supported, sizeof *offsets);
    uint32_t *numbers = aqm_alloc(nodes, sizeof *numbers);
    AqmMesh *mesh = NULL;
    AqmStatus status = AQM_OK;
    if (!offsets || !numbers) {
        status = aqm_fail_memory(diag, "heightfield vertices", nodes, sizeof *numbers);
        goto done;
    }
    const Offsets total = number_vertices(grid, offsets, numbers);
    if (total.triangles == 0) {
        status = aqm_height_grid_no_surface(grid, diag);
        goto done;
    }
    AQM_TRY_GOTO(status, done, aqm_mesh_create(&mesh, total.vertices, total.triangles, diag));
#pragma omp parallel for schedule(dynamic) num_threads(grid->threads)
    for (size_t i = 0; i < blocks->count; i++) {
        const uint32_t ordinal = blocks->blocks[i].ordinal;
        if (ordinal != AQM_NO_BLOCK)
            write_block(grid, i, numbers, offsets[ordinal].triangles, mesh);
    }
    *out = mesh;
done:
    aqm_free(offsets);
    aqm_free(numbers);
    return status;
}
