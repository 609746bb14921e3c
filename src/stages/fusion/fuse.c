/* From depth maps to one cloud, in memory that does not grow with the number of pixels held at
 * once.
 *
 * 1. Every pixel of every view is voted on (fusion_tile.c). What is kept of it is its displacement
 *    along the ray in 16 bits and its number of views in 8: three bytes a pixel.
 * 2. Space is cut along Y into slabs of voxels; their points are counted. Runs of slabs with about
 *    GROUP_POINTS points are then made one after the other: every tile that reaches into the run
 *    gives its points there (ray, displaced depth, normal from the displaced depths around it,
 *    colour), and voxel_merge.c appends the mean of each voxel to the cloud.
 *
 * A tile on the border of a run is visited for both. Points come in the order of views, tiles and
 * pixels, sums run in that order, slabs in theirs: the same bytes for any number of threads.
 *
 * Cost: per pixel (1 + 1 / 4 per other view) * 100 ns; memory besides the cloud: 3 bytes a pixel
 * and 56 bytes for each of GROUP_POINTS points. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "math/vec.h"
#include "stages/fusion/fusion_tile.h"
#include "stages/fusion/voxel_merge.h"

enum { GROUP_POINTS = 500000 };

typedef struct TileRange {
    uint8_t view;
    int x0, y0;
    uint32_t slab_min, slab_max; /* of its kept points; min > max where there are none */
    uint32_t kept;
} TileRange;

typedef struct Fusion {
    const AqmFusionView *views;
    size_t view_count;
    AqmFusionCameras cameras;
    const AqmFusionOptions *options;
    int threads;
    AqmVoxelGrid grid;
    size_t *first_pixel; /* of each view in the planes below */
    int16_t *shifts;
    uint8_t *counts;
    uint32_t *slab_points; /* AQM_SLAB_COUNT */
    size_t tile_count;
    TileRange *tiles;
    size_t *tile_first; /* tile_count + 1: where its points stand in the present run */
} Fusion;

static void fusion_free(Fusion *fusion) {
    aqm_free(fusion->first_pixel);
    aqm_free(fusion->shifts);
    aqm_free(fusion->counts);
    aqm_free(fusion->slab_points);
    aqm_free(fusion->tiles);
    aqm_free(fusion->tile_first);
}

static void list_tiles(Fusion *fusion) {
    TileRange *next = fusion->tiles;
    for (size_t i = 0; i < fusion->view_count; i++)
        for (int y = 0; y < fusion->views[i].depth->height; y += AQM_TILE_SIDE)
            for (int x = 0; x < fusion->views[i].depth->width; x += AQM_TILE_SIDE)
                *next++ = (TileRange){.view = (uint8_t)i, .x0 = x, .y0 = y};
}

static AqmStatus fusion_alloc(Fusion *fusion, AqmDiag *diag) {
    size_t pixels = 0;
    fusion->first_pixel = aqm_alloc(fusion->view_count, sizeof *fusion->first_pixel);
    if (!fusion->first_pixel)
        return aqm_fail_memory(diag, "fusion", fusion->view_count, sizeof *fusion->first_pixel);
    for (size_t i = 0; i < fusion->view_count; i++) {
        const size_t width = (size_t)fusion->views[i].depth->width;
        const size_t height = (size_t)fusion->views[i].depth->height;
        fusion->first_pixel[i] = pixels;
        pixels += width * height;
        fusion->tile_count += (width + AQM_TILE_SIDE - 1) / AQM_TILE_SIDE *
                              ((height + AQM_TILE_SIDE - 1) / AQM_TILE_SIDE);
    }
    fusion->shifts = aqm_alloc(pixels, sizeof *fusion->shifts);
    fusion->counts = aqm_alloc(pixels, sizeof *fusion->counts);
    fusion->slab_points = aqm_calloc(AQM_SLAB_COUNT, sizeof *fusion->slab_points);
    fusion->tiles = aqm_alloc(fusion->tile_count, sizeof *fusion->tiles);
    fusion->tile_first = aqm_alloc(fusion->tile_count + 1, sizeof *fusion->tile_first);
    if (!fusion->shifts || !fusion->counts || !fusion->slab_points || !fusion->tiles ||
        !fusion->tile_first)
        return aqm_fail_memory(diag, "fusion", pixels, 3);
    list_tiles(fusion);
    return AQM_OK;
}

/* Around the mean of the cameras, at the water: where the data are. */
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

static void point_of(AqmFusionTile *tile, int x, int y, float depth, float position[3]) {
    const AqmRay *ray = aqm_tile_ray(tile, x, y);
    for (int i = 0; i < 3; i++)
        position[i] = (float)(ray->origin[i] + (double)depth * ray->direction[i]);
}

