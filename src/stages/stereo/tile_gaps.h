/* What of a sampled tile is missing, and which windows that touches. */
#ifndef AQM_STEREO_TILE_GAPS_H
#define AQM_STEREO_TILE_GAPS_H

#include "stages/stereo/sweep.h"

/* Which sums and windows a tile takes, row by row of the tile; bits are blocks of AQM_ROW_MULTIPLE
 * columns. */
typedef struct AqmTileMasks {
    uint32_t columns[AQM_TILE_ROWS], windows[AQM_TILE_ROWS]; /* masked, as AqmMasks has them */
    uint32_t idle[AQM_TILE_ROWS];  /* blocks of columns of which no sum changes */
    uint32_t blank[AQM_TILE_ROWS]; /* blocks of windows that have no pixel at all */
    bool is_patch;                 /* only what is masked is wanted */
} AqmTileMasks;

/* Of the blocks of a row with gaps, those that miss every pixel. missing: such a row. */
uint32_t aqm_empty_blocks(const int16_t *row, const int16_t *missing, size_t columns,
                          uint32_t gaps);

/* Which sums and windows to take; sampled->masks.gaps and empty are there. */
void aqm_tile_masks_find(const AqmSweep *sweep, const AqmTile *tile, AqmSampled *sampled,
                         AqmTileMasks *out);

static inline bool aqm_part_is_empty(const AqmPart *part) {
    return part->x0 >= part->x1 || part->y0 >= part->y1;
}

/* The least part that has all windows with any pixel. */
AqmPart aqm_part_seen(const AqmSweep *sweep, const AqmTile *tile, const AqmTileMasks *masks);

/* Share of the blocks of a part that have no gap. */
double aqm_part_whole_share(const AqmSweep *sweep, const AqmPart *part, const AqmTileMasks *masks);

/* Marks the scores of the masked windows of a part as missing. */
void aqm_drop_windows(const AqmSweep *sweep, const AqmTile *tile, const AqmPart *part,
                      const AqmTileMasks *masks, int16_t *score);

#endif
