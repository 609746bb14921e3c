/* Fusion, internal: square tiles of one view's depth map with their rays, and what the other views
 * say about a point of a tile. All functions are pure and safe to call from several threads. */
#ifndef AQM_STAGES_FUSION_TILE_H
#define AQM_STAGES_FUSION_TILE_H

#include "aquamvs/fusion.h"
#include "aquamvs/geometry.h"

enum {
    AQM_TILE_SIDE = 32,  /* px */
    AQM_TILE_MARGIN = 3, /* px of neighbouring depths on each side, for slopes */
    AQM_TILE_PITCH = AQM_TILE_SIDE + 2 * AQM_TILE_MARGIN,
    AQM_TILE_RAYS = AQM_TILE_SIDE + 1 /* one more ray right and below, for tangents */
};

/* How finely a displacement along the ray is stored: this many steps in one depth tolerance. At 5
 * mm a step is 0.3 micrometres, below the rounding of a float coordinate of 4 m. */
enum { AQM_SHIFT_STEPS = 16000, AQM_SHIFT_NONE = INT16_MIN };

/* Depths lie in rows of AQM_TILE_PITCH and include the margin; NaN = not usable: no depth, too
 * little confidence, outside the map, or a ray that never reaches the water. */
typedef struct AqmFusionTile {
    int x0, y0, width, height;
    double tolerance_m;
    float depth_m[AQM_TILE_PITCH * AQM_TILE_PITCH];
    AqmRay rays[AQM_TILE_RAYS * AQM_TILE_RAYS];
} AqmFusionTile;

static inline float *aqm_tile_depth(AqmFusionTile *tile, int x, int y) {
    return tile->depth_m + (y + AQM_TILE_MARGIN) * AQM_TILE_PITCH + x + AQM_TILE_MARGIN;
}

static inline const AqmRay *aqm_tile_ray(const AqmFusionTile *tile, int x, int y) {
    return tile->rays + y * AQM_TILE_RAYS + x;
}

/* A depth moved by a stored displacement. */
static inline float aqm_shifted_depth(float depth_m, int16_t shift, double tolerance_m) {
    return (float)((double)depth_m + shift * (tolerance_m / AQM_SHIFT_STEPS));
}

/* Loads the tile whose first pixel is (x0, y0). With `shifts` (height x width) every depth is moved
 * by its shift, and those of AQM_SHIFT_NONE are not usable. */
void aqm_tile_load(AqmFusionTile *tile, const AqmFusionView *view, const AqmFusionOptions *options,
                   int x0, int y0, const int16_t *shifts);

/* The unit normal towards the camera of the surface through pixel (x, y) of the tile (counted from
 * its corner), from the slopes of the depths around it; false where they do not tell. */
bool aqm_tile_normal(AqmFusionTile *tile, int x, int y, double normal[3]);

enum { AQM_FUSION_VIEWS_MAX = 255 }; /* AqmCloud.views is a byte */

/* The cameras of all views, one array for each number, so that a point is projected into all of
 * them by vector instructions. Float: coordinates relative to a camera are within 1e-7 m, pixels
 * within 1e-3 px. */
typedef struct AqmFusionCameras {
    size_t count;
    float R[9][AQM_FUSION_VIEWS_MAX], C[2][AQM_FUSION_VIEWS_MAX];
    float water_z[AQM_FUSION_VIEWS_MAX], h_c[AQM_FUSION_VIEWS_MAX];
    float n2[AQM_FUSION_VIEWS_MAX], inverse_n[AQM_FUSION_VIEWS_MAX];
    float fx[AQM_FUSION_VIEWS_MAX], fy[AQM_FUSION_VIEWS_MAX];
    float cx[AQM_FUSION_VIEWS_MAX], cy[AQM_FUSION_VIEWS_MAX];
} AqmFusionCameras;

void aqm_fusion_cameras_init(AqmFusionCameras *cameras, const AqmFusionView *views, size_t count);

/* How many views agree on the depth of pixel (x, y) of the tile, `reference` counted; 0 where it is
 * not usable. shift_m (may be NULL): how far along its ray the robust mean of the agreeing views
 * lies from it. */
int aqm_tile_vote(AqmFusionTile *tile, int x, int y, const AqmFusionView *views,
                  const AqmFusionCameras *cameras, size_t reference,
                  const AqmFusionOptions *options, double *shift_m);

/* ARGUMENT if options or the sizes of maps and images are wrong. */
AqmStatus aqm_fusion_views_validate(const AqmFusionView *views, size_t view_count,
                                    const AqmFusionOptions *options, AqmDiag *diag);

#endif
