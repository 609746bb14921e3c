/* What becomes of points once they are voted on, up to their voxels: the reference against
 * definitions in double, every variant against the reference, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/fusion_kernels.h"
#include "math/rng.h"

enum { N = 128 };

static const AqmFusionKernels *variants[2];
static int variant_count;

static int collect_variants(void **state) {
    (void)state;
    variants[variant_count++] = &aqm_fusion_kernels_reference;
    if (aqm_fusion_kernels(aqm_cpu_features()) != &aqm_fusion_kernels_reference)
        variants[variant_count++] = aqm_fusion_kernels(aqm_cpu_features());
    else
        print_message("no other variant than the reference runs on this machine\n");
    return 0;
}

static double uniform(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void deviations_grow_with_what_is_known_to_be_wrong(void **state) {
    (void)state;
    float variance[N], misfit[N], smoothing[N], facing[N], share[256], doubt[256];
    uint8_t count[N], codes[2][N];
    AqmRng rng = aqm_rng(11, 11);
    const AqmVoted voted = {count, variance, misfit, smoothing, facing, share, doubt};
    for (int i = 0; i < 256; i++)
        share[i] = 1.0f / (float)(i + 1), doubt[i] = 0.3f / (float)(i + 1);
    for (int trial = 0; trial < 20; trial++) {
        for (int i = 0; i < N; i++) {
            count[i] = (uint8_t)(aqm_rng_u32(&rng) >> (trial % 2 ? 24 : 29));
            variance[i] = (float)exp(uniform(&rng, -30.0, -5.0));
            misfit[i] = i % 3 ? (float)uniform(&rng, 0.0, 60.0) : 0.0f;
            smoothing[i] = i % 5 ? 0.0f : (float)uniform(&rng, -0.003, 0.003);
            facing[i] = (float)uniform(&rng, -1.0, 0.5);
        }
        for (int k = 0; k < variant_count; k++)
            variants[k]->spread(&voted, N, codes[k]);
        for (int i = 0; i < N; i++) {
            const double factor = fmax((double)misfit[i] * (double)doubt[count[i]], 1.0);
            const double all = (double)variance[i] * (double)share[count[i]] * factor +
                               (double)smoothing[i] * (double)smoothing[i];
            const double sigma = fmax(sqrt(all) * fabs((double)facing[i]), 0x1.2p-20);
            const double found = (double)aqm_deviation_of(codes[0][i]);
            assert_true(fabs(found - sigma) <= 0.0626 * sigma);
        }
        for (int k = 1; k < variant_count; k++)
            assert_memory_equal(codes[k], codes[0], sizeof codes[0]);
    }
}

/* One row: too few views, points moved above the water, none at all, and the rest. */
typedef struct VoteRow {
    float depth[N], start[N], direction[N], shift[N];
    uint8_t count[N];
} VoteRow;

static void random_votes(AqmRng *rng, VoteRow *row) {
    for (int i = 0; i < N; i++) {
        row->depth[i] = i % 9 ? (float)uniform(rng, 0.0, 0.8) : i % 2 ? NAN : 0.001f;
        row->start[i] = (float)uniform(rng, -0.5, 0.5);
        row->direction[i] = (float)uniform(rng, -0.7, 0.7);
        row->shift[i] = (float)uniform(rng, -0.0099, 0.0099);
        row->count[i] = (uint8_t)(aqm_rng_u32(rng) % 6);
    }
}

/* Returns how many are kept. */
static uint32_t check_kept(const VoteRow *row, const AqmKeepRules *rules, const int16_t *shifts,
                           float range[2]) {
    uint32_t kept = 0;
    for (int i = 0; i < N; i++) {
        const double steps = (double)row->shift[i] / 0.005 * AQM_SHIFT_STEPS;
        const double moved = (double)row->depth[i] + (double)row->shift[i];
        if (fabs(moved) < 1e-6)
            continue;
        if (row->count[i] < 3 || !(moved > 0.0)) {
            assert_int_equal(shifts[i], AQM_SHIFT_NONE);
            continue;
        }
        const float depth = aqm_shifted_depth(row->depth[i], shifts[i], rules->step);
        const float y = 0.25f + (row->start[i] + depth * row->direction[i]);
        assert_true(fabs((double)shifts[i] - steps) <= 0.51);
        assert_true(fabs((double)depth - moved) < 4e-7);
        range[0] = fminf(range[0], y), range[1] = fmaxf(range[1], y);
        kept++;
    }
    return kept;
}

static void enough_views_keep_a_point(void **state) {
    (void)state;
    VoteRow row;
    int16_t shifts[2][N];
    AqmRng rng = aqm_rng(12, 12);
    const AqmKeepRules rules = {0.005f, (float)(0.005 / AQM_SHIFT_STEPS), 3};
    const AqmKeepRow given = {row.depth, row.start, row.direction, row.shift, row.count, 0.25f};
    for (int trial = 0; trial < 20; trial++) {
        random_votes(&rng, &row);
        for (int k = 0; k < variant_count; k++) {
            float low[AQM_FUSION_LANES], high[AQM_FUSION_LANES];
            float range[2] = {INFINITY, -INFINITY}, least = INFINITY, most = -INFINITY;
            for (int j = 0; j < AQM_FUSION_LANES; j++)
                low[j] = INFINITY, high[j] = -INFINITY;
            const uint32_t kept = variants[k]->keep(&given, &rules, N, shifts[k], low, high);
            assert_int_equal(kept, check_kept(&row, &rules, shifts[k], range));
            for (int j = 0; j < AQM_FUSION_LANES; j++)
                least = fminf(least, low[j]), most = fmaxf(most, high[j]);
            assert_true(least == range[0] && most == range[1]);
            assert_memory_equal(shifts[k], shifts[0], sizeof shifts[0]);
        }
    }
}

