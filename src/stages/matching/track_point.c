/* From a chain of matches to a point.
 *
 * Positions. Features are found in each image by itself, to a few tenths of a pixel; a refined
 * match says to a few hundredths where in b lies what is at a's feature. So not the features' own
 * positions are taken but those of one physical point, the anchor's: the feature with most links,
 * at its own position q. A link from (p_a) to (p_b) takes a position q_a into b as
 *
 *     q_b = p_b + D_b D_a^-1 (q_a - p_a),      D = d(u, v) / d(X, Y) at about the point,
 *
 * the map that a level surface there makes between the images; q_a - p_a is 0 for what the anchor
 * was matched to, and at most a pixel or two elsewhere, so that a tilt counts little. Observations
 * one link away from the anchor take the mean over the links to it, those two away over the links
 * to those, and so on, the more weight the shorter q_a - p_a; one without any map keeps its own
 * position.
 *
 * The point is the least sum of squared reprojection errors, by Gauss-Newton from the point nearest
 * to all rays (aqm_triangulate); a step that does not lower the sum is halved. While the largest
 * error is above the limit, the worst observation goes and all begins anew with the others.
 * Cost: about 3 us an observation. */
#include "stages/matching/track_point.h"

#include <math.h>

#include "geometry/refraction.h"
#include "math/solve.h"
#include "math/vec.h"

enum { MOST_STEPS = 20 };
/* What a link is known to: the match itself, and a tenth of the way that it is carried (a slope of
 * 0.3 seen from cameras 20 degrees apart). */
static const double MATCH_PX = 0.05, TILT = 0.1;
static const double SETTLED_M = 1e-9;

/* ---- positions ------------------------------------------------------------------------------- */

/* Casts the rays of all sights; those without one are dropped (kept in order). */
static size_t cast_all(const AqmMatchView *views, AqmTrackSight *sights, size_t count,
                       AqmRay *rays) {
    size_t kept = 0;
    for (size_t k = 0; k < count; k++) {
        const AqmObservation *seen = &sights[k].seen;
        if (!aqm_view_cast(views[seen->view].view, (double)seen->u, (double)seen->v, &rays[kept]))
            continue;
        sights[kept++] = sights[k];
    }
    return kept;
}

/* How the images move with a level surface through about the point; false where that is not known.
 */
static bool map_all(const AqmMatchView *views, AqmTrackSight *sights, size_t count, AqmRay *rays) {
    size_t cast = 0;
    double point[3], pixel[2], slopes[6];
    for (size_t k = 0; k < count; k++) {
        const AqmObservation *seen = &sights[k].seen;
        cast +=
            aqm_view_cast(views[seen->view].view, (double)seen->u, (double)seen->v, &rays[cast]);
    }
    if (aqm_triangulate(rays, cast, point, NULL, NULL) != AQM_OK)
        return false;
    for (size_t k = 0; k < count; k++) {
        AqmTrackSight *sight = &sights[k];
        if (!aqm_view_project_slopes(views[sight->seen.view].view, point, pixel, slopes))
            continue;
        const double D[4] = {slopes[0], slopes[1], slopes[3], slopes[4]};
        const double size = D[0] * D[0] + D[1] * D[1] + D[2] * D[2] + D[3] * D[3];
        sight->is_mapped = fabs(D[0] * D[3] - D[1] * D[2]) > 0.01 * size; /* not edge on */
        for (int i = 0; i < 4; i++)
            sight->slopes[i] = D[i];
    }
    return true;
}

static size_t find_anchor(AqmTrackSight *sights, size_t count, const AqmTrackLink *links,
                          size_t link_count) {
    for (size_t k = 0; k < count; k++)
        sights[k].hops = -1, sights[k].link_count = 0,
        sights[k].sum[0] = sights[k].sum[1] = sights[k].weight = 0.0;
    for (size_t l = 0; l < link_count; l++)
        sights[links[l].a].link_count++, sights[links[l].b].link_count++;
    size_t anchor = 0;
    for (size_t k = 1; k < count; k++)
        if (sights[k].link_count > sights[anchor].link_count)
            anchor = k;
    return anchor;
}

/* Adds to `far` where the link puts what `near` holds. */
static void follow(const AqmTrackSight *near, const float from[2], AqmTrackSight *far,
                   const float to[2]) {
    const double du = (double)near->seen.u - (double)from[0],
                 dv = (double)near->seen.v - (double)from[1];
    double u = (double)to[0], v = (double)to[1];
    if (du != 0.0 || dv != 0.0) {
        if (!near->is_mapped || !far->is_mapped)
            return;
        const double *N = near->slopes, *F = far->slopes;
        const double determinant = N[0] * N[3] - N[1] * N[2];
        const double x = (N[3] * du - N[1] * dv) / determinant,
                     y = (N[0] * dv - N[2] * du) / determinant;
        u += F[0] * x + F[1] * y;
        v += F[2] * x + F[3] * y;
    }
    const double weight = 1.0 / (MATCH_PX * MATCH_PX + TILT * TILT * (du * du + dv * dv));
    far->sum[0] += weight * u;
    far->sum[1] += weight * v;
    far->weight += weight;
}

