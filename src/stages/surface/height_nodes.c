/* The local fits of all nodes (height_fit.c), block by block, and how certain their heights are.
 *
 * Points close to each other have errors in common: they come from the same images, matched in
 * windows about as large as the fit's, and no fit averages these out. What is not common shows as
 * the scatter of the points about the surface, of which about half may be relief too fine for the
 * fit, so that it is missing from the height; the rest is noise and averages out as the number of
 * points has it. So with
 * sigma_p the standard deviation of the points (their weighted mean), s their weighted scatter
 * along the normal, and g = sum l_i^2 the gain of the fit, a linear form sum l_i z_i of the
 * heights,
 *
 *     sigma^2 = max(sigma_p^2 - s^2 / 2, sigma_p^2 / 4) + g s^2.
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
#include "kernels/deviation_code.h"
#include "stages/surface/height_fit.h"
#include "stages/surface/height_grid.h"

enum { SAMPLES = 127, WANTED = 12 };

static const double RADIUS_CELLS = 2.5;
/* Windows must not reach beyond the next block: 2.5 * 12 < 32 nodes. */
static const double SCALES[] = {1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0};
enum { SCALE_COUNT = sizeof SCALES / sizeof *SCALES };

/* Of a point whose standard deviation is not known to the mean of those that are. */
static const float UNKNOWN_RATIO = 2.0f;
/* Of the scatter: the rest may be relief, which the fit smooths. */
static const double NOISE_SHARE = 0.5;
/* What points of a window have in common is at least this share of their variance. */
static const double LEAST_COMMON = 0.25;

/* The points around a block, relative to its first node, by cells; and the window of one node. */
typedef struct Local {
    AqmHeightTools tools;
    AqmHeightPoints points, unsorted;
    uint32_t *chosen; /* of the points of one block; then the cells of all */
    uint32_t *cell_first;
    int side;                         /* cells */
    double cell_m, margin_m, level_m; /* heights are relative to the level */
    float sigma_m;                    /* mean of those that are known; 0 = none is */
    AqmHeightWindow window;
    void *memory;
} Local;

static double point_x(const AqmCloud *cloud, uint32_t i) {
    return (double)cloud->position[3 * (size_t)i];
}

static double point_y(const AqmCloud *cloud, uint32_t i) {
    return (double)cloud->position[3 * (size_t)i + 1];
}

/* Whether a circle around (x, y), in cells from the first node of its block, may hold points of the
 * block k of `around`. */
static bool reaches(double x, double y, double radius, int k) {
    const double low = -0.5 - radius, high = AQM_BLOCK_SIDE - 0.5 + radius, side = AQM_BLOCK_SIDE;
    const double from_x = x - side * (k % 3 - 1), from_y = y - side * (k / 3 - 1);
    return from_x >= low && from_x <= high && from_y >= low && from_y <= high;
}

/* Counts the points within a radius (cells) of one point, including itself, up to WANTED. */
static int count_around(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                        const AqmCloud *cloud, uint32_t center, double radius) {
    const double x = point_x(cloud, center), y = point_y(cloud, center), g = blocks->resolution_m;
    const double i = x / g - (double)block->x * AQM_BLOCK_SIDE;
    const double j = y / g - (double)block->y * AQM_BLOCK_SIDE;
    int count = 0;
    for (int k = 0; k < 9; k++) {
        if (block->around[k] == AQM_NO_BLOCK || !reaches(i, j, radius, k))
            continue;
        const AqmHeightBlock *other = &blocks->blocks[block->around[k]];
        for (uint32_t n = 0; n < other->point_count && count < WANTED; n++) {
            const uint32_t point = blocks->order[other->point_first + n];
            const double dx = (point_x(cloud, point) - x) / g;
            const double dy = (point_y(cloud, point) - y) / g;
            count += dx * dx + dy * dy < radius * radius;
        }
    }
    return count;
}

typedef struct Sample {
    const AqmHeightBlock *block;
    uint32_t point;
} Sample;

