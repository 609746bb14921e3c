#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/dense.h"
#include "aquamvs/geometry.h"
#include "base/alloc.h"
#include "geometry/surface_model.h"
#include "math/rng.h"
#include "math/vec.h"

enum { WIDTH = 316, HEIGHT = 233, PIXELS = WIDTH * HEIGHT };

static const AqmDepthRange anywhere = {0};

/* Two of a ring of cameras 0.5 m from the axis, 0.98 m above the water, each rolled by its own
 * angle: about 1 mm a pixel at f = 1100 px. */
typedef struct Scene {
    AqmView views[2];
    AqmSurfaceModel *surface;
    AqmSurfaceBounds bounds;
    AqmDepthMap *maps[2]; /* exact; confidence 0.8, sigma 0.5 mm */
} Scene;

static AqmView make_view(size_t index, double n) {
    AqmView view = {.width = WIDTH,
                    .height = HEIGHT,
                    .fx = 1100,
                    .fy = 1090,
                    .cx = 0.5 * WIDTH - 3.3,
                    .cy = 0.5 * HEIGHT + 1.4,
                    .water_z = 0.95,
                    .n = n};
    const double turn = 1.1 * (double)index + 0.2;
    view.C[0] = 0.5 * cos(turn) + 3.0, view.C[1] = 0.5 * sin(turn), view.C[2] = -0.03;
    double *x = view.R, *y = view.R + 3, *z = view.R + 6;
    const double forward[3] = {3.0 - view.C[0], -view.C[1], 1.28};
    const double roll[3] = {cos(turn), sin(2.0 * turn), 0.0}, distance = aqm_norm3(forward);
    for (int i = 0; i < 3; i++)
        z[i] = forward[i] / distance;
    aqm_cross3(z, roll, y);
    const double length = aqm_norm3(y);
    for (int i = 0; i < 3; i++)
        y[i] /= length;
    aqm_cross3(y, z, x);
    aqm_mul33v(view.R, view.C, view.t);
    for (int i = 0; i < 3; i++)
        view.t[i] = -view.t[i];
    return view;
}

static bool exact_point(const Scene *scene, size_t v, double u, double w, double *depth,
                        double point[3]) {
    AqmRay ray;
    *depth = 0.3;
    if (!aqm_view_cast(&scene->views[v], u, w, &ray) ||
        !aqm_surface_intersect(scene->surface, &scene->bounds, &ray, *depth, depth))
        return false;
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + *depth * ray.direction[i];
    return true;
}

/* A bed 0.3 m below the water that slopes, with a wave along X. */
static void scene_make(Scene *scene, double slope, double wave_m, double wave_length, double n) {
    *scene = (Scene){0};
    assert_int_equal(aqm_surface_model_create(&scene->surface, NULL), AQM_OK);
    const AqmSurfaceTerm plane = {.kind = AQM_TERM_PLANE,
                                  .plane = {1.25 - 3.0 * slope, slope, 0.7 * slope}};
    const AqmSurfaceTerm wave = {.kind = AQM_TERM_SINE,
                                 .sine = {wave_m, 6.2832 / wave_length, 0.0, 0.3}};
    assert_int_equal(aqm_surface_model_add(scene->surface, plane, NULL), AQM_OK);
    if (wave_m > 0.0)
        assert_int_equal(aqm_surface_model_add(scene->surface, wave, NULL), AQM_OK);
    scene->bounds = aqm_surface_bounds(scene->surface, 5.0);
    for (size_t v = 0; v < 2; v++) {
        scene->views[v] = make_view(v, n);
        assert_int_equal(aqm_depth_map_create(&scene->maps[v], WIDTH, HEIGHT, NULL), AQM_OK);
        for (int p = 0; p < PIXELS; p++) {
            double depth, point[3];
            assert_true(exact_point(scene, v, p % WIDTH, p / WIDTH, &depth, point));
            scene->maps[v]->depth_m[p] = (float)depth;
            scene->maps[v]->confidence[p] = 0.8f;
            scene->maps[v]->sigma_m[p] = 0.0005f;
        }
    }
}

