/* From depth maps to one cloud, in memory that does not grow with the number of points held at
 * once.
 *
 * 1. Every pixel of every view, made coarser where voxels hold many of them (fusion_coarse.c), is
 *    voted on (fusion_vote.c). What is kept of it is its displacement along the ray in 16 bits, and
 *    its standard deviation and number of views in 8 each: four bytes a pixel.
 * 2. Space is cut along Y into bands with about BAND_POINTS points each, where the points lie
 *    densely enough at least BANDS of them. For each band, every tile that reaches into it gives
 *    its points there (displaced depth, normal from the displaced depths around it, colour) to a
 *    set of voxels that sums them up (voxel_set.c). The tiles of all views come in the order of
 *    their X: those that show one place find its voxels in the cache. The bands' clouds, one after
 *    the other, are the cloud.
 *
 * A tile on the border of two bands is visited for both. Bands do not depend on the number of
 * threads, and within each the points come in the order of tiles and pixels: the same bytes for any
 * number of threads.
 *
 * Cost: per pixel 75 ns and 3.5 ns for every other view; memory besides the cloud and its parts: 4
 * bytes a pixel, 4 more while it is voted on, and 64 bytes for each voxel of the bands at work. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "base/recorder.h"
#include "stages/fusion/fusion_coarse.h"
#include "stages/fusion/fusion_vote.h"
#include "stages/fusion/voxel_set.h"

enum { BAND_POINTS = 1 << 20, BANDS = 12, BATCHES = 3 /* one being made, two that wait */ };

typedef struct TileRange {
    uint8_t view;
    int x0, y0;
    int32_t row_min, row_max; /* voxel rows of its kept points */
    uint32_t kept;
    float x; /* roughly the middle of its points */
} TileRange;

/* The voxel rows first..last. */
typedef struct Band {
    int32_t first, last;
    size_t begin; /* of its points in the cloud */
} Band;

typedef struct Fusion {
    AqmFusionScene scene;
    int threads;
    AqmVoxelGrid grid;
    size_t *first_pixel; /* of each view in the planes below */
    int16_t *shifts;
    uint8_t *counts, *sigmas; /* sigmas: along the normal, as aqm_deviation_code */
    size_t tile_count, band_count;
    TileRange *tiles;
    Band *bands;
    AqmCloud **parts; /* of each band */
} Fusion;

static void fusion_free(Fusion *fusion) {
    for (size_t i = 0; fusion->parts && i < fusion->band_count; i++)
        aqm_cloud_destroy(&fusion->parts[i]);
    aqm_free(fusion->parts);
    aqm_free(fusion->bands);
    aqm_free(fusion->first_pixel);
    aqm_free(fusion->shifts);
    aqm_free(fusion->counts);
    aqm_free(fusion->sigmas);
    aqm_free(fusion->tiles);
    aqm_fusion_scene_drop(&fusion->scene);
}

static void list_tiles(Fusion *fusion) {
    TileRange *next = fusion->tiles;
    for (size_t i = 0; i < fusion->scene.count; i++)
        for (int y = 0; y < fusion->scene.maps[i].height; y += AQM_TILE_SIDE)
            for (int x = 0; x < fusion->scene.maps[i].width; x += AQM_TILE_SIDE)
                *next++ = (TileRange){.view = (uint8_t)i, .x0 = x, .y0 = y};
}

static AqmStatus fusion_alloc(Fusion *fusion, AqmDiag *diag) {
    const size_t views = fusion->scene.count;
    size_t pixels = 0;
    fusion->first_pixel = aqm_alloc(views, sizeof *fusion->first_pixel);
    if (!fusion->first_pixel)
        return aqm_fail_memory(diag, "fusion", views, sizeof *fusion->first_pixel);
    for (size_t i = 0; i < views; i++) {
        const size_t width = (size_t)fusion->scene.maps[i].width;
        const size_t height = (size_t)fusion->scene.maps[i].height;
        fusion->first_pixel[i] = pixels;
        pixels += width * height;
        fusion->tile_count += (width + AQM_TILE_SIDE - 1) / AQM_TILE_SIDE *
                              ((height + AQM_TILE_SIDE - 1) / AQM_TILE_SIDE);
    }
    fusion->shifts = aqm_alloc(pixels, sizeof *fusion->shifts);
    fusion->counts = aqm_alloc(pixels, sizeof *fusion->counts);
    fusion->sigmas = aqm_alloc(pixels, sizeof *fusion->sigmas);
    fusion->tiles = aqm_alloc(fusion->tile_count, sizeof *fusion->tiles);
    if (!fusion->shifts || !fusion->counts || !fusion->sigmas || !fusion->tiles)
        return aqm_fail_memory(diag, "fusion", pixels, 4);
    list_tiles(fusion);
    return AQM_OK;
}

