/* A white sheet to draw on with cairo, and what is drawn on every picture: text, axes, bars. */
#ifndef AQM_STAGES_PICTURE_CANVAS_H
#define AQM_STAGES_PICTURE_CANVAS_H

#include <cairo.h>

#include "aquamvs/types.h"

/* Owns its pixels: 0x00RRGGBB, width x height without padding. */
typedef struct AqmCanvas {
    int width, height;
    uint32_t *pixels;
    cairo_surface_t *surface;
    cairo_t *cairo;
} AqmCanvas;

/* White. MEMORY; the canvas is empty then. */
AQM_NODISCARD AqmStatus aqm_canvas_create(AqmCanvas *canvas, int width, int height, AqmDiag *diag);
void aqm_canvas_destroy(AqmCanvas *canvas);
/* Takes what was drawn out as an image and destroys the canvas, on failure too. MEMORY, also for
 * whatever went wrong within cairo. */
AQM_NODISCARD AqmStatus aqm_canvas_finish(AqmCanvas *canvas, AqmImage **out, AqmDiag *diag);

/* Pixels may be written directly between these two. */
void aqm_canvas_begin_pixels(AqmCanvas *canvas);
void aqm_canvas_end_pixels(AqmCanvas *canvas);
static inline uint32_t aqm_pixel(const uint8_t rgb[3]) {
    return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* How a map or an image is brought to the sheet: its sides divided by `reduce`, blocks of so many
 * pixels becoming one, or each pixel `magnify` times as large; one of the two is 1. */
typedef struct AqmFit {
    int reduce, magnify;
} AqmFit;
/* What is larger than 1000 pixels on its longer side is reduced, what is below 480 magnified. */
AqmFit aqm_fit_choose(int longer_side);

/* ---- strokes and text ------------------------------------------------------------------------ */

void aqm_canvas_color(AqmCanvas *canvas, uint32_t rgb, double alpha);
void aqm_canvas_line(AqmCanvas *canvas, double x0, double y0, double x1, double y1);
/* The outline, one pixel wide, just around the pixels of a rectangle. */
void aqm_canvas_frame(AqmCanvas *canvas, int x, int y, int width, int height);

/* Text with its anchor at (x, y): `across` 0 left, 0.5 centre, 1 right; y is the middle of the
 * capitals. Bytes that are not UTF-8 are shown as '?'. Returns its width. */
double aqm_canvas_text(AqmCanvas *canvas, const char *text, double x, double y, double size,
                       double across);
/* Reads upwards; the anchor is its centre. */
void aqm_canvas_text_upwards(AqmCanvas *canvas, const char *text, double x, double y, double size);
double aqm_canvas_text_width(AqmCanvas *canvas, const char *text, double size);

/* ---- ticks ----------------------------------------------------------------------------------- */

/* Values (first + i) * step, i < count, with `digits` behind the point. */
typedef struct AqmTicks {
    double step;
    long first;
    int count, digits;
} AqmTicks;

/* At multiples of 1, 2 or 5 times a power of ten within lo..hi, about as many as asked for. lo < hi
 * and finite. */
AqmTicks aqm_ticks_choose(double lo, double hi, int about);
/* The label of tick i, with a true minus sign. */
void aqm_tick_label(const AqmTicks *ticks, int i, char text[32]);
/* The longest of 1, 2, 5 times a power of ten that is not longer than `length`. */
double aqm_nice_below(double length);

/* ---- furniture ------------------------------------------------------------------------------- */

/* A rectangle of pixels that shows the plane from (x0, y0) on, px_per_m pixels a metre. */
typedef struct AqmPanel {
    int x, y, width, height;
    double x0, y0, px_per_m;
} AqmPanel;

/* Frame, ticks and numbers in metres; names may be NULL (ticks only). */
void aqm_draw_axes(AqmCanvas *canvas, const AqmPanel *panel, const char *x_name, const char *y_name,
                   double text_size);

/* A scale bar as long as a nice length of at most max_px; its left end at (x, y). */
typedef struct AqmScaleBar {
    double length_m;
    int length_px;
} AqmScaleBar;
AqmScaleBar aqm_scale_bar_choose(double px_per_m, double max_px);
void aqm_draw_scale_bar(AqmCanvas *canvas, const AqmScaleBar *bar, int x, int y, uint32_t rgb,
                        double text_size);

/* An upright bar, `top` at its upper end; colours[0] is the lower end's. */
typedef struct AqmColorBar {
    int x, y, width, height;
    double top, bottom;
    const uint8_t (*colors)[3];
    int color_count;
    bool more_above, more_below; /* pointed ends: data beyond the range */
    const char *title;           /* upright beside the numbers */
} AqmColorBar;
void aqm_draw_color_bar(AqmCanvas *canvas, const AqmColorBar *bar, double text_size);

#endif
