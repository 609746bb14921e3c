/* Where the pixels of a tile lie in a source, each at a disparity of its own.
 *
 * Near a known surface this stage works in `disparity`, px: 1 / (h_c + h / n), the inverse apparent
 * depth, times the disparity scale of the sweep, so that a step of 1 moves a pixel of the farthest
 * source by about one pixel, and twice the resolution doubles it. */
#ifndef AQM_STEREO_NEAR_WARP_H
#define AQM_STEREO_NEAR_WARP_H

#include "kernels/near_kernels.h"
#include "stages/stereo/sweep.h"

/* NaN stays NaN. */
float aqm_disparity_of(const AqmSweep *sweep, double h_m);
double aqm_disparity_h(const AqmSweep *sweep, double disparity);
/* Metres of h for a px of disparity. */
double aqm_disparity_metres_per_px(const AqmSweep *sweep, double disparity);

/* The depth in the middle of a tile of a disparity map, where it is known; else of the surface. */
double aqm_tile_h(const AqmSweep *sweep, const AqmTile *tile, const float *disparity);

enum {
    AQM_WARP_ACROSS = (AQM_TILE_WIDTH + 48) / AQM_KNOT + 1,
    AQM_WARP_DOWN = (AQM_TILE_HEIGHT + 32) / AQM_KNOT + 2,
    AQM_WARP_KNOTS = (AQM_WARP_ACROSS * AQM_WARP_DOWN + 7) / 8 * 8,
    AQM_WARP_PITCH = AQM_TILE_WIDTH + 48,
    AQM_WARP_ROWS = AQM_TILE_HEIGHT + 32
};

/* One tile's warp into one source. Positions are exact at knots 8 px apart and three disparities,
 * bilinear between knots and quadratic in disparity (0.01 px off at most on a ring of twelve; the
 * test of this file has the bound). */
typedef struct AqmNearWarp {
    int across, down;
    size_t pitch, knots;
    bool has_hole;       /* some disparity of the tile is not known */
    double middle, half; /* the tile's disparities are middle -+ half */
    float *q;            /* rows x pitch: (disparity - middle) / half; NaN = none */
    double *ox, *oy, *tx, *ty, *X, *Y, *Z; /* knots */
    float *level[3][2];                    /* of the source: c0, c1, c2 of u and of v, at knots */
    float *ends;                           /* knots: scratch of the projection */
} AqmNearWarp;

AqmStatus aqm_near_warp_create(AqmNearWarp *warp, AqmDiag *diag);
void aqm_near_warp_free(AqmNearWarp *warp); /* a zeroed one is fine */

/* Takes over the tile's disparities, halo included, from a map of the whole view; `reach_px` more
 * to either side will be asked for. False where none is known. */
bool aqm_near_warp_load(AqmNearWarp *warp, const AqmSweep *sweep, const AqmTile *tile,
                        const float *disparity, double reach_px);

/* Turns to a source. Returns whether any of the tile may be seen there; `is_inside`: all of it
 * surely is, on present pixels. */
bool aqm_near_warp_source(AqmNearWarp *warp, const AqmSweep *sweep, const AqmSweepSource *source,
                          bool *is_inside);

/* Positions of a tile row in the source, and their move per px of disparity. Room for the tile's
 * pitch + AQM_KNOT each. */
void aqm_near_warp_row(const AqmNearWarp *warp, const AqmSweep *sweep, int row, float *u, float *v,
                       float *du, float *dv);
/* The same for the positions `half_px` before (u, v) and behind (u2, v2), in disparity. */
void aqm_near_warp_ends(const AqmNearWarp *warp, const AqmSweep *sweep, int row, float half_px,
                        float *u, float *v, float *u2, float *v2);

#endif
