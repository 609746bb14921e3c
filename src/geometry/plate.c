#include "geometry/plate.h"

#include <math.h>

#include "math/vec.h"

static const double rounding_m = 1e-6; /* what a point of the plate may be off it */

void aqm_plate_normal(const AqmPlate *plate, double normal[3]) {
    aqm_cross3(plate->side[0], plate->side[1], normal);
}

/* Of a point: its place along the sides and its height over the plane. */
static void coordinates(const AqmPlate *plate, const double point[3], double place[2],
                        double *height) {
    double from[3], normal[3];
    for (int k = 0; k < 3; k++)
        from[k] = point[k] - plate->corner[k];
    aqm_plate_normal(plate, normal);
    place[0] = aqm_dot3(from, plate->side[0]);
    place[1] = aqm_dot3(from, plate->side[1]);
    *height = aqm_dot3(from, normal);
}

bool aqm_plate_cross(const AqmPlate *plate, const AqmRay *ray, double *depth_m, double place[2]) {
    double normal[3], start[2], height;
    aqm_plate_normal(plate, normal);
    coordinates(plate, ray->origin, start, &height);
    const double depth = -height / aqm_dot3(normal, ray->direction);
    if (!(depth > 0.0 && isfinite(depth)))
        return false;
    for (int k = 0; k < 2; k++)
        place[k] = start[k] + depth * aqm_dot3(plate->side[k], ray->direction);
    *depth_m = depth;
    return true;
}

bool aqm_plate_has(const AqmPlate *plate, const double place[2]) {
    return place[0] >= 0.0 && place[1] >= 0.0 && place[0] <= plate->size_m[0] &&
           place[1] <= plate->size_m[1];
}

bool aqm_plate_hides(const AqmPlate *plate, const AqmRay *ray, double depth_m) {
    double depth, place[2];
    return aqm_plate_cross(plate, ray, &depth, place) && depth < depth_m - rounding_m &&
           aqm_plate_has(plate, place);
}

double aqm_plate_distance(const AqmPlate *plate, const double point[3]) {
    double place[2], height, beside[2];
    coordinates(plate, point, place, &height);
    for (int k = 0; k < 2; k++)
        beside[k] = fmax(fmax(-place[k], place[k] - plate->size_m[k]), 0.0);
    const double distance = sqrt(height * height + beside[0] * beside[0] + beside[1] * beside[1]);
    return height >= 0.0 ? distance : -distance;
}
