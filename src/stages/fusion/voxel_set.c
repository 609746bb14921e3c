/* The average point of every voxel: a hash table (open addressing, linear probing) finds the voxel
 * of a point, whose sums the point is added to. A voxel's point is the mean weighted by confidence
 * times agreeing views (the variance of a fused depth falls with both). In the end the voxels are
 * sorted by a least-significant-digit radix sort over the bytes of their numbers that differ.
 *
 * Cost: about 20 ns a point, much of it the way to memory; 64 bytes a voxel and 16 to 32 for its
 * slots. */
#include "stages/fusion/voxel_set.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_CAPACITY = 1 << 12, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, BATCH = 32, STEPS = 3 };

#define NO_VOXEL UINT32_MAX

/* What is summed up, each times the point's weight. Positions in the voxel, in its sides. */
enum {
    WEIGHT,
    POSITION,
    CONFIDENCE = POSITION + 3,
    NORMAL,
    COLOR = NORMAL + 3,
    SIGMA = COLOR + 3,
    SUMS
};

/* 64 bytes: a line of the cache. */
typedef struct Voxel {
    int32_t index[3];
    uint32_t views; /* most of any point */
    float sums[SUMS];
} Voxel;

/* The tag tells most other voxels apart without a way to them. */
typedef struct Slot {
    uint32_t voxel, tag; /* voxel: its number, or NO_VOXEL */
} Slot;

/* Where to look for a voxel: from which slot on (modulo their number), and for which tag. */
typedef struct Place {
    uint32_t first, tag;
} Place;

struct AqmVoxelSet {
    AqmVoxelGrid grid;
    size_t count, capacity;
    Voxel *voxels; /* capacity */
    Slot *slots;   /* 2 x capacity, a power of two */
};

AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]) {
    AqmVoxelGrid grid = {.size_m = size_m, .per_m = 1.0 / size_m};
    for (int i = 0; i < 3; i++)
        grid.corner[i] = floor(center[i] * grid.per_m);
    return grid;
}

