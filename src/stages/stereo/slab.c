/* Slabs of planes.
 *
 * Sampling a source at the positions of a plane means fetching four pixels from a computed place,
 * for every sample. Of neighbouring planes these places lie near each other, so a slab of planes
 * shares the work: the source is resampled once, at the positions p_m of the plane in the middle of
 * the slab, which gives a picture T of it on the grid of the reference, with a margin. Plane k then
 * is T a little aside,
 *
 *     I(p_k(x)) = T(x + d_k(x))  with  p_m(x + d_k(x)) = p_k(x),
 *
 * and d_k, at most some pixels, hardly changes from pixel to pixel: it is taken to be the same all
 * over a block of 16 x 16 pixels, so that samples are contiguous loads (kernels.h, shift). At the
 * middle of each block the equation is solved for the first and the last plane of the slab, by
 * Newton on the same bilinear p_m that T was sampled with; the planes between follow by a parabola
 * through these two and 0. sweep_bounds_test.c holds all of it against the exact projection.
 *
 * Interpolating twice blurs a little more than once, and about as much at every plane: it takes a
 * little off all scores.
 *
 * A pixel may be missing in the picture though the plane has it: what is resampled misses all that
 * a gap touches. So it is the picture that says which blocks of a plane have gaps, and the source
 * that says what these hold (sweep.c), by the plane's own warp: a parabola again, knot by knot.
 * Blocks two pixels and more from all that is present are blank without a look.
 *
 * Cost: the picture is 1.7 times as large as the tile, its samples are shared by the planes of the
 * slab; a shift takes a sixth of the time of a sample. */
#include "stages/stereo/slab.h"

#include <math.h>
#include <string.h>

enum { NEWTON_STEPS = 2 };
/* Below the least the picture costs more than it saves. */
enum { LEAST_PLANES = 3, MOST_PLANES = 48 };
static const double span_px = 12.0; /* of the farthest source, from the first plane to the last */
/* so that the four pixels of a moved sample lie in the margin */
static const float most_px = AQM_SLAB_MARGIN - 2;

void aqm_slab_grid_cast(AqmSlabGrid *grid, const AqmView *view, const AqmTile *tile) {
    const int x0 = tile->x0 - tile->radius, y0 = tile->y0 - tile->radius;
    const int across = (int)(tile->pitch / AQM_KNOT) + 1;
    const int down = (tile->rows + AQM_KNOT - 1) / AQM_KNOT + 1;
    aqm_knots_cast(&grid->wide, view, x0 - AQM_SLAB_MARGIN, y0 - AQM_SLAB_MARGIN, AQM_KNOT,
                   across + 2 * AQM_KNOT_MARGIN, down + 2 * AQM_KNOT_MARGIN);
    aqm_knots_cast(&grid->centers, view, x0 + AQM_SLAB_BLOCK / 2, y0 + AQM_SLAB_BLOCK / 2,
                   AQM_SLAB_BLOCK, (int)(tile->pitch / AQM_SLAB_BLOCK),
                   (tile->rows + AQM_SLAB_BLOCK - 1) / AQM_SLAB_BLOCK);
}

int aqm_slab_planes(const AqmPlanes *planes) {
    const int count = 1 + (int)(span_px / planes->step_px);
    if (count < LEAST_PLANES)
        return 0;
    const int most = count < MOST_PLANES ? count : MOST_PLANES;
    const int slabs = (planes->count + most - 1) / most;
    return (planes->count + slabs - 1) / slabs; /* all of about the same size */
}

size_t aqm_slab_picture_size(const AqmSweep *sweep) {
    const size_t margins = 2 * AQM_SLAB_MARGIN, halo = (size_t)sweep->window - 1;
    return (AQM_TILE_WIDTH + halo + AQM_ROW_MULTIPLE + margins) *
           (AQM_TILE_HEIGHT + halo + AQM_KNOT + margins);
}

/* Where, from (x, y), the warped knots have the position (u, v): in units of AQM_KNOT from the
 * first knot, all of them. */
