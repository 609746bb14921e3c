/* A rendered scene whose surface is a formula, for the tests of the stage: a textured wave, plane
 * or step under water, seen by four cameras. SCENE_SCALE: times the resolution. */
#ifndef AQM_STEREO_TEST_SCENE_H
#define AQM_STEREO_TEST_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/geometry.h"
#include "aquamvs/stereo.h"
#include "base/alloc.h"
#include "math/rng.h"
#include "math/stats.h"

#ifndef SCENE_SCALE
#define SCENE_SCALE 1
#endif
enum { WIDTH = 200 * SCENE_SCALE, HEIGHT = 150 * SCENE_SCALE, VIEWS = 4 };
static const double water_z = 0.6, bed_z = 0.8;

typedef struct Scene {
    double n, amplitude_m, wavelength_m;
    double noise;             /* standard deviation, levels of 8 bits */
    double step_x, step_m;    /* beyond X = step_x the bed is step_m higher */
    double blank_x, blank_to; /* without texture between these X */
    AqmView views[VIEWS];
    AqmImage *images[VIEWS];
    AqmStereoImage *stereo_images[VIEWS];
    AqmStereoView stereo[VIEWS];
    float *truth; /* ray depth of view 0 */
} Scene;

static inline double surface_z(const Scene *scene, double x) {
    return bed_z + scene->amplitude_m * sin(6.283185307179586 * x / scene->wavelength_m);
}

/* Sand: smooth value noise in three octaves, 0..1, from a hash of the lattice. */
static inline double lattice(int x, int y, int octave) {
    uint32_t h =
        (uint32_t)x * 374761393u + (uint32_t)y * 668265263u + (uint32_t)octave * 2246822519u;
    h = (h ^ (h >> 13)) * 1274126177u;
    return (double)((h ^ (h >> 16)) & 0xffff) / 65535.0;
}

static inline double texture(double x, double y) {
    double sum = 0.0;
    for (int octave = 0; octave < 3; octave++) {
        const double cell = 0.007 * (1 << octave), gx = x / cell, gy = y / cell;
        const int ix = (int)floor(gx), iy = (int)floor(gy);
        double a = gx - ix, b = gy - iy;
        a = a * a * (3 - 2 * a), b = b * b * (3 - 2 * b);
        sum += (1 - b) * ((1 - a) * lattice(ix, iy, octave) + a * lattice(ix + 1, iy, octave)) +
               b * ((1 - a) * lattice(ix, iy + 1, octave) + a * lattice(ix + 1, iy + 1, octave));
    }
    return sum / 3.0;
}

/* The ray depth at which pixel (u, v) meets the surface, by fixed-point iteration (gentle slopes).
 */
static inline double hit(const Scene *scene, const AqmView *view, double u, double v,
                         double point[3]) {
    AqmRay ray;
    assert_true(aqm_view_cast(view, u, v, &ray));
    double s = (bed_z - water_z) / ray.direction[2];
    const double high = (bed_z - water_z - scene->step_m) / ray.direction[2];
    if (scene->step_m > 0.0 && ray.origin[0] + high * ray.direction[0] >= scene->step_x)
        s = high;
    for (int step = 0; step < 12 && scene->amplitude_m > 0.0; step++) /* slope 0.25: 4^-12 m */
        s = (surface_z(scene, ray.origin[0] + s * ray.direction[0]) - water_z) / ray.direction[2];
    for (int i = 0; i < 3; i++)
        point[i] = ray.origin[i] + s * ray.direction[i];
    return s;
}

static inline void place(Scene *scene, int k) {
    static const double x[VIEWS] = {-0.05, 0.13, 0.0, -0.2}, y[VIEWS] = {0.0, 0.03, 0.16, -0.07};
    AqmRig *rig = NULL;
    assert_int_equal(aqm_rig_create(&rig, 1, NULL), AQM_OK);
    rig->water_z = water_z;
    rig->n_water = scene->n;
    AqmCamera *camera = &rig->cameras[0];
    const double tilt = 0.05 * (k - 1), c = cos(tilt), s = sin(tilt);
    const double R[9] = {c, 0, -s, 0, 1, 0, s, 0, c}, C[3] = {x[k], y[k], 0.01 * k};
    const double K[9] = {200 * SCENE_SCALE,
                         0,
                         SCENE_SCALE * (99.7 + k) - 0.5,
                         0,
                         201 * SCENE_SCALE,
                         SCENE_SCALE * 74.6 - 0.5,
                         0,
                         0,
                         1};
    *camera = (AqmCamera){.width = WIDTH, .height = HEIGHT};
    memcpy(camera->K, K, sizeof K);
    memcpy(camera->R, R, sizeof R);
    for (int i = 0; i < 3; i++)
        camera->t[i] = -(R[3 * i] * C[0] + R[3 * i + 1] * C[1] + R[3 * i + 2] * C[2]);
    assert_int_equal(aqm_view_create(&scene->views[k], rig, 0, K, NULL), AQM_OK);
    aqm_rig_destroy(&rig);
}

