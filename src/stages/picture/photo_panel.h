/* A photograph in gray on the sheet, to draw on. */
#ifndef AQM_STAGES_PICTURE_PHOTO_PANEL_H
#define AQM_STAGES_PICTURE_PHOTO_PANEL_H

#include "stages/picture/canvas.h"

/* Borrows the image; (x, y) is the panel's first pixel on the sheet. */
typedef struct AqmPhotoPanel {
    const AqmImageView *image;
    double full_scale; /* sample value of white */
    AqmFit fit;
    int x, y, width, height;
} AqmPhotoPanel;

/* Size on the sheet; the caller places it. */
AqmPhotoPanel aqm_photo_panel(const AqmImageView *image, double full_scale, AqmFit fit);

/* The mean luma (Rec. 601) of each block, lightened so that dark strokes are seen on it too, and
 * a frame around. */
void aqm_photo_paint(const AqmPhotoPanel *panel, AqmCanvas *canvas);

/* Where a position in pixels of the image lies on the sheet; false where it is not finite or not
 * within the image. */
bool aqm_photo_place(const AqmPhotoPanel *panel, const float position[2], double at[2]);

/* On the sheet, for a length in pixels of the image. */
double aqm_photo_length(const AqmPhotoPanel *panel, double length_px);

#endif
