/* A rectangular plate without thickness, such as a board that hangs in the water: what rays meet of
 * it, what it hides, and distances to it. */
#ifndef AQM_GEOMETRY_PLATE_H
#define AQM_GEOMETRY_PLATE_H

#include <stdbool.h>

#include "aquamvs/geometry.h"

/* Its points are corner + a side[0] + b side[1] with 0 <= a <= size_m[0], 0 <= b <= size_m[1]. The
 * sides are of unit length and square to each other. */
typedef struct AqmPlate {
    double corner[3], side[2][3]; /* metres */
    double size_m[2];
} AqmPlate;

/* side[0] x side[1]. */
void aqm_plate_normal(const AqmPlate *plate, double normal[3]);

/* Where a ray crosses the plane of the plate: its depth, and the place (a, b). false (output
 * untouched) where it does not. */
bool aqm_plate_cross(const AqmPlate *plate, const AqmRay *ray, double *depth_m, double place[2]);
/* Is a place of the plane on the plate? Its rim is. */
bool aqm_plate_has(const AqmPlate *plate, const double place[2]);
/* Does the plate hide the point at `depth_m` on the ray? Its own points, to a micrometre, it does
 * not. */
bool aqm_plate_hides(const AqmPlate *plate, const AqmRay *ray, double depth_m);

/* Distance of a point to the plate, metres; positive where the point lies on the side of the plane
 * to which the normal points. */
double aqm_plate_distance(const AqmPlate *plate, const double point[3]);

#endif
