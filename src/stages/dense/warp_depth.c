/* The depth map that a warp means.
 *
 * Of the usable cells all are triangulated (kernels/dense_loops.h), or the middle ones of blocks of
 * k x k cells, k odd and as small as leaves no more blocks with a usable cell than may be; where
 * the middle one is not usable, the usable cell nearest to it stands for it. With a cell a pixel
 * and k = 1 that is the depth map; else lattice_depth.c fills what lies between. Cost: about 35 ns
 * a cell of CPU time, 15 more a pixel where cells are not pixels. */
#include <limits.h>
#include <math.h>

#include "aquamvs/dense.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "stages/dense/dense_camera.h"
#include "stages/dense/lattice_depth.h"

enum { CHUNK = AQM_DENSE_CHUNK };
static const float UNKNOWN_SIGMA_PX = 0.5f;

AqmWarpDepthOptions aqm_warp_depth_options_default(void) {
    return (AqmWarpDepthOptions){.certainty_threshold = 0.5,
                                 .max_correspondences = 100000,
                                 .max_epipolar_px = 2.0,
                                 .threads = 0};
}

AqmStatus aqm_warp_depth_options_validate(const AqmWarpDepthOptions *options, AqmDiag *diag) {
    if (!(options->certainty_threshold >= 0.0 && options->certainty_threshold <= 1.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "certainty_threshold is %g: must be in 0..1",
                        options->certainty_threshold);
    if (options->max_correspondences != 0 &&
        (options->max_correspondences < 100 || options->max_correspondences > 100000000))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "max_correspondences is %d: must be 0 (all) or in 100..100000000",
                        options->max_correspondences);
    if (!(options->max_epipolar_px >= 0.01 && options->max_epipolar_px <= 100.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "max_epipolar_px is %g: must be in 0.01..100",
                        options->max_epipolar_px);
    if (options->threads < 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "threads is %d: must be 0 (all) or more",
                        options->threads);
    return AQM_OK;
}

typedef struct Task {
    const AqmView *first, *second;
    const AqmWarp *warp;
    const AqmDepthRange *range;
    const AqmWarpDepthOptions *options;
    const AqmDenseKernels *kernels;
    AqmDenseCamera from, to;
    int block, columns, rows; /* cells a block's side, blocks */
    AqmDepthMap *nodes;       /* a node a block */
    int16_t *away;            /* of the cell that stands for a node, cells; NULL if block is 1 */
} Task;

/* ---- which cells ----------------------------------------------------------------------------- */

static inline bool is_usable(const Task *task, size_t cell) {
    const float u = task->warp->target[2 * cell], v = task->warp->target[2 * cell + 1];
    return (double)task->warp->certainty[cell] >= task->options->certainty_threshold &&
           u >= -0.5f && v >= -0.5f && u < (float)task->second->width - 0.5f &&
           v < (float)task->second->height - 0.5f; /* not if NaN */
}

/* The usable cell nearest to the middle of block (i, j), within a quarter of the block; the first
 * of those equally near. false if there is none. */
static bool find_cell(const Task *task, int i, int j, int *cell_x, int *cell_y) {
    const AqmWarp *warp = task->warp;
    const int middle_x = i * task->block + task->block / 2,
              middle_y = j * task->block + task->block / 2, reach = (task->block + 2) / 4;
    int nearest = INT_MAX;
    *cell_x = middle_x, *cell_y = middle_y;
    if (middle_x < warp->width && middle_y < warp->height &&
        is_usable(task, (size_t)middle_y * (size_t)warp->width + (size_t)middle_x))
        return true;
    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -reach; dx <= reach; dx++) {
            const int x = middle_x + dx, y = middle_y + dy, distance = dx * dx + dy * dy;
            if (x >= warp->width || y >= warp->height || distance >= nearest ||
                !is_usable(task, (size_t)y * (size_t)warp->width + (size_t)x))
                continue;
            nearest = distance;
            *cell_x = x, *cell_y = y;
        }
    return nearest < INT_MAX;
}