static void scene_free(Scene *scene) {
    aqm_surface_model_destroy(&scene->surface);
    aqm_depth_map_destroy(&scene->maps[0]);
    aqm_depth_map_destroy(&scene->maps[1]);
}

/* The exact warp, a cell `cell_px` pixels wide and high; certainty 0.9. */
static AqmWarp *exact_warp(const Scene *scene, int cell_px) {
    AqmWarp *warp = NULL;
    const int width = WIDTH / cell_px, height = (HEIGHT + cell_px - 1) / cell_px;
    assert_int_equal(aqm_warp_create(&warp, width, height, NULL), AQM_OK);
    for (int j = 0; j < height; j++)
        for (int i = 0; i < width; i++) {
            const size_t cell = (size_t)j * (size_t)width + (size_t)i;
            double depth, point[3], pixel[2];
            assert_true(exact_point(scene, 0, (i + 0.5) * WIDTH / width - 0.5,
                                    (j + 0.5) * HEIGHT / height - 0.5, &depth, point));
            assert_true(aqm_view_project(&scene->views[1], point, pixel));
            warp->target[2 * cell] = (float)pixel[0], warp->target[2 * cell + 1] = (float)pixel[1];
            warp->certainty[cell] = 0.9f;
            warp->sigma_px[cell] = 0.1f;
        }
    return warp;
}

static bool is_inside(const float target[2]) {
    return target[0] >= -0.5f && target[1] >= -0.5f && target[0] < WIDTH - 0.5f &&
           target[1] < HEIGHT - 0.5f;
}

static AqmDepthMap *warp_depth(const Scene *scene, const AqmWarp *warp, int most) {
    AqmDepthMap *map = NULL;
    AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    options.max_correspondences = most;
    assert_int_equal(
        aqm_warp_depth(&map, &scene->views[0], &scene->views[1], warp, &anywhere, &options, NULL),
        AQM_OK);
    return map;
}

typedef struct Errors {
    double largest_mm, rms_mm, known_pct;
} Errors;

static Errors compare(const Scene *scene, const AqmDepthMap *map) {
    Errors errors = {0};
    double squares = 0.0, known = 0.0;
    for (int p = 0; p < PIXELS; p++) {
        const double e = 1e3 * ((double)map->depth_m[p] - (double)scene->maps[0]->depth_m[p]);
        if (isnan(map->depth_m[p])) {
            assert_true(map->confidence[p] == 0.0f && isnan(map->sigma_m[p]));
            continue;
        }
        known += 1.0, squares += e * e;
        errors.largest_mm = fmax(errors.largest_mm, fabs(e));
    }
    errors.rms_mm = sqrt(squares / known);
    errors.known_pct = 100.0 * known / PIXELS;
    return errors;
}

/* ---- warps from depths ----------------------------------------------------------------------- */

static void a_depth_map_becomes_its_warp(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        Scene scene;
        scene_make(&scene, 0.15, 0.003, 0.05, kind ? 1.0 : 1.333);
        AqmWarp *warp = NULL, *exact = exact_warp(&scene, 1);
        scene.maps[0]->depth_m[777] = NAN;
        assert_int_equal(aqm_warp_from_depth(&warp, &scene.views[0], scene.maps[0], &scene.views[1],
                                             NULL, 0, NULL),
                         AQM_OK);
        double worst = 0.0;
        size_t inside = 0;
        for (size_t p = 0; p < PIXELS; p++) {
            if (p == 777 || !is_inside(exact->target + 2 * p)) {
                assert_true(isnan(warp->target[2 * p]) && isnan(warp->target[2 * p + 1]));
                assert_true(warp->certainty[p] == 0.0f && isnan(warp->sigma_px[p]));
                continue;
            }
            inside++;
            worst =
                fmax(worst, hypot((double)(warp->target[2 * p] - exact->target[2 * p]),
                                  (double)(warp->target[2 * p + 1] - exact->target[2 * p + 1])));
            assert_true(warp->certainty[p] == 0.8f);
            /* 0.5 mm, at 210 to 420 px a metre */
            assert_true(warp->sigma_px[p] > 0.10f && warp->sigma_px[p] < 0.25f);
        }
        print_message("%zu of %d targets inside, off by up to %.5f px\n", inside, (int)PIXELS,
                      worst);
        assert_true(inside > PIXELS / 3 && worst < 0.001);
        aqm_warp_destroy(&exact);
        aqm_warp_destroy(&warp);
        scene_free(&scene);
    }
}

