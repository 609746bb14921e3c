/* The average point of every voxel: a hash table (open addressing, linear probing) finds the voxel
 * of a point, whose sums the point is added to. A voxel's point is the mean weighted by confidence
 * times agreeing views (the variance of a fused depth falls with both). In the end the voxels are
 * sorted by a least-significant-digit radix sort over the bytes of their numbers that differ.
 *
 * Points come in batches, each a step behind the next, so that the memory which one needs is on its
 * way while others are worked on: most of the cost would be waiting. First a batch's slots are
 * asked for, then the voxels they name, and last the points are added; a voxel found then is still
 * that voxel, whatever came between.
 *
 * Cost: about 15 ns a point, much of it the way to memory; 64 bytes a voxel and 16 to 32 for its
 * slots. */
#include "stages/fusion/voxel_set.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_CAPACITY = 1 << 12, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, WAITING = 2 };

#define NO_VOXEL UINT32_MAX

typedef struct Slot {
    uint32_t voxel, tag; /* voxel: its number, or NO_VOXEL */
} Slot;

struct AqmVoxelSet {
    AqmVoxelGrid grid;
    size_t count, capacity;
    AqmVoxelSums *voxels;            /* capacity */
    Slot *slots;                     /* 2 x capacity, a power of two */
    AqmVoxelBatch *waiting[WAITING]; /* the one that came last is the last; or NULL */
};

AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]) {
    AqmVoxelGrid grid = {.size_m = size_m, .per_m = 1.0 / size_m};
    for (int i = 0; i < 3; i++)
        grid.corner[i] = floor(center[i] * grid.per_m);
    return grid;
}

void aqm_voxel_set_clear(AqmVoxelSet *set) {
    set->count = 0;
    memset(set->waiting, 0, sizeof set->waiting);
    memset(set->slots, 0xff, set->capacity * 2 * sizeof *set->slots);
}

void aqm_voxel_set_destroy(AqmVoxelSet **set) {
    if (!set || !*set)
        return;
    aqm_free((*set)->voxels);
    aqm_free((*set)->slots);
    aqm_free(*set);
    *set = NULL;
}

static bool same_index(const int32_t a[3], const int32_t b[3]) {
    return (a[0] == b[0]) & (a[1] == b[1]) & (a[2] == b[2]);
}

/* The first slot from the place on that is free or has its tag. */
static size_t next_slot(const AqmVoxelSet *set, size_t slot, uint32_t tag) {
    const size_t mask = 2 * set->capacity - 1;
    for (slot &= mask; set->slots[slot].voxel != NO_VOXEL && set->slots[slot].tag != tag;)
        slot = (slot + 1) & mask;
    return slot;
}

/* The slot of a voxel, or the free one where it would stand. */
static size_t find_slot(const AqmVoxelSet *set, AqmVoxelPlace place, const int32_t index[3]) {
    size_t slot = next_slot(set, place.first, place.tag);
    while (set->slots[slot].voxel != NO_VOXEL &&
           !same_index(set->voxels[set->slots[slot].voxel].index, index))
        slot = next_slot(set, slot + 1, place.tag);
    return slot;
}

static AqmStatus set_capacity(AqmVoxelSet *set, size_t capacity, AqmDiag *diag) {
    AqmVoxelSums *voxels = aqm_realloc(set->voxels, capacity, sizeof *voxels);
    if (!voxels)
        return aqm_fail_memory(diag, "voxels", capacity, sizeof *voxels);
    set->voxels = voxels;
    Slot *slots = aqm_alloc(capacity, 2 * sizeof *slots);
    if (!slots)
        return aqm_fail_memory(diag, "voxels", capacity, 2 * sizeof *slots);
    aqm_free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    memset(slots, 0xff, capacity * 2 * sizeof *slots);
    for (size_t i = 0; i < set->count; i++) {
        const int32_t *index = voxels[i].index;
        const AqmVoxelPlace place = aqm_voxel_place(index[0], index[1], index[2]);
        slots[find_slot(set, place, index)] = (Slot){(uint32_t)i, place.tag};
    }
    return AQM_OK;
}

AqmStatus aqm_voxel_set_create(AqmVoxelSet **out, const AqmVoxelGrid *grid, AqmDiag *diag) {
    AqmVoxelSet *set = aqm_calloc(1, sizeof *set);
    if (!set)
        return aqm_fail_memory(diag, "voxels", 1, sizeof *set);
    set->grid = *grid;
    const AqmStatus status = set_capacity(set, FIRST_CAPACITY, diag);
    if (status == AQM_OK)
        *out = set;
    else
        aqm_voxel_set_destroy(&set);
    return status;
}

static void add(AqmVoxelSums *restrict voxel, const AqmVoxelSums *restrict point) {
    for (int i = 0; i < AQM_VOXEL_SUMS; i++)
        voxel->sums[i] += point->sums[i];
    voxel->views = point->views > voxel->views ? point->views : voxel->views;
}

/* likely: a voxel's number, which it keeps, or NO_VOXEL. */
static AqmStatus add_point(AqmVoxelSet *set, const AqmVoxelSums *point, AqmVoxelPlace place,
                           uint32_t likely, AqmDiag *diag) {
    if (likely != NO_VOXEL && same_index(set->voxels[likely].index, point->index)) {
        add(&set->voxels[likely], point);
        return AQM_OK;
    }
    if (set->count == set->capacity)
        AQM_TRY(set_capacity(set, 2 * set->capacity, diag));
    const size_t slot = find_slot(set, place, point->index);
    if (set->slots[slot].voxel != NO_VOXEL) {
        add(&set->voxels[set->slots[slot].voxel], point);
        return AQM_OK;
    }
    set->slots[slot] = (Slot){(uint32_t)set->count, place.tag};
    set->voxels[set->count++] = *point;
    return AQM_OK;
}

