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
 * sums give the same bits, so nothing else depends on where the tiles and blocks lie.
 *
 * Of a tile that a source sees in part only that part is scored (tile_gaps.c). And where enough
 * other sources see all of a tile (tile_sources.c), a source gives no score at all to blocks of
 * windows that miss one of its pixels: the strip along its border that it loses by that, of the
 * windows' reach and a block or two, is not worth the masked sums. This alone depends on where the
 * blocks lie. */
#include <string.h>

#include "base/alloc.h"
#include "kernels/window_stats.h"
#include "stages/stereo/tile_gaps.h"

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

/* Share of the windows without gaps from which on scoring them as a whole costs less than going by
 * rows. */
static const double least_whole = 0.5;

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

/* Moves the column sums down to row r. */
static void move_columns(const AqmSweep *sweep, const AqmTile *tile, int r,
                         const AqmTileMasks *masks, const int16_t *grays, AqmTileScratch *scratch) {
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
static void score_row(const AqmSweep *sweep, const AqmTile *tile, const AqmTileMasks *masks, int r,
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
static void score_rows(const AqmSweep *sweep, const AqmTile *tile, const AqmTileMasks *masks,
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

/* The least part that has both, and is wide enough to be scored as a whole. */
static AqmPart part_of_both(const AqmTile *tile, const AqmPart *a, const AqmPart *b) {
    AqmPart part = {a->x0 < b->x0 ? a->x0 : b->x0, a->y0 < b->y0 ? a->y0 : b->y0,
                    a->x1 > b->x1 ? a->x1 : b->x1, a->y1 > b->y1 ? a->y1 : b->y1};
    part.x1 = part.x1 > part.x0 + AQM_LEAST_WHOLE ? part.x1 : part.x0 + AQM_LEAST_WHOLE;
    part.x1 = part.x1 < tile->width ? part.x1 : tile->width;
    if (part.x1 - part.x0 < AQM_LEAST_WHOLE)
        part.x0 = (part.x1 - AQM_LEAST_WHOLE) / AQM_ROW_MULTIPLE * AQM_ROW_MULTIPLE;
    return part;
}

static int less(int count, int by) {
    return count > by ? count - by : 0;
}

/* A part of the tile as a tile of its own. */
static AqmWholeTile whole_tile(const AqmSweep *sweep, const AqmTile *tile, const AqmPart *part,
                               const AqmTileScratch *scratch) {
    const AqmBeyond *beyond = &scratch->beyond;
    const size_t at = (size_t)part->y0 * AQM_TILE_WIDTH + (size_t)part->x0;
    return (AqmWholeTile){
        .i = scratch->reference + (size_t)part->y0 * tile->pitch + part->x0,
        .pitch = tile->pitch,
        .width = part->x1 - part->x0,
        .height = part->y1 - part->y0,
        .window = sweep->window,
        .score_pitch = AQM_TILE_WIDTH,
        .reference = {scratch->reference_mean + at, scratch->reference_rest + at,
                      scratch->reference_variance + at, scratch->reference_inverse + at},
        .beyond = {.left = less(beyond->left, part->x0),
                   .right = less(beyond->right, tile->width - part->x1),
                   .top = less(beyond->top, part->y0),
                   .bottom = less(beyond->bottom, tile->height - part->y1)},
        .room = scratch->whole,
    };
}

static void drop_scores(int16_t *score, int first, int end) {
    for (int x = first; x < end; x++)
        score[x] = AQM_SCORE_MISSING;
}

/* Marks the scores of all windows but those of a part as missing. */
static void drop_others(const AqmTile *tile, const AqmPart *part, int16_t *score) {
    for (int y = 0; y < tile->height; y++, score += AQM_TILE_WIDTH) {
        const bool is_in = y >= part->y0 && y < part->y1;
        drop_scores(score, 0, is_in ? part->x0 : tile->width);
        drop_scores(score, part->x1, tile->width);
    }
}

/* Scores one or two samplings of a part of the tile as if they had no gaps. */
static void score_whole(const AqmSweep *sweep, const AqmTile *tile, const AqmPart *part,
                        const AqmSampled *const *sampled, size_t count, AqmTileScratch *scratch) {
    const AqmWholeTile whole = whole_tile(sweep, tile, part, scratch);
    const size_t from = (size_t)part->y0 * tile->pitch + (size_t)part->x0;
    const size_t at = (size_t)part->y0 * AQM_TILE_WIDTH + (size_t)part->x0;
    const int16_t *grays[2] = {NULL, NULL};
    int16_t *scores[2] = {NULL, NULL};
    for (size_t k = 0; k < count; k++) {
        grays[k] = sampled[k]->grays + from;
        scores[k] = sampled[k]->score + at;
    }
    if (memcmp(part, &scratch->loaded, sizeof *part) != 0)
        sweep->kernels->whole_load(&whole);
    scratch->loaded = *part;
    sweep->kernels->whole_ncc(&whole, grays, scratch->box, scores);
    for (size_t k = 0; k < count; k++) {
        drop_corners(sweep, tile, &scratch->beyond, sampled[k]->score);
        drop_others(tile, part, sampled[k]->score);
    }
}

/* How a sampling is scored. */
typedef struct Plan {
    bool is_whole;        /* a part of it as a whole; the rest, if any, by rows */
    AqmPart part;         /* outside of it nothing is seen */
    AqmTileMasks masks;   /* for rows */
    AqmTileMasks dropped; /* windows, if the tile drops any */
} Plan;

static void add_gaps(AqmSampled *sampled, const AqmTile *tile, const uint32_t *gaps) {
    for (int r = 0; r < tile->rows; r++)
        sampled->masks.gaps[r] |= gaps[r];
}

/* Rows take what lies beyond the reference image for missing. */
static void make_plan(const AqmSweep *sweep, const AqmTile *tile, const AqmTileScratch *scratch,
                      AqmSampled *sampled, Plan *plan) {
    plan->part = (AqmPart){0, 0, tile->width, tile->height};
    plan->is_whole = plan->masks.is_patch = scratch->can_be_whole;
    if (scratch->can_be_whole && !sampled->has_gaps)
        return;
    if (scratch->can_be_whole) {
        if (scratch->drops_partial)
            aqm_tile_masks_find(sweep, tile, sampled, &plan->dropped);
        add_gaps(sampled, tile, scratch->reference_holes);
        if (!scratch->drops_partial || scratch->has_holes)
            aqm_tile_masks_find(sweep, tile, sampled, &plan->masks);
        const AqmTileMasks *masks = scratch->drops_partial ? &plan->dropped : &plan->masks;
        plan->part = aqm_part_seen(sweep, tile, masks);
        if (scratch->drops_partial || aqm_part_is_empty(&plan->part) ||
            aqm_part_whole_share(sweep, &plan->part, masks) > least_whole)
            return;
    }
    add_gaps(sampled, tile, scratch->reference_gaps);
    aqm_tile_masks_find(sweep, tile, sampled, &plan->masks);
    plan->is_whole = plan->masks.is_patch = false;
}

/* What is left of a sampling after it was scored as a whole, or all of it. */
static void score_gaps(const AqmSweep *sweep, const AqmTile *tile, const Plan *plan,
                       const AqmSampled *sampled, AqmTileScratch *scratch) {
    if (plan->is_whole && !sampled->has_gaps)
        return;
    if (!scratch->drops_partial || scratch->has_holes)
        score_rows(sweep, tile, &plan->masks, sampled, scratch);
    if (scratch->drops_partial)
        aqm_drop_windows(sweep, tile, &plan->part, &plan->dropped, sampled->score);
}

/* Scores what waits: as a whole where most of it is, and then what has gaps. */
static void score_sampled(const AqmSweep *sweep, const AqmTile *tile, AqmTileScratch *scratch) {
    Plan plans[2];
    const AqmSampled *whole[2];
    AqmPart all = {0};
    size_t whole_count = 0;
    for (size_t k = 0; k < scratch->waiting; k++) {
        const AqmPart *part = &plans[k].part;
        make_plan(sweep, tile, scratch, &scratch->sampled[k], &plans[k]);
        if (!plans[k].is_whole)
            continue;
        if (aqm_part_is_empty(part)) {
            drop_others(tile, part, scratch->sampled[k].score);
            continue;
        }
        all = part_of_both(tile, part, whole_count > 0 ? &all : part);
        whole[whole_count++] = &scratch->sampled[k];
    }
    if (whole_count > 0)
        score_whole(sweep, tile, &all, whole, whole_count, scratch);
    for (size_t k = 0; k < scratch->waiting; k++)
        score_gaps(sweep, tile, &plans[k], &scratch->sampled[k], scratch);
    scratch->waiting = 0;
}

void aqm_sweep_tile_add_rows(const AqmSweep *sweep, const AqmTile *tile, AqmSampleRows sample,
                             const void *context, AqmTileScratch *scratch, int16_t *score) {
    AqmSampled *sampled = &scratch->sampled[scratch->waiting++];
    const AqmBeyond *outside = &scratch->outside;
    const bool has_border = aqm_has_border(outside);
    uint32_t any = 0;
    AqmRowGaps gaps[AQM_SAMPLED_ROWS];
    for (int r = 0; r < tile->rows; r++) {
        int16_t *row = sampled->grays + (size_t)r * tile->pitch;
        const int left = tile->rows - r;
        if (r % AQM_SAMPLED_ROWS == 0)
            sample(context, r, left < AQM_SAMPLED_ROWS ? left : AQM_SAMPLED_ROWS, row, gaps);
        const AqmRowGaps here = gaps[r % AQM_SAMPLED_ROWS];
        const uint32_t own =
            has_border ? aqm_tile_gaps_within(sweep->kernels, tile, outside, r, here.any, row)
                       : here.any;
        sampled->empty[r] = here.all & own;
        sampled->masks.gaps[r] = own;
        any |= scratch->reference_holes[r] | own;
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
    const int16_t *missing; /* a row */
    float *u, *v;           /* a row's */
} PositionRows;

static AqmRowGaps sample_row(const PositionRows *rows, int row, int16_t *out) {
    const size_t pitch = rows->tile->pitch, columns = (size_t)rows->tile->columns;
    rows->positions(rows->context, row, rows->u, rows->v);
    if (rows->is_inside) {
        rows->kernels->sample(&rows->gray, rows->u, rows->v, pitch, out);
        return (AqmRowGaps){0};
    }
    rows->kernels->sample_masked(&rows->gray, rows->u, rows->v, pitch, out);
    for (size_t c = columns; c < pitch; c++)
        out[c] = 0;
    const uint32_t any = rows->kernels->gaps(out, pitch);
    return (AqmRowGaps){any, aqm_empty_blocks(out, rows->missing, columns, any)};
}

static void sample_positions(const void *context, int row, int count, int16_t *out,
                             AqmRowGaps *gaps) {
    const PositionRows *rows = context;
    for (int r = 0; r < count; r++)
        gaps[r] = sample_row(rows, row + r, out + (size_t)r * rows->tile->pitch);
}

void aqm_sweep_tile_add(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                        bool is_inside, AqmRowPositions positions, const void *context,
                        AqmTileScratch *scratch, int16_t *score) {
    const PositionRows rows = {.kernels = sweep->kernels,
                               .tile = tile,
                               .gray = aqm_stereo_image_gray(source->image),
                               .is_inside = is_inside,
                               .positions = positions,
                               .context = context,
                               .missing = scratch->missing,
                               .u = scratch->u,
                               .v = scratch->v};
    aqm_sweep_tile_add_rows(sweep, tile, sample_positions, &rows, scratch, score);
}

float aqm_parabola_peak(float below, float best, float above) {
    const float curvature = below - 2.0f * best + above;
    if (!(curvature < -1e-6f))
        return 0.0f;
    const float peak = 0.5f * (below - above) / curvature;
    return peak < -0.5f ? -0.5f : peak > 0.5f ? 0.5f : peak;
}
