/* A depth map in colours beside its confidence in gray. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "math/stats.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"

enum {
    TEXT = 16,
    MARGIN = 20,
    TOP = 52,   /* title */
    BAR = 18,   /* width of a colour bar */
    GAP = 12,   /* panel to bar */
    LABELS = 86 /* bar to what comes next */
};

static const uint8_t unknown[3] = {205, 205, 205};

typedef struct DepthPicture {
    const AqmDepthMap *map;
    AqmFit fit;
    int width, height; /* of a panel */
    double near_m, deep_m;
    bool is_known, more_near, more_deep;
} DepthPicture;

/* ---- the range of colours -------------------------------------------------------------------- */

static AqmStatus find_range(DepthPicture *picture, AqmDiag *diag) {
    enum { SAMPLES_MAX = 40000 };
    const AqmDepthMap *map = picture->map;
    const size_t count = (size_t)map->width * (size_t)map->height;
    double *values = aqm_alloc(SAMPLES_MAX, sizeof *values);
    if (!values)
        return aqm_fail_memory(diag, "a picture's depths", SAMPLES_MAX, sizeof *values);
    double least = INFINITY, most = -INFINITY;
    size_t known = 0, seen = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        known += isfinite(map->depth_m[i]) != 0;
    const size_t step = known / SAMPLES_MAX + 1;
    for (size_t i = 0; i < count; i++) {
        const double depth = map->depth_m[i];
        if (!isfinite(depth))
            continue;
        least = fmin(least, depth), most = fmax(most, depth);
        if (seen++ % step == 0)
            values[used++] = depth;
    }
    picture->is_known = used > 0;
    picture->near_m = used > 0 ? aqm_percentile_f64(values, used, 1.0) : 0.0;
    picture->deep_m = used > 0 ? aqm_percentile_f64(values, used, 99.0) : 1.0;
    aqm_free(values);
    const double lacking = 1e-3 - (picture->deep_m - picture->near_m);
    if (lacking > 0.0) /* a level bed: noise is not spread over all colours */
        picture->near_m -= 0.5 * lacking, picture->deep_m += 0.5 * lacking;
    picture->more_near = used > 0 && least < picture->near_m;
    picture->more_deep = used > 0 && most > picture->deep_m;
    return AQM_OK;
}

/* ---- the panels ------------------------------------------------------------------------------ */

/* Mean of what is known of depth, and of all confidences, in the block that pixel (x, y) shows. */
static void block_mean(const DepthPicture *p, int x, int y, double *depth, double *confidence) {
    const AqmDepthMap *map = p->map;
    const int u0 = x / p->fit.magnify * p->fit.reduce, v0 = y / p->fit.magnify * p->fit.reduce;
    double depth_sum = 0.0, confidence_sum = 0.0;
    int known = 0, all = 0;
    for (int v = v0; v < v0 + p->fit.reduce && v < map->height; v++)
        for (int u = u0; u < u0 + p->fit.reduce && u < map->width; u++) {
            const size_t at = (size_t)v * (size_t)map->width + (size_t)u;
            all++;
            confidence_sum += (double)map->confidence[at];
            if (!isfinite(map->depth_m[at]))
                continue;
            depth_sum += (double)map->depth_m[at];
            known++;
        }
    *depth = 2 * known >= all ? depth_sum / known : (double)NAN; /* 0 / 0 cannot be: all > 0 */
    *confidence = confidence_sum / all;
}

static void paint_panels(const DepthPicture *p, const AqmColorMap *colors, AqmCanvas *canvas,
                         int left, int right) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < p->height; y++) {
        uint32_t *row = canvas->pixels + (size_t)(TOP + y) * (size_t)canvas->width;
        for (int x = 0; x < p->width; x++) {
            double depth, confidence;
            block_mean(p, x, y, &depth, &confidence);
            const double t = (p->deep_m - depth) / (p->deep_m - p->near_m);
            const double limited = confidence > 0.0 ? fmin(confidence, 1.0) : 0.0;
            const uint8_t gray = (uint8_t)(255.0 * limited + 0.5);
            row[left + x] = aqm_pixel(isnan(depth) ? unknown : colors->rgb[aqm_color_map_index(t)]);
            row[right + x] = aqm_pixel((const uint8_t[3]){gray, gray, gray});
        }
    }
    aqm_canvas_end_pixels(canvas);
}

