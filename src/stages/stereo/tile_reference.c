/* The reference of a tile: its pixels, their gaps, and the statistics of its windows.
 *
 * What lies beyond the border of the image is missing, but if the kernels know how many pixels a
 * window has, it is no gap: both images are 0 there, so sums are those of what is there, and the
 * statistics of windows that reach over the border are of so many pixels. */
#include <string.h>

#include "kernels/window_stats.h"
#include "stages/stereo/sweep.h"

/* What of a tile's pixels lies beyond the image. */
static AqmBeyond outside_of(const AqmSweep *sweep, const AqmTile *tile) {
    const int x0 = tile->x0 - tile->radius, y0 = tile->y0 - tile->radius;
    const int right = x0 + tile->columns - sweep->image->width;
    const int bottom = y0 + tile->rows - sweep->image->height;
    return (AqmBeyond){.left = x0 < 0 ? -x0 : 0,
                       .right = right > 0 ? right : 0,
                       .top = y0 < 0 ? -y0 : 0,
                       .bottom = bottom > 0 ? bottom : 0};
}

/* The same for the kernels. Nothing where that is a window's width, or where they do not take it:
 * it then counts as missing. */
static AqmBeyond beyond_of(const AqmSweep *sweep, const AqmBeyond *outside) {
    const AqmBeyond beyond = *outside;
    const bool is_taken = sweep->kernels->takes_border &&
                          beyond.left + beyond.right < sweep->window &&
                          beyond.top + beyond.bottom < sweep->window;
    return is_taken ? beyond : (AqmBeyond){0};
}

/* Sets to 0 what of row r lies beyond; true if that is all of it. */
static bool clear_beyond(const AqmTile *tile, const AqmBeyond *beyond, int r, int16_t *row) {
    const bool is_beyond = r < beyond->top || r >= tile->rows - beyond->bottom;
    const size_t left = (size_t)(is_beyond ? tile->columns : beyond->left);
    memset(row, 0, left * sizeof *row);
    memset(row + tile->columns - beyond->right, 0, (size_t)beyond->right * sizeof *row);
    return is_beyond;
}

/* The blocks that have pixels beyond, along a row. */
static uint32_t blocks_beyond(const AqmTile *tile, const AqmBeyond *beyond) {
    const int right = tile->columns - beyond->right;
    const uint32_t first = beyond->left > 0 ? (2u << (beyond->left - 1) / AQM_ROW_MULTIPLE) - 1 : 0;
    return first | (beyond->right > 0 ? ~0u << right / AQM_ROW_MULTIPLE : 0);
}

uint32_t aqm_tile_gaps_within(const AqmKernels *kernels, const AqmTile *tile,
                              const AqmBeyond *beyond, int r, uint32_t gaps, int16_t *row) {
    if (clear_beyond(tile, beyond, r, row))
        return 0;
    const uint32_t unsure = gaps & blocks_beyond(tile, beyond);
    return (gaps & ~unsure) | aqm_gaps_in(kernels, row, unsure, tile->pitch / AQM_ROW_MULTIPLE);
}

static void copy_reference(const AqmSweep *sweep, const AqmTile *tile, int16_t *out,
                           uint32_t *gaps) {
    const AqmStereoImage *image = sweep->image;
    const int x0 = tile->x0 - tile->radius;
    const int first = x0 < 0 ? -x0 : 0; /* of the columns that lie in the image */
    const int end = image->width - x0 < tile->columns ? image->width - x0 : tile->columns;
    for (int r = 0; r < tile->rows; r++, out += tile->pitch) {
        const int y = tile->y0 - tile->radius + r;
        for (int c = 0; c < tile->columns; c++)
            out[c] = AQM_GRAY_MISSING;
        /* what pads the row is in no window and must not look like a gap */
        for (size_t c = (size_t)tile->columns; c < tile->pitch; c++)
            out[c] = 0;
        if (y >= 0 && y < image->height)
            memcpy(out + first, image->gray + y * image->stride + x0 + first,
                   (size_t)(end - first) * sizeof *out);
        gaps[r] = sweep->kernels->gaps(out, tile->pitch);
    }
}

/* A row with what is missing as 0: the sums of windows that touch it are not used. */
static const int16_t *filled_row(const int16_t *row, size_t count, int16_t *out) {
    for (size_t c = 0; c < count; c++)
        out[c] = row[c] == AQM_GRAY_MISSING ? 0 : row[c];
    return out;
}

