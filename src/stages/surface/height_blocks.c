/* Sorting points into blocks: a hash table (open addressing, linear probing) finds the blocks in
 * one pass, a counting sort puts the points in order, and where they lie, which is all that most
 * who look at a block's points want to know. 16 bytes a point besides the blocks. */
#include "stages/surface/height_blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Slots hold the number of a block, or AQM_NO_BLOCK. */
typedef struct Table {
    uint32_t *slots;
    size_t mask; /* slots - 1, a power of two less one */
    AqmHeightBlock *blocks;
    size_t count, capacity;
} Table;

static size_t hash(int32_t x, int32_t y) {
    uint64_t h = (uint64_t)(uint32_t)x << 32 | (uint32_t)y;
    h = (h ^ h >> 31) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    return (size_t)(h ^ h >> 29);
}

/* The slot of block (x, y), or the free one where it would stand. */
static size_t find_slot(const Table *table, int32_t x, int32_t y) {
    size_t slot = hash(x, y) & table->mask;
    while (table->slots[slot] != AQM_NO_BLOCK) {
        const AqmHeightBlock *block = &table->blocks[table->slots[slot]];
        if (block->x == x && block->y == y)
            break;
        slot = (slot + 1) & table->mask;
    }
    return slot;
}

static void fill_slots(Table *table) {
    memset(table->slots, 0xff, (table->mask + 1) * sizeof *table->slots);
    for (size_t i = 0; i < table->count; i++)
        table->slots[find_slot(table, table->blocks[i].x, table->blocks[i].y)] = (uint32_t)i;
}

static AqmStatus grow(Table *table, AqmDiag *diag) {
    const size_t capacity = table->capacity ? 2 * table->capacity : 256;
    AqmHeightBlock *blocks = aqm_realloc(table->blocks, capacity, sizeof *blocks);
    if (!blocks)
        return aqm_fail_memory(diag, "heightfield blocks", capacity, sizeof *blocks);
    table->blocks = blocks;
    uint32_t *slots = aqm_alloc(2 * capacity, sizeof *slots);
    if (!slots)
        return aqm_fail_memory(diag, "heightfield blocks", 2 * capacity, sizeof *slots);
    aqm_free(table->slots);
    table->slots = slots;
    table->mask = 2 * capacity - 1;
    table->capacity = capacity;
    fill_slots(table);
    return AQM_OK;
}

static AqmStatus find_or_add(Table *table, int32_t x, int32_t y, uint32_t *found, AqmDiag *diag) {
    if (table->count == table->capacity)
        AQM_TRY(grow(table, diag));
    const size_t slot = find_slot(table, x, y);
    if (table->slots[slot] == AQM_NO_BLOCK) {
        table->slots[slot] = (uint32_t)table->count;
        table->blocks[table->count++] = (AqmHeightBlock){.x = x, .y = y};
    }
    *found = table->slots[slot];
    return AQM_OK;
}

/* floor is a call on the plainest of processors. */
static int32_t rounded_down(double value) {
    const int32_t cut = (int32_t)value;
    return cut - ((double)cut > value);
}

static bool is_on_grid(double step) {
    return step < 0x1p30 && step >= 1.0 - 0x1p30;
}

static bool block_of(const float *position, double resolution, int32_t *x, int32_t *y) {
    const double i = (double)position[0] / resolution + 0.5;
    const double j = (double)position[1] / resolution + 0.5;
    if (!(is_on_grid(i) && is_on_grid(j) && isfinite(position[2])))
        return false;
    *x = rounded_down(i) >> AQM_BLOCK_SHIFT;
    *y = rounded_down(j) >> AQM_BLOCK_SHIFT;
    return true;
}

/* Writes every point's block to `of_point` and counts the points of each. */
static AqmStatus assign(Table *table, const AqmCloud *cloud, double resolution, uint32_t *of_point,
                        AqmDiag *diag) {
    uint32_t last = AQM_NO_BLOCK;
    for (size_t i = 0; i < cloud->count; i++) {
        int32_t x, y;
        of_point[i] = AQM_NO_BLOCK;
        if (!block_of(cloud->position + 3 * i, resolution, &x, &y))
            continue;
        /* most points follow one of the same block */
        if (last == AQM_NO_BLOCK || table->blocks[last].x != x || table->blocks[last].y != y)
            AQM_TRY(find_or_add(table, x, y, &last, diag));
        of_point[i] = last;
        table->blocks[last].point_count++;
    }
    return AQM_OK;
}

