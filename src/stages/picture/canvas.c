/* The sheet: pixels of our own, which cairo draws on. */
#include "stages/picture/canvas.h"

#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"

/* Shapes of letters as they are, at fractions of a pixel: no hinting, the same on every screen. */
static void set_font(cairo_t *cairo) {
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, options);
    cairo_font_options_destroy(options);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
}

AqmStatus aqm_canvas_create(AqmCanvas *canvas, int width, int height, AqmDiag *diag) {
    const size_t count = (size_t)width * (size_t)height;
    *canvas = (AqmCanvas){.width = width, .height = height};
    canvas->pixels = aqm_alloc(count, sizeof *canvas->pixels);
    if (!canvas->pixels)
        return aqm_fail_memory(diag, "a picture", count, sizeof *canvas->pixels);
    memset(canvas->pixels, 0xff, count * sizeof *canvas->pixels);
    canvas->surface = cairo_image_surface_create_for_data(
        (unsigned char *)canvas->pixels, CAIRO_FORMAT_RGB24, width, height, 4 * width);
    canvas->cairo = cairo_create(canvas->surface);
    set_font(canvas->cairo);
    cairo_set_line_width(canvas->cairo, 1.0);
    if (cairo_status(canvas->cairo) == CAIRO_STATUS_SUCCESS)
        return AQM_OK;
    aqm_canvas_destroy(canvas);
    return aqm_fail(diag, AQM_ERROR_MEMORY, "out of memory for a picture of %d x %d", width,
                    height);
}

void aqm_canvas_destroy(AqmCanvas *canvas) {
    if (canvas->cairo)
        cairo_destroy(canvas->cairo);
    if (canvas->surface)
        cairo_surface_destroy(canvas->surface);
    aqm_free(canvas->pixels);
    *canvas = (AqmCanvas){0};
}

AqmStatus aqm_canvas_finish(AqmCanvas *canvas, AqmImage **out, AqmDiag *diag) {
    *out = NULL;
    cairo_surface_flush(canvas->surface);
    const cairo_status_t drawn = cairo_status(canvas->cairo);
    AqmStatus status = AQM_OK;
    if (drawn != CAIRO_STATUS_SUCCESS)
        status = aqm_fail(diag, AQM_ERROR_MEMORY, "a picture of %d x %d cannot be drawn: %s",
                          canvas->width, canvas->height, cairo_status_to_string(drawn));
    if (status == AQM_OK)
        status = aqm_image_create(out, canvas->width, canvas->height, 3, AQM_U8, diag);
    for (int y = 0; status == AQM_OK && y < canvas->height; y++) {
        const uint32_t *from = canvas->pixels + (size_t)y * (size_t)canvas->width;
        uint8_t *to = (uint8_t *)(*out)->data + (size_t)y * (*out)->stride;
        for (int x = 0; x < canvas->width; x++) {
            to[3 * x] = (uint8_t)(from[x] >> 16);
            to[3 * x + 1] = (uint8_t)(from[x] >> 8);
            to[3 * x + 2] = (uint8_t)from[x];
        }
    }
    aqm_canvas_destroy(canvas);
    return status;
}

void aqm_canvas_begin_pixels(AqmCanvas *canvas) {
    cairo_surface_flush(canvas->surface);
}

void aqm_canvas_end_pixels(AqmCanvas *canvas) {
    cairo_surface_mark_dirty(canvas->surface);
}

AqmFit aqm_fit_choose(int longer_side) {
    enum { LARGE = 1000, SMALL = 480 };
    return (AqmFit){
        .reduce = longer_side > LARGE ? (longer_side + LARGE - 1) / LARGE : 1,
        .magnify = longer_side < SMALL ? (SMALL + longer_side - 1) / longer_side : 1,
    };
}

void aqm_canvas_color(AqmCanvas *canvas, uint32_t rgb, double alpha) {
    cairo_set_source_rgba(canvas->cairo, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0,
                          (rgb & 255) / 255.0, alpha);
}

void aqm_canvas_line(AqmCanvas *canvas, double x0, double y0, double x1, double y1) {
    cairo_move_to(canvas->cairo, x0, y0);
    cairo_line_to(canvas->cairo, x1, y1);
    cairo_stroke(canvas->cairo);
}

void aqm_canvas_frame(AqmCanvas *canvas, int x, int y, int width, int height) {
    cairo_rectangle(canvas->cairo, x - 0.5, y - 0.5, width + 1.0, height + 1.0);
    cairo_stroke(canvas->cairo);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Length of the UTF-8 sequence at `text`, 0 if it is none. */
static size_t sequence_length(const unsigned char *text) {
    if (text[0] < 0x80)
        return 1;
    const size_t length = text[0] >= 0xc2 && text[0] < 0xe0   ? 2
                          : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                          : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                              : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, beyond the last code point */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

enum { TEXT_MAX = 256 };

/* cairo refuses everything after a text that is not UTF-8; names of cameras come from files. */
static void make_valid(const char *text, char valid[TEXT_MAX]) {
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at && used < TEXT_MAX - 5;) {
        const size_t length = sequence_length(at);
        if (length > 0)
            memcpy(valid + used, at, length);
        else
            valid[used] = '?';
        used += length > 0 ? length : 1;
        at += length > 0 ? length : 1;
    }
    valid[used] = '\0';
}

static void text_at(AqmCanvas *canvas, const char *text, double across, double size) {
    cairo_text_extents_t extents, capital;
    cairo_text_extents(canvas->cairo, text, &extents);
    cairo_text_extents(canvas->cairo, "H", &capital);
    (void)size;
    cairo_rel_move_to(canvas->cairo, -across * extents.x_advance, 0.5 * capital.height);
    cairo_show_text(canvas->cairo, text);
}

double aqm_canvas_text(AqmCanvas *canvas, const char *text, double x, double y, double size,
                       double across) {
    char valid[TEXT_MAX];
    make_valid(text, valid);
    cairo_set_font_size(canvas->cairo, size);
    cairo_move_to(canvas->cairo, x, y);
    text_at(canvas, valid, across, size);
    return aqm_canvas_text_width(canvas, text, size);
}

void aqm_canvas_text_upwards(AqmCanvas *canvas, const char *text, double x, double y, double size) {
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    cairo_rotate(canvas->cairo, -1.57079632679489661923);
    (void)aqm_canvas_text(canvas, text, 0.0, 0.0, size, 0.5);
    cairo_restore(canvas->cairo);
}

double aqm_canvas_text_width(AqmCanvas *canvas, const char *text, double size) {
    char valid[TEXT_MAX];
    cairo_text_extents_t extents;
    make_valid(text, valid);
    cairo_set_font_size(canvas->cairo, size);
    cairo_text_extents(canvas->cairo, valid, &extents);
    return extents.x_advance;
}