/* What a warp's certainty is like where the second view's depths are `more_m` too large. */
static void check_certainty(Scene *scene, float more_m, double least, double most) {
    AqmWarp *warp = NULL;
    for (int p = 0; p < PIXELS; p++)
        scene->maps[1]->depth_m[p] += more_m;
    assert_int_equal(aqm_warp_from_depth(&warp, &scene->views[0], scene->maps[0], &scene->views[1],
                                         scene->maps[1], 0, NULL),
                     AQM_OK);
    for (int p = 0; p < PIXELS; p++)
        scene->maps[1]->depth_m[p] -= more_m;
    double sum = 0.0, known = 0.0;
    for (size_t p = 0; p < PIXELS; p++)
        if (!isnan(warp->target[2 * p]))
            known += 1.0, sum += (double)warp->certainty[p];
    const double mean = known > 0.0 ? sum / known : 0.0;
    print_message("%.1f mm too deep: certainty %.4f\n", 1e3 * (double)more_m, mean);
    assert_true(mean >= least && mean <= most);
    aqm_warp_destroy(&warp);
}

static void the_way_back_is_checked(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    check_certainty(&scene, 0.0f, 0.7999, 0.8); /* depths between pixels are smooth */
    check_certainty(&scene, 0.003f, 0.4, 0.7);  /* about a pixel: 0.8 exp(-1/2) = 0.49 */
    check_certainty(&scene, 0.03f, 0.0, 0.0);
    /* a hole in the second map, 3 x 3: only what needs its middle is lost */
    for (int k = 0; k < 9; k++)
        scene.maps[1]->depth_m[(HEIGHT / 2 + k / 3) * WIDTH + WIDTH / 2 + k % 3] = NAN;
    AqmWarp *whole = NULL, *holed = NULL;
    assert_int_equal(
        aqm_warp_from_depth(&whole, &scene.views[0], scene.maps[0], &scene.views[1], NULL, 0, NULL),
        AQM_OK);
    assert_int_equal(aqm_warp_from_depth(&holed, &scene.views[0], scene.maps[0], &scene.views[1],
                                         scene.maps[1], 0, NULL),
                     AQM_OK);
    int lost = 0;
    for (size_t p = 0; p < PIXELS; p++)
        lost += !isnan(whole->target[2 * p]) && isnan(holed->target[2 * p]);
    assert_true(lost >= 5 && lost <= 16);
    aqm_warp_destroy(&whole);
    aqm_warp_destroy(&holed);
    scene_free(&scene);
}

/* ---- depths from warps ----------------------------------------------------------------------- */

static void a_warp_of_pixels_gives_its_depths(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        Scene scene;
        scene_make(&scene, 0.15, 0.003, 0.05, kind ? 1.0 : 1.333);
        AqmWarp *warp = exact_warp(&scene, 1);
        AqmDepthMap *map = warp_depth(&scene, warp, 0);
        const Errors errors = compare(&scene, map);
        print_message("a cell a pixel: up to %.5f mm off, %.1f %% known\n", errors.largest_mm,
                      errors.known_pct);
        assert_true(errors.largest_mm < 0.005 && errors.known_pct > 33.0);
        for (int p = 0; p < PIXELS; p++) {
            assert_int_equal(!isnan(map->depth_m[p]), is_inside(warp->target + 2 * p));
            if (!isnan(map->depth_m[p]))
                assert_true(map->sigma_m[p] > 0.0002f && map->sigma_m[p] < 0.0005f);
        }
        aqm_depth_map_destroy(&map);
        aqm_warp_destroy(&warp);
        scene_free(&scene);
    }
}

