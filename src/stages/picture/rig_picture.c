/* The rig, from above and from the side, to the same scale.
 *
 * Both views are orthographic: the plan along +Z (X right, Y down), the side view along +Y (X
 * right, Z down). A pyramid shows where a camera looks in air; its central ray and the border of
 * what it sees are cast through the water surface and so are bent as light is. Names are placed
 * one after the other, each at the first of LABEL_PLACES places around its camera where it covers
 * no name, no camera and no edge. */
#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "aquamvs/picture.h"
#include "base/alloc.h"
#include "base/diag.h"
#include "math/vec.h"
#include "stages/picture/canvas.h"
#include "stages/picture/relief.h"

enum { SIDE = 820, TEXT = 18, LEFT = 92, TOP = 56, BOTTOM = 76, BETWEEN = 104, RIGHT = 28 };
enum { LABEL_PLACES = 24, BORDER_STEPS = 16 };

static const uint32_t ink = 0x222222, water_blue = 0x2a7fb8, camera_red = 0xb5362c;
static const uint32_t bed_brown = 0xb39a6b;

typedef struct Box {
    double x, y, width, height;
} Box;

typedef struct RigPicture {
    const AqmPictureCamera *cameras;
    size_t count;
    const AqmMesh *mesh; /* NULL: none with an area */
    AqmExtent surface;
    double water_z, ground_z; /* ground: where rays are drawn to */
    double pyramid_m;         /* along the optical axis */
    AqmPanel plan, side;
    Box *labels; /* placed so far in this view */
    size_t label_count;
    AqmCanvas canvas;
} RigPicture;

/* ---- layout ---------------------------------------------------------------------------------- */