static size_t count_blocks(const Task *task) {
    size_t count = 0;
#pragma omp parallel for num_threads(aqm_thread_count(task->options->threads)) schedule(static)    \
    reduction(+ : count)
    for (int j = 0; j < task->rows; j++)
        for (int i = 0; i < task->columns; i++) {
            int x, y;
            count += find_cell(task, i, j, &x, &y);
        }
    return count;
}

static void set_block(Task *task, int block) {
    task->block = block;
    task->columns = (task->warp->width + block - 1) / block;
    task->rows = (task->warp->height + block - 1) / block;
}

/* The smallest blocks that give no more nodes than may be. */
static void choose_block(Task *task) {
    const size_t most = (size_t)task->options->max_correspondences;
    set_block(task, 1);
    if (most == 0 || (size_t)task->columns * (size_t)task->rows <= most)
        return;
    size_t count = count_blocks(task);
    while (count > most) {
        /* blocks of r x r of these are at least count / r^2: smaller ones need no counting */
        const int least = (int)(sqrt((double)count / (double)most) * task->block) | 1;
        set_block(task, least > task->block + 2 ? least : task->block + 2);
        count = count_blocks(task);
    }
}

/* ---- depths of cells ------------------------------------------------------------------------- */

static double cell_px(int image, int cells) {
    return (double)image / cells;
}

/* Nodes i .. i + n of row j: where their cells lie in both images. NaN: there is none. */
static void gather(const Task *task, int i, int j, size_t n, AqmDensePixels *pixels,
                   AqmDensePixels *targets, size_t *cells) {
    const AqmWarp *warp = task->warp;
    const double px_u = cell_px(task->first->width, warp->width),
                 px_v = cell_px(task->first->height, warp->height);
    for (size_t k = 0; k < n; k++) {
        int x = 0, y = 0;
        const bool is_there = find_cell(task, i + (int)k, j, &x, &y);
        const size_t cell = cells[k] = is_there ? (size_t)y * (size_t)warp->width + (size_t)x : 0;
        pixels->u[k] = (float)((x + 0.5) * px_u - 0.5);
        pixels->v[k] = (float)((y + 0.5) * px_v - 0.5);
        targets->u[k] = is_there ? warp->target[2 * cell] : NAN;
        targets->v[k] = is_there ? warp->target[2 * cell + 1] : NAN;
        if (task->away && is_there) {
            const size_t node = (size_t)j * (size_t)task->columns + (size_t)i + k;
            task->away[2 * node] = (int16_t)(x - (i + (int)k) * task->block - task->block / 2);
            task->away[2 * node + 1] = (int16_t)(y - j * task->block - task->block / 2);
        }
    }
}

static void triangulate(const Task *task, int i, int j, size_t n) {
    AqmDensePixels pixels, targets;
    AqmDenseRays rays;
    AqmDenseMeetings meetings;
    size_t cells[CHUNK];
    const AqmDepthRange *range = task->range;
    const float most_px = (float)task->options->max_epipolar_px;
    const float min_m = (float)range->min_m,
                max_m = range->max_m > 0.0 ? (float)range->max_m : INFINITY;
    const float down_min_m = (float)range->down_min_m,
                down_max_m = range->down_max_m > 0.0 ? (float)range->down_max_m : INFINITY;
    gather(task, i, j, n, &pixels, &targets, cells);
    task->kernels->rays(&task->from, &pixels, n, &rays);
    task->kernels->meet(&task->from, &rays, &task->to, &targets, n, &meetings);
    for (size_t k = 0; k < n; k++) {
        const size_t node = (size_t)j * (size_t)task->columns + (size_t)i + k;
        const float depth = meetings.depth[k], down = meetings.down[k];
        if (!(meetings.miss_px[k] <= most_px && depth > 0.0f && depth >= min_m && depth <= max_m &&
              down >= down_min_m && down <= down_max_m && depth < INFINITY))
            continue; /* stays as it was made: not known */
        const float sigma_px = task->warp->sigma_px[cells[k]];
        task->nodes->depth_m[node] = depth;
        task->nodes->confidence[node] = task->warp->certainty[cells[k]];
        task->nodes->sigma_m[node] =
            (sigma_px == sigma_px ? sigma_px : UNKNOWN_SIGMA_PX) / meetings.px_per_m[k];
    }
}