static void coarse_cells_lose_no_half_pixel(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.3, 0.0, 1.0, 1.333);
    const int sizes[3] = {2, 4, 5}; /* 5 and 316 x 233 px: cells of 5.016 x 4.957 px */
    for (int k = 0; k < 3; k++) {
        AqmWarp *warp = exact_warp(&scene, sizes[k]);
        AqmDepthMap *map = warp_depth(&scene, warp, 0);
        const Errors errors = compare(&scene, map);
        print_message("cells of %d px: up to %.5f mm off, %.1f %% known\n", sizes[k],
                      errors.largest_mm, errors.known_pct);
        assert_true(errors.largest_mm < 0.02 && errors.known_pct > 33.0);
        /* the same warp half a pixel aside is off by tenths of a millimetre */
        aqm_depth_map_destroy(&map);
        aqm_warp_destroy(&warp);
    }
    scene_free(&scene);
}

static void few_correspondences_are_spread(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.3, 0.0, 1.0, 1.333);
    AqmWarp *warp = exact_warp(&scene, 1);
    /* cells in a chance pattern are not certain, so that others stand for the middle ones */
    AqmRng rng = aqm_rng(4, 0);
    for (int p = 0; p < PIXELS; p++)
        if (aqm_rng_uniform(&rng) < 0.4)
            warp->certainty[p] = 0.3f;
    AqmDepthMap *map = warp_depth(&scene, warp, 2000);
    const Errors errors = compare(&scene, map);
    print_message("2000 correspondences: up to %.5f, rms %.5f mm off, %.1f %% known\n",
                  errors.largest_mm, errors.rms_mm, errors.known_pct);
    assert_true(errors.largest_mm < 0.5 && errors.rms_mm < 0.015 && errors.known_pct > 35.0);
    aqm_depth_map_destroy(&map);
    /* one block of everything that is left */
    for (int p = 0; p < PIXELS; p++)
        warp->certainty[p] = p % 97 ? 0.1f : 0.9f;
    map = warp_depth(&scene, warp, 100);
    assert_true(compare(&scene, map).known_pct > 20.0);
    aqm_depth_map_destroy(&map);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

/* The squared distance in the second image of the point at depth s to the target. */
static double distance2(const Scene *scene, const AqmRay *ray, double s, const float target[2]) {
    const double point[3] = {ray->origin[0] + s * ray->direction[0],
                             ray->origin[1] + s * ray->direction[1],
                             ray->origin[2] + s * ray->direction[2]};
    double pixel[2];
    assert_true(aqm_view_project(&scene->views[1], point, pixel));
    const double du = pixel[0] - (double)target[0], dv = pixel[1] - (double)target[1];
    return du * du + dv * dv;
}