static inline void render(Scene *scene, int k) {
    assert_int_equal(aqm_image_create(&scene->images[k], WIDTH, HEIGHT, 1, AQM_U8, NULL), AQM_OK);
    AqmRng rng = aqm_rng(11, (uint64_t)k);
    for (int v = 0; v < HEIGHT; v++)
        for (int u = 0; u < WIDTH; u++) {
            double level = scene->noise * aqm_rng_normal(&rng), point[3];
            for (int sub = 0; sub < 4; sub++) { /* a pixel is an area */
                const double s = hit(scene, &scene->views[k], u + 0.5 * (sub & 1) - 0.25,
                                     v + 0.25 * (sub & 2) - 0.25, point);
                (void)s;
                const bool is_blank = point[0] > scene->blank_x && point[0] < scene->blank_to;
                level += 0.25 * (is_blank ? 120.0 : 40.0 + 160.0 * texture(point[0], point[1]));
            }
            ((uint8_t *)scene->images[k]->data)[v * WIDTH + u] = (uint8_t)(level + 0.5);
        }
}

static inline void prepare(Scene *scene, int k, const AqmImageView *mask) {
    const AqmImageView image = aqm_image_view(scene->images[k]);
    aqm_stereo_image_destroy(&scene->stereo_images[k]);
    assert_int_equal(aqm_stereo_image_create(&scene->stereo_images[k], &image, mask, 255, NULL),
                     AQM_OK);
    scene->stereo[k] = (AqmStereoView){&scene->views[k], scene->stereo_images[k], false};
}

/* With the numbers of `plan`. */
static inline Scene *scene_create_as(const Scene *plan) {
    Scene *scene = calloc(1, sizeof *scene);
    *scene = *plan;
    for (int k = 0; k < VIEWS; k++) {
        place(scene, k);
        render(scene, k);
        prepare(scene, k, NULL);
    }
    scene->truth = calloc(WIDTH * HEIGHT, sizeof *scene->truth);
    double point[3];
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        scene->truth[p] = (float)hit(scene, &scene->views[0], p % WIDTH, p / WIDTH, point);
    return scene;
}

static inline Scene *scene_create(double n, double amplitude_m, double wavelength_m) {
    const Scene plan = {
        .n = n, .amplitude_m = amplitude_m, .wavelength_m = wavelength_m, .noise = 1.0};
    return scene_create_as(&plan);
}

static inline void scene_free(Scene *scene) {
    for (int k = 0; k < VIEWS; k++) {
        aqm_image_destroy(&scene->images[k]);
        aqm_stereo_image_destroy(&scene->stereo_images[k]);
    }
    free(scene->truth);
    free(scene);
}

static inline AqmDepthMap *estimate(const Scene *scene, const AqmStereoOptions *options) {
    const size_t sources[3] = {1, 2, 3};
    const AqmDepthRange range = {.min_m = 0.15, .max_m = 0.3};
    AqmDepthMap *map = NULL;
    AqmDiag diag = {0};
    assert_int_equal(
        aqm_stereo_estimate(scene->stereo, VIEWS, 0, sources, 3, 0, &range, options, &map, &diag),
        AQM_OK);
    return map;
}

typedef struct Errors {
    double valid, median_mm, p95_mm, bias_mm;
} Errors;

static inline Errors errors_of(const Scene *scene, const AqmDepthMap *map) {
    static double e[WIDTH * HEIGHT];
    size_t n = 0;
    double sum = 0.0;
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        if (!isnan(map->depth_m[p])) {
            const double error = 1000.0 * (double)(map->depth_m[p] - scene->truth[p]);
            sum += fabs(error) < 5.0 ? error : 0.0;
            e[n++] = fabs(error);
        }
    const Errors errors = {(double)n / (WIDTH * HEIGHT), aqm_percentile_f64(e, n, 50),
                           aqm_percentile_f64(e, n, 95), sum / (double)n};
    return errors;
}

static inline AqmStereoOptions small_options(void) {
    AqmStereoOptions options = aqm_stereo_options_default();
    options.num_depths = 48;
    return options;
}

#endif
