/* Tiles: depths with a margin, rays and points by the kernels of fusion_kernels.h. */
#include "stages/fusion/fusion_tile.h"

#include <math.h>
#include <string.h>

static void place(AqmFusionTile *tile, const AqmSightMap *map, int x0, int y0) {
    tile->x0 = x0, tile->y0 = y0;
    tile->width = map->width - x0 < AQM_TILE_SIDE ? map->width - x0 : AQM_TILE_SIDE;
    tile->height = map->height - y0 < AQM_TILE_SIDE ? map->height - y0 : AQM_TILE_SIDE;
    for (size_t i = 0; i < sizeof tile->depth_m / sizeof *tile->depth_m; i++)
        tile->depth_m[i] = NAN;
}

/* The part of the tile and its margin that lies inside the map, counted from the tile's corner. */
typedef struct Part {
    int left, right, top, bottom; /* right and bottom excluded */
} Part;

static Part part_inside(const AqmFusionTile *tile, const AqmSightMap *map) {
    const int x = tile->x0, y = tile->y0, reach = AQM_TILE_SIDE + AQM_TILE_MARGIN;
    return (Part){.left = x < AQM_TILE_MARGIN ? -x : -AQM_TILE_MARGIN,
                  .right = map->width - x < reach ? map->width - x : reach,
                  .top = y < AQM_TILE_MARGIN ? -y : -AQM_TILE_MARGIN,
                  .bottom = map->height - y < reach ? map->height - y : reach};
}

static AqmRayRow ray_row(AqmFusionTile *tile, int y) {
    const size_t first = (size_t)y * AQM_TILE_PITCH;
    return (AqmRayRow){tile->rays[0] + first,
                       tile->rays[1] + first,
                       {tile->rays[2] + first, tile->rays[3] + first, tile->rays[4] + first}};
}

static void load_row_points(AqmFusionTile *tile, const AqmSightCamera *camera, int y) {
    const AqmRayRow row = ray_row(tile, y);
    const size_t first = (size_t)y * AQM_TILE_SIDE;
    float *depth = aqm_tile_depth(tile, 0, y);
    for (int x = 0; x < AQM_TILE_SIDE; x++) {
        const float s = x < tile->width && row.x[x] == row.x[x] ? depth[x] : NAN;
        depth[x] = s;
        tile->position[0][first + (size_t)x] = camera->C[0] + (row.x[x] + s * row.direction[0][x]);
        tile->position[1][first + (size_t)x] = aqm_tile_point_y(tile, camera, x, y, s);
        tile->position[2][first + (size_t)x] = camera->water_z + s * row.direction[2][x];
    }
}

static bool has_depth(AqmFusionTile *tile) {
    int found = 0;
    for (int y = 0; y < tile->height; y++)
        for (int x = 0; x < AQM_TILE_SIDE; x++)
            found |= *aqm_tile_depth(tile, x, y) > 0.0f;
    return found;
}

static bool load_points(AqmFusionTile *tile, const AqmFusionScene *scene, size_t view) {
    if (!has_depth(tile))
        return false;
    const AqmSightCamera *camera = &scene->cameras[view];
    for (int y = 0; y <= AQM_TILE_SIDE; y++) {
        const AqmRayRow row = ray_row(tile, y);
        scene->kernels->rays(camera, (float)tile->x0, (float)(tile->y0 + y), AQM_TILE_PITCH, &row);
    }
    for (int y = 0; y < AQM_TILE_SIDE; y++)
        load_row_points(tile, camera, y);
    return true;
}

bool aqm_tile_load(AqmFusionTile *tile, const AqmFusionScene *scene, size_t view, int x0, int y0) {
    const AqmSightMap *map = &scene->maps[view];
    place(tile, map, x0, y0);
    const Part part = part_inside(tile, map);
    for (int y = part.top; y < part.bottom; y++) {
        const ptrdiff_t first = (ptrdiff_t)(y0 + y) * map->width + x0;
        const float *from = scene->views[view].depth->depth_m + first;
        const float *confidence = scene->views[view].depth->confidence + first;
        float *to = aqm_tile_depth(tile, 0, y);
        for (int x = part.left; x < part.right; x++) {
            const bool usable = (from[x] > 0.0f) & (from[x] < INFINITY) &
                                (confidence[x] >= scene->rules.least_confidence);
            to[x] = usable ? from[x] : NAN;
        }
    }
    return load_points(tile, scene, view);
}

bool aqm_tile_load_shifted(AqmFusionTile *tile, const AqmFusionScene *scene, size_t view, int x0,
                           int y0, const int16_t *shifts) {
    const AqmSightMap *map = &scene->maps[view];
    const float step = aqm_shift_step(scene->options);
    place(tile, map, x0, y0);
    const Part part = part_inside(tile, map);
    for (int y = part.top; y < part.bottom; y++) {
        const ptrdiff_t first = (ptrdiff_t)(y0 + y) * map->width + x0;
        const float *from = scene->views[view].depth->depth_m + first;
        const int16_t *shift = shifts + first;
        float *to = aqm_tile_depth(tile, 0, y);
        for (int x = part.left; x < part.right; x++) {
            const float moved = aqm_shifted_depth(from[x], shift[x], step);
            to[x] = shift[x] == AQM_SHIFT_NONE ? NAN : moved;
        }
    }
    return load_points(tile, scene, view);
}

void aqm_tile_find_normals(AqmFusionTile *tile, const AqmFusionScene *scene) {
    const float tolerance = (float)scene->options->depth_tolerance_m;
    float slope_u[AQM_TILE_POINTS], slope_v[AQM_TILE_POINTS];
    scene->kernels->slopes(aqm_tile_depth(tile, 0, 0), AQM_TILE_PITCH, tolerance, AQM_TILE_SIDE,
                           AQM_TILE_SIDE, slope_u, slope_v);
    for (int y = 0; y < AQM_TILE_SIDE; y++) {
        const int first = y * AQM_TILE_SIDE;
        float *const normal[3] = {tile->normal[0] + first, tile->normal[1] + first,
                                  tile->normal[2] + first};
        const AqmRayRow here = ray_row(tile, y), below = ray_row(tile, y + 1);
        scene->kernels->normals(&here, &below, aqm_tile_depth(tile, 0, y), slope_u + first,
                                slope_v + first, AQM_TILE_SIDE, normal);
    }
}

AqmSightPoints aqm_tile_sight_points(AqmFusionTile *tile) {
    for (int y = 0; y < AQM_TILE_SIDE; y++) {
        const AqmRayRow row = ray_row(tile, y);
        for (int x = 0; x < AQM_TILE_SIDE; x++) {
            const int at = y * AQM_TILE_SIDE + x;
            const bool known = tile->normal[2][at] == tile->normal[2][at];
            const float nx = known ? tile->normal[0][at] : 0.0f;
            const float ny = known ? tile->normal[1][at] : 0.0f;
            const float nz = known ? tile->normal[2][at] : -1.0f;
            tile->normal[0][at] = nx, tile->normal[1][at] = ny, tile->normal[2][at] = nz;
            tile->facing[at] =
                nx * row.direction[0][x] + ny * row.direction[1][x] + nz * row.direction[2][x];
            tile->descent[at] = row.direction[2][x];
        }
    }
    return (AqmSightPoints){{tile->position[0], tile->position[1], tile->position[2]},
                            {tile->normal[0], tile->normal[1], tile->normal[2]},
                            tile->facing,
                            tile->descent};
}
