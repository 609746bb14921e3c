/* For the tests of tracks: a ring of cameras over a surface known in closed form, and what perfect
 * feature detection and matching would give but for noise of known size. */
#ifndef AQM_STAGES_TEST_TRACKS_SCENE_H
#define AQM_STAGES_TEST_TRACKS_SCENE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aquamvs/matching.h"
#include "geometry/surface_model.h"
#include "math/rng.h"
#include "math/vec.h"

enum { SCENE_VIEWS = 8, SCENE_PAIRS_MAX = SCENE_VIEWS * (SCENE_VIEWS - 1) / 2 };

typedef struct Scene {
    AqmSurfaceModel *surface;
    AqmSurfaceBounds bounds;
    AqmView views[SCENE_VIEWS];
    AqmFeatures *features[SCENE_VIEWS];
    AqmMatches *matches[SCENE_PAIRS_MAX];
    AqmMatchView match_views[SCENE_VIEWS];
    AqmMatchPair pairs[SCENE_PAIRS_MAX];
    size_t pair_count, point_count;
    int *feature_of; /* SCENE_VIEWS a point; -1 = not seen */
} Scene;

typedef struct SceneOptions {
    size_t points;
    double feature_px, match_px; /* noise, 1 sigma, of features and of refined matches */
    double wrong;                /* share of matches that are wrong, 10 px along u or more */
    double n;
    uint64_t seed;
    double slope; /* of the bed along Y */
    double wave_m;
} SceneOptions;

static inline void scene_require(AqmStatus status) {
    if (status != AQM_OK)
        abort();
}

static inline double scene_between(AqmRng *rng, double low, double high) {
    return low + (high - low) * aqm_rng_uniform(rng);
}

/* Cameras 0.6 m from the axis, 0.98 m above the water, looking at a point of the axis 0.3 m below
 * it, each rolled by its own angle; f = 1400 px. */
