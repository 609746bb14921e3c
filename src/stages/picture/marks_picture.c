/* Points over their image, each with the arrow of its error. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/diag.h"
#include "stages/picture/arrows.h"
#include "stages/picture/photo_panel.h"

enum { TEXT = 16, MARGIN = 20, TOP = 52, BOTTOM = 46, WIDTH_MIN = 560 };
static const uint32_t ink = 0x222222, sign = 0xffd21f, unsure = 0xff5ad0;

static bool is_known(const AqmPictureMark *mark) {
    return isfinite(mark->du) && isfinite(mark->dv);
}

static double typical(const AqmPictureMark *marks, size_t count, size_t *known) {
    double sum = 0.0;
    *known = 0;
    for (size_t i = 0; i < count; i++)
        if (is_known(&marks[i])) {
            sum += marks[i].du * marks[i].du + marks[i].dv * marks[i].dv;
            ++*known;
        }
    return *known > 0 ? sqrt(sum / (double)*known) : (double)NAN;
}

static void draw_ring(AqmCanvas *canvas, const double at[2]) {
    cairo_new_path(canvas->cairo);
    cairo_arc(canvas->cairo, at[0], at[1], 4.0, 0.0, 6.28318530717958648);
    cairo_set_line_width(canvas->cairo, 2.0);
    aqm_canvas_color(canvas, unsure, 1.0);
    cairo_stroke(canvas->cairo);
}

static void draw_marks(AqmCanvas *canvas, const AqmPhotoPanel *panel, const AqmPictureMark *marks,
                       size_t count, double per_px) {
    cairo_save(canvas->cairo);
    cairo_rectangle(canvas->cairo, panel->x, panel->y, panel->width, panel->height);
    cairo_clip(canvas->cairo);
    for (size_t i = 0; i < count; i++) {
        const float position[2] = {(float)marks[i].u, (float)marks[i].v};
        double at[2];
        if (!aqm_photo_place(panel, position, at))
            continue;
        if (is_known(&marks[i]))
            aqm_draw_arrow(canvas, at, per_px * marks[i].du, per_px * marks[i].dv, sign);
        else
            draw_ring(canvas, at);
    }
    cairo_restore(canvas->cairo);
}

static void draw_legend(AqmCanvas *canvas, const AqmPhotoPanel *panel, size_t known, size_t unknown,
                        double length_px, double per_px) {
    double at[2] = {panel->x + 8, panel->y + panel->height + 24};
    char text[96];
    if (known > 0) {
        aqm_draw_arrow(canvas, at, length_px * per_px, 0.0, sign);
        snprintf(text, sizeof text, "%g px", length_px);
        aqm_canvas_color(canvas, ink, 1.0);
        at[0] += length_px * per_px + 10;
        at[0] += aqm_canvas_text(canvas, text, at[0], at[1], TEXT, 0.0) + 30;
    }
    if (unknown > 0) {
        draw_ring(canvas, at);
        snprintf(text, sizeof text, "%zu without a point that fits", unknown);
        aqm_canvas_color(canvas, ink, 1.0);
        (void)aqm_canvas_text(canvas, text, at[0] + 12, at[1], TEXT, 0.0);
    }
}

AqmStatus aqm_picture_marks(const AqmImageView *image, double full_scale,
                            const AqmPictureMark *marks, size_t count, const char *title,
                            AqmImage **out, AqmDiag *diag) {
    *out = NULL;
    if (!(full_scale > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: a picture of an image whose white is %g: must be above 0", title,
                        full_scale);
    const int longer = image->width > image->height ? image->width : image->height;
    AqmPhotoPanel panel = aqm_photo_panel(image, full_scale, aqm_fit_choose(longer));
    panel.x = MARGIN, panel.y = TOP;
    AqmCanvas canvas;
    const int width = 2 * MARGIN + panel.width;
    AQM_TRY(aqm_canvas_create(&canvas, width < WIDTH_MIN ? WIDTH_MIN : width,
                              TOP + panel.height + BOTTOM, diag));
    double per_px;
    size_t known;
    const double length_px = aqm_arrow_scale(typical(marks, count, &known), &per_px);
    aqm_photo_paint(&panel, &canvas);
    draw_marks(&canvas, &panel, marks, count, per_px);
    aqm_canvas_color(&canvas, ink, 1.0);
    (void)aqm_canvas_text(&canvas, title, panel.x, 28, 1.15 * TEXT, 0.0);
    draw_legend(&canvas, &panel, known, count - known, length_px, per_px);
    return aqm_canvas_finish(&canvas, out, diag);
}
