/* Horizontal bars: labels of any length stand to the left, numbers behind the bars.
 *
 * Colours are twelve hues and lightnesses chosen in OKLab that neighbours in a stack are told apart
 * by, in gray too: light and dark alternate. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/diag.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"

enum {
    TEXT = 16,
    MARGIN = 20,
    AXIS = 640,    /* pixels of the longest bar */
    NUMBERS = 110, /* room behind it */
    THICK = 20,    /* of a bar; thinner where there are several a row */
    THIN = 16,
    SPACE = 12, /* between rows */
    SERIES_MAX = 16,
    LEGEND_LINE = 26
};

static const uint32_t ink = 0x222222, faint = 0xd8d8d8, dim = 0x777777;

typedef struct Layout {
    const AqmPictureBars *bars;
    int left, top, row_height, width, height, thickness;
    double px_per_unit, end; /* the axis ends there */
} Layout;

static uint32_t series_color(size_t k) {
    uint8_t rgb[3];
    const double hue = 0.7 + 2.39996 * (double)k; /* the golden angle: neighbours lie far apart */
    const double lightness = k % 2 ? 0.76 : 0.55, chroma = 0.11;
    const double lab[3] = {lightness, chroma * cos(hue), chroma * sin(hue)};
    aqm_srgb_from_oklab(lab, rgb);
    return aqm_pixel(rgb);
}

/* The length of bar k of a row, of a stack up to its k-th part. */
static double sum_to(const AqmPictureBars *b, size_t row, size_t k) {
    double sum = 0.0;
    for (size_t i = b->is_stacked ? 0 : k; i <= k; i++) {
        const double value = b->values[row * b->series_count + i];
        sum += isnan(value) && b->is_stacked ? 0.0 : value;
    }
    return sum;
}

static bool is_row_known(const AqmPictureBars *b, size_t row) {
    for (size_t k = 0; k < b->series_count; k++)
        if (!isnan(b->values[row * b->series_count + k]))
            return true;
    return false;
}

static double largest(const AqmPictureBars *b) {
    double most = 0.0;
    for (size_t r = 0; r < b->row_count; r++)
        for (size_t k = 0; k < b->series_count; k++)
            most = fmax(most, sum_to(b, r, k));
    return most > 0.0 && isfinite(most) ? most : 1.0;
}

/* ---- legend ---------------------------------------------------------------------------------- */

/* Draws the names of the series, from (x, y) on, in lines that end before `right`; or, without a
 * sheet to draw on, tells how many lines that takes. */
static int legend(AqmCanvas *canvas, const AqmPictureBars *b, double left, double right, double y,
                  bool is_drawn) {
    double x = left;
    int lines = 1;
    for (size_t k = 0; k < b->series_count; k++) {
        const double width = 1.6 * TEXT + aqm_canvas_text_width(canvas, b->series[k], TEXT);
        if (x + width > right && x > left)
            x = left, y += LEGEND_LINE, lines++;
        if (is_drawn) {
            aqm_canvas_color(canvas, series_color(k), 1.0);
            cairo_rectangle(canvas->cairo, x, y - 0.4 * TEXT, 0.8 * TEXT, 0.8 * TEXT);
            cairo_fill(canvas->cairo);
            aqm_canvas_color(canvas, ink, 1.0);
            (void)aqm_canvas_text(canvas, b->series[k], x + 1.2 * TEXT, y, TEXT, 0.0);
        }
        x += width + 1.2 * TEXT;
    }
    return lines;
}

/* ---- bars ------------------------------------------------------------------------------------ */

static void write_number(AqmCanvas *canvas, double value, double x, double y) {
    char text[32];
    snprintf(text, sizeof text, "%.*f", value < 10.0 ? 3 : value < 100.0 ? 2 : 1, value);
    aqm_canvas_color(canvas, ink, 1.0);
    (void)aqm_canvas_text(canvas, text, x + 6.0, y, 0.85 * TEXT, 0.0);
}

