/* Least squares matching along the ray (Gruen 1985; in the closed form of Psarakis & Evangelidis
 * 2005).
 *
 * The window lies in the known surface. Around it each source is linear between two samples of the
 * ray's image. With r the correlation of a source with the reference, r' its derivative by
 * disparity and A the information (near_kernels.h), the shift that maximises the sum of the
 * correlations is, to first order,
 *
 *     t = sum_s w_s r'_s / D,    D = prior + sum_s w_s r_s max(0, A_s - noise_share (1 - r_s^2))
 *
 * over the sources that see the surface (w_s falls from 1 to 0 between 0.8 and 0.6 of the best
 * source's correlation). What is left of each source's window after the best shift, 1 - r^2, is
 * noise, and noise has gradients too: A counts them as information, which would keep t short of the
 * truth, so about what they add is taken off (half of the rest is the source's own noise, with a
 * gradient of about its size a pixel). The prior draws to the base what has little information: an
 * edge along the ray's image, where a tenth of a pixel of misalignment across it moves t by more
 * than the search was off. The variance of t is
 *
 *     noise_gain / window^2 * sum_s w_s^2 A_s (1 - r_s^2) / D^2
 *
 * to which is added what does not fall with texture: `floor_px` (sampling, calibration, and relief
 * smaller than the window), a share of t, since a base that was that wrong bent the window, and
 * the share prior / D of what the base itself is off (`base_px`). The gain would be 1 if
 * neighbouring pixels' noise were independent; the numbers are fitted to errors on rendered scenes
 * with known truth (docs/method.md).
 *
 * Cost: two samples and seven window sums for each source. */
#include "stages/stereo/refine.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "stages/stereo/near_warp.h"

