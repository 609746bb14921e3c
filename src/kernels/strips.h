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
                            int window, size_t n, int32_t *scratch, int16_t *score);

/* Rows of `from` with what is missing as 0, one after the other with `pitch`. */
static inline void fill_rows(const AqmWholeTile *tile, const int16_t *from, size_t pitch,
                             int16_t *out) {
    for (size_t r = 0; r < (size_t)tile->height + (size_t)tile->window - 1; r++)
        for (size_t c = 0; c < pitch; c++) {
            const int16_t gray = from[r * tile->pitch + c];
            out[r * pitch + c] = gray == AQM_GRAY_MISSING ? 0 : gray;
        }
}

/* The room holds the reference and the source, filled. */
static inline size_t filled_pitch(const AqmWholeTile *tile) {
    const size_t columns = (size_t)tile->width + (size_t)tile->window - 1;
    return (columns + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE * AQM_ROW_MULTIPLE;
}

static inline void whole_load_rows(const AqmWholeTile *tile) {
    fill_rows(tile, tile->i, filled_pitch(tile), tile->room);
}

/* Scores a source by the kernels of rows. */
static inline void score_by_rows(AqmMoveColumns columns, AqmScoreRow ncc, const AqmWholeTile *tile,
                                 const int16_t *source, int32_t *scratch, int16_t *score) {
    static const int16_t none[AQM_ROW_MULTIPLE];
    const size_t pitch = filled_pitch(tile), window = (size_t)tile->window;
    const size_t rows = (size_t)tile->height + window - 1;
    const int16_t *i = tile->room;
    int16_t *j = (int16_t *)tile->room + rows * pitch;
    const AqmColumnSums sums = {.j = scratch, .jj = scratch + pitch, .ij = scratch + 2 * pitch};
    fill_rows(tile, source, pitch, j);
    memset(scratch, 0, 3 * pitch * sizeof *scratch);
    for (size_t r = 0; r < rows; r++) {
        const int16_t *i_new = i + r * pitch, *j_new = j + r * pitch;
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

static inline void whole_by_rows(AqmMoveColumns columns, AqmScoreRow ncc, const AqmWholeTile *tile,
                                 const int16_t *const j[2], int32_t *scratch,
                                 int16_t *const score[2]) {
    for (int k = 0; k < 2 && j[k]; k++)
        score_by_rows(columns, ncc, tile, j[k], scratch, score[k]);
}

void aqm_whole_load_avx2(const AqmWholeTile *tile);
void aqm_whole_ncc_avx2(const AqmWholeTile *tile, const int16_t *const j[2], int32_t *scratch,
                        int16_t *const score[2]);

#endif
