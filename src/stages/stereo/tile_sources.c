/* Which sources a tile has: found from a grid of its pixels, at one depth or the two ends. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "stages/stereo/sweep.h"

enum { GRID = 4, POINTS = GRID * GRID };

/* A rectangle of the reference image, in pixels, its ends included. */
typedef struct Rectangle {
    double x0, y0, x1, y1;
} Rectangle;

/* Where a grid over a rectangle, corners included, lies in a source at depth h; NaN: nowhere. */
static void project_grid(const AqmSweep *sweep, const Rectangle *r, double h,
                         const AqmSweepSource *source, float u[POINTS], float v[POINTS]) {
    double X[POINTS], Y[POINTS], Z[POINTS];
    for (int k = 0; k < POINTS; k++) {
        AqmRay ray;
        const double a = (double)(k % GRID) / (GRID - 1), b = (double)(k / GRID) / (GRID - 1);
        const bool hits = aqm_view_cast(sweep->view, r->x0 + a * (r->x1 - r->x0),
                                        r->y0 + b * (r->y1 - r->y0), &ray);
        const double s = hits ? h / ray.direction[2] : (double)NAN;
        X[k] = hits ? ray.origin[0] + s * ray.direction[0] : 0.0;
        Y[k] = hits ? ray.origin[1] + s * ray.direction[1] : 0.0;
        Z[k] = hits ? source->projector.water_z + h : source->projector.water_z;
    }
    sweep->kernels->project(&source->projector, X, Y, Z, POINTS, u, v);
}

/* Whether a position lies in an image, or at most `beside` pixels beside it. */
static bool is_in_image(const AqmStereoImage *image, float u, float v, float beside) {
    return u >= -beside && v >= -beside && u <= (float)(image->width - 1) + beside &&
           v <= (float)(image->height - 1) + beside;
}

/* The share of a tile that a source sees at depth h. */
static double share_seen(const AqmSweep *sweep, const AqmTile *tile, double h,
                         const AqmSweepSource *source) {
    const double dx = 0.5 * tile->width / GRID, dy = 0.5 * tile->height / GRID;
    const Rectangle middles = {tile->x0 + dx, tile->y0 + dy, tile->x0 + tile->width - dx,
                               tile->y0 + tile->height - dy};
    float u[POINTS], v[POINTS];
    int count = 0;
    project_grid(sweep, &middles, h, source, u, v);
    for (int k = 0; k < POINTS; k++)
        count += is_in_image(source->image, u[k], v[k], 0.0f);
    return (double)count / POINTS;
}

AqmSweep aqm_sweep_for_tile(const AqmSweep *sweep, const AqmTile *tile, double h,
                            AqmSweepSource *room) {
    AqmSweep chosen = *sweep;
    const size_t candidates = sweep->source_count + sweep->spare_count;
    double lacking = (double)sweep->source_count;
    chosen.sources = room;
    chosen.source_count = chosen.spare_count = 0;
    for (size_t s = 0; s < candidates && chosen.source_count < sweep->most; s++) {
        if (s >= sweep->source_count && lacking < 0.25)
            break;
        const double share = share_seen(sweep, tile, h, &sweep->sources[s]);
        /* the grid may miss a corner that one of the first sees; a spare must be worth its time */
        if (s >= sweep->source_count && share == 0.0)
            continue;
        room[chosen.source_count++] = sweep->sources[s];
        lacking -= share;
    }
    return chosen;
}

/* What the windows of a tile take of the reference image. */
static Rectangle taken_of(const AqmSweep *sweep, const AqmTile *tile) {
    const AqmStereoImage *image = sweep->image;
    const int x0 = tile->x0 - tile->radius, x1 = x0 + tile->columns - 1;
    const int y0 = tile->y0 - tile->radius, y1 = y0 + tile->rows - 1;
    return (Rectangle){x0 > 0 ? x0 : 0, y0 > 0 ? y0 : 0, x1 < image->width ? x1 : image->width - 1,
                       y1 < image->height ? y1 : image->height - 1};
}

/* Whether a source sees all of a rectangle at depth h, give or take a pixel at its borders. */
static bool sees_all(const AqmSweep *sweep, const Rectangle *taken, double h,
                     const AqmSweepSource *source) {
    const AqmStereoImage *image = source->image;
    float u[POINTS], v[POINTS];
    float u0 = INFINITY, v0 = INFINITY, u1 = 0.0f, v1 = 0.0f;
    project_grid(sweep, taken, h, source, u, v);
    for (int k = 0; k < POINTS; k++) {
        if (!is_in_image(image, u[k], v[k], 1.0f))
            return false;
        u0 = fmaxf(0.0f, fminf(u0, u[k]));
        v0 = fmaxf(0.0f, fminf(v0, v[k]));
        u1 = fminf((float)(image->width - 1), fmaxf(u1, u[k]));
        v1 = fminf((float)(image->height - 1), fmaxf(v1, v[k]));
    }
    return aqm_stereo_image_is_whole(image, (int)u0, (int)v0, (int)u1, (int)v1);
}

bool aqm_tile_has_enough(const AqmSweep *sweep, const AqmTile *tile, double h_min, double h_max) {
    const Rectangle taken = taken_of(sweep, tile);
    const size_t enough = aqm_joined(sweep->source_count);
    size_t count = 0;
    if (sweep->source_count <= enough || /* none is to spare */
        !aqm_stereo_image_is_whole(sweep->image, (int)taken.x0, (int)taken.y0, (int)taken.x1,
                                   (int)taken.y1))
        return false;
    for (size_t s = 0; s < sweep->source_count && count < enough; s++)
        count += sees_all(sweep, &taken, h_min, &sweep->sources[s]) &&
                 sees_all(sweep, &taken, h_max, &sweep->sources[s]);
    return count >= enough;
}
