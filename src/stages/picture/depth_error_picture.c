/* A depth map, the truth and the difference side by side. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"

enum {
    TEXT = 16,
    MARGIN = 20,
    TOP = 82, /* two captions */
    BAR = 18,
    GAP = 12,
    LABELS = 86,
    COLORS = 255 /* of differences; odd: one is no difference */
};

static const uint8_t unknown[3] = {205, 205, 205};

typedef struct ErrorPicture {
    const AqmDepthMap *map, *truth;
    AqmFit fit;
    int width, height;     /* of a panel */
    double near_m, deep_m; /* the range of the truth */
    double range_m;        /* of differences */
    double median_mm, known_pct;
    AqmColorMap depths;
    uint8_t errors[COLORS][3];
} ErrorPicture;

/* What the captions and the bars say. */
static AqmStatus measure(ErrorPicture *p, AqmDiag *diag) {
    const size_t count = (size_t)p->map->width * (size_t)p->map->height;
    double *errors = aqm_alloc(count, sizeof *errors);
    size_t known = 0, asked = 0;
    if (!errors)
        return aqm_fail_memory(diag, "the errors of a picture", count, sizeof *errors);
    p->near_m = INFINITY, p->deep_m = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double is = (double)p->map->depth_m[i], should = (double)p->truth->depth_m[i];
        if (!isfinite(should))
            continue;
        asked++;
        p->near_m = fmin(p->near_m, should), p->deep_m = fmax(p->deep_m, should);
        if (isfinite(is))
            errors[known++] = 1000.0 * fabs(is - should);
    }
    p->median_mm = known > 0 ? aqm_percentile_f64(errors, known, 50.0) : (double)NAN;
    p->known_pct = asked > 0 ? 100.0 * (double)known / (double)asked : 0.0;
    if (asked == 0)
        p->near_m = 0.0, p->deep_m = 1.0;
    aqm_free(errors);
    const double lacking = 1e-3 - (p->deep_m - p->near_m);
    if (lacking > 0.0)
        p->near_m -= 0.5 * lacking, p->deep_m += 0.5 * lacking;
    return AQM_OK;
}

/* Means over the block that pixel (x, y) shows, NaN where less than half of it is known. */
static double block_mean(const ErrorPicture *p, int x, int y, bool of_map, bool of_truth) {
    const int u0 = x / p->fit.magnify * p->fit.reduce, v0 = y / p->fit.magnify * p->fit.reduce;
    double sum = 0.0;
    int known = 0, all = 0;
    for (int v = v0; v < v0 + p->fit.reduce && v < p->map->height; v++)
        for (int u = u0; u < u0 + p->fit.reduce && u < p->map->width; u++) {
            const size_t at = (size_t)v * (size_t)p->map->width + (size_t)u;
            const double is = of_map ? (double)p->map->depth_m[at] : 0.0;
            const double should = of_truth ? (double)p->truth->depth_m[at] : 0.0;
            all++;
            if (!isfinite(is) || !isfinite(should))
                continue;
            sum += of_map ? is - should : should;
            known++;
        }
    return 2 * known >= all ? sum / known : (double)NAN;
}

static uint32_t depth_pixel(const ErrorPicture *p, double depth_m) {
    const double t = (p->deep_m - depth_m) / (p->deep_m - p->near_m);
    return aqm_pixel(isnan(depth_m) ? unknown : p->depths.rgb[aqm_color_map_index(t)]);
}

static uint32_t error_pixel(const ErrorPicture *p, double error_m) {
    if (isnan(error_m))
        return aqm_pixel(unknown);
    const double t = fmax(0.0, fmin(1.0, 0.5 - 0.5 * error_m / p->range_m));
    return aqm_pixel(p->errors[(int)(t * (COLORS - 1) + 0.5)]);
}

static void paint(const ErrorPicture *p, AqmCanvas *canvas, const int left[3]) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < p->height; y++) {
        uint32_t *row = canvas->pixels + (size_t)(TOP + y) * (size_t)canvas->width;
        for (int x = 0; x < p->width; x++) {
            row[left[0] + x] = depth_pixel(p, block_mean(p, x, y, true, false));
            row[left[1] + x] = depth_pixel(p, block_mean(p, x, y, false, true));
            row[left[2] + x] = error_pixel(p, block_mean(p, x, y, true, true));
        }
    }
    aqm_canvas_end_pixels(canvas);
}

