#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/evaluate.h"
#include "base/alloc.h"
#include "evaluate/changed_ground.h"
#include "evaluate/nested_covariance.h"
#include "math/rng.h"

/* Maps of 2 mm; a mound of 12 mm and 20 mm sigma in the middle of the first that the second lacks.
 */
enum { COLUMNS = 140, ROWS = 120, CELLS = COLUMNS * ROWS };
static const double step_m = 0.002, mound_m = 0.012, mound_sigma_m = 0.02;
static const double region[4] = {-0.075, -0.075, 0.075, 0.075};

static AqmHeightMap *make_map(void) {
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, COLUMNS, ROWS, NULL), AQM_OK);
    map->first_column = -COLUMNS / 2, map->first_row = -ROWS / 2;
    map->step_m = step_m;
    return map;
}

static double mound_at(int cell, double *inside) {
    const double x = (cell % COLUMNS - COLUMNS / 2) * step_m;
    const double y = (cell / COLUMNS - ROWS / 2) * step_m;
    *inside = x >= region[0] && x <= region[2] && y >= region[1] && y <= region[3];
    return mound_m * exp(-(x * x + y * y) / (2.0 * mound_sigma_m * mound_sigma_m));
}

/* Unit noise smoothed twice by a box of `width` cells: correlates over about 1.5 width. */
static void smooth_noise(AqmRng *rng, int width, double *out) {
    static double a[CELLS], b[CELLS];
    for (int c = 0; c < CELLS; c++)
        a[c] = aqm_rng_normal(rng);
    for (int pass = 0; pass < 4;
         pass++) { /* along rows, columns, rows, columns; around the edges */
        const int along = pass % 2 ? COLUMNS : 1, length = pass % 2 ? ROWS : COLUMNS;
        for (int line = 0; line < CELLS / length; line++) {
            const int first = pass % 2 ? line : line * COLUMNS;
            double sum = 0.0;
            for (int i = 0; i < width; i++)
                sum += a[first + i % length * along];
            for (int i = 0; i < length; i++) {
                b[first + i * along] = sum;
                sum += a[first + (i + width) % length * along] - a[first + i * along];
            }
        }
        memcpy(a, b, sizeof a);
    }
    double squares = 0.0; /* of the kernel: what white noise of variance 1 becomes */
    for (int i = -width; i <= width; i++) {
        const double k = width - abs(i);
        squares += k * k;
    }
    for (int c = 0; c < CELLS; c++)
        out[c] = a[c] / squares;
}

/* What the errors of a trial are made of, standard deviations in metres. */
typedef struct Noise {
    double white, fine, broad, offset;
} Noise;

static void add_noise(const Noise *noise, AqmRng *rng, double *out) {
    static double fine[CELLS], broad[CELLS];
    smooth_noise(rng, 3, fine);
    smooth_noise(rng, 18, broad);
    const double offset = noise->offset * aqm_rng_normal(rng);
    for (int c = 0; c < CELLS; c++)
        out[c] = noise->white * aqm_rng_normal(rng) + noise->fine * fine[c] +
                 noise->broad * broad[c] + offset;
}

/* The mound taken away, with errors whose sigma is stated as `stated_m` (NAN = not stated). */
static AqmHeightMap *make_difference(const Noise *noise, double stated_m, AqmRng *rng) {
    static double error[CELLS];
    AqmHeightMap *map = make_map();
    add_noise(noise, rng, error);
    for (int c = 0; c < CELLS; c++) {
        double inside;
        map->z_m[c] = (float)(mound_at(c, &inside) + error[c]);
        map->sigma_m[c] = (float)stated_m;
    }
    return map;
}

static AqmVolumeChange volume_of(AqmHeightMap *map, const double *box, uint8_t *significant) {
    AqmVolumeChange change;
    AqmDiag diag = {0};
    const AqmVolumeOptions options = {.region = box, .threads = 1};
    if (aqm_volume_change(map, &options, significant, &change, &diag) != AQM_OK)
        fail_msg("%s", diag.message);
    return change;
}