/* Moves all observations to the anchor's point, link by link away from it. */
static void move_to_anchor(AqmTrackSight *sights, size_t count, const AqmTrackLink *links,
                           size_t link_count) {
    sights[find_anchor(sights, count, links, link_count)].hops = 0;
    for (int hops = 0, is_moving = 1; is_moving; hops++) {
        is_moving = 0;
        for (size_t l = 0; l < link_count; l++) {
            AqmTrackSight *a = &sights[links[l].a], *b = &sights[links[l].b];
            if (a->hops == hops && b->hops < 0)
                follow(a, links[l].from, b, links[l].to);
            else if (b->hops == hops && a->hops < 0)
                follow(b, links[l].to, a, links[l].from);
        }
        for (size_t k = 0; k < count; k++) {
            AqmTrackSight *sight = &sights[k];
            if (sight->hops >= 0 || sight->weight == 0.0)
                continue;
            sight->seen.u = (float)(sight->sum[0] / sight->weight);
            sight->seen.v = (float)(sight->sum[1] / sight->weight);
            sight->hops = hops + 1;
            is_moving = 1;
        }
    }
}

/* ---- least squares --------------------------------------------------------------------------- */

typedef struct Normal {
    double A[9], b[3]; /* A step = b */
    double squares;
} Normal;

/* The normal equations at `point`; false where one of the views does not see it. */
static bool linearize(const AqmMatchView *views, const AqmTrackSight *sights, size_t count,
                      const double point[3], Normal *normal) {
    *normal = (Normal){0};
    for (size_t k = 0; k < count; k++) {
        const AqmObservation *seen = &sights[k].seen;
        double pixel[2], J[6];
        if (!aqm_view_project_slopes(views[seen->view].view, point, pixel, J))
            return false;
        const double e[2] = {(double)seen->u - pixel[0], (double)seen->v - pixel[1]};
        normal->squares += e[0] * e[0] + e[1] * e[1];
        for (int i = 0; i < 3; i++) {
            normal->b[i] += J[i] * e[0] + J[3 + i] * e[1];
            for (int j = 0; j < 3; j++)
                normal->A[3 * i + j] += J[i] * J[j] + J[3 + i] * J[3 + j];
        }
    }
    return true;
}

/* Moves `point` to the least sum of squares; `normal` is left as it is there. */
static bool settle(const AqmMatchView *views, const AqmTrackSight *sights, size_t count,
                   double point[3], Normal *normal) {
    double step[3];
    if (!linearize(views, sights, count, point, normal) ||
        !aqm_solve_spd(normal->A, normal->b, 3, step))
        return false;
    for (int i = 0; i < MOST_STEPS && aqm_norm3(step) > SETTLED_M; i++) {
        const double moved[3] = {point[0] + step[0], point[1] + step[1], point[2] + step[2]};
        Normal there;
        if (linearize(views, sights, count, moved, &there) && there.squares <= normal->squares) {
            for (int j = 0; j < 3; j++)
                point[j] = moved[j];
            *normal = there;
            if (!aqm_solve_spd(normal->A, normal->b, 3, step))
                return false;
        } else
            for (int j = 0; j < 3; j++)
                step[j] *= 0.5;
    }
    return true;
}

/* The observation with the largest error, and the square of that. */
static size_t worst(const AqmMatchView *views, const AqmTrackSight *sights, size_t count,
                    const double point[3], double *largest2) {
    size_t found = 0;
    *largest2 = -1.0;
    for (size_t k = 0; k < count; k++) {
        const AqmObservation *seen = &sights[k].seen;
        double pixel[2] = {(double)INFINITY, (double)INFINITY};
        (void)aqm_view_project_fast(views[seen->view].view, point, pixel);
        const double du = (double)seen->u - pixel[0], dv = (double)seen->v - pixel[1];
        if (du * du + dv * dv > *largest2)
            *largest2 = du * du + dv * dv, found = k;
    }
    return found;
}

/* The largest angle between two rays. */
static double widest_angle(const AqmRay *rays, size_t count) {
    double sin2 = 0.0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            double across[3];
            aqm_cross3(rays[i].direction, rays[j].direction, across);
            sin2 = fmax(sin2, aqm_dot3(across, across));
        }
    return asin(fmin(1.0, sqrt(sin2)));
}

/* Is the point where the view looks for points? */
static bool is_in_range(const AqmMatchView *view, const double point[3]) {
    const AqmDepthRange *range = &view->range;
    double depth;
    if (!aqm_view_ray_depth(view->view, point, &depth))
        return false;
    const double h = point[2] - view->view->water_z;
    return (range->max_m == 0.0 || (depth >= range->min_m && depth <= range->max_m)) &&
           (range->down_max_m == 0.0 || (h >= range->down_min_m && h <= range->down_max_m));
}

void aqm_track_point(const AqmMatchView *views, const AqmTrackOptions *options,
                     const AqmTrackLink *links, size_t link_count, AqmTrackSight *sights,
                     size_t count, AqmRay *rays, AqmTrackPoint *point) {
    const double limit2 = options->max_error_px * options->max_error_px;
    Normal normal = {0};
    point->sight_count = 0;
    if (map_all(views, sights, count, rays))
        move_to_anchor(sights, count, links, link_count);
    for (;;) {
        double largest2;
        count = cast_all(views, sights, count, rays);
        if (aqm_triangulate(rays, count, point->position, NULL, NULL) != AQM_OK)
            return;
        const bool is_settled = settle(views, sights, count, point->position, &normal);
        const size_t out = worst(views, sights, count, point->position, &largest2);
        if (is_settled && largest2 <= limit2)
            break;
        if (count == 2)
            return;
        count--;
        for (size_t k = out; k < count; k++)
            sights[k] = sights[k + 1];
    }
    const double least_angle = options->min_angle_deg * 0.017453292519943295;
    if (!(widest_angle(rays, count) >= least_angle) ||
        !is_in_range(&views[sights[0].seen.view], point->position))
        return;
    double values[3], vectors[9];
    aqm_eigen_sym3(normal.A, values, vectors);
    point->squares_px2 = normal.squares;
    point->weakest = values[0];
    point->sight_count = count;
}
