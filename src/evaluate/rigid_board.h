/* The rigid board that lies nearest to measured corners. */
#ifndef AQM_EVALUATE_RIGID_BOARD_H
#define AQM_EVALUATE_RIGID_BOARD_H

#include <stdbool.h>
#include <stddef.h>

/* p = R q + origin of q = (x, y, 0) on the board. */
typedef struct AqmRigidBoard {
    double R[9], origin[3]; /* row-major */
    double scale;           /* that would make the squared errors least, rotation as it is */
} AqmRigidBoard;

/* The rotation and translation with the least sum of |R q + origin - p|^2. false for fewer than
 * three points or points on a line. */
bool aqm_rigid_board_fit(const double (*on_board)[2], const double (*points)[3], size_t count,
                         AqmRigidBoard *out);

/* R (x, y, 0) + origin */
void aqm_rigid_board_place(const AqmRigidBoard *board, const double xy[2], double point[3]);

#endif