static void find_position(const AqmKnots *knots, float u, float v, float *x, float *y) {
    for (int step = 0; step < NEWTON_STEPS; step++) {
        const int i = *x > 0.0f ? *x < (float)(knots->across - 2) ? (int)*x : knots->across - 2 : 0;
        const int j = *y > 0.0f ? *y < (float)(knots->down - 2) ? (int)*y : knots->down - 2 : 0;
        const float a = *x - (float)i, b = *y - (float)j;
        const float *tu = knots->u + j * knots->across + i, *bu = tu + knots->across;
        const float *tv = knots->v + j * knots->across + i, *bv = tv + knots->across;
        const float left_u = tu[0] + b * (bu[0] - tu[0]), right_u = tu[1] + b * (bu[1] - tu[1]);
        const float left_v = tv[0] + b * (bv[0] - tv[0]), right_v = tv[1] + b * (bv[1] - tv[1]);
        const float ux = right_u - left_u, vx = right_v - left_v;
        const float uy = bu[0] - tu[0] + a * (bu[1] - bu[0] - tu[1] + tu[0]);
        const float vy = bv[0] - tv[0] + a * (bv[1] - bv[0] - tv[1] + tv[0]);
        const float du = u - (left_u + a * ux), dv = v - (left_v + a * vx);
        const float inverse = 1.0f / (ux * vy - uy * vx);
        *x += (du * vy - dv * uy) * inverse;
        *y += (dv * ux - du * vx) * inverse;
    }
}

/* How far the blocks of plane h, in the middle of each, lie from their places in the picture. False
 * where that is too far, or nowhere. */
static bool find_shifts(AqmSlabGrid *grid, const AqmKernels *kernels, const AqmSweepSource *source,
                        double h, float *right, float *down) {
    AqmKnots *centers = &grid->centers;
    aqm_knots_warp(centers, kernels, source, h);
    bool is_near = true;
    for (int k = 0; k < centers->across * centers->down; k++) {
        const float x0 = AQM_KNOT_MARGIN + (float)(k % centers->across * 2 + 1);
        const float y0 = AQM_KNOT_MARGIN + (float)(k / centers->across * 2 + 1);
        float x = x0, y = y0;
        find_position(&grid->wide, centers->u[k], centers->v[k], &x, &y);
        right[k] = AQM_KNOT * (x - x0);
        down[k] = AQM_KNOT * (y - y0);
        is_near &= fabsf(right[k]) < most_px && fabsf(down[k]) < most_px;
    }
    return is_near;
}

static void resample(AqmSlab *slab, AqmSlabGrid *grid, const AqmSweep *sweep, const AqmTile *tile,
                     const AqmSweepSource *source) {
    const AqmGray gray = aqm_stereo_image_gray(source->image);
    const AqmKernels *kernels = sweep->kernels;
    for (int r = 0; r < tile->rows + 2 * AQM_SLAB_MARGIN; r++) {
        aqm_knots_row(&grid->wide, kernels, r, 0, (size_t)slab->stride / AQM_KNOT, grid->u,
                      grid->v);
        (slab->is_whole ? kernels->sample : kernels->sample_masked)(
            &gray, grid->u, grid->v, (size_t)slab->stride, slab->picture + r * slab->stride);
    }
}

/* The blocks of a row of the picture that have a pixel; those without a gap surely do. */
static uint32_t seen_blocks(const int16_t *row, int blocks, uint32_t gaps) {
    uint32_t seen = 0;
    for (int b = 0; b < blocks; b++) {
        bool any = !(gaps >> b & 1);
        for (int k = 0; k < AQM_SLAB_BLOCK && !any; k++)
            any = row[b * AQM_SLAB_BLOCK + k] != AQM_GRAY_MISSING;
        seen |= (uint32_t)any << b;
    }
    return seen;
}

enum { NEAR = 2 }; /* pixels from which on nothing present matters to a sample */

static void find_gaps(AqmSlab *slab, const AqmKernels *kernels, int rows) {
    uint32_t gaps[AQM_SLAB_ROWS], seen[AQM_SLAB_ROWS];
    for (int r = 0; r < rows; r++) {
        const int16_t *row = slab->picture + r * slab->stride;
        gaps[r] = kernels->gaps(row, (size_t)slab->stride);
        seen[r] = seen_blocks(row, (int)slab->stride / AQM_SLAB_BLOCK, gaps[r]);
    }
    for (int r = 0; r < rows; r++) {
        slab->gaps[r] = slab->seen[r] = 0;
        for (int k = r < NEAR ? 0 : r - NEAR; k <= r + AQM_SLAB_BLOCK + NEAR && k < rows; k++) {
            slab->seen[r] |= seen[k];
            slab->gaps[r] |= k >= r && k <= r + AQM_SLAB_BLOCK ? gaps[k] : 0;
        }
    }
}