static void targets_beside_the_curve_mean_its_nearest_point(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    AqmWarp *warp = exact_warp(&scene, 1);
    AqmRng rng = aqm_rng(9, 0);
    for (int p = 0; p < PIXELS; p++)
        for (int k = 0; k < 2; k++)
            warp->target[2 * p + k] += (float)(1.5 * aqm_rng_normal(&rng));
    AqmDepthMap *map = warp_depth(&scene, warp, 0);
    double worst = 0.0;
    int kept = 0, dropped = 0, far = 0;
    for (int p = 0; p < PIXELS; p += 7) {
        AqmRay ray;
        if (!is_inside(warp->target + 2 * p))
            continue;
        assert_true(aqm_view_cast(&scene.views[0], p % WIDTH, p / WIDTH, &ray));
        double low = 0.2, high = 0.4; /* golden section */
        for (int k = 0; k < 60; k++) {
            const double a = high - 0.618034 * (high - low), b = low + 0.618034 * (high - low);
            if (distance2(&scene, &ray, a, warp->target + 2 * p) <
                distance2(&scene, &ray, b, warp->target + 2 * p))
                high = b;
            else
                low = a;
        }
        const double miss = sqrt(distance2(&scene, &ray, low, warp->target + 2 * p));
        far += miss > 2.2, dropped += isnan(map->depth_m[p]);
        if (isnan(map->depth_m[p]))
            assert_true(miss > 1.8); /* 2 px in the first image may be 1.8 in the second */
        else {
            kept++;
            assert_true(miss < 2.01);
            worst = fmax(worst, 1e3 * fabs((double)map->depth_m[p] - low));
        }
    }
    print_message("%d kept, %d dropped, least squares off by up to %.4f mm\n", kept, dropped,
                  worst);
    assert_true(kept > 2000 && far > 300 && dropped >= far && worst < 0.01);
    aqm_depth_map_destroy(&map);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

static void sigma_is_that_of_the_noise(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    AqmWarp *warp = exact_warp(&scene, 1);
    AqmRng rng = aqm_rng(10, 0);
    for (int p = 0; p < 2 * PIXELS; p++)
        warp->target[p] += (float)(0.1 * aqm_rng_normal(&rng));
    AqmDepthMap *map = warp_depth(&scene, warp, 0);
    double squares = 0.0, known = 0.0;
    for (int p = 0; p < PIXELS; p++) {
        if (isnan(map->depth_m[p]))
            continue;
        const double e = (double)(map->depth_m[p] - scene.maps[0]->depth_m[p]);
        squares += e * e / ((double)map->sigma_m[p] * (double)map->sigma_m[p]);
        known += 1.0;
    }
    print_message("noise 0.1 px: errors %.3f sigma, rms %.3f mm\n", sqrt(squares / known),
                  compare(&scene, map).rms_mm);
    assert_true(fabs(sqrt(squares / known) - 1.0) < 0.03);
    aqm_depth_map_destroy(&map);
    scene.maps[0]->depth_m[0] = NAN;
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

static void holes_and_steps_stay(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    AqmWarp *warp = exact_warp(&scene, 4);
    AqmDepthMap *whole = warp_depth(&scene, warp, 0), *map = NULL;
    /* a cell that is known with all around it: take its middle one */
    const int i = WIDTH / 8, j = HEIGHT / 8, cell = j * warp->width + i;
    for (int k = 0; k < 9; k++)
        assert_true(is_inside(warp->target + 2 * (cell + (k / 3 - 1) * warp->width + k % 3 - 1)));
    warp->certainty[cell] = 0.1f;
    map = warp_depth(&scene, warp, 0);
    int lost = 0;
    for (int p = 0; p < PIXELS; p++) {
        lost += isnan(map->depth_m[p]) && !isnan(whole->depth_m[p]);
        if (!isnan(map->depth_m[p]))
            assert_true(fabsf(map->depth_m[p] - whole->depth_m[p]) < 2e-5f);
    }
    assert_true(lost == 16 || lost == 12); /* rows of 3.95 px */
    aqm_depth_map_destroy(&map);
    /* the cell 30 mm higher: its pixels are on either surface, none between */
    AqmRay ray;
    const double u = (i + 0.5) * 4 - 0.5, v = (j + 0.5) * HEIGHT / warp->height - 0.5;
    double depth, point[3], pixel[2];
    assert_true(aqm_view_cast(&scene.views[0], u, v, &ray));
    assert_true(exact_point(&scene, 0, u, v, &depth, point));
    for (int k = 0; k < 3; k++)
        point[k] -= 0.03 * ray.direction[k];
    assert_true(aqm_view_project(&scene.views[1], point, pixel));
    warp->certainty[cell] = 0.9f;
    warp->target[2 * cell] = (float)pixel[0], warp->target[2 * cell + 1] = (float)pixel[1];
    assert_true(is_inside(warp->target + 2 * cell));
    map = warp_depth(&scene, warp, 0);
    int raised = 0;
    for (int p = 0; p < PIXELS; p++) {
        if (isnan(map->depth_m[p]))
            continue;
        const float higher = whole->depth_m[p] - map->depth_m[p];
        assert_true(fabsf(higher) < 2e-5f || fabsf(higher - 0.03f) < 2e-3f);
        raised += higher > 0.02f;
    }
    assert_true(raised == 16 || raised == 12);
    aqm_depth_map_destroy(&map);
    aqm_depth_map_destroy(&whole);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

/* What the sampling costs on waves: the detail between correspondences. */
static void waves_survive_the_way_through_a_warp(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.0, 0.005, 0.05, 1.333);
    AqmWarp *warp = NULL;
    assert_int_equal(aqm_warp_from_depth(&warp, &scene.views[0], scene.maps[0], &scene.views[1],
                                         scene.maps[1], 0, NULL),
                     AQM_OK);
    for (int block = 1; block <= 5; block += 2) {
        AqmDepthMap *map = warp_depth(&scene, warp, block == 1 ? 0 : PIXELS / (block * block));
        const Errors errors = compare(&scene, map);
        print_message("5 mm waves of 50 px, every %d-th cell: rms %.4f, up to %.4f mm, %.1f %%\n",
                      block, errors.rms_mm, errors.largest_mm, errors.known_pct);
        assert_true(errors.rms_mm < (block == 1 ? 0.003 : 0.1));
        aqm_depth_map_destroy(&map);
    }
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void nonsense_targets_mean_nothing(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    const float bad[6][2] = {{NAN, 10.0f},   {INFINITY, -INFINITY}, {10.0f, 1e30f},
                             {-0.6f, 10.0f}, {WIDTH - 0.5f, 10.0f}, {10.0f, HEIGHT}};
    for (int size = 1; size <= 4; size += 3) {
        AqmWarp *warp = exact_warp(&scene, size);
        for (int c = 0; c < warp->width * warp->height; c++)
            memcpy(warp->target + 2 * c, bad[c % 6], sizeof bad[0]);
        AqmDepthMap *map = warp_depth(&scene, warp, 500);
        assert_true(compare(&scene, map).known_pct == 0.0);
        aqm_depth_map_destroy(&map);
        /* inside, but no ray of the first view comes near */
        for (int c = 0; c < warp->width * warp->height; c++)
            warp->target[2 * c] = warp->target[2 * c + 1] = c % 2 ? 1.0f : 220.0f;
        map = warp_depth(&scene, warp, 0);
        assert_true(compare(&scene, map).known_pct < 25.0);
        aqm_depth_map_destroy(&map);
        aqm_warp_destroy(&warp);
    }
    scene_free(&scene);
}

static void the_same_camera_twice_means_nothing(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.15, 0.0, 1.0, 1.333);
    scene.views[1] = scene.views[0];
    AqmWarp *warp = exact_warp(&scene, 1);
    AqmDepthMap *map = warp_depth(&scene, warp, 0);
    assert_true(compare(&scene, map).known_pct == 0.0);
    aqm_depth_map_destroy(&map);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

static void points_above_the_water_and_out_of_range_are_left_out(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.0, 0.0, 1.0, 1.0); /* n = 1: what lies in air is a plain point */
    AqmWarp *warp = exact_warp(&scene, 1);
    AqmView raised[2] = {scene.views[0], scene.views[1]};
    raised[0].water_z = raised[1].water_z = 1.26; /* the bed is at 1.25 */
    AqmDepthMap *map = NULL;
    AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    options.max_correspondences = 0;
    assert_int_equal(aqm_warp_depth(&map, &raised[0], &raised[1], warp, &anywhere, &options, NULL),
                     AQM_OK);
    assert_true(compare(&scene, map).known_pct == 0.0);
    aqm_depth_map_destroy(&map);
    const AqmDepthRange ranges[2] = {{0.29, 0.33, 0.305, 0.31}, {0.31, 0.312, 0.0, 0.0}};
    assert_int_equal(
        aqm_warp_depth(&map, &scene.views[0], &scene.views[1], warp, &ranges[0], &options, NULL),
        AQM_OK);
    assert_true(compare(&scene, map).known_pct == 0.0);
    aqm_depth_map_destroy(&map);
    assert_int_equal(
        aqm_warp_depth(&map, &scene.views[0], &scene.views[1], warp, &ranges[1], &options, NULL),
        AQM_OK);
    int known = 0;
    for (int p = 0; p < PIXELS; p++)
        if (!isnan(map->depth_m[p])) {
            known++;
            assert_true(map->depth_m[p] > 0.3099f && map->depth_m[p] < 0.3121f);
        }
    assert_true(known > 100 && known < PIXELS / 3);
    aqm_depth_map_destroy(&map);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

static void one_cell_and_one_pixel_work(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.0, 0.0, 1.0, 1.333);
    AqmWarp *warp = NULL;
    double depth, point[3], pixel[2];
    assert_int_equal(aqm_warp_create(&warp, 1, 1, NULL), AQM_OK);
    assert_true(exact_point(&scene, 0, 0.5 * WIDTH - 0.5, 0.5 * HEIGHT - 0.5, &depth, point));
    assert_true(aqm_view_project(&scene.views[1], point, pixel));
    warp->target[0] = (float)pixel[0], warp->target[1] = (float)pixel[1];
    warp->certainty[0] = 0.7f;
    AqmDepthMap *map = warp_depth(&scene, warp, 0);
    for (int p = 0; p < PIXELS; p++)
        assert_true(fabs((double)map->depth_m[p] - depth) < 1e-5 &&
                    fabsf(map->confidence[p] - 0.7f) < 1e-6f);
    /* sigma is not known: half a pixel */
    assert_true(map->sigma_m[0] > 0.001f && map->sigma_m[0] < 0.0025f);
    aqm_depth_map_destroy(&map);
    AqmView small = scene.views[0];
    small.width = small.height = 1;
    small.cx -= 0.5 * WIDTH - 0.5, small.cy -= 0.5 * HEIGHT - 0.5;
    AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    assert_int_equal(aqm_warp_depth(&map, &small, &scene.views[1], warp, &anywhere, &options, NULL),
                     AQM_OK);
    assert_true(fabs((double)map->depth_m[0] - depth) < 1e-5);
    AqmWarp *back = NULL;
    assert_int_equal(aqm_warp_from_depth(&back, &small, map, &scene.views[1], NULL, 1, NULL),
                     AQM_OK);
    assert_true(hypot((double)back->target[0] - pixel[0], (double)back->target[1] - pixel[1]) <
                0.002);
    aqm_warp_destroy(&back);
    aqm_depth_map_destroy(&map);
    aqm_warp_destroy(&warp);
    scene_free(&scene);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.0, 0.0, 1.0, 1.333);
    AqmView *views = scene.views;
    AqmWarp *warp = NULL, *made = exact_warp(&scene, 4);
    AqmDepthMap *map = NULL, *small = NULL;
    assert_int_equal(aqm_depth_map_create(&small, 4, 4, NULL), AQM_OK);
    assert_int_equal(aqm_warp_from_depth(&warp, &views[0], small, &views[1], NULL, 0, NULL),
                     AQM_ERROR_ARGUMENT);
    assert_int_equal(
        aqm_warp_from_depth(&warp, &views[0], scene.maps[0], &views[1], small, 0, NULL),
        AQM_ERROR_ARGUMENT);
    const AqmWarpDepthOptions bad[6] = {{-0.1, 1000, 2, 0}, {(double)NAN, 1000, 2, 0},
                                        {0.5, 99, 2, 0},    {0.5, -1, 2, 0},
                                        {0.5, 1000, 0, 0},  {0.5, 1000, 2, -1}};
    for (int k = 0; k < 6; k++)
        assert_int_equal(aqm_warp_depth(&map, &views[0], &views[1], made, &anywhere, &bad[k], NULL),
                         AQM_ERROR_ARGUMENT);
    const AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    const AqmDepthRange ranges[3] = {{0.4, 0.3, 0, 0}, {0.1, 0.3, 0.2, 0.2}, {-0.1, 0.3, 0, 0}};
    for (int k = 0; k < 3; k++)
        assert_int_equal(
            aqm_warp_depth(&map, &views[0], &views[1], made, &ranges[k], &options, NULL),
            AQM_ERROR_ARGUMENT);
    assert_null(map);
    assert_null(warp);
    aqm_depth_map_destroy(&small);
    aqm_warp_destroy(&made);
    scene_free(&scene);
}

/* ---- threads and memory ---------------------------------------------------------------------- */

static AqmStatus there_and_back(const Scene *scene, int threads, int most, AqmDepthMap **map,
                                AqmDiag *diag) {
    AqmWarp *warp = NULL;
    AqmWarpDepthOptions options = aqm_warp_depth_options_default();
    options.threads = threads, options.max_correspondences = most;
    AqmStatus status = aqm_warp_from_depth(&warp, &scene->views[0], scene->maps[0],
                                           &scene->views[1], scene->maps[1], threads, diag);
    if (status == AQM_OK)
        status = aqm_warp_depth(map, &scene->views[0], &scene->views[1], warp, &anywhere, &options,
                                diag);
    aqm_warp_destroy(&warp);
    return status;
}

static void any_number_of_threads_gives_the_same(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.1, 0.005, 0.05, 1.333);
    for (int most = 0; most <= 3000; most += 3000) {
        AqmDepthMap *one = NULL, *three = NULL;
        assert_int_equal(there_and_back(&scene, 1, most, &one, NULL), AQM_OK);
        assert_int_equal(there_and_back(&scene, 3, most, &three, NULL), AQM_OK);
        assert_memory_equal(one->depth_m, three->depth_m, PIXELS * sizeof(float));
        assert_memory_equal(one->sigma_m, three->sigma_m, PIXELS * sizeof(float));
        assert_memory_equal(one->confidence, three->confidence, PIXELS * sizeof(float));
        aqm_depth_map_destroy(&one);
        aqm_depth_map_destroy(&three);
    }
    scene_free(&scene);
}

