/* Points of interest over their image: a circle for the scale, a tick for the orientation, a colour
 * for the score. The best are drawn last, so that none of them is hidden. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "math/stats.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"
#include "stages/picture/photo_panel.h"

enum {
    TEXT = 16,
    MARGIN = 20,
    TOP = 52,        /* title */
    BOTTOM = 46,     /* legend */
    BAR = 18,        /* width of the colour bar */
    GAP = 12,        /* panel to bar */
    LABELS = 96,     /* bar to the edge */
    WIDTH_MIN = 620, /* what title and legend take */
};

/* A blob of standard deviation s answers most strongly to its detector where it is a disc of
 * sqrt(2) s (Lindeberg 1998). Smaller circles than radius_min could not be told from dots. */
static const double radius_of_scale = 1.41421356237309505, radius_min = 2.5;
static const double turn = 6.28318530717958648;
static const uint32_t ink = 0x222222;
static const uint8_t unknown[3] = {205, 205, 205};

typedef struct FeaturesPicture {
    const AqmFeatures *features;
    AqmPhotoPanel panel;
    AqmColorMap colors;
    AqmCanvas canvas;
    double least, most; /* scores at the ends of the colours; NaN: none is known */
    bool more_above, more_below;
    size_t outside, without_scale;
} FeaturesPicture;

/* A feature within the image and what it is drawn after. */
typedef struct Drawn {
    double score;
    size_t index;
} Drawn;

