/* The depth range of a view from the points that lie in its image.
 *
 * There are no points at the rim of the image, where rays slant most and a sloping bed is deepest,
 * so the bed has to be carried on to there: as the plane h = a + g . (X, Y) through the points by
 * least squares, if that leaves less than KEPT of the range of their h, else level; and the range
 * of what the points lie above and below it, r. On a grid over the image each ray (O, d) then meets
 * the bed at the depths
 *
 *     s = (a + r + g . O) / (d_z - g . (d_x, d_y)),      h = s d_z.
 *
 * Robust ends of r. Sorted, the outermost 0.5 % (at least one) are looked through: what lies beyond
 * a gap is chance, unless it is itself a body, with no such gap in max(7, 0.25 %) points in a row.
 * A gap is 5 % of the range of the others, or ten times the mean distance of even values, which
 * chance exceeds once in e^10. The tail of a bed that rises and falls smoothly has no gap and stays
 * whole.
 *
 * Points miss the very extremes: of N even values the outermost lies 1/N of the range from the end
 * in the mean, 4/N in 98 of 100 cases. With what a smooth bed does between points (5 %) that is
 * what is added at either end, besides the margin. */
#include <math.h>
#include <stdlib.h>

#include "aquamvs/geometry.h"
#include "aquamvs/matching.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/solve.h"

enum { FEWEST = 20, BODY = 7, GRID = 16 };
static const double CUT = 0.005, BODY_SHARE = 0.0025, GAP_SHARE = 0.05, GAPS = 10.0;
static const double MORE_SHARE = 0.05, MORE_POINTS = 4.0;
static const double KEPT = 0.7;

/* Points in the image: X and Y from below the camera, and h; and their r, sorted. */
typedef struct Bed {
    size_t count;
    double *point, *sorted;
    double plane[3];  /* g and a */
    double low, high; /* of r, without what is chance */
} Bed;

static bool is_in_image(const AqmView *view, const double point[3]) {
    double pixel[2];
    return aqm_view_project_fast(view, point, pixel) && pixel[0] >= -0.5 && pixel[1] >= -0.5 &&
           pixel[0] < view->width - 0.5 && pixel[1] < view->height - 0.5;
}

static void collect(const AqmTracks *tracks, const AqmView *view, Bed *bed) {
    for (size_t i = 0; i < tracks->count; i++) {
        const double *from = tracks->position + 3 * i;
        double *to = bed->point + 3 * bed->count;
        if (!is_in_image(view, from))
            continue;
        to[0] = from[0] - view->C[0], to[1] = from[1] - view->C[1], to[2] = from[2] - view->water_z;
        bed->count++;
    }
}

/* ---- what the bed is like -------------------------------------------------------------------- */

