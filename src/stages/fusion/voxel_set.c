/* The average point of every voxel: a hash table (open addressing, linear probing) finds the voxel
 * of a point, whose sums the point is added to. A voxel's point is the mean weighted by confidence
 * times agreeing views (the variance of a fused depth falls with both). In the end the voxels are
 * sorted by a least-significant-digit radix sort over the bytes of their numbers that differ.
 *
 * Cost: about 20 ns a point, most of it the way to memory; 80 bytes a voxel. */
#include "stages/fusion/voxel_set.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_CAPACITY = 1 << 12, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, AHEAD = 32 };

#define NO_VOXEL UINT32_MAX

/* What is summed up, each times the point's weight. Positions in the voxel, in its sides. */
enum { WEIGHT, POSITION, CONFIDENCE = POSITION + 3, NORMAL, COLOR = NORMAL + 3, SUMS = 12 };

/* 64 bytes: a line of the cache. */
typedef struct Voxel {
    int32_t index[3];
    uint32_t views; /* most of any point */
    float sums[SUMS];
} Voxel;

struct AqmVoxelSet {
    AqmVoxelGrid grid;
    size_t count, capacity;
    Voxel *voxels;   /* capacity */
    uint32_t *slots; /* 2 x capacity, a power of two: the number of a voxel, or NO_VOXEL */
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

static size_t hash(const int32_t index[3]) {
    uint64_t h = (uint64_t)(uint32_t)index[1] << 32 | (uint32_t)index[2];
    h = (h ^ (uint64_t)(uint32_t)index[0] * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32);
}

static bool same_index(const int32_t a[3], const int32_t b[3]) {
    return (a[0] == b[0]) & (a[1] == b[1]) & (a[2] == b[2]);
}

/* The slot of a voxel, or the free one where it would stand. */
static size_t find_slot(const AqmVoxelSet *set, size_t hashed, const int32_t index[3]) {
    const size_t mask = 2 * set->capacity - 1;
    size_t slot = hashed & mask;
    while (set->slots[slot] != NO_VOXEL && !same_index(set->voxels[set->slots[slot]].index, index))
        slot = (slot + 1) & mask;
    return slot;
}

static AqmStatus set_capacity(AqmVoxelSet *set, size_t capacity, AqmDiag *diag) {
    Voxel *voxels = aqm_realloc(set->voxels, capacity, sizeof *voxels);
    if (!voxels)
        return aqm_fail_memory(diag, "voxels", capacity, sizeof *voxels);
    set->voxels = voxels;
    uint32_t *slots = aqm_alloc(capacity, 2 * sizeof *slots);
    if (!slots)
        return aqm_fail_memory(diag, "voxels", capacity, 2 * sizeof *slots);
    aqm_free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    memset(slots, 0xff, capacity * 2 * sizeof *slots);
    for (size_t i = 0; i < set->count; i++)
        slots[find_slot(set, hash(voxels[i].index), voxels[i].index)] = (uint32_t)i;
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
    size_t hashed;
    float values[SUMS];
} Arrival;

static void arrive(const AqmVoxelGrid *grid, const AqmVoxelPoint *point, Arrival *arrival) {
    float *values = arrival->values;
    values[WEIGHT] = 1.0f;
    values[CONFIDENCE] = point->confidence;
    values[SUMS - 1] = 0.0f;
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
    arrival->hashed = hash(arrival->index);
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
    const size_t slot = find_slot(set, arrival->hashed, arrival->index);
    if (set->slots[slot] == NO_VOXEL) {
        set->slots[slot] = (uint32_t)set->count;
        Voxel *fresh = &set->voxels[set->count++];
        *fresh = (Voxel){0};
        memcpy(fresh->index, arrival->index, sizeof fresh->index);
    }
    *found = set->slots[slot];
    return AQM_OK;
}

/* The memory that the points will need is asked for two loops ahead. */
static AqmStatus add_some(AqmVoxelSet *set, const AqmVoxelPoint *points, size_t count,
                          AqmDiag *diag) {
    Arrival arrivals[AHEAD];
    const size_t mask = 2 * set->capacity - 1;
    for (size_t i = 0; i < count; i++) {
        arrive(&set->grid, &points[i], &arrivals[i]);
        __builtin_prefetch(&set->slots[arrivals[i].hashed & mask]);
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t likely = set->slots[arrivals[i].hashed & mask];
        if (likely != NO_VOXEL)
            __builtin_prefetch(&set->voxels[likely], 1);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t voxel = 0;
        AQM_TRY(find_or_add(set, &arrivals[i], &voxel, diag));
        add(&set->voxels[voxel], &arrivals[i]);
    }
    return AQM_OK;
}

AqmStatus aqm_voxel_set_add(AqmVoxelSet *set, const AqmVoxelPoint *points, size_t count,
                            AqmDiag *diag) {
    for (size_t i = 0; i < count; i += AHEAD)
        AQM_TRY(add_some(set, points + i, count - i < AHEAD ? count - i : AHEAD, diag));
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
