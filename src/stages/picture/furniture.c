/* Ticks, axes, scale bars and colour bars. Ticks stand at multiples of 1, 2 or 5 times a power of
 * ten, the steps that people read without counting. */
#include <math.h>
#include <stdio.h>

#include "stages/picture/canvas.h"

static const uint32_t ink = 0x222222;

/* ---- ticks ----------------------------------------------------------------------------------- */

static double nice_step(double raw) {
    const double power = pow(10.0, floor(log10(raw)));
    const double mantissa = raw / power;
    return power * (mantissa < 1.4 ? 1.0 : mantissa < 3.2 ? 2.0 : mantissa < 7.1 ? 5.0 : 10.0);
}

double aqm_nice_below(double length) {
    const double power = pow(10.0, floor(log10(length) + 1e-9));
    const double mantissa = length / power + 1e-9;
    return power * (mantissa < 2.0 ? 1.0 : mantissa < 5.0 ? 2.0 : 5.0);
}

AqmTicks aqm_ticks_choose(double lo, double hi, int about) {
    const double step = nice_step((hi - lo) / about);
    AqmTicks ticks = {.step = step, .first = lround(ceil(lo / step - 1e-6))};
    ticks.count = (int)(lround(floor(hi / step + 1e-6)) - ticks.first + 1);
    const double digits = ceil(-log10(step) - 1e-6);
    ticks.digits = digits > 0.0 ? (int)digits : 0;
    return ticks;
}

void aqm_tick_label(const AqmTicks *ticks, int i, char text[32]) {
    const long k = ticks->first + i;
    /* U+2212, the minus sign: a hyphen is too short beside digits */
    snprintf(text, 32, "%s%.*f", k < 0 ? "\u2212" : "", ticks->digits,
             fabs((double)k * ticks->step));
}

/* ---- axes ------------------------------------------------------------------------------------ */

static void x_axis(AqmCanvas *canvas, const AqmPanel *p, const char *name, double text_size) {
    const double length = 0.35 * text_size, bottom = p->y + p->height;
    const AqmTicks ticks = aqm_ticks_choose(p->x0, p->x0 + p->width / p->px_per_m,
                                            (int)(p->width / (5.0 * text_size)) + 1);
    for (int i = 0; i < ticks.count; i++) {
        const double value = (double)(ticks.first + i) * ticks.step;
        const double x = floor(p->x + (value - p->x0) * p->px_per_m) + 0.5;
        char label[32];
        aqm_canvas_line(canvas, x, bottom, x, bottom + length);
        aqm_tick_label(&ticks, i, label);
        if (name)
            (void)aqm_canvas_text(canvas, label, x, bottom + length + 0.85 * text_size, text_size,
                                  0.5);
    }
    if (name)
        (void)aqm_canvas_text(canvas, name, p->x + 0.5 * p->width, bottom + 2.7 * text_size,
                              text_size, 0.5);
}

static void y_axis(AqmCanvas *canvas, const AqmPanel *p, const char *name, double text_size) {
    const double length = 0.35 * text_size;
    double widest = 0.0;
    const AqmTicks ticks = aqm_ticks_choose(p->y0, p->y0 + p->height / p->px_per_m,
                                            (int)(p->height / (5.0 * text_size)) + 1);
    for (int i = 0; i < ticks.count; i++) {
        const double value = (double)(ticks.first + i) * ticks.step;
        const double y = floor(p->y + (value - p->y0) * p->px_per_m) + 0.5;
        char label[32];
        aqm_canvas_line(canvas, p->x, y, p->x - length, y);
        aqm_tick_label(&ticks, i, label);
        if (name)
            widest = fmax(widest, aqm_canvas_text(canvas, label, p->x - length - 0.3 * text_size, y,
                                                  text_size, 1.0));
    }
    if (name)
        aqm_canvas_text_upwards(canvas, name, p->x - length - widest - 1.3 * text_size,
                                p->y + 0.5 * p->height, text_size);
}

void aqm_draw_axes(AqmCanvas *canvas, const AqmPanel *panel, const char *x_name, const char *y_name,
                   double text_size) {
    aqm_canvas_color(canvas, ink, 1.0);
    cairo_set_line_width(canvas->cairo, 1.0);
    aqm_canvas_frame(canvas, panel->x, panel->y, panel->width, panel->height);
    x_axis(canvas, panel, x_name, text_size);
    y_axis(canvas, panel, y_name, text_size);
}

/* ---- scale bar ------------------------------------------------------------------------------- */

