/* Scores of a tile with gaps of every kind against windows scored one by one, and what a slab says
 * of its blocks against samples taken anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "aquamvs/stereo.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "math/rng.h"
#include "stages/stereo/slab.h"

enum { WIDTH = 400, HEIGHT = 240, WINDOW = 11 };

/* ---- scores ---------------------------------------------------------------------------------- */

/* What a tile is scored against: gaps where the kind says. */
typedef struct Rows {
    const AqmKernels *kernels;
    const AqmTile *tile;
    const int16_t *grays; /* rows x pitch */
} Rows;

static void give_rows(const void *context, int row, int count, int16_t *out, AqmRowGaps *gaps) {
    const Rows *rows = context;
    const size_t pitch = rows->tile->pitch;
    memcpy(out, rows->grays + (size_t)row * pitch, (size_t)count * pitch * sizeof *out);
    for (int r = 0; r < count; r++, out += pitch) {
        gaps[r] = (AqmRowGaps){rows->kernels->gaps(out, pitch), UINT32_MAX};
        for (int c = 0; c < rows->tile->columns; c++)
            if (out[c] != AQM_GRAY_MISSING)
                gaps[r].all &= ~(1u << c / AQM_ROW_MULTIPLE);
    }
}

enum { KINDS = 6 };

/* 0: whole; 1: ends at a slope; 2: a hole; 3: speckles; 4: hardly seen; 5: not seen at all. */
static bool is_missing(int kind, int x, int y, AqmRng *rng) {
    switch (kind) {
    case 1:
        return x > 200 - y / 3;
    case 2:
        return x > 40 && x < 60 && y > 30 && y < 70;
    case 3:
        return aqm_rng_uniform(rng) < 0.001;
    case 4:
        return x > 30 || y > 50;
    default:
        return kind == 5;
    }
}

