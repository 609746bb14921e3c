/* Where a camera over water sees the vertices of a mesh, and what lies before what.
 *
 * With z the apparent depth of a vertex P (refraction.h) and r its horizontal distance from the
 * camera, tan a = r / z is the angle in air, sin w = sin a / n that in water: the ray falls by cos
 * w a metre, so that P lies h / cos w along it, and its direction is (sin w along the horizontal,
 * cos w down).
 *
 * Visibility: triangles drawn into a buffer of ray depths at half the resolution, straight edges
 * between projected vertices (a triangle of a few pixels bends by nothing that counts), the nearest
 * kept. A vertex is hidden if it lies farther than the nearest of the 4 x 4 cells around it by more
 * than a surface that slopes by STEEPEST could change over so many cells: beside the outline of
 * what is before it, too, where the image is a mixture of both. Cost: 15 ns a vertex, 15 ns a
 * triangle and view. */
#include "stages/color/mesh_sight.h"

#include <math.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "geometry/refraction.h"

static const double STEEPEST = 4.0, REACH = 2.0; /* metres of ray depth a metre across it */
static const float LEAST_TOLERANCE = 5e-4f;      /* metres: the surface is not known better */

/* In float, as far as that is far below a tenth of a pixel: 1e-3 px in a ring rig's working volume.
 */
AqmVertexSight aqm_vertex_sight(const AqmView *view, const float position[3],
                                const float normal[3]) {
    const AqmVertexSight nowhere = {NAN, NAN, NAN, 0.0f, 0.0f};
    const float x = (float)((double)position[0] - view->C[0]);
    const float y = (float)((double)position[1] - view->C[1]);
    const float h = (float)((double)position[2] - view->water_z);
    const float h_c = (float)(view->water_z - view->C[2]), n = (float)view->n, r2 = x * x + y * y;
    if (!(h > 0.0f))
        return nowhere;
    const float two_steps = aqm_apparent_z_f32(h_c, h, h / n, n * n, r2);
    const float z = aqm_apparent_z_step_f32(two_steps, h_c, h, n * n, r2);
    const double *R = view->R;
    const float depth = (float)R[6] * x + (float)R[7] * y + (float)R[8] * z;
    if (!(depth > 0.0f))
        return nowhere;
    const float u = ((float)R[0] * x + (float)R[1] * y + (float)R[2] * z) / depth;
    const float v = ((float)R[3] * x + (float)R[4] * y + (float)R[5] * z) / depth;
    const float in_air = sqrtf(r2 + z * z), across = 1.0f / (n * in_air); /* sin w / r */
    const float cos_water = sqrtf(1.0f - r2 * across * across);
    const float facing = -(across * (x * normal[0] + y * normal[1]) + cos_water * normal[2]);
    return (AqmVertexSight){(float)view->fx * u + (float)view->cx,
                            (float)view->fy * v + (float)view->cy, h / cos_water, facing,
                            (float)view->fx / in_air};
}

/* ---- what lies before what ------------------------------------------------------------------- */

AqmStatus aqm_sight_buffer_create(AqmSightBuffer *out, const AqmView *view, AqmDiag *diag) {
    const int columns = view->width / AQM_SIGHT_CELL + 1, rows = view->height / AQM_SIGHT_CELL + 1;
    const size_t cells = (size_t)columns * (size_t)rows;
    float *depth = aqm_alloc(cells, sizeof *depth);
    if (!depth)
        return aqm_fail_memory(diag, "what a camera sees", cells, sizeof *depth);
    for (size_t i = 0; i < cells; i++)
        depth[i] = INFINITY;
    *out = (AqmSightBuffer){columns, rows, depth};
    return AQM_OK;
}

static int clamp(float value, int end) {
    return value > 0.0f ? value < (float)end ? (int)value : end : 0;
}

/* fminf and fmaxf are calls, for what they do with NaN. */
static float least(float a, float b) {
    return a < b ? a : b;
}

static float most(float a, float b) {
    return a > b ? a : b;
}

/* Cell (i, j) is centred on pixel (AQM_SIGHT_CELL i, AQM_SIGHT_CELL j). */
static void draw_triangle(const AqmSightBuffer *buffer, const AqmVertexSight *a,
                          const AqmVertexSight *b, const AqmVertexSight *c) {
    const float s = 1.0f / AQM_SIGHT_CELL;
    const float ax = a->u * s, ay = a->v * s, bx = b->u * s, by = b->v * s, cx = c->u * s,
                cy = c->v * s;
    const float area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    const float right = most(ax, most(bx, cx)), bottom = most(ay, most(by, cy));
    const float left = least(ax, least(bx, cx)), top = least(ay, least(by, cy));
    if (!(fabsf(area) > 1e-12f) || right < 0.0f || bottom < 0.0f || left > (float)buffer->columns ||
        top > (float)buffer->rows)
        return; /* NaN too */
    const int x1 = clamp(floorf(right), buffer->columns - 1);
    const int y1 = clamp(floorf(bottom), buffer->rows - 1);
    for (int y = clamp(ceilf(top), buffer->rows); y <= y1; y++)
        for (int x = clamp(ceilf(left), buffer->columns); x <= x1; x++) {
            const float px = (float)x - ax, py = (float)y - ay;
            const float p = (px * (cy - ay) - (cx - ax) * py) / area;
            const float q = ((bx - ax) * py - px * (by - ay)) / area;
            if (p < 0.0f || q < 0.0f || p + q > 1.0f)
                continue;
            float *cell = buffer->depth_m + (size_t)y * (size_t)buffer->columns + (size_t)x;
            const float depth =
                a->depth_m + p * (b->depth_m - a->depth_m) + q * (c->depth_m - a->depth_m);
            *cell = depth < *cell ? depth : *cell;
        }
}

void aqm_sight_buffer_draw(const AqmSightBuffer *buffer, const AqmMesh *mesh, const AqmView *view,
                           AqmVertexSight *scratch) {
    for (size_t i = 0; i < mesh->vertex_count; i++)
        scratch[i] = aqm_vertex_sight(view, mesh->position + 3 * i, mesh->normal + 3 * i);
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles + 3 * i;
        draw_triangle(buffer, &scratch[t[0]], &scratch[t[1]], &scratch[t[2]]);
    }
}

bool aqm_sight_is_hidden(const AqmSightBuffer *buffer, const AqmVertexSight *sight) {
    const int x = clamp(floorf(sight->u / AQM_SIGHT_CELL), buffer->columns - 1);
    const int y = clamp(floorf(sight->v / AQM_SIGHT_CELL), buffer->rows - 1);
    float nearest = INFINITY;
    for (int j = y > 0 ? y - 1 : 0; j <= y + 2 && j < buffer->rows; j++) {
        const float *row = buffer->depth_m + (size_t)j * (size_t)buffer->columns;
        for (int i = x > 0 ? x - 1 : 0; i <= x + 2 && i < buffer->columns; i++)
            nearest = least(nearest, row[i]);
    }
    const float slope = (float)(STEEPEST * REACH * AQM_SIGHT_CELL) / sight->size_px;
    return sight->depth_m > nearest + most(slope, LEAST_TOLERANCE);
}
