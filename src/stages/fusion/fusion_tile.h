/* Fusion, internal: square tiles of one view's depth map with their rays, the surface points the
 * depths stand for, and the normals there. All functions are safe to call from several threads. */
#ifndef AQM_STAGES_FUSION_TILE_H
#define AQM_STAGES_FUSION_TILE_H

#include "stages/fusion/fusion_views.h"

enum {
    AQM_TILE_SIDE = 32,  /* px */
    AQM_TILE_MARGIN = 3, /* px of neighbouring depths on each side, for slopes */
    AQM_TILE_PITCH = 40, /* of depths with margin, and of rays with one more column */
    AQM_TILE_POINTS = AQM_TILE_SIDE * AQM_TILE_SIDE
};

/* Depths include the margin; NaN = not usable: no depth, too little confidence, outside the map, or
 * a ray that never reaches the water. Points lie in rows of AQM_TILE_SIDE; NaN where there is no
 * depth. */
typedef struct AqmFusionTile {
    int x0, y0, width, height; /* the part of the tile that lies inside the map */
    float depth_m[(AQM_TILE_SIDE + 2 * AQM_TILE_MARGIN) * AQM_TILE_PITCH];
    float rays[5][(AQM_TILE_SIDE + 1) * AQM_TILE_PITCH]; /* x, y and direction of an AqmRayRow */
    float position[3][AQM_TILE_POINTS], normal[3][AQM_TILE_POINTS];
    float facing[AQM_TILE_POINTS], descent[AQM_TILE_POINTS]; /* as AqmSightPoints */
} AqmFusionTile;

static inline float *aqm_tile_depth(AqmFusionTile *tile, int x, int y) {
    return tile->depth_m + (y + AQM_TILE_MARGIN) * AQM_TILE_PITCH + x + AQM_TILE_MARGIN;
}

/* The Y of the point at a depth along the ray of pixel (x, y): the same bits as its position's. */
static inline float aqm_tile_point_y(const AqmFusionTile *tile, const AqmSightCamera *camera, int x,
                                     int y, float depth_m) {
    const int at = y * AQM_TILE_PITCH + x;
    return camera->C[1] + (tile->rays[1][at] + depth_m * tile->rays[3][at]);
}

/* Metres in a step of displacement. */
static inline float aqm_shift_step(const AqmFusionOptions *options) {
    return (float)(options->depth_tolerance_m / AQM_SHIFT_STEPS);
}

/* Loads the usable depths of the tile of view `view` whose first pixel is (x0, y0), its rays and
 * points. false, and no more than the depths within the tile, where none is usable. */
bool aqm_tile_load(AqmFusionTile *tile, const AqmFusionScene *scene, size_t view, int x0, int y0);

/* The same of depths moved by `shifts` (as the map); those of AQM_SHIFT_NONE are not usable. */
bool aqm_tile_load_shifted(AqmFusionTile *tile, const AqmFusionScene *scene, size_t view, int x0,
                           int y0, const int16_t *shifts);

/* Normals of all points from the slopes of the depths around them, NaN where they do not tell. */
void aqm_tile_find_normals(AqmFusionTile *tile, const AqmFusionScene *scene);

/* For sighting: unknown normals become vertical, and facing and descent are set. */
AqmSightPoints aqm_tile_sight_points(AqmFusionTile *tile);

#endif
