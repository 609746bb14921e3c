/* Arrows for errors that are too small to be seen as they are. */
#ifndef AQM_STAGES_PICTURE_ARROWS_H
#define AQM_STAGES_PICTURE_ARROWS_H

#include "stages/picture/canvas.h"

/* From a place on the sheet by (dx, dy), on a dark edge; a dot where it is short. */
void aqm_draw_arrow(AqmCanvas *canvas, const double from[2], double dx, double dy, uint32_t rgb);

/* The nice length (1, 2, 5 times a power of ten) for a legend, up to 40 px on the sheet, when
 * lengths of `rms` become 12 px; *per_unit: px on the sheet per unit. Where rms is 0 or not finite
 * it is taken as 1. */
double aqm_arrow_scale(double rms, double *per_unit);

#endif