/* Numbered from the mean of the cameras, at the water: where the data are. */
static AqmVoxelGrid grid_under_cameras(const AqmFusionView *views, size_t view_count,
                                       double size_m) {
    double center[3] = {0};
    for (size_t i = 0; i < view_count; i++) {
        center[0] += views[i].view->C[0] / (double)view_count;
        center[1] += views[i].view->C[1] / (double)view_count;
        center[2] = views[i].view->water_z;
    }
    return aqm_voxel_grid(size_m, center);
}

/* ---- votes ----------------------------------------------------------------------------------- */

/* Stores a row's votes; extends the range of Y by the points kept. */
static void keep_row(const Fusion *fusion, AqmVotes *votes, TileRange *range, int y, float *low,
                     float *high) {
    const AqmFusionOptions *options = fusion->scene.options;
    AqmFusionTile *tile = &votes->tile;
    const size_t first = fusion->first_pixel[range->view] +
                         (size_t)(range->y0 + y) * (size_t)fusion->scene.maps[range->view].width +
                         (size_t)range->x0;
    const size_t at = (size_t)y * AQM_TILE_SIDE, width = (size_t)tile->width;
    const AqmKeepRules rules = {(float)options->depth_tolerance_m, aqm_shift_step(options),
                                options->min_consistent_views};
    const AqmKeepRow row = {.depth = aqm_tile_depth(tile, 0, y),
                            .start = tile->rays[1] + y * AQM_TILE_PITCH,
                            .direction = tile->rays[3] + y * AQM_TILE_PITCH,
                            .shift = votes->shift_m + at,
                            .count = votes->counts + at,
                            .center = fusion->scene.cameras[range->view].C[1]};
    int16_t shifts[AQM_TILE_SIDE];
    range->kept += fusion->scene.kernels->keep(&row, &rules, AQM_TILE_SIDE, shifts, low, high);
    memcpy(fusion->shifts + first, shifts, width * sizeof *shifts);
    memcpy(fusion->counts + first, votes->counts + at, width);
    memcpy(fusion->sigmas + first, votes->sigmas + at, width);
}

static void clear_row(const Fusion *fusion, const AqmVotes *votes, const TileRange *range, int y) {
    int16_t *shifts = fusion->shifts + fusion->first_pixel[range->view] +
                      (size_t)(range->y0 + y) * (size_t)fusion->scene.maps[range->view].width +
                      (size_t)range->x0;
    for (int x = 0; x < votes->tile.width; x++)
        shifts[x] = AQM_SHIFT_NONE;
}

/* Of some points of the tile, which lie on a diagonal. */
static float middle_x(const AqmFusionTile *tile) {
    float sum = 0.0f, count = 0.0f;
    for (int at = 0; at < AQM_TILE_POINTS; at += AQM_TILE_SIDE + 1) {
        const float x = tile->position[0][at];
        sum += x == x ? x : 0.0f;
        count += x == x ? 1.0f : 0.0f;
    }
    return count > 0.0f ? sum / count : 0.0f;
}

static void vote_tile(const Fusion *fusion, AqmVotes *votes, TileRange *range) {
    const AqmSightMap *map = &fusion->scene.maps[range->view];
    float low[AQM_FUSION_LANES], high[AQM_FUSION_LANES];
    const bool any = aqm_votes_take(votes, &fusion->scene, range->view, range->x0, range->y0, true);
    for (int k = 0; k < AQM_FUSION_LANES; k++)
        low[k] = INFINITY, high[k] = -INFINITY;
    range->kept = 0;
    for (int y = 0; y < AQM_TILE_SIDE && range->y0 + y < map->height; y++)
        if (any)
            keep_row(fusion, votes, range, y, low, high);
        else
            clear_row(fusion, votes, range, y);
    for (int k = 1; k < AQM_FUSION_LANES; k++) {
        low[0] = low[k] < low[0] ? low[k] : low[0];
        high[0] = high[k] > high[0] ? high[k] : high[0];
    }
    range->row_min = aqm_voxel_index(&fusion->grid, 1, low[0]);
    range->row_max = aqm_voxel_index(&fusion->grid, 1, high[0]);
    range->x = range->kept > 0 ? middle_x(&votes->tile) : 0.0f;
}

