/* The change between two height maps, from above.
 *
 * Colours diverge from a near-white for no change: blue where the bed has risen, red where it has
 * sunk, both darker the larger the change (OKLab, Ottosson 2020: lightness 0.97 to 0.42, hues 255
 * and 29 degrees), so that a gray print still tells how much. What is within its noise is drawn in
 * half of the chroma and contrast. Significant cells that hang together, by sides, in areas of at
 * least OUTLINED of them are outlined: one cell in twenty is significant by chance, and chance
 * forms small areas. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/stats.h"
#include "stages/picture/canvas.h"
#include "stages/picture/color_map.h"

enum {
    SIDE = 820, /* pixels of the panel's longer side */
    SHORTEST = 160,
    TEXT = 18,
    LEFT = 98,
    LINE = 26, /* from one caption to the next */
    TOP = 40,  /* without captions */
    BOTTOM = 112,
    BAR = 20,
    GAP = 16,
    LABELS = 112,
    COLORS = 255, /* odd: one is no change */
    OUTLINED = 100
};

static const uint32_t ink = 0x222222;
static const uint8_t unknown[3] = {205, 205, 205};

typedef struct DifferencePicture {
    const AqmHeightMap *map;
    const uint8_t *significant; /* may be NULL */
    AqmPanel panel;
    double range_m; /* of the colours, either way */
    bool is_known, more_up, more_down;
    uint8_t *outlined; /* cells of areas to be outlined */
    uint8_t colors[COLORS][3], pale[COLORS][3];
    const char *bar_title, *unknown_title;
} DifferencePicture;

/* ---- colours --------------------------------------------------------------------------------- */

void aqm_diverging_color(double t, double strength, uint8_t rgb[3]) {
    const double a = fabs(t) * strength, hue = (t > 0.0 ? 255.0 : 29.0) * 3.14159265358979 / 180.0;
    const double chroma = 0.155 * pow(a, 0.8);
    const double lab[3] = {0.97 - 0.55 * a, chroma * cos(hue), chroma * sin(hue)};
    aqm_srgb_from_oklab(lab, rgb);
}

static void make_colors(DifferencePicture *p) {
    for (int i = 0; i < COLORS; i++) { /* the first: sunk by the range */
        const double t = 2.0 * i / (COLORS - 1) - 1.0;
        aqm_diverging_color(t, 1.0, p->colors[i]);
        aqm_diverging_color(t, 0.5, p->pale[i]);
    }
}

static int color_index(const DifferencePicture *p, double dz_m) {
    const double t = 0.5 - 0.5 * dz_m / p->range_m;
    return t <= 0.0 ? 0 : t >= 1.0 ? COLORS - 1 : (int)(t * (COLORS - 1) + 0.5);
}

/* That which all but half a percent of the changes keep within, 0.1 mm at least, unless one is
 * asked for. */
static AqmStatus find_range(DifferencePicture *p, AqmDiag *diag) {
    const size_t cells = (size_t)p->map->columns * (size_t)p->map->rows;
    double *sizes = aqm_alloc(cells, sizeof *sizes);
    double least = 0.0, most = 0.0;
    size_t count = 0;
    if (!sizes)
        return aqm_fail_memory(diag, "the changes of a picture", cells, sizeof *sizes);
    for (size_t c = 0; c < cells; c++) {
        const double z = (double)p->map->z_m[c];
        if (!isfinite(z))
            continue;
        sizes[count++] = fabs(z);
        least = fmin(least, z), most = fmax(most, z);
    }
    p->is_known = count > 0;
    if (p->range_m == 0.0)
        p->range_m = count > 0 ? fmax(aqm_percentile_f64(sizes, count, 99.5), 1e-4) : 1e-3;
    p->more_up = least < -p->range_m * (1.0 + 1e-9);
    p->more_down = most > p->range_m * (1.0 + 1e-9);
    aqm_free(sizes);
    return AQM_OK;
}

/* ---- areas to outline ------------------------------------------------------------------------ */

enum { PLAIN, FOUND, SMALL, LARGE };