void aqm_voxel_set_clear(AqmVoxelSet *set) {
    set->count = 0;
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

/* Cubes of 4 x 4 x 4 voxels are scattered; within one the voxels stand side by side, so that those
 * of a tile share lines of the cache. Next to each other are those above each other: of these a
 * surface fills few, and a probe that finds its slot taken soon finds a free one. */
static Place place_of(const int32_t index[3]) {
    const uint32_t x = (uint32_t)index[0], y = (uint32_t)index[1], z = (uint32_t)index[2];
    const uint32_t within = (y & 3) << 4 | (x & 3) << 2 | (z & 3);
    uint64_t h = (uint64_t)(y >> 2) << 32 | z >> 2;
    h = (h ^ (uint64_t)(x >> 2) * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return (Place){(uint32_t)(h << 6) | within, (uint32_t)(h >> 32 << 6) | within};
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
static size_t find_slot(const AqmVoxelSet *set, Place place, const int32_t index[3]) {
    size_t slot = next_slot(set, place.first, place.tag);
    while (set->slots[slot].voxel != NO_VOXEL &&
           !same_index(set->voxels[set->slots[slot].voxel].index, index))
        slot = next_slot(set, slot + 1, place.tag);
    return slot;
}

static AqmStatus set_capacity(AqmVoxelSet *set, size_t capacity, AqmDiag *diag) {
    Voxel *voxels = aqm_realloc(set->voxels, capacity, sizeof *voxels);
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
        const Place place = place_of(voxels[i].index);
        slots[find_slot(set, place, voxels[i].index)] = (Slot){(uint32_t)i, place.tag};
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

/* A point on its way to its voxel. */
typedef struct Arrival {
    int32_t index[3];
    uint32_t views;
    Place place;
    float values[SUMS];
} Arrival;

typedef struct Batch {
    Arrival arrivals[BATCH];
    size_t count;
} Batch;

static void arrive(const AqmVoxelGrid *grid, const AqmVoxelPoint *point, Arrival *arrival) {
    float *values = arrival->values;
    values[WEIGHT] = 1.0f;
    values[CONFIDENCE] = point->confidence;
    values[SIGMA] = point->sigma_m;
    for (int k = 0; k < 3; k++) {
        const double cells = aqm_voxel_cells(grid, k, point->position[k]);
        const int32_t index = aqm_voxel_floor(cells);
        const double inside = cells - (double)index; /* 0..1, or beyond the grid */
        arrival->index[k] = index;
        values[POSITION + k] = (float)(inside < 1e30 ? inside > -1e30 ? inside : -1e30 : 1e30);
        values[NORMAL + k] = point->normal[k];
        values[COLOR + k] = (float)point->color[k];
    }
    for (int i = 0; i < SUMS; i++)
        values[i] *= point->weight;
    arrival->views = point->views;
    arrival->place = place_of(arrival->index);
}

static void add(Voxel *voxel, const Arrival *arrival) {
    for (int i = 0; i < SUMS; i++)
        voxel->sums[i] += arrival->values[i];
    voxel->views = arrival->views > voxel->views ? arrival->views : voxel->views;
}

static AqmStatus find_or_add(AqmVoxelSet *set, const Arrival *arrival, uint32_t *found,
                             AqmDiag *diag) {
    if (set->count == set->capacity)
        AQM_TRY(set_capacity(set, 2 * set->capacity, diag));
    const size_t slot = find_slot(set, arrival->place, arrival->index);
    if (set->slots[slot].voxel == NO_VOXEL) {
        set->slots[slot] = (Slot){(uint32_t)set->count, arrival->place.tag};
        Voxel *fresh = &set->voxels[set->count++];
        *fresh = (Voxel){0};
        memcpy(fresh->index, arrival->index, sizeof fresh->index);
    }
    *found = set->slots[slot].voxel;
    return AQM_OK;
}

/* Where points are bound for; asks for their slots. */
static void arrive_all(const AqmVoxelSet *set, const AqmVoxelPoint *points, Batch *batch) {
    const size_t mask = 2 * set->capacity - 1;
    for (size_t i = 0; i < batch->count; i++) {
        arrive(&set->grid, &points[i], &batch->arrivals[i]);
        __builtin_prefetch(&set->slots[batch->arrivals[i].place.first & mask]);
    }
}

/* Asks for the voxels that the slots name. */
static void call_voxels(const AqmVoxelSet *set, const Batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const Place place = batch->arrivals[i].place;
        const uint32_t likely = set->slots[next_slot(set, place.first, place.tag)].voxel;
        if (likely != NO_VOXEL)
            __builtin_prefetch(&set->voxels[likely], 1);
    }
}

static AqmStatus add_all(AqmVoxelSet *set, const Batch *batch, AqmDiag *diag) {
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t voxel = 0;
        AQM_TRY(find_or_add(set, &batch->arrivals[i], &voxel, diag));
        add(&set->voxels[voxel], &batch->arrivals[i]);
    }
    return AQM_OK;
}

/* In batches, each a step behind the next, so that the memory which one needs is on its way while
 * others are worked on: most of the cost would be waiting. */
AqmStatus aqm_voxel_set_add(AqmVoxelSet *set, const AqmVoxelPoint *points, size_t count,
                            AqmDiag *diag) {
    Batch batches[STEPS];
    for (size_t first = 0, step = 0; first < count + (STEPS - 1) * BATCH; first += BATCH, step++) {
        Batch *fresh = &batches[step % STEPS];
        fresh->count = first >= count ? 0 : count - first < BATCH ? count - first : BATCH;
        arrive_all(set, points + first, fresh);
        if (step >= 1)
            call_voxels(set, &batches[(step - 1) % STEPS]);
        if (step >= 2)
            AQM_TRY(add_all(set, &batches[(step - 2) % STEPS], diag));
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

static Item item_of(const Voxel *voxel, uint32_t number) {
    const uint32_t flip = 1u << 31; /* orders signed numbers as unsigned ones */
    return (Item){{(uint32_t)voxel->index[2] ^ flip, (uint32_t)voxel->index[0] ^ flip,
                   (uint32_t)voxel->index[1] ^ flip},
                  number};
}

static void put_point(const AqmVoxelGrid *grid, const Voxel *voxel, AqmCloud *cloud, size_t at) {
    const float *sums = voxel->sums, *n = sums + NORMAL, weight = sums[WEIGHT];
    const float length = sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    for (int k = 0; k < 3; k++) {
        const double inside = (double)(sums[POSITION + k] / weight);
        cloud->position[3 * at + k] =
            (float)((grid->corner[k] + (double)voxel->index[k] + inside) * grid->size_m);
        cloud->normal[3 * at + k] = length > 0.0f ? n[k] / length : 0.0f;
        cloud->color[3 * at + k] = (uint8_t)(sums[COLOR + k] / weight + 0.5f);
    }
    cloud->confidence[at] = sums[CONFIDENCE] / weight;
    cloud->sigma_m[at] = sums[SIGMA] / weight;
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
