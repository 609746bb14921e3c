/* Whole tiles: the plain way, row by row, for tables that have no better one, and what
 * strips_avx2.c gives to that of AVX2. Contracts in kernels.h. */
#ifndef AQM_KERNELS_STRIPS_H
#define AQM_KERNELS_STRIPS_H

#include <stdbool.h>
#include <string.h>

#include "kernels/kernels.h"

typedef void (*AqmMoveColumns)(const int16_t *i_new, const int16_t *j_new, const int16_t *i_old,
                               const int16_t *j_old, size_t n, const AqmColumnSums *sums);
typedef void (*AqmScoreRow)(const AqmColumnSums *sums, const AqmReferenceStats *reference,
                            int window, size_t n, int32_t *scratch, float *score);

static inline void whole_load_nothing(const AqmWholeTile *tile) {
    (void)tile;
}

/* Scores a tile by the kernels of rows. */
static inline void whole_by_rows(AqmMoveColumns columns, AqmScoreRow ncc, const AqmWholeTile *tile,
                                 const int16_t *j, int32_t *scratch, float *score) {
    static const int16_t none[AQM_ROW_MULTIPLE];
    const size_t pitch = tile->pitch, window = (size_t)tile->window;
    const AqmColumnSums sums = {.j = scratch, .jj = scratch + pitch, .ij = scratch + 2 * pitch};
    memset(scratch, 0, 3 * pitch * sizeof *scratch);
    for (size_t r = 0; r < (size_t)tile->height + window - 1; r++) {
        const int16_t *i_new = tile->i + r * pitch, *j_new = j + r * pitch;
        for (size_t c = 0; c < pitch && r < window; c += AQM_ROW_MULTIPLE) {
            const AqmColumnSums block = {sums.j + c, sums.jj + c, sums.ij + c, NULL, NULL, NULL};
            columns(i_new + c, j_new + c, none, none, AQM_ROW_MULTIPLE, &block);
        }
        if (r >= window)
            columns(i_new, j_new, i_new - window * pitch, j_new - window * pitch, pitch, &sums);
        if (r + 1 < window)
            continue;
        const size_t at = (r + 1 - window) * tile->score_pitch;
        const AqmReferenceStats *all = &tile->reference;
        const AqmReferenceStats row = {all->mean + at, all->rest + at, all->variance + at,
                                       all->inverse_deviation + at};
        ncc(&sums, &row, tile->window, (size_t)tile->width, scratch + 3 * pitch, score + at);
    }
}

void aqm_whole_load_avx2(const AqmWholeTile *tile);
void aqm_whole_ncc_avx2(const AqmWholeTile *tile, const int16_t *j, int32_t *scratch, float *score);

#endif
