/* Semi-global paths: both tables against the recursion written as it stands, over whole images,
 * and against each other to the last byte that they write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/paths_kernels.h"
#include "math/rng.h"

enum { WIDTH = 13, HEIGHT = 9, PLANES = 64, PIXELS = WIDTH * HEIGHT, OFFSET = 3, GUARD = 64 };

static const AqmPathKernels *variants[2];
static int variant_count;

static int collect_variants(void **state) {
    (void)state;
    variants[variant_count++] = &aqm_path_kernels_reference;
    if (aqm_path_kernels(aqm_cpu_features()) != &aqm_path_kernels_reference)
        variants[variant_count++] = aqm_path_kernels(aqm_cpu_features());
    else
        print_message("no other variant than the reference runs on this machine\n");
    return 0;
}

/* ---- the recursion, one path at a time --------------------------------------------------------
 */

typedef struct Scene {
    int planes; /* real ones; `pitch` with the rest */
    int pitch, jump_one;
    uint8_t cost[PIXELS * PLANES], jump[PIXELS];
    int has_surface;
    int16_t surface[PIXELS];
} Scene;

/* From plane d of pixel p to the plane of q that lies as far from the surface; -1: beyond. */
static int plane_before(const Scene *scene, int p, int q, int d) {
    int shift = scene->has_surface ? scene->surface[q] - scene->surface[p] : 0;
    shift = shift < -AQM_PATH_SHIFT_MAX ? -AQM_PATH_SHIFT_MAX : shift;
    shift = shift > AQM_PATH_SHIFT_MAX ? AQM_PATH_SHIFT_MAX : shift;
    return d + shift >= 0 && d + shift < scene->pitch ? d + shift : -1;
}

static void naive_path(const Scene *scene, int dx, int dy, int *total) {
    static int path[PIXELS * PLANES];
    for (int k = 0; k < PIXELS; k++) {
        const int p = dy > 0 || (dy == 0 && dx > 0) ? k : PIXELS - 1 - k;
        const int x = p % WIDTH - dx, y = p / WIDTH - dy;
        const int has = x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT, *q = path + p * scene->pitch;
        int least = 0;
        if (has) {
            q = path + (y * WIDTH + x) * scene->pitch;
            least = q[0];
            for (int d = 1; d < scene->pitch; d++)
                least = q[d] < least ? q[d] : least;
        }
        for (int d = 0; d < scene->pitch; d++) {
            int best = has ? least + scene->jump[p] : 0;
            for (int e = -1; has && e <= 1; e++) {
                const int from = plane_before(scene, p, y * WIDTH + x, d + e);
                const int other = from >= 0 ? q[from] + (e ? scene->jump_one : 0) : best;
                best = other < best ? other : best;
            }
            const int value = scene->cost[p * scene->pitch + d] + best - least;
            path[p * scene->pitch + d] = value < 255 ? value : 255;
            total[p * scene->pitch + d] += path[p * scene->pitch + d];
        }
    }
}

static void naive_sums(const Scene *scene, int *total) {
    static const int steps[8][2] = {{1, 1},  {0, 1},  {-1, 1}, {1, 0},
                                    {-1, 0}, {1, -1}, {0, -1}, {-1, -1}};
    memset(total, 0, PIXELS * PLANES * sizeof *total);
    for (int k = 0; k < 8; k++)
        naive_path(scene, steps[k][0], steps[k][1], total);
}

/* ---- the same by passes ------------------------------------------------------------------------
 */

enum { ROW_BYTES = (WIDTH + 2) * (PLANES + 2 * AQM_PATH_PAD) };

/* Rows as a pass wants them, at odd addresses, with guards around. */
typedef struct Rows {
    uint8_t cost[7][GUARD + OFFSET + ROW_BYTES + GUARD];
    uint8_t least[7][GUARD + WIDTH + 2 + GUARD];
} Rows;

static AqmPathRow path_row(Rows *rows, int k, size_t pitch) {
    return (AqmPathRow){rows->cost[k] + GUARD + OFFSET + AQM_PATH_PAD + pitch,
                        rows->least[k] + GUARD + 1};
}