static double true_volume(const double *box) {
    double sum = 0.0;
    for (int c = 0; c < CELLS; c++) {
        double inside;
        const double z = mound_at(c, &inside);
        sum += box == NULL || inside > 0.0 ? z : 0.0;
    }
    return sum * step_m * step_m;
}

static AqmHeightMap *copy_of(const AqmHeightMap *map) {
    AqmHeightMap *copy = make_map();
    memcpy(copy->z_m, map->z_m, CELLS * sizeof *map->z_m);
    memcpy(copy->sigma_m, map->sigma_m, CELLS * sizeof *map->sigma_m);
    return copy;
}

static void near_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", value, expected, tolerance);
}

/* ---- the intervals hold what they promise ---------------------------------------------------- */

/* Share of `trials` whose interval holds the true volume, and the mean half width, both in %. */
static double cover(const Noise *noise, double stated_m, const double *box, int trials,
                    double *half_width) {
    const double truth = true_volume(box);
    int held = 0;
    *half_width = 0.0;
    for (int trial = 0; trial < trials; trial++) {
        AqmRng rng = aqm_rng((uint64_t)trial, 11);
        AqmHeightMap *map = make_difference(noise, stated_m, &rng);
        const AqmVolumeChange change = volume_of(map, box, NULL);
        assert_true(change.is_measured);
        held += fabs(-change.all.net_m3 - truth) <= change.all.net_95_m3;
        *half_width += 100.0 * change.all.net_95_m3 / truth / trials;
        aqm_height_map_destroy(&map);
    }
    return 100.0 * held / trials;
}

/* 200 intervals of 95 % hold 90 to 99 % of the time with a probability of 0.997. Were cells
 * independent, the half width would be 0.5 %, and hold a third of the time. */
static void intervals_hold_the_truth_as_often_as_they_say(void **state) {
    (void)state;
    static const Noise all_kinds = {1e-4, 2e-4, 4e-5, 3e-5}, no_offset = {1e-4, 2e-4, 4e-5, 0};
    double half_width;
    const double held = cover(&all_kinds, 1.5e-4, region, 200, &half_width);
    print_message("%.1f %% hold, +- %.2f %%\n", held, half_width);
    assert_true(held >= 90.0 && held <= 99.0);
    assert_true(half_width < 7.0);
    const double held_without = cover(&no_offset, (double)NAN, region, 200, &half_width);
    print_message("%.1f %% hold, +- %.2f %%\n", held_without, half_width);
    assert_true(held_without >= 90.0 && held_without <= 99.0);
    assert_true(half_width < 7.0);
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static void wrongly_stated_sigmas_are_put_right(void **state) {
    (void)state;
    static const Noise noise = {2e-4, 0, 0, 0};
    static const double stated_m[] = {4e-4, 5e-5, NAN};
    double half[3];
    for (int i = 0; i < 3; i++) {
        AqmRng rng = aqm_rng(3, 4);
        AqmHeightMap *map = make_difference(&noise, stated_m[i], &rng);
        uint8_t *significant = calloc(CELLS, 1);
        const AqmVolumeChange change = volume_of(map, NULL, significant);
        assert_int_equal(change.sigma_known, i < 2);
        near_to(change.sigma_scale * (i < 2 ? stated_m[i] : 1.0), 2e-4, 6e-6);
        near_to(change.stable_rms_m, 2e-4, 6e-6);
        near_to((double)map->sigma_m[77], 2e-4, 6e-6);
        size_t marked = 0, outside = 0;
        for (int c = 0; c < CELLS; c++) {
            double inside;
            const bool is_changed = mound_at(c, &inside) > 1.2e-3;
            assert_true(!is_changed || significant[c]); /* 6 sigma */
            marked += significant[c];
            outside += significant[c] && mound_at(c, &inside) < 1e-6;
        }
        assert_int_equal(marked, change.significant.cells);
        assert_true(outside > 20 && outside < CELLS / 10); /* 5 % of what did not change */
        half[i] = change.all.net_95_m3;
        near_to(-change.significant.net_m3, true_volume(NULL), 0.04 * true_volume(NULL));
        free(significant);
        aqm_height_map_destroy(&map);
    }
    near_to(half[1], half[0], 1e-4 * half[0]); /* a factor that all share cancels */
    near_to(half[2], half[0], 1e-4 * half[0]);
}

/* Independent errors: the sum of n cells has sqrt(n) sigma; shared ones: n sigma. */
static void sums_of_cells_vary_as_theory_says(void **state) {
    (void)state;
    enum { SIDE = 40 };
    static const double ranges[] = {0.0, (double)INFINITY, 4.0, 16.0, 24.0};
    float *weights = calloc(CELLS, sizeof *weights);
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++)
            weights[(j + 7) * COLUMNS + i + 30] = i < SIDE / 2 ? 1.0f : 2.0f;
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        const AqmNestedCovariance c = {.count = 1, .range = {ranges[k]}, .variance = {0.25}};
        double direct = 0.0, variance = 0.0, other = 0.0;
        for (int a = 0; a < SIDE * SIDE; a++)
            for (int b = 0; b < SIDE * SIDE; b++) {
                const double t =
                    hypot(a % SIDE - b % SIDE, (double)(a / SIDE - b / SIDE)) / ranges[k];
                const double s = ranges[k] == 0.0   ? a == b
                                 : isinf(ranges[k]) ? 1.0
                                 : t < 1.0          ? 1.0 - 1.5 * t + 0.5 * t * t * t
                                                    : 0.0;
                direct += 0.25 * s * (a % SIDE < SIDE / 2 ? 1.0 : 2.0) *
                          (b % SIDE < SIDE / 2 ? 1.0 : 2.0);
            }
        assert_int_equal(aqm_nested_sum_variance(&c, weights, COLUMNS, ROWS, 1, &variance, NULL),
                         AQM_OK);
        near_to(variance, direct, (ranges[k] > 8.0 && !isinf(ranges[k]) ? 0.01 : 1e-9) * direct);
        assert_int_equal(aqm_nested_sum_variance(&c, weights, COLUMNS, ROWS, 4, &other, NULL),
                         AQM_OK);
        assert_true(other == variance);
    }
    memset(weights, 0, CELLS * sizeof *weights);
    const AqmNestedCovariance c = {.count = 1, .range = {4.0}, .variance = {1.0}};
    double none = 7.0;
    assert_int_equal(aqm_nested_sum_variance(&c, weights, COLUMNS, ROWS, 1, &none, NULL), AQM_OK);
    assert_true(none == 0.0);
    free(weights);
}