/* A random image; the lower right corner is masked. */
static AqmStereoImage *create_image(AqmRng *rng) {
    AqmImage *image = NULL, *mask = NULL;
    AqmStereoImage *out = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    assert_int_equal(aqm_image_create(&mask, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++) {
            ((uint8_t *)image->data)[y * image->stride + x] = (uint8_t)aqm_rng_u32(rng);
            ((uint8_t *)mask->data)[y * mask->stride + x] = x + y < WIDTH + HEIGHT - 150;
        }
    const AqmImageView pixels = aqm_image_view(image), present = aqm_image_view(mask);
    assert_int_equal(aqm_stereo_image_create(&out, &pixels, &present, 255.0, NULL), AQM_OK);
    aqm_image_destroy(&image);
    aqm_image_destroy(&mask);
    return out;
}

/* The score of window (x, y) from sums of its own. */
static int16_t score_alone(const AqmSweep *sweep, const AqmTile *tile, const int16_t *reference,
                           const int16_t *source, int x, int y) {
    enum { N = 48 };
    int32_t block[6][N] = {{0}}, scratch[8 * (N + 16)];
    int16_t i[N], j[N], none[N];
    int16_t score = 0;
    const AqmColumnSums sums = {block[0], block[1], block[2], block[3], block[4], block[5]};
    for (size_t k = 0; k < N; k++)
        none[k] = AQM_GRAY_MISSING;
    for (int r = 0; r < sweep->window; r++) {
        memcpy(i, none, sizeof i);
        memcpy(j, none, sizeof j);
        const size_t at = (size_t)(y + r) * tile->pitch + (size_t)x;
        memcpy(i, reference + at, (size_t)sweep->window * sizeof *i);
        memcpy(j, source + at, (size_t)sweep->window * sizeof *j);
        aqm_kernels_reference.columns_masked(i, j, none, none, 16, &sums);
    }
    const int count = sweep->window * sweep->window;
    (sweep->cost == AQM_COST_NCC ? aqm_kernels_reference.ncc_masked
                                 : aqm_kernels_reference.ssim_masked)(
        &sums, sweep->window, (count + 1) / 2, 1, scratch, &score);
    return score;
}

/* What a source shows of a tile: noise, with gaps of a kind. The caller frees it. */
static int16_t *create_grays(const AqmTile *tile, int kind, AqmRng *rng) {
    int16_t *grays = aqm_calloc((size_t)tile->rows * tile->pitch, sizeof *grays);
    assert_non_null(grays);
    for (int y = 0; y < tile->rows; y++)
        for (int x = 0; x < tile->columns; x++) {
            const int16_t gray = (int16_t)((int)(aqm_rng_u32(rng) % 2048) - 1024);
            grays[(size_t)y * tile->pitch + (size_t)x] =
                is_missing(kind, x, y, rng) ? AQM_GRAY_MISSING : gray;
        }
    return grays;
}

static int16_t *create_scores(void) {
    int16_t *score = aqm_alloc((size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT, sizeof *score);
    assert_non_null(score);
    return score;
}

/* Two samplings, with gaps of two kinds, that are scored together where that can be. */
static void check_tile(const AqmSweep *sweep, AqmTile tile, const int kinds[2], AqmRng *rng,
                       AqmTileScratch *scratch) {
    int16_t *grays[2], *scores[2];
    Rows rows[2];
    aqm_sweep_tile_load(sweep, &tile, scratch);
    for (int k = 0; k < 2; k++) {
        grays[k] = create_grays(&tile, kinds[k], rng);
        scores[k] = create_scores();
        rows[k] = (Rows){sweep->kernels, &tile, grays[k]};
        aqm_sweep_tile_add_rows(sweep, &tile, give_rows, &rows[k], scratch, scores[k]);
    }
    aqm_sweep_tile_finish(sweep, &tile, scratch);
    for (int k = 0; k < 2; k++) {
        for (int y = 0; y < tile.height; y += 3)
            for (int x = 0; x < tile.width; x++)
                assert_int_equal(scores[k][(size_t)y * AQM_TILE_WIDTH + (size_t)x],
                                 score_alone(sweep, &tile, scratch->reference, grays[k], x, y));
        aqm_free(grays[k]);
        aqm_free(scores[k]);
    }
}

static void gaps_change_no_window_that_they_do_not_touch(void **state) {
    (void)state;
    /* in the middle, at the corners of the image, and too small to be scored as a whole */
    static const int tiles[][4] = {{20, 20, 230, 60}, {0, 0, 166, 96}, {213, 180, 187, 60},
                                   {2, 40, 33, 30},   {7, 5, 5, 4},    {0, 3, 4, 40}};
    AqmRng rng = aqm_rng(3, 1);
    AqmStereoImage *image = create_image(&rng);
    const AqmCost costs[] = {AQM_COST_NCC, AQM_COST_SSIM};
    for (size_t c = 0; c < 2; c++) {
        const AqmSweep sweep = {.kernels = aqm_kernels(aqm_cpu_features()),
                                .image = image,
                                .most = 1,
                                .cost = costs[c],
                                .window = WINDOW};
        AqmTileScratch scratch;
        assert_int_equal(aqm_sweep_tile_scratch_create(&scratch, &sweep, NULL), AQM_OK);
        for (size_t t = 0; t < sizeof tiles / sizeof tiles[0]; t++)
            for (int kind = 0; kind < KINDS; kind++)
                check_tile(
                    &sweep,
                    aqm_sweep_tile_at(&sweep, tiles[t][0], tiles[t][1], tiles[t][2], tiles[t][3]),
                    (int[]){kind, (int)(aqm_rng_u32(&rng) % KINDS)}, &rng, &scratch);
        aqm_sweep_tile_scratch_free(&scratch);
    }
    aqm_stereo_image_destroy(&image);
}

/* Whether a window takes a pixel inside of the image that the source misses; whether one does of
 * the blocks that are looked at with it. */
static bool touches_gap(const AqmTile *tile, const int16_t *grays, int x, int y, bool in_blocks) {
    const int first = in_blocks ? 0 : x, last = in_blocks ? tile->columns - 1 : x + WINDOW - 1;
    for (int r = y; r < y + WINDOW; r++)
        for (int c = first; c <= last; c++) {
            const int u = tile->x0 - tile->radius + c, v = tile->y0 - tile->radius + r;
            const bool is_near =
                !in_blocks || (c / AQM_ROW_MULTIPLE >= x / AQM_ROW_MULTIPLE - 1 &&
                               c / AQM_ROW_MULTIPLE <= (x + 40) / AQM_ROW_MULTIPLE);
            if (is_near && u >= 0 && v >= 0 && u < WIDTH && v < HEIGHT &&
                grays[(size_t)r * tile->pitch + (size_t)c] == AQM_GRAY_MISSING)
                return true;
        }
    return false;
}

/* Scores with what a source sees of windows in part dropped, by one table. */
static int16_t *score_dropping(AqmSweep sweep, const AqmKernels *kernels, AqmTile tile,
                               const int16_t *grays) {
    AqmTileScratch scratch;
    int16_t *score = create_scores();
    const Rows rows = {kernels, &tile, grays};
    sweep.kernels = kernels;
    assert_int_equal(aqm_sweep_tile_scratch_create(&scratch, &sweep, NULL), AQM_OK);
    aqm_sweep_tile_load(&sweep, &tile, &scratch);
    scratch.drops_partial = true;
    aqm_sweep_tile_add_rows(&sweep, &tile, give_rows, &rows, &scratch, score);
    aqm_sweep_tile_finish(&sweep, &tile, &scratch);
    aqm_sweep_tile_scratch_free(&scratch);
    return score;
}

/* Returns how many windows are dropped. */
static int check_dropped(const AqmSweep *sweep, const AqmTile *tile, const int16_t *grays,
                         const int16_t *score) {
    int dropped = 0;
    AqmTile loaded = *tile;
    AqmTileScratch scratch;
    assert_int_equal(aqm_sweep_tile_scratch_create(&scratch, sweep, NULL), AQM_OK);
    aqm_sweep_tile_load(sweep, &loaded, &scratch);
    for (int y = 0; y < tile->height; y++)
        for (int x = 0; x < tile->width; x++) {
            const int16_t here = score[(size_t)y * AQM_TILE_WIDTH + (size_t)x];
            dropped += here == AQM_SCORE_MISSING;
            if (touches_gap(tile, grays, x, y, false))
                assert_int_equal(here, AQM_SCORE_MISSING);
            else if (y % 3 == 0 && !touches_gap(tile, grays, x, y, true))
                assert_int_equal(here, score_alone(sweep, tile, scratch.reference, grays, x, y));
        }
    aqm_sweep_tile_scratch_free(&scratch);
    return dropped;
}

/* Where partial windows are dropped, whole ones score as ever, by every table the same. */
static void partial_windows_can_be_dropped(void **state) {
    (void)state;
    static const int tiles[2][4] = {{20, 20, 230, 60}, {0, 0, 166, 90}};
    const AqmKernels *tables[AQM_KERNEL_TABLES];
    const int table_count = aqm_kernel_tables(aqm_cpu_features(), tables);
    AqmRng rng = aqm_rng(6, 1);
    AqmStereoImage *image = create_image(&rng);
    const AqmSweep sweep = {
        .kernels = tables[0], .image = image, .most = 1, .cost = AQM_COST_NCC, .window = WINDOW};
    int dropped = 0, all = 0;
    for (int trial = 0; trial < 2 * KINDS; trial++) {
        const int *t = tiles[trial % 2];
        const AqmTile tile = aqm_sweep_tile_at(&sweep, t[0], t[1], t[2], t[3]);
        int16_t *grays = create_grays(&tile, trial / 2, &rng);
        int16_t *expected = score_dropping(sweep, tables[0], tile, grays);
        dropped += check_dropped(&sweep, &tile, grays, expected);
        all += tile.width * tile.height;
        for (int k = 1; k < table_count; k++) {
            int16_t *score = score_dropping(sweep, tables[k], tile, grays);
            for (int y = 0; y < tile.height; y++)
                assert_memory_equal(score + (size_t)y * AQM_TILE_WIDTH,
                                    expected + (size_t)y * AQM_TILE_WIDTH,
                                    (size_t)tile.width * sizeof *score);
            aqm_free(score);
        }
        aqm_free(grays);
        aqm_free(expected);
    }
    print_message("%d of %d windows dropped\n", dropped, all);
    assert_true(dropped > all / 10 && dropped < all / 2);
    aqm_stereo_image_destroy(&image);
}

/* ---- slabs ----------------------------------------------------------------------------------- */

/* A camera over the water at (x, 0, 0), looking straight down. */
static AqmView view_at(double x) {
    AqmView view = {.width = WIDTH,
                    .height = HEIGHT,
                    .fx = 400,
                    .fy = 400,
                    .cx = 199,
                    .cy = 119,
                    .water_z = 0.5,
                    .n = 1.333};
    view.R[0] = view.R[4] = view.R[8] = 1.0;
    view.C[0] = x;
    view.t[0] = -x;
    return view;
}

/* Samples of a row by the exact warp of its plane. */
static void sample_exactly(const AqmSweep *sweep, const AqmTile *tile, const AqmKnots *knots,
                           int row, int16_t *out) {
    float u[AQM_TILE_WIDTH + 64], v[AQM_TILE_WIDTH + 64];
    const AqmGray gray = aqm_stereo_image_gray(sweep->sources[0].image);
    aqm_knots_row(knots, sweep->kernels, row, 0, tile->pitch / AQM_KNOT, u, v);
    sweep->kernels->sample_masked(&gray, u, v, tile->pitch, out);
}

/* Blocks said to be whole have no gap, blank ones nothing but. Counts the three kinds. */
static void check_slab_row(const AqmSlab *slab, const AqmTile *tile, const AqmKernels *kernels,
                           int row, const int16_t *exact, int counts[3]) {
    int16_t out[AQM_TILE_WIDTH + 64];
    AqmRowGaps gaps;
    aqm_slab_rows(slab, kernels, tile, row, 1, out, &gaps);
    for (int b = 0; b < slab->blocks_x; b++) {
        const bool is_mixed = slab->mixed[row / AQM_SLAB_BLOCK] >> b & 1;
        const bool is_blank = slab->blank[row / AQM_SLAB_BLOCK] >> b & 1;
        assert_false(is_mixed && is_blank);
        assert_true(is_mixed || (gaps.any >> b & 1) == is_blank);
        counts[is_mixed ? 1 : is_blank ? 2 : 0]++;
        for (int k = b * AQM_SLAB_BLOCK; k < (b + 1) * AQM_SLAB_BLOCK && k < tile->columns; k++) {
            assert_true(is_mixed || (out[k] == AQM_GRAY_MISSING) == is_blank);
            assert_true(is_mixed || (exact[k] == AQM_GRAY_MISSING) == is_blank);
        }
    }
}

static void slabs_know_their_gaps(void **state) {
    (void)state;
    static AqmSlabGrid grid;
    static AqmKnots exact, near_by;
    static int16_t row_exact[AQM_TILE_WIDTH + 64], row_near[AQM_TILE_WIDTH + 64];
    AqmRng rng = aqm_rng(4, 1);
    AqmStereoImage *image = create_image(&rng);
    const AqmView views[2] = {view_at(0.0), view_at(0.2)};
    const AqmStereoView stereo[2] = {{&views[0], image, false}, {&views[1], image, false}};
    const size_t sources[1] = {1};
    AqmSweep *sweep = NULL;
    assert_int_equal(
        aqm_sweep_create(&sweep, stereo, 0, sources, 1, 0, AQM_COST_NCC, WINDOW, 1, NULL), AQM_OK);
    const AqmPlanes planes = aqm_planes(sweep, 0.1, 0.3, 40);
    AqmSlab slab = {.picture = aqm_alloc(aqm_slab_picture_size(sweep), sizeof(int16_t))};
    assert_non_null(slab.picture);
    int counts[3] = {0}, others = 0;
    for (size_t index = 0; index < aqm_sweep_tile_count(&views[0]); index++) {
        const AqmTile tile = aqm_sweep_tile(sweep, index);
        aqm_slab_grid_cast(&grid, &views[0], &tile);
        aqm_knots_cast(&exact, &views[0], tile.x0 - tile.radius, tile.y0 - tile.radius, AQM_KNOT,
                       (int)(tile.pitch / AQM_KNOT) + 1, (tile.rows + AQM_KNOT - 1) / AQM_KNOT + 1);
        near_by = exact;
        aqm_slab_load(&slab, &grid, sweep, &tile, &sweep->sources[0], &planes, 0,
                      aqm_slab_planes(&planes));
        assert_true(slab.is_usable);
        for (int plane = 0; plane < slab.end && slab.is_seen && !slab.is_whole; plane += 5) {
            aqm_slab_move(&slab, plane);
            aqm_knots_warp(&exact, sweep->kernels, &sweep->sources[0], aqm_plane_h(&planes, plane));
            aqm_slab_warp(&slab, &grid, plane, &near_by);
            for (int row = 0; row < tile.rows; row++) {
                sample_exactly(sweep, &tile, &exact, row, row_exact);
                sample_exactly(sweep, &tile, &near_by, row, row_near);
                check_slab_row(&slab, &tile, sweep->kernels, row, row_exact, counts);
                for (int k = 0; k < tile.columns; k++) /* 1/256 px apart, at most, and rarely */
                    others += row_exact[k] != row_near[k];
            }
        }
    }
    print_message("blocks: %d whole, %d mixed, %d blank; samples that differ: %d\n", counts[0],
                  counts[1], counts[2], others);
    assert_true(counts[0] > 1000 && counts[1] > 1000 && counts[2] > 1000);
    assert_true(others < 16 * (counts[0] + counts[1]) / 50);
    aqm_free(slab.picture);
    aqm_sweep_destroy(&sweep);
    aqm_stereo_image_destroy(&image);
}

/* ---- sources --------------------------------------------------------------------------------- */

/* A camera on either side sees the middle of the image, and as many are joined of three or four. A
 * fourth looks from so far that it sees nothing. */
static void a_tile_has_enough_where_two_see_all_of_it(void **state) {
    (void)state;
    AqmRng rng = aqm_rng(8, 1);
    AqmStereoImage *masked = create_image(&rng);
    AqmImage *plain = NULL;
    AqmStereoImage *image = NULL;
    assert_int_equal(aqm_image_create(&plain, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    const AqmImageView pixels = aqm_image_view(plain);
    assert_int_equal(aqm_stereo_image_create(&image, &pixels, NULL, 255.0, NULL), AQM_OK);
    const AqmView views[4] = {view_at(0.0), view_at(0.05), view_at(-0.05), view_at(2.0)};
    AqmStereoView stereo[4];
    for (size_t k = 0; k < 4; k++)
        stereo[k] = (AqmStereoView){&views[k], image, false};
    const size_t sources[3] = {1, 2, 3};
    for (size_t trial = 0; trial < 3; trial++) {
        const bool is_masked = trial == 2;
        AqmSweep *sweep = NULL;
        stereo[0].image = is_masked ? masked : image;
        assert_int_equal(aqm_sweep_create(&sweep, stereo, 0, sources, trial == 1 ? 2 : 3, 0,
                                          AQM_COST_NCC, WINDOW, 1, NULL),
                         AQM_OK);
        const AqmTile middle = aqm_sweep_tile_at(sweep, 150, 60, 100, 80);
        const AqmTile left = aqm_sweep_tile_at(sweep, 0, 60, 100, 80);
        const AqmTile corner = aqm_sweep_tile_at(sweep, 250, 150, 100, 90);
        const AqmTile top = aqm_sweep_tile_at(sweep, 150, 0, 100, 80);
        /* of two sources none is to spare */
        assert_int_equal(aqm_tile_has_enough(sweep, &middle, 0.1, 0.3), trial != 1);
        /* what lies beyond the image needs no source */
        assert_int_equal(aqm_tile_has_enough(sweep, &top, 0.1, 0.3), trial != 1);
        assert_false(aqm_tile_has_enough(sweep, &left, 0.1, 0.3));
        /* the mask takes the lower right corner of the reference */
        assert_int_equal(aqm_tile_has_enough(sweep, &corner, 0.1, 0.3), trial == 0);
        aqm_sweep_destroy(&sweep);
    }
    aqm_stereo_image_destroy(&image);
    aqm_stereo_image_destroy(&masked);
    aqm_image_destroy(&plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_change_no_window_that_they_do_not_touch),
        cmocka_unit_test(partial_windows_can_be_dropped),
        cmocka_unit_test(slabs_know_their_gaps),
        cmocka_unit_test(a_tile_has_enough_where_two_see_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