/* The area that holds `first`, into the queue; returns its cells. */
static size_t collect_area(DifferencePicture *p, uint32_t first, uint32_t *queue) {
    const uint32_t width = (uint32_t)p->map->columns, height = (uint32_t)p->map->rows;
    size_t count = 1;
    queue[0] = first;
    p->outlined[first] = FOUND;
    for (size_t k = 0; k < count; k++) {
        const uint32_t cell = queue[k], i = cell % width, j = cell / width;
        const bool is_inside[4] = {i > 0, i + 1 < width, j > 0, j + 1 < height};
        const uint32_t next[4] = {cell - 1, cell + 1, cell - width, cell + width};
        for (int n = 0; n < 4; n++)
            if (is_inside[n] && p->significant[next[n]] && p->outlined[next[n]] == PLAIN) {
                p->outlined[next[n]] = FOUND;
                queue[count++] = next[n];
            }
    }
    return count;
}

static AqmStatus find_areas(DifferencePicture *p, AqmDiag *diag) {
    const size_t cells = (size_t)p->map->columns * (size_t)p->map->rows;
    uint32_t *queue = aqm_alloc(cells, sizeof *queue);
    p->outlined = aqm_calloc(cells, 1);
    if (!queue || !p->outlined) {
        aqm_free(queue);
        return aqm_fail_memory(diag, "the areas of a picture", cells, 5);
    }
    for (size_t c = 0; p->significant && c < cells; c++) {
        if (!p->significant[c] || p->outlined[c] != PLAIN)
            continue;
        const size_t count = collect_area(p, (uint32_t)c, queue);
        for (size_t k = 0; k < count; k++)
            p->outlined[queue[k]] = count >= OUTLINED ? LARGE : SMALL;
    }
    aqm_free(queue);
    return AQM_OK;
}

/* ---- the panel ------------------------------------------------------------------------------- */

/* First of the cells along one side that pixel `at` of `pixels` shows. */
static int cell_at(int at, int pixels, int cells) {
    const int cell = (int)((long)at * cells / pixels);
    return cell < cells ? cell : cells - 1;
}

typedef struct Spot {
    double dz_m; /* mean of what is known; NaN = nothing */
    bool is_significant, is_outlined;
} Spot;

static Spot look_at(const DifferencePicture *p, int x, int y) {
    const AqmHeightMap *map = p->map;
    const int i0 = cell_at(x, p->panel.width, map->columns);
    const int j0 = cell_at(y, p->panel.height, map->rows);
    const int i1 = cell_at(x + 1, p->panel.width, map->columns);
    const int j1 = cell_at(y + 1, p->panel.height, map->rows);
    double sum = 0.0;
    int known = 0, significant = 0, outlined = 0, all = 0;
    for (int j = j0; j == j0 || j < j1; j++)
        for (int i = i0; i == i0 || i < i1; i++) {
            const size_t cell = (size_t)j * (size_t)map->columns + (size_t)i;
            all++;
            if (!isfinite(map->z_m[cell]))
                continue;
            known++;
            sum += (double)map->z_m[cell];
            significant += p->significant && p->significant[cell];
            outlined += p->outlined[cell] == LARGE;
        }
    return (Spot){2 * known >= all && known > 0 ? sum / known : (double)NAN,
                  !p->significant || 2 * significant >= known, outlined > 0 && 2 * outlined >= all};
}

static bool is_on_outline(const DifferencePicture *p, int x, int y) {
    static const int around[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    for (int n = 0; n < 4; n++) {
        const int u = x + around[n][0], v = y + around[n][1];
        if (u < 0 || v < 0 || u >= p->panel.width || v >= p->panel.height)
            continue;
        if (!look_at(p, u, v).is_outlined)
            return true;
    }
    return false;
}

static void paint(const DifferencePicture *p, AqmCanvas *canvas) {
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < p->panel.height; y++) {
        uint32_t *row =
            canvas->pixels + (size_t)(p->panel.y + y) * (size_t)canvas->width + p->panel.x;
        for (int x = 0; x < p->panel.width; x++) {
            const Spot spot = look_at(p, x, y);
            const uint8_t *color = unknown;
            if (!isnan(spot.dz_m))
                color = (spot.is_significant ? p->colors : p->pale)[color_index(p, spot.dz_m)];
            row[x] = spot.is_outlined && is_on_outline(p, x, y) ? ink : aqm_pixel(color);
        }
    }
    aqm_canvas_end_pixels(canvas);
}

