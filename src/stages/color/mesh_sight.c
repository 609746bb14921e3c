/* What lies before what: the mesh drawn into a buffer of ray depths at half the resolution, the
 * nearest kept. Every vertex goes into the cell nearest to it, and that is enough for a triangle of
 * less than SMALL px. Of one up to twice as large, as most of the others are, the middles of the
 * edges go there too. Larger ones are filled, with straight edges between projected vertices (they
 * bend by nothing that counts).
 *
 * A vertex is hidden if it lies farther than the nearest of the 4 x 4 cells around it by more than
 * a surface that slopes by STEEPEST could change over so many cells: beside the outline of what is
 * before it, too, where the image is a mixture of both. The nearest of 4 x 4 is found once for
 * every cell.
 *
 * Cost: 12 ns a vertex and 4 ns a triangle, for each view. */
#include "stages/color/mesh_sight.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/diag.h"
#include "geometry/refraction.h"

/* Metres of ray depth a metre across it, over as many cells: two, and half a one by which a vertex
 * may lie beside its cell. */
#define STEEPEST 3.2f
#define REACH 2.5f
const float aqm_sight_tolerance_px = STEEPEST * REACH * AQM_SIGHT_CELL;
const float aqm_sight_tolerance_m = 5e-4f; /* the surface is not known better */

/* Of any point in a triangle whose corners lie no farther apart in u and v, one corner is in the 4
 * x 4 cells around it. */
static const float SMALL = 2.0f * AQM_SIGHT_CELL;
/* The middles of its edges divide a triangle into four of half the size. */
static const float MEDIUM = 4.0f * AQM_SIGHT_CELL;

enum { BESIDE = 3 }; /* cells before and behind the middle of the window, in all */

size_t aqm_vertex_block_load(AqmVertexBlock *block, const float *vectors, size_t count) {
    const size_t lanes = AQM_PAINT_LANES, padded = (count + lanes - 1) / lanes * lanes;
    float *restrict x = block->axis[0], *restrict y = block->axis[1], *restrict z = block->axis[2];
    for (size_t i = 0; i < count; i++) {
        x[i] = vectors[3 * i];
        y[i] = vectors[3 * i + 1];
        z[i] = vectors[3 * i + 2];
    }
    for (size_t i = count; i < padded; i++)
        x[i] = y[i] = z[i] = 0.0f;
    return padded;
}

static size_t cells_of(const AqmSightBuffer *buffer) {
    return (size_t)buffer->columns * (size_t)buffer->rows;
}

/* Behind the cells one more, for what lies in none, and two lines for widen. */
AqmStatus aqm_sight_buffer_create(AqmSightBuffer *out, const AqmView *view, AqmDiag *diag) {
    AqmSightBuffer buffer = {view->width / AQM_SIGHT_CELL + 1, view->height / AQM_SIGHT_CELL + 1,
                             NULL};
    const size_t cells = cells_of(&buffer), room = cells + 1 + 2 * (size_t)buffer.columns + BESIDE;
    buffer.depth_m = aqm_alloc(room, sizeof *buffer.depth_m);
    if (!buffer.depth_m)
        return aqm_fail_memory(diag, "what a camera sees", room, sizeof *buffer.depth_m);
    *out = buffer;
    return AQM_OK;
}

/* fminf and fmaxf are calls, for what they do with NaN. */
static float least(float a, float b) {
    return a < b ? a : b;
}

static float most(float a, float b) {
    return a > b ? a : b;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Where the vertices of a mesh are seen. */
typedef struct Seen {
    const float *u, *v, *depth;
} Seen;

static int clamp(float value, int end) {
    return value > 0.0f ? value < (float)end ? (int)value : end : 0;
}

static void draw_triangle(const AqmSightBuffer *buffer, const Seen *seen, const uint32_t t[3]) {
    const float s = 1.0f / AQM_SIGHT_CELL;
    const float ax = seen->u[t[0]] * s, ay = seen->v[t[0]] * s, bx = seen->u[t[1]] * s,
                by = seen->v[t[1]] * s, cx = seen->u[t[2]] * s, cy = seen->v[t[2]] * s;
    const float first = seen->depth[t[0]], along_b = seen->depth[t[1]] - first,
                along_c = seen->depth[t[2]] - first;
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
            *cell = least(first + p * along_b + q * along_c, *cell);
        }
}

/* Into the cell nearest to the middle of an edge, if it is in the image. */
static void draw_middle(const AqmSightBuffer *buffer, const Seen *seen, uint32_t a, uint32_t b) {
    const float half = 0.5f / AQM_SIGHT_CELL;
    const float x = half * (seen->u[a] + seen->u[b]) + 0.5f;
    const float y = half * (seen->v[a] + seen->v[b]) + 0.5f;
    if (!((x >= 0.0f) & (y >= 0.0f) & (x < (float)buffer->columns) & (y < (float)buffer->rows)))
        return;
    float *cell = buffer->depth_m + (size_t)(int)y * (size_t)buffer->columns + (size_t)(int)x;
    *cell = least(0.5f * (seen->depth[a] + seen->depth[b]), *cell);
}

