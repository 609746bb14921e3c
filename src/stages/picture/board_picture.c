/* A board from above: how far what was reconstructed is from a plane, and its corners. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "math/stats.h"
#include "stages/picture/arrows.h"
#include "stages/picture/color_map.h"

enum {
    TEXT = 16,
    LINE = 24,
    SIDE = 720, /* of the longer side of the board */
    LEFT = 84,
    TOP = 20,
    BOTTOM = 112, /* axis and legend */
    BAR = 18,
    GAP = 16,
    LABELS = 96,
    SHORTEST = 160
};
static const uint32_t ink = 0x222222, sign = 0xffffff;
static const uint8_t unknown[3] = {205, 205, 205};

typedef struct BoardPicture {
    const AqmHeightMap *map; /* NULL: none */
    const AqmPictureCorner *corners;
    size_t corner_count;
    AqmPanel panel;
    AqmColorMap colors;
    double range_m; /* of the colours, to either side of 0 */
    bool more_above, more_below;
} BoardPicture;

/* The 99th percentile of all distances. */
static AqmStatus find_range(BoardPicture *p, AqmDiag *diag) {
    const size_t cells = p->map ? (size_t)p->map->columns * (size_t)p->map->rows : 0;
    double *values = aqm_alloc(cells + p->corner_count, sizeof *values), least = 0.0, most = 0.0;
    size_t count = 0;
    if (!values)
        return aqm_fail_memory(diag, "the distances of a picture", cells, sizeof *values);
    for (size_t i = 0; i < cells + p->corner_count; i++) {
        const double dz = i < cells ? (double)p->map->z_m[i] : p->corners[i - cells].dz;
        if (!isfinite(dz))
            continue;
        least = fmin(least, dz), most = fmax(most, dz);
        values[count++] = fabs(dz);
    }
    p->range_m = count > 0 ? fmax(aqm_percentile_f64(values, count, 99.0), 1e-6) : 1e-4;
    aqm_free(values);
    p->more_above = -least > p->range_m; /* Z points down: negative is above */
    p->more_below = most > p->range_m;
    return AQM_OK;
}

static const uint8_t *color_of(const BoardPicture *p, double dz_m) {
    if (!isfinite(dz_m))
        return unknown;
    return p->colors.rgb[aqm_color_map_index(0.5 - 0.5 * dz_m / p->range_m)];
}

static double deviation_at(const AqmHeightMap *map, double x_m, double y_m) {
    const long i = lround(x_m / map->step_m) - map->first_column;
    const long j = lround(y_m / map->step_m) - map->first_row;
    if (i < 0 || j < 0 || i >= map->columns || j >= map->rows)
        return (double)NAN;
    return (double)map->z_m[(size_t)j * (size_t)map->columns + (size_t)i];
}

static void paint(const BoardPicture *p, AqmCanvas *canvas) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < p->panel.height; y++) {
        uint32_t *row =
            canvas->pixels + (size_t)(p->panel.y + y) * (size_t)canvas->width + p->panel.x;
        for (int x = 0; x < p->panel.width; x++) {
            const double dz = p->map ? deviation_at(p->map, (x + 0.5) / p->panel.px_per_m,
                                                    (y + 0.5) / p->panel.px_per_m)
                                     : (double)NAN;
            row[x] = aqm_pixel(color_of(p, dz));
        }
    }
    aqm_canvas_end_pixels(canvas);
}

static double typical(const BoardPicture *p) {
    double sum = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < p->corner_count; i++) {
        const AqmPictureCorner *c = &p->corners[i];
        if (isfinite(c->dx) && isfinite(c->dy))
            sum += c->dx * c->dx + c->dy * c->dy, count++;
    }
    return count > 0 ? sqrt(sum / (double)count) : (double)NAN;
}