static AqmStatus vote(Fusion *fusion, AqmDiag *diag) {
    AqmVotes *votes = NULL;
    AQM_TRY(aqm_votes_create(&votes, &fusion->scene, fusion->threads, diag));
#pragma omp parallel for schedule(dynamic, 4) num_threads(fusion->threads)
    for (size_t i = 0; i < fusion->tile_count; i++)
        vote_tile(fusion, &votes[omp_get_thread_num()], &fusion->tiles[i]);
    aqm_votes_destroy(&votes, fusion->threads);
    aqm_fusion_scene_drop(&fusion->scene);
    return AQM_OK;
}

/* ---- bands ----------------------------------------------------------------------------------- */

static int by_middle(const void *a, const void *b) {
    const TileRange *p = *(const TileRange *const *)a, *q = *(const TileRange *const *)b;
    const int64_t m = (int64_t)p->row_min + p->row_max, n = (int64_t)q->row_min + q->row_max;
    return m < n ? -1 : m > n;
}

/* Cuts where the tiles before, ordered by their middles, hold another share of the points. */
static void cut_bands(Fusion *fusion, const TileRange *const *tiles, size_t count, size_t share) {
    size_t before = 0;
    int32_t row = INT32_MIN;
    fusion->band_count = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t middle = (int32_t)(((int64_t)tiles[i]->row_min + tiles[i]->row_max) / 2);
        if (before >= share && middle > row) {
            fusion->bands[fusion->band_count++] = (Band){.first = row, .last = middle - 1};
            row = middle;
            before = 0;
        }
        before += tiles[i]->kept;
    }
    fusion->bands[fusion->band_count++] = (Band){.first = row, .last = INT32_MAX};
}

static AqmStatus make_bands(Fusion *fusion, AqmDiag *diag) {
    const TileRange **tiles = aqm_alloc(fusion->tile_count, sizeof *tiles);
    if (!tiles)
        return aqm_fail_memory(diag, "fusion", fusion->tile_count, sizeof *tiles);
    size_t count = 0, points = 0;
    for (size_t i = 0; i < fusion->tile_count; i++)
        if (fusion->tiles[i].kept > 0) {
            tiles[count++] = &fusion->tiles[i];
            points += fusion->tiles[i].kept;
        }
    qsort(tiles, count, sizeof *tiles, by_middle);
    const size_t share = points / BANDS < BAND_POINTS ? points / BANDS + 1 : BAND_POINTS;
    fusion->bands = aqm_alloc(points / share + 1, sizeof *fusion->bands);
    fusion->parts = aqm_calloc(points / share + 1, sizeof *fusion->parts);
    if (fusion->bands && fusion->parts)
        cut_bands(fusion, tiles, count, share);
    aqm_free(tiles);
    return fusion->bands && fusion->parts
               ? AQM_OK
               : aqm_fail_memory(diag, "fusion", points / share + 1, sizeof(Band));
}

static uint8_t to_byte(unsigned sample, double full_scale) {
    if (full_scale == 255.0 && sample <= 255) /* most images; what follows would say the same */
        return (uint8_t)sample;
    const double value = sample * (255.0 / full_scale) + 0.5;
    return (uint8_t)(value > 255.0 ? 255.0 : value);
}

static bool has_bytes(const AqmFusionView *view) {
    return view->color && view->color->channels == 3 && view->color->type == AQM_U8 &&
           view->full_scale == 255.0;
}

static const char *color_at(const AqmImageView *image, int u, int v) {
    const size_t bytes = (size_t)image->channels * (size_t)image->type;
    return (const char *)image->data + (size_t)v * image->stride + (size_t)u * bytes;
}

/* `count` pixels of row v from u on. Gray gives r = g = b; without an image the colour is a middle
 * gray. */
