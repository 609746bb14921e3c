/* Scoring one tile against one source: running window sums over resampled rows.
 *
 * For each row of the tile the source is sampled at the row's positions, the column sums move down
 * a row (one row in, one out), and from the window's height on a row of scores comes out. The cost
 * per pixel does not depend on the window's size. A tile is small enough for the sums and rows to
 * stay in the cache. What is sampled waits for a second one, of another plane or source: two are
 * scored together, at less than twice the time of one (kernels.h, whole_ncc).
 *
 * Where a pixel is missing in either image the masked sums count only what both have; such windows
 * need at least half of their pixels. At a border of the reference image no sums of their own are
 * needed for that, if the kernels know how many pixels a window has: beyond it both images are 0.
 * Which sums a window takes is decided in blocks of AQM_ROW_MULTIPLE columns: a block is masked
 * while a row with a gap in it is in the window, and so are the blocks that share a window with it;
 * when it becomes masked its three extra sums are added up anew. On whole windows both kinds of
 * sums give the same bits, so nothing else depends on where the tiles and blocks lie. */
#include <math.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "kernels/window_stats.h"
#include "stages/stereo/sweep.h"

static size_t round_up(size_t n) {
    return (n + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE * AQM_ROW_MULTIPLE;
}

/* The number of tiles over `length` pixels, none of them longer than `most`. */
static int tiles_over(int length, int most) {
    return (length + most - 1) / most;
}

/* The side of `count` equal tiles over `length` pixels. */
static int even_side(int length, int count) {
    return (length + count - 1) / count;
}

/* Wide tiles have less of a halo, but a small picture has too few of them for several threads. */
static int tiles_across(const AqmView *view) {
    enum { MANY = 10, NARROW = 192 };
    const int wide = tiles_over(view->width, AQM_TILE_WIDTH);
    const int down = tiles_over(view->height, AQM_TILE_HEIGHT);
    return wide * down >= MANY ? wide : tiles_over(view->width, NARROW);
}

static int tile_height(const AqmView *view) {
    return even_side(view->height, tiles_over(view->height, AQM_TILE_HEIGHT));
}

size_t aqm_sweep_tile_count(const AqmView *view) {
    const int height = tile_height(view);
    return (size_t)tiles_across(view) * (size_t)((view->height + height - 1) / height);
}

AqmTile aqm_sweep_tile_at(const AqmSweep *sweep, int x0, int y0, int width, int height) {
    AqmTile tile = {.x0 = x0, .y0 = y0, .width = width, .height = height};
    tile.radius = sweep->window / 2;
    tile.columns = width + 2 * tile.radius;
    tile.rows = height + 2 * tile.radius;
    tile.pitch = round_up((size_t)tile.columns);
    return tile;
}

/* Tiles of equal height, and of equal width but for what fills whole vectors with the halo. */
AqmTile aqm_sweep_tile(const AqmSweep *sweep, size_t index) {
    const AqmView *view = sweep->view;
    const int across = tiles_across(view), radius = sweep->window / 2;
    const int even = even_side(view->width, across);
    const int whole = (int)round_up((size_t)(even + 2 * radius)) - 2 * radius;
    const int width = whole < AQM_TILE_WIDTH ? whole : AQM_TILE_WIDTH;
    const int height = tile_height(view);
    const int x0 = (int)index % across * width, y0 = (int)index / across * height;
    return aqm_sweep_tile_at(sweep, x0, y0, view->width - x0 < width ? view->width - x0 : width,
                             view->height - y0 < height ? view->height - y0 : height);
}

AqmStatus aqm_sweep_tile_scratch_create(AqmTileScratch *scratch, const AqmSweep *sweep,
                                        AqmDiag *diag) {
    const int window = sweep->window;
    const size_t pitch = round_up((size_t)(AQM_TILE_WIDTH + window - 1));
    const size_t rows = (size_t)(AQM_TILE_HEIGHT + window - 1);
    const size_t area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;
    int32_t *sums = aqm_alloc(6 * pitch, sizeof *sums);
    *scratch = (AqmTileScratch){
        .reference = aqm_alloc(rows * pitch + AQM_ROW_MULTIPLE, sizeof(int16_t)),
        .sampled = {{.grays = aqm_alloc(rows * pitch + AQM_ROW_MULTIPLE, sizeof(int16_t))},
                    {.grays = aqm_alloc(rows * pitch + AQM_ROW_MULTIPLE, sizeof(int16_t))}},
        .blank = aqm_calloc(pitch, sizeof(int16_t)),
        .missing = aqm_alloc(pitch, sizeof(int16_t)),
        .u = aqm_alloc(pitch + AQM_KNOT, sizeof(float)),
        .v = aqm_alloc(pitch + AQM_KNOT, sizeof(float)),
        .sums = {.j = sums},
        .box =
            aqm_alloc(8 * (pitch + (size_t)window + AQM_ROW_MULTIPLE) + 3 * pitch, sizeof(int32_t)),
        .whole = aqm_alloc(1, aqm_whole_room(AQM_TILE_WIDTH, AQM_TILE_HEIGHT, window)),
        .reference_mean = aqm_alloc(area, sizeof(int16_t)),
        .reference_rest = aqm_alloc(area, sizeof(int16_t)),
        .reference_variance = aqm_alloc(area, sizeof(float)),
        .reference_inverse = aqm_alloc(area, sizeof(float)),
        .sources = aqm_alloc(sweep->most, sizeof(AqmSweepSource)),
    };
    if (!scratch->reference || !scratch->sampled[0].grays || !scratch->sampled[1].grays ||
        !scratch->blank || !scratch->missing || !scratch->u || !scratch->v || !sums ||
        !scratch->box || !scratch->whole || !scratch->reference_mean || !scratch->reference_rest ||
        !scratch->reference_variance || !scratch->reference_inverse || !scratch->sources) {
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
    aqm_free(scratch->sampled[0].grays);
    aqm_free(scratch->sampled[1].grays);
    aqm_free(scratch->blank);
    aqm_free(scratch->missing);
    aqm_free(scratch->u);
    aqm_free(scratch->v);
    aqm_free(scratch->sums.j);
    aqm_free(scratch->box);
    aqm_free(scratch->whole);
    aqm_free(scratch->reference_mean);
    aqm_free(scratch->reference_rest);
    aqm_free(scratch->reference_variance);
    aqm_free(scratch->reference_inverse);
    aqm_free(scratch->sources);
    *scratch = (AqmTileScratch){0};
}

enum { GRID = 4 };

/* The share of a tile that a source sees at depth h, from a grid of its pixels. */
static double share_seen(const AqmSweep *sweep, const AqmTile *tile, double h,
                         const AqmSweepSource *source) {
    double X[GRID * GRID], Y[GRID * GRID], Z[GRID * GRID];
    float u[GRID * GRID], v[GRID * GRID];
    for (int k = 0; k < GRID * GRID; k++) {
        AqmRay ray;
        const bool hits =
            aqm_view_cast(sweep->view, tile->x0 + (k % GRID + 0.5) * tile->width / GRID,
                          tile->y0 + (k / GRID + 0.5) * tile->height / GRID, &ray);
        const double s = hits ? h / ray.direction[2] : (double)NAN;
        X[k] = hits ? ray.origin[0] + s * ray.direction[0] : 0.0;
        Y[k] = hits ? ray.origin[1] + s * ray.direction[1] : 0.0;
        Z[k] = hits ? source->projector.water_z + h : source->projector.water_z;
    }
    sweep->kernels->project(&source->projector, X, Y, Z, GRID * GRID, u, v);
    int count = 0;
    for (int k = 0; k < GRID * GRID; k++)
        count += u[k] >= 0.0f && v[k] >= 0.0f && u[k] <= (float)(source->image->width - 1) &&
                 v[k] <= (float)(source->image->height - 1);
    return (double)count / (GRID * GRID);
}

AqmSweep aqm_sweep_for_tile(const AqmSweep *sweep, const AqmTile *tile, double h,
                            AqmSweepSource *room) {
    AqmSweep chosen = *sweep;
    const size_t candidates = sweep->source_count + sweep->spare_count;
    double lacking = (double)sweep->source_count;
    chosen.sources = room;
    chosen.source_count = chosen.spare_count = 0;
    for (size_t s = 0; s < candidates && chosen.source_count < sweep->most; s++) {
        if (s >= sweep->source_count && lacking < 0.25)
            break;
        const double share = share_seen(sweep, tile, h, &sweep->sources[s]);
        /* the grid may miss a corner that one of the first sees; a spare must be worth its time */
        if (s >= sweep->source_count && share == 0.0)
            continue;
        room[chosen.source_count++] = sweep->sources[s];
        lacking -= share;
    }
    return chosen;
}

/* Share of its windows without gaps from which on that costs less than going by rows. */
static const double least_whole = 0.6;

/* ---- blocks ---------------------------------------------------------------------------------- */

uint32_t aqm_gaps_in(const AqmKernels *kernels, const int16_t *row, uint32_t blocks, size_t count) {
    uint32_t gaps = 0;
    for (size_t b = 0, end; b < count && blocks >> b; b = end) {
        end = aqm_run_end(blocks, b, count);
        const size_t n = (end - b) * AQM_ROW_MULTIPLE;
        gaps |= blocks >> b & 1 ? kernels->gaps(row + b * AQM_ROW_MULTIPLE, n) << b : 0;
    }
    return gaps;
}

size_t aqm_run_end(uint32_t bits, size_t first, size_t count) {
    const uint32_t others = (bits >> first & 1 ? ~bits : bits) >> first;
    const size_t end = others ? first + (size_t)__builtin_ctz(others) : count;
    return end < count ? end : count;
}

static AqmColumnSums sums_from(const AqmColumnSums *sums, size_t column) {
    return (AqmColumnSums){sums->j + column,     sums->jj + column, sums->ij + column,
                           sums->count + column, sums->i + column,  sums->ii + column};
}

/* The masked sums of a block over the rows before `row`. */
static void restore_block(const AqmSweep *sweep, const AqmTileScratch *scratch,
                          const int16_t *grays, size_t pitch, int row, size_t block) {
    const AqmColumnSums sums = sums_from(&scratch->sums, block * AQM_ROW_MULTIPLE);
    int32_t *const all[6] = {sums.j, sums.jj, sums.ij, sums.count, sums.i, sums.ii};
    for (size_t k = 0; k < 6; k++)
        memset(all[k], 0, AQM_ROW_MULTIPLE * sizeof *all[k]);
    for (int r = row > sweep->window ? row - sweep->window : 0; r < row; r++) {
        const size_t at = (size_t)r * pitch + block * AQM_ROW_MULTIPLE;
        sweep->kernels->columns_masked(scratch->reference + at, grays + at, scratch->missing,
                                       scratch->missing, AQM_ROW_MULTIPLE, &sums);
    }
}

void aqm_masks_start(AqmMasks *masks, int window) {
    masks->columns = masks->windows = 0;
    masks->last_gap = -window - 1;
    masks->alike = 0;
}

/* Windows from block b on take the columns up to block b + reach. */
void aqm_masks_move(AqmMasks *masks, int r, int window) {
    const int reach = (window + 13) / AQM_ROW_MULTIPLE, first = r - window + 1;
    uint32_t gaps = 0;
    masks->last_gap = masks->gaps[r] ? r : masks->last_gap;
    masks->alike = r > 0 && masks->gaps[r] == masks->gaps[r - 1] ? masks->alike + 1 : 0;
    if (masks->alike > window) /* along a straight edge nothing changes */
        return;
    masks->windows = masks->columns = 0;
    if (masks->last_gap < first - 1)
        return;
    for (int k = first > 0 ? first : 0; k <= r; k++)
        gaps |= masks->gaps[k];
    masks->windows = gaps;
    for (int k = 1; k <= reach; k++)
        masks->windows |= gaps >> k;
    masks->columns = masks->windows;
    for (int k = 1; k <= reach; k++)
        masks->columns |= masks->windows << k;
    if (first > 0)
        masks->columns |= masks->gaps[first - 1]; /* the row that leaves now */
}

/* Which sums and windows a tile takes, row by row of the tile. */
typedef struct TileMasks {
    uint32_t columns[AQM_TILE_ROWS], windows[AQM_TILE_ROWS];
    uint32_t idle[AQM_TILE_ROWS];  /* blocks of columns of which no sum changes */
    uint32_t blank[AQM_TILE_ROWS]; /* blocks of windows that have no pixel at all */
    bool is_patch;                 /* only what is masked is wanted */
} TileMasks;

/* Moves the column sums down to row r. */
static void move_columns(const AqmSweep *sweep, const AqmTile *tile, int r, const TileMasks *masks,
                         const int16_t *grays, AqmTileScratch *scratch) {
    const size_t pitch = tile->pitch, blocks = pitch / AQM_ROW_MULTIPLE;
    const size_t window_area = (size_t)sweep->window * pitch, row = (size_t)r * pitch;
    const bool is_full = r >= sweep->window;
    const uint32_t masked = masks->columns[r], before = r > 0 ? masks->columns[r - 1] : 0;
    for (uint32_t added = masked & ~before & ((1u << blocks) - 1); added; added &= added - 1)
        restore_block(sweep, scratch, grays, pitch, r, (size_t)__builtin_ctz(added));
    for (size_t b = 0, end; b < blocks; b = end) {
        const size_t idle_end = aqm_run_end(masks->idle[r], b, blocks);
        end = aqm_run_end(masked, b, blocks);
        end = end < idle_end ? end : idle_end;
        const bool is_masked = masked >> b & 1;
        if (masks->idle[r] >> b & 1 || (masks->is_patch && !is_masked))
            continue;
        const size_t c = b * AQM_ROW_MULTIPLE;
        const int16_t *i = scratch->reference + row + c, *j = grays + row + c;
        /* the row that leaves before any has: zeros, or nothing at all */
        const int16_t *blank = is_masked ? scratch->missing : scratch->blank;
        const AqmColumnSums sums = sums_from(&scratch->sums, c);
        (is_masked ? sweep->kernels->columns_masked : sweep->kernels->columns)(
            i, j, is_full ? i - window_area : blank, is_full ? j - window_area : blank,
            (end - b) * AQM_ROW_MULTIPLE, &sums);
    }
}

/* Of n windows from *x on, those that miss a pixel, by the counts of their columns; and some beside
 * them, to fill a vector. Returns how many. */
static size_t windows_with_gaps(const int32_t *count, int window, size_t n, size_t *x) {
    enum { VECTOR = 8 };
    const size_t reach = (size_t)window - 1, start = *x;
    size_t first = start, end = start + n + reach; /* columns */
    while (first < end && count[first] == window)
        first++;
    while (first < end && count[end - 1] == window)
        end--;
    if (first == end)
        return 0;
    size_t to = end < start + n ? end : start + n,
           from = first > start + reach ? first - reach : start;
    if (to - from < VECTOR) {
        to = from + VECTOR < start + n ? from + VECTOR : start + n;
        from = to > start + VECTOR ? to - VECTOR : start;
    }
    *x = from;
    return to - from;
}

/* A row of scores from the column sums. */
static void score_row(const AqmSweep *sweep, const AqmTile *tile, const TileMasks *masks, int r,
                      AqmTileScratch *scratch, int16_t *score) {
    const AqmKernels *k = sweep->kernels;
    const bool is_ncc = sweep->cost == AQM_COST_NCC;
    const int window = sweep->window, min_count = (window * window + 1) / 2;
    const uint32_t masked = masks->windows[r];
    const size_t width = (size_t)tile->width, row = (size_t)(r - window + 1);
    const size_t blocks = (width + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    for (size_t b = 0, end; b < blocks; b = end) {
        const size_t blank_end = aqm_run_end(masks->blank[r], b, blocks);
        end = aqm_run_end(masked, b, blocks);
        end = end < blank_end ? end : blank_end;
        const bool is_masked = masked >> b & 1;
        if (masks->is_patch && !is_masked)
            continue;
        size_t x = b * AQM_ROW_MULTIPLE;
        size_t n = (end == blocks ? width : end * AQM_ROW_MULTIPLE) - x;
        const bool is_blank = masks->blank[r] >> b & 1;
        if (masks->is_patch && !is_blank)
            n = windows_with_gaps(scratch->sums.count, window, n, &x);
        const size_t at = row * AQM_TILE_WIDTH + x;
        const AqmColumnSums sums = sums_from(&scratch->sums, x);
        const AqmReferenceStats reference = {
            scratch->reference_mean + at, scratch->reference_rest + at,
            scratch->reference_variance + at, scratch->reference_inverse + at};
        if (is_blank)
            for (size_t c = 0; c < n; c++)
                score[at + c] = AQM_SCORE_MISSING;
        else if (is_masked && n > 0)
            (is_ncc ? k->ncc_masked : k->ssim_masked)(&sums, window, min_count, n, scratch->box,
                                                      score + at);
        else if (n > 0)
            (is_ncc ? k->ncc : k->ssim)(&sums, &reference, window, n, scratch->box, score + at);
    }
}

/* Scores a tile row by row, or only what of it has gaps. */
static void score_rows(const AqmSweep *sweep, const AqmTile *tile, const TileMasks *masks,
                       const AqmSampled *sampled, AqmTileScratch *scratch) {
    memset(scratch->sums.j, 0, scratch->sums_size);
    for (int r = 0; r < tile->rows; r++) {
        if (masks->is_patch && !masks->columns[r])
            continue;
        move_columns(sweep, tile, r, masks, sampled->grays, scratch);
        if (r >= sweep->window - 1)
            score_row(sweep, tile, masks, r, scratch, sampled->score);
    }
}

/* Windows that have too few pixels, at the corners of the reference image. */
static void drop_corners(const AqmSweep *sweep, const AqmTile *tile, const AqmBeyond *beyond,
                         int16_t *score) {
    const int window = sweep->window, min_count = (window * window + 1) / 2;
    for (int y = 0; y < tile->height; y++) {
        const int rows = aqm_window_present(y, window, tile->height, beyond->top, beyond->bottom);
        for (int x = 0; x < tile->width && rows < window; x++) {
            const int columns =
                aqm_window_present(x, window, tile->width, beyond->left, beyond->right);
            if (rows * columns < min_count)
                score[(size_t)y * AQM_TILE_WIDTH + (size_t)x] = AQM_SCORE_MISSING;
        }
    }
}

/* Scores one or two samplings of a tile as if they had no gaps. */
static void score_whole(const AqmSweep *sweep, const AqmTile *tile,
                        const AqmSampled *const *sampled, size_t count, AqmTileScratch *scratch) {
    const AqmWholeTile whole = {
        .i = scratch->reference,
        .pitch = tile->pitch,
        .width = tile->width,
        .height = tile->height,
        .window = sweep->window,
        .score_pitch = AQM_TILE_WIDTH,
        .reference = {scratch->reference_mean, scratch->reference_rest, scratch->reference_variance,
                      scratch->reference_inverse},
        .beyond = scratch->beyond,
        .room = scratch->whole,
    };
    if (!scratch->is_whole_loaded)
        sweep->kernels->whole_load(&whole);
    scratch->is_whole_loaded = true;
    const int16_t *const grays[2] = {sampled[0]->grays, count > 1 ? sampled[1]->grays : NULL};
    int16_t *const scores[2] = {sampled[0]->score, count > 1 ? sampled[1]->score : NULL};
    sweep->kernels->whole_ncc(&whole, grays, scratch->box, scores);
    for (size_t k = 0; k < count; k++)
        drop_corners(sweep, tile, &scratch->beyond, scores[k]);
}

static bool is_empty(const int16_t *row, const int16_t *missing, size_t first, size_t end) {
    return memcmp(row + first, missing, (end - first) * sizeof *row) == 0;
}

/* Of the blocks of a row with gaps, those that miss every pixel. missing: such a row. */
static uint32_t empty_blocks(const int16_t *row, const int16_t *missing, size_t columns,
                             uint32_t gaps) {
    const size_t blocks = round_up(columns) / AQM_ROW_MULTIPLE;
    uint32_t empty = 0;
    for (size_t b = 0, end; b < blocks && gaps >> b; b = end) {
        end = aqm_run_end(gaps, b, blocks);
        if (!(gaps >> b & 1))
            continue;
        const size_t last = end < blocks ? end * AQM_ROW_MULTIPLE : columns;
        if (is_empty(row, missing, b * AQM_ROW_MULTIPLE, last)) {
            empty |= (1u << end) - (1u << b);
            continue;
        }
        for (size_t k = b; k < end; k++) {
            const size_t block_end = (k + 1) * AQM_ROW_MULTIPLE;
            empty |= (uint32_t)is_empty(row, missing, k * AQM_ROW_MULTIPLE,
                                        block_end < last ? block_end : last)
                     << k;
        }
    }
    return empty;
}

/* Finds what is idle and blank at row r; empty: blocks without a pixel, of every row so far. alike:
 * how many rows before have the same. */
static void find_blank(const uint32_t *empty, int r, int alike, int window, TileMasks *out) {
    const int first = r - window + 1;
    uint32_t all = empty[r];
    if (alike > window) {
        out->idle[r] = out->idle[r - 1];
        out->blank[r] = out->blank[r - 1];
        return;
    }
    out->idle[r] = all & (first > 0 ? empty[first - 1] : UINT32_MAX);
    for (int k = first > 0 ? first : 0; k < r && all; k++)
        all &= empty[k];
    out->blank[r] = all;
    for (int k = 1; k <= (window + 13) / AQM_ROW_MULTIPLE; k++)
        out->blank[r] &= all >> k;
}

/* A last block of fewer windows than a vector has goes with the block before it. */
static void join_last(const AqmTile *tile, int r, int window, TileMasks *out) {
    enum { VECTOR = 8 };
    const int last = (tile->width - 1) / AQM_ROW_MULTIPLE, reach = (window + 13) / AQM_ROW_MULTIPLE;
    if (last < 1 || tile->width - last * AQM_ROW_MULTIPLE >= VECTOR)
        return;
    const uint32_t both = 3u << (last - 1);
    if (out->windows[r] & both) {
        out->windows[r] |= both;
        out->columns[r] |= ((2u << (reach + 1)) - 1) << (last - 1);
    }
    if (~out->blank[r] & both)
        out->blank[r] &= ~both;
}

/* Finds which sums and windows to take. Returns the share of the blocks of windows without gaps. */
static double find_masks(const AqmSweep *sweep, const AqmTile *tile, AqmSampled *sampled,
                         TileMasks *out) {
    AqmMasks *masks = &sampled->masks;
    const uint32_t *empty = sampled->empty;
    const int blocks = (tile->width + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    int count = 0, alike = 0;
    aqm_masks_start(masks, sweep->window);
    for (int r = 0; r < tile->rows; r++) {
        aqm_masks_move(masks, r, sweep->window);
        out->columns[r] = masks->columns;
        out->windows[r] = masks->windows & ((1u << blocks) - 1);
        alike = r > 0 && empty[r] == empty[r - 1] ? alike + 1 : 0;
        find_blank(empty, r, alike, sweep->window, out);
        join_last(tile, r, sweep->window, out);
        count += r >= sweep->window - 1 ? __builtin_popcount(out->windows[r]) : 0;
    }
    return 1.0 - (double)count / (double)(blocks * tile->height);
}

/* Whether a sampling is to be scored as a whole, and what of it is to be scored by rows. Rows take
 * what lies beyond the reference image for missing. */
static bool is_scored_whole(const AqmSweep *sweep, const AqmTile *tile,
                            const AqmTileScratch *scratch, AqmSampled *sampled, TileMasks *masks) {
    masks->is_patch = scratch->can_be_whole;
    if (scratch->can_be_whole && !sampled->has_gaps)
        return true;
    if (scratch->can_be_whole && find_masks(sweep, tile, sampled, masks) > least_whole)
        return true;
    for (int r = 0; r < tile->rows; r++)
        sampled->masks.gaps[r] |= scratch->reference_gaps[r];
    (void)find_masks(sweep, tile, sampled, masks);
    masks->is_patch = false;
    return false;
}

/* Scores what waits: as a whole where most of it is, and then what has gaps. */
static void score_sampled(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    TileMasks masks[2];
    const AqmSampled *whole[2];
    size_t whole_count = 0;
    for (size_t k = 0; k < scratch->waiting; k++) {
        AqmSampled *sampled = &scratch->sampled[k];
        if (is_scored_whole(sweep, tile, scratch, sampled, &masks[k]))
            whole[whole_count++] = sampled;
    }
    if (whole_count > 0)
        score_whole(sweep, tile, whole, whole_count, scratch);
    for (size_t k = 0; k < scratch->waiting; k++)
        if (scratch->sampled[k].has_gaps || !scratch->can_be_whole)
            score_rows(sweep, tile, &masks[k], &scratch->sampled[k], scratch);
    scratch->waiting = 0;
}

void aqm_sweep_tile_add_rows(const AqmSweep *sweep, const AqmTile *tile, AqmSampleRow sample,
                             const void *context, AqmTileScratch *scratch, int16_t *score) {
    AqmSampled *sampled = &scratch->sampled[scratch->waiting++];
    const AqmBeyond *beyond = &scratch->beyond;
    const bool has_border = aqm_has_border(beyond);
    uint32_t any = 0;
    for (int r = 0; r < tile->rows; r++) {
        int16_t *row = sampled->grays + (size_t)r * tile->pitch;
        uint32_t own = sample(context, r, row);
        if (has_border)
            own = aqm_tile_gaps_within(sweep->kernels, tile, beyond, r, own, row);
        sampled->empty[r] = empty_blocks(row, scratch->missing, (size_t)tile->columns, own);
        sampled->masks.gaps[r] = scratch->reference_holes[r] | own;
        any |= sampled->masks.gaps[r];
    }
    sampled->has_gaps = any != 0;
    sampled->score = score;
    if (scratch->waiting == 2)
        score_sampled(sweep, tile, scratch);
}

void aqm_sweep_tile_finish(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    if (scratch->waiting > 0)
        score_sampled(sweep, tile, scratch);
}

/* A source and the positions it is to be sampled at. */
typedef struct PositionRows {
    const AqmKernels *kernels;
    const AqmTile *tile;
    AqmGray gray;
    bool is_inside;
    AqmRowPositions positions;
    const void *context;
    float *u, *v; /* a row's */
} PositionRows;

static uint32_t sample_positions(const void *context, int row, int16_t *out) {
    const PositionRows *rows = context;
    const size_t pitch = rows->tile->pitch;
    rows->positions(rows->context, row, rows->u, rows->v);
    if (rows->is_inside) {
        rows->kernels->sample(&rows->gray, rows->u, rows->v, pitch, out);
        return 0;
    }
    rows->kernels->sample_masked(&rows->gray, rows->u, rows->v, pitch, out);
    for (size_t c = (size_t)rows->tile->columns; c < pitch; c++)
        out[c] = 0;
    return rows->kernels->gaps(out, pitch);
}

void aqm_sweep_tile_add(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                        bool is_inside, AqmRowPositions positions, const void *context,
                        AqmTileScratch *scratch, int16_t *score) {
    const PositionRows rows = {sweep->kernels, tile,      aqm_stereo_image_gray(source->image),
                               is_inside,      positions, context,
                               scratch->u,     scratch->v};
    aqm_sweep_tile_add_rows(sweep, tile, sample_positions, &rows, scratch, score);
}

float aqm_parabola_peak(float below, float best, float above) {
    const float curvature = below - 2.0f * best + above;
    if (!(curvature < -1e-6f))
        return 0.0f;
    const float peak = 0.5f * (below - above) / curvature;
    return peak < -0.5f ? -0.5f : peak > 0.5f ? 0.5f : peak;
}