/* SAMPLES points, evenly spaced in the order of blocks; false where there is none. */
static bool choose_samples(const AqmHeightBlocks *blocks, Sample samples[SAMPLES]) {
    size_t total = 0, block = 0, before = 0;
    for (size_t i = 0; i < blocks->count; i++)
        total += blocks->blocks[i].point_count;
    for (size_t k = 0; k < SAMPLES && total > 0; k++) {
        const size_t at = (2 * k + 1) * total / (2 * (size_t)SAMPLES);
        for (; at - before >= blocks->blocks[block].point_count; block++)
            before += blocks->blocks[block].point_count;
        const AqmHeightBlock *chosen = &blocks->blocks[block];
        samples[k] = (Sample){chosen, blocks->order[chosen->point_first + (at - before)]};
    }
    return total > 0;
}

/* The smallest scale at which the median window around SAMPLES points holds WANTED of them. */
static double choose_scale(const AqmHeightGrid *grid, const AqmCloud *cloud) {
    const AqmHeightBlocks *blocks = grid->blocks;
    Sample samples[SAMPLES];
    if (!choose_samples(blocks, samples))
        return SCALES[SCALE_COUNT - 1];
    for (int s = 0; s < SCALE_COUNT; s++) {
        int full = 0;
#pragma omp parallel for schedule(dynamic, 8) num_threads(grid->threads) reduction(+ : full)
        for (size_t k = 0; k < SAMPLES; k++)
            full += count_around(blocks, samples[k].block, cloud, samples[k].point,
                                 RADIUS_CELLS * SCALES[s]) >= WANTED;
        if (2 * full > SAMPLES)
            return SCALES[s];
    }
    return SCALES[SCALE_COUNT - 1];
}

static void local_free(Local *local) {
    aqm_free(local->memory);
    aqm_free(local->cell_first);
}

/* Room for `points` of them; the kernels read and write some more. */
static bool local_alloc(Local *local, size_t points, double resolution, double scale) {
    enum { ARRAYS = 18 };
    const size_t room = points + 2 * AQM_HEIGHT_LANES;
    const unsigned features = aqm_cpu_features();
    local->tools = (AqmHeightTools){aqm_height_kernels(features), aqm_nearest_kernels(features)};
    local->cell_m = resolution * scale;
    local->margin_m = RADIUS_CELLS * local->cell_m;
    local->side =
        (int)ceil(((AQM_BLOCK_SIDE - 1) * resolution + 2.0 * local->margin_m) / local->cell_m) + 1;
    local->cell_first =
        aqm_alloc((size_t)local->side * (size_t)local->side + 1, sizeof *local->cell_first);
    local->memory = aqm_calloc(room, ARRAYS * sizeof(float));
    if (!local->memory || !local->cell_first)
        return false;
    float *arrays[ARRAYS];
    for (size_t i = 0; i < ARRAYS; i++)
        arrays[i] = (float *)local->memory + i * room;
    local->points = (AqmHeightPoints){arrays[0], arrays[1], arrays[2], arrays[3],
                                      (uint32_t *)(void *)arrays[4]};
    local->unsorted = (AqmHeightPoints){arrays[5], arrays[6], arrays[7], arrays[8],
                                        (uint32_t *)(void *)arrays[9]};
    local->window =
        (AqmHeightWindow){0,          arrays[10], arrays[11], arrays[12],
                          arrays[13], arrays[14], arrays[15], (uint32_t *)(void *)arrays[16]};
    local->chosen = (uint32_t *)(void *)arrays[17];
    return true;
}

static int cell_of(const Local *local, float coordinate) {
    return (int)(((double)coordinate + local->margin_m) / local->cell_m);
}

static uint32_t cell_index(const Local *local, size_t unsorted) {
    return (uint32_t)cell_of(local, local->unsorted.y[unsorted]) * (uint32_t)local->side +
           (uint32_t)cell_of(local, local->unsorted.x[unsorted]);
}

static void put_point(const AqmHeightPoints *to, size_t at, float x, float y, float z, float weight,
                      uint32_t color) {
    to->x[at] = x, to->y[at] = y, to->z[at] = z;
    to->weight[at] = weight;
    to->color[at] = color;
}

static uint32_t packed_color(const uint8_t color[3]) {
    return color[0] | (uint32_t)color[1] << 8 | (uint32_t)color[2] << 16;
}