/* Votes on one pixel; true and its displaced depth if it is kept. */
static bool vote_pixel(const Fusion *fusion, AqmFusionTile *tile, const TileRange *range, int x,
                       int y, float *depth) {
    const AqmFusionView *view = &fusion->views[range->view];
    const size_t pixel = fusion->first_pixel[range->view] +
                         (size_t)(range->y0 + y) * (size_t)view->depth->width +
                         (size_t)(range->x0 + x);
    const double tolerance = fusion->options->depth_tolerance_m;
    double shift_m = 0.0;
    const int count = aqm_tile_vote(tile, x, y, fusion->views, &fusion->cameras, range->view,
                                    fusion->options, &shift_m);
    const double steps = round(shift_m / tolerance * AQM_SHIFT_STEPS);
    const int16_t shift = (int16_t)fmin(fmax(steps, -32767.0), 32767.0);
    *depth = aqm_shifted_depth(*aqm_tile_depth(tile, x, y), shift, tolerance);
    const bool kept = count >= fusion->options->min_consistent_views && *depth > 0.0f;
    fusion->counts[pixel] = (uint8_t)count;
    fusion->shifts[pixel] = kept ? shift : AQM_SHIFT_NONE;
    return kept;
}

static void vote_tile(Fusion *fusion, TileRange *range) {
    AqmFusionTile tile;
    aqm_tile_load(&tile, &fusion->views[range->view], fusion->options, range->x0, range->y0, NULL);
    range->slab_min = UINT32_MAX;
    range->slab_max = 0;
    range->kept = 0;
    for (int y = 0; y < tile.height; y++)
        for (int x = 0; x < tile.width; x++) {
            float depth, position[3];
            if (!vote_pixel(fusion, &tile, range, x, y, &depth))
                continue;
            point_of(&tile, x, y, depth, position);
            const uint32_t slab = aqm_voxel_slab(&fusion->grid, position[1]);
            range->slab_min = slab < range->slab_min ? slab : range->slab_min;
            range->slab_max = slab > range->slab_max ? slab : range->slab_max;
            range->kept++;
#pragma omp atomic
            fusion->slab_points[slab]++;
        }
}

static uint8_t to_byte(unsigned sample, double full_scale) {
    const double value = sample * (255.0 / full_scale) + 0.5;
    return (uint8_t)(value > 255.0 ? 255.0 : value);
}

/* Gray gives r = g = b; without an image the colour is a middle gray. */
static void color_of(const AqmFusionView *view, int u, int v, uint8_t color[3]) {
    const AqmImageView *image = view->color;
    for (int i = 0; i < 3; i++) {
        if (!image) {
            color[i] = 128;
            continue;
        }
        const char *row = (const char *)image->data + (size_t)v * image->stride;
        const size_t at = (size_t)u * (size_t)image->channels + (image->channels == 3 ? i : 0);
        const unsigned sample =
            image->type == AQM_U16 ? ((const uint16_t *)row)[at] : ((const uint8_t *)row)[at];
        color[i] = to_byte(sample, view->full_scale);
    }
}

static void fill_point(const Fusion *fusion, AqmFusionTile *tile, const TileRange *range, int x,
                       int y, AqmVoxelPoint *point) {
    const AqmFusionView *view = &fusion->views[range->view];
    const int u = range->x0 + x, v = range->y0 + y;
    const size_t pixel = (size_t)v * (size_t)view->depth->width + (size_t)u;
    double normal[3];
    if (!aqm_tile_normal(tile, x, y, normal))
        memset(normal, 0, sizeof normal);
    for (int i = 0; i < 3; i++)
        point->normal[i] = (int16_t)round(32767.0 * normal[i]);
    color_of(view, u, v, point->color);
    point->views = fusion->counts[fusion->first_pixel[range->view] + pixel];
    point->confidence = view->depth->confidence[pixel];
    point->weight = fmaxf(point->confidence, 1e-3f) * (float)point->views;
}

/* Counts the tile's points in the slabs first..last, and fills them in where `points` is given. */
static size_t tile_points(const Fusion *fusion, const TileRange *range, uint32_t first,
                          uint32_t last, AqmVoxelPoint *points) {
    AqmFusionTile tile;
    size_t count = 0;
    aqm_tile_load(&tile, &fusion->views[range->view], fusion->options, range->x0, range->y0,
                  fusion->shifts + fusion->first_pixel[range->view]);
    for (int y = 0; y < tile.height; y++)
        for (int x = 0; x < tile.width; x++) {
            const float depth = *aqm_tile_depth(&tile, x, y);
            float position[3];
            if (isnan(depth))
                continue;
            point_of(&tile, x, y, depth, position);
            const uint32_t slab = aqm_voxel_slab(&fusion->grid, position[1]);
            if (slab < first || slab > last)
                continue;
            if (points) {
                memcpy(points[count].position, position, sizeof position);
                fill_point(fusion, &tile, range, x, y, &points[count]);
            }
            count++;
        }
    return count;
}

