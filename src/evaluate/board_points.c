/* A corner is triangulated by the rays' nearest point (aqm_triangulate), then moved to where the
 * sum of the squared reprojection errors is least (Gauss-Newton; the derivatives of the refracted
 * projection by central differences of 1 um, exact to 1e-7). While the worst sighting is farther
 * off than the limit and two others remain, it is left out and the rest begins anew. */
#include "evaluate/board_points.h"

#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "math/solve.h"
#include "math/vec.h"

enum { VIEWS_MAX = AQM_BOARD_VIEWS_MAX, STEPS = 20 };

typedef struct Sight {
    const AqmView *view;
    double u, v;
    AqmRay ray;
} Sight;

const AqmBoardCorner *aqm_board_find_corner(const AqmBoardSighting *sighting, uint32_t index) {
    size_t low = 0, high = sighting ? sighting->count : 0;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (sighting->corners[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return sighting && low < sighting->count && sighting->corners[low].index == index
               ? &sighting->corners[low]
               : NULL;
}

/* NaN where one of the four pixels about (u, v) is not known. */
static double depth_at(const AqmDepthMap *map, double u, double v) {
    if (!(u >= 0.0 && v >= 0.0 && u < map->width - 1.0 && v < map->height - 1.0))
        return (double)NAN;
    const size_t x = (size_t)u, y = (size_t)v, width = (size_t)map->width;
    const double s = u - (double)x, t = v - (double)y;
    const float *at = map->depth_m + y * width + x;
    return (1.0 - t) * ((1.0 - s) * (double)at[0] + s * (double)at[1]) +
           t * ((1.0 - s) * (double)at[width] + s * (double)at[width + 1]);
}

bool aqm_board_map_point(const AqmBoardView *view, const AqmBoardCorner *corner, double point[3],
                         double direction[3]) {
    AqmRay ray;
    if (!view->map)
        return false;
    const double depth = depth_at(view->map, corner->u, corner->v);
    if (!isfinite(depth) || !aqm_view_cast(view->view, corner->u, corner->v, &ray))
        return false;
    for (int k = 0; k < 3; k++) {
        point[k] = ray.origin[k] + depth * ray.direction[k];
        direction[k] = ray.direction[k];
    }
    return true;
}

/* Error of a sighting, and its derivatives by the point (2 x 3); false where the point is not seen.
 */
static bool look(const Sight *sight, const double point[3], double error[2], double J[6]) {
    const double h = 1e-6;
    double pixel[2];
    if (!aqm_view_project(sight->view, point, pixel))
        return false;
    error[0] = sight->u - pixel[0], error[1] = sight->v - pixel[1];
    for (int k = 0; k < 3 && J; k++) {
        double more[3], less[3], a[2], b[2];
        memcpy(more, point, sizeof more);
        memcpy(less, point, sizeof less);
        more[k] += h, less[k] -= h;
        if (!aqm_view_project(sight->view, more, a) || !aqm_view_project(sight->view, less, b))
            return false;
        J[k] = (a[0] - b[0]) / (2.0 * h);
        J[3 + k] = (a[1] - b[1]) / (2.0 * h);
    }
    return true;
}

static bool refine(const Sight *sights, size_t count, double point[3]) {
    for (int step = 0; step < STEPS; step++) {
        double A[9] = {0}, b[3] = {0}, move[3];
        for (size_t i = 0; i < count; i++) {
            double error[2], J[6];
            if (!look(&sights[i], point, error, J))
                return false;
            for (int r = 0; r < 2; r++)
                for (int j = 0; j < 3; j++) {
                    b[j] += J[3 * r + j] * error[r];
                    for (int k = 0; k < 3; k++)
                        A[3 * j + k] += J[3 * r + j] * J[3 * r + k];
                }
        }
        if (!aqm_solve_spd(A, b, 3, move))
            return false;
        for (int k = 0; k < 3; k++)
            point[k] += move[k];
        if (aqm_norm3(move) < 1e-9)
            return true;
    }
    return false;
}

/* The sighting that is farthest off; *sum: of all squared errors. */
static size_t find_worst(const Sight *sights, size_t count, const double point[3], double *worst_px,
                         double *sum) {
    size_t worst = 0;
    *worst_px = *sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double error[2] = {INFINITY, 0.0};
        (void)look(&sights[i], point, error, NULL);
        const double off = hypot(error[0], error[1]);
        *sum += off * off;
        if (off > *worst_px)
            *worst_px = off, worst = i;
    }
    return worst;
}

static bool solve(const Sight *sights, size_t count, double point[3]) {
    AqmRay rays[VIEWS_MAX];
    for (size_t i = 0; i < count; i++)
        rays[i] = sights[i].ray;
    return aqm_triangulate(rays, count, point, NULL, NULL) == AQM_OK &&
           refine(sights, count, point);
}

void aqm_board_triangulate(const AqmBoardView *views, size_t view_count, uint32_t index,
                           double max_error_px, int min_views, AqmBoardPoint *point,
                           double direction[3]) {
    Sight sights[VIEWS_MAX];
    size_t count = 0;
    for (size_t v = 0; v < view_count && count < VIEWS_MAX; v++) {
        const AqmBoardCorner *corner = aqm_board_find_corner(views[v].sighting, index);
        if (!corner)
            continue;
        sights[count] = (Sight){.view = views[v].view, .u = corner->u, .v = corner->v};
        count += aqm_view_cast(views[v].view, corner->u, corner->v, &sights[count].ray);
    }
    const size_t least = min_views > 2 ? (size_t)min_views : 2;
    double x[3], worst_px = 0.0, sum = 0.0;
    while (count >= least) {
        if (!solve(sights, count, x))
            return;
        const size_t worst = find_worst(sights, count, x, &worst_px, &sum);
        if (worst_px <= max_error_px)
            break;
        point->dropped++;
        count--;
        memmove(&sights[worst], &sights[worst + 1], (count - worst) * sizeof *sights);
    }
    if (count < least)
        return;
    point->views = (int)count;
    point->error_px = sqrt(sum / (2.0 * (double)count - 3.0)); /* three unknowns */
    memcpy(point->position, x, sizeof x);
    direction[0] = direction[1] = direction[2] = 0.0;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            direction[k] += sights[i].ray.direction[k];
    const double norm = aqm_norm3(direction);
    for (int k = 0; k < 3; k++)
        direction[k] /= norm;
}