/* ---- voxels ---------------------------------------------------------------------------------- */

typedef struct PointRow {
    float position[3][N], normal[3][N], confidence[N];
    uint8_t deviation[N], views[N], color[3 * N];
} PointRow;

/* On both sides of the grid's corner, on the voxels' borders, far beyond the grid, and not known.
 */
static void random_points(AqmRng *rng, PointRow *row) {
    static const float odd[] = {0.0f, -0.0f, 0.004f, -0.004f, 3e38f, -3e38f, 1e7f, NAN};
    for (int i = 0; i < N; i++) {
        for (int a = 0; a < 3; a++) {
            row->position[a][i] =
                i % 5 ? (float)uniform(rng, -0.03, 0.03) : odd[aqm_rng_u32(rng) % 8];
            row->normal[a][i] = i % 11 ? (float)uniform(rng, -1.0, 1.0) : NAN;
            row->color[3 * i + a] = (uint8_t)aqm_rng_u32(rng);
        }
        row->confidence[i] = i % 7 ? (float)aqm_rng_uniform(rng) : 0.0f;
        row->deviation[i] = (uint8_t)aqm_rng_u32(rng);
        row->views[i] = (uint8_t)aqm_rng_u32(rng);
    }
}

static void check_arrival(const AqmVoxelGrid *grid, const PointRow *row, int i,
                          const AqmVoxelSums *point, AqmVoxelPlace place) {
    const double weight = fmax((double)row->confidence[i], 1e-3) * row->views[i];
    const float *sums = point->sums;
    assert_int_equal(point->views, isnan(row->position[0][i]) ? 0 : row->views[i]);
    assert_true(fabs((double)sums[AQM_SUM_WEIGHT] - weight) <= 1e-6 * weight);
    assert_true(fabs((double)sums[AQM_SUM_CONFIDENCE] - weight * (double)row->confidence[i]) <=
                1e-6 * weight);
    const double deviation = (double)aqm_deviation_of(row->deviation[i]);
    assert_true(fabs((double)sums[AQM_SUM_DEVIATION] - weight * deviation) <=
                1e-6 * weight * deviation);
    for (int a = 0; a < 3; a++) {
        const double cells = (double)row->position[a][i] * grid->per_m - grid->corner[a];
        const double normal = isnan(row->normal[a][i]) ? 0.0 : (double)row->normal[a][i];
        const double shade = row->color[3 * i + a];
        if (fabs(cells) < 1e6) {
            assert_int_equal(point->index[a], (int)floor(cells));
            assert_true(fabs((double)sums[AQM_SUM_POSITION + a] -
                             weight * (cells - floor(cells))) <= 1e-6 * weight);
        }
        assert_true(abs(point->index[a]) <= 1 << 30);
        assert_true(fabs((double)sums[AQM_SUM_NORMAL + a] - weight * normal) <= 1e-6 * weight);
        assert_true(fabs((double)sums[AQM_SUM_COLOR + a] - weight * shade) <=
                    1e-6 * weight * shade);
    }
    const AqmVoxelPlace expected =
        aqm_voxel_place(point->index[0], point->index[1], point->index[2]);
    assert_int_equal(place.first, expected.first);
    assert_int_equal(place.tag, expected.tag);
}

static void points_arrive_weighted_at_their_voxels(void **state) {
    (void)state;
    static PointRow row;
    static AqmVoxelSums points[2][N];
    AqmVoxelPlace places[2][N];
    const AqmVoxelGrid grid = {0.002, 500.0, {3.0, -7.0, 11.0}};
    AqmRng rng = aqm_rng(10, 10);
    const AqmPointRow given = {{row.position[0], row.position[1], row.position[2]},
                               {row.normal[0], row.normal[1], row.normal[2]},
                               row.confidence,
                               row.deviation,
                               row.views,
                               row.color};
    for (int trial = 0; trial < 20; trial++) {
        random_points(&rng, &row);
        for (int k = 0; k < variant_count; k++)
            variants[k]->arrive(&grid, &given, N, points[k], places[k]);
        for (int i = 0; i < N; i++)
            check_arrival(&grid, &row, i, &points[0][i], places[0][i]);
        for (int k = 1; k < variant_count; k++) {
            assert_memory_equal(points[k], points[0], sizeof points[0]);
            assert_memory_equal(places[k], places[0], sizeof places[0]);
        }
    }
}

/* Of a sheet of voxels, most have a slot of their own, and hardly two share place and tag. */
static void places_are_spread(void **state) {
    (void)state;
    enum { SIDE_VOXELS = 256, SLOTS = 2 * SIDE_VOXELS * SIDE_VOXELS };
    static uint32_t tags[SLOTS];
    static uint8_t taken[SLOTS];
    int shared = 0, same = 0;
    for (int y = 0; y < SIDE_VOXELS; y++)
        for (int x = 0; x < SIDE_VOXELS; x++) {
            const AqmVoxelPlace place = aqm_voxel_place(x - 100, y - 300, 40 + (x + y) / 9);
            const uint32_t slot = place.first % SLOTS;
            shared += taken[slot];
            same += taken[slot] && tags[slot] == place.tag;
            taken[slot] = 1, tags[slot] = place.tag;
        }
    print_message("%d of %d places shared, %d with the tag\n", shared, SIDE_VOXELS * SIDE_VOXELS,
                  same);
    /* at random 21 % are */
    assert_true(shared < SIDE_VOXELS * SIDE_VOXELS * 3 / 10 && same == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deviations_grow_with_what_is_known_to_be_wrong),
        cmocka_unit_test(enough_views_keep_a_point),
        cmocka_unit_test(points_arrive_weighted_at_their_voxels),
        cmocka_unit_test(places_are_spread),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