/* ---- around them ----------------------------------------------------------------------------- */

static void draw_depth_bar(const DepthPicture *p, const AqmColorMap *colors, AqmCanvas *canvas,
                           int x) {
    const double unit = p->deep_m - p->near_m < 0.5 ? 1000.0 : 1.0;
    const int ends = BAR; /* room for pointed ends */
    aqm_draw_color_bar(canvas,
                       &(AqmColorBar){.x = x,
                                      .y = TOP + ends,
                                      .width = BAR,
                                      .height = p->height - 2 * ends,
                                      .top = unit * p->near_m,
                                      .bottom = unit * p->deep_m,
                                      .colors = colors->rgb,
                                      .color_count = AQM_COLOR_MAP_SIZE,
                                      .more_above = p->more_near,
                                      .more_below = p->more_deep,
                                      .title = unit > 1.0 ? "ray depth (mm)" : "ray depth (m)"},
                       TEXT);
}

static void draw_confidence_bar(const DepthPicture *p, AqmCanvas *canvas, int x) {
    uint8_t gray[256][3];
    for (int i = 0; i < 256; i++)
        gray[i][0] = gray[i][1] = gray[i][2] = (uint8_t)i;
    aqm_draw_color_bar(canvas,
                       &(AqmColorBar){.x = x,
                                      .y = TOP + BAR,
                                      .width = BAR,
                                      .height = p->height - 2 * BAR,
                                      .top = 1.0,
                                      .bottom = 0.0,
                                      .colors = (const uint8_t(*)[3])gray,
                                      .color_count = 256,
                                      .title = "confidence"},
                       TEXT);
}

static void draw_legend(const DepthPicture *p, AqmCanvas *canvas, int left) {
    const double y = TOP + p->height + 24, side = 0.8 * TEXT;
    aqm_canvas_color(canvas, aqm_pixel(unknown), 1.0);
    cairo_rectangle(canvas->cairo, left, y - 0.5 * side, side, side);
    cairo_fill(canvas->cairo);
    aqm_canvas_color(canvas, 0x222222, 1.0);
    (void)aqm_canvas_text(canvas, p->is_known ? "not known" : "not known: the whole map is empty",
                          left + 1.5 * side, y, TEXT, 0.0);
}

static void choose_size(DepthPicture *p) {
    const int longer = p->map->width > p->map->height ? p->map->width : p->map->height;
    p->fit = aqm_fit_choose(longer);
    p->width = (p->map->width + p->fit.reduce - 1) / p->fit.reduce * p->fit.magnify;
    p->height = (p->map->height + p->fit.reduce - 1) / p->fit.reduce * p->fit.magnify;
}

AqmStatus aqm_picture_depth(const AqmDepthMap *map, const char *name, AqmImage **out,
                            AqmDiag *diag) {
    DepthPicture p = {.map = map};
    AqmCanvas canvas;
    AqmColorMap colors;
    *out = NULL;
    choose_size(&p);
    AQM_TRY(find_range(&p, diag));
    const int left = MARGIN, left_bar = left + p.width + GAP;
    const int right = left_bar + BAR + LABELS, right_bar = right + p.width + GAP;
    AQM_TRY(aqm_canvas_create(&canvas, right_bar + BAR + LABELS, TOP + p.height + 46, diag));
    aqm_color_map_make(&colors);
    paint_panels(&p, &colors, &canvas, left, right);
    aqm_canvas_color(&canvas, 0x222222, 1.0);
    aqm_canvas_frame(&canvas, left, TOP, p.width, p.height);
    aqm_canvas_frame(&canvas, right, TOP, p.width, p.height);
    char title[128];
    snprintf(title, sizeof title, "%s: depth along the ray below the surface", name);
    (void)aqm_canvas_text(&canvas, title, left, 28, 1.15 * TEXT, 0.0);
    (void)aqm_canvas_text(&canvas, "confidence", right, 28, 1.15 * TEXT, 0.0);
    draw_legend(&p, &canvas, left);
    if (p.is_known)
        draw_depth_bar(&p, &colors, &canvas, left_bar);
    draw_confidence_bar(&p, &canvas, right_bar);
    return aqm_canvas_finish(&canvas, out, diag);
}