static void draw_corners(const BoardPicture *p, AqmCanvas *canvas, double per_m) {
    for (size_t i = 0; i < p->corner_count; i++) {
        const AqmPictureCorner *c = &p->corners[i];
        const double at[2] = {p->panel.x + c->x * p->panel.px_per_m,
                              p->panel.y + c->y * p->panel.px_per_m};
        if (!isfinite(c->dx) || !isfinite(c->dy))
            continue;
        cairo_new_path(canvas->cairo);
        cairo_arc(canvas->cairo, at[0], at[1], 7.0, 0.0, 6.28318530717958648);
        aqm_canvas_color(canvas, aqm_pixel(color_of(p, c->dz)), 1.0);
        cairo_fill_preserve(canvas->cairo);
        cairo_set_line_width(canvas->cairo, 1.0);
        aqm_canvas_color(canvas, ink, 1.0);
        cairo_stroke(canvas->cairo);
        aqm_draw_arrow(canvas, at, per_m * c->dx, per_m * c->dy, sign);
    }
}

static void draw_legend(const BoardPicture *p, AqmCanvas *canvas, double length_m, double per_m) {
    const double at[2] = {p->panel.x + 8, p->panel.y + p->panel.height + 84};
    char text[96];
    aqm_draw_arrow(canvas, at, length_m * per_m, 0.0, sign);
    snprintf(text, sizeof text, "%g mm, corners within the board; gray: nothing there",
             1000.0 * length_m);
    aqm_canvas_color(canvas, ink, 1.0);
    (void)aqm_canvas_text(canvas, text, at[0] + length_m * per_m + 12, at[1], TEXT, 0.0);
}

static void draw(const BoardPicture *p, const char *const *captions, size_t caption_count,
                 AqmCanvas *canvas) {
    double per_m;
    const double length_m = aqm_arrow_scale(typical(p), &per_m);
    paint(p, canvas);
    aqm_canvas_color(canvas, ink, 1.0);
    for (size_t i = 0; i < caption_count; i++)
        (void)aqm_canvas_text(canvas, captions[i], p->panel.x, 24.0 + LINE * (double)i,
                              i == 0 ? TEXT + 2 : TEXT, 0.0);
    aqm_draw_axes(canvas, &p->panel, "X of the board (m)", "Y of the board (m)", TEXT);
    draw_corners(p, canvas, per_m);
    if (p->corner_count > 0)
        draw_legend(p, canvas, length_m, per_m);
    aqm_draw_color_bar(canvas,
                       &(AqmColorBar){.x = p->panel.x + p->panel.width + GAP,
                                      .y = p->panel.y + BAR,
                                      .width = BAR,
                                      .height = p->panel.height - 2 * BAR,
                                      .top = -1000.0 * p->range_m,
                                      .bottom = 1000.0 * p->range_m,
                                      .colors = (const uint8_t(*)[3])p->colors.rgb,
                                      .color_count = AQM_COLOR_MAP_SIZE,
                                      .more_above = p->more_above,
                                      .more_below = p->more_below,
                                      .title = "below the plane (+), above it (\u2212), mm"},
                       TEXT);
}

AqmStatus aqm_picture_board(const AqmHeightMap *deviations, double width_m, double height_m,
                            const AqmPictureCorner *corners, size_t corner_count,
                            const char *const *captions, size_t caption_count, AqmImage **out,
                            AqmDiag *diag) {
    *out = NULL;
    if (!(width_m > 0.0 && height_m > 0.0) || (deviations && !(deviations->step_m > 0.0)))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a picture of a board of %g x %g m", width_m,
                        height_m);
    BoardPicture p = {.map = deviations, .corners = corners, .corner_count = corner_count};
    const double px_per_m = SIDE / fmax(width_m, height_m);
    const int width = (int)fmax(round(px_per_m * width_m), 1.0);
    const int height = (int)fmax(round(px_per_m * height_m), 1.0);
    p.panel = (AqmPanel){LEFT, TOP + LINE * (int)caption_count, width, height, 0.0, 0.0, px_per_m};
    aqm_color_map_make(&p.colors);
    AQM_TRY(find_range(&p, diag));
    AqmCanvas canvas;
    const int wide = width < 4 * SHORTEST ? 4 * SHORTEST : width;
    AQM_TRY(aqm_canvas_create(&canvas, LEFT + wide + GAP + BAR + LABELS,
                              p.panel.y + (height < SHORTEST ? SHORTEST : height) + BOTTOM, diag));
    draw(&p, captions, caption_count, &canvas);
    return aqm_canvas_finish(&canvas, out, diag);
}