static void load_colors(const AqmFusionView *view, int u, int v, size_t count, uint8_t *colors) {
    const AqmImageView *image = view->color;
    if (!image) {
        memset(colors, 128, 3 * count);
        return;
    }
    const char *from = color_at(image, u, v);
    for (size_t k = 0; k < 3 * count; k++) {
        const size_t at = image->channels == 3 ? k : k / 3;
        const unsigned sample = image->type == AQM_U16 ? ((const uint16_t *)(const void *)from)[at]
                                                       : ((const uint8_t *)(const void *)from)[at];
        colors[k] = to_byte(sample, view->full_scale);
    }
}

/* The pixels of a tile's row that end with the map, filled up to a whole row. */
typedef struct ShortRow {
    float confidence[AQM_TILE_SIDE];
    uint8_t sigmas[AQM_TILE_SIDE], views[AQM_TILE_SIDE], colors[3 * AQM_TILE_SIDE];
} ShortRow;

/* What one thread works with. The batches of a tile: its rows, and those that wait while the next
 * tile's are made. */
typedef struct Worker {
    AqmFusionTile tile;
    AqmVoxelBatch batches[BATCHES];
    size_t next; /* of the batches */
    ShortRow filled;
    AqmVoxelSet *set;
    const TileRange **tiles; /* of the band at work */
} Worker;

static void fill_up(ShortRow *filled, size_t count, AqmPointRow *row) {
    memset(filled, 0, offsetof(ShortRow, colors));
    memcpy(filled->confidence, row->confidence, count * sizeof *filled->confidence);
    memcpy(filled->sigmas, row->deviation, count);
    memcpy(filled->views, row->views, count);
    row->confidence = filled->confidence;
    row->deviation = filled->sigmas, row->views = filled->views;
}

/* The points of row y of the tile, all of them; `views` is 0 where there is none. */
static void load_row(const Fusion *fusion, Worker *worker, const TileRange *range, int y,
                     AqmVoxelBatch *batch) {
    const AqmFusionTile *tile = &worker->tile;
    const AqmFusionView *view = &fusion->scene.views[range->view];
    const int v = range->y0 + y;
    const size_t pixel = (size_t)v * (size_t)view->depth->width + (size_t)range->x0;
    const size_t stored = fusion->first_pixel[range->view] + pixel, count = (size_t)tile->width;
    ShortRow *filled = &worker->filled;
    AqmPointRow row = {.confidence = view->depth->confidence + pixel,
                       .deviation = fusion->sigmas + stored,
                       .views = fusion->counts + stored,
                       .color = filled->colors};
    for (int i = 0; i < 3; i++) {
        row.position[i] = tile->position[i] + y * AQM_TILE_SIDE;
        row.normal[i] = tile->normal[i] + y * AQM_TILE_SIDE;
    }
    if (count < AQM_TILE_SIDE)
        fill_up(filled, count, &row);
    if (has_bytes(view) && count == AQM_TILE_SIDE)
        row.color = (const uint8_t *)color_at(view->color, range->x0, v);
    else
        load_colors(view, range->x0, v, count, filled->colors);
    fusion->scene.kernels->arrive(&fusion->grid, &row, AQM_TILE_SIDE, batch->points, batch->places);
}

/* Leaves of a whole row of points those within the band. */
static void choose_points(AqmVoxelBatch *batch, const Band *band) {
    size_t count = 0;
    for (size_t x = 0; x < AQM_TILE_SIDE; x++) {
        const AqmVoxelSums *point = &batch->points[x];
        if (point->views == 0 || point->index[1] < band->first || point->index[1] > band->last)
            continue;
        if (count < x) {
            batch->points[count] = *point;
            batch->places[count] = batch->places[x];
        }
        count++;
    }
    batch->count = count;
}

/* Asks for what the points of row y of a tile are made of: it lies in many places. */
static void prefetch_row(const Fusion *fusion, const TileRange *range, int y) {
    enum { LINE = 64 };
    const AqmFusionView *view = &fusion->scene.views[range->view];
    const AqmDepthMap *map = view->depth;
    if (range->y0 + y >= map->height)
        return;
    const size_t pixel = (size_t)(range->y0 + y) * (size_t)map->width + (size_t)range->x0;
    const size_t stored = fusion->first_pixel[range->view] + pixel;
    for (size_t at = 0; at < AQM_TILE_SIDE; at += LINE / sizeof(float)) {
        __builtin_prefetch(map->depth_m + pixel + at);
        __builtin_prefetch(map->confidence + pixel + at);
        __builtin_prefetch(fusion->shifts + stored + at);
    }
    __builtin_prefetch(fusion->counts + stored);
    __builtin_prefetch(fusion->sigmas + stored);
    if (!view->color)
        return;
    const char *colors = color_at(view->color, range->x0, range->y0 + y);
    const size_t bytes = (size_t)view->color->channels * (size_t)view->color->type;
    for (size_t at = 0; at < bytes * AQM_TILE_SIDE; at += LINE)
        __builtin_prefetch(colors + at);
}

