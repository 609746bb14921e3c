#include "stages/stereo/near_warp.h"

#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"

/* fminf and fmaxf, in line: the other one where one is NaN. */
static inline float smaller(float a, float b) {
    return ((a < b) | (b != b)) ? a : b;
}
static inline float larger(float a, float b) {
    return ((a > b) | (b != b)) ? a : b;
}

static double camera_height(const AqmSweep *sweep) {
    return sweep->view->water_z - sweep->view->C[2];
}

float aqm_disparity_of(const AqmSweep *sweep, double h_m) {
    return (float)(sweep->disparity_scale / (camera_height(sweep) + h_m / sweep->view->n));
}

double aqm_disparity_h(const AqmSweep *sweep, double disparity) {
    return sweep->view->n * (sweep->disparity_scale / disparity - camera_height(sweep));
}

double aqm_disparity_metres_per_px(const AqmSweep *sweep, double disparity) {
    return sweep->view->n * sweep->disparity_scale / (disparity * disparity);
}

double aqm_tile_h(const AqmSweep *sweep, const AqmTile *tile, const float *disparity) {
    const int x = tile->x0 + tile->width / 2, y = tile->y0 + tile->height / 2;
    const float middle = disparity[(size_t)y * (size_t)sweep->view->width + (size_t)x];
    return isnan(middle) ? 1e-6 : aqm_disparity_h(sweep, (double)middle);
}

void aqm_near_warp_free(AqmNearWarp *warp) {
    aqm_free(warp->q);
    aqm_free(warp->ox);
    aqm_free(warp->ends);
    *warp = (AqmNearWarp){0};
}

AqmStatus aqm_near_warp_create(AqmNearWarp *warp, AqmDiag *diag) {
    enum { AREA = AQM_WARP_ROWS * AQM_WARP_PITCH };
    *warp = (AqmNearWarp){
        .q = aqm_alloc(AREA, sizeof(float)),
        .ox = aqm_alloc(7 * (size_t)AQM_WARP_KNOTS, sizeof(double)),
        .ends = aqm_alloc(8 * (size_t)AQM_WARP_KNOTS, sizeof(float)),
    };
    if (!warp->q || !warp->ox || !warp->ends) {
        aqm_near_warp_free(warp);
        return aqm_fail_memory(diag, "the warp of a tile", AREA, sizeof(float));
    }
    double **knots[6] = {&warp->oy, &warp->tx, &warp->ty, &warp->X, &warp->Y, &warp->Z};
    for (size_t k = 0; k < 6; k++)
        *knots[k] = warp->ox + (k + 1) * AQM_WARP_KNOTS;
    for (size_t k = 0; k < 6; k++)
        warp->level[k / 2][k % 2] = warp->ends + (k + 2) * AQM_WARP_KNOTS;
    return AQM_OK;
}

static void cast_knots(AqmNearWarp *warp, const AqmView *view, const AqmTile *tile) {
    const int count = warp->across * warp->down;
    for (int k = 0; k < (int)warp->knots; k++) {
        const double u = tile->x0 - tile->radius + k % warp->across * AQM_KNOT;
        const double v = tile->y0 - tile->radius + k / warp->across * AQM_KNOT;
        AqmRay ray;
        const bool hits = k < count && aqm_view_cast(view, u, v, &ray);
        warp->ox[k] = hits ? ray.origin[0] : (double)NAN;
        warp->oy[k] = hits ? ray.origin[1] : (double)NAN;
        warp->tx[k] = hits ? ray.direction[0] / ray.direction[2] : (double)NAN;
        warp->ty[k] = hits ? ray.direction[1] / ray.direction[2] : (double)NAN;
    }
}

/* Copies a row of disparities; outside the image those of its border go on. */
static void copy_row(const AqmView *view, const AqmTile *tile, int row, const float *disparity,
                     size_t pitch, float *out) {
    const int y = tile->y0 - tile->radius + row, x0 = tile->x0 - tile->radius;
    const int inside = y < 0 ? 0 : y < view->height ? y : view->height - 1;
    const float *in = disparity + (size_t)inside * (size_t)view->width;
    const int first = x0 < 0 ? -x0 : 0; /* of the columns that lie in the image */
    const int end = view->width - x0 < (int)pitch ? view->width - x0 : (int)pitch;
    for (int c = 0; c < first; c++)
        out[c] = in[0];
    memcpy(out + first, in + x0 + first, (size_t)(end - first) * sizeof *out);
    for (int c = end; c < (int)pitch; c++)
        out[c] = in[view->width - 1];
}

/* Lowest, highest and whether any is missing, in lanes that the compiler makes vectors of. */
typedef struct Extent {
    float low[8], high[8];
    int holes[8];
} Extent;

static void extend(const float *row, size_t n, Extent *extent) {
    for (size_t c = 0; c < n; c += 8)
        for (size_t k = 0; k < 8; k++) {
            const float value = row[c + k];
            extent->low[k] = value < extent->low[k] ? value : extent->low[k];
            extent->high[k] = value > extent->high[k] ? value : extent->high[k];
            extent->holes[k] |= value != value;
        }
}