static void draw_bars(const ErrorPicture *p, AqmCanvas *canvas, const int left[3]) {
    const double unit = p->deep_m - p->near_m < 0.5 ? 1000.0 : 1.0;
    AqmColorBar bar = {.x = left[1] + p->width + GAP,
                       .y = TOP + BAR,
                       .width = BAR,
                       .height = p->height - 2 * BAR,
                       .top = unit * p->near_m,
                       .bottom = unit * p->deep_m,
                       .colors = p->depths.rgb,
                       .color_count = AQM_COLOR_MAP_SIZE,
                       .title = unit > 1.0 ? "ray depth (mm)" : "ray depth (m)"};
    aqm_draw_color_bar(canvas, &bar, TEXT);
    bar.x = left[2] + p->width + GAP;
    bar.top = 1000.0 * p->range_m, bar.bottom = -1000.0 * p->range_m;
    bar.colors = p->errors, bar.color_count = COLORS;
    bar.more_above = bar.more_below = true;
    bar.title = "too high (+), too deep (\u2212), mm";
    aqm_draw_color_bar(canvas, &bar, TEXT);
}

static void draw(const ErrorPicture *p, const char *title, AqmCanvas *canvas, const int left[3]) {
    const char *const names[3] = {"estimated", "truth", "difference"};
    char numbers[128] = "the map is empty";
    if (isfinite(p->median_mm))
        snprintf(numbers, sizeof numbers,
                 "median of the absolute errors %.3f mm; %.1f %% of the pixels have a depth",
                 p->median_mm, p->known_pct);
    paint(p, canvas, left);
    aqm_canvas_color(canvas, 0x222222, 1.0);
    (void)aqm_canvas_text(canvas, title, left[0], 24, 1.15 * TEXT, 0.0);
    (void)aqm_canvas_text(canvas, numbers, left[2] + p->width + GAP + BAR + LABELS - MARGIN, 24,
                          TEXT, 1.0);
    for (int k = 0; k < 3; k++) {
        (void)aqm_canvas_text(canvas, names[k], left[k], 60, TEXT, 0.0);
        aqm_canvas_frame(canvas, left[k], TOP, p->width, p->height);
    }
    draw_bars(p, canvas, left);
    const double y = TOP + p->height + 24, side = 0.8 * TEXT;
    aqm_canvas_color(canvas, aqm_pixel(unknown), 1.0);
    cairo_rectangle(canvas->cairo, left[0], y - 0.5 * side, side, side);
    cairo_fill(canvas->cairo);
    aqm_canvas_color(canvas, 0x222222, 1.0);
    (void)aqm_canvas_text(canvas, "not known", left[0] + 1.5 * side, y, TEXT, 0.0);
}

static AqmStatus check(const AqmDepthMap *map, const AqmDepthMap *truth, double range_m,
                       AqmDiag *diag) {
    if (map->width != truth->width || map->height != truth->height)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a depth map of %d x %d, its truth of %d x %d",
                        map->width, map->height, truth->width, truth->height);
    if (!(range_m > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a range of %g m for colours", range_m);
    return AQM_OK;
}

AqmStatus aqm_picture_depth_error(const AqmDepthMap *map, const AqmDepthMap *truth, double range_m,
                                  const char *title, AqmImage **out, AqmDiag *diag) {
    *out = NULL;
    AQM_TRY(check(map, truth, range_m, diag));
    ErrorPicture p = {.map = map, .truth = truth, .range_m = range_m};
    AqmCanvas canvas;
    p.fit = aqm_fit_choose(map->width > map->height ? map->width : map->height);
    p.width = (map->width + p.fit.reduce - 1) / p.fit.reduce * p.fit.magnify;
    p.height = (map->height + p.fit.reduce - 1) / p.fit.reduce * p.fit.magnify;
    AQM_TRY(measure(&p, diag));
    const int left[3] = {MARGIN, MARGIN + p.width + GAP,
                         MARGIN + 2 * p.width + 2 * GAP + BAR + LABELS};
    AQM_TRY(aqm_canvas_create(&canvas, left[2] + p.width + GAP + BAR + LABELS, TOP + p.height + 46,
                              diag));
    aqm_color_map_make(&p.depths);
    for (int i = 0; i < COLORS; i++)
        aqm_diverging_color(2.0 * i / (COLORS - 1) - 1.0, 1.0, p.errors[i]);
    draw(&p, title, &canvas, left);
    return aqm_canvas_finish(&canvas, out, diag);
}