/* `then` (may be NULL): the tile that comes next. */
static AqmStatus add_tile(const Fusion *fusion, Worker *worker, const TileRange *range,
                          const TileRange *then, const Band *band, AqmDiag *diag) {
    AqmFusionTile *tile = &worker->tile;
    if (!aqm_tile_load_shifted(tile, &fusion->scene, range->view, range->x0, range->y0,
                               fusion->shifts + fusion->first_pixel[range->view]))
        return AQM_OK;
    aqm_tile_find_normals(tile, &fusion->scene);
    for (int y = 0; y < AQM_TILE_SIDE; y++) {
        if (then)
            prefetch_row(fusion, then, y);
        if (y >= tile->height)
            continue;
        AqmVoxelBatch *batch = &worker->batches[worker->next];
        worker->next = (worker->next + 1) % BATCHES;
        load_row(fusion, worker, range, y, batch);
        choose_points(batch, band);
        AQM_TRY(aqm_voxel_set_add(worker->set, batch, diag));
    }
    return AQM_OK;
}

static void workers_free(Worker *workers, int count) {
    for (int i = 0; workers && i < count; i++)
        aqm_free(workers[i].tiles), aqm_voxel_set_destroy(&workers[i].set);
    aqm_free(workers);
}

static AqmStatus worker_init(Worker *worker, const Fusion *fusion, AqmDiag *diag) {
    worker->tiles = aqm_alloc(fusion->tile_count, sizeof *worker->tiles);
    if (!worker->tiles)
        return aqm_fail_memory(diag, "fusion", fusion->tile_count, sizeof *worker->tiles);
    return aqm_voxel_set_create(&worker->set, &fusion->grid, diag);
}

static AqmStatus workers_create(Worker **out, const Fusion *fusion, AqmDiag *diag) {
    Worker *workers = aqm_calloc((size_t)fusion->threads, sizeof *workers);
    if (!workers)
        return aqm_fail_memory(diag, "fusion", (size_t)fusion->threads, sizeof *workers);
    AqmStatus status = AQM_OK;
    for (int i = 0; i < fusion->threads && status == AQM_OK; i++)
        status = worker_init(&workers[i], fusion, diag);
    if (status == AQM_OK)
        *out = workers;
    else
        workers_free(workers, fusion->threads);
    return status;
}

static int by_x(const void *a, const void *b) {
    const TileRange *p = *(const TileRange *const *)a, *q = *(const TileRange *const *)b;
    return p->x != q->x ? (p->x < q->x ? -1 : 1) : p < q ? -1 : p > q;
}

/* The tiles with points in the band, along X: those of all views that show one place, one after the
 * other, so that its voxels stay in the cache. */
static size_t tiles_in_band(const Fusion *fusion, const Band *band, const TileRange **tiles) {
    size_t count = 0;
    for (size_t i = 0; i < fusion->tile_count; i++) {
        const TileRange *range = &fusion->tiles[i];
        if (range->kept > 0 && range->row_max >= band->first && range->row_min <= band->last)
            tiles[count++] = range;
    }
    qsort(tiles, count, sizeof *tiles, by_x);
    return count;
}

static AqmStatus make_part(const Fusion *fusion, size_t number, Worker *worker, AqmCloud **part,
                           AqmDiag *diag) {
    const Band *band = &fusion->bands[number];
    const size_t count = tiles_in_band(fusion, band, worker->tiles);
    aqm_voxel_set_clear(worker->set);
    for (size_t i = 0; i < count; i++)
        AQM_TRY(add_tile(fusion, worker, worker->tiles[i],
                         i + 1 < count ? worker->tiles[i + 1] : NULL, band, diag));
    AQM_TRY(aqm_voxel_set_add(worker->set, NULL, diag));
    return aqm_voxel_set_finish(worker->set, part, diag);
}