/* Fills `points` with those of the slabs first..last, in the order of the tiles. */
static size_t gather(Fusion *fusion, uint32_t first, uint32_t last, AqmVoxelPoint *points) {
    size_t *const tile_first = fusion->tile_first;
#pragma omp parallel for schedule(dynamic, 16) num_threads(fusion->threads)
    for (size_t i = 0; i < fusion->tile_count; i++) {
        const TileRange *range = &fusion->tiles[i];
        if (range->kept == 0 || range->slab_max < first || range->slab_min > last)
            tile_first[i] = 0;
        else if (range->slab_min >= first && range->slab_max <= last)
            tile_first[i] = range->kept;
        else
            tile_first[i] = tile_points(fusion, range, first, last, NULL);
    }
    size_t total = 0;
    for (size_t i = 0; i < fusion->tile_count; i++) {
        const size_t count = tile_first[i];
        tile_first[i] = total;
        total += count;
    }
    tile_first[fusion->tile_count] = total;
#pragma omp parallel for schedule(dynamic, 16) num_threads(fusion->threads)
    for (size_t i = 0; i < fusion->tile_count; i++)
        if (tile_first[i + 1] > tile_first[i])
            (void)tile_points(fusion, &fusion->tiles[i], first, last, points + tile_first[i]);
    return total;
}

/* A run of slabs: first..end - 1, the first and the last of them not empty. */
typedef struct Run {
    uint32_t first, end;
    size_t points;
} Run;

/* The first run at or after slab `from`: as many slabs as stay within GROUP_POINTS, but at least
 * one. false = no points are left. */
static bool next_run(const uint32_t *slab_points, uint32_t from, Run *run) {
    while (from < AQM_SLAB_COUNT && slab_points[from] == 0)
        from++;
    *run = (Run){from, from, 0};
    for (uint32_t i = from; i < AQM_SLAB_COUNT; i++) {
        if (run->points > 0 && run->points + slab_points[i] > GROUP_POINTS)
            break;
        run->points += slab_points[i];
        if (slab_points[i] > 0)
            run->end = i + 1;
    }
    return run->points > 0;
}

static AqmStatus make_runs(Fusion *fusion, AqmVoxelMerge *merge, AqmCloud *cloud, AqmDiag *diag) {
    Run run = {0};
    while (next_run(fusion->slab_points, run.end, &run)) {
        const size_t count = gather(fusion, run.first, run.end - 1, aqm_voxel_merge_points(merge));
        AQM_TRY(aqm_voxel_merge_append(merge, count, run.first, run.end - run.first,
                                       fusion->slab_points + run.first, cloud, diag));
    }
    return AQM_OK;
}

static AqmStatus make_cloud(Fusion *fusion, AqmCloud *cloud, AqmDiag *diag) {
    size_t largest = 0, longest = 0;
    Run run = {0};
    while (next_run(fusion->slab_points, run.end, &run)) {
        largest = run.points > largest ? run.points : largest;
        longest = run.end - run.first > longest ? run.end - run.first : longest;
    }
    if (largest == 0)
        return AQM_OK;
    AqmVoxelMerge *merge = NULL;
    AQM_TRY(aqm_voxel_merge_create(&merge, &fusion->grid, largest, longest, fusion->threads, diag));
    const AqmStatus status = make_runs(fusion, merge, cloud, diag);
    aqm_voxel_merge_destroy(&merge);
    return status;
}

AqmStatus aqm_fuse(const AqmFusionView *views, size_t view_count, const AqmFusionOptions *options,
                   AqmCloud **out, AqmDiag *diag) {
    AQM_TRY(aqm_fusion_views_validate(views, view_count, options, diag));
    AqmCloud *cloud = NULL;
    AQM_TRY(aqm_cloud_create(&cloud, 0, diag));
    Fusion fusion = {
        .views = views,
        .view_count = view_count,
        .options = options,
        .threads = aqm_thread_count(options->threads),
        .grid = grid_under_cameras(views, view_count, options->voxel_size_m),
    };
    aqm_fusion_cameras_init(&fusion.cameras, views, view_count);
    AqmStatus status;
    AQM_TRY_GOTO(status, done, fusion_alloc(&fusion, diag));
#pragma omp parallel for schedule(dynamic, 4) num_threads(fusion.threads)
    for (size_t i = 0; i < fusion.tile_count; i++)
        vote_tile(&fusion, &fusion.tiles[i]);
    AQM_TRY_GOTO(status, done, make_cloud(&fusion, cloud, diag));
    *out = cloud;
    cloud = NULL;
done:
    fusion_free(&fusion);
    aqm_cloud_destroy(&cloud);
    return status;
}
