/* Whole tiles: every variant against windows scored row by row, bit for bit; those that miss a
 * pixel may be anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/window_stats.h"
#include "math/rng.h"

enum { SCORE_PITCH = 200, MAX_WIDTH = 192, MAX_HEIGHT = 41, MAX_WINDOW = 31, GUARD = 64 };
enum { MAX_PITCH = 240, MAX_ROWS = MAX_HEIGHT + MAX_WINDOW - 1 };

typedef struct Tile {
    AqmWholeTile whole;
    int16_t i[MAX_ROWS * MAX_PITCH + AQM_ROW_MULTIPLE];
    int16_t j[2][MAX_ROWS * MAX_PITCH + AQM_ROW_MULTIPLE];
    int16_t mean[MAX_HEIGHT * SCORE_PITCH], rest[MAX_HEIGHT * SCORE_PITCH];
    float variance[MAX_HEIGHT * SCORE_PITCH], inverse[MAX_HEIGHT * SCORE_PITCH];
    int16_t expected[2][MAX_HEIGHT * SCORE_PITCH + GUARD];
    int16_t score[2][MAX_HEIGHT * SCORE_PITCH + GUARD];
} Tile;

/* kind 0: any values; 1: extremes only; 2: bright and nearly flat, so that some windows are flat;
 * 3: any values, with gaps. */
static int16_t random_gray(AqmRng *rng, int kind) {
    if (kind == 3 && aqm_rng_u32(rng) % 400 == 0)
        return AQM_GRAY_MISSING;
    if (kind == 1)
        return aqm_rng_u32(rng) & 1 ? AQM_GRAY_MAX : AQM_GRAY_MIN;
    if (kind == 2)
        return (int16_t)(1000 + (int)(aqm_rng_u32(rng) % 5));
    return (int16_t)((int)(aqm_rng_u32(rng) % 2048) - 1024);
}

static void sum_window(const int16_t *i, size_t pitch, int window, int32_t *sum, int32_t *squares) {
    *sum = *squares = 0;
    for (int r = 0; r < window; r++)
        for (int c = 0; c < window; c++) {
            const int16_t gray = i[(size_t)r * pitch + (size_t)c];
            const int32_t value = gray == AQM_GRAY_MISSING ? 0 : gray;
            *sum += value;
            *squares += value * value;
        }
}

static void fill_tile(AqmRng *rng, int kind, int width, int height, int window, Tile *tile) {
    const size_t pitch = ((size_t)(width + window - 1) + 15) / 16 * 16;
    const int count = window * window;
    tile->whole = (AqmWholeTile){
        .i = tile->i,
        .pitch = pitch,
        .width = width,
        .height = height,
        .window = window,
        .score_pitch = SCORE_PITCH,
        .reference = {tile->mean, tile->rest, tile->variance, tile->inverse},
        .room = aligned_alloc(32, aqm_whole_room(width, height, window)),
    };
    assert_true(tile->whole.room != NULL);
    for (size_t k = 0; k < (size_t)(height + window - 1) * pitch + AQM_ROW_MULTIPLE; k++) {
        tile->i[k] = random_gray(rng, kind);
        for (int s = 0; s < 2; s++)
            tile->j[s][k] = aqm_rng_u32(rng) & 1 ? tile->i[k] : random_gray(rng, kind);
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)y * SCORE_PITCH + (size_t)x;
            int32_t sum, squares;
            sum_window(tile->i + (size_t)y * pitch + (size_t)x, pitch, window, &sum, &squares);
            const AqmWindowStats s = aqm_window_stats(sum, squares, count, 1.0f / (float)count);
            tile->mean[at] = (int16_t)s.mean;
            tile->rest[at] = (int16_t)s.rest;
            tile->variance[at] = s.variance;
            tile->inverse[at] = aqm_inverse_deviation(s.variance, aqm_flat_variance((float)count));
        }
}

/* A row with what is missing as 0. */
static const int16_t *filled(const int16_t *row, size_t n, int16_t *out) {
    for (size_t k = 0; k < n; k++)
        out[k] = row[k] == AQM_GRAY_MISSING ? 0 : row[k];
    return out;
}

static bool has_gap(const AqmWholeTile *w, const int16_t *grays, int x, int y) {
    bool any = false;
    for (int r = y; r < y + w->window; r++)
        for (int c = x; c < x + w->window; c++)
            any |= grays[(size_t)r * w->pitch + (size_t)c] == AQM_GRAY_MISSING;
    return any;
}

