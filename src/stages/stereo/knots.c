#include "stages/stereo/knots.h"

#include <math.h>

#include "aquamvs/geometry.h"

void aqm_knots_cast(AqmKnots *knots, const AqmView *view, int x0, int y0, int spacing, int across,
                    int down) {
    const int count = across * down;
    knots->across = across;
    knots->down = down;
    knots->count = (size_t)((count + 7) / 8 * 8);
    for (int k = 0; k < (int)knots->count; k++) {
        AqmRay ray;
        const bool hits = k < count && aqm_view_cast(view, x0 + k % across * spacing,
                                                     y0 + k / across * spacing, &ray);
        knots->ox[k] = hits ? ray.origin[0] : (double)NAN;
        knots->oy[k] = hits ? ray.origin[1] : (double)NAN;
        knots->tx[k] = hits ? ray.direction[0] / ray.direction[2] : (double)NAN;
        knots->ty[k] = hits ? ray.direction[1] / ray.direction[2] : (double)NAN;
    }
}

void aqm_knots_warp(AqmKnots *knots, const AqmKernels *kernels, const AqmSweepSource *source,
                    double h) {
    for (size_t k = 0; k < knots->count; k++) {
        knots->X[k] = knots->ox[k] + h * knots->tx[k];
        knots->Y[k] = knots->oy[k] + h * knots->ty[k];
        knots->Z[k] = source->projector.water_z + h;
    }
    kernels->project(&source->projector, knots->X, knots->Y, knots->Z, knots->count, knots->u,
                     knots->v);
}

bool aqm_knots_are_inside(const AqmKnots *knots, const AqmSweepSource *source, bool *is_seen) {
    float u0 = INFINITY, v0 = INFINITY, u1 = -INFINITY, v1 = -INFINITY;
    bool has_gap = false;
    for (int k = 0; k < knots->across * knots->down; k++) {
        const float u = knots->u[k], v = knots->v[k];
        has_gap |= isnan(u);
        u0 = u < u0 ? u : u0;
        v0 = v < v0 ? v : v0;
        u1 = u > u1 ? u : u1;
        v1 = v > v1 ? v : v1;
    }
    const float right = (float)(source->image->width - 1),
                last = (float)(source->image->height - 1);
    *is_seen = u1 >= 0.0f && v1 >= 0.0f && u0 <= right && v0 <= last;
    return !has_gap && u0 >= 0.0f && v0 >= 0.0f && u1 <= right && v1 <= last &&
           aqm_stereo_image_is_whole(source->image, (int)u0, (int)v0, (int)fminf(u1 + 1.0f, right),
                                     (int)fminf(v1 + 1.0f, last));
}

void aqm_knots_row(const AqmKnots *knots, const AqmKernels *kernels, int row, size_t first,
                   size_t cells, float *u, float *v) {
    const size_t across = (size_t)knots->across;
    const size_t top = (size_t)(row / AQM_KNOT) * across + first, bottom = top + across;
    const float down = (float)(row % AQM_KNOT) / AQM_KNOT;
    kernels->spread(knots->u + top, knots->u + bottom, down, cells, u);
    kernels->spread(knots->v + top, knots->v + bottom, down, cells, v);
}
