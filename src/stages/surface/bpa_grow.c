/* One ball, over all of the cloud. */
#include "stages/surface/bpa_grow.h"

#include <math.h>

#include "base/diag.h"
#include "math/vec.h"

enum { SEED_NEIGHBORS = 16 /* nearest unused points of which a seed is made: up to 120 pairs */ };

/* ---- rolling --------------------------------------------------------------------------------- */

/* Rolls from every waiting edge until none waits. */
static AqmStatus roll(AqmBpaFront *front, const AqmBpaBall *ball, AqmDiag *diag) {
    AqmBpaEdge *edge;
    while ((edge = aqm_bpa_front_take(front))) {
        AqmBpaHit hits[AQM_BPA_HITS];
        const int count =
            aqm_bpa_ball_pivot(ball, edge->vertex, edge->opposite, edge->center, hits);
        edge->state = AQM_BPA_BORDER;
        for (int i = 0; i < count; i++) {
            const uint32_t triangle[3] = {edge->vertex[1], edge->vertex[0], hits[i].site};
            if (!aqm_bpa_front_fits(front, triangle) ||
                !aqm_bpa_triangle_faces_out(ball->sites, triangle))
                continue;
            AQM_TRY(aqm_bpa_front_add(front, triangle, hits[i].center, diag));
            break;
        }
    }
    return AQM_OK;
}

static AqmStatus wake_borders(AqmBpaFront *front, const AqmBpaBall *ball, AqmDiag *diag) {
    for (size_t i = 0; i < front->edge_count; i++) {
        AqmBpaEdge *edge = &front->edges[i];
        const uint32_t triangle[3] = {edge->vertex[0], edge->vertex[1], edge->opposite};
        double center[3];
        if (edge->state != AQM_BPA_BORDER || !aqm_bpa_ball_rest(ball, triangle, center) ||
            !aqm_bpa_ball_is_empty(ball, triangle, center))
            continue;
        for (int k = 0; k < 3; k++)
            edge->center[k] = center[k];
        AQM_TRY(aqm_bpa_front_wait(front, (uint32_t)i, diag));
    }
    return AQM_OK;
}

/* ---- seeds ----------------------------------------------------------------------------------- */

typedef struct Near {
    double distance2;
    uint32_t site;
} Near;

/* The nearest unused sites within reach of the ball, nearest first. */
static int unused_near(const AqmBpaFront *front, const AqmBpaBall *ball, uint32_t site,
                       Near near[SEED_NEIGHBORS]) {
    const AqmBpaGrid *grid = ball->grid;
    const float *p = ball->sites->position + 3 * (size_t)site;
    const double center[3] = {(double)p[0], (double)p[1], (double)p[2]};
    const size_t found =
        aqm_bpa_grid_within(grid, grid->cell_of[site], center, 2.0 * ball->radius_m, ball->places);
    int count = 0;
    for (size_t i = 0; i < found; i++) {
        const uint32_t place = ball->places[i], other = grid->point[place];
        if (other == site || aqm_bpa_is_used(front, other))
            continue;
        const double x[3] = {(double)grid->x[place] - center[0], (double)grid->y[place] - center[1],
                             (double)grid->z[place] - center[2]};
        const double distance2 = aqm_dot3(x, x);
        if (count == SEED_NEIGHBORS && !(distance2 < near[count - 1].distance2))
            continue;
        int k = count < SEED_NEIGHBORS ? count++ : count - 1;
        for (; k > 0 && distance2 < near[k - 1].distance2; k--)
            near[k] = near[k - 1];
        near[k] = (Near){distance2, other};
    }
    return count;
}

/* Winds the triangle to face where the known normals of its corners point together; where none is
 * known, upwards, where the cameras are. false where some of them point the other way. */
static bool wind(const AqmBpaSites *sites, uint32_t triangle[3]) {
    double normal[3], out[3] = {0};
    aqm_bpa_triangle_normal(sites, triangle, normal);
    for (int i = 0; i < 9; i++)
        out[i % 3] += (double)sites->normal[3 * (size_t)triangle[i / 3] + i % 3];
    if (!(aqm_dot3(out, out) > 0.0))
        out[2] = -1.0;
    if (aqm_dot3(normal, out) < 0.0) {
        const uint32_t swap = triangle[1];
        triangle[1] = triangle[2];
        triangle[2] = swap;
    }
    return aqm_bpa_triangle_faces_out(sites, triangle);
}

/* Adds a triangle of this site and two others, none of them used, that an empty ball rests on; does
 * nothing where there is none. */
static AqmStatus seed(AqmBpaFront *front, const AqmBpaBall *ball, uint32_t site, AqmDiag *diag) {
    Near near[SEED_NEIGHBORS];
    const int count = unused_near(front, ball, site, near);
    for (int j = 1; j < count; j++)
        for (int i = 0; i < j; i++) {
            uint32_t triangle[3] = {site, near[i].site, near[j].site};
            double center[3];
            if (wind(ball->sites, triangle) && aqm_bpa_ball_rest(ball, triangle, center) &&
                aqm_bpa_ball_is_empty(ball, triangle, center))
                return aqm_bpa_front_add(front, triangle, center, diag);
        }
    return AQM_OK;
}

AqmStatus aqm_bpa_grow(AqmBpaFront *front, const AqmBpaBall *ball, AqmDiag *diag) {
    AQM_TRY(wake_borders(front, ball, diag));
    AQM_TRY(roll(front, ball, diag));
    for (size_t i = 0; i < ball->sites->count; i++) {
        if (aqm_bpa_is_used(front, (uint32_t)i) || ball->grid->cell_of[i] == AQM_BPA_NONE)
            continue;
        AQM_TRY(seed(front, ball, (uint32_t)i, diag));
        AQM_TRY(roll(front, ball, diag));
    }
    return AQM_OK;
}