/* By the reference's kernel of rows, each row from its own sums. */
static void score_by_rows(Tile *tile, int source, int32_t *scratch) {
    static int32_t sums[3][MAX_PITCH];
    static const int16_t zeros[MAX_PITCH];
    int16_t i[MAX_PITCH], j[MAX_PITCH];
    const AqmWholeTile *w = &tile->whole;
    const AqmColumnSums columns = {.j = sums[0], .jj = sums[1], .ij = sums[2]};
    for (int y = 0; y < w->height; y++) {
        memset(sums, 0, sizeof sums);
        for (int r = y; r < y + w->window; r++)
            aqm_kernels_reference.columns(
                filled(tile->i + (size_t)r * w->pitch, w->pitch, i),
                filled(tile->j[source] + (size_t)r * w->pitch, w->pitch, j), zeros, zeros, w->pitch,
                &columns);
        const size_t at = (size_t)y * SCORE_PITCH;
        const AqmReferenceStats stats = {tile->mean + at, tile->rest + at, tile->variance + at,
                                         tile->inverse + at};
        aqm_kernels_reference.ncc(&columns, &stats, w->window, (size_t)w->width, scratch,
                                  tile->expected[source] + at);
    }
}

/* Compares the windows that miss no pixel; returns how many there are. */
static int compare_scores(const Tile *tile, int source) {
    const AqmWholeTile *w = &tile->whole;
    int count = 0;
    for (int y = 0; y < w->height; y++)
        for (int x = 0; x < w->width; x++) {
            if (has_gap(w, tile->i, x, y) || has_gap(w, tile->j[source], x, y))
                continue;
            const size_t at = (size_t)y * SCORE_PITCH + (size_t)x;
            assert_int_equal(tile->score[source][at], tile->expected[source][at]);
            count++;
        }
    return count;
}

/* What lies beyond the windows is untouched. */
static void check_guards(const AqmWholeTile *w, const int16_t *score) {
    for (int y = 0; y < w->height; y++)
        for (int x = (w->width + 7) / 8 * 8; x < SCORE_PITCH; x++)
            assert_int_equal(score[(size_t)y * SCORE_PITCH + (size_t)x], 0x5a5a);
    for (size_t k = 0; k < GUARD; k++)
        assert_int_equal(score[(size_t)w->height * SCORE_PITCH + k], 0x5a5a);
}

/* Both sources, and then the second alone: what was loaded stays. */
static void check_variant(const AqmKernels *kernels, int kind, Tile *tile, int32_t *scratch) {
    const AqmWholeTile *w = &tile->whole;
    const int16_t *const both[2] = {tile->j[0], tile->j[1]}, *const one[2] = {tile->j[1], NULL};
    int16_t *const scores[2] = {tile->score[0], tile->score[1]};
    int16_t *const second[2] = {tile->score[1], NULL};
    memset(tile->score, 0x5a, sizeof tile->score);
    kernels->whole_load(w);
    for (int times = 0; times < 2; times++) {
        kernels->whole_ncc(w, times == 0 ? both : one, scratch, times == 0 ? scores : second);
        for (int s = times; s < 2; s++) {
            const int compared = compare_scores(tile, s);
            assert_true(kind == 3 || compared == w->width * w->height);
            check_guards(w, tile->score[s]);
        }
        memset(tile->score[1], 0x5a, sizeof tile->score[1]);
    }
}

static void whole_tiles_score_as_rows_do(void **state) {
    (void)state;
    static const int windows[] = {3, 5, 7, 11, 15, 31};
    static const int sizes[][2] = {{192, 5}, {182, 4}, {64, 1}, {65, 2}, {191, 41}, {72, 3}};
    static Tile tile;
    static int32_t scratch[8 * (MAX_PITCH + MAX_WINDOW + AQM_ROW_MULTIPLE) + 3 * MAX_PITCH];
    const AqmKernels *variants[AQM_KERNEL_TABLES];
    const int count = aqm_kernel_tables(aqm_cpu_features(), variants);
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 72; trial++) {
        const int *size = sizes[trial % 6], window = windows[(trial + trial / 6) % 6];
        const int kind = trial / 6 % 4;
        fill_tile(&rng, kind, size[0], size[1], window, &tile);
        score_by_rows(&tile, 0, scratch);
        score_by_rows(&tile, 1, scratch);
        for (int k = 0; k < count; k++)
            check_variant(variants[k], kind, &tile, scratch);
        free(tile.whole.room);
    }
}

/* ---- borders --------------------------------------------------------------------------------- */

/* Of a tile's pixels (c, r), is it beyond the border? */
static bool is_beyond(const AqmWholeTile *w, int c, int r) {
    const int columns = w->width + w->window - 1, rows = w->height + w->window - 1;
    return c < w->beyond.left || c >= columns - w->beyond.right || r < w->beyond.top ||
           r >= rows - w->beyond.bottom;
}