AqmScaleBar aqm_scale_bar_choose(double px_per_m, double max_px) {
    const double length_m = aqm_nice_below(max_px / px_per_m);
    return (AqmScaleBar){length_m, (int)lround(length_m * px_per_m)};
}

void aqm_draw_scale_bar(AqmCanvas *canvas, const AqmScaleBar *bar, int x, int y, uint32_t rgb,
                        double text_size) {
    static const struct {
        double from_m, per_m;
        const char *unit;
    } units[] = {{1.0, 1.0, "m"}, {0.01, 100.0, "cm"}, {0.0, 1000.0, "mm"}};
    int u = 0;
    while (bar->length_m < units[u].from_m * (1.0 - 1e-9))
        u++;
    char label[48];
    snprintf(label, sizeof label, "%g %s", bar->length_m * units[u].per_m, units[u].unit);
    const int thickness = text_size > 16.0 ? (int)(0.25 * text_size) : 4;
    aqm_canvas_color(canvas, rgb, 1.0);
    cairo_rectangle(canvas->cairo, x, y, bar->length_px, thickness);
    cairo_fill(canvas->cairo);
    (void)aqm_canvas_text(canvas, label, x + 0.5 * bar->length_px, y - 0.75 * text_size, text_size,
                          0.5);
}

/* ---- colour bar ------------------------------------------------------------------------------ */

static void fill_bar(AqmCanvas *canvas, const AqmColorBar *bar) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < bar->height; y++) {
        const double t = 1.0 - (y + 0.5) / bar->height;
        const int index = (int)(t * bar->color_count);
        const uint32_t pixel = aqm_pixel(bar->colors[index]);
        uint32_t *row = canvas->pixels + (size_t)(bar->y + y) * (size_t)canvas->width + bar->x;
        for (int x = 0; x < bar->width; x++)
            row[x] = pixel;
    }
    aqm_canvas_end_pixels(canvas);
}

/* The outline with its pointed ends, which are filled with the colours of the ends. */
static void draw_end(AqmCanvas *canvas, const AqmColorBar *bar, bool is_top, bool is_pointed) {
    const double y = is_top ? bar->y : bar->y + bar->height;
    const double tip = y + (is_top ? -0.8 : 0.8) * bar->width;
    cairo_move_to(canvas->cairo, bar->x - 0.5, y);
    if (is_pointed)
        cairo_line_to(canvas->cairo, bar->x + 0.5 * bar->width, tip);
    cairo_line_to(canvas->cairo, bar->x + bar->width + 0.5, y);
    if (is_pointed) {
        aqm_canvas_color(canvas, aqm_pixel(bar->colors[is_top ? bar->color_count - 1 : 0]), 1.0);
        cairo_fill_preserve(canvas->cairo);
    }
    aqm_canvas_color(canvas, ink, 1.0);
    cairo_stroke(canvas->cairo);
}

void aqm_draw_color_bar(AqmCanvas *canvas, const AqmColorBar *bar, double text_size) {
    fill_bar(canvas, bar);
    cairo_set_line_width(canvas->cairo, 1.0);
    draw_end(canvas, bar, true, bar->more_above);
    draw_end(canvas, bar, false, bar->more_below);
    const double right = bar->x + bar->width, length = 0.35 * text_size;
    aqm_canvas_line(canvas, bar->x - 0.5, bar->y, bar->x - 0.5, bar->y + bar->height);
    aqm_canvas_line(canvas, right + 0.5, bar->y, right + 0.5, bar->y + bar->height);
    const double lo = fmin(bar->top, bar->bottom), hi = fmax(bar->top, bar->bottom);
    const AqmTicks ticks = aqm_ticks_choose(lo, hi, 5);
    double widest = 0.0;
    for (int i = 0; i < ticks.count; i++) {
        const double value = (double)(ticks.first + i) * ticks.step;
        const double part = (value - bar->top) / (bar->bottom - bar->top);
        const double y = floor(bar->y + part * bar->height) + 0.5;
        char label[32];
        aqm_canvas_line(canvas, right, y, right + length, y);
        aqm_tick_label(&ticks, i, label);
        widest = fmax(widest, aqm_canvas_text(canvas, label, right + length + 0.3 * text_size, y,
                                              text_size, 0.0));
    }
    if (bar->title)
        aqm_canvas_text_upwards(canvas, bar->title, right + length + widest + 1.3 * text_size,
                                bar->y + 0.5 * bar->height, text_size);
}
