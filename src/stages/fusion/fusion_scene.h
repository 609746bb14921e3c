/* For the tests of fusion: a ring of cameras over a surface known in closed form, and the depth
 * maps that perfect matching would give. */
#ifndef AQM_STAGES_FUSION_SCENE_H
#define AQM_STAGES_FUSION_SCENE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/fusion.h"
#include "geometry/surface_model.h"
#include "math/rng.h"
#include "math/vec.h"

enum { SCENE_VIEWS_MAX = 8 };

typedef struct Scene {
    size_t count;
    AqmView views[SCENE_VIEWS_MAX];
    AqmDepthMap *maps[SCENE_VIEWS_MAX];
    AqmImage *images[SCENE_VIEWS_MAX];
    AqmImageView colors[SCENE_VIEWS_MAX];
    AqmFusionView fusion[SCENE_VIEWS_MAX];
} Scene;

static inline void scene_require(AqmStatus status) {
    if (status != AQM_OK)
        abort();
}

/* Cameras 0.3 m from the axis, 0.9 m above the water, looking at the axis 1.2 m below them, each
 * rolled by its own angle. About 1.1 mm a pixel at f = 1000 px. */
static inline AqmView scene_view(size_t index, size_t count, int width, int height, double focal) {
    AqmView view = {.width = width,
                    .height = height,
                    .fx = focal,
                    .fy = focal,
                    .cx = 0.5 * width - 0.7,
                    .cy = 0.5 * height + 0.4,
                    .water_z = 0.9,
                    .n = 1.333};
    const double turn = 6.283185307179586 * (double)index / (double)count + 0.2;
    view.C[0] = 0.3 * cos(turn), view.C[1] = 0.3 * sin(turn), view.C[2] = 0.0;
    double *x = view.R, *y = view.R + 3, *z = view.R + 6;
    const double forward[3] = {-view.C[0], -view.C[1], 1.2},
                 roll[3] = {cos(turn), sin(2 * turn), 0};
    const double distance = aqm_norm3(forward);
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

/* Exact ray depths of `model`, confidence 0.8. */
static inline void scene_measure(Scene *scene, size_t index, const AqmSurfaceModel *model) {
    const AqmSurfaceBounds bounds = aqm_surface_bounds(model, 2.0);
    AqmDepthMap *map = scene->maps[index];
    double depth = NAN;
    for (int v = 0; v < map->height; v++)
        for (int u = 0; u < map->width; u++) {
            AqmRay ray;
            const size_t i = (size_t)v * (size_t)map->width + (size_t)u;
            const bool hit = aqm_view_cast(&scene->views[index], u, v, &ray) &&
                             aqm_surface_intersect(model, &bounds, &ray, depth, &depth);
            depth = hit ? depth : (double)NAN;
            map->depth_m[i] = (float)depth;
            map->confidence[i] = hit ? 0.8f : 0.0f;
        }
}

/* All views measure `model`. Images: U8 gray, the value of each camera its own. */
static inline void scene_make(Scene *scene, size_t count, int width, int height, double focal,
                              const AqmSurfaceModel *model) {
    *scene = (Scene){.count = count};
    for (size_t i = 0; i < count; i++) {
        scene->views[i] = scene_view(i, count, width, height, focal);
        scene_require(aqm_depth_map_create(&scene->maps[i], width, height, NULL));
        scene_require(aqm_image_create(&scene->images[i], width, height, 1, AQM_U8, NULL));
        memset(scene->images[i]->data, 100 + (int)i, scene->images[i]->stride * (size_t)height);
        scene->colors[i] = aqm_image_view(scene->images[i]);
        scene->fusion[i] =
            (AqmFusionView){&scene->views[i], scene->maps[i], &scene->colors[i], 255.0};
        scene_measure(scene, i, model);
    }
}

static inline void scene_free(Scene *scene) {
    for (size_t i = 0; i < scene->count; i++) {
        aqm_depth_map_destroy(&scene->maps[i]);
        aqm_image_destroy(&scene->images[i]);
    }
}

/* A wave of the given amplitude and length along X on a plane tilted by `slope` along Y. */
static inline AqmSurfaceModel *scene_wave(double amplitude, double length, double slope) {
    AqmSurfaceModel *model = NULL;
    scene_require(aqm_surface_model_create(&model, NULL));
    AqmSurfaceTerm plane = {.kind = AQM_TERM_PLANE, .plane = {1.2, 0.0, slope}};
    AqmSurfaceTerm wave = {.kind = AQM_TERM_SINE,
                           .sine = {amplitude, 6.283185307179586 / length, 0.0, 0.3}};
    scene_require(aqm_surface_model_add(model, plane, NULL));
    scene_require(aqm_surface_model_add(model, wave, NULL));
    return model;
}

/* Errors that vary smoothly over the image (about 20 px), as those of window matching do: bilinear
 * sampling does not average them out. Their root mean square over a map is sigma_m. */
static inline void scene_add_smooth_noise(Scene *scene, size_t index, double sigma_m) {
    AqmRng rng = aqm_rng(7, index);
    double ku[16], kv[16], phase[16];
    for (int k = 0; k < 16; k++) {
        ku[k] = 0.35 * aqm_rng_normal(&rng), kv[k] = 0.35 * aqm_rng_normal(&rng);
        phase[k] = 6.283185307179586 * aqm_rng_uniform(&rng);
    }
    AqmDepthMap *map = scene->maps[index];
    for (int v = 0; v < map->height; v++)
        for (int u = 0; u < map->width; u++) {
            double sum = 0.0;
            for (int k = 0; k < 16; k++)
                sum += cos(ku[k] * u + kv[k] * v + phase[k]);
            map->depth_m[(size_t)v * (size_t)map->width + (size_t)u] +=
                (float)(sigma_m * sum / sqrt(8.0));
        }
}

#endif
