/* The surface from above: relief coloured by depth, and the colours that were filmed. */
#include <math.h>
#include <stdio.h>

#include "aquamvs/picture.h"
#include "base/diag.h"
#include "stages/picture/canvas.h"
#include "stages/picture/relief.h"

enum {
    SIDE = 760, /* pixels of a panel's longer side */
    PAD = 14,   /* pixels around the mesh */
    TEXT = 20,
    LEFT = 104, /* Y axis */
    TOP = 64,   /* titles */
    BOTTOM = 84,
    BAR = 22,
    GAP = 16,
    LABELS = 124, /* bar to the second panel */
    RIGHT = 28
};

static const uint32_t ink = 0x222222;
static const uint8_t paper[3] = {236, 238, 240};

static AqmPanel choose_panel(const AqmExtent *extent) {
    const double size_x = extent->max[0] - extent->min[0], size_y = extent->max[1] - extent->min[1];
    const double scale = (SIDE - 2 * PAD) / fmax(size_x, size_y), pad_m = PAD / scale;
    const int width = (int)ceil(size_x * scale - 1e-9) + 2 * PAD;
    const int height = (int)ceil(size_y * scale - 1e-9) + 2 * PAD;
    return (AqmPanel){LEFT,
                      TOP,
                      width < 300 ? 300 : width,
                      height < 300 ? 300 : height,
                      extent->min[0] - pad_m,
                      extent->min[1] - pad_m,
                      scale};
}

/* The scale bar in the margin below the right panel, at its right end. */
static void draw_scale(AqmCanvas *canvas, const AqmPanel *panel) {
    const AqmScaleBar bar = aqm_scale_bar_choose(panel->px_per_m, 0.3 * panel->width);
    aqm_draw_scale_bar(canvas, &bar, panel->x + panel->width - bar.length_px,
                       panel->y + panel->height + 58, ink, TEXT);
}

static void draw_bar(AqmCanvas *canvas, const AqmRelief *relief, const AqmReliefPaint *paint,
                     const AqmExtent *extent, double water_z) {
    const AqmPanel *p = &relief->panel;
    aqm_draw_color_bar(
        canvas,
        &(AqmColorBar){
            .x = p->x + p->width + GAP,
            .y = p->y + BAR,
            .width = BAR,
            .height = p->height - 2 * BAR,
            .top = 1000.0 * (paint->near_z - water_z),
            .bottom = 1000.0 * (paint->deep_z - water_z),
            .colors = paint->colors->rgb,
            .color_count = AQM_COLOR_MAP_SIZE,
            .more_above =
                extent->min[2]<paint->near_z - 1e-6, .more_below = extent->max[2]> paint->deep_z +
                1e-6,
            .title = "depth below the water surface (mm)"},
        TEXT);
}

static void draw_titles(AqmCanvas *canvas, const AqmPanel *left, const AqmPanel *right,
                        double exaggeration) {
    char title[96] = "Surface, relief shaded";
    if (exaggeration > 1.0)
        snprintf(title, sizeof title, "Surface, relief shaded with slopes \u00d7 %.0f",
                 exaggeration);
    aqm_canvas_color(canvas, ink, 1.0);
    (void)aqm_canvas_text(canvas, title, left->x, TOP - 26, TEXT + 2, 0.0);
    (void)aqm_canvas_text(canvas, "Surface, colours as filmed", right->x, TOP - 26, TEXT + 2, 0.0);
}

static void draw(AqmCanvas *canvas, AqmRelief *relief, const AqmExtent *extent, double water_z,
                 const double depth_m[3]) {
    AqmColorMap colors;
    aqm_color_map_make(&colors);
    const double lacking = fmax(0.0, 1e-3 - (depth_m[2] - depth_m[0]));
    AqmReliefPaint paint = {.colors = &colors,
                            .near_z = water_z + depth_m[0] - 0.5 * lacking,
                            .deep_z = water_z + depth_m[2] + 0.5 * lacking,
                            .exaggeration = aqm_relief_exaggeration(relief->mesh),
                            .background = {paper[0], paper[1], paper[2]}};
    const AqmPanel left = relief->panel;
    aqm_relief_paint(relief, &paint, canvas);
    aqm_draw_axes(canvas, &left, "X (m)", "Y (m)", TEXT);
    draw_bar(canvas, relief, &paint, extent, water_z);

    relief->panel.x += left.width + GAP + BAR + LABELS;
    paint.colors = NULL;
    aqm_relief_paint(relief, &paint, canvas);
    aqm_draw_axes(canvas, &relief->panel, NULL, NULL, TEXT);
    draw_titles(canvas, &left, &relief->panel, paint.exaggeration);
    draw_scale(canvas, &relief->panel);
}

AqmStatus aqm_picture_scene(const AqmMesh *mesh, double water_z, AqmImage **out, AqmDiag *diag) {
    AqmExtent extent;
    AqmRelief relief;
    AqmCanvas canvas;
    double depth_m[3];
    *out = NULL;
    if (!aqm_mesh_extent(mesh, &extent))
        return aqm_fail(diag, AQM_ERROR_NO_DATA,
                        "a mesh of %zu triangles has no area seen from above",
                        mesh->triangle_count);
    const AqmPanel panel = choose_panel(&extent);
    AQM_TRY(aqm_relief_create(&relief, mesh, &panel, diag));
    AqmStatus status = aqm_relief_quantiles(&relief, water_z, depth_m, diag);
    if (status == AQM_OK && isnan(depth_m[0]))
        depth_m[0] = extent.min[2] - water_z, depth_m[2] = extent.max[2] - water_z;
    const int width = LEFT + 2 * panel.width + GAP + BAR + LABELS + RIGHT;
    if (status == AQM_OK)
        status = aqm_canvas_create(&canvas, width, TOP + panel.height + BOTTOM, diag);
    if (status == AQM_OK)
        draw(&canvas, &relief, &extent, water_z, depth_m);
    aqm_relief_destroy(&relief);
    return status == AQM_OK ? aqm_canvas_finish(&canvas, out, diag) : status;
}
