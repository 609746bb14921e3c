/* Scoring one tile against one source: running window sums over resampled rows.
 *
 * For each row of the tile the source is sampled at the row's positions, the column sums move down
 * a row (one row in, one out), and from the window's height on a row of scores comes out. The cost
 * per pixel does not depend on the window's size. A tile is small enough for the sums and rows to
 * stay in the cache. Where a pixel is missing in either image the masked sums count only what both
 * have; such windows need at least half of their pixels. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/stereo/sweep.h"

static size_t round_up(size_t n) {
    return (n + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE * AQM_ROW_MULTIPLE;
}

static int tiles_across(const AqmView *view) {
    return (view->width + AQM_TILE_WIDTH - 1) / AQM_TILE_WIDTH;
}

size_t aqm_sweep_tile_count(const AqmView *view) {
    const int down = (view->height + AQM_TILE_HEIGHT - 1) / AQM_TILE_HEIGHT;
    return (size_t)tiles_across(view) * (size_t)down;
}

AqmTile aqm_sweep_tile(const AqmSweep *sweep, size_t index) {
    const AqmView *view = sweep->view;
    const int across = tiles_across(view), radius = sweep->window / 2;
    AqmTile tile = {.x0 = (int)index % across * AQM_TILE_WIDTH,
                    .y0 = (int)index / across * AQM_TILE_HEIGHT,
                    .radius = radius};
    tile.width = view->width - tile.x0 < AQM_TILE_WIDTH ? view->width - tile.x0 : AQM_TILE_WIDTH;
    tile.height =
        view->height - tile.y0 < AQM_TILE_HEIGHT ? view->height - tile.y0 : AQM_TILE_HEIGHT;
    tile.columns = tile.width + 2 * radius;
    tile.rows = tile.height + 2 * radius;
    tile.pitch = round_up((size_t)tile.columns);
    const int x0 = tile.x0 - radius, y0 = tile.y0 - radius;
    const int x1 = x0 + tile.columns - 1, y1 = y0 + tile.rows - 1;
    tile.is_whole = x0 >= 0 && y0 >= 0 && x1 < view->width && y1 < view->height &&
                    aqm_stereo_image_is_whole(sweep->image, x0, y0, x1, y1);
    return tile;
}

AqmStatus aqm_sweep_tile_scratch_create(AqmTileScratch *scratch, int window, AqmDiag *diag) {
    const size_t pitch = round_up((size_t)(AQM_TILE_WIDTH + window - 1));
    const size_t rows = (size_t)(AQM_TILE_HEIGHT + window - 1);
    const size_t area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;
    int32_t *sums = aqm_alloc(6 * pitch, sizeof *sums);
    *scratch = (AqmTileScratch){
        .reference = aqm_alloc(rows * pitch, sizeof(int16_t)),
        .source = aqm_alloc(rows * pitch, sizeof(int16_t)),
        .blank = aqm_calloc(pitch, sizeof(int16_t)),
        .missing = aqm_alloc(pitch, sizeof(int16_t)),
        .u = aqm_alloc(pitch + AQM_KNOT, sizeof(float)),
        .v = aqm_alloc(pitch + AQM_KNOT, sizeof(float)),
        .sums = {.j = sums},
        .box = aqm_alloc(8 * (pitch + (size_t)window + AQM_ROW_MULTIPLE), sizeof(int32_t)),
        .reference_sum = aqm_alloc(area, sizeof(int32_t)),
        .reference_variance = aqm_alloc(area, sizeof(float)),
        .reference_inverse = aqm_alloc(area, sizeof(float)),
    };
    if (!scratch->reference || !scratch->source || !scratch->blank || !scratch->missing ||
        !scratch->u || !scratch->v || !sums || !scratch->box || !scratch->reference_sum ||
        !scratch->reference_variance || !scratch->reference_inverse) {
        aqm_sweep_tile_scratch_free(scratch);
        return aqm_fail_memory(diag, "a tile of the plane sweep", rows * pitch, 16);
    }
    scratch->sums = (AqmColumnSums){.j = sums,
                                    .jj = sums + pitch,
                                    .ij = sums + 2 * pitch,
                                    .count = sums + 3 * pitch,
                                    .i = sums + 4 * pitch,
                                    .ii = sums + 5 * pitch};
    for (size_t k = 0; k < pitch; k++)
        scratch->missing[k] = AQM_GRAY_MISSING;
    scratch->sums_size = 6 * pitch * sizeof *sums;
    return AQM_OK;
}

void aqm_sweep_tile_scratch_free(AqmTileScratch *scratch) {
    aqm_free(scratch->reference);
    aqm_free(scratch->source);
    aqm_free(scratch->blank);
    aqm_free(scratch->missing);
    aqm_free(scratch->u);
    aqm_free(scratch->v);
    aqm_free(scratch->sums.j);
    aqm_free(scratch->box);
    aqm_free(scratch->reference_sum);
    aqm_free(scratch->reference_variance);
    aqm_free(scratch->reference_inverse);
    *scratch = (AqmTileScratch){0};
}

static void copy_reference(const AqmStereoImage *image, const AqmTile *tile, int16_t *out) {
    for (int r = 0; r < tile->rows; r++, out += tile->pitch) {
        const int y = tile->y0 - tile->radius + r, x0 = tile->x0 - tile->radius;
        const int16_t *row = image->gray + y * image->stride;
        const bool row_exists = y >= 0 && y < image->height;
        for (int c = 0; c < (int)tile->pitch; c++) {
            const int x = x0 + c;
            const bool exists = row_exists && x >= 0 && x < image->width && c < tile->columns;
            /* what pads the row must not upset the unmasked sums */
            out[c] = exists ? row[x] : tile->is_whole ? 0 : AQM_GRAY_MISSING;
        }
    }
}