static void start_rows(Rows *rows, size_t planes, size_t pitch) {
    memset(rows, 0xa5, sizeof *rows);
    for (int k = 0; k < 7; k++) {
        memset(rows->cost[k] + GUARD + OFFSET, 255, (WIDTH + 2) * pitch);
        memset(rows->least[k] + GUARD, 0, WIDTH + 2);
        for (size_t x = 0; x < WIDTH + 2; x++)
            memset(rows->cost[k] + GUARD + OFFSET + x * pitch + AQM_PATH_PAD, 0, planes);
    }
}

static int guards_are_whole(const Rows *rows, size_t pitch) {
    int whole = 1;
    for (int k = 0; k < 7; k++) {
        for (size_t i = 0; i < GUARD + OFFSET; i++)
            whole &= rows->cost[k][i] == 0xa5;
        for (size_t i = GUARD + OFFSET + (WIDTH + 2) * pitch; i < sizeof rows->cost[k]; i++)
            whole &= rows->cost[k][i] == 0xa5;
        for (size_t i = 0; i < GUARD; i++)
            whole &= rows->least[k][i] == 0xa5 && rows->least[k][GUARD + WIDTH + 2 + i] == 0xa5;
        /* the pads between pixels too */
        for (size_t x = 0; x < WIDTH + 2; x++)
            for (size_t i = 0; i < AQM_PATH_PAD; i++)
                whole &= rows->cost[k][GUARD + OFFSET + x * pitch + i] == 255 &&
                         rows->cost[k][GUARD + OFFSET + (x + 1) * pitch - 1 - i] == 255;
    }
    return whole;
}

static void run_pass(const AqmPathKernels *kernels, const Scene *scene, int step, uint16_t *sum,
                     Rows *rows) {
    const size_t planes = (size_t)scene->pitch, pitch = planes + 2 * AQM_PATH_PAD;
    start_rows(rows, planes, pitch);
    for (int k = 0; k < HEIGHT; k++) {
        const int y = step > 0 ? k : HEIGHT - 1 - k;
        AqmPass pass = {.width = WIDTH,
                        .planes = planes,
                        .pitch = pitch,
                        .step = step,
                        .jump_one = (uint8_t)scene->jump_one,
                        .jump = scene->jump + y * WIDTH,
                        .along = path_row(rows, 6, pitch)};
        if (scene->has_surface) {
            pass.surface = scene->surface + y * WIDTH;
            pass.surface_before = k > 0 ? scene->surface + (y - step) * WIDTH : NULL;
        }
        for (int path = 0; path < 3; path++) {
            pass.before[path] = path_row(rows, 2 * path + (k & 1), pitch);
            pass.now[path] = path_row(rows, 2 * path + 1 - (k & 1), pitch);
        }
        const size_t at = (size_t)(y * WIDTH) * planes;
        kernels->aggregate(&pass, scene->cost + at, sum ? sum + at : NULL);
    }
    assert_true(guards_are_whole(rows, pitch));
}

static void fill(Scene *scene, AqmRng *rng, int trial) {
    memset(scene, 0, sizeof *scene);
    scene->pitch = trial % 2 ? 32 : PLANES;
    scene->planes = scene->pitch - trial % 7;
    scene->jump_one = trial == 0 ? 0 : (int)(aqm_rng_u32(rng) % 61);
    scene->has_surface = trial % 4 == 1; /* steps of up to 3, and up to 40 */
    for (int p = 0; p < PIXELS; p++)
        scene->surface[p] = (int16_t)(aqm_rng_u32(rng) % (trial % 8 == 1 ? 4 : 41));
    for (int p = 0; p < PIXELS; p++) {
        scene->jump[p] = (uint8_t)(aqm_rng_u32(rng) % (AQM_COST_JUMP_MAX + 1));
        if (trial % 5 == 4)
            scene->jump[p] = AQM_COST_JUMP_MAX;
        for (int d = 0; d < scene->pitch; d++) {
            const unsigned any = aqm_rng_u32(rng);
            const unsigned cost = trial % 3 == 2 ? (any & 1) * AQM_COST_MAX : any % 121;
            scene->cost[p * scene->pitch + d] = (uint8_t)(d < scene->planes ? cost : 255);
        }
    }
}