/* Keeps the knots of the middle, which are warped, and what the first and the last plane differ. */
static void keep_knots(AqmSlab *slab, AqmSlabGrid *grid, const AqmKernels *kernels,
                       const AqmSweepSource *source, const AqmPlanes *planes) {
    AqmKnots *wide = &grid->wide;
    const size_t size = wide->count * sizeof(float);
    memcpy(slab->knots[0][0], wide->u, size);
    memcpy(slab->knots[0][1], wide->v, size);
    for (int end = -1; end <= 1; end += 2) {
        aqm_knots_warp(wide, kernels, source, aqm_plane_h(planes, slab->middle + end * slab->half));
        for (size_t k = 0; k < wide->count; k++) {
            const float u = wide->u[k] - slab->knots[0][0][k];
            const float v = wide->v[k] - slab->knots[0][1][k];
            float *odd_u = &slab->knots[1][0][k], *even_u = &slab->knots[2][0][k];
            float *odd_v = &slab->knots[1][1][k], *even_v = &slab->knots[2][1][k];
            *even_u = end < 0 ? u : 0.5f * (u + *even_u); /* holds the first until the last comes */
            *even_v = end < 0 ? v : 0.5f * (v + *even_v);
            *odd_u = u - *even_u;
            *odd_v = v - *even_v;
        }
    }
    memcpy(wide->u, slab->knots[0][0], size);
    memcpy(wide->v, slab->knots[0][1], size);
}

void aqm_slab_warp(const AqmSlab *slab, const AqmSlabGrid *grid, int plane, AqmKnots *knots) {
    const float t = (float)((plane - slab->middle) / slab->half), t2 = t * t;
    for (int y = 0; y < knots->down; y++)
        for (int x = 0; x < knots->across; x++) {
            const int k = y * knots->across + x;
            const int at = (y + AQM_KNOT_MARGIN) * grid->wide.across + x + AQM_KNOT_MARGIN;
            knots->u[k] =
                slab->knots[0][0][at] + t * slab->knots[1][0][at] + t2 * slab->knots[2][0][at];
            knots->v[k] =
                slab->knots[0][1][at] + t * slab->knots[1][1][at] + t2 * slab->knots[2][1][at];
        }
}

void aqm_slab_load(AqmSlab *slab, AqmSlabGrid *grid, const AqmSweep *sweep, const AqmTile *tile,
                   const AqmSweepSource *source, const AqmPlanes *planes, int first, int end) {
    float right[2][AQM_SLAB_BLOCKS], down[2][AQM_SLAB_BLOCKS];
    slab->first = first;
    slab->end = end;
    slab->middle = 0.5 * (first + end - 1);
    slab->half = end - first > 1 ? 0.5 * (end - first - 1) : 0.5;
    slab->blocks_x = grid->centers.across;
    slab->blocks_y = grid->centers.down;
    slab->stride = (ptrdiff_t)tile->pitch + 2 * AQM_SLAB_MARGIN;
    aqm_knots_warp(&grid->wide, sweep->kernels, source, aqm_plane_h(planes, slab->middle));
    slab->is_usable = true;
    for (int k = 0; k < 2 && slab->is_usable; k++)
        slab->is_usable = find_shifts(grid, sweep->kernels, source,
                                      aqm_plane_h(planes, slab->middle + (2 * k - 1) * slab->half),
                                      right[k], down[k]);
    if (!slab->is_usable)
        return;
    for (int k = 0; k < slab->blocks_x * slab->blocks_y; k++) {
        slab->odd[0][k] = 0.5f * (right[1][k] - right[0][k]);
        slab->odd[1][k] = 0.5f * (down[1][k] - down[0][k]);
        slab->even[0][k] = 0.5f * (right[1][k] + right[0][k]);
        slab->even[1][k] = 0.5f * (down[1][k] + down[0][k]);
    }
    slab->is_whole = aqm_knots_are_inside(&grid->wide, source, &slab->is_seen);
    if (!slab->is_seen)
        return;
    resample(slab, grid, sweep, tile, source);
    if (slab->is_whole)
        return;
    find_gaps(slab, sweep->kernels, tile->rows + 2 * AQM_SLAB_MARGIN);
    keep_knots(slab, grid, sweep->kernels, source, planes);
}