static const size_t tile_area = (size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT;
static const float source_floor = 0.6f, source_full = 0.8f; /* of the best source's score */
/* Distance of the two samples. Far apart they miss curvature, close together they see noise. */
static const float spacing_px = 0.5f;
static const float noise_share = 0.5f;
static const float prior = 0.07f;
static const float most_px = 0.5f; /* of a shift: beyond it the source is not linear */
static const float noise_gain = 2.8f, floor_px = 0.033f, shift_share = 0.1f, base_px = 0.3f;

typedef struct Scratch {
    AqmTileScratch tile;
    AqmNearWarp warp;
    float *positions; /* u, v of both samples of a row */
    int16_t *a, *b;   /* rows x pitch */
    int32_t *sums;    /* ten rows */
    size_t sums_pitch;
    int32_t *box;
    float *fits; /* sources x 3 x tile area */
    bool *is_seen;
} Scratch;

static void scratch_free(Scratch *scratch) {
    aqm_sweep_tile_scratch_free(&scratch->tile);
    aqm_near_warp_free(&scratch->warp);
    aqm_free(scratch->positions);
    aqm_free(scratch->a);
    aqm_free(scratch->sums);
    aqm_free(scratch->box);
    aqm_free(scratch->fits);
    aqm_free(scratch->is_seen);
}

static AqmStatus scratch_create(Scratch *scratch, const AqmSweep *sweep) {
    const size_t pitch = AQM_WARP_PITCH + AQM_ROW_MULTIPLE, area = AQM_WARP_ROWS * pitch;
    *scratch = (Scratch){0};
    AqmStatus status = aqm_sweep_tile_scratch_create(&scratch->tile, sweep, NULL);
    if (status == AQM_OK)
        status = aqm_near_warp_create(&scratch->warp, NULL);
    scratch->positions = aqm_alloc(4 * pitch, sizeof(float));
    scratch->a = aqm_alloc(2 * area, sizeof(int16_t));
    scratch->sums = aqm_alloc(10 * pitch, sizeof(int32_t));
    scratch->box = aqm_alloc(12 * pitch, sizeof(int32_t));
    scratch->fits = aqm_alloc(3 * sweep->most * tile_area, sizeof(float));
    scratch->is_seen = aqm_alloc(sweep->most, sizeof(bool));
    if (status != AQM_OK || !scratch->positions || !scratch->a || !scratch->sums || !scratch->box ||
        !scratch->fits || !scratch->is_seen) {
        scratch_free(scratch);
        return AQM_ERROR_MEMORY;
    }
    scratch->b = scratch->a + area;
    scratch->sums_pitch = pitch;
    return AQM_OK;
}

/* Samples a row of the tile half the spacing before and behind the surface; returns its gaps. */
static uint32_t sample_row(const AqmSweep *sweep, const AqmTile *tile, const AqmSweepSource *source,
                           bool is_inside, int row, Scratch *scratch) {
    const size_t pitch = AQM_WARP_PITCH + AQM_ROW_MULTIPLE, n = tile->pitch;
    float *u = scratch->positions, *v = u + pitch, *u2 = v + pitch, *v2 = u2 + pitch;
    const AqmGray gray = aqm_stereo_image_gray(source->image);
    aqm_near_warp_ends(&scratch->warp, sweep, row, 0.5f * spacing_px, u, v, u2, v2);
    int16_t *a = scratch->a + (size_t)row * n, *b = scratch->b + (size_t)row * n;
    if (is_inside) {
        sweep->kernels->sample(&gray, u, v, n, a);
        sweep->kernels->sample(&gray, u2, v2, n, b);
        return 0;
    }
    sweep->kernels->sample_masked(&gray, u, v, n, a);
    sweep->kernels->sample_masked(&gray, u2, v2, n, b);
    for (size_t c = (size_t)tile->columns; c < n; c++)
        a[c] = b[c] = 0;
    return sweep->kernels->gaps(a, n) | sweep->kernels->gaps(b, n);
}

static AqmPairFit fit_at(const Scratch *scratch, size_t source, size_t at) {
    float *fits = scratch->fits + 3 * source * tile_area + at;
    return (AqmPairFit){fits, fits + tile_area, fits + 2 * tile_area};
}

static AqmPairSums sums_from(const Scratch *scratch, size_t column) {
    const size_t pitch = scratch->sums_pitch;
    int32_t *s = scratch->sums + column;
    return (AqmPairSums){.a = s,
                         .b = s + pitch,
                         .aa = s + 2 * pitch,
                         .ab = s + 3 * pitch,
                         .bb = s + 4 * pitch,
                         .ia = s + 5 * pitch,
                         .ib = s + 6 * pitch,
                         .count = s + 7 * pitch,
                         .i = s + 8 * pitch,
                         .ii = s + 9 * pitch};
}

/* The three sums that only masked windows have, of a block without gaps over the rows before
 * `row`. */
static void restore_block(const Scratch *scratch, size_t pitch, int window, int row, size_t block) {
    const int first = row > window ? row - window : 0;
    const AqmPairSums sums = sums_from(scratch, block * AQM_ROW_MULTIPLE);
    for (size_t c = 0; c < AQM_ROW_MULTIPLE; c++) {
        int32_t sum = 0, squares = 0;
        for (int r = first; r < row; r++) {
            const int32_t value =
                scratch->tile.reference[(size_t)r * pitch + block * AQM_ROW_MULTIPLE + c];
            sum += value;
            squares += value * value;
        }
        sums.count[c] = row - first;
        sums.i[c] = sum;
        sums.ii[c] = squares;
    }
}

static void move_columns(const AqmSweep *sweep, const AqmTile *tile, int r, uint32_t masked_before,
                         uint32_t masked, const Scratch *scratch) {
    const AqmNearKernels *near_by = sweep->near_kernels;
    const size_t pitch = tile->pitch, blocks = pitch / AQM_ROW_MULTIPLE;
    const size_t window_area = (size_t)sweep->window * pitch;
    const bool is_full = r >= sweep->window;
    for (uint32_t added = masked & ~masked_before & ((1u << blocks) - 1); added; added &= added - 1)
        restore_block(scratch, pitch, sweep->window, r, (size_t)__builtin_ctz(added));
    for (size_t b = 0, end; b < blocks; b = end) {
        end = aqm_run_end(masked, b, blocks);
        const bool is_masked = masked >> b & 1;
        const size_t at = (size_t)r * pitch + b * AQM_ROW_MULTIPLE, old = at - window_area;
        const int16_t *blank = is_masked ? scratch->tile.missing : scratch->tile.blank;
        const AqmPairRow in = {scratch->tile.reference + at, scratch->a + at, scratch->b + at};
        const AqmPairRow out = {is_full ? scratch->tile.reference + old : blank,
                                is_full ? scratch->a + old : blank,
                                is_full ? scratch->b + old : blank};
        const AqmPairSums sums = sums_from(scratch, b * AQM_ROW_MULTIPLE);
        (is_masked ? near_by->pair_columns_masked
                   : near_by->pair_columns)(&in, &out, (end - b) * AQM_ROW_MULTIPLE, &sums);
    }
}

static void fit_row(const AqmSweep *sweep, const AqmTile *tile, uint32_t masked, size_t s,
                    size_t row, const Scratch *scratch) {
    const AqmNearKernels *near_by = sweep->near_kernels;
    const int window = sweep->window, min_count = window * window / 4;
    const size_t width = (size_t)tile->width;
    const size_t blocks = (width + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE;
    for (size_t b = 0, end; b < blocks; b = end) {
        end = aqm_run_end(masked, b, blocks);
        const size_t x = b * AQM_ROW_MULTIPLE, at = row * AQM_TILE_WIDTH + x;
        const size_t n = (end == blocks ? width : end * AQM_ROW_MULTIPLE) - x;
        const AqmPairSums sums = sums_from(scratch, x);
        const AqmPairFit fit = fit_at(scratch, s, at);
        const AqmTileScratch *t = &scratch->tile;
        const AqmReferenceStats reference = {t->reference_mean + at, t->reference_rest + at,
                                             t->reference_variance + at, t->reference_inverse + at};
        if (masked >> b & 1)
            near_by->pair_fit_masked(&sums, window, min_count, spacing_px, n, scratch->box, &fit);
        else
            near_by->pair_fit(&sums, &reference, window, spacing_px, n, scratch->box, &fit);
    }
}

static void fit_source(const AqmSweep *sweep, const AqmTile *tile, size_t s, bool is_inside,
                       Scratch *scratch) {
    AqmMasks masks;
    aqm_masks_start(&masks, sweep->window);
    memset(scratch->sums, 0, 10 * scratch->sums_pitch * sizeof *scratch->sums);
    for (int r = 0; r < tile->rows; r++) {
        const uint32_t masked_before = masks.columns;
        masks.gaps[r] = scratch->tile.reference_gaps[r] |
                        sample_row(sweep, tile, &sweep->sources[s], is_inside, r, scratch);
        aqm_masks_move(&masks, r, sweep->window);
        move_columns(sweep, tile, r, masked_before, masks.columns, scratch);
        if (r >= sweep->window - 1)
            fit_row(sweep, tile, masks.windows, s, (size_t)(r - sweep->window + 1), scratch);
    }
}

/* One row of answers from the fits of the sources that may see the tile. */
static void answer_row(const AqmSweep *sweep, const AqmTile *tile, const Scratch *scratch, int y,
                       const float *base, const AqmRefined *refined) {
    AqmPairFit fits[AQM_SOURCES_MAX];
    size_t count = 0;
    for (size_t s = 0; s < sweep->source_count; s++)
        if (scratch->is_seen[s])
            fits[count++] = fit_at(scratch, s, (size_t)y * AQM_TILE_WIDTH);
    const AqmPairRules rules = {
        source_floor, source_full, noise_share,
        prior,        most_px,     noise_gain / (float)(sweep->window * sweep->window),
        floor_px,     shift_share, base_px};
    const size_t at = (size_t)(tile->y0 + y) * (size_t)sweep->view->width + (size_t)tile->x0;
    float *disparity = refined->disparity + at;
    sweep->near_kernels->pair_solve(fits, count, &rules, (size_t)tile->width, disparity,
                                    refined->sigma_px + at, refined->score + at);
    for (int x = 0; x < tile->width; x++)
        disparity[x] += base[at + (size_t)x]; /* NaN where either is */
}

enum { LANES = 8 };

/* Adds the squared steps of n pixels and their number, lane by lane: in vectors. */
static inline void add_steps(const float *base, const float *disparity, size_t n, float sums[LANES],
                             int32_t counts[LANES]) {
    for (size_t k = 0; k < n; k++) {
        const float step = disparity[k] - base[k];
        const bool is_known = step == step; /* not NaN */
        sums[k] += is_known ? step * step : 0.0f;
        counts[k] += is_known;
    }
}

/* The root of the mean squared step of a tile, px. */
static float tile_move(const AqmView *view, const AqmTile *tile, const float *base,
                       const float *disparity) {
    float sums[LANES] = {0};
    int32_t counts[LANES] = {0}, count = 0;
    const size_t width = (size_t)tile->width;
    for (int y = tile->y0; y < tile->y0 + tile->height; y++) {
        const size_t at = (size_t)y * (size_t)view->width + (size_t)tile->x0;
        size_t x = 0;
        for (; x + LANES <= width; x += LANES)
            add_steps(base + at + x, disparity + at + x, LANES, sums, counts);
        add_steps(base + at + x, disparity + at + x, width - x, sums, counts);
    }
    float sum = 0.0f;
    for (size_t k = 0; k < LANES; k++) {
        sum += sums[k];
        count += counts[k];
    }
    return count > 0 ? sqrtf(sum / (float)count) : 0.0f;
}

static void refine_tile(const AqmSweep *whole, const float *base, size_t index, Scratch *scratch,
                        const AqmRefined *refined, float *move) {
    AqmTile tile = aqm_sweep_tile(whole, index);
    const AqmSweep for_tile =
        aqm_sweep_for_tile(whole, &tile, aqm_tile_h(whole, &tile, base), scratch->tile.sources);
    const AqmSweep *sweep = &for_tile;
    aqm_sweep_tile_load(sweep, &tile, &scratch->tile);
    const bool is_known = aqm_near_warp_load(&scratch->warp, sweep, &tile, base, most_px);
    for (size_t s = 0; s < sweep->source_count; s++) {
        bool is_inside;
        scratch->is_seen[s] =
            is_known && aqm_near_warp_source(&scratch->warp, sweep, &sweep->sources[s], &is_inside);
        if (scratch->is_seen[s])
            fit_source(sweep, &tile, s, is_inside, scratch);
    }
    for (int y = 0; y < tile.height; y++)
        answer_row(sweep, &tile, scratch, y, base, refined);
    *move = tile_move(sweep->view, &tile, base, refined->disparity);
}

AqmStatus aqm_refine(const AqmSweep *sweep, const float *base, const AqmRefined *refined,
                     float least_px, float *moves, AqmDiag *diag) {
    const int tiles = (int)aqm_sweep_tile_count(sweep->view);
    int failed = 0;
#pragma omp parallel num_threads(sweep->threads)
    {
        Scratch scratch;
        const bool is_ready = scratch_create(&scratch, sweep) == AQM_OK;
        if (!is_ready) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 1)
        for (int index = 0; index < tiles; index++)
            if (is_ready && moves[index] >= least_px)
                refine_tile(sweep, base, (size_t)index, &scratch, refined, &moves[index]);
        if (is_ready)
            scratch_free(&scratch);
    }
    return failed ? aqm_fail_memory(diag, "the tiles of the refinement",
                                    3 * sweep->most * tile_area, sizeof(float))
                  : AQM_OK;
}