/* Twice the noise on the mound, three times a smooth change, and a change without any smoothness.
 */
static void errors_of_changed_ground_are_measured_there(void **state) {
    (void)state;
    AqmHeightMap *map = make_map();
    AqmRng rng = aqm_rng(8, 8);
    float *sigma = malloc(CELLS * sizeof *sigma), *factor = malloc(CELLS * sizeof *factor);
    uint8_t *stable = malloc(CELLS);
    for (int rough = 0; rough < 2; rough++) {
        double sum = 0.0, least = 9.0, most = 0.0;
        int count = 0;
        for (int c = 0; c < CELLS; c++) {
            double inside;
            const double hill = mound_at(c, &inside), noise = 1e-4 * aqm_rng_normal(&rng);
            stable[c] = hill < 5e-4;
            sigma[c] = 1e-4f;
            map->z_m[c] = (float)(3.0 * hill + (stable[c] ? noise
                                                : rough   ? 50.0 * noise
                                                          : 2.0 * noise));
        }
        assert_int_equal(aqm_changed_ground_factors(map, sigma, stable, factor, NULL), AQM_OK);
        for (int c = 0; c < CELLS; c++) {
            assert_true(!stable[c] || factor[c] == 1.0f);
            if (stable[c])
                continue;
            sum += (double)factor[c];
            least = fmin(least, (double)factor[c]), most = fmax(most, (double)factor[c]);
            count++;
        }
        if (rough) {
            assert_true(least == 4.0 && most == 4.0);
        } else {
            near_to(sum / count, 2.0, 0.1);
            assert_true(least > 1.5 && most < 2.5);
        }
    }
    memset(stable, 0, CELLS); /* nothing to compare with */
    assert_int_equal(aqm_changed_ground_factors(map, sigma, stable, factor, NULL), AQM_OK);
    assert_true(factor[CELLS / 2] == 1.0f);
    map->columns = map->rows = 3; /* narrower than the differences */
    assert_int_equal(aqm_changed_ground_factors(map, sigma, stable, factor, NULL), AQM_OK);
    assert_true(factor[4] == 1.0f);
    free(sigma);
    free(factor);
    free(stable);
    aqm_height_map_destroy(&map);
}

