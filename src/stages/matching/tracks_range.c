/* The depth range of a view: where its rays meet the bed that its points tell (bed.c).
 *
 * There are no matches at the rim of the image, where rays slant most and a sloping bed is deepest,
 * so the bed has to be carried on to there. On a grid over the image each ray (O, d) meets the bed,
 * which lies r below its plane h = a + g . (X, Y), at the depth
 *
 *     s = (a + r + g . O) / (d_z - g . (d_x, d_y)),      h = s d_z,
 *
 * for the lowest and the highest r that the place allows, and the place depends on s: a few rounds
 * find both; 5 % are added at either end for what a smooth bed does between the nodes.
 *
 * The points' own depths count too: a body that stands up may be smaller than the grid. They miss
 * the very extremes: of N even values the outermost lies 1/N of the range from the end in the mean,
 * 4/N in 98 of 100 cases; and the top of a mound lies between them: 10 % more hold all of 200
 * views of random beds, 8 % all but one. The range holds both, and the margin. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "aquamvs/matching.h"
#include "base/diag.h"
#include "stages/matching/bed.h"

enum { GRID = 16, ROUNDS = 3 };
static const double MORE_RAYS = 0.05, MORE_POINTS = 0.1, MORE_EACH = 4.0;

static void include(AqmDepthRange *range, double depth_m, double fall) {
    const double s = fmax(depth_m, 0.0);
    range->min_m = fmin(range->min_m, s), range->max_m = fmax(range->max_m, s);
    range->down_min_m = fmin(range->down_min_m, s * fall);
    range->down_max_m = fmax(range->down_max_m, s * fall);
}

/* Where a ray meets the bed; nowhere if it runs along it. */
static void include_ray(const AqmBed *bed, const AqmView *view, const AqmRay *ray,
                        AqmDepthRange *range) {
    const double *g = bed->plane, *d = ray->direction, fall = d[2] - g[0] * d[0] - g[1] * d[1];
    const double x = ray->origin[0] - view->C[0], y = ray->origin[1] - view->C[1];
    const double base = g[2] + g[0] * x + g[1] * y;
    if (!(fall > 0.1 * d[2]))
        return;
    for (int end = 0; end < 2; end++) {
        double s = (base + 0.5 * (bed->low + bed->high)) / fall;
        for (int round = 0; round < ROUNDS; round++) {
            double r[2];
            aqm_bed_ends(bed, x + s * d[0], y + s * d[1], &r[0], &r[1]);
            s = (base + r[end]) / fall;
        }
        include(range, s, d[2]);
    }
}

static void include_points(const AqmBed *bed, const AqmView *view, AqmDepthRange *range) {
    for (size_t i = 0; i < bed->count; i++) {
        const double *at = bed->point + 3 * i;
        const double point[3] = {at[0] + view->C[0], at[1] + view->C[1], at[2] + view->water_z};
        double pixel[2];
        AqmRay ray;
        if (bed->rest[i] >= bed->low && bed->rest[i] <= bed->high &&
            aqm_view_project_fast(view, point, pixel) &&
            aqm_view_cast(view, pixel[0], pixel[1], &ray))
            include(range, at[2] / ray.direction[2], ray.direction[2]);
    }
}

/* No depth at all. */
static AqmDepthRange nowhere(void) {
    return (AqmDepthRange){(double)INFINITY, 0.0, (double)INFINITY, 0.0};
}

static AqmDepthRange range_of_rays(const AqmBed *bed, const AqmView *view) {
    AqmDepthRange range = nowhere();
    for (int k = 0; k < (GRID + 1) * (GRID + 1); k++) {
        AqmRay ray;
        const double u = (double)(k % (GRID + 1)) * (view->width - 1) / GRID;
        const double v = (double)(k / (GRID + 1)) * (view->height - 1) / GRID;
        if (aqm_view_cast(view, u, v, &ray))
            include_ray(bed, view, &ray, &range);
    }
    return range;
}

static void widen(double margin_m, double share, double *low, double *high) {
    const double more = margin_m + share * (*high - *low);
    *low = fmax(*low - more, 0.0);
    *high += more;
}

static void widen_both(double margin_m, double share, AqmDepthRange *range) {
    widen(margin_m, share, &range->min_m, &range->max_m);
    widen(margin_m, share, &range->down_min_m, &range->down_max_m);
}

AqmStatus aqm_tracks_depth_range(const AqmTracks *tracks, const AqmCloud *others,
                                 const AqmView *view, double margin_m, AqmDepthRange *range,
                                 AqmDiag *diag) {
    AqmBed bed;
    AQM_TRY(aqm_bed_create(&bed, tracks, others, view, diag));
    const double more = MORE_EACH / (double)bed.count;
    AqmDepthRange rays = range_of_rays(&bed, view), points = nowhere();
    include_points(&bed, view, &points);
    aqm_bed_free(&bed);
    if (!(rays.max_m > 0.0) || !(points.max_m > 0.0))
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "a depth range: no ray of the image meets the bed that the points tell");
    widen_both(margin_m, MORE_RAYS + more, &rays);
    widen_both(margin_m, MORE_POINTS + more, &points);
    *range = (AqmDepthRange){fmin(rays.min_m, points.min_m), fmax(rays.max_m, points.max_m),
                             fmin(rays.down_min_m, points.down_min_m),
                             fmax(rays.down_max_m, points.down_max_m)};
    return AQM_OK;
}
