/* The average point of every voxel, by sorting.
 *
 * The points of a slab (one or a few voxel rows along Y) are sorted by a 64-bit key of their voxel
 * (16 bits Y within the slab, 24 bits X, 24 bits Z) with a least-significant-digit radix sort over
 * the bytes that differ; equal keys, a voxel, then stand together in the order in which they came,
 * so sums do not depend on the threads. Slabs are independent. A voxel's point is the mean weighted
 * by confidence times agreeing views (the variance of a fused depth falls with both).
 *
 * Cost: about 30 ns a point and 56 bytes of scratch for each point held at once. */
#include "stages/fusion/voxel_merge.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"

enum { KEY_BITS_Y = 16, KEY_BITS_XZ = 24, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

typedef struct Item {
    uint64_t key;
    uint32_t point;
} Item;

struct AqmVoxelMerge {
    AqmVoxelGrid grid;
    size_t capacity;
    int threads;
    AqmVoxelPoint *points;
    Item *items, *spare;
    size_t *slab_first, *voxel_first; /* slab_capacity + 1 */
};

/* Floor to a voxel index, held to a range that never overflows. */
static int64_t voxel_index(double coordinate, double size) {
    const double index = floor(coordinate / size);
    return (int64_t)fmin(fmax(index, -0x1p60), 0x1p60);
}

AqmVoxelGrid aqm_voxel_grid(double size_m, const double center[3]) {
    AqmVoxelGrid grid = {.size_m = size_m};
    for (int i = 0; i < 3; i++)
        grid.center[i] = voxel_index(center[i], size_m);
    /* slabs thick enough for 100 m in all, or a few far points would share one with many */
    while (ldexp(size_m, grid.shift) * AQM_SLAB_COUNT < 100.0 && grid.shift < KEY_BITS_Y)
        grid.shift++;
    return grid;
}

static int64_t first_row(const AqmVoxelGrid *grid) {
    return grid->center[1] - ((int64_t)(AQM_SLAB_COUNT / 2) << grid->shift);
}

uint32_t aqm_voxel_slab(const AqmVoxelGrid *grid, float y) {
    const int64_t slab = (voxel_index((double)y, grid->size_m) - first_row(grid)) >> grid->shift;
    return slab < 0 ? 0 : slab >= AQM_SLAB_COUNT ? AQM_SLAB_COUNT - 1 : (uint32_t)slab;
}

static uint64_t clamped(int64_t index, int bits) {
    const int64_t limit = ((int64_t)1 << bits) - 1;
    return (uint64_t)(index < 0 ? 0 : index > limit ? limit : index);
}

/* Voxels more than 2^23 from the centre (8 km at 1 mm) share the outermost one. */
static uint64_t voxel_key(const AqmVoxelGrid *grid, uint32_t slab, const float position[3]) {
    const int64_t half = (int64_t)1 << (KEY_BITS_XZ - 1);
    const int64_t row = first_row(grid) + ((int64_t)slab << grid->shift);
    const int64_t x = voxel_index((double)position[0], grid->size_m) - grid->center[0] + half;
    const int64_t y = voxel_index((double)position[1], grid->size_m) - row;
    const int64_t z = voxel_index((double)position[2], grid->size_m) - grid->center[2] + half;
    return clamped(y, KEY_BITS_Y) << (2 * KEY_BITS_XZ) | clamped(x, KEY_BITS_XZ) << KEY_BITS_XZ |
           clamped(z, KEY_BITS_XZ);
}

AqmStatus aqm_voxel_merge_create(AqmVoxelMerge **out, const AqmVoxelGrid *grid, size_t capacity,
                                 size_t slab_capacity, int threads, AqmDiag *diag) {
    AqmVoxelMerge *merge = aqm_calloc(1, sizeof *merge);
    if (!merge)
        return aqm_fail_memory(diag, "merging voxels", 1, sizeof *merge);
    *merge = (AqmVoxelMerge){
        .grid = *grid,
        .capacity = capacity,
        .threads = threads,
        .points = aqm_alloc(capacity, sizeof *merge->points),
        .items = aqm_alloc(capacity, sizeof *merge->items),
        .spare = aqm_alloc(capacity, sizeof *merge->spare),
        .slab_first = aqm_alloc(slab_capacity + 1, sizeof *merge->slab_first),
        .voxel_first = aqm_alloc(slab_capacity + 1, sizeof *merge->voxel_first),
    };
    if (!merge->points || !merge->items || !merge->spare || !merge->slab_first ||
        !merge->voxel_first) {
        aqm_voxel_merge_destroy(&merge);
        return aqm_fail_memory(diag, "merging voxels", capacity,
                               sizeof(AqmVoxelPoint) + 2 * sizeof(Item));
    }
    *out = merge;
    return AQM_OK;
}

void aqm_voxel_merge_destroy(AqmVoxelMerge **merge) {
    if (!merge || !*merge)
        return;
    aqm_free((*merge)->points);
    aqm_free((*merge)->items);
    aqm_free((*merge)->spare);
    aqm_free((*merge)->slab_first);
    aqm_free((*merge)->voxel_first);
    aqm_free(*merge);
    *merge = NULL;
}

AqmVoxelPoint *aqm_voxel_merge_points(AqmVoxelMerge *merge) {
    return merge->points;
}

/* Stable; sorted items end in `items`. */
static void sort_items(Item *items, Item *spare, size_t count) {
    uint64_t differs = 0;
    for (size_t i = 1; i < count; i++)
        differs |= items[i].key ^ items[0].key;
    Item *from = items, *to = spare;
    for (int bit = 0; bit < 64; bit += DIGIT_BITS) {
        if (!(differs >> bit & (DIGITS - 1)))
            continue;
        size_t first[DIGITS] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++)
            first[from[i].key >> bit & (DIGITS - 1)]++;
        for (int digit = 0; digit < DIGITS; digit++) {
            const size_t size = first[digit];
            first[digit] = sum;
            sum += size;
        }
        for (size_t i = 0; i < count; i++)
            to[first[from[i].key >> bit & (DIGITS - 1)]++] = from[i];
        Item *swap = from;
        from = to, to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

/* Puts the points of each slab into its stretch of `items`, in their order. */
static void scatter(AqmVoxelMerge *merge, size_t count, uint32_t first_slab, size_t slab_count,
                    const uint32_t *slab_points) {
    size_t sum = 0, *next = merge->voxel_first; /* free until the voxels are counted */
    for (size_t i = 0; i < slab_count; i++) {
        merge->slab_first[i] = next[i] = sum;
        sum += slab_points[i];
    }
    merge->slab_first[slab_count] = sum;
    for (size_t i = 0; i < count; i++) {
        const float *position = merge->points[i].position;
        const uint32_t slab = aqm_voxel_slab(&merge->grid, position[1]);
        merge->items[next[slab - first_slab]++] =
            (Item){voxel_key(&merge->grid, slab, position), (uint32_t)i};
    }
}

static size_t count_voxels(const Item *items, size_t count) {
    size_t voxels = count > 0;
    for (size_t i = 1; i < count; i++)
        voxels += items[i].key != items[i - 1].key;
    return voxels;
}

static void append_voxel(const AqmVoxelPoint *points, const Item *items, size_t count,
                         AqmCloud *cloud, size_t at) {
    double position[3] = {0}, normal[3] = {0}, color[3] = {0}, confidence = 0.0, total = 0.0;
    uint8_t views = 0;
    for (size_t i = 0; i < count; i++) {
        const AqmVoxelPoint *point = &points[items[i].point];
        const double weight = point->weight;
        for (int k = 0; k < 3; k++) {
            position[k] += weight * point->position[k];
            normal[k] += weight * point->normal[k];
            color[k] += weight * point->color[k];
        }
        confidence += weight * point->confidence;
        total += weight;
        views = point->views > views ? point->views : views;
    }
    const double length =
        sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    for (int k = 0; k < 3; k++) {
        cloud->position[3 * at + k] = (float)(position[k] / total);
        cloud->normal[3 * at + k] = length > 0.0 ? (float)(normal[k] / length) : 0.0f;
        cloud->color[3 * at + k] = (uint8_t)(color[k] / total + 0.5);
    }
    cloud->confidence[at] = (float)(confidence / total);
    cloud->views[at] = views;
}

static void append_slab(const AqmVoxelMerge *merge, size_t slab, AqmCloud *cloud, size_t at) {
    const size_t end = merge->slab_first[slab + 1];
    for (size_t i = merge->slab_first[slab]; i < end;) {
        size_t next = i + 1;
        while (next < end && merge->items[next].key == merge->items[i].key)
            next++;
        append_voxel(merge->points, merge->items + i, next - i, cloud, at++);
        i = next;
    }
}

AqmStatus aqm_voxel_merge_append(AqmVoxelMerge *merge, size_t count, uint32_t first_slab,
                                 size_t slab_count, const uint32_t *slab_points, AqmCloud *cloud,
                                 AqmDiag *diag) {
    const int threads = aqm_thread_count(merge->threads);
    scatter(merge, count, first_slab, slab_count, slab_points);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t i = 0; i < slab_count; i++) {
        const size_t first = merge->slab_first[i], size = merge->slab_first[i + 1] - first;
        sort_items(merge->items + first, merge->spare + first, size);
        merge->voxel_first[i] = count_voxels(merge->items + first, size);
    }
    size_t voxels = 0;
    for (size_t i = 0; i < slab_count; i++) {
        const size_t in_slab = merge->voxel_first[i];
        merge->voxel_first[i] = cloud->count + voxels;
        voxels += in_slab;
    }
    const size_t needed = cloud->count + voxels;
    if (needed > cloud->capacity)
        AQM_TRY(aqm_cloud_reserve(cloud, needed + cloud->count / 8, diag)); /* 12 % spare at most */
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t i = 0; i < slab_count; i++)
        append_slab(merge, i, cloud, merge->voxel_first[i]);
    cloud->count = needed;
    return AQM_OK;
}