static void draw_legend(const DifferencePicture *p, AqmCanvas *canvas) {
    const double y = p->panel.y + p->panel.height + 84, side = 0.8 * TEXT;
    double x = p->panel.x;
    aqm_canvas_color(canvas, aqm_pixel(unknown), 1.0);
    cairo_rectangle(canvas->cairo, x, y - 0.5 * side, side, side);
    cairo_fill(canvas->cairo);
    aqm_canvas_color(canvas, ink, 1.0);
    x += 1.5 * side;
    x += aqm_canvas_text(canvas, p->is_known ? p->unknown_title : "nothing is known", x, y, TEXT,
                         0.0);
    if (!p->significant)
        return;
    x += 2.0 * side;
    cairo_rectangle(canvas->cairo, floor(x) + 0.5, floor(y - 0.5 * side) + 0.5, side, side);
    cairo_stroke(canvas->cairo);
    (void)aqm_canvas_text(canvas, "more than 1.96 \u03c3; pale: within the noise", x + 1.5 * side,
                          y, TEXT, 0.0);
}

static void draw(const DifferencePicture *p, const char *const *captions, size_t caption_count,
                 AqmCanvas *canvas) {
    paint(p, canvas);
    aqm_canvas_color(canvas, ink, 1.0);
    for (size_t i = 0; i < caption_count; i++)
        (void)aqm_canvas_text(canvas, captions[i], p->panel.x, 24.0 + LINE * (double)i,
                              i == 0 ? TEXT + 2 : TEXT, 0.0);
    aqm_draw_axes(canvas, &p->panel, "X (m)", "Y (m)", TEXT);
    draw_legend(p, canvas);
    aqm_draw_color_bar(canvas,
                       &(AqmColorBar){.x = p->panel.x + p->panel.width + GAP,
                                      .y = p->panel.y + BAR,
                                      .width = BAR,
                                      .height = p->panel.height - 2 * BAR,
                                      .top = 1000.0 * p->range_m,
                                      .bottom = -1000.0 * p->range_m,
                                      .colors = p->colors,
                                      .color_count = COLORS,
                                      .more_above = p->more_up,
                                      .more_below = p->more_down,
                                      .title = p->bar_title},
                       TEXT);
}

static void choose_panel(DifferencePicture *p, size_t caption_count) {
    const AqmHeightMap *map = p->map;
    const int longer = map->columns > map->rows ? map->columns : map->rows;
    const double scale = (double)SIDE / longer;
    const int width = (int)lround(scale * map->columns), height = (int)lround(scale * map->rows);
    p->panel = (AqmPanel){LEFT,
                          TOP + LINE * (int)caption_count,
                          width > 0 ? width : 1,
                          height > 0 ? height : 1,
                          (map->first_column - 0.5) * map->step_m,
                          (map->first_row - 0.5) * map->step_m,
                          scale / map->step_m};
}

static AqmStatus make_picture(DifferencePicture *p, const char *const *captions,
                              size_t caption_count, AqmImage **out, AqmDiag *diag) {
    AqmCanvas canvas;
    *out = NULL;
    if (!(p->map->step_m > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a height map with a step of %g m",
                        p->map->step_m);
    choose_panel(p, caption_count);
    make_colors(p);
    AqmStatus status = find_range(p, diag);
    if (status == AQM_OK)
        status = find_areas(p, diag);
    const int height = p->panel.height < SHORTEST ? SHORTEST : p->panel.height;
    const int wide = p->panel.width < 4 * SHORTEST ? 4 * SHORTEST : p->panel.width;
    if (status == AQM_OK)
        status = aqm_canvas_create(&canvas, LEFT + wide + GAP + BAR + LABELS,
                                   p->panel.y + height + BOTTOM, diag);
    if (status == AQM_OK) {
        draw(p, captions, caption_count, &canvas);
        status = aqm_canvas_finish(&canvas, out, diag);
    }
    aqm_free(p->outlined);
    return status;
}

AqmStatus aqm_picture_difference(const AqmHeightMap *difference, const uint8_t *significant,
                                 const char *const *captions, size_t caption_count, AqmImage **out,
                                 AqmDiag *diag) {
    DifferencePicture p = {.map = difference,
                           .significant = significant,
                           .bar_title = "bed risen (+), sunk (\u2212), mm",
                           .unknown_title = "not measured in both"};
    return make_picture(&p, captions, caption_count, out, diag);
}

AqmStatus aqm_picture_errors(const AqmHeightMap *errors, double range_m,
                             const char *const *captions, size_t caption_count, AqmImage **out,
                             AqmDiag *diag) {
    DifferencePicture p = {.map = errors,
                           .range_m = range_m,
                           .bar_title = "too high (+), too deep (\u2212), mm",
                           .unknown_title = "no points"};
    *out = NULL;
    if (!(range_m > 0.0))
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a range of %g m for colours", range_m);
    return make_picture(&p, captions, caption_count, out, diag);
}