static void deposition_and_erosion_are_kept_apart(void **state) {
    (void)state;
    AqmHeightMap *map = make_map();
    AqmRng rng = aqm_rng(1, 2);
    for (int c = 0; c < CELLS; c++) { /* 3 mm up in 400 cells, 2 mm down in 300 */
        const int i = c % COLUMNS, j = c / COLUMNS;
        const bool up = i >= 20 && i < 40 && j >= 20 && j < 40;
        const bool down = i >= 70 && i < 90 && j >= 60 && j < 75;
        map->z_m[c] = (up ? -0.003f : down ? 0.002f : 0.0f) + (float)(1e-5 * aqm_rng_normal(&rng));
        map->sigma_m[c] = 1e-5f;
    }
    const double cell = step_m * step_m;
    const AqmVolumeChange change = volume_of(map, NULL, NULL);
    near_to(change.significant.deposition_m3, 400 * cell * 0.003, 5e-8);
    near_to(change.significant.erosion_m3, 300 * cell * 0.002, 5e-8);
    near_to(change.all.net_m3, cell * (400 * 0.003 - 300 * 0.002), 3e-8);
    near_to(change.all.deposition_m3 - change.all.erosion_m3, change.all.net_m3, 1e-15);
    near_to(change.all.area_m2, CELLS * cell, 1e-12);
    /* what noise adds to both alike */
    near_to(change.all.erosion_m3 - change.significant.erosion_m3, change.all.noise_m3,
            0.4 * change.all.noise_m3); /* the sharp edges count as rough */
    const double box[4] = {map->first_column * step_m, map->first_row * step_m, 0.0, 0.0};
    const AqmVolumeChange part = volume_of(map, box, NULL); /* without what went down */
    near_to(part.significant.net_m3, 400 * cell * 0.003, 2e-8);
    assert_int_equal(part.all.cells, (COLUMNS / 2 + 1) * (ROWS / 2 + 1));
    aqm_height_map_destroy(&map);
}

/* An uncertain transform makes volumes uncertain: a shift along Z by its sigma times the area. */
static void an_alignment_adds_its_own_uncertainty(void **state) {
    (void)state;
    static const Noise noise = {1e-4, 0, 0, 0};
    AqmRng rng = aqm_rng(5, 6);
    AqmHeightMap *map = make_difference(&noise, 1e-4, &rng), *again = copy_of(map);
    AqmHeightMap *surface = make_map();
    AqmAlignment alignment = {.center = {0.05, 0.0, 0.8}};
    for (int c = 0; c < CELLS; c++)
        surface->z_m[c] = (float)(0.8 + 0.2 * (c % COLUMNS - COLUMNS / 2) * step_m);
    alignment.covariance[0] = 1e-3 * 1e-3;  /* about X: the map is centred, nothing in sum */
    alignment.covariance[7] = 2e-3 * 2e-3;  /* about Y: 2e-3 times the arm, -0.05 m, and slope */
    alignment.covariance[21] = 1e-3 * 1e-3; /* along X: times the slope */
    alignment.covariance[35] = 5e-5 * 5e-5; /* along Z */
    const AqmVolumeOptions options = {.alignment = &alignment, .surface = surface};
    AqmVolumeChange with;
    assert_int_equal(aqm_volume_change(map, &options, NULL, &with, NULL), AQM_OK);
    const AqmVolumeChange without = volume_of(again, NULL, NULL);
    /* r x n at the mean cell, whose X is -0.001 m: n = (-0.2, 0, 1), r = (-0.051, -0.001, ..) */
    const double area = with.all.area_m2, slope = 0.2 * (COLUMNS - 2.0) / COLUMNS;
    const double added = pow(with.all.net_95_m3, 2) - pow(without.all.net_95_m3, 2);
    const double expected = pow(area * 5e-5, 2) + pow(area * 1e-3 * slope, 2) +
                            pow(area * 2e-3 * 0.051, 2) + pow(area * 1e-3 * 0.001, 2);
    near_to(sqrt(added) / with.coverage_factor, sqrt(expected), 0.02 * sqrt(expected));
    aqm_height_map_destroy(&map);
    aqm_height_map_destroy(&again);
    aqm_height_map_destroy(&surface);
}

