/* Features of an image by place. */
#ifndef AQM_MATCHING_FEATURE_GRID_H
#define AQM_MATCHING_FEATURE_GRID_H

#include "aquamvs/types.h"

/* Square cells that tile an image; features of cell k are order[first[k]] .. order[first[k + 1] -
 * 1]. */
typedef struct AqmFeatureGrid {
    double cell_px;
    int columns, rows;
    uint32_t *first, *order;
} AqmFeatureGrid;

/* Features that lie outside the image, or nowhere (NaN), are in no cell. MEMORY. */
AQM_NODISCARD AqmStatus aqm_feature_grid_create(AqmFeatureGrid *out, const AqmFeatures *features,
                                                int width, int height, double cell_px,
                                                AqmDiag *diag);
void aqm_feature_grid_free(AqmFeatureGrid *grid);

#endif
