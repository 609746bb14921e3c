/* The bricks are found by a hash table with linear probing, once; after that by their neighbours.
 * Order of insertion is order of storage, so nothing depends on the table. */
#include "stages/surface/poisson_bricks.h"

#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

static const uint64_t COLUMN_0 = 0x0101010101010101u;

static size_t hash(int32_t x, int32_t y, int32_t z) {
    uint64_t h = (uint64_t)(uint32_t)x << 42 ^ (uint64_t)(uint32_t)y << 21 ^ (uint32_t)z;
    h = (h ^ h >> 31) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    return (size_t)(h ^ h >> 29);
}

/* The slot of the brick, or the free one where it would stand. */
static size_t find_slot(const AqmBrickGrid *grid, int32_t x, int32_t y, int32_t z) {
    size_t slot = hash(x, y, z) & grid->mask;
    for (; grid->slots[slot] != AQM_NO_BRICK; slot = (slot + 1) & grid->mask) {
        const int32_t *at = grid->bricks[grid->slots[slot]].at;
        if (at[0] == x && at[1] == y && at[2] == z)
            break;
    }
    return slot;
}

static AqmStatus grow(AqmBrickGrid *grid, AqmDiag *diag) {
    const size_t capacity = grid->capacity ? 2 * grid->capacity : 64;
    AqmBrick *bricks = aqm_realloc(grid->bricks, capacity, sizeof *bricks);
    if (!bricks)
        return aqm_fail_memory(diag, "octree bricks", capacity, sizeof *bricks);
    grid->bricks = bricks;
    uint32_t *slots = aqm_alloc(2 * capacity, sizeof *slots);
    if (!slots)
        return aqm_fail_memory(diag, "octree bricks", 2 * capacity, sizeof *slots);
    memset(slots, 0xff, 2 * capacity * sizeof *slots);
    aqm_free(grid->slots);
    grid->slots = slots;
    grid->mask = 2 * capacity - 1;
    grid->capacity = capacity;
    for (size_t i = 0; i < grid->count; i++) {
        const int32_t *at = bricks[i].at;
        slots[find_slot(grid, at[0], at[1], at[2])] = (uint32_t)i;
    }
    return AQM_OK;
}

void aqm_bricks_free(AqmBrickGrid *grid) {
    aqm_free(grid->bricks);
    aqm_free(grid->slots);
    *grid = (AqmBrickGrid){0};
}

uint32_t aqm_bricks_find(const AqmBrickGrid *grid, int32_t x, int32_t y, int32_t z) {
    return grid->count ? grid->slots[find_slot(grid, x, y, z)] : AQM_NO_BRICK;
}

AqmStatus aqm_bricks_insert(AqmBrickGrid *grid, int32_t x, int32_t y, int32_t z, uint32_t *found,
                            AqmDiag *diag) {
    *found = aqm_bricks_find(grid, x, y, z);
    if (*found != AQM_NO_BRICK)
        return AQM_OK;
    if (grid->count == grid->capacity)
        AQM_TRY(grow(grid, diag));
    *found = (uint32_t)grid->count++;
    grid->slots[find_slot(grid, x, y, z)] = *found;
    AqmBrick *brick = &grid->bricks[*found];
    memset(brick, 0, sizeof *brick);
    brick->at[0] = x, brick->at[1] = y, brick->at[2] = z;
    return AQM_OK;
}

void aqm_bricks_link(AqmBrickGrid *grid, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < grid->count; i++) {
        AqmBrick *brick = &grid->bricks[i];
        for (int k = 0; k < 27; k++)
            brick->near[k] =
                aqm_bricks_find(grid, brick->at[0] + k % 3 - 1, brick->at[1] + k / 3 % 3 - 1,
                                brick->at[2] + k / 9 - 1);
    }
}

static uint64_t layer_of(const AqmBrickGrid *grid, const AqmBrick *brick, AqmBrickBits kind, int z,
                         int sx, int sy) {
    const uint32_t from = brick->near[((z >> 3) + 1) * 9 + (sy + 1) * 3 + sx + 1];
    return from == AQM_NO_BRICK ? 0 : grid->bricks[from].bits[kind][z & 7];
}

/* The layer displaced along x, in the row of bricks sy. */
static uint64_t layer_shifted_x(const AqmBrickGrid *grid, const AqmBrick *brick, AqmBrickBits kind,
                                int z, int dx, int sy) {
    const uint64_t own = layer_of(grid, brick, kind, z, 0, sy);
    if (dx == 0)
        return own;
    const uint64_t other = layer_of(grid, brick, kind, z, dx, sy);
    if (dx > 0)
        return (own >> 1 & ~(COLUMN_0 << 7)) | (other & COLUMN_0) << 7;
    return (own << 1 & ~COLUMN_0) | (other >> 7 & COLUMN_0);
}

uint64_t aqm_bricks_layer(const AqmBrickGrid *grid, const AqmBrick *brick, AqmBrickBits kind, int z,
                          int dx, int dy) {
    const uint64_t own = layer_shifted_x(grid, brick, kind, z, dx, 0);
    if (dy == 0)
        return own;
    const uint64_t other = layer_shifted_x(grid, brick, kind, z, dx, dy);
    return dy > 0 ? own >> 8 | other << 56 : own << 8 | other >> 56;
}

void aqm_bricks_halo(const AqmBrickGrid *grid, uint32_t brick, const float *values,
                     float out[AQM_HALO_SIZE]) {
    const AqmBrick *center = &grid->bricks[brick];
    for (int z = -1; z <= AQM_BRICK_SIDE; z++)
        for (int y = -1; y <= AQM_BRICK_SIDE; y++) {
            float *row = out + ((z + 1) * AQM_HALO_SIDE + y + 1) * AQM_HALO_SIDE;
            const uint32_t *near = center->near + ((z >> 3) + 1) * 9 + ((y >> 3) + 1) * 3;
            const size_t offset = aqm_brick_node(0, y, z);
            row[0] = near[0] == AQM_NO_BRICK
                         ? 0.0f
                         : values[(size_t)near[0] * AQM_BRICK_SIZE + offset + 7];
            if (near[1] == AQM_NO_BRICK)
                memset(row + 1, 0, AQM_BRICK_SIDE * sizeof *row);
            else
                memcpy(row + 1, values + (size_t)near[1] * AQM_BRICK_SIZE + offset,
                       AQM_BRICK_SIDE * sizeof *row);
            row[9] =
                near[2] == AQM_NO_BRICK ? 0.0f : values[(size_t)near[2] * AQM_BRICK_SIZE + offset];
        }
}