/* Moves the tile over a border of the image: the reference is missing there, the sources are 0. */
static void move_over_border(const AqmBeyond *beyond, Tile *tile) {
    AqmWholeTile *w = &tile->whole;
    w->beyond = *beyond;
    for (int r = 0; r < w->height + w->window - 1; r++)
        for (int c = 0; c < w->width + w->window - 1; c++) {
            const size_t at = (size_t)r * w->pitch + (size_t)c;
            if (is_beyond(w, c, r))
                tile->i[at] = AQM_GRAY_MISSING, tile->j[0][at] = tile->j[1][at] = 0;
        }
    for (int y = 0; y < w->height; y++)
        for (int x = 0; x < w->width; x++) {
            const size_t at = (size_t)y * SCORE_PITCH + (size_t)x;
            int32_t sum, squares, count = 0;
            for (int k = 0; k < w->window * w->window; k++)
                count += !is_beyond(w, x + k % w->window, y + k / w->window);
            sum_window(tile->i + (size_t)y * w->pitch + (size_t)x, w->pitch, w->window, &sum,
                       &squares);
            const AqmWindowStats s = aqm_window_stats(sum, squares, count, 1.0f / (float)count);
            tile->mean[at] = (int16_t)s.mean;
            tile->rest[at] = (int16_t)s.rest;
            tile->inverse[at] = aqm_inverse_deviation(s.variance, aqm_flat_variance((float)count));
        }
}

/* By the reference's kernel of masked rows. */
static void score_masked_rows(Tile *tile, int source, int32_t *scratch) {
    static int32_t sums[6][MAX_PITCH];
    static int16_t missing[MAX_PITCH];
    const AqmWholeTile *w = &tile->whole;
    const AqmColumnSums columns = {sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]};
    for (size_t k = 0; k < MAX_PITCH; k++)
        missing[k] = AQM_GRAY_MISSING;
    for (int y = 0; y < w->height; y++) {
        memset(sums, 0, sizeof sums);
        for (int r = y; r < y + w->window; r++)
            aqm_kernels_reference.columns_masked(tile->i + (size_t)r * w->pitch,
                                                 tile->j[source] + (size_t)r * w->pitch, missing,
                                                 missing, w->pitch, &columns);
        aqm_kernels_reference.ncc_masked(&columns, w->window, 1, (size_t)w->width, scratch,
                                         tile->expected[source] + (size_t)y * SCORE_PITCH);
    }
}

static void compare_all(const Tile *tile) {
    const AqmWholeTile *w = &tile->whole;
    for (int source = 0; source < 2; source++)
        for (int y = 0; y < w->height; y++)
            for (int x = 0; x < w->width; x++) {
                const size_t at = (size_t)y * SCORE_PITCH + (size_t)x;
                assert_int_equal(tile->score[source][at], tile->expected[source][at]);
            }
}

static void windows_over_a_border_count_what_is_there(void **state) {
    (void)state;
    static const int windows[] = {3, 7, 11, 31};
    static const int sizes[][2] = {{182, 14}, {64, 1}, {101, 41}};
    static Tile tile;
    static int32_t scratch[8 * (MAX_PITCH + MAX_WINDOW + AQM_ROW_MULTIPLE) + 3 * MAX_PITCH];
    const AqmKernels *variants[AQM_KERNEL_TABLES];
    const int count = aqm_kernel_tables(aqm_cpu_features(), variants);
    AqmRng rng = aqm_rng(3, 1);
    for (int trial = 0; trial < 48; trial++) {
        const int window = windows[trial % 4], *size = sizes[trial / 4 % 3], reach = window / 2;
        const AqmBeyond beyond = {trial & 1 ? reach : 0, trial & 2 ? 1 : 0,
                                  trial / 12 & 1 ? reach : 0, trial / 12 & 2 ? 1 : 0};
        fill_tile(&rng, trial / 3 % 2 * 2, size[0], size[1], window, &tile);
        move_over_border(&beyond, &tile);
        for (int source = 0; source < 2; source++)
            score_masked_rows(&tile, source, scratch);
        for (int k = 0; k < count; k++) {
            const int16_t *const both[2] = {tile.j[0], tile.j[1]};
            int16_t *const scores[2] = {tile.score[0], tile.score[1]};
            if (!variants[k]->takes_border)
                continue;
            variants[k]->whole_load(&tile.whole);
            variants[k]->whole_ncc(&tile.whole, both, scratch, scores);
            compare_all(&tile);
        }
        free(tile.whole.room);
    }
}

/* A room one row of lanes too small would show under the address sanitizer: the room is a block of
 * its own here, for every size. */
static void the_room_is_enough_for_every_size(void **state) {
    (void)state;
    static Tile tile;
    static int32_t scratch[8 * (MAX_PITCH + MAX_WINDOW + AQM_ROW_MULTIPLE) + 3 * MAX_PITCH];
    const AqmKernels *kernels = aqm_kernels(aqm_cpu_features());
    AqmRng rng = aqm_rng(2, 1);
    for (int width = 64; width <= MAX_WIDTH; width += 5)
        for (int window = 3; window <= MAX_WINDOW; window += 14) {
            fill_tile(&rng, 0, width, 1 + width % 3, window, &tile);
            score_by_rows(&tile, 0, scratch);
            score_by_rows(&tile, 1, scratch);
            check_variant(kernels, 0, &tile, scratch);
            free(tile.whole.room);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_tiles_score_as_rows_do),
        cmocka_unit_test(windows_over_a_border_count_what_is_there),
        cmocka_unit_test(the_room_is_enough_for_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