static AqmStatus find_nodes(Task *task, AqmDiag *diag) {
    choose_block(task);
    AQM_TRY(aqm_depth_map_create(&task->nodes, task->columns, task->rows, diag));
    if (task->block > 1) {
        const size_t nodes = (size_t)task->columns * (size_t)task->rows;
        task->away = aqm_calloc(nodes, 2 * sizeof *task->away);
        if (!task->away)
            return aqm_fail_memory(diag, "cells of a warp", nodes, 2 * sizeof *task->away);
    }
#pragma omp parallel for num_threads(aqm_thread_count(task->options->threads)) schedule(static)
    for (int j = 0; j < task->rows; j++)
        for (int i = 0; i < task->columns; i += CHUNK)
            triangulate(task, i, j,
                        (size_t)(task->columns - i < CHUNK ? task->columns - i : CHUNK));
    return AQM_OK;
}

/* ---- the map --------------------------------------------------------------------------------- */

static AqmStatus fill(const Task *task, AqmDepthMap **out, AqmDiag *diag) {
    const double px_u = cell_px(task->first->width, task->warp->width),
                 px_v = cell_px(task->first->height, task->warp->height);
    const int middle = task->block / 2;
    const AqmLattice lattice = {.map = task->nodes,
                                .away = task->away,
                                .first_u = (middle + 0.5) * px_u - 0.5,
                                .first_v = (middle + 0.5) * px_v - 0.5,
                                .step_u = task->block * px_u,
                                .step_v = task->block * px_v,
                                .cell_u = px_u,
                                .cell_v = px_v,
                                .focal_px = fmin(task->first->fx, task->first->fy),
                                .air_m = task->first->water_z - task->first->C[2]};
    AqmDepthMap *map = NULL;
    AQM_TRY(aqm_depth_map_create(&map, task->first->width, task->first->height, diag));
    const AqmStatus status = aqm_lattice_to_pixels(&lattice, task->options->threads, map, diag);
    if (status == AQM_OK)
        *out = map;
    else
        aqm_depth_map_destroy(&map);
    return status;
}

static AqmStatus check_range(const AqmDepthRange *range, AqmDiag *diag) {
    const bool is_anywhere = range->min_m == 0.0 && range->max_m == 0.0;
    const bool is_any_down = range->down_min_m == 0.0 && range->down_max_m == 0.0;
    if ((!is_anywhere && !(range->min_m >= 0.0 && range->max_m > range->min_m)) ||
        (!is_any_down && !(range->down_min_m >= 0.0 && range->down_max_m > range->down_min_m)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "depth range %g..%g m, %g..%g m straight down: each must be 0 <= min < "
                        "max, or 0 and 0",
                        range->min_m, range->max_m, range->down_min_m, range->down_max_m);
    return AQM_OK;
}

AqmStatus aqm_warp_depth(AqmDepthMap **out, const AqmView *first, const AqmView *second,
                         const AqmWarp *warp, const AqmDepthRange *range,
                         const AqmWarpDepthOptions *options, AqmDiag *diag) {
    AQM_TRY(aqm_warp_depth_options_validate(options, diag));
    AQM_TRY(check_range(range, diag));
    Task task = {.first = first,
                 .second = second,
                 .warp = warp,
                 .range = range,
                 .options = options,
                 .kernels = aqm_dense_kernels(aqm_cpu_features()),
                 .from = aqm_dense_camera(first, first),
                 .to = aqm_dense_camera(second, first)};
    AqmStatus status = find_nodes(&task, diag);
    if (status == AQM_OK) {
        if (task.columns == first->width && task.rows == first->height) {
            *out = task.nodes;
            task.nodes = NULL;
        } else
            status = fill(&task, out, diag);
    }
    aqm_depth_map_destroy(&task.nodes);
    aqm_free(task.away);
    return status;
}