static void the_number_of_threads_changes_nothing(void **state) {
    (void)state;
    static const Noise noise = {1e-4, 2e-4, 4e-5, 3e-5};
    AqmRng rng = aqm_rng(9, 9);
    AqmHeightMap *one = make_difference(&noise, 1e-4, &rng), *four = copy_of(one);
    AqmVolumeOptions options = {.region = region, .threads = 1};
    AqmVolumeChange a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    assert_int_equal(aqm_volume_change(one, &options, NULL, &a, NULL), AQM_OK);
    options.threads = 4;
    assert_int_equal(aqm_volume_change(four, &options, NULL, &b, NULL), AQM_OK);
    assert_memory_equal(&a.all, &b.all, sizeof a.all);
    assert_memory_equal(&a.significant, &b.significant, sizeof a.significant);
    assert_memory_equal(a.block_model_m, b.block_model_m, sizeof a.block_model_m);
    assert_memory_equal(one->sigma_m, four->sigma_m, CELLS * sizeof *one->sigma_m);
    aqm_height_map_destroy(&one);
    aqm_height_map_destroy(&four);
}

/* ---- little to go by ---------------------------------------------------------------------------
 */

static void without_stable_ground_errors_are_taken_as_one(void **state) {
    (void)state;
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, 1, 1, NULL), AQM_OK);
    map->step_m = step_m;
    map->z_m[0] = -0.001f, map->sigma_m[0] = 1e-4f;
    AqmVolumeChange change = volume_of(map, NULL, NULL);
    assert_false(change.is_measured);
    assert_int_equal(change.all.cells, 1);
    near_to(change.all.net_m3, 0.001 * 4e-6, 1e-14);
    near_to(change.all.net_95_m3, 1.96 * 1e-4 * 4e-6, 1e-13);
    map->sigma_m[0] = NAN; /* nothing known at all: as uncertain as it is large */
    change = volume_of(map, NULL, NULL);
    assert_true(change.all.net_95_m3 > change.all.net_m3 && isfinite(change.all.net_95_m3));
    aqm_height_map_destroy(&map);
    map = make_map(); /* the same everywhere: change or offset, nobody knows */
    for (int c = 0; c < CELLS; c++)
        map->z_m[c] = 0.001f, map->sigma_m[c] = 1e-4f;
    change = volume_of(map, NULL, NULL);
    near_to(change.stable_mean_m, 0.001, 1e-9);
    near_to(change.all.erosion_m3, 0.001 * change.all.area_m2, 1e-11);
    assert_true(change.all.net_95_m3 >= change.all.erosion_m3);
    for (int c = 0; c < CELLS; c++)
        map->z_m[c] = 0.0f, map->sigma_m[c] = NAN;
    change = volume_of(map, NULL, NULL); /* two times the same file */
    assert_true(change.all.net_m3 == 0.0 && change.all.net_95_m3 == 0.0);
    assert_int_equal(change.significant.cells, 0);
    aqm_height_map_destroy(&map);
}

static void what_cannot_be_is_a_sentence(void **state) {
    (void)state;
    static const double reversed[4] = {0.1, 0, 0, 0.1}, far_off[4] = {5, 5, 6, 6};
    AqmHeightMap *map = make_map();
    AqmVolumeChange change;
    map->z_m[5] = 0.001f;
    AqmVolumeOptions options = {.region = reversed};
    AqmDiag diag = {0};
    assert_int_equal(aqm_volume_change(map, &options, NULL, &change, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "0.1"));
    diag = (AqmDiag){0};
    options.region = far_off;
    assert_int_equal(aqm_volume_change(map, &options, NULL, &change, &diag), AQM_ERROR_NO_DATA);
    map->z_m[5] = NAN;
    options.region = NULL;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_volume_change(map, &options, NULL, &change, &diag), AQM_ERROR_NO_DATA);
    assert_true(isnan(map->sigma_m[5]));
    aqm_height_map_destroy(&map);
}

