/* Corners of a board in space, from what the cameras see of them. */
#ifndef AQM_EVALUATE_BOARD_POINTS_H
#define AQM_EVALUATE_BOARD_POINTS_H

#include "aquamvs/charuco.h"

enum { AQM_BOARD_VIEWS_MAX = 64 }; /* more are not looked at */

/* Where a view sees a corner; NULL where it does not. */
const AqmBoardCorner *aqm_board_find_corner(const AqmBoardSighting *sighting, uint32_t index);

/* Where the depth map of a view has the corner: on the ray of its sighting, at the depth of the
 * map there (bilinear); *direction: of the ray. false where the map knows nothing there. */
bool aqm_board_map_point(const AqmBoardView *view, const AqmBoardCorner *corner, double point[3],
                         double direction[3]);

/* Fills views, dropped, position, error_px; *direction is the mean ray in water. point->views is 0
 * where fewer than min_views agree. */
void aqm_board_triangulate(const AqmBoardView *views, size_t view_count, uint32_t index,
                           double max_error_px, int min_views, AqmBoardPoint *point,
                           double direction[3]);

#endif
