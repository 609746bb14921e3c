/* One ball, over all of the cloud. */
#include "stages/surface/bpa_grow.h"

#include <math.h>

#include "base/diag.h"
#include "math/vec.h"

enum {
    SEED_NEIGHBORS = 16, /* nearest unused points of which a seed is made: up to 120 pairs */
    SEED_OBSTACLES = 32  /* nearest points that a ball is looked for first */
};

/* ---- rolling --------------------------------------------------------------------------------- */

/* Whether a triangle may be made where the ball rolled over `edge` to it. Without the normals of
 * all its corners only the triangle before it tells which way it faces: a ball that has fallen
 * through a gap and comes up against the other side of the surface must not go on there. */
static bool is_wanted(const AqmBpaFront *front, const AqmBpaSites *sites, const AqmBpaEdge *edge,
                      const uint32_t triangle[3]) {
    if (!aqm_bpa_front_fits(front, triangle) || !aqm_bpa_triangle_faces_out(sites, triangle))
        return false;
    if (aqm_bpa_has_normal(sites, triangle[0]) && aqm_bpa_has_normal(sites, triangle[1]) &&
        aqm_bpa_has_normal(sites, triangle[2]))
        return true;
    const uint32_t before[3] = {edge->vertex[0], edge->vertex[1], edge->opposite};
    double normal[2][3];
    aqm_bpa_triangle_normal(sites, triangle, normal[0]);
    aqm_bpa_triangle_normal(sites, before, normal[1]);
    return aqm_dot3(normal[0], normal[1]) > 0.0;
}

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
            if (!is_wanted(front, ball->sites, edge, triangle))
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

/* What surrounds the site that a seed is to start from, nearest first: sites that are not used, and
 * any. */
typedef struct Surroundings {
    Near unused[SEED_NEIGHBORS], any[SEED_OBSTACLES];
    int unused_count, any_count;
} Surroundings;

static void insert(Near *list, int *count, int capacity, Near near) {
    if (*count == capacity && !(near.distance2 < list[capacity - 1].distance2))
        return;
    int k = *count < capacity ? (*count)++ : capacity - 1;
    for (; k > 0 && near.distance2 < list[k - 1].distance2; k--)
        list[k] = list[k - 1];
    list[k] = near;
}

static void look_around(const AqmBpaFront *front, const AqmBpaBall *ball, uint32_t site,
                        Surroundings *around) {
    const AqmBpaGrid *grid = ball->grid;
    const float *p = ball->sites->position + 3 * (size_t)site;
    const double center[3] = {(double)p[0], (double)p[1], (double)p[2]};
    const size_t found =
        aqm_bpa_grid_within(grid, grid->cell_of[site], center, 2.0 * ball->radius_m, ball->places);
    around->unused_count = around->any_count = 0;
    for (size_t i = 0; i < found; i++) {
        const uint32_t place = ball->places[i], other = grid->point[place];
        const double x[3] = {(double)grid->x[place] - center[0], (double)grid->y[place] - center[1],
                             (double)grid->z[place] - center[2]};
        const Near near = {aqm_dot3(x, x), other};
        if (other == site)
            continue;
        insert(around->any, &around->any_count, SEED_OBSTACLES, near);
        if (!aqm_bpa_is_used(front, other))
            insert(around->unused, &around->unused_count, SEED_NEIGHBORS, near);
    }
}

/* Whether one of the nearest sites lies in the ball at `center`, which touches the triangle: said
 * at once of nearly all balls that are not empty. */
static bool is_obstructed(const AqmBpaBall *ball, const Surroundings *around,
                          const uint32_t triangle[3], const double center[3]) {
    const double inside2 = 0.999 * ball->radius_m * ball->radius_m;
    for (int i = 0; i < around->any_count; i++) {
        const uint32_t site = around->any[i].site;
        const float *p = ball->sites->position + 3 * (size_t)site;
        const double x[3] = {(double)p[0] - center[0], (double)p[1] - center[1],
                             (double)p[2] - center[2]};
        if (aqm_dot3(x, x) < inside2 && site != triangle[0] && site != triangle[1] &&
            site != triangle[2])
            return true;
    }
    return false;
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
    Surroundings around;
    look_around(front, ball, site, &around);
    for (int j = 1; j < around.unused_count; j++)
        for (int i = 0; i < j; i++) {
            uint32_t triangle[3] = {site, around.unused[i].site, around.unused[j].site};
            double center[3];
            if (wind(ball->sites, triangle) && aqm_bpa_ball_rest(ball, triangle, center) &&
                !is_obstructed(ball, &around, triangle, center) &&
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
