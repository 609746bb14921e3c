/* Points on their way to their voxels: the reference against definitions in double, every variant
 * against the reference, bit for bit. */
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
        cmocka_unit_test(points_arrive_weighted_at_their_voxels),
        cmocka_unit_test(places_are_spread),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