static void sort_points(Table *table, const uint32_t *of_point, const AqmCloud *cloud,
                        uint32_t *order, float *place) {
    uint32_t sum = 0;
    for (size_t i = 0; i < table->count; i++) {
        table->blocks[i].point_first = sum;
        sum += table->blocks[i].point_count;
        table->blocks[i].point_count = 0;
    }
    for (size_t i = 0; i < cloud->count; i++)
        if (of_point[i] != AQM_NO_BLOCK) {
            AqmHeightBlock *block = &table->blocks[of_point[i]];
            const size_t at = block->point_first + block->point_count++;
            order[at] = (uint32_t)i;
            memcpy(place + 2 * at, cloud->position + 3 * i, 2 * sizeof *place);
        }
}

static int by_position(const void *a, const void *b) {
    const AqmHeightBlock *p = a, *q = b;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    return p->x < q->x ? -1 : p->x > q->x;
}

static void link_blocks(Table *table) {
    qsort(table->blocks, table->count, sizeof *table->blocks, by_position);
    fill_slots(table);
    for (size_t i = 0; i < table->count; i++) {
        AqmHeightBlock *block = &table->blocks[i];
        for (int k = 0; k < 9; k++)
            block->around[k] =
                table->slots[find_slot(table, block->x + k % 3 - 1, block->y + k / 3 - 1)];
    }
}

size_t aqm_height_blocks_points_around(const AqmHeightBlocks *blocks, size_t index) {
    size_t sum = 0;
    for (int k = 0; k < 9; k++)
        if (blocks->blocks[index].around[k] != AQM_NO_BLOCK)
            sum += blocks->blocks[blocks->blocks[index].around[k]].point_count;
    return sum;
}

static AqmStatus sort_into(AqmHeightBlocks *result, Table *table, const AqmCloud *cloud,
                           AqmDiag *diag) {
    uint32_t *of_point = aqm_alloc(cloud->count, sizeof *of_point);
    if (!of_point)
        return aqm_fail_memory(diag, "heightfield points", cloud->count, sizeof *of_point);
    AqmStatus status;
    AQM_TRY_GOTO(status, done, assign(table, cloud, result->resolution_m, of_point, diag));
    result->order = aqm_alloc(cloud->count, sizeof *result->order);
    result->place = aqm_alloc(cloud->count, 2 * sizeof *result->place);
    if (!result->order || !result->place) {
        status = aqm_fail_memory(diag, "heightfield points", cloud->count, 12);
        goto done;
    }
    sort_points(table, of_point, cloud, result->order, result->place);
done:
    aqm_free(of_point);
    return status;
}

AqmStatus aqm_height_blocks_create(AqmHeightBlocks **out, const AqmCloud *cloud,
                                   double resolution_m, AqmDiag *diag) {
    if (cloud->count >= AQM_NO_BLOCK)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a cloud of %zu points: at most %u", cloud->count,
                        (unsigned)AQM_NO_BLOCK - 1u);
    AqmHeightBlocks *result = aqm_calloc(1, sizeof *result);
    if (!result)
        return aqm_fail_memory(diag, "heightfield blocks", 1, sizeof *result);
    result->resolution_m = resolution_m;
    Table table = {0};
    AqmStatus status = grow(&table, diag);
    if (status == AQM_OK)
        status = sort_into(result, &table, cloud, diag);
    if (status == AQM_OK)
        link_blocks(&table);
    result->blocks = table.blocks;
    result->count = table.count;
    aqm_free(table.slots);
    if (status != AQM_OK) {
        aqm_height_blocks_destroy(&result);
        return status;
    }
    for (size_t i = 0; i < result->count; i++) {
        const bool supported = aqm_height_blocks_points_around(result, i) >= AQM_BLOCK_SUPPORT;
        result->blocks[i].ordinal = supported ? (uint32_t)result->supported++ : AQM_NO_BLOCK;
    }
    *out = result;
    return AQM_OK;
}

void aqm_height_blocks_destroy(AqmHeightBlocks **blocks) {
    if (!blocks || !*blocks)
        return;
    aqm_free((*blocks)->blocks);
    aqm_free((*blocks)->order);
    aqm_free((*blocks)->place);
    aqm_free(*blocks);
    *blocks = NULL;
}
