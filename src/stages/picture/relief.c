/* Shaded relief of a mesh seen along +Z.
 *
 * Each triangle is filled into a grid of 2 x 2 samples a pixel with the edge functions of Pineda
 * (1988); of several triangles over a sample the one nearest to the water (least Z) stays, of equal
 * ones the first. Only the triangle's number and Z are kept; position, normal and colour are
 * interpolated again, barycentrically, when the pixel is painted. The samples of a pixel are
 * averaged in linear light.
 *
 * Shading is Lambert's, from the upper left, 45 degrees over the horizon: f = n.l / (flat n).l.
 * Level ground has f = 1 and keeps exactly the colour of the bar; elsewhere the colour, in linear
 * light, is multiplied by 0.3 + 0.7 f: hue stays, as on a matt surface. Slopes are multiplied by a
 * whole number that brings their root mean square to about 0.5 (27 degrees).
 *
 * Cost: triangles' bounding boxes in samples, and 4 interpolations a pixel; 8 bytes a sample. */
#include "stages/picture/relief.h"

#include <math.h>

#include "base/alloc.h"
#include "math/stats.h"
#include "math/vec.h"

/* ---- extent ---------------------------------------------------------------------------------- */

static const float *corner(const AqmMesh *mesh, size_t triangle, int k) {
    return mesh->position + 3 * (size_t)mesh->triangles[3 * triangle + (size_t)k];
}

/* Twice the signed area of a triangle of the plane. */
static double cross(const float *a, const float *b, double x, double y) {
    return ((double)b[0] - a[0]) * (y - a[1]) - ((double)b[1] - a[1]) * (x - a[0]);
}

