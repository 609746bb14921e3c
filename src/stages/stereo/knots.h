/* A grid of the reference's pixels, and where horizontal planes under them lie in a source: exact
 * at the knots, linear between them. */
#ifndef AQM_STEREO_KNOTS_H
#define AQM_STEREO_KNOTS_H

#include "stages/stereo/sweep.h"

enum {
    AQM_KNOT_MARGIN = 2, /* knots that a grid may reach beyond a tile on every side */
    /* windows up to 31 px, rounded up to 16 */
    AQM_KNOTS_X = (AQM_TILE_WIDTH + 48) / AQM_KNOT + 1 + 2 * AQM_KNOT_MARGIN,
    AQM_KNOTS_Y = (AQM_TILE_HEIGHT + 32) / AQM_KNOT + 2 + 2 * AQM_KNOT_MARGIN,
    AQM_KNOTS = (AQM_KNOTS_X * AQM_KNOTS_Y + 7) / 8 * 8
};

/* The ray of each knot meets the plane h at (ox + h tx, oy + h ty). */
typedef struct AqmKnots {
    int across, down;
    size_t count; /* rounded up to 8 */
    double ox[AQM_KNOTS], oy[AQM_KNOTS], tx[AQM_KNOTS], ty[AQM_KNOTS];
    double X[AQM_KNOTS], Y[AQM_KNOTS], Z[AQM_KNOTS];
    float u[AQM_KNOTS], v[AQM_KNOTS]; /* in the source at work; NaN: nowhere */
} AqmKnots;

/* Casts the rays of across x down pixels `spacing` apart, the first at (x0, y0), which may lie
 * outside of the image. */
void aqm_knots_cast(AqmKnots *knots, const AqmView *view, int x0, int y0, int spacing, int across,
                    int down);

/* Projects the knots of plane h into a source. */
void aqm_knots_warp(AqmKnots *knots, const AqmKernels *kernels, const AqmSweepSource *source,
                    double h);

/* Does all that lies between the warped knots, but `leave` of them along every side, fall on
 * present pixels of the source? *is_seen: may any of it fall into the source? */
bool aqm_knots_are_inside(const AqmKnots *knots, const AqmSweepSource *source, bool *is_seen);

/* Positions of a row of pixels, `row` of them below the first knots, in `cells` cells from cell
 * `first` on, for grids that are AQM_KNOT apart. u, v: of the first of these pixels. */
void aqm_knots_row(const AqmKnots *knots, const AqmKernels *kernels, int row, size_t first,
                   size_t cells, float *u, float *v);

#endif