static AqmStatus make_parts(Fusion *fusion, AqmDiag *diag) {
    Worker *workers = NULL;
    size_t failures = 0;
    AQM_TRY(workers_create(&workers, fusion, diag));
#pragma omp parallel for schedule(dynamic, 1) num_threads(fusion->threads) reduction(+ : failures)
    for (size_t i = 0; i < fusion->band_count; i++) {
        AqmDiag own = {0};
        failures += make_part(fusion, i, &workers[omp_get_thread_num()], &fusion->parts[i], &own) !=
                    AQM_OK; /* of memory: nothing else can fail */
    }
    workers_free(workers, fusion->threads);
    return failures == 0 ? AQM_OK
                         : aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory: the voxels of a cloud");
}

/* ---- the cloud ------------------------------------------------------------------------------- */

static void copy_part(const AqmCloud *part, AqmCloud *cloud, size_t at) {
    memcpy(cloud->position + 3 * at, part->position, part->count * 3 * sizeof(float));
    memcpy(cloud->normal + 3 * at, part->normal, part->count * 3 * sizeof(float));
    memcpy(cloud->color + 3 * at, part->color, part->count * 3);
    memcpy(cloud->confidence + at, part->confidence, part->count * sizeof(float));
    memcpy(cloud->sigma_m + at, part->sigma_m, part->count * sizeof(float));
    memcpy(cloud->views + at, part->views, part->count);
}

/* Parts are freed as they are copied, so that hardly more than one cloud is held: memory is had
 * once it is written to. */
static AqmStatus join_parts(Fusion *fusion, AqmCloud **out, AqmDiag *diag) {
    size_t total = 0;
    for (size_t i = 0; i < fusion->band_count; i++) {
        fusion->bands[i].begin = total;
        total += fusion->parts[i]->count;
    }
    AqmCloud *cloud = NULL;
    AQM_TRY(aqm_cloud_create(&cloud, total, diag));
    cloud->count = total;
#pragma omp parallel for schedule(dynamic, 1) num_threads(fusion->threads)
    for (size_t i = 0; i < fusion->band_count; i++) {
        copy_part(fusion->parts[i], cloud, fusion->bands[i].begin);
        aqm_cloud_destroy(&fusion->parts[i]);
    }
    for (size_t i = 0; i < cloud->count && !fusion->scene.knows_deviations; i++)
        cloud->sigma_m[i] = NAN;
    *out = cloud;
    return AQM_OK;
}

static AqmStatus make_cloud(Fusion *fusion, AqmCloud **out, AqmDiag *diag) {
    AQM_TRY(fusion_alloc(fusion, diag));
    AQM_TRY_PART("vote", vote(fusion, diag));
    AQM_TRY(make_bands(fusion, diag));
    AQM_TRY_PART("voxels", make_parts(fusion, diag));
    aqm_free(fusion->shifts);
    aqm_free(fusion->counts);
    aqm_free(fusion->sigmas);
    fusion->shifts = NULL;
    fusion->counts = fusion->sigmas = NULL;
    return join_parts(fusion, out, diag);
}

static AqmStatus fuse_views(const AqmCoarseViews *coarse, const AqmFusionOptions *options,
                            AqmCloud **out, AqmDiag *diag) {
    Fusion fusion = {.threads = aqm_thread_count(options->threads),
                     .grid =
                         grid_under_cameras(coarse->views, coarse->count, options->voxel_size_m)};
    AQM_TRY(aqm_fusion_scene_init(&fusion.scene, coarse->views, coarse->count, options, diag));
    fusion.scene.steps = coarse->steps;
    const AqmStatus status = make_cloud(&fusion, out, diag);
    fusion_free(&fusion);
    return status;
}

AqmStatus aqm_fuse(const AqmFusionView *views, size_t view_count, const AqmFusionOptions *options,
                   AqmCloud **out, AqmDiag *diag) {
    AqmCoarseViews coarse;
    AQM_TRY(aqm_fusion_views_validate(views, view_count, options, diag));
    AQM_TRY(aqm_coarse_views_init(&coarse, views, view_count, options, diag));
    const AqmStatus status = fuse_views(&coarse, options, out, diag);
    aqm_coarse_views_free(&coarse);
    return status;
}
