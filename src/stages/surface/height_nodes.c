/* The local fits of all nodes (height_fit.c), block by block.
 *
 * The window's radius is 2.5 cells. Where the cloud is too sparse for that, 2.5 cells of a coarser
 * scale, chosen once for the cloud so that a typical window holds WANTED points; the grid itself
 * stays as it was asked for. A block's points and those around it are copied into small cells of
 * one scale each, so that a window reads a few short runs. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "math/stats.h"
#include "stages/surface/height_fit.h"
#include "stages/surface/height_grid.h"

enum { SAMPLES = 255, WANTED = 12 };

static const double RADIUS_CELLS = 2.5;
/* Windows must not reach beyond the next block: 2.5 * 12 < 32 nodes. */
static const double SCALES[] = {1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0};
enum { SCALE_COUNT = sizeof SCALES / sizeof *SCALES };

/* A point as a block sees it, relative to its first node. */
typedef struct LocalPoint {
    float x, y, z, weight;
    uint32_t index; /* in the cloud */
} LocalPoint;

typedef struct Local {
    LocalPoint *points, *unsorted;
    uint32_t *cell_first;
    int side; /* cells */
    double cell_m, margin_m;
    AqmHeightWindow window;
    uint32_t *window_index;
} Local;

static double point_x(const AqmCloud *cloud, uint32_t i) {
    return (double)cloud->position[3 * (size_t)i];
}

static double point_y(const AqmCloud *cloud, uint32_t i) {
    return (double)cloud->position[3 * (size_t)i + 1];
}

/* Counts the points within each of the scales' radii of one point, including itself. */
static void count_around(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                         const AqmCloud *cloud, uint32_t center, size_t counts[SCALE_COUNT]) {
    memset(counts, 0, SCALE_COUNT * sizeof *counts);
    for (int k = 0; k < 9; k++) {
        if (block->around[k] == AQM_NO_BLOCK)
            continue;
        const AqmHeightBlock *other = &blocks->blocks[block->around[k]];
        for (uint32_t i = 0; i < other->point_count; i++) {
            const uint32_t point = blocks->order[other->point_first + i];
            const double cells = hypot(point_x(cloud, point) - point_x(cloud, center),
                                       point_y(cloud, point) - point_y(cloud, center)) /
                                 blocks->resolution_m;
            for (int s = 0; s < SCALE_COUNT; s++)
                counts[s] += cells < RADIUS_CELLS * SCALES[s];
        }
    }
}

/* The smallest scale at which the median window around SAMPLES points holds WANTED of them. */
static double choose_scale(const AqmHeightBlocks *blocks, const AqmCloud *cloud) {
    double counts[SCALE_COUNT][SAMPLES];
    size_t samples = 0, total = 0, block = 0, before = 0;
    for (size_t i = 0; i < blocks->count; i++)
        total += blocks->blocks[i].point_count;
    for (size_t k = 0; k < SAMPLES && total > 0; k++) {
        const size_t at = (2 * k + 1) * total / (2 * SAMPLES);
        for (; at - before >= blocks->blocks[block].point_count; block++)
            before += blocks->blocks[block].point_count;
        size_t around[SCALE_COUNT];
        const uint32_t point = blocks->order[blocks->blocks[block].point_first + (at - before)];
        count_around(blocks, &blocks->blocks[block], cloud, point, around);
        for (int s = 0; s < SCALE_COUNT; s++)
            counts[s][samples] = (double)around[s];
        samples++;
    }
    for (int s = 0; s < SCALE_COUNT && samples > 0; s++)
        if (aqm_select_f64(counts[s], samples, samples / 2) >= WANTED)
            return SCALES[s];
    return SCALES[SCALE_COUNT - 1];
}

static void local_free(Local *local) {
    aqm_free(local->points);
    aqm_free(local->unsorted);
    aqm_free(local->cell_first);
    aqm_free(local->window.x);
    aqm_free(local->window_index);
}

