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

static uint32_t give_row(const void *context, int row, int16_t *out) {
    const Rows *rows = context;
    const size_t pitch = rows->tile->pitch;
    memcpy(out, rows->grays + (size_t)row * pitch, pitch * sizeof *out);
    return rows->kernels->gaps(out, pitch);
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

static void check_tile(const AqmSweep *sweep, AqmTile tile, int kind, AqmRng *rng,
                       AqmTileScratch *scratch) {
    const size_t pixels = (size_t)tile.rows * tile.pitch;
    int16_t *grays = aqm_calloc(pixels, sizeof *grays);
    int16_t *score = aqm_alloc((size_t)AQM_TILE_WIDTH * AQM_TILE_HEIGHT, sizeof *score);
    assert_true(grays && score);
    for (int y = 0; y < tile.rows; y++)
        for (int x = 0; x < tile.columns; x++) {
            const int16_t gray = (int16_t)((int)(aqm_rng_u32(rng) % 2048) - 1024);
            grays[(size_t)y * tile.pitch + (size_t)x] =
                is_missing(kind, x, y, rng) ? AQM_GRAY_MISSING : gray;
        }
    aqm_sweep_tile_load(sweep, &tile, scratch);
    const Rows rows = {sweep->kernels, &tile, grays};
    aqm_sweep_tile_add_rows(sweep, &tile, give_row, &rows, scratch, score);
    aqm_sweep_tile_finish(sweep, &tile, scratch);
    for (int y = 0; y < tile.height; y += 3)
        for (int x = 0; x < tile.width; x++) {
            assert_int_equal(score[(size_t)y * AQM_TILE_WIDTH + (size_t)x],
                             score_alone(sweep, &tile, scratch->reference, grays, x, y));
        }
    aqm_free(grays);
    aqm_free(score);
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
                    kind, &rng, &scratch);
        aqm_sweep_tile_scratch_free(&scratch);
    }
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
    const uint32_t gaps = aqm_slab_row(slab, kernels, tile, row, out);
    for (int b = 0; b < slab->blocks_x; b++) {
        const bool is_mixed = slab->mixed[row / AQM_SLAB_BLOCK] >> b & 1;
        const bool is_blank = slab->blank[row / AQM_SLAB_BLOCK] >> b & 1;
        assert_false(is_mixed && is_blank);
        assert_true(is_mixed || (gaps >> b & 1) == is_blank);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_change_no_window_that_they_do_not_touch),
        cmocka_unit_test(slabs_know_their_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