static void draw_row(const Layout *l, AqmCanvas *canvas, size_t row) {
    const AqmPictureBars *b = l->bars;
    const double top = l->top + (double)row * l->row_height;
    const double middle = top + 0.5 * (l->row_height - SPACE);
    aqm_canvas_color(canvas, ink, 1.0);
    (void)aqm_canvas_text(canvas, b->rows[row], l->left - 10.0, middle, TEXT, 1.0);
    if (!is_row_known(b, row)) {
        aqm_canvas_color(canvas, dim, 1.0);
        (void)aqm_canvas_text(canvas, "not known", l->left + 8.0, middle, 0.85 * TEXT, 0.0);
        return;
    }
    double before = 0.0;
    for (size_t k = 0; k < b->series_count; k++) {
        const double y = top + (b->is_stacked ? 0.0 : (double)k * l->thickness);
        const double length = sum_to(b, row, k) * l->px_per_unit;
        if (isnan(length))
            continue;
        aqm_canvas_color(canvas, series_color(k), 1.0);
        cairo_rectangle(canvas->cairo, l->left + before, y, length - before, l->thickness - 1.0);
        cairo_fill(canvas->cairo);
        if (b->is_stacked)
            before = length;
        if (!b->is_stacked || k + 1 == b->series_count)
            write_number(canvas, sum_to(b, row, k), l->left + length, y + 0.5 * l->thickness);
    }
}

static void draw_axis(const Layout *l, AqmCanvas *canvas) {
    const double bottom = l->top + (double)l->bars->row_count * l->row_height - SPACE + 6.0;
    const AqmTicks ticks = aqm_ticks_choose(0.0, l->end, 6);
    for (int i = 0; i < ticks.count; i++) {
        char label[32];
        const double x =
            floor(l->left + (double)(ticks.first + i) * ticks.step * l->px_per_unit) + 0.5;
        aqm_canvas_color(canvas, i == 0 ? ink : faint, 1.0);
        aqm_canvas_line(canvas, x, l->top - 6.0, x, bottom);
        aqm_tick_label(&ticks, i, label);
        aqm_canvas_color(canvas, ink, 1.0);
        (void)aqm_canvas_text(canvas, label, x, bottom + TEXT, 0.85 * TEXT, 0.5);
    }
    (void)aqm_canvas_text(canvas, l->bars->unit, l->left + AXIS + 0.5 * NUMBERS, bottom + TEXT,
                          TEXT, 0.5);
}

/* Lengths of texts are known by a sheet only: a small one measures. */
static AqmStatus choose_layout(Layout *l, AqmDiag *diag) {
    const AqmPictureBars *b = l->bars;
    AqmCanvas canvas;
    AqmImage *image = NULL;
    AQM_TRY(aqm_canvas_create(&canvas, 8, 8, diag));
    double widest = 0.0;
    for (size_t r = 0; r < b->row_count; r++)
        widest = fmax(widest, aqm_canvas_text_width(&canvas, b->rows[r], TEXT));
    l->left = MARGIN + 10 + (int)ceil(widest);
    l->width = l->left + AXIS + NUMBERS + MARGIN;
    const int lines = legend(&canvas, b, MARGIN, l->width - MARGIN, 0.0, false);
    l->top = 66 + LEGEND_LINE * lines;
    l->thickness = b->is_stacked || b->series_count == 1 ? THICK : THIN;
    l->row_height = l->thickness * (b->is_stacked ? 1 : (int)b->series_count) + SPACE;
    l->height = l->top + (int)b->row_count * l->row_height + 3 * TEXT;
    l->end = largest(b);
    l->px_per_unit = AXIS / l->end;
    const AqmStatus status = aqm_canvas_finish(&canvas, &image, diag);
    aqm_image_destroy(&image);
    return status;
}

AqmStatus aqm_picture_bars(const AqmPictureBars *bars, AqmImage **out, AqmDiag *diag) {
    enum { ROWS_MAX = 600 };
    Layout l = {.bars = bars};
    AqmCanvas canvas;
    *out = NULL;
    if (bars->row_count < 1 || bars->row_count > ROWS_MAX || bars->series_count < 1 ||
        bars->series_count > SERIES_MAX)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "bars of %zu rows and %zu series: must be 1..%d and 1..%d", bars->row_count,
                        bars->series_count, ROWS_MAX, SERIES_MAX);
    AQM_TRY(choose_layout(&l, diag));
    AQM_TRY(aqm_canvas_create(&canvas, l.width, l.height, diag));
    aqm_canvas_color(&canvas, ink, 1.0);
    (void)aqm_canvas_text(&canvas, bars->title, MARGIN, 26, 1.2 * TEXT, 0.0);
    (void)legend(&canvas, bars, MARGIN, l.width - MARGIN, 58, true);
    draw_axis(&l, &canvas);
    for (size_t r = 0; r < bars->row_count; r++)
        draw_row(&l, &canvas, r);
    return aqm_canvas_finish(&canvas, out, diag);
}