/* Room for `points` of them. */
static bool local_alloc(Local *local, size_t points, double resolution, double scale) {
    local->cell_m = resolution * scale;
    local->margin_m = RADIUS_CELLS * local->cell_m;
    local->side =
        (int)ceil(((AQM_BLOCK_SIDE - 1) * resolution + 2.0 * local->margin_m) / local->cell_m) + 1;
    local->points = aqm_alloc(points, sizeof *local->points);
    local->unsorted = aqm_alloc(points, sizeof *local->unsorted);
    local->cell_first =
        aqm_alloc((size_t)local->side * (size_t)local->side + 1, sizeof *local->cell_first);
    float *floats = aqm_alloc(points, 6 * sizeof *floats);
    local->window_index = aqm_alloc(points, sizeof *local->window_index);
    local->window.x = floats;
    if (!local->points || !local->unsorted || !local->cell_first || !floats || !local->window_index)
        return false;
    local->window.y = floats + points;
    local->window.z = floats + 2 * points;
    local->window.weight = floats + 3 * points;
    local->window.robust = floats + 4 * points;
    local->window.scratch = floats + 5 * points;
    return true;
}

static int cell_of(const Local *local, float coordinate) {
    return (int)(((double)coordinate + local->margin_m) / local->cell_m);
}

static size_t cell_index(const Local *local, const LocalPoint *point) {
    return (size_t)cell_of(local, point->y) * (size_t)local->side +
           (size_t)cell_of(local, point->x);
}

/* Copies the points within the margin of the block, in the order of blocks and points. */
static size_t copy_points(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                          const AqmCloud *cloud, Local *local) {
    const double x0 = block->x * (double)AQM_BLOCK_SIDE * blocks->resolution_m;
    const double y0 = block->y * (double)AQM_BLOCK_SIDE * blocks->resolution_m;
    const double low = -local->margin_m;
    const double high = (AQM_BLOCK_SIDE - 1) * blocks->resolution_m + local->margin_m;
    size_t count = 0;
    for (int k = 0; k < 9; k++) {
        if (block->around[k] == AQM_NO_BLOCK)
            continue;
        const AqmHeightBlock *other = &blocks->blocks[block->around[k]];
        for (uint32_t i = 0; i < other->point_count; i++) {
            const uint32_t index = blocks->order[other->point_first + i];
            const double x = point_x(cloud, index) - x0, y = point_y(cloud, index) - y0;
            if (!(x > low && x < high && y > low && y < high))
                continue;
            /* a cloud without confidences (all 0) is one of equal weights */
            const float weight = fminf(fmaxf(cloud->confidence[index], 0.05f), 1.0f);
            local->unsorted[count++] = (LocalPoint){
                (float)x, (float)y, cloud->position[3 * (size_t)index + 2], weight, index};
        }
    }
    return count;
}

static void local_load(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                       const AqmCloud *cloud, Local *local) {
    const size_t count = copy_points(blocks, block, cloud, local);
    const size_t cells = (size_t)local->side * (size_t)local->side;
    uint32_t *first = local->cell_first, sum = 0;
    memset(first, 0, (cells + 1) * sizeof *first);
    for (size_t i = 0; i < count; i++)
        first[cell_index(local, &local->unsorted[i])]++;
    for (size_t i = 0; i <= cells; i++) {
        const uint32_t size = first[i];
        first[i] = sum;
        sum += size;
    }
    for (size_t i = 0; i < count; i++)
        local->points[first[cell_index(local, &local->unsorted[i])]++] = local->unsorted[i];
    memmove(first + 1, first, cells * sizeof *first); /* each now stands at its cell's end */
    first[0] = 0;
}

