/* What of a sampled tile is missing, in blocks of AQM_ROW_MULTIPLE columns, row by row. */
#include "stages/stereo/tile_gaps.h"

#include <string.h>

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

static bool is_empty(const int16_t *row, const int16_t *missing, size_t first, size_t end) {
    return memcmp(row + first, missing, (end - first) * sizeof *row) == 0;
}

uint32_t aqm_empty_blocks(const int16_t *row, const int16_t *missing, size_t columns,
                          uint32_t gaps) {
    const size_t blocks = (columns + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
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
static void find_blank(const uint32_t *empty, int r, int alike, int window, AqmTileMasks *out) {
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
static void join_last(const AqmTile *tile, int r, int window, AqmTileMasks *out) {
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

void aqm_tile_masks_find(const AqmSweep *sweep, const AqmTile *tile, AqmSampled *sampled,
                         AqmTileMasks *out) {
    AqmMasks *masks = &sampled->masks;
    const uint32_t *empty = sampled->empty;
    const int blocks = (tile->width + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    int alike = 0;
    aqm_masks_start(masks, sweep->window);
    for (int r = 0; r < tile->rows; r++) {
        aqm_masks_move(masks, r, sweep->window);
        out->columns[r] = masks->columns;
        out->windows[r] = masks->windows & ((1u << blocks) - 1);
        alike = r > 0 && empty[r] == empty[r - 1] ? alike + 1 : 0;
        find_blank(empty, r, alike, sweep->window, out);
        join_last(tile, r, sweep->window, out);
    }
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The bits of blocks first .. end - 1. */
static uint32_t blocks_between(int first, int end) {
    return (uint32_t)((1ull << end) - (1ull << first));
}

AqmPart aqm_part_seen(const AqmSweep *sweep, const AqmTile *tile, const AqmTileMasks *masks) {
    const int blocks = (tile->width + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    AqmPart part = {0, tile->height, 0, 0};
    uint32_t any = 0;
    for (int y = 0; y < tile->height; y++) {
        const uint32_t seen = ~masks->blank[y + sweep->window - 1] & blocks_between(0, blocks);
        any |= seen;
        if (!seen)
            continue;
        part.y0 = y < part.y0 ? y : part.y0;
        part.y1 = y + 1;
    }
    if (!any)
        return (AqmPart){0};
    part.x0 = AQM_ROW_MULTIPLE * __builtin_ctz(any);
    part.x1 = AQM_ROW_MULTIPLE * (32 - __builtin_clz(any));
    part.x1 = part.x1 < tile->width ? part.x1 : tile->width;
    return part;
}

double aqm_part_whole_share(const AqmSweep *sweep, const AqmPart *part, const AqmTileMasks *masks) {
    const int first = part->x0 / AQM_ROW_MULTIPLE;
    const int end = (part->x1 + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    int count = 0;
    for (int y = part->y0; y < part->y1; y++)
        count +=
            __builtin_popcount(masks->windows[y + sweep->window - 1] & blocks_between(first, end));
    return 1.0 - (double)count / ((double)(end - first) * (part->y1 - part->y0));
}

void aqm_drop_windows(const AqmSweep *sweep, const AqmTile *tile, const AqmPart *part,
                      const AqmTileMasks *masks, int16_t *score) {
    const int reach = sweep->window - 1;
    for (int y = part->y0; y < part->y1; y++)
        for (uint32_t left = masks->windows[y + reach]; left; left &= left - 1) {
            const int x0 = AQM_ROW_MULTIPLE * __builtin_ctz(left);
            const int x1 =
                x0 + AQM_ROW_MULTIPLE < tile->width ? x0 + AQM_ROW_MULTIPLE : tile->width;
            int16_t *row = score + (size_t)y * AQM_TILE_WIDTH;
            for (int x = x0; x < x1; x++)
                row[x] = AQM_SCORE_MISSING;
        }
}