/* ---- differences -------------------------------------------------------------------------------
 */

static AqmHeightMap *small_map(int first_column, int first_row, int columns, int rows, float z) {
    AqmHeightMap *map = NULL;
    assert_int_equal(aqm_height_map_create(&map, columns, rows, NULL), AQM_OK);
    map->first_column = first_column, map->first_row = first_row, map->step_m = 0.01;
    for (int c = 0; c < columns * rows; c++)
        map->z_m[c] = z, map->sigma_m[c] = 3e-4f;
    return map;
}

static void a_difference_covers_what_both_know(void **state) {
    (void)state;
    AqmHeightMap *a = small_map(-3, 2, 10, 6, 0.5f), *b = small_map(1, -4, 4, 9, 0.52f);
    AqmHeightMap *d = NULL;
    b->z_m[8 * 4] = b->z_m[7 * 4] = b->z_m[6 * 4] = NAN; /* its first column where they meet */
    b->sigma_m[6 * 4 + 1] = 4e-4f, a->sigma_m[0 * 10 + 6] = NAN;
    assert_int_equal(aqm_height_difference(a, b, &d, NULL), AQM_OK);
    assert_int_equal(d->first_column, 2);
    assert_int_equal(d->first_row, 2);
    assert_int_equal(d->columns, 3);
    assert_int_equal(d->rows, 3);
    assert_true(d->step_m == 0.01);
    near_to((double)d->z_m[4], 0.02, 1e-7);
    near_to((double)d->sigma_m[0], 5e-4, 1e-9);
    near_to((double)d->sigma_m[4], 3e-4 * sqrt(2.0), 1e-9);
    assert_true(isnan(d->sigma_m[1]) && isfinite(d->z_m[1]));
    aqm_height_map_destroy(&d);
    AqmDiag diag = {0};
    b->first_column = 7;
    assert_int_equal(aqm_height_difference(a, b, &d, &diag), AQM_ERROR_NO_DATA);
    assert_non_null(strstr(diag.message, "no ground in common"));
    b->step_m = 0.02;
    diag = (AqmDiag){0};
    assert_int_equal(aqm_height_difference(a, b, &d, &diag), AQM_ERROR_ARGUMENT);
    assert_non_null(strstr(diag.message, "0.01 and 0.02"));
    assert_null(d);
    aqm_height_map_destroy(&a);
    aqm_height_map_destroy(&b);
}

static void running_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    static const Noise noise = {1e-4, 0, 0, 0};
    AqmRng rng = aqm_rng(1, 1);
    AqmHeightMap *map = make_difference(&noise, (double)NAN, &rng), *before = copy_of(map);
    const AqmVolumeOptions options = {.threads = 1};
    const size_t live = aqm_alloc_count().live_bytes;
    AqmStatus status = AQM_ERROR_MEMORY;
    for (size_t n = 1; status == AQM_ERROR_MEMORY; n++) {
        AqmVolumeChange change;
        aqm_alloc_fail_from(n);
        status = aqm_volume_change(map, &options, NULL, &change, NULL);
        aqm_alloc_fail_from(0);
        assert_int_equal(aqm_alloc_count().live_bytes, live);
        if (status == AQM_ERROR_MEMORY)
            assert_memory_equal(map->sigma_m, before->sigma_m, CELLS * sizeof *map->sigma_m);
    }
    assert_int_equal(status, AQM_OK);
    aqm_height_map_destroy(&map);
    aqm_height_map_destroy(&before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(wrongly_stated_sigmas_are_put_right),
        cmocka_unit_test(sums_of_cells_vary_as_theory_says),
        cmocka_unit_test(errors_of_changed_ground_are_measured_there),
        cmocka_unit_test(deposition_and_erosion_are_kept_apart),
        cmocka_unit_test(an_alignment_adds_its_own_uncertainty),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(without_stable_ground_errors_are_taken_as_one),
        cmocka_unit_test(what_cannot_be_is_a_sentence),
        cmocka_unit_test(a_difference_covers_what_both_know),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