/* px, the longer of width and height; of a triangle not seen as a whole it means nothing, and what
 * is drawn of that has both of its ends. */
static float extent_of(const Seen *seen, const uint32_t t[3]) {
    const float au = seen->u[t[0]], bu = seen->u[t[1]], cu = seen->u[t[2]];
    const float av = seen->v[t[0]], bv = seen->v[t[1]], cv = seen->v[t[2]];
    const float width = most(au, most(bu, cu)) - least(au, least(bu, cu));
    const float height = most(av, most(bv, cv)) - least(av, least(bv, cv));
    return most(width, height);
}

static void draw_inside(const AqmSightBuffer *buffer, const Seen *seen, const uint32_t t[3]) {
    const float extent = extent_of(seen, t);
    if (extent < SMALL)
        return;
    if (!(extent < MEDIUM)) {
        draw_triangle(buffer, seen, t);
        return;
    }
    for (int k = 0; k < 3; k++)
        draw_middle(buffer, seen, t[k], t[(k + 1) % 3]);
}

static void draw_vertices(const AqmSightBuffer *buffer, const AqmMesh *mesh, const AqmView *view,
                          const AqmPaintSights *sights) {
    const AqmPaintKernels *kernels = aqm_paint_kernels(aqm_cpu_features());
    const AqmSightCamera camera = aqm_sight_camera(view);
    const AqmPaintCells cells = {buffer->columns, buffer->rows, (int32_t)cells_of(buffer)};
    for (size_t first = 0; first < mesh->vertex_count; first += AQM_PAINT_BLOCK) {
        const size_t left = mesh->vertex_count - first;
        const size_t count = left < AQM_PAINT_BLOCK ? left : AQM_PAINT_BLOCK;
        const AqmPaintSights here = {sights->u + first, sights->v + first, sights->depth + first,
                                     NULL, NULL};
        AqmVertexBlock block;
        int32_t cell[AQM_PAINT_BLOCK];
        const size_t padded = aqm_vertex_block_load(&block, mesh->position + 3 * first, count);
        const float *const position[3] = {block.axis[0], block.axis[1], block.axis[2]};
        kernels->places(&camera, &cells, position, padded, &here, cell);
        for (size_t i = 0; i < count; i++) {
            float *nearest = buffer->depth_m + cell[i];
            *nearest = least(here.depth[i], *nearest);
        }
    }
}

/* Each cell to the nearest of the 4 x 4 around it: along the rows, then along the columns. */
static void widen(const AqmSightBuffer *buffer) {
    const size_t columns = (size_t)buffer->columns;
    float *restrict above = buffer->depth_m + cells_of(buffer) + 1, *restrict line =
                                                                        above + columns;
    line[0] = line[columns + 1] = line[columns + 2] = INFINITY;
    for (int y = 0; y < buffer->rows; y++) {
        float *restrict row = buffer->depth_m + (size_t)y * columns;
        memcpy(line + 1, row, columns * sizeof *row);
        for (size_t x = 0; x < columns; x++)
            row[x] = least(least(line[x], line[x + 1]), least(line[x + 2], line[x + 3]));
    }
    memcpy(above, buffer->depth_m, columns * sizeof *above);
    for (int y = 0; y < buffer->rows; y++) {
        float *restrict row = buffer->depth_m + (size_t)y * columns;
        const float *one = row + (y + 1 < buffer->rows ? columns : 0);
        const float *two = one + (y + 2 < buffer->rows ? columns : 0);
        for (size_t x = 0; x < columns; x++) {
            const float here = row[x];
            row[x] = least(least(above[x], here), least(one[x], two[x]));
            above[x] = here;
        }
    }
}

static size_t padded_count(size_t vertex_count) {
    return vertex_count / AQM_PAINT_LANES * AQM_PAINT_LANES + AQM_PAINT_LANES;
}

size_t aqm_sight_scratch(size_t vertex_count) {
    return 3 * padded_count(vertex_count);
}

void aqm_sight_buffer_draw(const AqmSightBuffer *buffer, const AqmMesh *mesh, const AqmView *view,
                           float *scratch) {
    const size_t padded = padded_count(mesh->vertex_count);
    const AqmPaintSights sights = {scratch, scratch + padded, scratch + 2 * padded, NULL, NULL};
    const Seen seen = {sights.u, sights.v, sights.depth};
    for (size_t i = 0; i <= cells_of(buffer); i++)
        buffer->depth_m[i] = INFINITY;
    draw_vertices(buffer, mesh, view, &sights);
    for (size_t i = 0; i < mesh->triangle_count; i++)
        draw_inside(buffer, &seen, mesh->triangles + 3 * i);
    widen(buffer);
}