/* Sums of every full window of a whole tile, by the same kernels as a source's (j = i). */
static void reference_windows(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    const int window = sweep->window;
    const double count = (double)(window * window);
    const double flat = 0.25 * AQM_GRAY_WHITE / 255.0 * count;
    memset(scratch->sums.j, 0, scratch->sums_size);
    AqmColumnSums sums = scratch->sums;
    for (int r = 0; r < tile->rows; r++) {
        const int16_t *in = scratch->reference + (size_t)r * tile->pitch;
        const int16_t *old = r >= window ? in - (size_t)window * tile->pitch : scratch->blank;
        sweep->kernels->columns(in, in, old, old, tile->pitch, &sums);
        if (r < window - 1)
            continue;
        const size_t at = (size_t)(r - window + 1) * AQM_TILE_WIDTH;
        int64_t sum = 0, squares = 0;
        for (int c = 0; c < tile->columns; c++) {
            sum += sums.j[c];
            squares += sums.jj[c];
            if (c < window - 1)
                continue;
            const size_t x = at + (size_t)(c - window + 1);
            const double variance = count * (double)squares - (double)sum * (double)sum;
            scratch->reference_sum[x] = (int32_t)sum;
            scratch->reference_variance[x] = (float)variance;
            scratch->reference_inverse[x] =
                variance > flat * flat ? (float)(1.0 / sqrt(variance)) : 0;
            sum -= sums.j[c - window + 1];
            squares -= sums.jj[c - window + 1];
        }
    }
}

void aqm_sweep_tile_load(const AqmSweep *sweep, AqmTile *tile, AqmTileScratch *scratch) {
    copy_reference(sweep->image, tile, scratch->reference);
    if (tile->is_whole)
        reference_windows(sweep, tile, scratch);
}

/* One row of scores from the column sums, whichever cost and kind of window. */
static void score_row(const AqmSweep *sweep, const AqmTile *tile, bool is_masked, size_t row,
                      AqmTileScratch *scratch, float *score) {
    const AqmKernels *k = sweep->kernels;
    const int window = sweep->window, min_count = (window * window + 1) / 2;
    const size_t n = (size_t)tile->width, at = row * AQM_TILE_WIDTH;
    const AqmReferenceStats reference = {scratch->reference_sum + at,
                                         scratch->reference_variance + at,
                                         scratch->reference_inverse + at};
    const bool is_ncc = sweep->cost == AQM_COST_NCC;
    if (is_masked)
        (is_ncc ? k->ncc_masked : k->ssim_masked)(&scratch->sums, window, min_count, n,
                                                  scratch->box, score + at);
    else
        (is_ncc ? k->ncc : k->ssim)(&scratch->sums, &reference, window, n, scratch->box,
                                    score + at);
}

void aqm_sweep_tile_score(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                          bool is_inside, AqmRowPositions positions, const void *context,
                          AqmTileScratch *scratch, float *score) {
    const AqmKernels *k = sweep->kernels;
    const AqmGray gray = aqm_stereo_image_gray(source->image);
    const bool is_masked = !(is_inside && tile->is_whole);
    const size_t pitch = tile->pitch;
    const int window = sweep->window;
    /* the row that leaves before any has: zeros, or nothing at all */
    const int16_t *const blank = is_masked ? scratch->missing : scratch->blank;
    memset(scratch->sums.j, 0, scratch->sums_size);
    for (int r = 0; r < tile->rows; r++) {
        const int16_t *i_new = scratch->reference + (size_t)r * pitch;
        int16_t *j_new = scratch->source + (size_t)r * pitch;
        positions(context, r, scratch->u, scratch->v);
        (is_inside ? k->sample : k->sample_masked)(&gray, scratch->u, scratch->v, pitch, j_new);
        const bool is_full = r >= window;
        const int16_t *i_old = is_full ? i_new - (size_t)window * pitch : blank;
        const int16_t *j_old = is_full ? j_new - (size_t)window * pitch : blank;
        (is_masked ? k->columns_masked : k->columns)(i_new, j_new, i_old, j_old, pitch,
                                                     &scratch->sums);
        if (r >= window - 1)
            score_row(sweep, tile, is_masked, (size_t)(r - window + 1), scratch, score);
    }
}

float aqm_parabola_peak(float below, float best, float above) {
    const float curvature = below - 2.0f * best + above;
    if (!(curvature < -1e-6f))
        return 0.0f;
    const float peak = 0.5f * (below - above) / curvature;
    return peak < -0.5f ? -0.5f : peak > 0.5f ? 0.5f : peak;
}