static void choose_layout(RigPicture *r) {
    AqmExtent all = {{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 0; i < r->count; i++)
        for (int k = 0; k < 3; k++) {
            all.min[k] = fmin(all.min[k], r->cameras[i].view->C[k]);
            all.max[k] = fmax(all.max[k], r->cameras[i].view->C[k]);
        }
    for (int k = 0; k < 3 && r->mesh; k++) {
        all.min[k] = fmin(all.min[k], r->surface.min[k]);
        all.max[k] = fmax(all.max[k], r->surface.max[k]);
    }
    all.max[2] = fmax(all.max[2], r->ground_z);
    double size[3], longest = 0.0;
    for (int k = 0; k < 3; k++)
        longest = fmax(longest, all.max[k] - all.min[k]);
    const double pad = 0.1 * longest;
    for (int k = 0; k < 3; k++) {
        all.min[k] -= pad, all.max[k] += pad;
        size[k] = fmax(all.max[k] - all.min[k], 0.5 * longest);
        all.min[k] = 0.5 * (all.min[k] + all.max[k] - size[k]);
    }
    const double scale = SIDE / (1.2 * longest);
    r->pyramid_m = 0.07 * longest;
    r->plan = (AqmPanel){
        LEFT,       TOP,  (int)ceil(size[0] * scale), (int)ceil(size[1] * scale), all.min[0],
        all.min[1], scale};
    r->side = (AqmPanel){LEFT + r->plan.width + BETWEEN,
                         TOP,
                         r->plan.width,
                         (int)ceil(size[2] * scale),
                         all.min[0],
                         all.min[2],
                         scale};
}

/* A point of the rig frame on the sheet; axis 1: plan, 2: side. */
static void place(const AqmPanel *panel, const double point[3], int axis, double at[2]) {
    at[0] = panel->x + (point[0] - panel->x0) * panel->px_per_m;
    at[1] = panel->y + (point[axis] - panel->y0) * panel->px_per_m;
}

static void clip_to(RigPicture *r, const AqmPanel *panel) {
    cairo_save(r->canvas.cairo);
    cairo_rectangle(r->canvas.cairo, panel->x, panel->y, panel->width, panel->height);
    cairo_clip(r->canvas.cairo);
}

/* ---- surface --------------------------------------------------------------------------------- */

static AqmStatus draw_plan_surface(RigPicture *r, AqmDiag *diag) {
    AqmRelief relief;
    AqmColorMap colors;
    double depth_m[3];
    if (!r->mesh)
        return AQM_OK;
    AQM_TRY(aqm_relief_create(&relief, r->mesh, &r->plan, diag));
    const AqmStatus status = aqm_relief_quantiles(&relief, r->water_z, depth_m, diag);
    if (status == AQM_OK && !isnan(depth_m[0])) {
        aqm_color_map_make(&colors);
        const AqmReliefPaint paint = {.colors = &colors,
                                      .near_z = r->water_z + depth_m[0] - 5e-4,
                                      .deep_z = r->water_z + depth_m[2] + 5e-4,
                                      .exaggeration = aqm_relief_exaggeration(r->mesh),
                                      .fade = 0.55,
                                      .background = {255, 255, 255}};
        aqm_relief_paint(&relief, &paint, &r->canvas);
        r->ground_z = r->water_z + depth_m[1];
    }
    aqm_relief_destroy(&relief);
    return status;
}

enum { COLUMNS_MAX = 2048 }; /* more than a panel is wide: SIDE */

/* Takes the edge from a to b into what each column of pixels shows of the surface. */
static void widen(double top[], double bottom[], int columns, const double a[2],
                  const double b[2]) {
    const double left = fmin(a[0], b[0]), right = fmax(a[0], b[0]);
    const int last = right < columns ? (int)right : columns - 1;
    for (int i = left > 0.0 ? (int)left : 0; i <= last; i++) {
        const double x = fmin(fmax(i + 0.5, left), right);
        const double part = right > left ? (x - a[0]) / (b[0] - a[0]) : 0.0;
        const double y = a[1] + part * (b[1] - a[1]);
        top[i] = fmin(top[i], y), bottom[i] = fmax(bottom[i], y);
    }
}

/* All that the mesh covers, seen from the side: a bar in each column of pixels. */
static void draw_side_surface(RigPicture *r) {
    const AqmMesh *mesh = r->mesh;
    double top[COLUMNS_MAX], bottom[COLUMNS_MAX];
    const int columns = r->side.width < COLUMNS_MAX ? r->side.width : COLUMNS_MAX;
    if (!mesh)
        return;
    for (int i = 0; i < columns; i++)
        top[i] = INFINITY, bottom[i] = -INFINITY;
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        double corner[3][2];
        for (size_t k = 0; k < 3; k++) {
            const float *p = mesh->position + 3 * (size_t)mesh->triangles[3 * t + k];
            const double point[3] = {(double)p[0], (double)p[1], (double)p[2]};
            place(&r->side, point, 2, corner[k]);
            corner[k][0] -= r->side.x;
        }
        for (int k = 0; k < 3; k++)
            widen(top, bottom, columns, corner[k], corner[(k + 1) % 3]);
    }
    aqm_canvas_color(&r->canvas, bed_brown, 1.0);
    for (int i = 0; i < columns; i++)
        if (top[i] <= bottom[i])
            cairo_rectangle(r->canvas.cairo, r->side.x + i, top[i] - 0.75, 1.0,
                            bottom[i] - top[i] + 1.5);
    cairo_fill(r->canvas.cairo);
}

static void draw_water(RigPicture *r) {
    const double y = r->side.y + (r->water_z - r->side.y0) * r->side.px_per_m;
    const double right = r->side.x + r->side.width, bottom = r->side.y + r->side.height;
    aqm_canvas_color(&r->canvas, water_blue, 0.10);
    cairo_rectangle(r->canvas.cairo, r->side.x, y, r->side.width, bottom - y);
    cairo_fill(r->canvas.cairo);
    aqm_canvas_color(&r->canvas, water_blue, 1.0);
    cairo_set_line_width(r->canvas.cairo, 1.5);
    aqm_canvas_line(&r->canvas, r->side.x, y, right, y);
    (void)aqm_canvas_text(&r->canvas, "water surface", right - 10, y + 0.9 * TEXT, TEXT - 2, 1.0);
    if (r->mesh) {
        aqm_canvas_color(&r->canvas, 0x6d5429, 1.0);
        const double low = r->side.y + (r->surface.max[2] - r->side.y0) * r->side.px_per_m;
        const double x = r->side.x + (0.5 * (r->surface.min[0] + r->surface.max[0]) - r->side.x0) *
                                         r->side.px_per_m;
        (void)aqm_canvas_text(&r->canvas, "reconstructed surface", x, low + 1.1 * TEXT, TEXT - 2,
                              0.5);
    }
}