bool aqm_mesh_extent(const AqmMesh *mesh, AqmExtent *extent) {
    bool has_area = false;
    *extent = (AqmExtent){{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t t = 0; t < mesh->triangle_count; t++) {
        const float *c = corner(mesh, t, 2);
        const double area = cross(corner(mesh, t, 0), corner(mesh, t, 1), c[0], c[1]);
        if (!(fabs(area) > 0.0) || !isfinite(area))
            continue;
        has_area = true;
        for (int k = 0; k < 9; k++) {
            const double value = corner(mesh, t, k / 3)[k % 3];
            extent->min[k % 3] = fmin(extent->min[k % 3], value);
            extent->max[k % 3] = fmax(extent->max[k % 3], value);
        }
    }
    return has_area;
}

/* ---- filling --------------------------------------------------------------------------------- */

static double sample_x(const AqmPanel *p, int i) {
    return p->x0 + (i + 0.5) / (AQM_RELIEF_SAMPLES * p->px_per_m);
}

static double sample_y(const AqmPanel *p, int j) {
    return p->y0 + (j + 0.5) / (AQM_RELIEF_SAMPLES * p->px_per_m);
}

/* Barycentric weights of (x, y); false outside the triangle. Edges belong to it. */
static bool weights(const AqmMesh *mesh, size_t triangle, double x, double y, double w[3]) {
    const float *a = corner(mesh, triangle, 0), *b = corner(mesh, triangle, 1);
    const float *c = corner(mesh, triangle, 2);
    const double area = cross(a, b, c[0], c[1]);
    w[0] = cross(b, c, x, y) / area;
    w[1] = cross(c, a, x, y) / area;
    w[2] = cross(a, b, x, y) / area;
    const double edge = -1e-9;
    return w[0] >= edge && w[1] >= edge && w[2] >= edge; /* false for NaN: no area */
}

static int clamp_index(double value, int count) {
    return value < 0.0 ? 0 : value > count ? count : (int)value;
}

static void fill_triangle(AqmRelief *relief, size_t t) {
    const AqmMesh *mesh = relief->mesh;
    const AqmPanel *p = &relief->panel;
    const float *a = corner(mesh, t, 0), *b = corner(mesh, t, 1), *c = corner(mesh, t, 2);
    const double scale = AQM_RELIEF_SAMPLES * p->px_per_m;
    const int columns = AQM_RELIEF_SAMPLES * p->width, rows = AQM_RELIEF_SAMPLES * p->height;
    const double left = fmin(fmin(a[0], b[0]), c[0]), right = fmax(fmax(a[0], b[0]), c[0]);
    const double top = fmin(fmin(a[1], b[1]), c[1]), bottom = fmax(fmax(a[1], b[1]), c[1]);
    const int i0 = clamp_index((left - p->x0) * scale - 1.0, columns);
    const int i1 = clamp_index((right - p->x0) * scale + 1.0, columns);
    const int j0 = clamp_index((top - p->y0) * scale - 1.0, rows);
    const int j1 = clamp_index((bottom - p->y0) * scale + 1.0, rows);
    for (int j = j0; j < j1; j++)
        for (int i = i0; i < i1; i++) {
            double w[3];
            if (!weights(mesh, t, sample_x(p, i), sample_y(p, j), w))
                continue;
            const size_t at = (size_t)j * (size_t)columns + (size_t)i;
            const float z = (float)(w[0] * a[2] + w[1] * b[2] + w[2] * c[2]);
            if (relief->triangle[at] != AQM_RELIEF_NONE && !(z < relief->z[at]))
                continue;
            relief->triangle[at] = (int32_t)t;
            relief->z[at] = z;
        }
}

static size_t sample_count(const AqmRelief *relief) {
    return (size_t)relief->panel.width * (size_t)relief->panel.height * AQM_RELIEF_SAMPLES *
           AQM_RELIEF_SAMPLES;
}

AqmStatus aqm_relief_create(AqmRelief *relief, const AqmMesh *mesh, const AqmPanel *panel,
                            AqmDiag *diag) {
    *relief = (AqmRelief){.mesh = mesh, .panel = *panel};
    const size_t count = sample_count(relief);
    relief->triangle = aqm_alloc(count, sizeof *relief->triangle);
    relief->z = aqm_alloc(count, sizeof *relief->z);
    if (!relief->triangle || !relief->z) {
        aqm_relief_destroy(relief);
        return aqm_fail_memory(diag, "a relief", count, 8);
    }
    for (size_t i = 0; i < count; i++)
        relief->triangle[i] = AQM_RELIEF_NONE;
    for (size_t t = 0; t < mesh->triangle_count && t < INT32_MAX; t++)
        fill_triangle(relief, t);
    return AQM_OK;
}

void aqm_relief_destroy(AqmRelief *relief) {
    aqm_free(relief->triangle);
    aqm_free(relief->z);
    *relief = (AqmRelief){0};
}

/* ---- numbers --------------------------------------------------------------------------------- */

AqmStatus aqm_relief_quantiles(const AqmRelief *relief, double water_z, double quantile_m[3],
                               AqmDiag *diag) {
    enum { SAMPLES_MAX = 20000 }; /* 0.5 % of these are 100 */
    static const double percent[3] = {0.5, 50.0, 99.5};
    double *values = aqm_alloc(SAMPLES_MAX, sizeof *values);
    if (!values)
        return aqm_fail_memory(diag, "a picture's depths", SAMPLES_MAX, sizeof *values);
    const size_t count = sample_count(relief);
    size_t covered = 0, used = 0, seen = 0;
    for (size_t i = 0; i < count; i++)
        covered += relief->triangle[i] != AQM_RELIEF_NONE;
    const size_t step = covered / SAMPLES_MAX + 1;
    for (size_t i = 0; i < count; i++)
        if (relief->triangle[i] != AQM_RELIEF_NONE && seen++ % step == 0)
            values[used++] = (double)relief->z[i] - water_z;
    for (int k = 0; k < 3; k++)
        quantile_m[k] = used > 0 ? aqm_percentile_f64(values, used, percent[k]) : (double)NAN;
    aqm_free(values);
    return AQM_OK;
}

double aqm_relief_exaggeration(const AqmMesh *mesh) {
    double sum = 0.0;
    size_t count = 0;
    for (size_t v = 0; v < mesh->vertex_count; v++) {
        const double x = mesh->normal[3 * v], y = mesh->normal[3 * v + 1];
        const double z = mesh->normal[3 * v + 2], slope2 = (x * x + y * y) / (z * z);
        if (!(slope2 < 1.0)) /* steep rims of holes, unknown normals */
            continue;
        sum += slope2;
        count++;
    }
    const double rms = count > 0 ? sqrt(sum / (double)count) : 0.0;
    return rms * 20.0 < 0.5 ? 20.0 : fmax(1.0, floor(0.5 / rms + 0.5));
}

/* ---- painting -------------------------------------------------------------------------------- */

/* Light on a surface with this normal, as a share of that on level ground. */
static double shade(const double normal[3], double exaggeration) {
    static const double to_light[3] = {-0.5, -0.5, -0.70710678118654752};
    const double steep[3] = {exaggeration * normal[0], exaggeration * normal[1], normal[2]};
    const double length = aqm_norm3(steep);
    if (!(length > 0.0))
        return 1.0;
    const double lambert = aqm_dot3(steep, to_light) / length;
    return lambert > 0.0 ? lambert / 0.70710678118654752 : 0.0;
}

static void shaded_color(const AqmReliefPaint *paint, const double normal[3], double z,
                         double rgb[3]) {
    const double t = (paint->deep_z - z) / (paint->deep_z - paint->near_z);
    const float *color = paint->colors->linear[aqm_color_map_index(t)];
    const double light = 0.3 + 0.7 * shade(normal, paint->exaggeration);
    for (int c = 0; c < 3; c++)
        rgb[c] = fmin(1.0, light * color[c]);
}

/* Colour of one sample in linear light. */
static void sample_color(const AqmRelief *relief, const AqmReliefPaint *paint,
                         const double linear[256], int i, int j, double rgb[3]) {
    const size_t at = (size_t)j * (size_t)(AQM_RELIEF_SAMPLES * relief->panel.width) + (size_t)i;
    if (relief->triangle[at] == AQM_RELIEF_NONE) {
        for (int c = 0; c < 3; c++)
            rgb[c] = linear[paint->background[c]];
        return;
    }
    const AqmMesh *mesh = relief->mesh;
    const size_t t = (size_t)relief->triangle[at];
    double w[3], normal[3] = {0};
    (void)weights(mesh, t, sample_x(&relief->panel, i), sample_y(&relief->panel, j), w);
    rgb[0] = rgb[1] = rgb[2] = 0.0;
    for (int k = 0; k < 3; k++) {
        const size_t vertex = mesh->triangles[3 * t + (size_t)k];
        for (size_t c = 0; c < 3; c++) {
            normal[c] += w[k] * mesh->normal[3 * vertex + c];
            rgb[c] += w[k] * linear[mesh->color[3 * vertex + c]];
        }
    }
    if (paint->colors)
        shaded_color(paint, normal, relief->z[at], rgb);
    for (int c = 0; c < 3; c++)
        rgb[c] += (1.0 - rgb[c]) * paint->fade;
}

static uint32_t pixel_color(const AqmRelief *relief, const AqmReliefPaint *paint,
                            const double linear[256], int x, int y) {
    double sum[3] = {0};
    uint8_t rgb[3];
    for (int k = 0; k < AQM_RELIEF_SAMPLES * AQM_RELIEF_SAMPLES; k++) {
        double part[3];
        sample_color(relief, paint, linear, AQM_RELIEF_SAMPLES * x + k % AQM_RELIEF_SAMPLES,
                     AQM_RELIEF_SAMPLES * y + k / AQM_RELIEF_SAMPLES, part);
        for (int c = 0; c < 3; c++)
            sum[c] += part[c];
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = aqm_srgb_from_linear(sum[c] / (AQM_RELIEF_SAMPLES * AQM_RELIEF_SAMPLES));
    return aqm_pixel(rgb);
}

void aqm_relief_paint(const AqmRelief *relief, const AqmReliefPaint *paint, AqmCanvas *canvas) {
    const AqmPanel *p = &relief->panel;
    double linear[256];
    for (int i = 0; i < 256; i++)
        linear[i] = aqm_linear_from_srgb((uint8_t)i);
    aqm_canvas_begin_pixels(canvas);
    for (int y = 0; y < p->height; y++) {
        uint32_t *row = canvas->pixels + (size_t)(p->y + y) * (size_t)canvas->width + p->x;
        for (int x = 0; x < p->width; x++)
            row[x] = pixel_color(relief, paint, linear, x, y);
    }
    aqm_canvas_end_pixels(canvas);
}