bool aqm_near_warp_load(AqmNearWarp *warp, const AqmSweep *sweep, const AqmTile *tile,
                        const float *disparity, double reach_px) {
    warp->pitch = tile->pitch;
    Extent extent = {.holes = {0}};
    for (size_t k = 0; k < 8; k++) {
        extent.low[k] = INFINITY;
        extent.high[k] = -INFINITY;
    }
    for (int r = 0; r < tile->rows; r++) {
        float *row = warp->q + (size_t)r * warp->pitch;
        copy_row(sweep->view, tile, r, disparity, warp->pitch, row);
        extend(row, warp->pitch, &extent);
    }
    float low = INFINITY, high = -INFINITY;
    warp->has_hole = false;
    for (size_t k = 0; k < 8; k++) {
        low = smaller(low, extent.low[k]);
        high = larger(high, extent.high[k]);
        warp->has_hole |= extent.holes[k] != 0;
    }
    if (!(low <= high))
        return false;
    /* nothing is nearer than the water surface */
    const double nearest = sweep->disparity_scale / camera_height(sweep) * (1.0 - 1e-9);
    const double first = (double)low - reach_px, last = fmin((double)high + reach_px, nearest);
    warp->middle = 0.5 * (first + last);
    warp->half = fmax(0.5 * (last - first), 1e-3);
    const float middle = (float)warp->middle, scale = (float)(1.0 / warp->half);
    for (size_t k = 0; k < (size_t)tile->rows * warp->pitch; k++)
        warp->q[k] = (warp->q[k] - middle) * scale;
    warp->across = (int)(tile->pitch / AQM_KNOT) + 1;
    warp->down = (tile->rows + AQM_KNOT - 1) / AQM_KNOT + 1;
    warp->knots = ((size_t)warp->across * (size_t)warp->down + 7) / 8 * 8;
    cast_knots(warp, sweep->view, tile);
    return true;
}

/* Projects all knots at one disparity. */
static void project_level(AqmNearWarp *warp, const AqmSweep *sweep, const AqmSweepSource *source,
                          double disparity, float *u, float *v) {
    const double h = aqm_disparity_h(sweep, disparity);
    for (size_t k = 0; k < warp->knots; k++) {
        warp->X[k] = warp->ox[k] + h * warp->tx[k];
        warp->Y[k] = warp->oy[k] + h * warp->ty[k];
        warp->Z[k] = source->projector.water_z + h;
    }
    sweep->kernels->project(&source->projector, warp->X, warp->Y, warp->Z, warp->knots, u, v);
}

typedef struct Bounds {
    float low, high;
    bool has_gap;
} Bounds;

/* From values at -1, 0, 1 (in c1, c0, `high`) to the coefficients of the parabola through them. */
static void fit_knots(const AqmNearWarp *warp, int axis, const float *high, Bounds *bounds) {
    float *c0 = warp->level[0][axis], *c1 = warp->level[1][axis], *c2 = warp->level[2][axis];
    *bounds = (Bounds){INFINITY, -INFINITY, false};
    for (int k = 0; k < warp->across * warp->down; k++) {
        const float low_end = c1[k], high_end = high[k], middle = c0[k];
        const float least = smaller(smaller(low_end, high_end), middle);
        const float most = larger(larger(low_end, high_end), middle);
        bounds->has_gap |= isnan(low_end + high_end + middle);
        bounds->low = least < bounds->low ? least : bounds->low;
        bounds->high = most > bounds->high ? most : bounds->high;
        c1[k] = 0.5f * (high_end - low_end);
        c2[k] = 0.5f * (high_end + low_end) - middle;
    }
}

bool aqm_near_warp_source(AqmNearWarp *warp, const AqmSweep *sweep, const AqmSweepSource *source,
                          bool *is_inside) {
    float *ends[2] = {warp->ends, warp->ends + AQM_WARP_KNOTS};
    project_level(warp, sweep, source, warp->middle, warp->level[0][0], warp->level[0][1]);
    project_level(warp, sweep, source, warp->middle - warp->half, warp->level[1][0],
                  warp->level[1][1]);
    project_level(warp, sweep, source, warp->middle + warp->half, ends[0], ends[1]);
    Bounds u, v;
    fit_knots(warp, 0, ends[0], &u);
    fit_knots(warp, 1, ends[1], &v);
    const float margin = 0.5f; /* the parabola's reach beyond its three points */
    const float right = (float)(source->image->width - 1);
    const float bottom = (float)(source->image->height - 1);
    *is_inside =
        !warp->has_hole && !u.has_gap && u.low >= margin && v.low >= margin &&
        u.high <= right - margin && v.high <= bottom - margin &&
        aqm_stereo_image_is_whole(source->image, (int)(u.low - margin), (int)(v.low - margin),
                                  (int)(u.high + margin), (int)(v.high + margin));
    return u.high >= 0.0f && v.high >= 0.0f && u.low <= right && v.low <= bottom;
}

static void bend_row(const AqmNearWarp *warp, const AqmSweep *sweep, int row, float half,
                     float *const out[4]) {
    AqmBentKnots knots = {.down = (float)(row % AQM_KNOT) / AQM_KNOT,
                          .scale = (float)(1.0 / warp->half)};
    for (size_t k = 0; k < 6; k++) {
        knots.top[k] = warp->level[k / 2][k % 2] + row / AQM_KNOT * warp->across;
        knots.bottom[k] = knots.top[k] + warp->across;
    }
    sweep->near_kernels->bend_row(&knots, warp->q + (size_t)row * warp->pitch,
                                  (size_t)warp->across - 1, half, out);
}

void aqm_near_warp_row(const AqmNearWarp *warp, const AqmSweep *sweep, int row, float *u, float *v,
                       float *du, float *dv) {
    bend_row(warp, sweep, row, 0.0f, (float *const[4]){u, v, du, dv});
}

void aqm_near_warp_ends(const AqmNearWarp *warp, const AqmSweep *sweep, int row, float half_px,
                        float *u, float *v, float *u2, float *v2) {
    bend_row(warp, sweep, row, half_px, (float *const[4]){u, v, u2, v2});
}