/* ---- cameras --------------------------------------------------------------------------------- */

static void direction_of(const AqmView *view, double u, double v, double direction[3]) {
    const double axis[3] = {(u - view->cx) / view->fx, (v - view->cy) / view->fy, 1.0};
    aqm_mul33tv(view->R, axis, direction);
}

/* Where the ray of a pixel meets the ground. */
static bool meet_ground(const RigPicture *r, const AqmView *view, double u, double v,
                        double surface[3], double ground[3]) {
    AqmRay ray;
    if (!aqm_view_cast(view, u, v, &ray) || !(ray.direction[2] > 0.05))
        return false;
    const double s = (r->ground_z - ray.origin[2]) / ray.direction[2];
    for (int k = 0; k < 3; k++) {
        surface[k] = ray.origin[k];
        ground[k] = ray.origin[k] + s * ray.direction[k];
    }
    return true;
}

/* The border of what a camera sees on the ground, in the plan. */
static void draw_footprint(RigPicture *r, const AqmView *view) {
    cairo_t *cairo = r->canvas.cairo;
    cairo_new_path(cairo);
    for (int i = 0; i < 4 * BORDER_STEPS; i++) {
        const double part = (double)(i % BORDER_STEPS) / BORDER_STEPS;
        const int edge = i / BORDER_STEPS;
        const double along = edge < 2 ? part : 1.0 - part;
        const double u = edge % 2 == 0 ? along : edge == 1 ? 1.0 : 0.0;
        const double v = edge % 2 == 1 ? along : edge == 2 ? 1.0 : 0.0;
        double surface[3], ground[3], at[2];
        if (!meet_ground(r, view, u * view->width - 0.5, v * view->height - 0.5, surface, ground))
            continue;
        place(&r->plan, ground, 1, at);
        cairo_line_to(cairo, at[0], at[1]);
    }
    cairo_close_path(cairo);
    aqm_canvas_color(&r->canvas, ink, 0.28);
    cairo_set_line_width(cairo, 1.0);
    cairo_stroke(cairo);
}

static void draw_ray(RigPicture *r, const AqmPanel *panel, const AqmView *view, int axis) {
    double surface[3], ground[3], a[2], b[2], c[2];
    if (!meet_ground(r, view, view->cx, view->cy, surface, ground))
        return;
    place(panel, view->C, axis, a);
    place(panel, surface, axis, b);
    place(panel, ground, axis, c);
    cairo_t *cairo = r->canvas.cairo;
    cairo_set_line_width(cairo, 1.2);
    aqm_canvas_color(&r->canvas, camera_red, 0.65);
    aqm_canvas_line(&r->canvas, a[0], a[1], b[0], b[1]);
    aqm_canvas_color(&r->canvas, water_blue, 0.85);
    aqm_canvas_line(&r->canvas, b[0], b[1], c[0], c[1]);
    cairo_arc(cairo, c[0], c[1], 2.5, 0.0, 6.28318530717958648);
    cairo_fill(cairo);
}