/* The points of block k of `around` that lie within the margin of the one in the middle with corner
 * (x0, y0): their places among its points. They can only lie beyond the margin on its own side. */
static size_t choose_points(const AqmHeightBlocks *blocks, const AqmHeightBlock *from, int k,
                            double x0, double y0, const Local *local, uint32_t *chosen) {
    const float *place = blocks->place + 2 * (size_t)from->point_first;
    const double low = -local->margin_m;
    const double high = (AQM_BLOCK_SIDE - 1) * blocks->resolution_m + local->margin_m;
    const double side_x = k % 3 - 1, most_x = side_x < 0.0 ? -low : high;
    const double side_y = k / 3 - 1, most_y = side_y < 0.0 ? -low : high;
    size_t count = 0;
    for (uint32_t i = 0; i < from->point_count; i++) {
        const double x = (double)place[2 * i] - x0, y = (double)place[2 * i + 1] - y0;
        chosen[count] = i;
        count += (side_x * x < most_x) & (side_y * y < most_y);
    }
    return count;
}

/* Copies the points within the margin of the block, in the order of blocks and points. */
static size_t copy_points(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                          const AqmCloud *cloud, Local *local) {
    const double x0 = block->x * (double)AQM_BLOCK_SIDE * blocks->resolution_m;
    const double y0 = block->y * (double)AQM_BLOCK_SIDE * blocks->resolution_m;
    size_t count = 0, with_sigma = 0;
    double sum = 0.0;
    for (int k = 0; k < 9; k++) {
        if (block->around[k] == AQM_NO_BLOCK)
            continue;
        const AqmHeightBlock *other = &blocks->blocks[block->around[k]];
        const size_t chosen = choose_points(blocks, other, k, x0, y0, local, local->chosen);
        for (size_t i = 0; i < chosen; i++) {
            const size_t at = other->point_first + local->chosen[i], index = blocks->order[at];
            const double x = (double)blocks->place[2 * at] - x0;
            const double y = (double)blocks->place[2 * at + 1] - y0;
            const double z = (double)cloud->position[3 * index + 2];
            if (count == 0)
                local->level_m = z;
            const float sigma = cloud->sigma_m[index];
            const bool known = sigma > 0.0f && sigma < INFINITY;
            sum += known ? (double)sigma : 0.0, with_sigma += known;
            /* a cloud without confidences (all 0) is one of equal weights */
            const float weight = fminf(fmaxf(cloud->confidence[index], 0.05f), 1.0f);
            put_point(&local->unsorted, count++, (float)x, (float)y, (float)(z - local->level_m),
                      weight,
                      packed_color(cloud->color + 3 * index) |
                          (known ? aqm_deviation_code(sigma) : 0) << 24);
        }
    }
    local->sigma_m = with_sigma > 0 ? (float)(sum / (double)with_sigma) : 0.0f;
    return count;
}

/* Where standard deviations are known they say what a point is worth, 1 / (sigma^2 + mean^2): as in
 * fusion, much of what they differ by is chance. */
static void weigh_points(Local *local, size_t count) {
    const float inverse = 1.0f / local->sigma_m;
    for (size_t i = 0; i < count && local->sigma_m > 0.0f; i++) {
        const uint32_t code = local->unsorted.color[i] >> 24;
        const float ratio = code ? aqm_deviation_of(code) * inverse : UNKNOWN_RATIO;
        local->unsorted.weight[i] = 1.0f / (1.0f + ratio * ratio);
    }
}

static void local_load(const AqmHeightBlocks *blocks, const AqmHeightBlock *block,
                       const AqmCloud *cloud, Local *local) {
    const size_t count = copy_points(blocks, block, cloud, local);
    const size_t cells = (size_t)local->side * (size_t)local->side;
    const AqmHeightPoints *from = &local->unsorted;
    uint32_t *const cell_of_point = local->chosen; /* which is done with */
    uint32_t *first = local->cell_first, sum = 0;
    weigh_points(local, count);
    memset(first, 0, (cells + 1) * sizeof *first);
    for (size_t i = 0; i < count; i++)
        first[cell_of_point[i] = cell_index(local, i)]++;
    for (size_t i = 0; i <= cells; i++) {
        const uint32_t size = first[i];
        first[i] = sum;
        sum += size;
    }
    for (size_t i = 0; i < count; i++)
        put_point(&local->points, first[cell_of_point[i]]++, from->x[i], from->y[i], from->z[i],
                  from->weight[i], from->color[i]);
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
        local->tools.fit->collect(&local->points, first[x_low], first[end], x, y, inverse, window);
    }
    for (size_t i = window->count; i < window->count + AQM_HEIGHT_LANES; i++)
        window->base[i] = window->z[i] = 0.0f;
}