static int by_value(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* How many of `most` values from `end` on (every `step`-th, inwards) are chance. */
static size_t strays(const double *end, ptrdiff_t step, size_t most, size_t body, double gap) {
    size_t found = 0, run = 1;
    for (size_t i = 1; i <= most && run < body; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * step;
        const bool is_gap = fabs(end[at] - end[at - step]) > gap;
        run = is_gap ? 1 : run + 1;
        found = is_gap ? i : found;
    }
    return found;
}

static double rest(const double plane[3], const double point[3]) {
    return point[2] - (plane[0] * point[0] + plane[1] * point[1] + plane[2]);
}

/* The robust ends of r for the plane that is set. */
static void find_ends(Bed *bed) {
    const double n = (double)bed->count;
    const size_t cut = (size_t)fmax(1.0, CUT * n), body = (size_t)fmax(BODY, BODY_SHARE * n);
    double *sorted = bed->sorted, *last = sorted + bed->count - 1;
    for (size_t i = 0; i < bed->count; i++)
        sorted[i] = rest(bed->plane, bed->point + 3 * i);
    qsort(sorted, bed->count, sizeof *sorted, by_value);
    const double gap = fmax(GAP_SHARE, GAPS / n) * (*(last - cut) - sorted[cut]);
    bed->low = sorted[strays(sorted, 1, cut, body, gap)];
    bed->high = *(last - strays(last, -1, cut, body, gap));
}

/* The plane through the points that lie between the ends; false where they do not tell it. */
static bool fit_plane(const Bed *bed, double plane[3]) {
    double A[9] = {0}, b[3] = {0};
    for (size_t i = 0; i < bed->count; i++) {
        const double *point = bed->point + 3 * i, r = rest(bed->plane, point);
        const double row[3] = {point[0], point[1], 1.0};
        if (r < bed->low || r > bed->high)
            continue;
        for (int j = 0; j < 3; j++) {
            b[j] += row[j] * point[2];
            for (int k = 0; k < 3; k++)
                A[3 * j + k] += row[j] * row[k];
        }
    }
    return aqm_solve_spd(A, b, 3, plane);
}

static void find_bed(Bed *bed) {
    find_ends(bed);
    Bed sloping = *bed;
    if (!fit_plane(bed, sloping.plane))
        return;
    find_ends(&sloping);
    if (!fit_plane(&sloping, sloping.plane))
        return;
    find_ends(&sloping);
    if (sloping.high - sloping.low < KEPT * (bed->high - bed->low))
        *bed = sloping;
}

/* ---- where the rays meet it ------------------------------------------------------------------ */

/* The depths over the image; false where no ray meets the bed. */
static bool meet(const Bed *bed, const AqmView *view, AqmDepthRange *range) {
    const double *g = bed->plane;
    *range = (AqmDepthRange){(double)INFINITY, 0.0, (double)INFINITY, 0.0};
    for (int k = 0; k < (GRID + 1) * (GRID + 1); k++) {
        AqmRay ray;
        const double u = (double)(k % (GRID + 1)) * (view->width - 1) / GRID;
        const double v = (double)(k / (GRID + 1)) * (view->height - 1) / GRID;
        if (!aqm_view_cast(view, u, v, &ray))
            continue;
        const double *d = ray.direction, fall = d[2] - g[0] * d[0] - g[1] * d[1];
        const double base =
            g[2] + g[0] * (ray.origin[0] - view->C[0]) + g[1] * (ray.origin[1] - view->C[1]);
        if (!(fall > 0.1 * d[2]))
            continue; /* along the bed */
        const double low = fmax((base + bed->low) / fall, 0.0),
                     high = fmax((base + bed->high) / fall, 0.0);
        range->min_m = fmin(range->min_m, low), range->max_m = fmax(range->max_m, high);
        range->down_min_m = fmin(range->down_min_m, low * d[2]);
        range->down_max_m = fmax(range->down_max_m, high * d[2]);
    }
    return range->max_m > 0.0;
}

static void widen(double margin_m, double share, double *low, double *high) {
    const double more = margin_m + share * (*high - *low);
    *low = fmax(*low - more, 0.0);
    *high += more;
}

AqmStatus aqm_tracks_depth_range(const AqmTracks *tracks, const AqmView *view, double margin_m,
                                 AqmDepthRange *range, AqmDiag *diag) {
    Bed bed = {.point = aqm_alloc(tracks->count, 3 * sizeof *bed.point),
               .sorted = aqm_alloc(tracks->count, sizeof *bed.sorted)};
    AqmDepthRange found;
    AqmStatus status = AQM_OK;
    if (!bed.point || !bed.sorted) {
        status = aqm_fail_memory(diag, "a depth range", tracks->count, 4 * sizeof *bed.sorted);
        goto done;
    }
    collect(tracks, view, &bed);
    if (bed.count >= FEWEST)
        find_bed(&bed);
    if (bed.count < FEWEST || !meet(&bed, view, &found)) {
        status = aqm_fail(diag, AQM_ERROR_NO_DATA,
                          "a depth range from %zu points in the image: at least %d are needed",
                          bed.count, (int)FEWEST);
        goto done;
    }
    const double share = MORE_SHARE + MORE_POINTS / (double)bed.count;
    widen(margin_m, share, &found.min_m, &found.max_m);
    widen(margin_m, share, &found.down_min_m, &found.down_max_m);
    *range = found;
done:
    aqm_free(bed.point);
    aqm_free(bed.sorted);
    return status;
}