static inline AqmView scene_view(size_t index, double n) {
    AqmView view = {.width = 1600,
                    .height = 1200,
                    .fx = 1400,
                    .fy = 1400,
                    .cx = 799.2,
                    .cy = 600.4,
                    .water_z = 0.98,
                    .n = n};
    const double turn = 6.283185307179586 * (double)index / SCENE_VIEWS + 0.2;
    view.C[0] = 0.6 * cos(turn), view.C[1] = 0.6 * sin(turn), view.C[2] = 0.0;
    double *x = view.R, *y = view.R + 3, *z = view.R + 6;
    const double forward[3] = {-view.C[0], -view.C[1], 1.28};
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

/* A bed 0.3 m below the water: waves of 50 mm along X, hills of 60 mm, sloping along Y. */
static inline AqmSurfaceModel *scene_surface(const SceneOptions *options, AqmRng *rng) {
    AqmSurfaceModel *model = NULL;
    scene_require(aqm_surface_model_create(&model, NULL));
    const AqmSurfaceTerm plane = {.kind = AQM_TERM_PLANE, .plane = {1.28, 0.0, options->slope}};
    scene_require(aqm_surface_model_add(model, plane, NULL));
    for (int k = 0; k < 3; k++) {
        const double turn = scene_between(rng, 0.0, 6.28), length = 0.05 * (k + 1);
        const AqmSurfaceTerm wave = {.kind = AQM_TERM_SINE,
                                     .sine = {options->wave_m / (k + 1),
                                              6.2832 / length * cos(turn),
                                              6.2832 / length * sin(turn), turn}};
        scene_require(aqm_surface_model_add(model, wave, NULL));
    }
    return model;
}

static inline bool scene_is_inside(const AqmView *view, const double pixel[2]) {
    return pixel[0] >= 8 && pixel[1] >= 8 && pixel[0] <= view->width - 9 &&
           pixel[1] <= view->height - 9;
}

static inline void scene_find_features(Scene *scene, const SceneOptions *options, AqmRng *rng) {
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        scene_require(aqm_features_create(&scene->features[v], options->points, 1, NULL));
    scene->feature_of = malloc(options->points * SCENE_VIEWS * sizeof *scene->feature_of);
    size_t counts[SCENE_VIEWS] = {0};
    for (size_t i = 0; i < options->points; i++) {
        double point[3] = {scene_between(rng, -0.5, 0.5), scene_between(rng, -0.5, 0.5), 0.0};
        point[2] = aqm_surface_height(scene->surface, point[0], point[1]);
        for (size_t v = 0; v < SCENE_VIEWS; v++) {
            double pixel[2];
            int *feature = &scene->feature_of[i * SCENE_VIEWS + v];
            *feature = -1;
            if (!aqm_view_project(&scene->views[v], point, pixel) ||
                !scene_is_inside(&scene->views[v], pixel))
                continue;
            *feature = (int)counts[v]++;
            float *position = scene->features[v]->position + 2 * (size_t)*feature;
            for (int k = 0; k < 2; k++)
                position[k] = (float)(pixel[k] + options->feature_px * aqm_rng_normal(rng));
        }
    }
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        scene->features[v]->count = counts[v];
}

/* What lies at `from` in view a, in view b. */
static inline void scene_transfer(const Scene *scene, size_t a, const float from[2], size_t b,
                                  double to[2]) {
    AqmRay ray;
    double s = NAN;
    if (!aqm_view_cast(&scene->views[a], (double)from[0], (double)from[1], &ray) ||
        !aqm_surface_intersect(scene->surface, &scene->bounds, &ray, 0.32, &s))
        abort();
    const double point[3] = {ray.origin[0] + s * ray.direction[0],
                             ray.origin[1] + s * ray.direction[1],
                             ray.origin[2] + s * ray.direction[2]};
    if (!aqm_view_project(&scene->views[b], point, to))
        abort();
}

/* Matches of views a and b; match_px < 0: at the features' own positions. */
static inline void scene_match(Scene *scene, const SceneOptions *options, size_t a, size_t b,
                               AqmRng *rng) {
    AqmMatches *matches = NULL;
    scene_require(aqm_matches_create(&matches, options->points, NULL));
    for (size_t i = 0; i < options->points; i++) {
        const int *of = scene->feature_of + i * SCENE_VIEWS;
        if (of[a] < 0 || of[b] < 0)
            continue;
        const size_t k = matches->count++;
        const float *from = scene->features[a]->position + 2 * (size_t)of[a],
                    *own = scene->features[b]->position + 2 * (size_t)of[b];
        matches->first[k] = (uint32_t)of[a], matches->second[k] = (uint32_t)of[b];
        matches->score[k] = (float)scene_between(rng, 0.3, 1.0);
        double to[2] = {(double)own[0], (double)own[1]};
        if (options->match_px >= 0.0)
            scene_transfer(scene, a, from, b, to);
        const bool is_wrong = aqm_rng_uniform(rng) < options->wrong;
        const double away = is_wrong ? scene_between(rng, 10.0, 60.0) : 0.0;
        for (int j = 0; j < 2; j++) {
            const double noise = fmax(options->match_px, 0.0) * aqm_rng_normal(rng);
            matches->first_position[2 * k + (size_t)j] = from[j];
            matches->second_position[2 * k + (size_t)j] = (float)(to[j] + noise + (j ? 0 : away));
        }
    }
    scene->matches[scene->pair_count] = matches;
    scene->pairs[scene->pair_count++] = (AqmMatchPair){a, b, matches};
}

/* Every view is matched with its two nearest on either side. */
static inline void scene_make(Scene *scene, const SceneOptions *options) {
    AqmRng rng = aqm_rng(options->seed, 1);
    *scene = (Scene){.surface = scene_surface(options, &rng), .point_count = options->points};
    scene->bounds = aqm_surface_bounds(scene->surface, 2.0);
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        scene->views[v] = scene_view(v, options->n);
    scene_find_features(scene, options, &rng);
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        scene->match_views[v] =
            (AqmMatchView){.view = &scene->views[v], .features = scene->features[v]};
    for (size_t a = 0; a < SCENE_VIEWS; a++)
        for (size_t b = a + 1; b < SCENE_VIEWS; b++)
            if (b - a <= 2 || SCENE_VIEWS - (b - a) <= 2)
                scene_match(scene, options, a, b, &rng);
}

static inline AqmStatus scene_tracks(const Scene *scene, const AqmTrackOptions *options,
                                     AqmTracks **tracks) {
    return aqm_tracks_build(tracks, scene->match_views, SCENE_VIEWS, scene->pairs,
                            scene->pair_count, options, NULL);
}

static inline void scene_free(Scene *scene) {
    aqm_surface_model_destroy(&scene->surface);
    for (size_t v = 0; v < SCENE_VIEWS; v++)
        aqm_features_destroy(&scene->features[v]);
    for (size_t p = 0; p < scene->pair_count; p++)
        aqm_matches_destroy(&scene->matches[p]);
    free(scene->feature_of);
}

#endif