static void failed_allocations_are_survived(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, 0.1, 0.0, 1.0, 1.333);
    const size_t before = aqm_alloc_count().live_bytes;
    size_t n = 1;
    for (;; n++) {
        AqmDiag diag = {0};
        AqmDepthMap *map = NULL;
        aqm_alloc_fail_from(n);
        const AqmStatus status = there_and_back(&scene, 1, 3000, &map, &diag);
        aqm_alloc_fail_from(0);
        aqm_depth_map_destroy(&map);
        assert_int_equal(aqm_alloc_count().live_bytes, before);
        if (status == AQM_OK)
            break;
        assert_int_equal(status, AQM_ERROR_MEMORY);
    }
    assert_true(n > 12);
    scene_free(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_depth_map_becomes_its_warp),
        cmocka_unit_test(the_way_back_is_checked),
        cmocka_unit_test(a_warp_of_pixels_gives_its_depths),
        cmocka_unit_test(coarse_cells_lose_no_half_pixel),
        cmocka_unit_test(few_correspondences_are_spread),
        cmocka_unit_test(targets_beside_the_curve_mean_its_nearest_point),
        cmocka_unit_test(sigma_is_that_of_the_noise),
        cmocka_unit_test(holes_and_steps_stay),
        cmocka_unit_test(waves_survive_the_way_through_a_warp),
        cmocka_unit_test(nonsense_targets_mean_nothing),
        cmocka_unit_test(the_same_camera_twice_means_nothing),
        cmocka_unit_test(points_above_the_water_and_out_of_range_are_left_out),
        cmocka_unit_test(one_cell_and_one_pixel_work),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