/* The centre of a camera and the far corners of its pyramid, on the sheet. */
static void place_pyramid(const RigPicture *r, const AqmPanel *panel, const AqmView *view, int axis,
                          double centre[2], double corner[4][2]) {
    place(panel, view->C, axis, centre);
    for (int k = 0; k < 4; k++) {
        double direction[3], point[3];
        direction_of(view, k == 1 || k == 2 ? view->width : 0.0, k >= 2 ? view->height : 0.0,
                     direction);
        for (int c = 0; c < 3; c++)
            point[c] = view->C[c] + r->pyramid_m * direction[c];
        place(panel, point, axis, corner[k]);
    }
}

static Box pyramid_box(const RigPicture *r, const AqmPanel *panel, const AqmView *view, int axis) {
    double centre[2], corner[4][2];
    place_pyramid(r, panel, view, axis, centre, corner);
    double left = centre[0] - 5.0, right = centre[0] + 5.0;
    double top = centre[1] - 5.0, bottom = centre[1] + 5.0;
    for (int k = 0; k < 4; k++) {
        left = fmin(left, corner[k][0]), right = fmax(right, corner[k][0]);
        top = fmin(top, corner[k][1]), bottom = fmax(bottom, corner[k][1]);
    }
    return (Box){left, top, right - left, bottom - top};
}