/* The standard deviation of the height along the normal: see the top. sums: as the kernel's. */
static float sigma_of(const AqmHeightFit *fit, const float sums[AQM_HEIGHT_COLOR_SUMS],
                      double lean) {
    if (!(sums[5] > 0.5f * sums[3]))
        return NAN;
    const double sigma = (double)(sums[4] / sums[5]), points2 = sigma * sigma;
    const double scatter2 = fit->residual2 / (lean * lean);
    const double common2 = fmax(points2 - NOISE_SHARE * scatter2, LEAST_COMMON * points2);
    const double gain = fmin(1.0, fit->gain * (double)sums[3] / fit->weight);
    return (float)sqrt(common2 + gain * scatter2);
}

/* The mean colour is that of the inliers; squared weights keep it to the nearest ones. */
static void write_node(const Local *local, const AqmHeightFit *fit, AqmHeightNode *node) {
    float sums[AQM_HEIGHT_COLOR_SUMS];
    local->tools.fit->colors(&local->window, sums);
    const double sx = (double)fit->surface[1] / local->margin_m;
    const double sy = (double)fit->surface[2] / local->margin_m;
    node->z = (float)(local->level_m + fit->level_m + (double)fit->surface[0]);
    node->slope_x = (float)sx;
    node->slope_y = (float)sy;
    node->sigma = sigma_of(fit, sums, sqrt(1.0 + sx * sx + sy * sy));
    for (int k = 0; k < 3; k++)
        node->color[k] = sums[3] > 0.0f ? (uint8_t)(sums[k] / sums[3] + 0.5f) : 128;
}

/* Node after node along the rows, each from the fit before it, the first of a row from that of the
 * row before. */
static void fit_block(AqmHeightGrid *grid, const AqmHeightBlock *block, const AqmCloud *cloud,
                      Local *local) {
    const double resolution = grid->blocks->resolution_m, radius = local->margin_m;
    const size_t first = (size_t)block->ordinal * AQM_BLOCK_NODES;
    const float step = (float)(resolution / radius);
    /* no node farther than a cell from a point, none more than half a cell outside; the floor of
     * the noise is 2 % of a cell: sharper would only follow rounding */
    const AqmHeightRules rules = {local->cell_m, 0.02 * resolution, local->cell_m / radius,
                                  0.5 * resolution / radius};
    AqmHeightFit row_first = {0}, last = {0};
    bool has_row_first = false, has_last = false;
    local_load(grid->blocks, block, cloud, local);
    for (int j = 0; j < AQM_BLOCK_SIDE; j++)
        for (int i = 0; i < AQM_BLOCK_SIDE; i++) {
            const size_t at = first + (size_t)(j * AQM_BLOCK_SIDE + i);
            const AqmHeightFit near = i > 0 ? aqm_height_fit_moved(&last, step, 0.0f)
                                            : aqm_height_fit_moved(&row_first, 0.0f, step);
            const bool has_near = i > 0 ? has_last : has_row_first;
            local_window(local, (float)(i * resolution), (float)(j * resolution));
            has_last = aqm_height_fit(&local->tools, &local->window, &rules,
                                      has_near ? &near : NULL, &last);
            grid->fitted[at] = grid->present[at] = has_last;
            if (has_last)
                write_node(local, &last, &grid->nodes[at]);
            if (i == 0)
                row_first = last, has_row_first = has_last;
        }
}

AqmStatus aqm_height_grid_fit(AqmHeightGrid *grid, const AqmCloud *cloud, AqmDiag *diag) {
    const AqmHeightBlocks *blocks = grid->blocks;
    const int threads = grid->threads;
    const double scale = choose_scale(grid, cloud);
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