/* The points within a radius of (x, y) become the window. */
static void local_window(Local *local, float x, float y) {
    AqmHeightWindow *window = &local->window;
    const float radius = (float)local->margin_m, inverse = 1.0f / radius;
    const int x_low = cell_of(local, x - radius), x_high = cell_of(local, x + radius);
    const int y_low = cell_of(local, y - radius), y_high = cell_of(local, y + radius);
    window->count = 0;
    for (int row = y_low; row <= y_high && row < local->side; row++) {
        const uint32_t *first = local->cell_first + (size_t)row * (size_t)local->side;
        const int end = x_high + 1 < local->side ? x_high + 1 : local->side;
        for (uint32_t i = first[x_low]; i < first[end]; i++) {
            const LocalPoint *point = &local->points[i];
            const float dx = (point->x - x) * inverse, dy = (point->y - y) * inverse;
            const size_t at = window->count;
            window->x[at] = dx, window->y[at] = dy;
            window->z[at] = point->z, window->weight[at] = point->weight;
            local->window_index[at] = point->index;
            window->count += dx * dx + dy * dy < 0.999f;
        }
    }
}

/* The mean colour of the inliers; squared weights keep it to the nearest ones. */
static void mean_color(const Local *local, const AqmCloud *cloud, uint8_t color[3]) {
    float sum[3] = {0}, total = 0.0f;
    for (size_t i = 0; i < local->window.count; i++) {
        const float weight = local->window.robust[i] * local->window.robust[i];
        const uint8_t *of_point = cloud->color + 3 * (size_t)local->window_index[i];
        if (!(weight > 0.0f))
            continue;
        for (int k = 0; k < 3; k++)
            sum[k] += weight * (float)of_point[k];
        total += weight;
    }
    for (int k = 0; k < 3; k++)
        color[k] = total > 0.0f ? (uint8_t)(sum[k] / total + 0.5f) : 128;
}

static void fit_block(AqmHeightGrid *grid, const AqmHeightBlock *block, const AqmCloud *cloud,
                      Local *local) {
    const double resolution = grid->blocks->resolution_m, radius = local->margin_m;
    const size_t first = (size_t)block->ordinal * AQM_BLOCK_NODES;
    local_load(grid->blocks, block, cloud, local);
    for (int j = 0; j < AQM_BLOCK_SIDE; j++)
        for (int i = 0; i < AQM_BLOCK_SIDE; i++) {
            const size_t at = first + (size_t)(j * AQM_BLOCK_SIDE + i);
            AqmHeightFit fit;
            local_window(local, (float)(i * resolution), (float)(j * resolution));
            /* no node farther than a cell from a point, none more than half a cell outside; the
             * floor of the noise is 2 % of a cell: sharper would only follow rounding */
            const bool fitted =
                aqm_height_fit(&local->window, local->cell_m, 0.02 * resolution,
                               local->cell_m / radius, 0.5 * resolution / radius, &fit);
            grid->fitted[at] = grid->present[at] = fitted;
            if (!fitted)
                continue;
            grid->nodes[at].z = (float)fit.z;
            grid->nodes[at].slope_x = (float)(fit.slope_x / radius);
            grid->nodes[at].slope_y = (float)(fit.slope_y / radius);
            mean_color(local, cloud, grid->nodes[at].color);
        }
}

AqmStatus aqm_height_grid_fit(AqmHeightGrid *grid, const AqmCloud *cloud, AqmDiag *diag) {
    const AqmHeightBlocks *blocks = grid->blocks;
    const int threads = grid->threads;
    const double scale = choose_scale(blocks, cloud);
    size_t most = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        const size_t points = aqm_height_blocks_points_around(blocks, i);
        most = points > most ? points : most;
    }
    Local *locals = aqm_calloc((size_t)threads, sizeof *locals);
    bool ready = locals != NULL;
    for (int i = 0; ready && i < threads; i++)
        ready = local_alloc(&locals[i], most, blocks->resolution_m, scale);
    if (ready) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t i = 0; i < blocks->count; i++)
            if (blocks->blocks[i].ordinal != AQM_NO_BLOCK)
                fit_block(grid, &blocks->blocks[i], cloud, &locals[omp_get_thread_num()]);
    }
    for (int i = 0; locals && i < threads; i++)
        local_free(&locals[i]);
    aqm_free(locals);
    return ready ? AQM_OK : aqm_fail_memory(diag, "heightfield windows", most, 70);
}
