/* Positions near a surface against the exact projection, on the ring of twelve cameras that the
 * program is made for: neighbour, second neighbour and opposite camera, and the wide one in the
 * centre. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "base/cpu.h"
#include "math/rng.h"
#include "stages/stereo/near_warp.h"

enum { WIDTH = 1600, HEIGHT = 1200 };
static const double water_z = 0.978, ring_radius = 0.635, tilt_rad = 0.2618, span_px = 20.0;

/* Camera k of the ring, looking inwards; k < 0: in the centre, looking down, with 0.56 of the focal
 * length. */
static AqmView ring_view(int k) {
    const double phi = 0.3 + k * 0.5235987755982988, c = cos(tilt_rad), s = sin(tilt_rad);
    const double out[3] = {cos(phi), sin(phi), 0.0};
    const double ring[9] = {-out[1],     out[0],      0, /* right, down, forward */
                            -c * out[0], -c * out[1], -s, -s * out[0], -s * out[1], c};
    const double straight[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    AqmView view = {.width = WIDTH,
                    .height = HEIGHT,
                    .fx = k < 0 ? 762 : 1360,
                    .fy = k < 0 ? 762 : 1372,
                    .cx = 805,
                    .cy = 592,
                    .water_z = water_z,
                    .n = 1.333};
    memcpy(view.R, k < 0 ? straight : ring, sizeof view.R);
    for (int i = 0; i < 2; i++)
        view.C[i] = k < 0 ? 0.0 : ring_radius * out[i];
    view.C[2] = k < 0 ? 0.0 : 0.003 * (k % 3);
    for (int i = 0; i < 3; i++)
        view.t[i] = -(view.R[3 * i] * view.C[0] + view.R[3 * i + 1] * view.C[1] +
                      view.R[3 * i + 2] * view.C[2]);
    return view;
}

enum { SOURCES = 4 };

typedef struct Bench {
    AqmView views[1 + SOURCES];
    AqmStereoImage *images[1 + SOURCES];
    AqmStereoView stereo[1 + SOURCES];
    AqmSweep *sweep;
    AqmNearWarp warp;
    float *disparity;
} Bench;

static Bench *bench_create(void) {
    static const int others[1 + SOURCES] = {0, 1, 2, 6, -1};
    static const size_t sources[SOURCES] = {1, 2, 3, 4};
    Bench *bench = calloc(1, sizeof *bench);
    AqmImage *image = NULL;
    assert_int_equal(aqm_image_create(&image, WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    memset(image->data, 100, (size_t)WIDTH * HEIGHT);
    const AqmImageView pixels = aqm_image_view(image);
    for (int k = 0; k <= SOURCES; k++) {
        bench->views[k] = ring_view(others[k]);
        assert_int_equal(aqm_stereo_image_create(&bench->images[k], &pixels, NULL, 255, NULL),
                         AQM_OK);
        bench->stereo[k] = (AqmStereoView){&bench->views[k], bench->images[k], false};
    }
    aqm_image_destroy(&image);
    assert_int_equal(aqm_sweep_create(&bench->sweep, bench->stereo, 0, sources, SOURCES, 0,
                                      AQM_COST_NCC, 7, 1, NULL),
                     AQM_OK);
    assert_int_equal(aqm_near_warp_create(&bench->warp, NULL), AQM_OK);
    bench->disparity = malloc((size_t)WIDTH * HEIGHT * sizeof *bench->disparity);
    return bench;
}

static void bench_free(Bench *bench) {
    aqm_near_warp_free(&bench->warp);
    aqm_sweep_destroy(&bench->sweep);
    for (int k = 0; k <= SOURCES; k++)
        aqm_stereo_image_destroy(&bench->images[k]);
    free(bench->disparity);
    free(bench);
}

static AqmTile tile_at(int x0, int y0, int width, int height) {
    const int radius = 3, columns = width + 2 * radius;
    return (AqmTile){x0,
                     y0,
                     width,
                     height,
                     radius,
                     columns,
                     height + 2 * radius,
                     (size_t)(columns + AQM_ROW_MULTIPLE - 1) / AQM_ROW_MULTIPLE *
                         AQM_ROW_MULTIPLE};
}

/* Any disparity within the span for every pixel, the two ends among them. */
static void fill(Bench *bench, double middle, AqmRng *rng) {
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        const double part = p % 5 == 0 ? -0.5 : p % 5 == 1 ? 0.5 : aqm_rng_uniform(rng) - 0.5;
        bench->disparity[p] = (float)(middle + span_px * part);
    }
}

static bool exact(const Bench *bench, int source, int x, int y, double disparity, double uv[2]) {
    AqmRay ray;
    double point[3];
    const double h = aqm_disparity_h(bench->sweep, disparity);
    if (!aqm_view_cast(&bench->views[0], x, y, &ray))
        return false;
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + h / ray.direction[2] * ray.direction[i];
    return aqm_view_project(&bench->views[1 + source], point, uv);
}

typedef struct Worst {
    double position, slope;
} Worst;

/* Outside the image a ray goes on, and the disparity is that of the border. */
static float disparity_at(const Bench *bench, int x, int y) {
    const int cx = x < 0       ? 0
                   : x < WIDTH ? x
                               : WIDTH - 1,
              cy = y < 0        ? 0
                   : y < HEIGHT ? y
                                : HEIGHT - 1;
    return bench->disparity[cy * WIDTH + cx];
}

static void compare(const Bench *bench, const AqmTile *tile, int source, Worst *worst) {
    enum { ROOM = AQM_WARP_PITCH + AQM_KNOT };
    static float u[ROOM], v[ROOM], du[ROOM], dv[ROOM];
    for (int r = 0; r < tile->rows; r++) {
        aqm_near_warp_row(&bench->warp, bench->sweep, r, u, v, du, dv);
        for (int c = 0; c < tile->columns; c++) {
            const int x = tile->x0 - tile->radius + c, y = tile->y0 - tile->radius + r;
            const double d = (double)disparity_at(bench, x, y), e = 0.05;
            double at[2], ahead[2], behind[2];
            if (isnan(d)) {
                assert_true(isnan(u[c]) && isnan(v[c]));
                continue;
            }
            if (!exact(bench, source, x, y, d, at) || !exact(bench, source, x, y, d + e, ahead) ||
                !exact(bench, source, x, y, d - e, behind))
                continue;
            const double slope_u = 0.5 * (ahead[0] - behind[0]) / e,
                         slope_v = 0.5 * (ahead[1] - behind[1]) / e;
            worst->position =
                fmax(worst->position, hypot((double)u[c] - at[0], (double)v[c] - at[1]));
            worst->slope =
                fmax(worst->slope, hypot((double)du[c] - slope_u, (double)dv[c] - slope_v));
            assert_true(!isnan(u[c]) && !isnan(v[c]));
        }
    }
}

static Worst worst_of(Bench *bench, const AqmTile *tile) {
    Worst all = {0.0, 0.0};
    assert_true(aqm_near_warp_load(&bench->warp, bench->sweep, tile, bench->disparity, 0.0));
    for (int s = 0; s < SOURCES; s++) {
        Worst worst = {0.0, 0.0};
        bool is_inside;
        (void)aqm_near_warp_source(&bench->warp, bench->sweep, &bench->sweep->sources[s],
                                   &is_inside);
        compare(bench, tile, s, &worst);
        all.position = fmax(all.position, worst.position);
        all.slope = fmax(all.slope, worst.slope);
    }
    return all;
}

static void disparities_and_depths_are_one_to_one(void **state) {
    (void)state;
    Bench *bench = bench_create();
    float last = INFINITY;
    for (double h = 0.01; h < 0.7; h += 0.02) {
        const float d = aqm_disparity_of(bench->sweep, h);
        const double back = aqm_disparity_h(bench->sweep, (double)d);
        const double per_px = aqm_disparity_h(bench->sweep, (double)d - 0.5) -
                              aqm_disparity_h(bench->sweep, (double)d + 0.5);
        assert_true(d < last);
        assert_true(fabs(back - h) < 1e-6);
        assert_true(fabs(aqm_disparity_metres_per_px(bench->sweep, (double)d) / per_px - 1.0) <
                    1e-4);
        last = d;
    }
    assert_true(isnan(aqm_disparity_of(bench->sweep, (double)NAN)));
    bench_free(bench);
}

/* In the middle, at the corners, and over the borders of the image. */
static void positions_are_exact_to_a_fiftieth_of_a_pixel(void **state) {
    (void)state;
    Bench *bench = bench_create();
    AqmRng rng = aqm_rng(1, 1);
    for (double h = 0.1; h < 0.65; h += 0.25) {
        fill(bench, (double)aqm_disparity_of(bench->sweep, h), &rng);
        Worst all = {0.0, 0.0};
        for (int place = 0; place < 9; place++) {
            const AqmTile tile =
                tile_at(place % 3 * (WIDTH - 192) / 2, place / 3 * (HEIGHT - 96) / 2, 192, 96);
            const Worst worst = worst_of(bench, &tile);
            all.position = fmax(all.position, worst.position);
            all.slope = fmax(all.slope, worst.slope);
        }
        print_message("depth %.2f m: %.4f px, %.5f px per px\n", h, all.position, all.slope);
        assert_true(all.position > 0.0 && all.position < 0.02);
        assert_true(all.slope < 0.005);
    }
    bench_free(bench);
}

static void holes_stay_holes_and_nothing_else_does(void **state) {
    (void)state;
    Bench *bench = bench_create();
    AqmRng rng = aqm_rng(2, 2);
    const AqmTile tile = tile_at(640, 480, 100, 50);
    fill(bench, (double)aqm_disparity_of(bench->sweep, 0.3), &rng);
    bool is_inside;
    assert_true(aqm_near_warp_load(&bench->warp, bench->sweep, &tile, bench->disparity, 1.0));
    assert_false(bench->warp.has_hole);
    assert_true(
        aqm_near_warp_source(&bench->warp, bench->sweep, &bench->sweep->sources[0], &is_inside));
    assert_true(is_inside);
    for (int p = 0; p < WIDTH * HEIGHT; p += 1 + (int)(aqm_rng_u32(&rng) % 7))
        bench->disparity[p] = NAN;
    const Worst worst = worst_of(bench, &tile); /* compare asserts where NaN is */
    assert_true(worst.position < 0.02);
    assert_true(bench->warp.has_hole);
    assert_true(
        aqm_near_warp_source(&bench->warp, bench->sweep, &bench->sweep->sources[0], &is_inside));
    assert_false(is_inside);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        bench->disparity[p] = NAN;
    assert_false(aqm_near_warp_load(&bench->warp, bench->sweep, &tile, bench->disparity, 1.0));
    bench_free(bench);
}

/* Never said to be inside where an exact position is not. */
static void inside_is_never_said_in_vain(void **state) {
    (void)state;
    Bench *bench = bench_create();
    AqmRng rng = aqm_rng(3, 3);
    fill(bench, (double)aqm_disparity_of(bench->sweep, 0.3), &rng);
    int inside = 0, outside = 0;
    for (int k = 0; k < 48; k++) {
        const AqmTile tile = tile_at(k % 8 * 200, k / 8 * 200, 192, 96);
        assert_true(aqm_near_warp_load(&bench->warp, bench->sweep, &tile, bench->disparity, 0.0));
        for (int s = 0; s < SOURCES; s++) {
            bool is_inside;
            const bool may_be_seen = aqm_near_warp_source(&bench->warp, bench->sweep,
                                                          &bench->sweep->sources[s], &is_inside);
            inside += is_inside;
            outside += !may_be_seen;
            for (int p = 0; p < 192 * 96; p += 191) {
                const int x = tile.x0 + p % 192, y = tile.y0 + p / 192;
                double uv[2] = {-1.0, -1.0};
                (void)exact(bench, s, x, y, (double)disparity_at(bench, x, y), uv);
                const bool is_there =
                    uv[0] >= 0.0 && uv[1] >= 0.0 && uv[0] <= WIDTH - 1 && uv[1] <= HEIGHT - 1;
                assert_true(is_there || !is_inside);
                assert_true(!is_there || may_be_seen);
            }
        }
    }
    print_message("%d inside, %d not to be seen\n", inside, outside);
    assert_true(inside > 20 && outside > 5);
    bench_free(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disparities_and_depths_are_one_to_one),
        cmocka_unit_test(positions_are_exact_to_a_fiftieth_of_a_pixel),
        cmocka_unit_test(holes_stay_holes_and_nothing_else_does),
        cmocka_unit_test(inside_is_never_said_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
