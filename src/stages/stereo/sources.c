/* Which views a reference is compared with: by overlap and angle.
 *
 * A grid of reference pixels is taken to the middle of the depth range; the share of these points
 * that a view sees is its overlap, and the angle at them between the two camera centres decides
 * what the match is worth: too small and depth is vague, too large and the images differ. The
 * angle's weight is a Gaussian about 14 degrees, steep below (6) and gentle above (14), after the
 * view selection of Goesele et al. 2007, with the widths that rank a ring's second neighbour before
 * its third. */
#include <math.h>

#include "aquamvs/geometry.h"
#include "math/vec.h"
#include "stages/stereo/stereo_image.h"

enum { GRID_X = 8, GRID_Y = 6 };
static const double angle_best_deg = 14.0, angle_below_deg = 6.0, angle_above_deg = 14.0;

static double angle_deg(const double point[3], const double a[3], const double b[3]) {
    const double p[3] = {a[0] - point[0], a[1] - point[1], a[2] - point[2]};
    const double q[3] = {b[0] - point[0], b[1] - point[1], b[2] - point[2]};
    double cross[3];
    aqm_cross3(p, q, cross);
    return atan2(aqm_norm3(cross), aqm_dot3(p, q)) * 57.29577951308232;
}

static double score_pair(const AqmView *reference, const AqmView *other, double depth_m) {
    double total = 0.0;
    for (int k = 0; k < GRID_X * GRID_Y; k++) {
        const double u = (k % GRID_X + 0.5) * reference->width / GRID_X;
        const double v = (k / GRID_X + 0.5) * reference->height / GRID_Y;
        AqmRay ray;
        double point[3], pixel[2];
        if (!aqm_view_cast(reference, u, v, &ray))
            continue;
        for (int i = 0; i < 3; i++)
            point[i] = ray.origin[i] + depth_m * ray.direction[i];
        if (!aqm_view_project(other, point, pixel) || pixel[0] < 0 || pixel[1] < 0 ||
            pixel[0] > other->width - 1 || pixel[1] > other->height - 1)
            continue;
        const double off = angle_deg(point, reference->C, other->C) - angle_best_deg;
        const double width = off < 0 ? angle_below_deg : angle_above_deg;
        total += exp(-0.5 * off * off / (width * width));
    }
    return total;
}

/* Adds up to `wanted` views to the `count` sources there are, best first; returns the new count. */
static size_t add_best(const AqmStereoView *views, size_t view_count, size_t reference,
                       double depth_m, size_t wanted, size_t *sources, size_t count) {
    for (size_t taken = 0; taken < wanted; taken++) {
        double best_score = 0.0;
        size_t best = view_count;
        for (size_t k = 0; k < view_count; k++) {
            bool is_taken = k == reference || views[k].is_auxiliary;
            for (size_t s = 0; s < count; s++)
                is_taken |= sources[s] == k;
            const double score =
                is_taken ? 0.0 : score_pair(views[reference].view, views[k].view, depth_m);
            if (score > best_score) {
                best_score = score;
                best = k;
            }
        }
        if (best == view_count)
            break;
        sources[count++] = best;
    }
    return count;
}

void aqm_stereo_select_sources(const AqmStereoView *views, size_t view_count, size_t reference,
                               int num_neighbors, bool include_center, const AqmDepthRange *range,
                               size_t *sources, size_t *source_count, size_t *spare_count) {
    const AqmView *view = views[reference].view;
    /* not known yet: as deep as a third of the camera's height, where tanks are */
    const double depth_m =
        range ? 0.5 * (range->min_m + range->max_m) : 0.33 * (view->water_z - view->C[2]);
    size_t count =
        add_best(views, view_count, reference, depth_m, (size_t)num_neighbors, sources, 0);
    for (size_t k = 0; include_center && k < view_count; k++)
        if (views[k].is_auxiliary && k != reference)
            sources[count++] = k;
    *source_count = count;
    *spare_count =
        add_best(views, view_count, reference, depth_m, view_count, sources, count) - count;
}