/* By score, those without first; then by place in the list. */
static int compare(const void *a, const void *b) {
    const Drawn *x = a, *y = b;
    const bool x_known = !isnan(x->score), y_known = !isnan(y->score);
    if (x_known != y_known)
        return x_known ? 1 : -1;
    if (x_known && x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_length(float scale) {
    return isfinite(scale) && scale > 0.0f;
}

/* ---- the range of colours -------------------------------------------------------------------- */

static AqmStatus find_range(FeaturesPicture *p, AqmDiag *diag) {
    const AqmFeatures *features = p->features;
    double *values = aqm_alloc(features->count, sizeof *values);
    if (!values)
        return aqm_fail_memory(diag, "a picture's scores", features->count, sizeof *values);
    double lowest = INFINITY, highest = -INFINITY;
    size_t used = 0;
    for (size_t i = 0; i < features->count; i++) {
        const double score = (double)features->score[i];
        if (!isfinite(score))
            continue;
        lowest = fmin(lowest, score), highest = fmax(highest, score);
        values[used++] = score;
    }
    p->least = used > 0 ? aqm_percentile_f64(values, used, 2.0) : (double)NAN;
    p->most = used > 0 ? aqm_percentile_f64(values, used, 98.0) : (double)NAN;
    aqm_free(values);
    /* all alike: a range of a hundredth, which ticks can be told apart in */
    const double size = fmax(fabs(p->least), fabs(p->most));
    const double lacking = size > 0.0 ? fmax(1e-2 * size, 1e-6) : 1e-2;
    if (p->most - p->least < lacking)
        p->least -= 0.5 * lacking, p->most += 0.5 * lacking;
    p->more_below = lowest < p->least;
    p->more_above = highest > p->most;
    return AQM_OK;
}

/* ---- features -------------------------------------------------------------------------------- */

/* A stroke of `rgb` on a dark one, which sets it off from light sand. */
static void stroke_with_edge(AqmCanvas *canvas, uint32_t rgb) {
    cairo_set_line_width(canvas->cairo, 3.0);
    aqm_canvas_color(canvas, 0x000000, 0.5);
    cairo_stroke_preserve(canvas->cairo);
    cairo_set_line_width(canvas->cairo, 1.6);
    aqm_canvas_color(canvas, rgb, 1.0);
    cairo_stroke(canvas->cairo);
}

static void draw_dot(AqmCanvas *canvas, const double at[2], uint32_t rgb) {
    cairo_new_path(canvas->cairo);
    cairo_arc(canvas->cairo, at[0], at[1], 3.0, 0.0, turn);
    aqm_canvas_color(canvas, 0x000000, 0.5);
    cairo_fill(canvas->cairo);
    cairo_arc(canvas->cairo, at[0], at[1], 2.2, 0.0, turn);
    aqm_canvas_color(canvas, rgb, 1.0);
    cairo_fill(canvas->cairo);
}

/* radius 0: a dot. The tick, where the orientation is known, ends beyond small circles. */
static void draw_mark(AqmCanvas *canvas, const double at[2], double radius, double orientation_rad,
                      uint32_t rgb) {
    if (radius <= 0.0)
        draw_dot(canvas, at, rgb);
    const bool is_known = isfinite(orientation_rad);
    const double from = radius > 0.0 ? 0.0 : 2.2, to = fmax(radius, 5.0);
    cairo_new_path(canvas->cairo);
    if (radius > 0.0)
        cairo_arc(canvas->cairo, at[0], at[1], radius, 0.0, turn);
    if (is_known) {
        const double c = cos(orientation_rad), s = sin(orientation_rad);
        cairo_move_to(canvas->cairo, at[0] + from * c, at[1] + from * s);
        cairo_line_to(canvas->cairo, at[0] + to * c, at[1] + to * s);
    }
    if (radius > 0.0 || is_known)
        stroke_with_edge(canvas, rgb);
}

static uint32_t color_of(const FeaturesPicture *p, double score) {
    if (isnan(score))
        return aqm_pixel(unknown);
    return aqm_pixel(p->colors.rgb[aqm_color_map_index((score - p->least) / (p->most - p->least))]);
}

static void draw_feature(FeaturesPicture *p, size_t i) {
    const AqmFeatures *features = p->features;
    const float scale = features->scale[i];
    const double largest = p->panel.width + p->panel.height; /* more is beyond all edges */
    double at[2], radius = 0.0;
    (void)aqm_photo_place(&p->panel, features->position + 2 * i, at);
    if (is_length(scale))
        radius =
            fmin(fmax(aqm_photo_length(&p->panel, radius_of_scale * (double)scale), radius_min),
                 largest);
    draw_mark(&p->canvas, at, radius, (double)features->orientation[i],
              color_of(p, (double)features->score[i]));
}

static AqmStatus draw_features(FeaturesPicture *p, AqmDiag *diag) {
    const AqmFeatures *features = p->features;
    Drawn *drawn = aqm_alloc(features->count, sizeof *drawn);
    if (!drawn)
        return aqm_fail_memory(diag, "the points of a picture", features->count, sizeof *drawn);
    size_t count = 0;
    double at[2];
    for (size_t i = 0; i < features->count; i++) {
        if (!aqm_photo_place(&p->panel, features->position + 2 * i, at))
            continue;
        p->without_scale += !is_length(features->scale[i]);
        drawn[count++] = (Drawn){(double)features->score[i], i};
    }
    p->outside = features->count - count;
    qsort(drawn, count, sizeof *drawn, compare);
    cairo_save(p->canvas.cairo);
    cairo_rectangle(p->canvas.cairo, p->panel.x, p->panel.y, p->panel.width, p->panel.height);
    cairo_clip(p->canvas.cairo);
    for (size_t i = 0; i < count; i++)
        draw_feature(p, drawn[i].index);
    cairo_restore(p->canvas.cairo);
    aqm_free(drawn);
    return AQM_OK;
}

/* ---- around them ----------------------------------------------------------------------------- */

static void draw_bar(FeaturesPicture *p) {
    const int height = p->panel.height - 2 * BAR; /* room for pointed ends */
    if (isnan(p->least) || height < 2 * BAR)
        return;
    aqm_draw_color_bar(&p->canvas,
                       &(AqmColorBar){.x = p->panel.x + p->panel.width + GAP,
                                      .y = p->panel.y + BAR,
                                      .width = BAR,
                                      .height = height,
                                      .top = p->most,
                                      .bottom = p->least,
                                      .colors = (const uint8_t(*)[3])p->colors.rgb,
                                      .color_count = AQM_COLOR_MAP_SIZE,
                                      .more_above = p->more_above,
                                      .more_below = p->more_below,
                                      .title = "score"},
                       TEXT);
}

static void draw_title(FeaturesPicture *p, const char *name) {
    char title[192], outside[64] = "";
    if (p->outside > 0)
        snprintf(outside, sizeof outside, ", %zu of them outside the image", p->outside);
    if (p->features->count == 0)
        snprintf(title, sizeof title, "%s: no points of interest", name);
    else
        snprintf(title, sizeof title, "%s: %zu point%s of interest%s", name, p->features->count,
                 p->features->count == 1 ? "" : "s", outside);
    aqm_canvas_color(&p->canvas, ink, 1.0);
    (void)aqm_canvas_text(&p->canvas, title, p->panel.x, 28, 1.15 * TEXT, 0.0);
}

static void draw_legend(FeaturesPicture *p) {
    const uint32_t sign = aqm_pixel(p->colors.rgb[AQM_COLOR_MAP_SIZE / 2]);
    double at[2] = {p->panel.x + 8, p->panel.y + p->panel.height + 24};
    if (p->without_scale < p->features->count - p->outside) {
        draw_mark(&p->canvas, at, 8.0, -0.6, sign);
        aqm_canvas_color(&p->canvas, ink, 1.0);
        at[0] += 30 + aqm_canvas_text(&p->canvas, "scale (radius 1.4 \u03c3) and orientation",
                                      at[0] + 16, at[1], TEXT, 0.0);
    }
    if (p->without_scale > 0) {
        at[0] += 8;
        draw_mark(&p->canvas, at, 0.0, (double)NAN, sign);
        aqm_canvas_color(&p->canvas, ink, 1.0);
        (void)aqm_canvas_text(&p->canvas, "scale not known", at[0] + 16, at[1], TEXT, 0.0);
    }
}

AqmStatus aqm_picture_features(const AqmImageView *image, double full_scale,
                               const AqmFeatures *features, const char *name, AqmImage **out,
                               AqmDiag *diag) {
    *out = NULL;
    if (!(full_scale > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT,
                        "%s: a picture of an image whose white is %g: must be above 0", name,
                        full_scale);
    const int longer = image->width > image->height ? image->width : image->height;
    FeaturesPicture p = {.features = features,
                         .panel = aqm_photo_panel(image, full_scale, aqm_fit_choose(longer))};
    p.panel.x = MARGIN, p.panel.y = TOP;
    AQM_TRY(find_range(&p, diag));
    const int width = MARGIN + p.panel.width + GAP + BAR + LABELS;
    AQM_TRY(aqm_canvas_create(&p.canvas, width < WIDTH_MIN ? WIDTH_MIN : width,
                              TOP + p.panel.height + BOTTOM, diag));
    aqm_color_map_make(&p.colors);
    aqm_photo_paint(&p.panel, &p.canvas);
    const AqmStatus status = draw_features(&p, diag);
    if (status != AQM_OK) {
        aqm_canvas_destroy(&p.canvas);
        return status;
    }
    draw_title(&p, name);
    draw_legend(&p);
    draw_bar(&p);
    return aqm_canvas_finish(&p.canvas, out, diag);
}
