/* Ball pivoting, internal: balls of one radius that rest on points. */
#ifndef AQM_STAGES_SURFACE_BPA_BALL_H
#define AQM_STAGES_SURFACE_BPA_BALL_H

#include <stdbool.h>

#include "stages/surface/bpa_grid.h"
#include "stages/surface/bpa_sites.h"

enum { AQM_BPA_HITS = 8 };

typedef struct AqmBpaBall {
    const AqmBpaSites *sites;
    const AqmBpaGrid *grid; /* of the sites, with cells of two radii */
    double radius_m;
    uint32_t *places; /* scratch: room for grid->most_around */
} AqmBpaBall;

/* Where the ball comes to rest on a third point. */
typedef struct AqmBpaHit {
    uint32_t site;
    double turn; /* how far it rolled; grows with the angle, 4 for a full turn */
    double center[3];
} AqmBpaHit;

/* Rolls the ball that lies at `center` on a[0], a[1] and `opposite` (wound so that the ball is on
 * the side that the triangle faces) over the edge a[0] a[1], away from the triangle: the first
 * points that it meets, all at the same moment but for rounding. Returns how many. */
int aqm_bpa_ball_pivot(const AqmBpaBall *ball, const uint32_t edge[2], uint32_t opposite,
                       const double center[3], AqmBpaHit hits[AQM_BPA_HITS]);

/* Where the ball lies that touches the three corners, on the side that the triangle faces; false
 * where it is too small. */
bool aqm_bpa_ball_rest(const AqmBpaBall *ball, const uint32_t triangle[3], double center[3]);

/* Whether no other site lies in the ball at `center` that touches the three. */
bool aqm_bpa_ball_is_empty(const AqmBpaBall *ball, const uint32_t triangle[3],
                           const double center[3]);

bool aqm_bpa_has_normal(const AqmBpaSites *sites, uint32_t site);

/* The triangle's normal, not of unit length. */
void aqm_bpa_triangle_normal(const AqmBpaSites *sites, const uint32_t triangle[3],
                             double normal[3]);

/* Whether it faces to where the normals of its corners (as far as they are known) point. */
bool aqm_bpa_triangle_faces_out(const AqmBpaSites *sites, const uint32_t triangle[3]);

#endif