/* The bits of the blocks of columns first .. last. */
static uint32_t blocks_of(int first, int last) {
    return (2u << last / AQM_SLAB_BLOCK) - (1u << first / AQM_SLAB_BLOCK);
}

/* Whether block k, which starts at (x, y) of the picture, has gaps or nothing else. */
static void rate_block(AqmSlab *slab, int k, int x, int y) {
    const bool has_gap = slab->gaps[y] & blocks_of(x, x + AQM_SLAB_BLOCK);
    const bool is_seen = slab->seen[y] & blocks_of(x - NEAR, x + AQM_SLAB_BLOCK + NEAR);
    slab->mixed[k / slab->blocks_x] |= (uint32_t)(has_gap && is_seen) << k % slab->blocks_x;
    slab->blank[k / slab->blocks_x] |= (uint32_t)!is_seen << k % slab->blocks_x;
    slab->has_mixed |= has_gap && is_seen;
}

void aqm_slab_move(AqmSlab *slab, int plane) {
    const float t = (float)((plane - slab->middle) / slab->half), t2 = t * t;
    const int stride = (int)slab->stride;
    slab->has_mixed = false;
    for (int j = 0; j < slab->blocks_y; j++)
        slab->mixed[j] = slab->blank[j] = 0;
    for (int k = 0; k < slab->blocks_x * slab->blocks_y; k++) {
        /* from the corner of the margin, so that both are positive */
        const float x = AQM_SLAB_MARGIN + t * slab->odd[0][k] + t2 * slab->even[0][k];
        const float y = AQM_SLAB_MARGIN + t * slab->odd[1][k] + t2 * slab->even[1][k];
        const int across = (int)(32768.0f * x), down = (int)(32768.0f * y);
        slab->shifts[k] = (AqmShift){(down >> 15) * stride + (across >> 15),
                                     (int16_t)(across & 32767), (int16_t)(down & 32767)};
        if (!slab->is_whole)
            rate_block(slab, k, k % slab->blocks_x * AQM_SLAB_BLOCK + (across >> 15),
                       k / slab->blocks_x * AQM_SLAB_BLOCK + (down >> 15));
    }
}

static void blank_out(size_t n, int16_t *out) {
    for (size_t k = 0; k < n; k++)
        out[k] = AQM_GRAY_MISSING;
}

void aqm_slab_rows(const AqmSlab *slab, const AqmKernels *kernels, const AqmTile *tile, int row,
                   int count, int16_t *out, AqmRowGaps *gaps) {
    const int16_t *from = slab->picture + row * slab->stride;
    const AqmShift *shifts = slab->shifts + row / AQM_SLAB_BLOCK * slab->blocks_x;
    const uint32_t mixed = slab->mixed[row / AQM_SLAB_BLOCK];
    const uint32_t blank = slab->blank[row / AQM_SLAB_BLOCK];
    const size_t blocks = (size_t)slab->blocks_x, pitch = tile->pitch;
    for (size_t b = 0, end; b < blocks; b = end) {
        const size_t mixed_end = aqm_run_end(mixed, b, blocks);
        const size_t blank_end = aqm_run_end(blank, b, blocks), at = b * AQM_SLAB_BLOCK;
        end = mixed_end < blank_end ? mixed_end : blank_end;
        const size_t n = (end - b) * AQM_SLAB_BLOCK;
        for (int r = 0; r < count && blank >> b & 1; r++)
            blank_out(n, out + (size_t)r * pitch + at);
        if (!(blank >> b & 1))
            (mixed >> b & 1 ? kernels->shift_masked : kernels->shift)(
                from + at, slab->stride, shifts + b, n, count, out + at, pitch);
    }
    for (int r = 0; r < count; r++, out += pitch) {
        for (size_t c = (size_t)tile->columns; c < pitch && (mixed | blank); c++)
            out[c] = 0;
        /* what is blank has a gap in every block, the last one too */
        gaps[r] = (AqmRowGaps){blank | aqm_gaps_in(kernels, out, mixed, blocks), blank};
    }
}
