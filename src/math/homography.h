/* Projective maps of the plane. */
#ifndef AQM_MATH_HOMOGRAPHY_H
#define AQM_MATH_HOMOGRAPHY_H

#include <stdbool.h>
#include <stddef.h>

/* The map (3x3 row-major, H[8] = 1) that takes from[i] to to[i], exactly for four points, by least
 * squares for more (algebraic, on coordinates of zero mean and unit spread: Hartley 1997). false,
 * H untouched, for fewer than four points and where three of four lie on a line. */
bool aqm_homography_fit(const double (*from)[2], const double (*to)[2], size_t count, double H[9]);

/* false where the point goes to infinity. out may be in. */
bool aqm_homography_apply(const double H[9], const double in[2], double out[2]);

#endif