static void sums_are_those_of_the_recursion(void **state) {
    (void)state;
    static Scene scene;
    static Rows rows[2];
    static uint16_t sum[2][GUARD + PIXELS * PLANES + GUARD];
    static int expected[PIXELS * PLANES];
    AqmRng rng = aqm_rng(1, 1);
    for (int trial = 0; trial < 30; trial++) {
        fill(&scene, &rng, trial);
        naive_sums(&scene, expected);
        for (int k = 0; k < variant_count; k++) {
            memset(sum[k], 0x5a, sizeof sum[k]);
            memset(sum[k] + GUARD, 0, (size_t)(PIXELS * scene.pitch) * sizeof sum[k][0]);
            run_pass(variants[k], &scene, 1, sum[k] + GUARD, &rows[k]);
            run_pass(variants[k], &scene, -1, sum[k] + GUARD, &rows[k]);
            for (int i = 0; i < PIXELS * scene.pitch; i++)
                assert_int_equal(sum[k][GUARD + i], expected[i]);
            for (int i = 0; i < GUARD; i++) {
                assert_int_equal(sum[k][i], 0x5a5a);
                assert_int_equal(sum[k][GUARD + PIXELS * scene.pitch + i], 0x5a5a);
            }
        }
        if (variant_count > 1)
            assert_memory_equal(&rows[1], &rows[0], sizeof rows[0]);
    }
}

/* Without sums wanted the rows are the same. */
static void sums_may_be_left_out(void **state) {
    (void)state;
    static Scene scene;
    static Rows with, without;
    static uint16_t sum[PIXELS * PLANES];
    AqmRng rng = aqm_rng(2, 2);
    fill(&scene, &rng, 2);
    for (int k = 0; k < variant_count; k++) {
        run_pass(variants[k], &scene, 1, sum, &with);
        run_pass(variants[k], &scene, 1, NULL, &without);
        assert_memory_equal(&with, &without, sizeof with);
    }
}

static void path_costs_stay_in_a_byte(void **state) {
    (void)state;
    static Scene scene;
    static Rows rows;
    AqmRng rng = aqm_rng(3, 3);
    fill(&scene, &rng, 4); /* the largest jumps */
    for (int i = 0; i < PIXELS * scene.pitch; i++)
        scene.cost[i] = scene.cost[i] == 255 ? 255 : AQM_COST_MISSING * (aqm_rng_u32(&rng) & 1);
    for (int k = 0; k < variant_count; k++) {
        run_pass(variants[k], &scene, 1, NULL, &rows);
        for (int path = 0; path < 6; path++)
            for (int x = 0; x < WIDTH; x++)
                for (int d = 0; d < scene.planes; d++) {
                    const size_t pitch = (size_t)scene.pitch + 2 * AQM_PATH_PAD;
                    const AqmPathRow row = path_row(&rows, path, pitch);
                    assert_true(row.cost[(size_t)x * pitch + (size_t)d] <=
                                AQM_COST_MISSING + AQM_COST_JUMP_MAX);
                }
    }
}

static void the_first_of_the_smallest_is_found(void **state) {
    (void)state;
    uint16_t buffer[1 + 160];
    uint16_t *sum = buffer + 1;
    AqmRng rng = aqm_rng(4, 4);
    for (int trial = 0; trial < 2000; trial++) {
        const size_t n = 32 * (1 + aqm_rng_u32(&rng) % 5);
        const unsigned values = trial % 4 == 0 ? 65536 : 1 + aqm_rng_u32(&rng) % 40;
        size_t expected = n - 1;
        for (size_t d = 0; d < n; d++)
            sum[d] = (uint16_t)(65535 - aqm_rng_u32(&rng) % values);
        for (size_t d = n; d-- > 0;) /* from the back: of equal ones the first stays */
            expected = sum[d] <= sum[expected] ? d : expected;
        for (int k = 0; k < variant_count; k++)
            assert_int_equal(variants[k]->lowest(sum, n), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_recursion),
        cmocka_unit_test(sums_may_be_left_out),
        cmocka_unit_test(path_costs_stay_in_a_byte),
        cmocka_unit_test(the_first_of_the_smallest_is_found),
    };
    return cmocka_run_group_tests(tests, collect_variants, NULL);
}