/* The statistics of windows first .. end - 1 of row y, which reach over a border, from the sums of
 * their columns. */
static void border_windows(const AqmTile *tile, int window, int y, int first, int end,
                           AqmTileScratch *scratch) {
    const AqmBeyond *beyond = &scratch->beyond;
    const int rows = aqm_window_present(y, window, tile->height, beyond->top, beyond->bottom);
    for (int x = first; x < end; x++) {
        const int count =
            rows * aqm_window_present(x, window, tile->width, beyond->left, beyond->right);
        int32_t sum = 0, squares = 0;
        for (int c = x; c < x + window; c++) {
            sum += scratch->sums.j[c];
            squares += scratch->sums.jj[c];
        }
        const AqmWindowStats s = aqm_window_stats(sum, squares, count, 1.0f / (float)count);
        const size_t at = (size_t)y * AQM_TILE_WIDTH + (size_t)x;
        scratch->reference_mean[at] = (int16_t)s.mean;
        scratch->reference_rest[at] = (int16_t)s.rest;
        scratch->reference_variance[at] = s.variance;
        scratch->reference_inverse[at] =
            aqm_inverse_deviation(s.variance, aqm_flat_variance(1.0f) * (float)count);
    }
}

/* The statistics of those windows of row y that reach over a border. */
static void border_row(const AqmTile *tile, int window, int y, AqmTileScratch *scratch) {
    const AqmBeyond *beyond = &scratch->beyond;
    if (y < beyond->top || y >= tile->height - beyond->bottom) {
        border_windows(tile, window, y, 0, tile->width, scratch);
        return;
    }
    const int left = beyond->left < tile->width ? beyond->left : tile->width;
    const int right = tile->width - beyond->right;
    border_windows(tile, window, y, 0, left, scratch);
    border_windows(tile, window, y, right > left ? right : left, tile->width, scratch);
}

/* Sums of every full window, by the same kernels as a source's (j = i). */
static void reference_windows(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    const int window = sweep->window;
    int16_t *filled = scratch->sampled[0].grays; /* nothing is sampled yet */
    memset(scratch->sums.j, 0, scratch->sums_size);
    for (int r = 0; r < tile->rows; r++) {
        const size_t here = (size_t)r * tile->pitch;
        const int16_t *in = filled_row(scratch->reference + here, tile->pitch, filled + here);
        const int16_t *old = r >= window ? in - (size_t)window * tile->pitch : scratch->blank;
        sweep->kernels->columns(in, in, old, old, tile->pitch, &scratch->sums);
        if (r < window - 1)
            continue;
        const size_t at = (size_t)(r - window + 1) * AQM_TILE_WIDTH;
        const AqmWindowRow row = {scratch->reference_mean + at, scratch->reference_rest + at,
                                  scratch->reference_variance + at,
                                  scratch->reference_inverse + at};
        sweep->kernels->statistics(&scratch->sums, window, (size_t)tile->width, scratch->box, &row);
        border_row(tile, window, r - window + 1, scratch);
    }
}

/* The gaps of the reference that are not beyond its border. */
static void find_holes(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    int16_t *row = scratch->sampled[0].grays; /* nothing is sampled yet */
    scratch->has_holes = false;
    for (int r = 0; r < tile->rows; r++) {
        const uint32_t gaps = scratch->reference_gaps[r];
        if (gaps)
            memcpy(row, scratch->reference + (size_t)r * tile->pitch, tile->pitch * sizeof *row);
        scratch->reference_holes[r] =
            gaps ? aqm_tile_gaps_within(sweep->kernels, tile, &scratch->beyond, r, gaps, row) : 0;
        scratch->has_holes |= scratch->reference_holes[r] != 0;
    }
}

void aqm_sweep_tile_load(const AqmSweep *sweep, AqmTile *tile, AqmTileScratch *scratch) {
    copy_reference(sweep, tile, scratch->reference, scratch->reference_gaps);
    scratch->outside = outside_of(sweep, tile);
    scratch->beyond = beyond_of(sweep, &scratch->outside);
    find_holes(sweep, tile, scratch);
    scratch->loaded = (AqmPart){0};
    scratch->drops_partial = false;
    scratch->waiting = 0;
    /* a flat tile has more rows to begin with than rows to score */
    scratch->can_be_whole = sweep->cost == AQM_COST_NCC && tile->width >= AQM_LEAST_WHOLE &&
                            tile->height >= sweep->window;
    reference_windows(sweep, tile, scratch);
}