static void call_slots(const AqmVoxelSet *set, const AqmVoxelBatch *batch) {
    const size_t mask = 2 * set->capacity - 1;
    for (size_t i = 0; i < batch->count; i++)
        __builtin_prefetch(&set->slots[batch->places[i].first & mask]);
}

/* Asks for the voxels that the slots name. */
static void call_voxels(const AqmVoxelSet *set, AqmVoxelBatch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const AqmVoxelPlace place = batch->places[i];
        const uint32_t likely = set->slots[next_slot(set, place.first, place.tag)].voxel;
        if (likely != NO_VOXEL)
            __builtin_prefetch(&set->voxels[likely], 1);
        batch->likely[i] = likely;
    }
}

static AqmStatus add_batch(AqmVoxelSet *set, const AqmVoxelBatch *batch, AqmDiag *diag) {
    for (size_t i = 0; i < batch->count; i++)
        AQM_TRY(add_point(set, &batch->points[i], batch->places[i], batch->likely[i], diag));
    return AQM_OK;
}

AqmStatus aqm_voxel_set_add(AqmVoxelSet *set, AqmVoxelBatch *batch, AqmDiag *diag) {
    for (size_t step = 0; step < (batch ? 1 : WAITING); step++) {
        AqmVoxelBatch *ready = set->waiting[0], *next = set->waiting[1];
        if (batch)
            call_slots(set, batch);
        if (next)
            call_voxels(set, next);
        set->waiting[0] = next;
        set->waiting[1] = batch;
        if (ready)
            AQM_TRY(add_batch(set, ready, diag));
    }
    return AQM_OK;
}

/* ---- in order -------------------------------------------------------------------------------- */

typedef struct Item {
    uint32_t key[3]; /* Z, X, Y: the last decides first */
    uint32_t voxel;
} Item;

/* A stable pass over one byte of the keys. */
static void sort_digit(const Item *from, Item *to, size_t count, int word, int bit) {
    size_t first[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        first[from[i].key[word] >> bit & (DIGITS - 1)]++;
    for (int digit = 0; digit < DIGITS; digit++) {
        const size_t size = first[digit];
        first[digit] = sum;
        sum += size;
    }
    for (size_t i = 0; i < count; i++)
        to[first[from[i].key[word] >> bit & (DIGITS - 1)]++] = from[i];
}

/* Returns where the sorted items stand: `items` or `spare`. */
static const Item *sort_items(Item *items, Item *spare, size_t count) {
    uint32_t differs[3] = {0};
    for (size_t i = 1; i < count; i++)
        for (int word = 0; word < 3; word++)
            differs[word] |= items[i].key[word] ^ items[0].key[word];
    for (int word = 0; word < 3; word++)
        for (int bit = 0; bit < 32; bit += DIGIT_BITS)
            if (differs[word] >> bit & (DIGITS - 1)) {
                sort_digit(items, spare, count, word, bit);
                Item *swap = items;
                items = spare, spare = swap;
            }
    return items;
}

static Item item_of(const AqmVoxelSums *voxel, uint32_t number) {
    const uint32_t flip = 1u << 31; /* orders signed numbers as unsigned ones */
    return (Item){{(uint32_t)voxel->index[2] ^ flip, (uint32_t)voxel->index[0] ^ flip,
                   (uint32_t)voxel->index[1] ^ flip},
                  number};
}

static void put_point(const AqmVoxelGrid *grid, const AqmVoxelSums *voxel, AqmCloud *cloud,
                      size_t at) {
    const float *sums = voxel->sums, *n = sums + AQM_SUM_NORMAL, weight = sums[AQM_SUM_WEIGHT];
    const float length = sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    for (int k = 0; k < 3; k++) {
        const double inside = (double)(sums[AQM_SUM_POSITION + k] / weight);
        cloud->position[3 * at + k] =
            (float)((grid->corner[k] + (double)voxel->index[k] + inside) * grid->size_m);
        cloud->normal[3 * at + k] = length > 0.0f ? n[k] / length : 0.0f;
        cloud->color[3 * at + k] = (uint8_t)(sums[AQM_SUM_COLOR + k] / weight + 0.5f);
    }
    cloud->confidence[at] = sums[AQM_SUM_CONFIDENCE] / weight;
    cloud->sigma_m[at] = sums[AQM_SUM_DEVIATION] / weight;
    cloud->views[at] = (uint8_t)voxel->views;
}

AqmStatus aqm_voxel_set_finish(const AqmVoxelSet *set, AqmCloud **out, AqmDiag *diag) {
    AqmCloud *cloud = NULL;
    AQM_TRY(aqm_cloud_create(&cloud, set->count, diag));
    Item *items = aqm_alloc(set->count, 2 * sizeof *items);
    if (!items) {
        aqm_cloud_destroy(&cloud);
        return aqm_fail_memory(diag, "sorting voxels", set->count, 2 * sizeof *items);
    }
    for (size_t i = 0; i < set->count; i++)
        items[i] = item_of(&set->voxels[i], (uint32_t)i);
    const Item *sorted = sort_items(items, items + set->count, set->count);
    for (size_t i = 0; i < set->count; i++)
        put_point(&set->grid, &set->voxels[sorted[i].voxel], cloud, i);
    cloud->count = set->count;
    aqm_free(items);
    *out = cloud;
    return AQM_OK;
}
