/* How flat a reconstructed board is. */
#ifndef AQM_EVALUATE_BOARD_FLATNESS_H
#define AQM_EVALUATE_BOARD_FLATNESS_H

#include "aquamvs/charuco.h"
#include "evaluate/rigid_board.h"

/* Fills the numbers of the cloud in *out (NaN and 0 where cloud is NULL) and, unless deviations is
 * NULL or there is no point, the map of distances. MEMORY. */
AQM_NODISCARD AqmStatus aqm_board_flatness(const AqmCloud *cloud, const AqmBoard *board,
                                           const AqmRigidBoard *rigid,
                                           const AqmBoardMeasureOptions *options,
                                           AqmBoardMeasures *out, AqmHeightMap **deviations,
                                           AqmDiag *diag);

#endif