static void draw_pyramid(RigPicture *r, const AqmPanel *panel, const AqmPictureCamera *camera,
                         int axis) {
    cairo_t *cairo = r->canvas.cairo;
    double centre[2], corner[4][2];
    place_pyramid(r, panel, camera->view, axis, centre, corner);
    cairo_set_line_width(cairo, 1.3);
    for (int k = 0; k < 4; k++) {
        cairo_move_to(cairo, centre[0], centre[1]);
        cairo_line_to(cairo, corner[k][0], corner[k][1]);
        cairo_line_to(cairo, corner[(k + 1) % 4][0], corner[(k + 1) % 4][1]);
        cairo_close_path(cairo);
        aqm_canvas_color(&r->canvas, camera_red, camera->is_auxiliary ? 0.0 : 0.10);
        cairo_fill_preserve(cairo);
        aqm_canvas_color(&r->canvas, camera_red, 0.9);
        cairo_stroke(cairo);
    }
    cairo_arc(cairo, centre[0], centre[1], 4.0, 0.0, 6.28318530717958648);
    aqm_canvas_color(&r->canvas, camera->is_auxiliary ? 0xffffff : camera_red, 1.0);
    cairo_fill_preserve(cairo);
    aqm_canvas_color(&r->canvas, camera_red, 1.0);
    cairo_stroke(cairo);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool overlap(const Box *a, const Box *b) {
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
           b->y < a->y + a->height;
}

static bool is_free(const RigPicture *r, const AqmPanel *panel, const Box *box) {
    if (box->x < panel->x + 2 || box->y < panel->y + 2 ||
        box->x + box->width > panel->x + panel->width - 2 ||
        box->y + box->height > panel->y + panel->height - 2)
        return false;
    for (size_t i = 0; i < r->label_count; i++)
        if (overlap(box, &r->labels[i]))
            return false;
    return true;
}

/* Places go around the pyramid in eight directions, above first, then farther out. */
static void draw_name(RigPicture *r, const AqmPanel *panel, const AqmPictureCamera *camera,
                      int axis) {
    static const double around[8][2] = {{0, -1}, {0, 1},  {1, -1}, {-1, -1},
                                        {1, 0},  {-1, 0}, {1, 1},  {-1, 1}};
    const double width = aqm_canvas_text_width(&r->canvas, camera->name, TEXT - 2);
    const Box pyramid = pyramid_box(r, panel, camera->view, axis);
    const double middle[2] = {pyramid.x + 0.5 * pyramid.width, pyramid.y + 0.5 * pyramid.height};
    Box box = {0, 0, width + 6, TEXT + 2};
    for (int i = 0; i < LABEL_PLACES; i++) {
        const double *to = around[i % 8], out = 2.0 + 1.2 * TEXT * (double)(i / 8);
        box.x = middle[0] + to[0] * (0.5 * (box.width + pyramid.width) + out) - 0.5 * box.width;
        box.y = middle[1] + to[1] * (0.5 * (box.height + pyramid.height) + out) - 0.5 * box.height;
        if (is_free(r, panel, &box))
            break;
    }
    r->labels[r->label_count++] = box;
    aqm_canvas_color(&r->canvas, 0xffffff, 0.75);
    cairo_rectangle(r->canvas.cairo, box.x, box.y, box.width, box.height);
    cairo_fill(r->canvas.cairo);
    aqm_canvas_color(&r->canvas, ink, 1.0);
    (void)aqm_canvas_text(&r->canvas, camera->name, box.x + 0.5 * box.width,
                          box.y + 0.5 * box.height, TEXT - 2, 0.5);
}

static void draw_cameras(RigPicture *r, const AqmPanel *panel, int axis) {
    for (size_t i = 0; i < r->count; i++)
        draw_ray(r, panel, r->cameras[i].view, axis);
    r->label_count = 0;
    for (size_t i = 0; i < r->count; i++) {
        draw_pyramid(r, panel, &r->cameras[i], axis);
        r->labels[r->label_count++] = pyramid_box(r, panel, r->cameras[i].view, axis);
    }
    for (size_t i = 0; i < r->count; i++)
        draw_name(r, panel, &r->cameras[i], axis);
}

/* ---- the picture ----------------------------------------------------------------------------- */

static AqmStatus draw(RigPicture *r, AqmDiag *diag) {
    cairo_t *cairo = r->canvas.cairo;
    AQM_TRY(draw_plan_surface(r, diag));
    clip_to(r, &r->plan);
    for (size_t i = 0; i < r->count; i++)
        draw_footprint(r, r->cameras[i].view);
    draw_cameras(r, &r->plan, 1);
    cairo_restore(cairo);

    clip_to(r, &r->side);
    draw_water(r);
    draw_side_surface(r);
    draw_cameras(r, &r->side, 2);
    cairo_restore(cairo);

    aqm_draw_axes(&r->canvas, &r->plan, "X (m)", "Y (m)", TEXT);
    aqm_draw_axes(&r->canvas, &r->side, "X (m)", "Z (m), down", TEXT);
    (void)aqm_canvas_text(&r->canvas, "From above; outlines: what each camera sees of the bed",
                          r->plan.x, TOP - 22, TEXT + 1, 0.0);
    (void)aqm_canvas_text(&r->canvas,
                          "From the side, same scale; lines: the middle ray of each image",
                          r->side.x, TOP - 22, TEXT + 1, 0.0);
    return AQM_OK;
}

AqmStatus aqm_picture_rig(const AqmPictureCamera *cameras, size_t count, const AqmMesh *mesh,
                          AqmImage **out, AqmDiag *diag) {
    *out = NULL;
    if (count == 0)
        return aqm_fail(diag, AQM_ERROR_ARGUMENT, "a picture of a rig of 0 cameras");
    RigPicture r = {.cameras = cameras, .count = count, .water_z = cameras[0].view->water_z};
    r.mesh = mesh && aqm_mesh_extent(mesh, &r.surface) ? mesh : NULL;
    r.ground_z = r.mesh ? 0.5 * (r.surface.min[2] + r.surface.max[2]) : r.water_z + 0.3;
    choose_layout(&r);
    r.labels = aqm_alloc(2 * count, sizeof *r.labels);
    if (!r.labels)
        return aqm_fail_memory(diag, "the names of a picture", 2 * count, sizeof *r.labels);
    const int height =
        TOP + (r.plan.height > r.side.height ? r.plan.height : r.side.height) + BOTTOM;
    AqmStatus status = aqm_canvas_create(&r.canvas, r.side.x + r.side.width + RIGHT, height, diag);
    if (status == AQM_OK)
        status = draw(&r, diag);
    aqm_free(r.labels);
    if (status == AQM_OK)
        return aqm_canvas_finish(&r.canvas, out, diag);
    aqm_canvas_destroy(&r.canvas);
    return status;
}
