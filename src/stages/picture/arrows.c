#include "stages/picture/arrows.h"

#include <math.h>

static const double turn = 6.28318530717958648;

static void stroke(AqmCanvas *canvas, uint32_t rgb) {
    cairo_set_line_width(canvas->cairo, 3.0);
    aqm_canvas_color(canvas, 0x000000, 0.5);
    cairo_stroke_preserve(canvas->cairo);
    cairo_set_line_width(canvas->cairo, 1.5);
    aqm_canvas_color(canvas, rgb, 1.0);
    cairo_stroke(canvas->cairo);
}

void aqm_draw_arrow(AqmCanvas *canvas, const double from[2], double dx, double dy, uint32_t rgb) {
    const double length = hypot(dx, dy), head = fmin(4.0, 0.5 * length);
    cairo_t *cairo = canvas->cairo;
    cairo_new_path(cairo);
    cairo_arc(cairo, from[0], from[1], 1.8, 0.0, turn);
    aqm_canvas_color(canvas, 0x000000, 0.5);
    cairo_fill(cairo);
    cairo_new_path(cairo);
    cairo_arc(cairo, from[0], from[1], 1.2, 0.0, turn);
    aqm_canvas_color(canvas, rgb, 1.0);
    cairo_fill(cairo);
    if (!(length > 0.5)) /* false for NaN */
        return;
    const double x = from[0] + dx, y = from[1] + dy, c = dx / length, s = dy / length;
    cairo_new_path(cairo);
    cairo_move_to(cairo, from[0], from[1]);
    cairo_line_to(cairo, x, y);
    cairo_move_to(cairo, x - head * (c + 0.6 * s), y - head * (s - 0.6 * c));
    cairo_line_to(cairo, x, y);
    cairo_line_to(cairo, x - head * (c - 0.6 * s), y - head * (s + 0.6 * c));
    stroke(canvas, rgb);
}

double aqm_arrow_scale(double rms, double *per_unit) {
    const double typical = rms > 0.0 && isfinite(rms) ? rms : 1.0;
    *per_unit = 12.0 / typical;
    return aqm_nice_below(40.0 / *per_unit);
}
